/*
 * The folder connector's insides: what its files share.
 *
 *   DIR/<table>/data-<tag>-<chunk>-<entity>-<part>.json[.gz|.zst]    items, one a line
 *   DIR/_transhume/lock                   held (flock) by the process that works on a run
 *   DIR/_transhume/tables/<table>.json    what `aws dynamodb create-table` and `import-table` take
 *   DIR/_transhume/tables/<table>.owner   which run made the table's folder
 *   DIR/_transhume/run-<id>/header        sealed: the engine's header
 *                          chunks         sealed: one JSON object a chunk and line
 *                          status         sealed: the engine's status, replaced whole
 *                          epoch          sealed: the number that may commit
 *                          done           one line a done chunk, chained by checksums
 *                          tmp/           segments that are being written
 *                          settle/        sorted keys and the duplicates found
 *
 * <tag> is 16 hex digits of the run's id. A segment counts only when a line in `done` names it.
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_FOLDER_H
#define TRANSHUME_CONNECTORS_DYNAMODB_FOLDER_H

#include "connectors/connector.h"
#include "connectors/dynamodb/compression.h"
#include "connectors/dynamodb/item.h"
#include <pthread.h>

enum { DYNAMODB_FOLDER_FORMAT = 1, DYNAMODB_TAG_LENGTH = 16, DYNAMODB_SEGMENT_NAME_MAX = 128 };

/* The run that this process has claimed. */
struct dynamodb_run {
    char *id;
    char *folder; /* DIR/_transhume/run-<id> */
    char tag[DYNAMODB_TAG_LENGTH + 1];
    uint64_t epoch;
    int done_descriptor; /* -1: no run claimed */
    uint64_t done_bytes; /* of whole lines */
    uint64_t done_chain; /* checksum of the last line */
    bool broken;         /* a mark may or may not be in the file: nothing more is written */
};

struct dynamodb_folder {
    struct database base;
    char *path;
    enum open_mode mode;
    enum dynamodb_compression compression;
    uint64_t file_bytes_max;
    char *spill_folder;
    struct arena *arena;
    pthread_mutex_t mutex; /* guards all below between writers */
    struct dynamodb_run run;
    int lock_descriptor;                    /* -1: not held */
    struct dynamodb_table_keys *table_keys; /* what shapes told of key types */
    struct dynamodb_snapshot *snapshot;
};

/* The folder that holds DIR, which may be a relative name. NULL: memory is out. */
char *dynamodb_folder_parent(struct arena *arena, const char *path);

/* ---------------------------------------------------------------- folder_files.c */

struct dynamodb_file {
    const char *name;
    uint64_t bytes;
    int64_t modified_ns;
};

/* "DIR/_transhume" and what is below it; NULL: memory is out. */
char *dynamodb_folder_path(struct arena *arena, const struct dynamodb_folder *folder,
                           const char *below);
/* True for the names that a table's folder counts as data. */
bool dynamodb_folder_is_data(const char *name);
/* The regular data files in a folder, by name. A missing folder: STATUS_END. */
enum status dynamodb_folder_list(const char *path, struct arena *arena,
                                 struct dynamodb_file **files, uint32_t *count,
                                 struct error *error) MUST_USE;
/* The names of subfolders (no links) that do not begin with '.', by name. Missing: STATUS_END. */
enum status dynamodb_folder_subfolders(const char *path, struct arena *arena, const char ***names,
                                       uint32_t *count, struct error *error) MUST_USE;
/* True in `has` if the file holds at least one byte once unpacked. */
enum status dynamodb_folder_has_content(const char *path, bool *has, struct error *error) MUST_USE;
/* Reads {"Item":{…}}; texts point into the line. STATUS_FAILED: class REJECT, or memory is out. */
enum status dynamodb_line_read(const char *line, size_t length, struct arena *arena,
                               struct cell *item, struct error *error) MUST_USE;
enum status dynamodb_folder_count_lines(const char *path, uint64_t *count,
                                        struct error *error) MUST_USE;

void dynamodb_folder_tag(const char *run_id, char tag[DYNAMODB_TAG_LENGTH + 1]);
void dynamodb_segment_name(const char *tag, uint64_t chunk, uint32_t entity, uint32_t part,
                           enum dynamodb_compression compression,
                           char name[DYNAMODB_SEGMENT_NAME_MAX]);
/* False if the name is no segment's. `tag` may be NULL: any. */
bool dynamodb_segment_parse(const char *name, const char *tag, uint64_t *chunk, uint32_t *entity,
                            uint32_t *part);

/*
 * A sealed file: one line {"format":1,"kind":…,"run":…,"bytes":…,"xxh3":…}, then the contents,
 * whose length and checksum (with kind and run) that line tells. Written atomically.
 */
enum status dynamodb_sealed_write(const char *path, const char *kind, const char *run_id,
                                  const char *contents, size_t length, const char *failpoint,
                                  struct error *error) MUST_USE;
/* Missing: STATUS_END; damaged: ERROR_LEDGER_INVALID; newer: ERROR_FORMAT_NEWER. */
enum status dynamodb_sealed_read(const char *path, const char *kind, const char *run_id,
                                 struct arena *arena, char **contents, size_t *length,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- folder_done.c */

/* Ordinals of records that follow each other: the entity's records as they were submitted. */
struct dynamodb_ordinals {
    uint64_t first;
    uint64_t count;
};

/* A file that a done chunk left in a table's folder. */
struct dynamodb_segment {
    const char *table;
    const char *file;
    uint64_t records;
    uint64_t bytes;                           /* of the file */
    const struct dynamodb_ordinals *ordinals; /* of its lines in order */
    uint32_t ordinals_count;
};

struct dynamodb_done {
    struct done_mark mark;
    struct dynamodb_segment *segments;
    uint32_t segment_count;
};

struct dynamodb_done_list {
    struct dynamodb_done *items;
    uint64_t count;
    uint64_t bytes; /* of whole lines; what follows is a torn tail */
    uint64_t chain;
};

/* An empty file of done marks. */
enum status dynamodb_done_create(const char *run_folder, const char *run_id,
                                 struct error *error) MUST_USE;
enum status dynamodb_done_load(const char *run_folder, const char *run_id, struct arena *arena,
                               struct dynamodb_done_list *list, struct error *error) MUST_USE;
/* Replaces the whole file. */
enum status dynamodb_done_rewrite(const char *run_folder, const char *run_id,
                                  const struct dynamodb_done_list *list,
                                  struct error *error) MUST_USE;
/* Opens the claimed run's file for appending, the torn tail cut off. */
enum status dynamodb_done_open(struct dynamodb_run *run, const struct dynamodb_done_list *list,
                               struct error *error) MUST_USE;
/*
 * Appends and makes durable, the epoch checked before. Any thread: takes the mutex. `written` tells
 * whether the mark may be in the file (also when this fails).
 */
enum status dynamodb_done_append(struct dynamodb_folder *folder, const struct dynamodb_done *done,
                                 uint64_t epoch, bool *written, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- folder_ledger.c */

extern const struct ledger_functions dynamodb_folder_ledger;
/* ERROR_RUN_FENCED unless the file says `epoch`. */
enum status dynamodb_ledger_check_epoch(const struct dynamodb_run *run, uint64_t epoch,
                                        struct error *error) MUST_USE;
/* Gives up lock and run; at close. */
void dynamodb_ledger_forget(struct dynamodb_folder *folder);

/* ---------------------------------------------------------------- folder_definition.c */

/* What DIR/_transhume/tables/<table>.json says. */
struct dynamodb_definition {
    struct column_list key;     /* partition, sort */
    struct dynamodb_key *types; /* names and letters of all key attributes */
    uint32_t type_count;
};
/* Missing or not understood (made by hand): STATUS_END. */
enum status dynamodb_definition_read(const char *path, struct arena *arena,
                                     struct dynamodb_definition *definition,
                                     struct error *error) MUST_USE;
/* False: the plan's words are not understood. Both 0: on demand. */
bool dynamodb_definition_billing(const char *billing, uint64_t *read, uint64_t *write);
struct dynamodb_table_keys;
/* The JSON that CreateTable and ImportTable take. */
void dynamodb_definition_append(const struct target_table *table,
                                const struct dynamodb_table_keys *keys, struct buffer *out);

/* ---------------------------------------------------------------- folder_tables.c */

/* The key attributes of one table as far as they are known; entries live in the folder's arena. */
struct dynamodb_table_keys {
    const char *table;
    struct dynamodb_key *keys;
    uint32_t key_count;
    struct dynamodb_table_keys *next;
};

/* Finds or learns the types of a table's keys (shapes may be none); any thread. The result
 * stays. */
enum status dynamodb_folder_keys(struct dynamodb_folder *folder, const struct target_table *table,
                                 const struct shape *const *shapes, uint32_t shape_count,
                                 const struct dynamodb_table_keys **keys,
                                 struct error *error) MUST_USE;
/*
 * Where neither columns nor shapes told a key's type, the first record does: it is put into the
 * table's definition at once, so that a resume knows the same. `keys` is replaced by what is known
 * then.
 */
enum status dynamodb_folder_keys_of_record(struct dynamodb_folder *folder,
                                           const struct target_table *table,
                                           const struct shape *shape, const struct cell *cells,
                                           const struct dynamodb_table_keys **keys,
                                           struct error *error) MUST_USE;
enum status dynamodb_folder_inspect(struct database *self, const struct target_table *tables,
                                    uint32_t table_count, bool *table_exists, bool *record_exists,
                                    struct error *error);
enum status dynamodb_folder_check_table(struct database *self, const struct target_table *table,
                                        const struct shape *const *shapes, uint32_t shape_count,
                                        struct buffer *out, struct error *error);
enum status dynamodb_folder_prepare(struct database *self, struct target_table *tables,
                                    uint32_t table_count, const struct schema *same_engine_objects,
                                    struct error *error);
enum status dynamodb_folder_after_load(struct database *self, const struct target_table *tables,
                                       uint32_t table_count, const struct schema *objects,
                                       void (*progress)(const char *what), struct error *error);
enum status dynamodb_folder_count(struct database *self, const struct target_table *table,
                                  uint64_t *count, struct error *error);

/* ---------------------------------------------------------------- folder_writer.c */

enum status dynamodb_folder_writer_open(struct database *self, const struct target_table *tables,
                                        uint32_t table_count, uint64_t epoch,
                                        struct writer **writer, struct error *error);
void dynamodb_folder_writer_close(struct writer *writer);
enum status dynamodb_folder_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                        struct error *error);
enum status dynamodb_folder_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                   struct batch *batch, struct error *error);
enum status dynamodb_folder_poll(struct writer *writer, int64_t timeout_ms,
                                 struct batch_result *result, struct error *error);
enum status dynamodb_folder_commit(struct writer *writer, uint64_t chunk,
                                   const struct done_mark *mark, struct error *error);
void dynamodb_folder_chunk_abandon(struct writer *writer, uint64_t chunk);

/* ---------------------------------------------------------------- folder_keys.c */

typedef enum status dynamodb_found_function(void *context, uint64_t chunk, uint32_t entity,
                                            uint64_t ordinal, const struct cell *key,
                                            uint32_t key_count, const struct cell *record,
                                            bool repeats, struct error *error);

enum status dynamodb_folder_settle(struct database *self, const struct target_table *table,
                                   dynamodb_found_function *found, void *context,
                                   struct error *error);

/* ---------------------------------------------------------------- folder_catalog.c,
 * folder_reader.c */

/* A table of the source: its folder and data files. */
struct dynamodb_source_table {
    const char *name;
    const char *folder; /* path */
    const struct dynamodb_file *files;
    uint32_t file_count;
    struct column_list key;
    uint64_t bytes;
};
struct dynamodb_snapshot {
    struct arena *arena;
    struct dynamodb_source_table *tables; /* by name */
    uint32_t table_count;
};

/* Made at the first need and kept: all later calls see these files. */
enum status dynamodb_folder_snapshot(struct dynamodb_folder *folder,
                                     const struct dynamodb_snapshot **snapshot,
                                     struct error *error) MUST_USE;
const struct dynamodb_source_table *dynamodb_snapshot_find(const struct dynamodb_snapshot *snapshot,
                                                           const char *table);

extern const struct catalog_functions dynamodb_folder_catalog;
extern const struct source_functions dynamodb_folder_source;
extern const struct target_functions dynamodb_folder_target;

#endif
