/*
 * Memory that runs out: each scenario is repeated with its first, second, third … allocation
 * failing, until it gets through. Whatever fails, nothing crashes, nothing leaks a wrong result,
 * and the failure is told. The allocator is this file's own; under sanitizers, which bring theirs,
 * the tests are skipped.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/secret.h"
#include "connectors/csv/value.h"
#include "connectors/dynamodb/format.h"
#include "connectors/folder/folder.h"
#include "connectors/jsonl/jsonl.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal.h"
#include "connectors/sql/span.h"
#include "connectors/sqlite/writer_internal.h"
#include "engine/typed_json.h"
#include "model/batch.h"
#include "model/canonical.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/field_hash.h"
#include "model/json_reader.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/schema.h"
#include "model/time_text.h"
#include "support_exhaust.h"
#include "verify/verify_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fill_batch(struct error *error)
{
    (void)error;
    int is_through = 0;
    struct batch *batch = batch_create(NULL, 3, 2);
    struct batch *sharing = batch == NULL ? NULL : batch_create_sharing(batch, NULL, 1, 2);
    if (sharing == NULL || batch_add_envelopes(batch) != STATUS_OK) {
        goto out;
    }
    for (int i = 0; i < 100; i++) {
        struct cell *row = batch_append(batch);
        char *text = row == NULL ? NULL : arena_allocate(batch->arena, 500);
        if (text == NULL) {
            goto out;
        }
        memset(text, 'x', 500);
        row[0] = cell_text(text, 500);
        batch->envelopes[batch->row_count - 1].attempt = 1;
    }
    is_through = 1;
out:
    batch_destroy(sharing);
    batch_destroy(batch);
    return is_through;
}

static void batches(void **state)
{
    (void)state;
    exhaust(fill_batch, 1);
}

/* Numbers, texts and containers, made without allocating. */
static struct cell nested_example(struct cell items[8])
{
    static const struct value_interval interval = {1, 2, 3};
    items[0] = cell_text("a key", 5);
    items[1] = cell_int64(INT64_MIN);
    items[2] = cell_text("decimal", 7);
    items[3] = (struct cell){.kind = VALUE_DECIMAL, .length = 22, .text = "12345678901234567890.1"};
    items[4] = cell_text("bytes", 5);
    items[5] = cell_bytes("\x01\x02", 2);
    items[6] = cell_text("interval", 8);
    items[7] = (struct cell){.kind = VALUE_INTERVAL, .interval = &interval};
    return cell_items(VALUE_MAP, items, 4);
}

static enum status read_zeros(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *error)
{
    (void)self;
    (void)offset;
    (void)error;
    memset(bytes, 0, size);
    return STATUS_OK;
}

static enum status add_fields(const struct cell *nested, struct error *error)
{
    struct field_hasher hasher = {0};
    struct large_value large = {.kind = VALUE_BYTES, .length = 100000, .read = read_zeros};
    struct cell long_decimal = {
        .kind = VALUE_DECIMAL, .length = 20, .text = "12345678901234567890"};
    struct cell handle = {.kind = VALUE_LARGE, .large = &large};
    enum status status = field_hash_add_cell(&hasher, 1, &long_decimal, error);
    status = status == STATUS_OK ? field_hash_add_cell(&hasher, 2, nested, error) : status;
    status = status == STATUS_OK ? field_hash_add_cell(&hasher, 3, &handle, error) : status;
    buffer_free(&hasher.scratch);
    return status;
}

static int copy_and_hash(struct error *error)
{
    struct cell items[8];
    struct cell sets[2];
    struct cell copy;
    struct buffer scratch = {0};
    struct canonical_hash hash;
    int is_through = 0;
    sets[0] = nested_example(items);
    sets[1] = cell_items(VALUE_SET, items, 8);
    struct cell set = cell_items(VALUE_SET, sets, 2);
    struct arena *arena = arena_create(64);
    if (arena != NULL && value_copy(&set, arena, &copy) == STATUS_OK &&
        canonical_hash_cells(&copy, 1, &scratch, &hash, error) == STATUS_OK &&
        add_fields(&set, error) == STATUS_OK) {
        is_through = 1;
    }
    assert_true(value_equal(&set, &set));
    buffer_free(&scratch);
    arena_destroy(arena);
    return is_through;
}

static void copies_and_hashes(void **state)
{
    (void)state;
    exhaust(copy_and_hash, 1);
}

/* Without memory to sort by, sets are still told apart. */
static int compare_sets(struct error *error)
{
    (void)error;
    struct cell left[] = {cell_int64(1), cell_int64(2), cell_int64(2)};
    struct cell right[] = {cell_int64(2), cell_int64(1), cell_int64(2)};
    struct cell other[] = {cell_int64(2), cell_int64(1), cell_int64(1)};
    struct cell a = cell_items(VALUE_SET, left, 3);
    struct cell b = cell_items(VALUE_SET, right, 3);
    struct cell c = cell_items(VALUE_SET, other, 3);
    assert_true(value_equal(&a, &b));
    assert_false(value_equal(&a, &c));
    return 1;
}

static void sets_are_compared_without_memory(void **state)
{
    (void)state;
    exhaust(compare_sets, 0);
}

static int convert_all(struct error *error)
{
    static const struct {
        const char *text;
        enum value_kind kind;
        int32_t precision;
    } cases[] = {{"12345678901234567890.125", VALUE_DECIMAL, 30},
                 {"P1Y", VALUE_INTERVAL, 0},
                 {"0123456789abcdef0123456789abcdef", VALUE_UUID, 0},
                 {"[1, [2, {\"a\\n\": 123456789012345678901}], 1]", VALUE_SET, 0},
                 {"text", VALUE_JSON, 0}};
    struct arena *arena = arena_create(64);
    struct buffer out = {0};
    enum status status = arena == NULL ? STATUS_FAILED : STATUS_OK;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && status == STATUS_OK; i++) {
        struct cell from = cell_text(cases[i].text, strlen(cases[i].text));
        struct cell result;
        struct cell text;
        struct value_type type = {.kind = cases[i].kind, .precision = cases[i].precision};
        struct value_type plain = {.kind = VALUE_TEXT};
        type.scale = type.precision > 0 ? 5 : 0;
        status = convert_value(&from, &type, true, arena, &result, error);
        if (status == STATUS_OK) {
            status = convert_value(&result, &plain, true, arena, &text, error);
        }
        if (status == STATUS_OK) {
            status = convert_append_json(&result, &out, error);
        }
    }
    buffer_free(&out);
    arena_destroy(arena);
    return status == STATUS_OK;
}

static void conversions(void **state)
{
    (void)state;
    exhaust(convert_all, 1);
    fails_once = 1;
    exhaust(convert_all, 1);
    fails_once = 0;
}

static int sum_up(struct error *error)
{
    (void)error;
    struct decimal_sum sum;
    struct cell cells[] = {cell_float64(1e300), cell_int64(1), cell_float64(1e-300),
                           cell_uint64(UINT64_MAX)};
    struct arena *arena = arena_create(0);
    struct cell total;
    int is_through = arena != NULL;
    decimal_sum_init(&sum);
    for (int i = 0; i < 4 && is_through; i++) {
        is_through = decimal_sum_add(&sum, &cells[i]) == STATUS_OK;
    }
    is_through = is_through && decimal_sum_result(&sum, arena, &total) == STATUS_OK;
    decimal_sum_free(&sum);
    arena_destroy(arena);
    return is_through;
}

/* What is taken off a column's sum is off it, or memory was out. */
static int take_off(struct error *error)
{
    static const char digits[] = "12345678901234567890123456789012345678901234567890.5";
    struct verify_column_sum column = {.numbers = 1};
    struct arena *arena = arena_create(0);
    struct cell cell;
    int is_through = arena != NULL &&
                     decimal_parse(digits, strlen(digits), arena, &cell) == STATUS_OK &&
                     decimal_sum_add(&column.decimal, &cell) == STATUS_OK &&
                     verify_take_number_off(&column, digits, strlen(digits), error) == STATUS_OK;
    if (is_through) {
        assert_int_equal(column.numbers, 0);
        is_through = decimal_sum_result(&column.decimal, arena, &cell) == STATUS_OK;
        assert_true(!is_through ||
                    decimal_compare(
                        &cell, &(struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL}) == 0);
    }
    decimal_sum_free(&column.decimal);
    arena_destroy(arena);
    return is_through;
}

static void sums(void **state)
{
    (void)state;
    exhaust(sum_up, 1);
    exhaust(take_off, 1);
    exhaust_each(take_off);
}

static int write_json(struct error *error)
{
    (void)error;
    struct buffer out = {0};
    char text[600];
    memset(text, '\x01', sizeof(text));
    json_append_string(&out, text, sizeof(text));
    json_append_base64(&out, text, sizeof(text));
    json_append_plain(&out, "x", 1);
    buffer_format(&out, "%d", 5);
    buffer_append_int64(&out, 5);
    int is_through = !out.failed;
    assert_true(strlen(buffer_string(&out)) ==
                (is_through ? out.length : strlen(buffer_string(&out))));
    buffer_free(&out);
    return is_through;
}

static void json(void **state)
{
    (void)state;
    exhaust(write_json, 1);
}

/* jansson itself would leave a byte out of a long text, or read on beyond its end. */
static int parse_tree(struct error *error)
{
    static const char text[] =
        "{\"a key that is longer than sixteen bytes\": [\"and a value, longer "
        "than thirty-two bytes and than its key\", 12.5, {\"b\": null}]}";
    struct buffer out = {0};
    json_t *tree;
    if (json_tree_parse(text, sizeof(text) - 1, JSON_REJECT_DUPLICATES, "a text",
                        ERROR_STATE_INVALID, &tree, error) != STATUS_OK) {
        return 0;
    }
    allocations_left = -1;
    assert_true(json_tree_append(tree, 0, &out));
    assert_string_equal(buffer_string(&out), text);
    buffer_free(&out);
    json_decref(tree);
    return 1;
}

static void json_trees(void **state)
{
    (void)state;
    exhaust(parse_tree, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fails_once = 1;
    exhaust(parse_tree, 1);
    fails_once = 0;
#endif
}

/* A piece that is wanting is never taken for none. */
static int join_buffers(struct error *error)
{
    (void)error;
    struct buffer piece = {0};
    struct buffer whole = {0};
    buffer_append_string(&piece, "b");
    assert_false(buffer_is_empty(&piece));
    buffer_append_string(&whole, "a");
    buffer_append_buffer(&whole, &piece);
    buffer_append_string(&whole, "c");
    int is_through = !whole.failed;
    assert_true(is_through || piece.failed || whole.data == NULL);
    assert_string_equal(buffer_string(&whole), is_through ? "abc" : "");
    buffer_free(&piece);
    buffer_free(&whole);
    return is_through;
}

static void joined(void **state)
{
    (void)state;
    exhaust(join_buffers, 1);
}

static const char *scratch_folder;

static int write_files(struct error *error)
{
    struct arena *arena = arena_create(64);
    char *bytes;
    size_t length;
    int is_through = 0;
    char *folder = arena == NULL ? NULL : file_join(arena, scratch_folder, "deep/folder");
    char *path = folder == NULL ? NULL : file_join(arena, folder, "f");
    if (path != NULL && file_make_folder(folder, error) == STATUS_OK &&
        file_write_atomic(path, "contents", 8, NULL, error) == STATUS_OK &&
        file_read_all(path, 100, arena, &bytes, &length, error) == STATUS_OK &&
        file_safe_name(arena, path, 5) != NULL) {
        assert_string_equal(bytes, "contents");
        is_through = file_remove_tree(scratch_folder, error) == STATUS_OK;
    }
    log_write(LOG_DEBUG, "needs none: %s", error->message);
    secret_register("some secret", 11);
    arena_destroy(arena);
    return is_through;
}

static void files(void **state)
{
    (void)state;
    scratch_folder = test_folder();
    exhaust(write_files, 1);
}

static int make_ring(struct error *error)
{
    (void)error;
    struct ring *ring = ring_create(100);
    int item;
    void *popped;
    if (ring == NULL) {
        return 0;
    }
    allocations_left = 0; /* needs no more from here on */
    assert_int_equal(ring_push(ring, &item, 1, 0), STATUS_OK);
    assert_int_equal(ring_pop(ring, &popped, 0), STATUS_OK);
    assert_int_equal(error_set(error, ERROR_NONE, "x", "%s and more", "made without memory"),
                     STATUS_FAILED);
    ring_destroy(ring);
    return 1;
}

static void rings_and_errors(void **state)
{
    (void)state;
    exhaust(make_ring, 1);
}

static int take_fingerprint(struct error *error)
{
    (void)error;
    struct schema_table tables[20];
    memset(tables, 0, sizeof(tables));
    for (int i = 0; i < 20; i++) {
        tables[i].name = "a table with a long name, to need more room";
    }
    struct schema schema = {.tables = tables, .table_count = 20};
    char hex[33];
    schema_fingerprint(&schema, true, hex);
    assert_true(hex[0] == '\0' || strlen(hex) == 32);
    return hex[0] != '\0';
}

static void fingerprints(void **state)
{
    (void)state;
    exhaust(take_fingerprint, 1);
}

/* A record that no column named would be any one of the table's. */
static int find_without_a_key(struct error *error)
{
    static struct schema_column columns[9000];
    const struct target_table table = {.name = "t", .columns = columns, .column_count = 9000};
    struct sql_finding finding;
    enum status status = sql_finding_begin(&finding, &table, error);
    assert_int_equal(finding.columns.count, status == STATUS_OK ? 9000 : 0);
    sql_finding_free(&finding);
    return status == STATUS_OK;
}

static int cut_spans(struct error *error)
{
    struct sql_spans spans = {.arena = arena_create(64), .shown = "db", .error = error};
    struct sql_bounds bounds = {.by_key = true, .has_high = true, .parts = 1};
    struct span *made = NULL;
    uint32_t count = 0;
    enum status status = spans.arena != NULL ? STATUS_OK : STATUS_FAILED;
    bounds.high[0] = (struct text){"a key", 5};
    for (int i = 0; status == STATUS_OK && i < 100; i++) {
        status = sql_span_add(&spans, &bounds, 1);
    }
    status = sql_spans_end(&spans, status, &made, &count);
    assert_int_equal(count, status == STATUS_OK ? 100 : 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(made[i].last_id, "a key");
    }
    arena_destroy(spans.arena);
    return status == STATUS_OK;
}

static void records_and_spans_of_sql(void **state)
{
    (void)state;
    exhaust(find_without_a_key, 1);
    exhaust(cut_spans, 1);
}

/* A statement without memory for a part of it would make a table without its key, or its default.
 */
static int make_statement(struct error *error)
{
    static struct schema_column columns[] = {
        {.name = "id", .type = {.kind = VALUE_INT64}, .not_null = true},
        {.name = "v", .type = {.kind = VALUE_TEXT}, .default_text = "lower('X')"},
    };
    static const char *const names[] = {"id"};
    const struct target_table table = {
        .name = "t", .columns = columns, .column_count = 2, .key = {names, 1}};
    struct buffer sql = {0};
    (void)error;
    sqlite_schema_append_table(&table, false, &sql);
    int is_through = !sql.failed;
    if (is_through) {
        assert_string_equal(buffer_string(&sql),
                            "CREATE TABLE \"t\" (\n    \"id\" INTEGER PRIMARY KEY NOT NULL,\n"
                            "    \"v\" TEXT DEFAULT (lower('X')\n)\n)");
    }
    buffer_free(&sql);
    return is_through;
}

static void statements_of_sqlite(void **state)
{
    (void)state;
    exhaust(make_statement, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fails_once = 1;
    exhaust(make_statement, 1);
    fails_once = 0;
#endif
}

/* Marks that can't be read for lack of memory were not edited by anybody. */
/* ---- numbers that are no less so where memory is out */

#define DIGITS "1234567890123456789012345678901234567890123456789012345678901234567890.5"

static const struct cell *numeric_cell;

/* A hash of anything else would be taken for a change by whoever hashes it later. */
static int make_normal_forms(struct error *error)
{
    const struct sql_rules rules = {0};
    struct arena *arena = arena_create(64);
    struct cell text = cell_text(DIGITS, strlen(DIGITS));
    struct cell whole = cell_text("100000000000000000000000", 24);
    struct cell normal[3];
    enum status status = arena == NULL ? STATUS_FAILED : STATUS_OK;
    if (status == STATUS_OK) {
        status = sql_normal_form(&rules, &text, arena, &normal[0], error);
    }
    if (status == STATUS_OK) {
        status = sqlite_target_normal_form_in_column(NULL, SQLITE_AFFINITY_NUMERIC, &whole, arena,
                                                     &normal[1], error);
    }
    if (status == STATUS_OK) {
        status = sqlite_target_normal_form_in_column(NULL, SQLITE_AFFINITY_NUMERIC, &text, arena,
                                                     &normal[2], error);
    }
    if (status == STATUS_OK) {
        assert_int_equal(normal[0].kind, VALUE_DECIMAL);
        assert_int_equal(normal[1].kind, VALUE_FLOAT64);
    }
    arena_destroy(arena);
    return status == STATUS_OK;
}

static int read_number(struct error *error)
{
    static const char digits[] = "1.2345678901234567890123456789";
    struct arena *arena = arena_create(64);
    struct cell number;
    bool is_read = arena != NULL && dynamodb_number_read(digits, sizeof(digits) - 1, arena, &number,
                                                         error) == STATUS_OK;
    arena_destroy(arena);
    return is_read;
}

static void normal_forms(void **state)
{
    (void)state;
    exhaust(read_number, 1);
    exhaust(make_normal_forms, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fails_once = 1;
    exhaust(make_normal_forms, 1);
    fails_once = 0;
#endif
}

/* What the table of a batch gives to SQLite: the value, or that memory is out; no reject. */
static int give_value(struct error *error)
{
    struct sqlite_target_column described = {.name = "v", .declared_type = "NUMERIC"};
    struct writer_column column = {.affinity = SQLITE_AFFINITY_NUMERIC, .column = &described};
    struct writer_view view = {.columns = &column, .column_count = 1, .end = 1};
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    long left = allocations_left;
    (void)error;
    allocations_left = -1;
    struct batch *batch = batch_create(NULL, 1, 1);
    view.batch = batch;
    view.scratch = arena_create(64);
    batch_append(batch)[0] = *numeric_cell;
    assert_int_equal(sqlite3_open(":memory:", &connection), SQLITE_OK);
    assert_int_equal(writer_table_register(connection, "batch", &view), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, "SELECT * FROM batch", -1, &statement, NULL),
                     SQLITE_OK);
    allocations_left = left;
    int result = sqlite3_step(statement);
    allocations_left = -1;
    if (result != SQLITE_ROW) {
        assert_int_equal(result & 0xff, SQLITE_NOMEM);
    }
    assert_false(view.refusal.set);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    arena_destroy(view.scratch);
    batch_destroy(batch);
    return result == SQLITE_ROW;
}

static void values_for_sqlite(void **state)
{
    (void)state;
    static const struct cell items[] = {{.kind = VALUE_INT64, .i64 = 1}};
    skip_unless_armed();
    struct arena *arena = arena_create(0);
    struct cell cells[] = {cell_text("100000000000000000000000", 24),
                           cell_text("100000000000000000000000", 24),
                           cell_items(VALUE_LIST, items, 1),
                           {.kind = VALUE_DATE}};
    assert_int_equal(decimal_parse(cells[1].text, cells[1].length, arena, &cells[1]), STATUS_OK);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        numeric_cell = &cells[i];
        exhaust(give_value, 1);
        fails_once = 1;
        exhaust(give_value, 1);
        fails_once = 0;
    }
    arena_destroy(arena);
}

/* A text that each reader takes for a value of its kind. */
static const struct readable {
    enum value_kind kind;
    const char *text;
    const char *tag; /* of JSON */
} readables[] = {
    {VALUE_DECIMAL, "1234567890123456789012345678901234567890.5", "decimal"},
    {VALUE_INTERVAL, "P1Y2M3DT4H5M6.5S", "interval"},
    {VALUE_UUID, "01234567-89ab-cdef-0123-456789abcdef", "uuid"},
    {VALUE_BYTES, "AAECAwQFBgcICQoLDA0ODw==", "bytes"},
    {VALUE_ESCAPE, "AAECAwQFBgcICQoLDA0ODw==", "escape"}, /* of typed JSON alone */
};
static const struct readable *readable;

/* Ends a scenario that read a cell of the kind, if it read one. */
static int of_its_kind(struct arena *arena, enum status status, int kind)
{
    if (status == STATUS_OK) {
        assert_int_equal(kind, readable->kind);
    }
    arena_destroy(arena);
    return status == STATUS_OK;
}

static int read_csv(struct error *error)
{
    struct csv_dialect dialect = csv_dialect_default();
    struct value_type type = {.kind = readable->kind, .precision = 50, .scale = 5};
    struct arena *arena = arena_create(16);
    struct cell cell;
    enum status status =
        arena == NULL ? STATUS_FAILED
                      : csv_value_read(&dialect, &type, readable->text, strlen(readable->text),
                                       false, true, arena, &cell, error);
    return of_its_kind(arena, status, status == STATUS_OK ? cell.kind : 0);
}

static int read_tagged(struct error *error)
{
    char line[128];
    struct cell map;
    struct arena *arena = arena_create(16);
    int length =
        snprintf(line, sizeof(line), "{\"a\":{\"$%s\":\"%s\"}}", readable->tag, readable->text);
    enum status status = arena == NULL ? STATUS_FAILED
                                       : jsonl_read_document(line, (size_t)length, true, NULL, 0,
                                                             arena, &map, error);
    return of_its_kind(arena, status, status == STATUS_OK ? map.items[1].kind : 0);
}

/* As a column of its kind has it: numbers bare, others as strings. */
static int read_column(struct error *error)
{
    char line[128];
    struct cell map;
    struct schema_column column = {.name = "a", .type = {.kind = readable->kind}};
    const char *quote = readable->kind == VALUE_DECIMAL ? "" : "\"";
    struct arena *arena = arena_create(16);
    int length = snprintf(line, sizeof(line), "{\"a\":%s%s%s}", quote, readable->text, quote);
    enum status status = arena == NULL ? STATUS_FAILED
                                       : jsonl_read_document(line, (size_t)length, false, &column,
                                                             1, arena, &map, error);
    return of_its_kind(arena, status, status == STATUS_OK ? map.items[1].kind : 0);
}

static int read_typed(struct error *error)
{
    char text[128];
    struct json_reader reader;
    enum json_token token;
    struct cell cell;
    struct arena *arena = arena_create(16);
    bool is_escape = readable->kind == VALUE_ESCAPE;
    int length = snprintf(text, sizeof(text), "{\"$%s\":%s\"%s\"%s}", readable->tag,
                          is_escape ? "[7,true," : "", readable->text, is_escape ? "]" : "");
    enum status status = arena == NULL ? STATUS_FAILED : STATUS_OK;
    if (status == STATUS_OK) {
        json_reader_init(&reader, text, (size_t)length, JSON_DEPTH_MAX, arena);
        status = json_reader_next(&reader, &token, error);
    }
    if (status == STATUS_OK) {
        status = typed_json_read(&reader, token, arena, &cell, error);
    }
    return of_its_kind(arena, status, status == STATUS_OK ? cell.kind : 0);
}

/* An exponent that a float has not enough digits for. */
static int read_exponent(struct error *error)
{
    static const char line[] = "{\"a\":1234567890123456789012345e-3}";
    struct cell map;
    struct arena *arena = arena_create(16);
    enum status status = arena == NULL ? STATUS_FAILED
                                       : jsonl_read_document(line, sizeof(line) - 1, false, NULL, 0,
                                                             arena, &map, error);
    return of_its_kind(arena, status, status == STATUS_OK ? map.items[1].kind : 0);
}

/* Memory that is out is never taken for a text that is none of its kind. */
static void texts_are_read(void **state)
{
    (void)state;
    static scenario *const scenarios[] = {read_csv, read_tagged, read_column, read_typed};
    skip_unless_armed();
    fails_once = 1;
    for (size_t i = 0; i < sizeof(readables) / sizeof(readables[0]); i++) {
        readable = &readables[i];
        for (size_t j = 0; j < sizeof(scenarios) / sizeof(scenarios[0]); j++) {
            bool reads = scenarios[j] == read_typed ||
                         (readable->kind != VALUE_ESCAPE &&
                          (readable->kind != VALUE_BYTES || scenarios[j] != read_csv));
            if (reads) {
                exhaust(scenarios[j], 1);
            }
        }
    }
    readable = &readables[0];
    exhaust(read_exponent, 1);
    exhaust(read_number, 1);
    fails_once = 0;
}

static const char *done_folder;

static int load_marks(struct error *error)
{
    struct arena *arena = arena_create(64);
    struct folder_done_list list;
    int is_through = arena != NULL && folder_done_load(&dynamodb_folder_format, done_folder, "r1",
                                                       arena, &list, error) == STATUS_OK;
    if (is_through) {
        assert_int_equal(list.count, 2);
        assert_int_equal(list.items[1].segments[1].ordinals_count, 20);
    }
    arena_destroy(arena);
    return is_through;
}

static void done_marks(void **state)
{
    (void)state;
    struct error error;
    struct folder_ordinals ordinals[20];
    struct folder_segment segments[2];
    struct folder_done marks[2];
    char tag[FOLDER_TAG_LENGTH + 1];
    char name[FOLDER_SEGMENT_NAME_MAX];
    for (uint32_t i = 0; i < 20; i++) {
        ordinals[i] = (struct folder_ordinals){2 * i, 1};
    }
    folder_tag("r1", tag);
    folder_segment_name(&dynamodb_folder_format, tag, 1, 0, 0, FOLDER_PLAIN, name);
    for (int i = 0; i < 2; i++) {
        segments[i] = (struct folder_segment){.table = "a \"table\"",
                                              .file = name,
                                              .records = 20,
                                              .ordinals = ordinals,
                                              .ordinals_count = 20};
    }
    for (int i = 0; i < 2; i++) {
        marks[i] =
            (struct folder_done){.mark = {.chunk = 1, .epoch = 1, .text = "{\"a\": \"mark\"}"},
                                 .segments = segments,
                                 .segment_count = 2};
    }
    const struct folder_done_list list = {.items = marks, .count = 2};
    done_folder = test_folder();
    assert_int_equal(folder_done_rewrite(done_folder, "r1", &list, &error), STATUS_OK);
    exhaust(load_marks, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fails_once = 1;
    exhaust(load_marks, 1);
    fails_once = 0;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches),
        cmocka_unit_test(copies_and_hashes),
        cmocka_unit_test(sets_are_compared_without_memory),
        cmocka_unit_test(conversions),
        cmocka_unit_test(sums),
        cmocka_unit_test(json),
        cmocka_unit_test(json_trees),
        cmocka_unit_test(joined),
        cmocka_unit_test(files),
        cmocka_unit_test(rings_and_errors),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(records_and_spans_of_sql),
        cmocka_unit_test(statements_of_sqlite),
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(values_for_sqlite),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(done_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
