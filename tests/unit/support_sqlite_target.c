/* Helpers of the tests of the SQLite target. */
#include "support_sqlite_target.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *target_path(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

enum status target_try_open(const char *path, enum open_mode mode, int64_t timeout_ms,
                            struct database **database, struct error *error)
{
    struct uri uri = {.text = path, .shown = path, .scheme = "sqlite", .path = path};
    struct open_options options = {
        .mode = mode, .uri = &uri, .memory_bytes = 8 << 20, .timeout_ms = timeout_ms};
    return connector_sqlite.open(&options, database, error);
}

static struct database *open_or_fail(const char *path, enum open_mode mode)
{
    struct database *database = NULL;
    struct error error = {0};
    if (target_try_open(path, mode, 5000, &database, &error) != STATUS_OK) {
        fail_msg("%s can't be opened: %s", path, error.message);
    }
    return database;
}

struct database *target_open(const char *path)
{
    return open_or_fail(path, OPEN_TARGET);
}

struct database *target_source_open(const char *path)
{
    return open_or_fail(path, OPEN_SOURCE);
}

/* ---------------------------------------------------------------- a run */

/* Of the databases that are open. */
static struct {
    struct database *database;
    struct ledger *ledger;
} ledgers[8];

struct ledger *target_ledger(struct database *database)
{
    struct error error = {0};
    uint32_t i = 0;
    while (i < COUNT_OF(ledgers) && ledgers[i].database != database) {
        i++;
    }
    if (i == COUNT_OF(ledgers)) {
        for (i = 0; ledgers[i].database != NULL; i++) {
            assert_true(i + 1 < COUNT_OF(ledgers));
        }
        ledgers[i].database = database;
        assert_done(ledger_open(database, database, &ledgers[i].ledger, &error));
    }
    return ledgers[i].ledger;
}

void target_close(struct database *database)
{
    for (uint32_t i = 0; i < COUNT_OF(ledgers); i++) {
        if (ledgers[i].database == database) {
            ledger_close(ledgers[i].ledger);
            ledgers[i].database = NULL;
        }
    }
    connector_sqlite.close(database);
}

enum status target_create_run(struct database *database, const char *run_id, uint64_t chunk_count,
                              struct error *error)
{
    static const char *const names[] = {"t"};
    struct arena *arena = arena_create(0);
    struct ledger_chunk *chunks =
        arena_allocate_zeroed(arena, chunk_count + 1, sizeof(struct ledger_chunk));
    const char *other;
    const char *table;

    for (uint64_t i = 0; i < chunk_count; i++) {
        chunks[i] = (struct ledger_chunk){.number = i + 1,
                                          .span = {.printable = "all",
                                                   .bounds = (const uint8_t *)"\0\1",
                                                   .bounds_length = 2,
                                                   .row_estimate = -1}};
    }
    const struct ledger_new_run run = {.id = run_id,
                                       .header = "{\"h\":1}",
                                       .status = "{\"phase\":\"prepared\"}",
                                       .chunks = chunks,
                                       .chunk_count = chunk_count,
                                       .tables = names,
                                       .table_count = 1};
    enum status status = ledger_create(target_ledger(database), &run, arena, &other, &table, error);
    arena_destroy(arena);
    return status;
}

enum status target_claim(struct database *database, const char *run_id, uint64_t epoch,
                         struct error *error)
{
    struct ledger_holder holder;
    return ledger_lead(target_ledger(database), run_id, epoch, NULL, &holder, error);
}

void target_begin_run(struct database *database, uint64_t chunk_count)
{
    struct error error = {0};
    assert_done(target_create_run(database, "run-1", chunk_count, &error));
    assert_done(target_claim(database, "run-1", 0, &error));
}

void target_begin_run_fails(struct database *database, enum error_code code)
{
    struct error error = {0};
    assert_int_equal(target_create_run(database, "run-1", 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, code);
}

enum status target_prepare(struct database *database, struct target_table *tables,
                           uint32_t table_count, const struct schema *objects, struct error *error)
{
    const struct prepare_request request = {
        .tables = tables, .table_count = table_count, .objects = objects};
    return sqlite_target.prepare(database, &request, error);
}

enum status target_finish(struct database *database, const struct target_table *tables,
                          uint32_t table_count, const struct schema *objects, struct error *error)
{
    struct after_load_request request = {
        .tables = tables, .table_count = table_count, .objects = objects};
    return sqlite_target.after_load(database, &request, error);
}

struct writer *target_writer(struct database *database, const struct target_table *tables,
                             uint32_t table_count)
{
    struct writer *writer = NULL;
    struct error error = {0};
    if (sqlite_target.writer_open(database, tables, table_count, 1, &writer, &error) != STATUS_OK) {
        fail_msg("no writer: %s", error.message);
    }
    return writer;
}

struct batch_result target_write(struct writer *writer, struct database *database, uint64_t chunk,
                                 uint32_t table, struct batch *batch)
{
    struct batch_result result = {0};
    struct error error = {0};

    (void)database;
    if (sqlite_target.submit(writer, chunk, table, batch, &error) != STATUS_OK) {
        fail_msg("submit: %s: %s", error.object, error.message);
    }
    assert_int_equal(sqlite_target.poll(writer, 0, &result, &error), STATUS_OK);
    assert_ptr_equal(result.batch, batch);
    assert_int_equal(result.written + result.outcome_count, batch->row_count);
    return result;
}

void target_result_free(struct batch_result *result)
{
    batch_destroy(result->batch);
    arena_destroy(result->arena);
    *result = (struct batch_result){0};
}

enum status target_commit(struct writer *writer, struct database *database, uint64_t chunk,
                          struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct done_mark mark = {.chunk = chunk, .epoch = 1, .text = "{}", .key = key};
    (void)database;
    ledger_mark_key(key, "run-1", chunk);
    return sqlite_target.commit(writer, chunk, &mark, error);
}

struct batch_result target_write_chunk(struct writer *writer, struct database *database,
                                       uint64_t chunk, struct batch *batch)
{
    struct error error = {0};
    if (sqlite_target.chunk_begin(writer, chunk, 1, &error) != STATUS_OK) {
        fail_msg("chunk_begin: %s", error.message);
    }
    struct batch_result result = target_write(writer, database, chunk, 0, batch);
    if (target_commit(writer, database, chunk, &error) != STATUS_OK) {
        fail_msg("commit: %s", error.message);
    }
    return result;
}

/* ---------------------------------------------------------------- batches */

struct batch *target_batch(const struct shape *shape, const struct cell *cells, uint32_t row_count)
{
    struct batch *batch = batch_create(shape, shape->field_count, row_count > 0 ? row_count : 1);
    assert_non_null(batch);
    for (uint32_t row = 0; row < row_count; row++) {
        struct cell *to = batch_append(batch);
        assert_non_null(to);
        memcpy(to, cells + (size_t)row * shape->field_count, shape->field_count * sizeof *to);
    }
    return batch;
}

const struct shape *target_shape(const char *const *names, uint32_t count)
{
    static struct shape shapes[64];
    static struct shape_field fields[64][16];
    static uint32_t used;

    for (uint32_t s = 0; s < used; s++) {
        uint32_t equal = 0;
        while (equal < count && equal < shapes[s].field_count &&
               strcmp(fields[s][equal].name, names[equal]) == 0) {
            equal++;
        }
        if (equal == count && shapes[s].field_count == count) {
            return &shapes[s];
        }
    }
    static char kept[64][16][256];
    assert_true(used < 64 && count <= 16);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(strlen(names[i]) < sizeof kept[used][i]);
        memcpy(kept[used][i], names[i], strlen(names[i]) + 1);
        fields[used][i] =
            (struct shape_field){.name = kept[used][i], .name_length = (uint32_t)strlen(names[i])};
    }
    shapes[used] = (struct shape){.name = "test", .fields = fields[used], .field_count = count};
    return &shapes[used++];
}

/* ---------------------------------------------------------------- the independent reader */

static sqlite3 *open_file(const char *path)
{
    sqlite3 *connection = NULL;
    assert_int_equal(
        sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
        SQLITE_OK);
    sqlite3_busy_timeout(connection, 2000);
    return connection;
}

void file_execute(const char *path, const char *sql)
{
    sqlite3 *connection = open_file(path);
    char *message = NULL;
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", message, sql);
    }
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
}

const char *file_ask(const char *path, const char *sql)
{
    static struct buffer answers[4];
    static unsigned turn;
    struct buffer *answer = &answers[turn++ % 4];
    sqlite3 *connection = open_file(path);
    sqlite3_stmt *statement = NULL;

    buffer_clear(answer);
    if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(connection));
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
        buffer_append_string(answer, answer->length > 0 ? "\n" : "");
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *text = (const char *)sqlite3_column_text(statement, i);
            buffer_append_string(answer, i > 0 ? "|" : "");
            buffer_append_string(answer, text != NULL ? text : "NULL");
        }
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
    return buffer_string(answer);
}

struct bed bed_make(const char *sql, enum existing_policy existing, struct column_list key)
{
    struct bed bed = {.table = {.name = "t", .existing = existing, .key = key}};
    snprintf(bed.path, sizeof bed.path, "%s", target_path("writer.db"));
    file_execute(bed.path, sql);
    bed.database = target_open(bed.path);
    target_begin_run(bed.database, 10);
    return bed;
}

struct bed *bed_start(struct bed *bed)
{
    bed->writer = target_writer(bed->database, &bed->table, 1);
    return bed;
}

void bed_end(struct bed *bed)
{
    sqlite_target.writer_close(bed->writer);
    target_close(bed->database);
}

static const char *const bed_columns[] = {"a", "b"};
const struct column_list bed_key_a = {bed_columns, 1};
const struct column_list bed_no_key = {NULL, 0};

const struct shape *bed_shape(void)
{
    return target_shape(bed_columns, 2);
}

struct batch_result bed_write(struct bed *bed, uint64_t chunk, const struct cell *cells,
                              uint32_t rows)
{
    return target_write_chunk(bed->writer, bed->database, chunk,
                              target_batch(bed_shape(), cells, rows));
}
