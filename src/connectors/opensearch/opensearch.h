/*
 * opensearch://HOST[:PORT][/PREFIX]: what the files of this connector share.
 *
 *   opensearch.c, options.c   the descriptor, options, opening
 *   client.c                  requests and answers
 *   types.c, mapping.c        types of fields, mappings
 *   name.c                    names of indexes, ids of documents
 *   value.c                   values as JSON and back
 *   store.c                   the store
 *   tables.c                  indexes that are there
 *   prepare.c, template.c     making and removing them; what templates would make of them
 *   settings.c                what is suspended while they fill
 *   alias.c                   aliases that are switched once they are filled
 *   send.c, version.c         writing, for the keyed room
 *   fetch.c                   documents by id
 *   rights.c                  the role of least rights
 *   catalog.c, source.c, cursor.c, page.c   reading
 *
 * The schema changed in place: alter_session.h, change_session.h.
 *
 * A table T is the index PREFIXt (in small letters), a record of it a document whose id is made of
 * its key: the parts as text with ':' between them; in all but the last one ':' is %3A, in all '%'
 * is %25, and an empty one is '%'. A key that is the column _id alone is the id itself.
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_OPENSEARCH_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_OPENSEARCH_H

#include "base/name_index.h"
#include "base/text.h"
#include "connectors/keyed/keyed.h"
#include "connectors/opensearch/client.h"
#include "connectors/opensearch/types.h"
#include <pthread.h>
#include <stdatomic.h>

#define OPENSEARCH_ID "_id"
#define OPENSEARCH_LEDGER "transhume-ledger" /* behind the prefix */
#define OPENSEARCH_HISTORY \
    "transhume-schema" /* likewise: HISTORY_TABLE as an index may be called */

enum {
    OPENSEARCH_NAME_BYTES_MAX = 255,
    OPENSEARCH_ID_BYTES_MAX = 512,
    OPENSEARCH_RECORDS_MAX = 4000, /* of one request */
    OPENSEARCH_REQUEST_BYTES_MAX = 1 << 20,
    OPENSEARCH_DOCUMENT_BYTES_MAX = 64 << 20,
    OPENSEARCH_DEPTH_MAX = 512
};

struct opensearch_facts {
    bool elasticsearch;
    uint32_t major;
    uint32_t minor;
    bool points; /* slices of its points in time are made of ids */
};

struct opensearch_source;

struct opensearch_database {
    struct keyed_database keyed; /* first */
    struct opensearch_service *service;
    struct opensearch_client *control; /* with control_mutex */
    struct opensearch_facts facts;
    struct opensearch_dialect dialect;
    const char *prefix;               /* of all its indexes */
    const char *shards;               /* of indexes that are made; NULL: as the server has it */
    const char *replicas;             /* likewise, once they are loaded */
    bool suspends;                    /* settings, while an index is loaded */
    const char *alias;                /* the option; NULL: none */
    _Atomic int64_t version;          /* the last one that a writer was given */
    struct opensearch_source *source; /* catalog.c; NULL until it is needed */
};

static inline struct opensearch_database *opensearch_of(struct database *database)
{
    return (struct opensearch_database *)database;
}

extern const struct connector connector_opensearch;

/* ---------------------------------------------------------------- options.c */

enum status opensearch_options_read(struct opensearch_database *self,
                                    const struct open_options *open,
                                    struct opensearch_service_options *options,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- control.c */

/* opensearch_client_call on the control client; the body (may be NULL) is freed. Any thread. */
enum status opensearch_control(struct opensearch_database *self,
                               const struct opensearch_request *request, struct buffer *body,
                               struct service_reply **reply, struct error *error) MUST_USE;
/* The same of what changes something: sent only while the lease lasts once a run is claimed; a
 * fault of the request is a failure, but for `allowed` (FAULT_NONE: none is). */
enum status opensearch_control_write(struct opensearch_database *self,
                                     const struct opensearch_request *request, struct buffer *body,
                                     enum opensearch_fault allowed, enum opensearch_fault *fault,
                                     struct error *error) MUST_USE;
/* The same of a question: `*root` (the caller's) is the answer. STATUS_END: there is no such
 * index. */
enum status opensearch_control_ask(struct opensearch_database *self,
                                   const struct opensearch_request *request, struct buffer *body,
                                   json_t **root, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- name.c */

/* The index of a table, as it stands in a path. */
void opensearch_index_append(const struct opensearch_database *self, const char *table,
                             struct buffer *out);
/* "/INDEX" and what follows it, in the arena. */
const char *opensearch_path(const struct opensearch_database *self, struct arena *arena,
                            const char *table, const char *rest);
/* A prefix in small letters, as names of indexes are. */
const char *opensearch_prefix_copy(struct arena *arena, const char *prefix);
/* Why names of indexes do not begin so; NULL: they may. */
const char *opensearch_prefix_fault(const char *prefix);
/* Why no alias can be called so; NULL: one can. */
const char *opensearch_alias_fault(const char *alias);
/* Why no index can be called as the table is; NULL: one can. */
const char *opensearch_name_fault(const struct opensearch_database *self, const char *table);
/* Is the name of an index one of the program's own? */
bool opensearch_is_own(const struct opensearch_database *self, const char *index);
/* The id of a record: table->key.count cells. Class REJECT: a part is null, or it is too long. */
enum status opensearch_id_append(const struct target_table *table, const struct cell *key,
                                 struct buffer *out, struct error *error) MUST_USE;
/* Is the key the id itself? */
static inline bool opensearch_key_is_id(struct column_list key)
{
    return key.count == 1 && strcmp(key.names[0], OPENSEARCH_ID) == 0;
}
/* For struct keyed_service: lengths (4 bytes, big endian) and texts of the parts, and back. */
enum status opensearch_key_bytes(struct database *database, const struct target_table *table,
                                 const struct cell *key, struct buffer *out, struct error *error);
bool opensearch_key_read(struct database *database, const struct target_table *table,
                         const uint8_t *bytes, size_t length, struct arena *arena,
                         struct cell *key);

/* ---------------------------------------------------------------- value.c */

/* Appends a value as JSON without line ends. MISSING is the caller's. Class REJECT. */
enum status opensearch_value_append(const struct cell *cell, struct buffer *out,
                                    struct error *error) MUST_USE;
/* The fields of a record as one JSON object, but for _id. `shape` NULL: `cells` is one MAP. */
enum status opensearch_document_append(const struct shape *shape, const struct cell *cells,
                                       struct buffer *out, struct error *error) MUST_USE;
/* The value that JSON stands for in a column of that type; borrows `json`. Class REJECT. */
enum status opensearch_value_read(const struct value_type *type, struct text json,
                                  struct arena *arena, struct cell *cell,
                                  struct error *error) MUST_USE;
enum status opensearch_normal_form(struct database *database, const struct cell *cell,
                                   struct arena *arena, struct cell *normal, struct error *error);

/* Columns of an index by name. */
struct opensearch_columns {
    struct name_index names;
    const struct value_type *types;
    const struct value_type *id; /* what the id is read as; NULL: it is no column */
};
/* A document as a MAP; `json` is its _source. Class REJECT: it can't be read. */
enum status opensearch_document_read(const struct opensearch_columns *columns, struct text id,
                                     struct text json, struct arena *arena, struct cell *record,
                                     struct error *error) MUST_USE;

/* ---------------------------------------------------------------- mapping.c */

struct opensearch_field {
    const char *name;
    const char *word; /* the mapping's: "long", "object" */
    struct value_type type;
};

/* An index as it is described. Texts in the arena that it was read into. */
struct opensearch_index {
    const char *name;
    const char *table; /* by its note, else the name without the prefix */
    const char *run;   /* that made it; NULL: nothing is noted */
    const char *uuid;
    struct column_list key; /* noted, else _id */
    struct opensearch_field *fields;
    uint32_t field_count;
    struct opensearch_columns columns;
    uint32_t shards; /* 1: also where it is not told */
    bool id_is_column;
    const char *lacking;          /* why it can't be read; NULL: it can */
    const char *refresh_interval; /* as it is set; NULL: it is not */
    const char *replicas;
    const char *mapping;  /* JSON of the mapping, and of what of its settings goes along */
    const char *analysis; /* NULL: none */
    struct column_list aliases;
};

/* The index of a table, or (`table` NULL) all of the prefix but for the program's own. STATUS_END:
 * there is none of that table. */
enum status opensearch_describe(struct opensearch_database *self, const char *table,
                                struct arena *arena, struct opensearch_index **indexes,
                                uint32_t *count, struct error *error) MUST_USE;
/* Why documents of an index with that mapping and those settings ("index" of them) can't be read
 * or written; NULL: they can. */
const char *opensearch_find_lacking(const json_t *mapping, const json_t *settings);
/* The body that makes the table's index for the claimed run. */
void opensearch_create_append(const struct opensearch_database *self,
                              const struct target_table *table, const char *run_id,
                              struct buffer *out);
/* Appends the request that adds the table's fields to an index that is there, with the note of the
 * run that made it; NULL: none made it. */
void opensearch_fields_append(const struct opensearch_database *self,
                              const struct target_table *table, const char *run_id,
                              struct buffer *out);

/* ---------------------------------------------------------------- settings.c */

/* Suspends what slows a load down in an index that is there; the ledger notes first how it was. */
enum status opensearch_suspend(struct opensearch_database *self, const char *table,
                               struct arena *arena, struct error *error) MUST_USE;
/* Puts it back and makes what was written visible to searches. */
enum status opensearch_resume(struct opensearch_database *self, const struct target_table *table,
                              struct error *error) MUST_USE;
enum status opensearch_refresh(struct opensearch_database *self, const char *table,
                               struct error *error) MUST_USE;
enum status opensearch_forget_run(struct database *database, const char *run_id, bool rolled_back,
                                  struct error *error);

/* ---------------------------------------------------------------- alias.c */

/* The alias that is to stand for the table's index, in the arena; NULL: none is wanted. */
const char *opensearch_alias_of(const struct opensearch_database *self, struct arena *arena,
                                const char *table);
/* The indexes that an alias stands for now, in the arena. */
enum status opensearch_alias_indexes(struct opensearch_database *self, const char *alias,
                                     struct arena *arena, struct column_list *indexes,
                                     struct error *error) MUST_USE;
/* ERROR_BAD_VALUE: two of the tables would have one alias. */
enum status opensearch_alias_check_all(const struct opensearch_database *self,
                                       const struct target_table *tables, uint32_t table_count,
                                       struct error *error) MUST_USE;
/* The reasons why the alias can't be switched to the table's index, one line each. */
enum status opensearch_alias_check(struct opensearch_database *self,
                                   const struct target_table *table, struct buffer *out,
                                   struct error *error) MUST_USE;
/* For struct target_functions and struct rollback_functions. */
enum status opensearch_publish(struct database *database, const struct target_table *tables,
                               uint32_t table_count, struct error *error);
enum status opensearch_remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                      struct error *error);

/* ---------------------------------------------------------------- template.c */

/* Effects of the server's index templates on an index that the run would make: what keeps it from
 * being filled or read in `refused`, what changes documents in `told`, one line each. */
enum status opensearch_template_check(struct opensearch_database *self, const char *table,
                                      struct buffer *refused, struct buffer *told,
                                      struct error *error) MUST_USE;
enum status opensearch_tell_changed(struct database *database, const struct target_table *tables,
                                    uint32_t table_count, const struct schema *objects,
                                    struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- version.c */

/* Above those of all writers and changes of the run before. Any thread. */
int64_t opensearch_next_version(struct opensearch_database *self);
int64_t opensearch_time_for_changes(struct database *database, int64_t after_us);
/* keyed_apply_open, told which tables the run made. */
enum status opensearch_apply_open(struct database *database, const struct apply_request *request,
                                  struct apply **apply, struct error *error);

/* ---------------------------------------------------------------- target */

extern const struct keyed_service opensearch_keyed_service;
extern const struct store_functions opensearch_store;
/* store_functions.open of another index than the ledger's; `place` is a literal. */
enum status opensearch_store_open_in(struct database *self, const char *place, struct store **store,
                                     struct error *error) MUST_USE;
extern const struct alter_functions opensearch_alter;
extern const struct change_functions opensearch_change;
extern const struct rights_functions opensearch_rights; /* rights.c */
extern const struct rollback_functions opensearch_rollback;
extern const struct catalog_functions opensearch_catalog;
extern const struct source_functions opensearch_source_functions;

enum status opensearch_claimed(struct database *database, const struct run_claim *claim,
                               struct error *error);
enum status opensearch_inspect(struct database *database, const struct target_table *tables,
                               uint32_t table_count, bool *table_exists, bool *record_exists,
                               struct error *error);
enum status opensearch_check_table(struct database *database, const struct check_request *request,
                                   struct buffer *out, struct error *error);
/* The index of a table, or the one that an alias of that name stands for. STATUS_END: there is
 * none. ERROR_TARGET_SCHEMA: an alias of several. */
enum status opensearch_find_one(struct opensearch_database *self, const char *table,
                                struct arena *arena, struct opensearch_index **index,
                                struct error *error) MUST_USE;
enum status opensearch_script(struct database *self, const struct script_request *request,
                              struct script *script, struct error *error);
enum status opensearch_add_columns(struct database *database, const struct target_table *table,
                                   struct column_list columns, struct error *error);
enum status opensearch_after_load(struct database *database, struct after_load_request *request,
                                  struct error *error);
enum status opensearch_count(struct database *database, const struct target_table *table,
                             uint64_t *count, struct error *error);
enum status opensearch_fetch(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t key_count, struct batch **batch,
                             struct error *error);
enum status opensearch_erase(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t count, struct error *error);
/* One _bulk to its end; `allowed`: a status of records that is no failure. Frees the body. */
enum status opensearch_bulk_now(struct opensearch_database *self, const char *table,
                                struct buffer *body, int64_t allowed, struct error *error) MUST_USE;
/* Deletes all documents of a table's index, as far as they are known to searches or not. */
enum status opensearch_empty_table(struct database *database, const struct target_table *table,
                                   struct error *error);
extern const struct keyed_tables opensearch_tables; /* prepare.c */

void opensearch_source_destroy(struct opensearch_source *source); /* NULL is fine */

#endif
