/*
 * A bucket of S3, or of a compatible store, as a target of files:
 *
 *   PREFIX/<table>/<segment>                         records: an object for each segment
 *   PREFIX/_transhume/store                          the place of the ledger is there
 *   PREFIX/_transhume/ledger/<key>.entry             the store of the ledger (bucket_store.c)
 *   PREFIX/_transhume/tables/<table>.json            what the format keeps of a table
 *   PREFIX/_transhume/tables/<table>.owner           which run made the table
 *   PREFIX/_transhume/tables/<table>.defined         which run wrote a definition first
 *   PREFIX/_transhume/run-<id>/claimed               somebody worked on it
 *   PREFIX/_transhume/run-<id>/emptied-<table>       as in a folder (folder.h)
 *   PREFIX/_transhume/run-<id>/rolling               likewise
 *   PREFIX/_transhume/run-<id>/duplicates-<table>    those found, before segments are replaced
 *   PREFIX/_transhume/run-<id>/settled-<table>       the ETags of segments without duplicates
 *
 * A table with a definition is there even if it has no object.
 *
 * Segments are written into a local folder, laid out like a target's (folder.path), and sent when
 * their chunk is committed; the object is there as a whole or not at all, and never takes another
 * one's place. A segment counts only when the done mark of its chunk names it. A claim is a lease,
 * since a bucket knows no locks; what creates or removes objects is sent while it lasts.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_BUCKET_BUCKET_H
#define TRANSHUME_CONNECTORS_FOLDER_BUCKET_BUCKET_H

#include "connectors/folder/folder.h"
#include "net/s3.h"

#define BUCKET_OWN "_transhume/"
#define BUCKET_ROLLING "rolling"
#define BUCKET_EMPTIED "emptied-"
#define BUCKET_CLAIMED "claimed"

struct bucket_definition;

struct folder_bucket {
    struct folder *folder;
    struct arena *arena;
    struct folder_stage_address address;
    const char *identity;
    char *work; /* the local folder */
    int64_t timeout_ms;
    struct connector connector; /* the format's, but for what differs here */
    struct s3_blocks *blocks;
    pthread_mutex_t mutex;                 /* guards what follows */
    struct s3_bucket *control;             /* of whoever holds the mutex */
    struct bucket_definition *definitions; /* as the bucket has them (bucket_tables.c) */
};

/* ---------------------------------------------------------------- bucket_link.c */

/* For folder_open: looks at the bucket, and makes the local folder the database's path. */
enum status bucket_open(struct folder *folder, const struct open_options *open,
                        struct error *error) MUST_USE;
void bucket_close(struct folder_bucket *bucket); /* NULL is fine */
/* A connection for one thread. With the run claimed, what is leased is sent only while the lease
 * lasts. */
enum status bucket_connect(const struct folder_bucket *bucket, struct s3_bucket **connection,
                           struct error *error) MUST_USE;
/* The connection of the database itself, until bucket_give_back. Any thread. */
struct s3_bucket *bucket_borrow(struct folder_bucket *bucket);
void bucket_give_back(struct folder_bucket *bucket);
/* "PREFIX/below". */
char *bucket_key(const struct folder_bucket *bucket, struct arena *arena, const char *below);
char *bucket_run_key(const struct folder *folder, struct arena *arena, const char *below);
/* The key of a file in a table's folder; `file` may be "". */
char *bucket_table_key(const struct folder *folder, struct arena *arena, const char *table,
                       const char *file);
/* The key of a note on a table, beside its folder: its name with `end`. */
char *bucket_note_key(const struct folder *folder, struct arena *arena, const char *table,
                      const char *end);

/* ---------------------------------------------------------------- bucket_objects.c */

struct bucket_list {
    struct s3_object *objects; /* by key */
    uint32_t count;
};
/* All objects whose keys begin so. */
enum status bucket_list(struct folder *folder, const char *prefix, struct arena *arena,
                        struct bucket_list *list, struct error *error) MUST_USE;
/* The one of that key; NULL: there is none. */
const struct s3_object *bucket_find(const struct bucket_list *list, const char *key);
/* Is it a segment of the claimed run? */
bool bucket_is_own_segment(const struct folder *folder, const struct s3_object *object);
/* Is the object what the done mark of its segment says? */
bool bucket_is_as_marked(const struct folder_segment *segment, const struct s3_object *object);
enum status bucket_remove(struct folder *folder, const char *key, struct error *error) MUST_USE;
/* Into a file, which is written anew. */
enum status bucket_fetch(struct folder *folder, const struct s3_object *object, const char *path,
                         struct error *error) MUST_USE;
/* Notes say of which run they are; `kind` is "owner", "defined" … */
enum status bucket_note(struct folder *folder, const char *key, const char *kind,
                        struct error *error) MUST_USE;
/* Is there such a note of the claimed run? */
enum status bucket_is_noted(struct folder *folder, const char *key, const char *kind, bool *is,
                            struct error *error) MUST_USE;
/* Copies an object into the local folder, reads it there and says how many records it has. */
enum status bucket_count_records(struct folder *folder, const char *table,
                                 const struct s3_object *object, uint64_t *records,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- the groups */

extern const struct target_functions bucket_target;
extern const struct store_functions bucket_store;
extern const struct rollback_functions bucket_rollback;

/* bucket_send.c */
struct folder_stream;
struct folder_part;
/* As folder_stream_publish: each part becomes an object. */
enum status bucket_publish(struct folder_stream *stream, struct error *error) MUST_USE;
/* Removes the object of a part that is not done. */
void bucket_unpublish(struct folder_stream *stream, const struct folder_part *part);
/* bucket_claim.c */
enum status bucket_claimed(struct database *self, const struct run_claim *claim,
                           struct error *error);
/* As folder_check_claim and folder_end_emptying. */
enum status bucket_check_claim(struct folder *folder, struct error *error) MUST_USE;
enum status bucket_end_emptying(struct folder *folder, struct error *error) MUST_USE;
enum status bucket_empty(struct database *self, const struct target_table *const *tables,
                         uint32_t table_count, struct error *error);
/* bucket_tables.c */
enum status bucket_inspect(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error);
enum status bucket_prepare(struct database *self, const struct prepare_request *request,
                           struct error *error);
enum status bucket_after_load(struct database *self, struct after_load_request *request,
                              struct error *error);
enum status bucket_count(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error);
/* Writers may learn more of a table: what they changed of its definition goes before the records.
 * Any thread. */
enum status bucket_send_definition(struct folder *folder, const char *table,
                                   struct error *error) MUST_USE;
/* The definition of a table, in the local folder, where formats look for it. */
enum status bucket_need_definition(struct folder *folder, const char *table,
                                   struct error *error) MUST_USE;
void bucket_forget_definitions(struct folder_bucket *bucket);
/* bucket_settle.c */
enum status bucket_settle(struct database *self, const struct target_table *table,
                          folder_found_function *found, void *context, struct error *error);
/* Segments of a table whose duplicates were taken out: they are not as their marks say. */
struct bucket_settled {
    bool begun;       /* there may be such */
    const char *text; /* lines "<file> TAB <ETag>"; "": none are known */
};
enum status bucket_read_settled(struct folder *folder, const char *table, struct arena *arena,
                                struct bucket_settled *settled, struct error *error) MUST_USE;
bool bucket_is_settled(const struct bucket_settled *settled, const char *file, const char *etag);
/* bucket_rollback.c */
enum status bucket_forget_run(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error);
enum status bucket_tidy(struct database *self, bool rolled_back, struct error *error);

#endif
