/*
 * mongodb://HOST[:PORT]/DATABASE: what the files of this connector share.
 *
 *   mongodb.c, options.c   the descriptor, options, opening    client.c     commands and their
 * errors write.c, read.c, types.c                                       values as BSON, and back
 *   encode.c, key.c        records and keys as BSON            send.c, carry.c     writing
 *   notes.c, prepare.c, tables.c, indexes.c                    collections that are there, and made
 *   store.c                the ledger                          fetch.c      records by key
 *   express.c, whole.c     documents as they are, and what is kept of their collection
 *   catalog.c, source.c, span.c, cursor.c, find.c              reading
 *
 * A table is a collection, a record a document. Its _id is the value of the key's column, or, of a
 * key of several columns, a document of these in their order. A key that is _id itself is not
 * written twice. Which key a collection has, the collection MONGODB_NOTES says; what it does not
 * name is read with the key _id.
 */
#ifndef TRANSHUME_CONNECTORS_MONGODB_MONGODB_H
#define TRANSHUME_CONNECTORS_MONGODB_MONGODB_H

#include "connectors/keyed/keyed.h"
#include <mongoc/mongoc.h>
#include <pthread.h>

#define MONGODB_NOTES "_transhume_tables" /* see notes.c */
#define MONGODB_LEDGER "_transhume_ledger"
#define MONGODB_OWN_PREFIX "_transhume"
#define MONGODB_ID "_id"

enum {
    MONGODB_DOCUMENT_BYTES_MAX = 16 << 20,
    MONGODB_DEPTH_MAX = 100, /* the server's own */
    MONGODB_RECORDS_MAX = 2000,
    MONGODB_REQUEST_BYTES_MAX = 1 << 20,
    MONGODB_NAME_BYTES_MAX = 120
};

struct mongodb_database {
    struct keyed_database keyed; /* first */
    const char *name;            /* of the database */
    uint32_t page_documents;     /* source: of one answer; 0: the server's choice */
    mongoc_client_pool_t *pool;
    mongoc_client_t *control; /* with control_mutex */
    mongoc_client_t *patient; /* likewise: for what may take the server long */
    bool transactions;        /* a replica set or a sharded cluster */
    bool snapshots;           /* source: it can be read as of one time */
    /* source: the time that readers read as of, the seconds in the upper half; 0: none */
    _Atomic uint64_t moment;
};

static inline struct mongodb_database *mongodb_of(struct database *database)
{
    return (struct mongodb_database *)database;
}

/* The descriptor; mongodb.c. */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;

/* ---------------------------------------------------------------- options.c */

/* The URI that libmongoc takes; the caller destroys it. */
enum status mongodb_options_read(struct mongodb_database *self, mongoc_uri_t **uri,
                                 struct error *error) MUST_USE;
/* "" if there is none. */
const char *mongodb_option(const struct mongodb_database *self, const char *name);

/* ---------------------------------------------------------------- client.c */

/* Codes of the server that have a meaning of their own; in error.native_code. */
enum {
    MONGODB_NO_COLLECTION = 26,
    MONGODB_COLLECTION_EXISTS = 48,
    MONGODB_NO_COMMAND = 59,
    MONGODB_SNAPSHOT_TOO_OLD = 239,
    MONGODB_SNAPSHOT_UNAVAILABLE = 246,
    MONGODB_DUPLICATE_KEY = 11000
};

enum mongodb_call_kind { MONGODB_READ, MONGODB_WRITE };

/* Runs a command in the database; `options` (may be NULL) as libmongoc takes them. `reply` is
 * initialised in any case, and the caller's. Errors of single writes and of the write concern are
 * in the reply, and no failure; where `reply` is NULL they are one. */
enum status mongodb_call(const struct mongodb_database *self, mongoc_client_t *client,
                         enum mongodb_call_kind kind, const bson_t *command, const bson_t *options,
                         bson_t *reply, struct error *error) MUST_USE;
/* The same on the control client; any thread. Of writes, once a run is claimed, only while the
 * lease lasts. */
enum status mongodb_control(struct mongodb_database *self, enum mongodb_call_kind kind,
                            const bson_t *command, bson_t *reply, struct error *error) MUST_USE;
/* The same of what takes as long as the collection is large: it waits for hours. */
enum status mongodb_control_long(struct mongodb_database *self, enum mongodb_call_kind kind,
                                 const bson_t *command, bson_t *reply,
                                 struct error *error) MUST_USE;
/* mongodb_control of one write; its own error, or the write concern's, is a failure. `*matched`
 * (may be NULL): the reply's n. STATUS_AGAIN: a document with that _id is there already. */
enum status mongodb_control_write(struct mongodb_database *self, const bson_t *command,
                                  int64_t *matched, struct error *error) MUST_USE;
/* The outcome of one write as its reply says it; STATUS_AGAIN as above. */
enum status mongodb_write_outcome(const struct mongodb_database *self, const bson_t *reply,
                                  const char *object, struct error *error) MUST_USE;
/* The failure that libmongoc or a server says; `reply` may be NULL. */
enum status mongodb_failure(const struct mongodb_database *self, const bson_error_t *what,
                            const bson_t *reply, const char *object, struct error *error);
/* The same of a server's code and message. */
enum status mongodb_failure_of_code(const struct mongodb_database *self, int64_t code,
                                    const char *message, const char *object, struct error *error);
/* A number of any type under that name; `preset` if there is none. */
int64_t mongodb_number(const bson_t *document, const char *name, int64_t preset);
const char *mongodb_text(const bson_t *document, const char *name); /* NULL: none */
/* A connection for one thread, from the pool and back to it. */
mongoc_client_t *mongodb_client_take(struct mongodb_database *self);
void mongodb_client_return(struct mongodb_database *self, mongoc_client_t *client);

/* ---------------------------------------------------------------- types.c */

enum { MONGODB_TYPE_COUNT = 27 };
extern const struct type_mapping mongodb_types[MONGODB_TYPE_COUNT];

enum status mongodb_normal_form(struct database *database, const struct cell *cell,
                                struct arena *arena, struct cell *normal, struct error *error);

/* ---------------------------------------------------------------- write.c */

/*
 * BSON as bytes, https://bsonspec.org/spec.html, version 1.1. All numbers little-endian:
 *
 *   document   int32 length of all of it | element … | 0x00
 *   element    uint8 type | name, 0x00 | value
 *
 * A document is begun, elements are appended, and its end writes the length at its beginning.
 */
size_t mongodb_write_begin(struct buffer *out);
void mongodb_write_end(struct buffer *out, size_t begin);
/* The element's head. The name has no NUL. */
void mongodb_write_head(struct buffer *out, uint8_t type, const char *name, size_t length);
void mongodb_write_text(struct buffer *out, const char *name, const char *text, size_t length);
void mongodb_write_int32(struct buffer *out, const char *name, int32_t value);
void mongodb_write_int64(struct buffer *out, const char *name, int64_t value);
void mongodb_write_bool(struct buffer *out, const char *name, bool value);
/* Seconds in the upper half. */
void mongodb_write_timestamp(struct buffer *out, const char *name, uint64_t value);
/* Writes are acknowledged once most of a replica set has them, in its journal. */
void mongodb_write_concern(struct buffer *out);
void mongodb_append_concern(bson_t *command); /* the same */
/* A document or an array within another one; both end with mongodb_write_end. */
size_t mongodb_write_open(struct buffer *out, const char *name, uint8_t type);
/* An element of an array. `digits` needs 12 bytes; the length comes back. */
size_t mongodb_write_index(uint32_t index, char digits[12]);
/* A value under that name, which has no NUL. MISSING appends nothing. Class REJECT: BSON has no
 * such value; what was appended is the caller's to cut off. */
enum status mongodb_write_cell(struct buffer *out, const char *name, size_t length,
                               const struct cell *cell, int depth, struct error *error) MUST_USE;
/* The same where the head of the element, a byte for the type and the name with its NUL, is ready.
 */
enum status mongodb_write_field(struct buffer *out, const char *head, size_t length,
                                const struct cell *cell, int depth, struct error *error) MUST_USE;
/* Class REJECT: the name has a NUL. */
enum status mongodb_check_name(const char *name, size_t length, struct error *error) MUST_USE;
/* The finished document in the buffer, borrowed. */
void mongodb_write_view(const struct buffer *out, bson_t *view);

/* ---------------------------------------------------------------- read.c */

/* An element of a document; it points into the document's bytes. */
struct mongodb_element {
    uint8_t type;
    const char *name;
    uint32_t name_length;
    const uint8_t *value;
    uint32_t value_length;
    const uint8_t *whole; /* type, name and value */
    uint32_t whole_length;
};
/* Walks a document whose bytes are whole: `at` begins as {0}. */
struct mongodb_walk {
    const uint8_t *bytes;
    uint32_t length;
    uint32_t at;
};
/* False: these bytes are no document. */
bool mongodb_walk_begin(struct mongodb_walk *walk, const uint8_t *bytes, size_t length);
/* STATUS_END: there are no more. STATUS_FAILED: the bytes are damaged (ERROR_REJECT_UNREADABLE). */
enum status mongodb_walk_next(struct mongodb_walk *walk, struct mongodb_element *element,
                              struct error *error) MUST_USE;
/* The first element of that name. STATUS_END: there is none. */
enum status mongodb_find(const uint8_t *bytes, size_t length, const char *name,
                         struct mongodb_element *element, struct error *error) MUST_USE;
/* The value as a cell; texts and bytes are copied into the arena. */
enum status mongodb_read_cell(const struct mongodb_element *element, struct arena *arena, int depth,
                              struct cell *cell, struct error *error) MUST_USE;
/* The fields of a document as a MAP, without the one named `left_out` (NULL: with all). */
enum status mongodb_read_document(const uint8_t *bytes, size_t length, const char *left_out,
                                  struct arena *arena, struct cell *map,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- key.c */

bool mongodb_key_is_id(struct column_list key);
/* The element _id of a record: a cell for each name. Class REJECT: a part is null, or can't be a
 * key. */
enum status mongodb_key_append(struct column_list names, const struct cell *key, struct buffer *out,
                               struct error *error) MUST_USE;
/* Is the document's _id what its fields of these names make, as mongodb_key_append has it? Numbers
 * of different types may be equal. */
bool mongodb_key_is_made_of(struct column_list names, const uint8_t *document, size_t length);
/* For struct keyed_service: the same bytes without the element's name, and back. */
enum status mongodb_key_bytes(struct database *database, const struct target_table *table,
                              const struct cell *key, struct buffer *out, struct error *error);
bool mongodb_key_read(struct database *database, const struct target_table *table,
                      const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key);

/* ---------------------------------------------------------------- encode.c */

struct mongodb_encoder; /* the names of a shape's fields */
struct mongodb_encoder *mongodb_encoder_create(const struct shape *shape);
void mongodb_encoder_destroy(void *made); /* as struct keyed_service has it */

/*
 * A record as one document:
 *   PUT, INSERT, LOOK   the document itself, _id first
 *   UPDATE              what an update command takes: {q, u, upsert}
 *   DELETE              {_id}
 */
enum status mongodb_encode(enum keyed_kind kind, const struct keyed_record *record,
                           struct buffer *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- notes.c */

enum { MONGODB_UUID_BYTES = 16 };

/* Facts of a collection; tables.c. */
struct mongodb_facts {
    bool exists;
    bool view;
    bool time_series; /* its documents have no unique _id */
    bool capped;   /* it keeps the order of insertions, and deletes its oldest documents itself */
    bool has_uuid; /* another one under its name has another */
    uint8_t uuid[MONGODB_UUID_BYTES];
};

struct mongodb_note {
    const char *table;
    const char *run; /* that wrote it; "": none */
    struct column_list key;
    bool has_uuid; /* of the collection, where the server gives it */
    uint8_t uuid[MONGODB_UUID_BYTES];
};
/* False: the note is of a collection that was dropped since. */
bool mongodb_note_is_of(const struct mongodb_note *note, const struct mongodb_facts *facts);
/* STATUS_END: there is none. */
enum status mongodb_note_read(struct mongodb_database *self, const char *table, struct arena *arena,
                              struct mongodb_note *note, struct error *error) MUST_USE;
/* All of them, by table. */
enum status mongodb_notes_read(struct mongodb_database *self, struct arena *arena,
                               struct mongodb_note **notes, uint32_t *count,
                               struct error *error) MUST_USE;
/* Unless there is one. `facts`: of the collection; NULL: it is not made yet. */
enum status mongodb_note_put(struct mongodb_database *self, const struct target_table *table,
                             const char *run, const struct mongodb_facts *facts,
                             struct error *error) MUST_USE;
/* The run's note gets the collection's uuid, if there is one. */
enum status mongodb_note_complete(struct mongodb_database *self, const char *table, const char *run,
                                  const struct mongodb_facts *facts, struct error *error) MUST_USE;
/* Deletes the notes of a table, of a run, or both; NULL: of all. */
enum status mongodb_note_delete(struct mongodb_database *self, const char *table, const char *run,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target */

extern const struct keyed_service mongodb_keyed_service;
extern const struct store_functions mongodb_store;
extern const struct rollback_functions mongodb_rollback;
extern const struct catalog_functions mongodb_catalog;
extern const struct source_functions mongodb_source_functions;
extern const struct rights_functions mongodb_rights; /* rights.c */

enum status mongodb_inspect(struct database *database, const struct target_table *tables,
                            uint32_t table_count, bool *table_exists, bool *record_exists,
                            struct error *error);
enum status mongodb_check_table(struct database *database, const struct check_request *request,
                                struct buffer *out, struct error *error);
enum status mongodb_after_load(struct database *database, struct after_load_request *request,
                               struct error *error);
enum status mongodb_count(struct database *database, const struct target_table *table,
                          uint64_t *count, struct error *error);
enum status mongodb_fetch(struct database *database, const struct target_table *table,
                          const struct cell *keys, uint32_t key_count, struct batch **batch,
                          struct error *error);
enum status mongodb_erase(struct database *database, const struct target_table *table,
                          const struct cell *keys, uint32_t count, struct error *error);
/* Is there a collection (or a view) of that name, and what is it? */
enum status mongodb_collection_look(struct mongodb_database *self, const char *name,
                                    struct mongodb_facts *facts, struct error *error) MUST_USE;
/* The collection as listCollections tells it, into `told`, which the caller destroys in any case.
 * STATUS_END: it is not there. */
enum status mongodb_collection_tell(struct mongodb_database *self, const char *name, bson_t *told,
                                    struct error *error) MUST_USE;
/* The same as facts. */
void mongodb_facts_read(const bson_t *document, struct mongodb_facts *facts);
enum status mongodb_forget_run(struct database *database, const char *run_id, bool rolled_back,
                               struct error *error);
/* Deletes all of its documents. */
enum status mongodb_empty_collection(struct database *database, const struct target_table *table,
                                     struct error *error) MUST_USE;
extern const struct keyed_tables mongodb_tables; /* prepare.c */
/* Drops the collection; one that is not there is fine. */
enum status mongodb_drop_collection(struct mongodb_database *self, const char *name,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- express.c */

bool mongodb_express_accepts(struct database *database, struct database *source);
enum status mongodb_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                  const struct read_request *request, const struct span *span,
                                  uint32_t table, uint64_t *rows, struct error *error);

/* ---------------------------------------------------------------- whole.c */

/* As struct catalog_functions has it. */
enum status mongodb_settings(struct database *database, const char *const *tables, uint32_t count,
                             struct arena *arena, const char **settings, struct error *error);
/* The options of a same-engine copy, for `create`; nothing of another table. */
enum status mongodb_whole_options(const struct target_table *table, bson_t *command,
                                  struct error *error) MUST_USE;
/* Which of them the collection would be made with: time_series, capped. */
enum status mongodb_whole_facts(const struct target_table *table, struct mongodb_facts *facts,
                                struct error *error) MUST_USE;
/* Its indexes, those that are `unique` or the others. */
enum status mongodb_whole_indexes(struct mongodb_database *self, const struct target_table *table,
                                  bool unique, struct error *error) MUST_USE;

/* As mongodb_indexes_tell_lacking, of these. */
enum status mongodb_whole_tell_lacking(struct mongodb_database *self,
                                       const struct target_table *table, const char *head,
                                       struct buffer *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- indexes.c */

/* Makes the plan's indexes of the table, those that are `unique` or the others. */
enum status mongodb_indexes_make(struct mongodb_database *self, const struct target_table *table,
                                 bool unique, struct error *error) MUST_USE;

/* A line, begun by `head`, for each of the plan's that a collection lacks that is there: they are
 * not made in it. */
enum status mongodb_indexes_tell_lacking(struct mongodb_database *self,
                                         const struct target_table *table, const char *head,
                                         struct buffer *out, struct error *error) MUST_USE;
void mongodb_index_tell_lacking(const char *table, const char *index, const char *head,
                                struct buffer *out);
enum status mongodb_tell_changed(struct database *database, const struct target_table *tables,
                                 uint32_t table_count, const struct schema *objects,
                                 struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- validator.c */

/* For `create`: a validator made from the columns' types, if the URI asks for one. Tables whose
 * options come from their source have theirs. */
void mongodb_validator_append(const struct mongodb_database *self, const struct target_table *table,
                              bson_t *command);

/* ---------------------------------------------------------------- span.c */

/*
 * The filter that finds the documents of a span: those whose _id is not before `low` and before
 * `high`, as the server orders values of all types (NULL: no bound). A comparison finds values of
 * its bound's own class of types alone, so the classes between the bounds are named.
 */
enum status mongodb_span_filter(const struct mongodb_element *low,
                                const struct mongodb_element *high, struct buffer *out,
                                struct error *error) MUST_USE;
/* A span's bounds: uint32 length of the low bound, a document with the element _id (0: open), its
 * bytes; the high one likewise. */
void mongodb_span_write(const struct buffer *low, const struct buffer *high, struct buffer *out);
/* False: they are damaged. `has_…`: there is such a bound. */
bool mongodb_span_read(const struct span *span, struct mongodb_element *low, bool *has_low,
                       struct mongodb_element *high, bool *has_high);

#endif
