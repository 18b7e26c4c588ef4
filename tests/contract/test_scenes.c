/* More scenes: keys that come twice, the express lane, objects beside tables. */
#include "base/buffer.h"
#include "connectors/contract/defaults.h"
#include "scene.h"
#include <stdio.h>

static const char first_run[] = "20260101T000000Z-first";

/* ---- settle_duplicates */

static bool settle_prepare(struct fixture *fixture)
{
    if (!fixture_settles(fixture)) {
        return false;
    }
    scene_begin_run(fixture, first_run, EXISTING_REFUSE);
    scene_write(fixture, 1, 0, 10, "low");
    scene_write(fixture, 2, 5, 10, "high");
    scene_write(fixture, 3, 8, 4, "higher");
    scene_end_run(fixture);
    return true;
}

static enum status settle_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                                const struct cell *key, uint32_t key_count,
                                const struct cell *record, enum duplicate_kind kind,
                                struct error *error)
{
    struct fixture *fixture = context;
    const struct target_functions *target = fixture->target->connector->target;
    (void)entity;
    (void)ordinal;
    (void)record;
    assert_int_equal(key_count, 1);
    if (kind == DUPLICATE_STAYS) {
        struct cell value = cell_text(key->i64 < 10 ? "low" : "high", key->i64 < 10 ? 3 : 4);
        struct batch *batch = fixture_batch(fixture, key->i64, 1, &value);
        check_ok(target->restore(fixture->target, &fixture->table, batch, 0, error), error,
                 "restore");
        batch_destroy(batch);
    } else {
        assert_true(chunk > 1);
    }
    return STATUS_OK;
}

static void settle_act(struct fixture *fixture)
{
    struct error error = {0};
    fixture->table.created = true;
    check_ok(fixture->target->connector->target->settle_duplicates(fixture->target, &fixture->table,
                                                                   settle_found, fixture, &error),
             &error, "settle");
}

static void settle_check(struct fixture *fixture)
{
    scene_check_records(fixture, "0=low 1=low 2=low 3=low 4=low 5=low 6=low 7=low 8=low 9=low "
                                 "10=high 11=high 12=high 13=high 14=high");
}

void contract_test_settle_kills(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "settle_duplicates",
                                       .prepare = settle_prepare,
                                       .act = settle_act,
                                       .check = settle_check};
    scene_play(entry, &scene);
}

/* ---- the express lane */

static struct fixture express_source; /* of the scene under way */

static bool express_prepare(struct fixture *fixture)
{
    if (!fixture->target->connector->express) {
        return false;
    }
    fixture_open(&express_source, fixture->entry);
    scene_begin_run(&express_source, first_run, EXISTING_REFUSE);
    scene_write(&express_source, 1, 0, 30, "v");
    scene_end_run(&express_source);
    fixture_leave(&express_source);
    scene_begin_run(fixture, first_run, EXISTING_REFUSE);
    scene_end_run(fixture);
    return true;
}

static void pull(struct fixture *fixture, struct database *source,
                 const struct read_request *request, const struct span *span, uint64_t chunk)
{
    struct error error = {0};
    struct done_mark mark;
    uint64_t rows = 0;
    const struct connector *connector = fixture->target->connector;
    enum status status =
        ledger_done(fixture->ledger, fixture->run_id, chunk, fixture->arena, &mark, &error);
    if (status == STATUS_OK) {
        return;
    }
    assert_int_equal(status, STATUS_END);
    check_ok(connector->target->chunk_begin(fixture->writer, chunk, 1, &error), &error,
             "chunk_begin");
    check_ok(
        connector->express->chunk(fixture->writer, source, chunk, request, span, 0, &rows, &error),
        &error, "express_chunk");
    assert_true(rows <= 30);
    fixture_commit(fixture, chunk, "{\"done\":true}");
    assert_int_equal(fixture->target->report.pulled_rows, 0);
}

static void express_act(struct fixture *fixture)
{
    static const struct read_column columns[] = {{-1, "id", false}, {-1, "value", false}};
    const struct read_request request = {
        .name = "things", .table = "things", .columns = columns, .column_count = 2};
    const struct connector *connector = fixture->target->connector;
    struct error error = {0};
    struct uri *uri;
    const struct connector *same;
    struct database *source;
    const char *token;
    struct schema *schema = NULL;
    struct span *spans;
    uint32_t span_count;
    check_ok(registry_resolve(express_source.uri_text, fixture->arena, &uri, &same, &error), &error,
             "resolve");
    struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    check_ok(connector->open(&options, &source, &error), &error, "open as source");
    assert_true(connector->express->accepts(fixture->target, source));
    source->pulled = true;
    check_ok(connector->source->snapshot(source, 1, fixture->arena, &token, &error), &error,
             "snapshot");
    check_ok(connector->catalog->describe(source, &schema, &error), &error, "describe");
    fixture->table.same_engine = schema_find_table(schema, "things");
    assert_non_null(fixture->table.same_engine);
    check_ok(
        connector->source->split(source, &request, 10, fixture->arena, &spans, &span_count, &error),
        &error, "split");
    assert_true(span_count >= 1 && span_count <= CONTRACT_CHUNKS);
    check_ok(connector->target->writer_open(fixture->target, &fixture->table, 1, fixture->epoch,
                                            &fixture->writer, &error),
             &error, "writer_open");
    for (uint32_t i = 0; i < span_count; i++) {
        pull(fixture, source, &request, &spans[i], i + 1);
    }
    connector->target->writer_close(fixture->writer);
    fixture->writer = NULL;
    fixture->table.same_engine = NULL;
    if (schema) {
        arena_destroy(schema->arena);
    }
    connector->close(source);
}

static void express_check(struct fixture *fixture)
{
    char expected[256] = "";
    size_t length = 0;
    for (int id = 0; id < 30; id++) {
        length += (size_t)snprintf(expected + length, sizeof expected - length, "%s%d=v",
                                   id > 0 ? " " : "", id);
    }
    scene_check_records(fixture, expected);
    fixture_open_again(&express_source);
    fixture_close(&express_source);
}

void contract_test_express(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "express_chunk",
                                       .prepare = express_prepare,
                                       .act = express_act,
                                       .check = express_check};
    scene_play(entry, &scene);
}

/* ---- views and the like */

static const struct schema_object views[] = {
    {.kind = SCHEMA_OBJECT_VIEW,
     .stage = SCHEMA_AFTER_LOAD,
     .name = "first_view",
     .what = "view",
     .native_drop = "DROP VIEW first_view",
     .native_sql = "CREATE VIEW first_view AS SELECT id FROM things"},
    {.kind = SCHEMA_OBJECT_VIEW,
     .stage = SCHEMA_AFTER_LOAD,
     .name = "second_view",
     .what = "view",
     .native_drop = "DROP VIEW second_view",
     .native_sql = "CREATE VIEW second_view AS SELECT value FROM things"},
};
static const struct schema objects = {.objects = views, .object_count = 2};

static uint32_t count_views(const struct fixture *fixture)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct uri *uri;
    const struct connector *connector;
    struct database *source;
    struct schema *schema = NULL;
    uint32_t count = 0;
    check_ok(registry_resolve(fixture->uri_text, arena, &uri, &connector, &error), &error,
             "resolve");
    struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    check_ok(connector->open(&options, &source, &error), &error, "open as source");
    check_ok(connector->catalog->describe(source, &schema, &error), &error, "describe");
    for (uint32_t i = 0; i < schema->object_count; i++) {
        count += schema->objects[i].kind == SCHEMA_OBJECT_VIEW;
    }
    arena_destroy(schema->arena);
    connector->close(source);
    arena_destroy(arena);
    return count;
}

static bool objects_prepare(struct fixture *fixture)
{
    struct error error = {0};
    struct buffer lines = {0};
    const struct connector *connector = fixture->target->connector;
    if (!connector->rollback || !connector->rollback->remove_objects || !connector->alter ||
        (connector->alter->languages & (1u << ALTER_SQL)) ==
            0) { /* without statements there are no views, but aliases or the like */
        return false;
    }
    scene_begin_run(fixture, first_run, EXISTING_REFUSE);
    scene_write(fixture, 1, 0, 2, "v");
    if (connector_sql_target(connector)->check_objects) {
        check_ok(connector_sql_target(connector)->check_objects(fixture->target, &objects, &lines,
                                                                &error),
                 &error, "check_objects");
        assert_int_equal(lines.length, 0);
    }
    check_ok(connector->target->after_load(fixture->target,
                                           &(struct after_load_request){.tables = &fixture->table,
                                                                        .table_count = 1,
                                                                        .objects = &objects},
                                           &error),
             &error, "after_load");
    assert_int_equal(count_views(fixture), 2);
    scene_end_run(fixture);
    return true;
}

static void objects_act(struct fixture *fixture)
{
    struct error error = {0};
    struct buffer told = {0};
    struct buffer done = {0};
    const struct rollback_functions *rollback = fixture->target->connector->rollback;
    uint32_t before = count_views(fixture);
    check_ok(rollback->remove_objects(fixture->target, true, &told, &error), &error,
             "remove_objects, dry run");
    assert_int_equal(count_views(fixture), before);
    check_ok(rollback->remove_objects(fixture->target, false, &done, &error), &error,
             "remove_objects");
    assert_string_equal(buffer_string(&told), buffer_string(&done));
    uint32_t named = (strstr(buffer_string(&told), "first_view\n") != NULL) +
                     (strstr(buffer_string(&told), "second_view\n") != NULL);
    assert_true(before == 0 || named == before); /* without transactions one may be gone */
    buffer_free(&told);
    buffer_free(&done);
}

static void objects_check(struct fixture *fixture)
{
    assert_int_equal(count_views(fixture), 0);
    scene_check_records(fixture, "0=v 1=v");
}

void contract_test_objects(const struct contract_entry *entry)
{
    static const struct scene scene = {.name = "remove_objects",
                                       .prepare = objects_prepare,
                                       .act = objects_act,
                                       .check = objects_check};
    scene_play(entry, &scene);
}
