/* What the tests of the SQLite target share: opening, a claimed run, batches by hand, and a reader
 * of its own (libsqlite3 directly) that says what is in the file. */
#ifndef TRANSHUME_UNIT_SUPPORT_SQLITE_TARGET_H
#define TRANSHUME_UNIT_SUPPORT_SQLITE_TARGET_H

#include "connectors/contract/connector.h"
#include "engine/ledger/ledger.h"
#include "support.h"
#include <sqlite3.h>

/* PATH in a new folder of this test. Lives until the next call. */
const char *target_path(const char *name);

/* Opens; STATUS_FAILED fills `error`. */
enum status target_try_open(const char *path, enum open_mode mode, int64_t timeout_ms,
                            struct database **database, struct error *error);
struct database *target_open(const char *path);
struct database *target_source_open(const char *path);
void target_close(struct database *database);

/* The database's ledger in itself, until it is closed. */
struct ledger *target_ledger(struct database *database);
/* A run over the table "t" with `chunk_count` chunks; not claimed. */
enum status target_create_run(struct database *database, const char *run_id, uint64_t chunk_count,
                              struct error *error);
/* Claims the run for the attempt after `epoch`. */
enum status target_claim(struct database *database, const char *run_id, uint64_t epoch,
                         struct error *error);
/* Both of "run-1", at epoch 1. */
void target_begin_run(struct database *database, uint64_t chunk_count);
/* Creating a run fails with this code. */
void target_begin_run_fails(struct database *database, enum error_code code);
/* sqlite_target.prepare and after_load, in short. */
enum status target_prepare(struct database *database, struct target_table *tables,
                           uint32_t table_count, const struct schema *objects, struct error *error);
enum status target_finish(struct database *database, const struct target_table *tables,
                          uint32_t table_count, const struct schema *objects, struct error *error);
/* A writer in the claimed run's first attempt. */
struct writer *target_writer(struct database *database, const struct target_table *tables,
                             uint32_t table_count);
/* Writes the batch in the open chunk and polls its result. */
struct batch_result target_write(struct writer *writer, struct database *database, uint64_t chunk,
                                 uint32_t table, struct batch *batch);
void target_result_free(struct batch_result *result);
/* Begins, writes one batch into table 0, commits. */
struct batch_result target_write_chunk(struct writer *writer, struct database *database,
                                       uint64_t chunk, struct batch *batch);
enum status target_commit(struct writer *writer, struct database *database, uint64_t chunk,
                          struct error *error);

/* The done marks in the file, to be used as a table. */
#define DONE_MARKS "(SELECT * FROM _transhume_ledger WHERE name GLOB 'run/*/done/*')"

/* A batch of `row_count` records out of shape->field_count cells each; texts are borrowed. */
struct batch *target_batch(const struct shape *shape, const struct cell *cells, uint32_t row_count);
/* A shape of untyped fields; lives in static memory until the test program ends. */
const struct shape *target_shape(const char *const *names, uint32_t count);

/* A file with one table, t, a run of ten chunks and, once started, a writer. */
struct bed {
    char path[1024];
    struct database *database;
    struct target_table table;
    struct writer *writer;
};
struct bed bed_make(const char *sql, enum existing_policy existing, struct column_list key);
struct bed *bed_start(struct bed *bed);
void bed_end(struct bed *bed);
extern const struct column_list bed_key_a; /* column a */
extern const struct column_list bed_no_key;
/* Columns a and b. */
const struct shape *bed_shape(void);
/* A whole chunk of records of that shape. */
struct batch_result bed_write(struct bed *bed, uint64_t chunk, const struct cell *cells,
                              uint32_t rows);

/* Runs SQL on the file with a connection of its own. */
void file_execute(const char *path, const char *sql);
/* Rows of a query, columns by "|", rows by newline; lives until the next but three. */
const char *file_ask(const char *path, const char *sql);

/* The call gives STATUS_OK, or its error (a `struct error error` of the caller) is shown. */
#define assert_done(call)                                               \
    do {                                                                \
        if ((call) != STATUS_OK) {                                      \
            fail_msg("%s: %s: %s", #call, error.object, error.message); \
        }                                                               \
    } while (0)

#define CELL_TEXT(literal) cell_text(literal, sizeof(literal) - 1)
#define CELL_BYTES(literal) cell_bytes(literal, sizeof(literal) - 1)
#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

#endif
