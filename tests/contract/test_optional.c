/* The functions that a connector may leave out, where it has them: groups that go together, types
 * by name, queries, checks, shared spans, estimates, values of a column, look-ups. */
#include "base/buffer.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "scene.h"
#include "source_side.h"
#include <stdio.h>

void contract_test_groups(const struct contract_entry *entry)
{
    const struct connector *connector = contract_connector(entry);
    const struct target_functions *target = connector->target;
    const struct column_functions *columns = connector_columns(connector);
    const struct express_functions *express = connector->express;
    const struct forecast_functions *forecast = connector_forecast(connector);
    const struct sql_target_functions *sql_target = connector_sql_target(connector);
    const struct trial_functions *trial = connector->trial;
    const struct rollback_functions *rollback = connector->rollback;
    assert_true((connector->catalog->native_type == NULL) ==
                (connector->catalog->native_names == NULL));
    assert_true((forecast->load_add == NULL) == (forecast->load_describe == NULL));
    assert_true((columns->value_class == NULL) == (columns->normal_form == NULL));
    assert_true(trial == NULL || (trial->open && trial->record && trial->close));
    assert_true(express == NULL || (express->accepts && express->chunk));
    assert_true((sql_target->later_prepare == NULL) == (sql_target->later_fill == NULL));
    assert_true(sql_target->partnerless == NULL || target->delete_records != NULL);
    assert_true(target->restore == NULL || target->settle_duplicates != NULL ||
                (rollback != NULL && rollback->undo == NULL));
    assert_true(target == NULL || connector->store != NULL);
    assert_true(target == NULL || target->empty != NULL);
    if (rollback) {
        assert_non_null(rollback->remove_table);
        assert_true(rollback->undo != NULL || (target->fetch && target->delete_records &&
                                               target->restore && !rollback->undoes_all));
    }
}

/* ---- catalogue */

void contract_test_native_types(const struct contract_entry *entry)
{
    const struct catalog_functions *catalog = contract_connector(entry)->catalog;
    if (!catalog->native_type) {
        return;
    }
    assert_non_null(catalog->native_names[0]);
    for (const char *const *name = catalog->native_names; *name; name++) {
        struct value_type type = {.kind = VALUE_KIND_COUNT};
        if (!catalog->native_type(*name, &type)) {
            fail_msg("%s is listed, and not known", *name);
        }
        assert_ptr_equal(type.native, *name);
        assert_true(type.kind > VALUE_NULL && type.kind < VALUE_KIND_COUNT);
    }
}

/* The query brings the records with an id below 3. */
void contract_test_query(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct source_side side;
    struct schema_table table = {0};
    struct error error = {0};
    struct batch *batch;
    struct cursor *cursor;
    fixture_open(&fixture, entry);
    assert_true((entry->query != NULL) ==
                (fixture.target->connector->catalog->describe_query != NULL));
    if (!entry->query) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    scene_write(&fixture, 1, 0, 5, "v");
    source_open(&fixture, &side);
    const char *query = source_query(&fixture, side.arena);
    const struct catalog_functions *catalog = side.connector->catalog;
    check_ok(catalog->describe_query(side.database, query, side.arena, &table, &error), &error,
             "describe_query");
    assert_int_equal(table.kind, SCHEMA_QUERY);
    side.request = (struct read_request){.name = "q", .query = query};
    bool documents = !(side.connector->capabilities & CAPABILITY_SQL_SCHEMA);
    if (!documents) {
        assert_int_equal(table.column_count, 2);
        assert_string_equal(table.columns[0].name, "value");
        assert_string_equal(table.columns[1].name, "id");
        side.request.columns = source_both_columns;
        side.request.column_count = 2;
    }
    check_ok(side.connector->source->cursor_open(side.reader, &side.request, NULL, &cursor, &error),
             &error, "cursor_open");
    check_ok(side.connector->source->cursor_next(cursor, 100, 1 << 20, &batch, &error), &error,
             "cursor_next");
    assert_int_equal(batch->row_count, 3);
    assert_int_equal(batch_row(batch, 2)[0].kind, documents ? VALUE_MAP : VALUE_INT64);
    batch_destroy(batch);
    side.connector->source->cursor_close(cursor);
    static const char *const wrong[] = {"SELECT * FROM nothing", "DELETE FROM things", "",
                                        "SELECT 1; DELETE FROM things"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (struct error){0};
        assert_int_equal(
            catalog->describe_query(side.database, wrong[i], side.arena, &table, &error),
            STATUS_FAILED);
        assert_true(error.code != ERROR_NONE && error.code != ERROR_INTERNAL);
    }
    source_close(&side);
    assert_int_equal(fixture_count(&fixture), 5);
    fixture_close(&fixture);
}

/* ---- checks */

static size_t check_lines(struct fixture *fixture)
{
    struct buffer lines = {0};
    fixture_check_table(fixture, &lines);
    size_t length = lines.length;
    assert_true(length == 0 || lines.data[length - 1] == '\n');
    assert_true(text_is_utf8(buffer_string(&lines), length));
    buffer_free(&lines);
    return length;
}

void contract_test_check_table(const struct contract_entry *entry)
{
    struct fixture fixture;
    char name[70000];
    fixture_open(&fixture, entry);
    assert_int_equal(check_lines(&fixture), 0);
    fixture.table.key.count = 0;
    fixture.shape.key_field_count = 0;
    if (fixture.target->capabilities & CAPABILITY_KEY_REQUIRED) {
        assert_true(check_lines(&fixture) > 0);
    }
    fixture.table.key.count = 1;
    fixture.shape.key_field_count = 1;
    uint32_t limit = fixture.target->limits.name_bytes_max;
    memset(name, 'x', sizeof name);
    if (limit > 0) {
        assert_true(limit + 1 < sizeof name);
        name[limit + 1] = '\0';
        fixture.table.name = name;
        assert_true(check_lines(&fixture) > 0);
        fixture.table.name = "things";
    }
    assert_false(scene_table_exists(&fixture));
    fixture_close(&fixture);
}

/* What the check lets pass can be made. */
void contract_test_long_names(const struct contract_entry *entry)
{
    static const uint32_t lengths[] = {63, 64, 128, 200, 240, 255, 256, 1000, 5000};
    char name[5001];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct fixture fixture;
        struct cell value = cell_text("v", 1);
        fixture_open(&fixture, entry);
        memset(name, 'x', sizeof name);
        name[lengths[i]] = '\0';
        fixture.table.name = name;
        if (check_lines(&fixture) == 0) {
            fixture_begin(&fixture);
            assert_int_equal(fixture_chunk(&fixture, 1, 0, 10, &value).written, 10);
            assert_int_equal(fixture_count(&fixture), 10);
        } else {
            assert_true(lengths[i] > 63 || fixture.target->limits.name_bytes_max < 63);
        }
        fixture_close(&fixture);
    }
}

/* Nobody has to say anything; what is said is lines of text, and is said again. */
void contract_test_caveats(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct source_side side;
    struct error error = {0};
    struct buffer lines[2] = {{0}, {0}};
    fixture_open(&fixture, entry);
    if (!fixture.target->connector->source->caveats) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    scene_write(&fixture, 1, 0, 5, "v");
    source_open(&fixture, &side);
    for (int i = 0; i < 2; i++) {
        check_ok(side.connector->source->caveats(side.database, &lines[i], &error), &error,
                 "caveats");
        assert_true(text_is_utf8(buffer_string(&lines[i]), lines[i].length));
        assert_true(lines[i].length == 0 || lines[i].data[lines[i].length - 1] == '\n');
    }
    assert_string_equal(buffer_string(&lines[0]), buffer_string(&lines[1]));
    buffer_free(&lines[0]);
    buffer_free(&lines[1]);
    source_close(&side);
    fixture_close(&fixture);
}

/* ---- spans that two databases share */

enum { SHARED_IDS = 64 };

/* The number of the span, from 1, that each id is in. */
static void note_spans(struct source_side *side, const struct span *spans, uint32_t span_count,
                       uint32_t numbers[SHARED_IDS])
{
    struct error error = {0};
    for (uint32_t i = 0; i < span_count; i++) {
        struct cursor *cursor;
        struct batch *batch;
        enum status status;
        check_ok(side->connector->source->cursor_open(side->reader, &side->request, &spans[i],
                                                      &cursor, &error),
                 &error, "cursor_open");
        while ((status = side->connector->source->cursor_next(cursor, 100, 1 << 20, &batch,
                                                              &error)) == STATUS_OK) {
            for (uint32_t row = 0; row < batch->row_count; row++) {
                int64_t id = batch_row(batch, row)[0].i64;
                assert_true(id >= 0 && id < SHARED_IDS);
                assert_int_equal(numbers[id], 0);
                numbers[id] = i + 1;
            }
            batch_destroy(batch);
        }
        assert_int_equal(status, STATUS_END);
        side->connector->source->cursor_close(cursor);
    }
}

void contract_test_shared_spans(const struct contract_entry *entry)
{
    struct fixture fixtures[2];
    struct source_side sides[2];
    struct error error = {0};
    struct span *spans;
    uint32_t span_count;
    uint32_t numbers[2][SHARED_IDS] = {{0}, {0}};
    const char *called[2];
    const char *column = NULL;
    if (!contract_connector(entry)->source->number_spans) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        fixture_open(&fixtures[i], entry);
        fixture_begin(&fixtures[i]);
        scene_write(&fixtures[i], 1, i * 7, 40, i == 0 ? "one" : "other");
        source_open(&fixtures[i], &sides[i]);
    }
    const struct source_functions *source = sides[0].connector->source;
    sides[0].request.by_key = true;
    check_ok(source->split(sides[0].database, &sides[0].request, 6, sides[0].arena, &spans,
                           &span_count, &error),
             &error, "split");
    for (int i = 0; i < 2; i++) {
        called[i] = source->number_spans(sides[i].database, &sides[i].request, &column);
        assert_non_null(called[i]);
        assert_string_equal(column, "id");
    }
    assert_string_equal(called[0], called[1]);
    note_spans(&sides[0], spans, span_count, numbers[0]);
    note_spans(&sides[1], spans, span_count, numbers[1]);
    for (int id = 0; id < 47; id++) {
        assert_true(id < 7 ? numbers[1][id] == 0 : numbers[1][id] > 0);
        assert_true(id >= 40 ? numbers[0][id] == 0 : numbers[0][id] > 0);
        if (id >= 7 && id < 40) {
            assert_int_equal(numbers[0][id], numbers[1][id]);
        }
    }
    struct read_request query = sides[1].request;
    query.table = NULL;
    query.query = "SELECT id, value FROM things";
    assert_null(source->number_spans(sides[1].database, &query, &column));
    for (int i = 0; i < 2; i++) {
        source_close(&sides[i]);
        fixture_close(&fixtures[i]);
    }
}

/* ---- counts */

/* Of a table all rows, of a query none: that has to be read. */
void contract_test_count(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct source_side side;
    struct error error = {0};
    int64_t rows = 0;
    if (contract_connector(entry)->source->count == NULL) {
        return;
    }
    fixture_open(&fixture, entry);
    fixture_begin(&fixture);
    scene_write(&fixture, 1, 0, 41, "v");
    source_open(&fixture, &side);
    check_ok(side.connector->source->count(side.database, &side.request, &rows, &error), &error,
             "count");
    assert_int_equal(rows, 41);
    struct read_request query = side.request;
    query.table = NULL;
    query.query = "SELECT id, value FROM things";
    check_ok(side.connector->source->count(side.database, &query, &rows, &error), &error, "count");
    assert_int_equal(rows, -1);
    struct read_request missing = side.request;
    missing.table = "nothing";
    assert_int_equal(side.connector->source->count(side.database, &missing, &rows, &error),
                     STATUS_FAILED);
    assert_true(error.code != ERROR_NONE && error.code != ERROR_INTERNAL);
    source_close(&side);
    fixture_close(&fixture);
}

/* ---- estimates */

void contract_test_load(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct buffer lines = {0};
    struct target_load loads[2] = {{.records = 0}, {.records = 0}};
    static char big[30000];
    fixture_open(&fixture, entry);
    const struct forecast_functions *forecast = connector_forecast(fixture.target->connector);
    if (!forecast->load_add) {
        fixture_close(&fixture);
        return;
    }
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 2; i++) {
        struct cell value = cell_text(big, i == 0 ? 10 : sizeof big);
        struct batch *batch = fixture_batch(&fixture, 0, 20, &value);
        for (uint32_t row = 0; row < 20; row++) {
            forecast->load_add(fixture.target, &fixture.table, &fixture.shape,
                               batch_row(batch, row), &loads[i]);
        }
        batch_destroy(batch);
    }
    assert_true(loads[0].bytes >= 20 * 10 && loads[1].bytes >= 20.0 * sizeof big);
    assert_true(loads[1].units >= loads[0].units);
    loads[0].records = 20;
    check_ok(forecast->load_describe(fixture.target, &fixture.table, loads, 1, &lines, &error),
             &error, "load_describe");
    assert_non_null(strstr(buffer_string(&lines), "things"));
    buffer_clear(&lines);
    loads[0].records = -1;
    check_ok(forecast->load_describe(fixture.target, &fixture.table, loads, 1, &lines, &error),
             &error, "load_describe of an unknown number");
    buffer_free(&lines);
    assert_false(scene_table_exists(&fixture));
    fixture_close(&fixture);
}

/* ---- records without a key */

void contract_test_delete_keyless(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct cell value = cell_text("v", 1);
    uint64_t deleted = 0;
    fixture_open(&fixture, entry);
    const struct target_functions *target = fixture.target->connector->target;
    fixture.table.key.count = 0;
    fixture.shape.key_field_count = 0;
    bool whole_calls = (fixture.target->capabilities & CAPABILITY_TRANSACTIONS) != 0;
    if (!target->delete_records || !whole_calls || check_lines(&fixture) > 0) {
        fixture_close(&fixture);
        return;
    }
    fixture_begin(&fixture);
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        assert_int_equal(fixture_chunk(&fixture, chunk, chunk < 3 ? 1 : 2, 1, &value).written, 1);
    }
    const struct cell whole[] = {cell_int64(1),     cell_text("v", 1), cell_int64(9),
                                 cell_text("v", 1), cell_int64(2),     cell_null()};
    for (uint64_t left = 2; left + 1 > 0; left--) {
        check_ok(target->delete_records(fixture.target, &fixture.table, whole, 3, &deleted, &error),
                 &error, "delete_records");
        assert_int_equal(deleted, left > 0 ? 1 : 0);
        assert_int_equal(fixture_count(&fixture), left > 0 ? left : 1);
    }
    fixture_close(&fixture);
}

/* ---- records without a partner */

/* Nothing refers to the table, whether it is there or not. */
void contract_test_partnerless(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct error error = {0};
    struct buffer out = {0};
    struct buffer unasked = {0};
    fixture_open(&fixture, entry);
    const struct sql_target_functions *sql_target = connector_sql_target(fixture.target->connector);
    for (int i = 0; sql_target->partnerless != NULL && i < 2; i++) {
        check_ok(sql_target->partnerless(fixture.target, &fixture.table, &out, &unasked, &error),
                 &error, "partnerless");
        assert_true(buffer_is_empty(&out) && buffer_is_empty(&unasked));
        if (i == 0) {
            fixture_begin(&fixture);
            scene_write(&fixture, 1, 0, 5, "v");
        }
    }
    buffer_free(&out);
    buffer_free(&unasked);
    fixture_close(&fixture);
}
