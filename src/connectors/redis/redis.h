/*
 * redis://HOST[:PORT][/DATABASE]: what the files of this connector share.
 *
 *   redis.c, options.c  the descriptor, options, opening     protocol/   RESP, connections, cluster
 *   value.c, key.c      values and keys as Redis has them    store.c     the store
 *   tables.c, notes.c   tables that are there                prepare.c   making and removing them
 *   encode.c, send.c    writing, for the keyed room          fetch.c     records by key
 *   indexes.c           sets of keys that are kept with them foreign.c   keys of others
 *   source.c, catalog.c, cursor.c, key_list.c  reading       scan.c      all keys
 *
 * A table T is the keys T:PART[:PART…], one a record: a hash, or (form=json) a string that holds a
 * JSON object. The parts are the values of its key, as text; in all but the last one % and : are
 * %25 and %3A. Which tables there are, and what their keys are made of, the hash REDIS_NOTES says.
 */
#ifndef TRANSHUME_CONNECTORS_REDIS_REDIS_H
#define TRANSHUME_CONNECTORS_REDIS_REDIS_H

#include "base/name_index.h"
#include "connectors/keyed/keyed.h"
#include "connectors/redis/protocol/client.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

#define REDIS_NOTES "transhume:tables" /* table → JSON, see notes.c */
#define REDIS_OWN_PREFIX "_transhume"  /* and {_transhume…: the ledger's */
#define REDIS_INDEX_PREFIX "idx:"

enum {
    REDIS_VALUE_BYTES_MAX = 64 << 20, /* of one value: what is held whole */
    REDIS_KEY_BYTES_MAX = 64 << 10,
    REDIS_RECORDS_MAX = 512, /* of one request */
    REDIS_REQUEST_BYTES_MAX = 256 << 10,
    REDIS_SCAN_COUNT = 4000
};

enum redis_form { REDIS_HASH, REDIS_JSON };

struct redis_database {
    struct keyed_database keyed; /* first */
    const char *spill_folder;    /* may be NULL */
    struct stream_tls *tls;
    struct redis_server *server;
    struct redis_client *control; /* with control_mutex */
    enum redis_form form;
    uint32_t number;             /* of the database */
    char separator;              /* of foreign keys: what is before it is the table */
    struct redis_source *source; /* catalog.c; NULL until it is needed */
    struct redis_kinds *kinds;   /* kinds.c: of tables that are written */
};

static inline struct redis_database *redis_of(struct database *database)
{
    return (struct redis_database *)database;
}

extern const struct connector connector_redis;

/* ---------------------------------------------------------------- options.c */

enum status redis_options_read(struct redis_database *self, const struct open_options *open,
                               struct redis_server_options *options, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- control.c */

/* redis_client_call on the control client; frees the command. Any thread. */
enum status redis_control(struct redis_database *self, struct redis_call *call,
                          struct buffer *command, struct arena *arena, struct resp_value *reply,
                          struct error *error) MUST_USE;
/* The same of a write to the key's node, sent only while the lease lasts once a run is claimed. */
enum status redis_control_write(struct redis_database *self, const char *key, size_t key_length,
                                struct buffer *command, struct arena *arena,
                                struct resp_value *reply, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- value.c */

enum { REDIS_TYPE_COUNT = 17 };
extern const struct type_mapping redis_types[REDIS_TYPE_COUNT];

/* Appends the bytes that a hash has of the value. STATUS_END: of NULL and MISSING there are none.
 * STATUS_FAILED: class REJECT. */
enum status redis_value_append(const struct cell *cell, struct buffer *out,
                               struct error *error) MUST_USE;
/* Columns whose kinds are known: text is text then, whatever it looks like. */
struct redis_columns {
    struct name_index names; /* number of a column by its name */
    enum value_kind *kinds;
    uint32_t count;
};
/* The value of the bytes under that name: one of the column's kind, if they are just what is
 * written for one; else as redis_value_read. */
void redis_field_read(const struct redis_columns *columns, struct text name, const char *bytes,
                      size_t length, struct arena *arena, struct cell *cell);
/* The value of such bytes: a number where they are just the digits that it is written with, else
 * text, else bytes. Borrows them. */
void redis_value_read(const char *bytes, size_t length, struct arena *arena, struct cell *cell);
enum status redis_normal_form(struct database *database, const struct cell *cell,
                              struct arena *arena, struct cell *normal, struct error *error);
/* One of its values. */
enum status redis_json_value_append(const struct cell *cell, struct buffer *out,
                                    struct error *error) MUST_USE;
/* A record's fields as one JSON object. `shape` NULL: `cells` is one MAP. */
enum status redis_json_append(const struct shape *shape, const struct cell *cells,
                              struct buffer *out, struct error *error) MUST_USE;

/* Bytes that JSON has as {"$bytes":base64} become such again; another value stays. */
enum status redis_json_bytes(struct cell *value, struct arena *arena, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- key.c */

/* The Redis key of a record: table->key.count cells. Class REJECT: a part is null or too long. */
enum status redis_key_append(const struct target_table *table, const struct cell *key,
                             struct buffer *out, struct error *error) MUST_USE;
/* "T:", what all its keys begin with. */
void redis_key_prefix(const char *table, struct buffer *out);
/* For struct keyed_service: lengths (4 bytes, big endian) and texts of the parts, and back. */
enum status redis_key_bytes(struct database *database, const struct target_table *table,
                            const struct cell *key, struct buffer *out, struct error *error);
bool redis_key_read(struct database *database, const struct target_table *table,
                    const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key);

/* ---------------------------------------------------------------- scan.c */

typedef enum status redis_key_visit(void *context, const char *key, size_t length,
                                    struct error *error);
/* Visits all keys that begin with `prefix` and are of the type (NULL: of any), of all nodes: each
 * at least once, as SCAN does; of those that come and go meanwhile perhaps. Anything but STATUS_OK
 * ends it with that status. */
enum status redis_scan(struct redis_database *self, const char *prefix, const char *type,
                       redis_key_visit *visit, void *context, struct error *error) MUST_USE;
/* The same, each once: they are sorted on disk, and visited in that order. */
enum status redis_scan_sorted(struct redis_database *self, const char *prefix, const char *type,
                              redis_key_visit *visit, void *context, struct error *error) MUST_USE;
/* How many keys begin with `prefix`. */
enum status redis_scan_count(struct redis_database *self, const char *prefix, uint64_t *count,
                             struct error *error) MUST_USE;
/* Pages of keys of one node: `keys` are borrowed by the visitor. */
typedef enum status redis_page_visit(void *context, struct redis_client *client, uint16_t node,
                                     const struct resp_value *keys, struct error *error);
enum status redis_scan_pages(struct redis_database *self, const char *prefix, const char *type,
                             redis_page_visit *visit, void *context, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- indexes.c */

struct redis_index {
    const char *name;
    const char *base; /* "idx:TABLE:INDEX" */
    struct column_list columns;
    bool sorted; /* by the last column */
};
struct redis_indexes {
    struct redis_index *items;
    uint32_t count;
};

/* The indexes that the plan wants; borrows its texts. */
void redis_indexes_of_plan(const struct target_table *table, struct arena *arena,
                           struct redis_indexes *indexes);
/* As JSON, and back (false: it is damaged). */
void redis_indexes_append(const struct redis_indexes *indexes, struct buffer *json);
bool redis_indexes_read(const json_t *tree, const char *table, struct arena *arena,
                        struct redis_indexes *indexes);
/* The reasons why the plan's indexes can't be kept, one line each. `noted`: those that a table has
 * which is there; NULL: there is none. */
void redis_indexes_check(const struct redis_database *self, const struct target_table *table,
                         const struct redis_indexes *noted, struct buffer *out);

/* ---------------------------------------------------------------- notes.c */

/* The database's note of a table. Texts in the arena that it was read into. */
struct redis_note {
    const char *table;
    enum redis_form form;
    struct column_list key;
    const char *run; /* that made it; "": it was there */
    struct redis_columns *columns;
    struct redis_indexes indexes;
};

/* STATUS_END: there is none. */
enum status redis_note_read(struct redis_database *self, const char *table, struct arena *arena,
                            struct redis_note *note, struct error *error) MUST_USE;
/* All of them, by name. */
enum status redis_notes_read(struct redis_database *self, struct arena *arena,
                             struct redis_note **notes, uint32_t *count,
                             struct error *error) MUST_USE;
/* Unless there is one. */
enum status redis_note_put(struct redis_database *self, const struct target_table *table,
                           const char *run, struct error *error) MUST_USE;
/* In place of the one that is there; `columns`: "Name":"text", … */
enum status redis_note_replace(struct redis_database *self, const struct redis_note *note,
                               struct text columns, struct error *error) MUST_USE;
enum status redis_note_delete(struct redis_database *self, const char *table,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- kinds.c */

#define REDIS_MIXED VALUE_KIND_COUNT

/* As what kind of value a column has to know the cell: of numbers whole ones, decimals and floats.
 * VALUE_MISSING: of nothing. */
enum value_kind redis_kind_of(const struct cell *cell);
/* Is a value of the kind read as such from a column that is known to hold those of `column`? */
bool redis_kind_holds(enum value_kind column, enum value_kind kind);
/* A value of the kind is about to be written under that name of the table: its note says so before
 * this returns. `*kind` becomes what the column is by now; REDIS_MIXED: of several. Any thread. */
enum status redis_kind_meet(struct redis_database *self, const char *table, struct text name,
                            enum value_kind *kind, struct error *error) MUST_USE;
/* Its note is another one by now. Any thread. */
void redis_kinds_forget(struct redis_database *self, const char *table);
/* The indexes of a table by its note, which live as long as the database. Any thread. */
enum status redis_indexes_find(struct redis_database *self, const char *table,
                               const struct redis_indexes **indexes, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- lookup.c */

/* Commands under way, each about one key; their replies come in the order of the commands. One
 * thread. */
struct redis_lookup;
struct redis_lookup *redis_lookup_create(struct redis_database *self);
void redis_lookup_destroy(struct redis_lookup *lookup); /* NULL is fine */
/* Takes the command over (the buffer is empty then); the key is copied. */
void redis_lookup_add(struct redis_lookup *lookup, struct text key, struct buffer *command);
uint32_t redis_lookup_count(const struct redis_lookup *lookup);
/* The reply to the oldest, whose key is copied into the arena (`key` NULL: it is not); an error of
 * the server is a reply. STATUS_END: none is under way. */
enum status redis_lookup_next(struct redis_lookup *lookup, struct arena *arena,
                              struct resp_value *reply, struct text *key,
                              struct error *error) MUST_USE;

/* The fields of a hash as a MAP; of a JSON string the same. `columns` may be NULL. STATUS_END:
 * nothing is there. STATUS_FAILED of class REJECT: it can't be read. */
enum status redis_record_read(const struct resp_value *reply, enum redis_form form,
                              const struct redis_columns *columns, struct arena *arena,
                              struct cell *record, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target */

extern const struct keyed_service redis_keyed_service;
extern const struct keyed_tables redis_tables; /* prepare.c */
extern const struct store_functions redis_store;
extern const struct rollback_functions redis_rollback;
extern const struct catalog_functions redis_catalog;
extern const struct source_functions redis_source_functions;

enum status redis_claimed(struct database *database, const struct run_claim *claim,
                          struct error *error);
enum status redis_inspect(struct database *database, const struct target_table *tables,
                          uint32_t table_count, bool *table_exists, bool *record_exists,
                          struct error *error);
enum status redis_check_table(struct database *database, const struct check_request *request,
                              struct buffer *out, struct error *error);
enum status redis_count(struct database *database, const struct target_table *table,
                        uint64_t *count, struct error *error);
enum status redis_fetch(struct database *database, const struct target_table *table,
                        const struct cell *keys, uint32_t key_count, struct batch **batch,
                        struct error *error);
enum status redis_erase(struct database *database, const struct target_table *table,
                        const struct cell *keys, uint32_t count, struct error *error);
/* Deletes all records of a table. */
enum status redis_empty_table(struct database *database, const struct target_table *table,
                              struct error *error);
enum status redis_target_caveats(struct database *database, struct buffer *out,
                                 struct error *error);

void redis_source_destroy(struct redis_source *source); /* NULL is fine */

#endif
