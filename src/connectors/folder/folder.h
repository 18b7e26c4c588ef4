/*
 * The folder room: databases made of files, whatever their format (folder_format.h).
 *
 *   DIR/<table>/<prefix>-<tag>-<chunk>-<entity>-<part><suffix>[.gz|.zst]    records
 *   DIR/_transhume_changes/<table>/…      changes that were followed (folder_changes.h)
 *   DIR/_transhume/ledger.log             the store of the ledger (folder_log.c)
 *   DIR/_transhume/lock                   held (flock) by the process that works on a run
 *   DIR/_transhume/made                   DIR was made for its first run, which was not finished
 *   DIR/_transhume/tables/<table>.json    what the format keeps of a table
 *   DIR/_transhume/tables/<table>.owner   which run made the table's folder
 *   DIR/_transhume/tables/<table>.defined which run wrote a definition first, in a folder of others
 *   DIR/_transhume/versions/<table>/<file>   what runs made of a file that they wrote again
 *   DIR/_transhume/run-<id>/tmp/          segments that are being written
 *                          settle/        sorted keys and the duplicates found
 *                          replaced/<table>/<file>   as they were before a repair wrote them again
 *                          emptied/<table>  its segments are being removed, before their marks are
 *                          rolling        sealed: it is being rolled back
 *
 * What differs in a bucket of S3 is in bucket.h.
 *
 * <table> is the table's name with all but letters, digits, - _ . as %XX (file_safe_name). <tag> is
 * 16 hex digits of the run's id. A segment counts only when the done mark of its chunk names it.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_H

#include "connectors/contract/connector.h"
#include "connectors/folder/compression.h"
#include "connectors/folder/folder_format.h"
#include "connectors/folder/folder_log.h"
#include "connectors/folder/folder_stage.h"
#include <pthread.h>

enum { FOLDER_FORMAT = 1, FOLDER_TAG_LENGTH = 16, FOLDER_SEGMENT_NAME_MAX = 128 };
#define FOLDER_CHANGES "_transhume_changes"
enum { FOLDER_KEY_PARTS_MAX = 32, FOLDER_COLUMNS_MAX = 65535 };

/* Runs of ordinals that a segment notes at most: rejects make gaps. What comes after so many is
 * noted with the last run, as if there were no more gaps: in order, but not exact. */
enum { FOLDER_ORDINALS_MAX = 1024 };

/* Ordinals of records that follow each other: the entity's records as they were submitted. */
struct folder_ordinals {
    uint64_t first;
    uint64_t count;
};

/* A file that a done chunk left in a table's folder. */
struct folder_segment {
    const char *table;
    const char *file;
    uint64_t records;
    uint64_t bytes;                         /* of the file */
    uint64_t checksum;                      /* of its bytes: struct folder_print */
    const char *etag;                       /* of the object in a bucket; else "" */
    const struct folder_ordinals *ordinals; /* of its lines in order */
    uint32_t ordinals_count;
};

/* The segments that the claimed run's done marks name. */
struct folder_done {
    struct arena *arena; /* NULL: none yet */
    struct folder_segment *segments;
    size_t count;
    size_t capacity;
};

/* The run that this process has claimed. */
struct folder_run {
    char *id;     /* NULL: none */
    char *folder; /* DIR/_transhume/run-<id> */
    char tag[FOLDER_TAG_LENGTH + 1];
    char *guard_key; /* NULL: the ledger is not in this folder */
    uint64_t guard_version;
    struct folder_done done;
};

/* Every format's database begins with one. */
struct folder {
    struct database base;
    const struct folder_format *format;
    char *path; /* "-": standard input */
    char *root; /* what _transhume is in: path, or the folder of the one file that path is */
    struct folder_pipe *pipe;        /* of standard input or output; else NULL */
    struct folder_stage *stage;      /* what was fetched of S3; else NULL */
    struct folder_bucket *bucket;    /* the target in S3 (bucket.h); else NULL */
    struct connector pipe_connector; /* of standard output: the format's, but for what it can't */
    enum open_mode mode;
    enum folder_compression compression;
    uint64_t file_bytes_max;
    int64_t change_seconds;
    char *spill_folder;
    struct arena *arena;
    struct folder_log log; /* of the ledger; locks itself */
    int lock_descriptor;   /* -1: not held */
    bool is_trial;         /* records are only tried: nothing is written (trial_functions) */
    pthread_mutex_t mutex; /* guards all below between threads, and what the formats learn */
    struct folder_run run;
    struct folder_snapshot *snapshot;
};

/* ---------------------------------------------------------------- folder_open.c */

/* All of a connector's open: makes its struct, reads the options of the room (FOLDER_OPTIONS, which
 * each connector lists) and of the format, looks at the place. */
enum status folder_open(const struct folder_format *format, const struct open_options *options,
                        struct database **database, struct error *error) MUST_USE;
/* Frees all that the room keeps, and the struct itself, which came from calloc. NULL is fine. */
void folder_close(struct database *database);
enum status folder_identity(struct database *self, struct arena *arena, const char **identity,
                            struct error *error);
enum status folder_normal_form(struct database *self, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error);

/* The members that every connector of files has in its descriptor, and those of connectors that
 * changes can be applied to. */
#define FOLDER_KEPT_GROUPS                                                               \
    .contract_version = CONNECTOR_CONTRACT_VERSION, .guarantee = GUARANTEE_EXACTLY_ONCE, \
    .close = folder_close, .identity = folder_identity, .catalog = &folder_catalog,      \
    .source = &folder_source, .target = &folder_target, .trial = &folder_trial,          \
    .store = &folder_store, .lock = &folder_lock, .rollback = &folder_rollback,          \
    .rights = &folder_rights
#define FOLDER_GROUPS FOLDER_KEPT_GROUPS, .apply = &folder_apply

/* An option of formats that are written. */
#define FOLDER_LEASE_OPTION                                                                      \
    {                                                                                            \
        "lease", OPTION_INTEGER, "60", "1..3600", false,                                         \
            "Target in s3://: seconds until a claim on a run expires; at least twice --timeout." \
    }

#define FOLDER_OPTIONS                                                                \
    {"compression", OPTION_CHOICE,                                                    \
     "none",        "none|gzip|zstd",                                                 \
     false,         "Compression of new data files; files are read by their names."}, \
        FOLDER_STAGE_OPTIONS, FOLDER_LEASE_OPTION,                                    \
        {"change_seconds",                                                            \
         OPTION_INTEGER,                                                              \
         "60",                                                                        \
         "0..86400",                                                                  \
         false,                                                                       \
         "While following: age at which a file of changes is whole."},                \
    {                                                                                 \
        "file_bytes", OPTION_BYTES, "128MiB", "1KiB..1TiB", false,                    \
            "Most bytes of records in a data file, before compression."               \
    }
/* An option of formats with loose_files. */
#define FOLDER_PIPE_OPTION                                         \
    {                                                              \
        "table", OPTION_TEXT, NULL, NULL, false,                   \
            "Name of the table on standard input; default: stdin." \
    }

/* All places in the room at which a test can make it die; every connector of files lists them. */
extern const char *const folder_failpoints[];
extern const char *const folder_learning_failpoints[]; /* the same, of formats that read all rows
                                                          for their types (folder_notice.h) */

/* The folder that holds DIR, which may be a relative name. */
char *folder_parent(struct arena *arena, const char *path);

/* ---------------------------------------------------------------- folder_files.c */

struct folder_file {
    const char *name; /* for people, too: UTF-8 */
    const char *path; /* NULL: the table's folder and the name */
    uint64_t bytes;
    int64_t modified_ns;
    uint64_t device;
    uint64_t inode;
    bool sampled;
    uint64_t sample; /* of a source's file: a hash of its first and last bytes */
};

/* "DIR/_transhume" and what is below it. */
char *folder_path(struct arena *arena, const struct folder *folder, const char *below);
/* The name of a table's folder and definition; safe whatever the table's name. */
char *folder_entry_name(struct arena *arena, const char *table);
char *folder_table_path(struct arena *arena, const struct folder *folder, const char *table);
/* DIR/_transhume/tables/<table><end>. */
char *folder_definition_path(struct arena *arena, const struct folder *folder, const char *table,
                             const char *end);
/* The bytes of a file's name as a text: as they are, or %XX for them where they are not UTF-8. */
char *folder_shown_name(struct arena *arena, const char *name, size_t length);
/* A folder's contents, hidden files and our own not counted; zeros where it can't be listed. */
struct folder_census {
    uint32_t files;
    uint32_t folders;
    const char *first; /* by name, shown */
};
void folder_take_census(const char *path, struct arena *arena, struct folder_census *census);
/* True for the names that a table's folder counts as data; case does not count in their ends. */
bool folder_is_data(const struct folder_format *format, const char *name);
/* The same of a file that a source reads: read_suffixes count, too. */
bool folder_is_read(const struct folder_format *format, const char *name);
/* The ending of such a name, without that of its compression. */
const char *folder_suffix_of(const struct folder_format *format, const char *name);
/* "in .csv or .tsv, nor in one of these and .gz or .zst": for messages. */
const char *folder_suffixes_text(const struct folder_format *format, struct arena *arena);
/* The regular data files in a folder, by name. A missing folder: STATUS_END. */
enum status folder_list(const struct folder_format *format, const char *path, struct arena *arena,
                        struct folder_file **files, uint32_t *count, struct error *error) MUST_USE;
/* The same as a table of the snapshot has them: those that a source reads, if the folder is one. */
enum status folder_list_table(const struct folder *folder, const char *path, struct arena *arena,
                              struct folder_file **files, uint32_t *count,
                              struct error *error) MUST_USE;
/*
 * Refuses a source's folder that holds what is called like data and is no file: links, pipes,
 * devices, and folders with data. `has_tables`: its subfolders are tables, and no link may stand
 * for one.
 */
enum status folder_refuse_unread(const struct folder *folder, const char *path, bool has_tables,
                                 struct error *error) MUST_USE;
/* One of the program's own: no table is called so. */
bool folder_is_own(const char *name);
/* The names of subfolders (no links) that do not begin with '.', by name. Missing: STATUS_END. */
enum status folder_subfolders(const char *path, struct arena *arena, const char ***names,
                              uint32_t *count, struct error *error) MUST_USE;
/* Notes what folder_check_unchanged compares. A file that can't be read goes without: who reads it
 * says why. */
void folder_take_sample(const char *path, struct folder_file *file);
/*
 * Refuses (ERROR_SOURCE_CHANGED) a file that is another one than the snapshot's, or has other
 * bytes: those that were read may be of either. One that only grew is as good as before: it is read
 * to its old end. That it grew and nothing else is told by its first and last 4 KiB up to there.
 */
enum status folder_check_unchanged(const char *path, const struct folder_file *file,
                                   struct error *error) MUST_USE;
/* The facts that the snapshot keeps of one file. */
enum status folder_file_facts(const char *path, const char *name, struct arena *arena,
                              struct folder_file *file, struct error *error) MUST_USE;
/* True in `has` if the file holds at least one byte once unpacked. */
enum status folder_has_content(const char *path, bool *has, struct error *error) MUST_USE;
void folder_tag(const char *run_id, char tag[FOLDER_TAG_LENGTH + 1]);
void folder_segment_name(const struct folder_format *format, const char *tag, uint64_t chunk,
                         uint32_t entity, uint32_t part, enum folder_compression compression,
                         char name[FOLDER_SEGMENT_NAME_MAX]);
/* False if the name is no segment's. `tag` may be NULL: any. */
bool folder_segment_parse(const struct folder_format *format, const char *name, const char *tag,
                          uint64_t *chunk, uint32_t *entity, uint32_t *part);

/*
 * A sealed file: one line {"format":1,"kind":…,"run":…,"bytes":…,"xxh3":…}, then the contents,
 * whose length and checksum (with kind and run) that line tells. Written atomically.
 */
enum status folder_sealed_write(const char *path, const char *kind, const char *run_id,
                                const char *contents, size_t length, const char *failpoint,
                                struct error *error) MUST_USE;
/* Missing: STATUS_END; damaged: ERROR_LEDGER_INVALID; newer: ERROR_FORMAT_NEWER. */
enum status folder_sealed_read(const char *path, const char *kind, const char *run_id,
                               struct arena *arena, char **contents, size_t *length,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- folder_pipe.c */

/*
 * "-" as a source: standard input is copied to a nameless file, unpacked, when its table is first
 * needed; from then on it is a file like others. As a target: a private folder, whose segments are
 * copied to standard output when their chunk is committed, and then removed.
 */
enum status folder_pipe_open(struct folder *folder, const struct uri *uri,
                             struct error *error) MUST_USE;
void folder_pipe_close(struct folder_pipe *pipe); /* NULL is fine */
/* The table's name: `?table=`, or "stdin". */
const char *folder_pipe_table(const struct folder *folder);
/* Copies standard input; `file` gets path, size and a hash of the contents as its time. */
enum status folder_pipe_take(struct folder *folder, struct folder_file *file,
                             struct error *error) MUST_USE;
/* Copies a segment to standard output, its head of `head_bytes` only if it is the first one. Any
 * thread. */
enum status folder_pipe_give(struct folder *folder, const char *path, uint64_t head_bytes,
                             struct error *error) MUST_USE;

/* ---------------------------------------------------------------- folder_done.c */

/* Appends what the done mark keeps of a chunk: {"segments":[…]}. */
void folder_done_append(const struct folder_segment *segments, uint32_t count, struct buffer *out);
/* Adds a chunk's segments to those of the claimed run; copies them. Any thread: takes the mutex. */
void folder_done_add(struct folder *folder, const struct folder_segment *segments, uint32_t count);
/* Reads what folder_done_append wrote and adds it. */
enum status folder_done_take(struct folder *folder, uint64_t chunk, const char *text, size_t length,
                             struct error *error) MUST_USE;
/* Forgets those of one table, or with `table` NULL all. */
void folder_done_drop(struct folder *folder, const char *table);

/* The segments of one table that the claimed run's marks name, by file name. */
struct folder_marked {
    const struct folder_segment *segments; /* in the arena; their texts live as long as the claim */
    size_t count;
};
void folder_marked_load(struct folder *folder, const char *table, struct arena *arena,
                        struct folder_marked *marked);
/* NULL: no mark names the file. */
const struct folder_segment *folder_marked_find(const struct folder_marked *marked,
                                                const char *file);

extern const struct store_functions folder_store;
extern const struct lock_functions folder_lock;
/* folder_rollback.c */
extern const struct rollback_functions folder_rollback;
/* One that is not there is removed. */
enum status folder_remove_file(const char *path, struct error *error) MUST_USE;
/* folder_apply.c */
extern const struct apply_functions folder_apply;
/* folder_rights.c */
extern const struct rights_functions folder_rights;

/* ---------------------------------------------------------------- folder_tables.c */

/* Could a table be called so? */
bool folder_table_is_possible(const struct folder *folder, const char *name);
enum status folder_inspect(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error);
enum status folder_check_table(struct database *self, const struct check_request *request,
                               struct buffer *out, struct error *error);
enum status folder_prepare(struct database *self, const struct prepare_request *request,
                           struct error *error);
enum status folder_after_load(struct database *self, struct after_load_request *request,
                              struct error *error);
/* A decoder for raw_next and raw_read over a whole file of the target. */
enum status folder_segment_open(struct folder *folder, const char *table, const char *path,
                                struct folder_decoder **decoder, struct error *error) MUST_USE;
/* Records in a file, read one by one. */
enum status folder_count_records(struct folder *folder, const char *table, const char *path,
                                 uint64_t *count, struct error *error) MUST_USE;
enum status folder_count(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error);

/* ---------------------------------------------------------------- folder_writer.c */

enum status folder_writer_open(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error);
void folder_writer_close(struct writer *writer);
enum status folder_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                               struct error *error);
enum status folder_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                          struct batch *batch, struct error *error);
enum status folder_poll(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                        struct error *error);
enum status folder_commit(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                          struct error *error);
void folder_chunk_abandon(struct writer *writer, uint64_t chunk);

/* ---------------------------------------------------------------- folder_delete.c */

enum { FOLDER_DELETE_KEYS_MAX = 100000 };

enum status folder_delete_records(struct database *self, const struct target_table *table,
                                  const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                  struct error *error);

/* ---------------------------------------------------------------- folder_keys.c */

/* Appends the bytes of a key, equal for equal keys only: for each part its length and what the
 * format makes of its normal form. */
enum status folder_key_append(struct folder *folder, const struct target_table *table,
                              const struct cell *key, struct arena *arena, struct buffer *out,
                              struct error *error) MUST_USE;
/* The cells of its key, of a record as raw_read gives it. STATUS_END: it lacks one. */
enum status folder_key_find(const struct target_table *table, const struct cell *record,
                            struct cell key[FOLDER_KEY_PARTS_MAX]) MUST_USE;

typedef enum status folder_found_function(void *context, uint64_t chunk, uint32_t entity,
                                          uint64_t ordinal, const struct cell *key,
                                          uint32_t key_count, const struct cell *record,
                                          enum duplicate_kind kind, struct error *error);

enum status folder_settle(struct database *self, const struct target_table *table,
                          folder_found_function *found, void *context, struct error *error);

/* ---------------------------------------------------------------- folder_catalog.c */

/* A line number known at a byte of a file. */
struct folder_line_mark {
    uint64_t byte;
    uint64_t line; /* of the line that begins or goes on there, from 1 */
};

/* A table of the source: its files. */
struct folder_table {
    const char *name;
    const char *folder; /* path that its files are in */
    const struct folder_file *files;
    uint32_t file_count;
    uint64_t bytes;
    bool described;
    struct schema_table schema;            /* once described */
    struct folder_table_data *format_data; /* the format's own, in the snapshot's arena */
    struct folder_line_mark **marks;       /* of each file, rising; see folder_line_at */
    uint32_t *mark_counts;
};
struct folder_snapshot {
    struct arena *arena;
    struct folder_table *tables; /* by name */
    uint32_t table_count;
};

char *folder_file_path(struct arena *arena, const struct folder_table *table, uint32_t file);
/* Made at the first need and kept: all later calls see these files. */
enum status folder_snapshot(struct folder *folder, struct folder_snapshot **snapshot,
                            struct error *error) MUST_USE;
/* The table with its schema, described at the first need. ERROR_SOURCE_MISSING: there is none. */
enum status folder_find_table(struct folder *folder, const char *name, struct folder_table **table,
                              struct error *error) MUST_USE;
/* For format->find_tables: a folder as a table, if it has data files or `always`. */
enum status folder_add_table(struct folder_finding *finding, const char *name, const char *path,
                             bool always, struct error *error) MUST_USE;
struct arena *folder_finding_arena(struct folder_finding *finding);
/* Where tables are folders alone: refuses a source with data beside these, which nobody would
 * read. */
enum status folder_refuse_loose(const struct folder_finding *finding, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- folder_place.c */

/* The place of a request's column: a column of the table's schema (>= 0) or one of these. */
enum { FOLDER_COLUMN_FILE = -1, FOLDER_COLUMN_POSITION = -2, FOLDER_COLUMN_NONE = -3 };
/* One number a column of the request, in `arena`. */
int32_t *folder_positions(const struct folder *folder, const struct folder_table *table,
                          const struct read_request *request, struct arena *arena);
/*
 * The number (from 1) of the line that the byte of an uncompressed file is in. Reads what lies
 * between the last place known and the byte, and remembers places: a file is read at most once for
 * all calls. Any thread.
 */
enum status folder_line_at(struct folder *folder, const struct folder_table *table, uint32_t file,
                           uint64_t byte, uint64_t *line, struct error *error) MUST_USE;
/*
 * The number of the line given last. `*base` is that of the first one given: 0 as long as it is not
 * known.
 */
enum status folder_line_number(struct folder *folder, const struct folder_table *table,
                               uint32_t file, const struct folder_lines *lines, uint64_t *base,
                               uint64_t *number, struct error *error) MUST_USE;
/* A line that is no record, told with batch_refuse: what, where and why. */
void folder_refuse_line(struct batch *batch, const char *file, uint64_t number, const char *line,
                        size_t length, const struct error *why);
/* The same of a record that is named otherwise: `place` says where it is ("element 3, line 7"). */
void folder_refuse_record(struct batch *batch, const char *file, uint64_t number, const char *place,
                          const char *text, size_t length, const struct error *why);
/* {"$file": …, "$line": …} as one MAP cell in the batch's arena: the source key of what has no
 * other. `name` is "$line" or "$byte". */
const struct cell *folder_place(struct arena *arena, const char *file, const char *name,
                                uint64_t position);

extern const struct catalog_functions folder_catalog;
extern const struct source_functions folder_source;
/* source_functions.holds: for VALUES_FLOAT and VALUES_INT64; no column passes another test. */
enum status folder_holds(struct database *self, const char *table, const char *column,
                         enum value_test test, bool *holds, struct error *error);
extern const struct target_functions folder_target;
extern const struct trial_functions folder_trial;
extern const struct target_functions folder_pipe_target; /* without settle_duplicates */

#endif
