/* What the tests of the SQLite source share. */
#include "support_sqlite_source.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *open_file(const char *path)
{
    sqlite3 *connection = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2(path, &connection, flags, NULL), SQLITE_OK);
    sqlite3_busy_timeout(connection, 5000);
    sqlite3_exec(connection, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    return connection;
}

void sqlite_file_execute(const char *path, const char *sql)
{
    sqlite3 *connection = open_file(path);
    char *message = NULL;
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s in %s", message, sql);
    }
    sqlite3_close(connection);
}

const char *sqlite_file_ask(const char *path, const char *sql)
{
    static char answer[4096];
    sqlite3 *connection = open_file(path);
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    answer[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW) {
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return answer;
}

const char *sqlite_file(const char *sql)
{
    static char paths[64][300];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/file.db", test_folder());
    sqlite_file_execute(path, sql);
    return path;
}

enum status source_try_open(struct source_test *test, const char *path, const char *options,
                            bool with_spill_folder)
{
    const struct connector *connector = NULL;
    struct uri *uri = NULL;

    *test = (struct source_test){.arena = arena_create(0)};
    char *text = arena_format(test->arena, "sqlite:%s%s", path, options != NULL ? options : "");
    if (registry_resolve(text, test->arena, &uri, &connector, &test->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct open_options open = {
        .mode = OPEN_SOURCE,
        .uri = uri,
        .memory_bytes = 8 << 20,
        .timeout_ms = 300,
        .spill_folder = with_spill_folder ? arena_copy_string(test->arena, test_folder()) : NULL,
    };
    test->source = connector->source;
    enum status status = connector->open(&open, &test->database, &test->error);
    test->sqlite = sqlite_database_of(test->database);
    return status;
}

static void expect_ok(struct source_test *test, enum status status)
{
    if (status != STATUS_OK) {
        fail_msg("%s: %s%s (%s)", test->error.object, test->error.context, test->error.message,
                 test->error.hint);
    }
}

void source_open(struct source_test *test, const char *path)
{
    expect_ok(test, source_try_open(test, path, NULL, false));
}

void source_take_snapshot(struct source_test *test, uint32_t readers)
{
    expect_ok(test, test->source->snapshot(test->database, readers, test->arena, &test->token,
                                           &test->error));
}

void source_open_reading(struct source_test *test, const char *path)
{
    expect_ok(test, source_try_open(test, path, NULL, true));
    source_take_snapshot(test, 1);
    expect_ok(test, test->source->reader_open(test->database, &test->reader, &test->error));
}

void source_close(struct source_test *test)
{
    if (test->reader != NULL) {
        test->source->reader_close(test->reader);
    }
    if (test->database != NULL) {
        test->database->connector->close(test->database);
    }
    arena_destroy(test->arena);
    *test = (struct source_test){0};
}

struct column_list source_list(struct source_test *test, const char *names)
{
    const char **list = arena_allocate_zeroed(test->arena, 64, sizeof *list);
    struct column_list columns = {.names = list};
    while (*names != '\0') {
        size_t length = strcspn(names, ",");
        list[columns.count++] = arena_copy(test->arena, names, length);
        names += length + (names[length] == ',');
    }
    return columns;
}

struct read_request *source_request(struct source_test *test, const char *table,
                                    const char *columns)
{
    struct read_request *request = arena_allocate_zeroed(test->arena, 1, sizeof *request);
    struct column_list names = source_list(test, columns);
    struct read_column *list = arena_allocate_zeroed(test->arena, names.count + 1, sizeof *list);

    for (uint32_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        list[i] = (struct read_column){.join = -1, .name = name};
        if (name[0] == '?') {
            list[i] = (struct read_column){.join = name[1] - '0', .presence = true};
        } else if (name[0] >= '0' && name[0] <= '9' && name[1] == '.') {
            list[i] = (struct read_column){.join = name[0] - '0', .name = name + 2};
        }
    }
    *request = (struct read_request){
        .name = table, .table = table, .columns = list, .column_count = names.count};
    return request;
}

struct read_join *source_joins(struct source_test *test, struct read_request *request,
                               uint32_t count)
{
    struct read_join *joins = arena_allocate_zeroed(test->arena, count, sizeof *joins);
    request->joins = joins;
    request->join_count = count;
    return joins;
}

struct read_join source_join(struct source_test *test, int32_t from, const char *table,
                             const char *from_columns, const char *columns, bool many)
{
    return (struct read_join){.from = from,
                              .table = table,
                              .from_columns = source_list(test, from_columns),
                              .columns = source_list(test, columns),
                              .many = many};
}

void cell_show(const struct cell *cell, struct buffer *out)
{
    switch (cell->kind) {
    case VALUE_NULL:
        buffer_append_byte(out, '-');
        break;
    case VALUE_BOOL:
        buffer_format(out, "b%" PRId64, cell->i64);
        break;
    case VALUE_INT64:
        buffer_format(out, "i%" PRId64, cell->i64);
        break;
    case VALUE_FLOAT64:
        buffer_format(out, "f%.17g", cell->f64);
        break;
    case VALUE_DECIMAL:
        buffer_append_byte(out, 'd');
        decimal_append(cell, out);
        break;
    case VALUE_TEXT:
        buffer_append_byte(out, 't');
        buffer_append(out, cell->text, cell->length);
        break;
    case VALUE_BYTES:
    case VALUE_ESCAPE:
        buffer_append_byte(out, cell->kind == VALUE_BYTES ? 'x' : 'e');
        for (uint32_t i = 0; i < cell->length; i++) {
            buffer_format(out, "%02x", cell->bytes[i]);
        }
        break;
    case VALUE_LARGE:
        buffer_format(out, "L%" PRIu64, cell->large->length);
        break;
    case VALUE_MAP:
        for (uint32_t i = 0; i < cell->length; i++) {
            cell_show(&cell->items[2 * i], out);
            buffer_append_byte(out, '=');
            cell_show(&cell->items[2 * i + 1], out);
            buffer_append_byte(out, ';');
        }
        break;
    default:
        fail_msg("a cell of kind %d", cell->kind);
    }
}

static enum status read_rows(struct source_test *test, const struct read_request *request,
                             const struct span *span, struct buffer *out)
{
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status =
        test->source->cursor_open(test->reader, request, span, &cursor, &test->error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = test->source->cursor_next(cursor, 7, 1 << 20, &batch, &test->error)) ==
           STATUS_OK) {
        assert_true(batch->row_count > 0 && batch->row_count <= 7);
        for (uint32_t row = 0; row < batch->row_count; row++) {
            for (uint32_t i = 0; i < batch->width; i++) {
                buffer_append_string(out, i > 0 ? "|" : "");
                cell_show(batch_row(batch, row) + i, out);
            }
            buffer_append_byte(out, '\n');
        }
        batch_destroy(batch);
    }
    test->source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

const char *source_rows(struct source_test *test, const struct read_request *request,
                        const struct span *span)
{
    struct buffer out = {0};
    expect_ok(test, read_rows(test, request, span, &out));
    const char *text = arena_copy_string(test->arena, buffer_string(&out));
    buffer_free(&out);
    return text;
}

int64_t source_count_lines(const char *rows)
{
    int64_t lines = 0;
    for (const char *at = rows; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    return lines;
}

void source_rows_fail(struct source_test *test, const struct read_request *request,
                      enum error_code code)
{
    struct buffer out = {0};
    assert_int_equal(read_rows(test, request, NULL, &out), STATUS_FAILED);
    assert_int_equal(test->error.code, code);
    buffer_free(&out);
}

const char *source_query_plan(struct source_test *test, const struct read_request *request,
                              const struct span *span)
{
    struct request_sql compiled;
    struct buffer sql = {0};
    struct buffer out = {0};
    sqlite3_stmt *statement = NULL;
    sqlite3 *connection = test->reader->connection;
    struct request_options options = {
        .connection = connection, .schema = "main", .with_spills = true, .may_hand_over = true};

    expect_ok(test, request_compile(test->sqlite, request, span, options, test->arena, &compiled,
                                    &test->error));
    buffer_append_string(&sql, "EXPLAIN QUERY PLAN ");
    buffer_append(&sql, compiled.sql.data, compiled.sql.length);
    request_free(&compiled);
    assert_int_equal(sqlite3_prepare_v2(connection, buffer_string(&sql), -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        buffer_format(&out, "%s\n", (const char *)sqlite3_column_text(statement, 3));
    }
    sqlite3_finalize(statement);
    const char *text = arena_copy_string(test->arena, buffer_string(&out));
    buffer_free(&sql);
    buffer_free(&out);
    return text;
}
