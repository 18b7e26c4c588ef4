/* Envelopes in reject lines: written only where they say something, and read back the same. */
#include "engine/formats/mended_line.h"
#include "engine/rejects/rejects.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

static const struct shape_field fields[] = {{"id", 2, {.kind = VALUE_INT64}},
                                            {"$v\"", 3, {.kind = VALUE_TEXT}}};
static const struct shape shape = {.name = "thing", .fields = fields, .field_count = 2};
static struct plan_entity entities[] = {
    {.number = 0, .name = "thing", .table = 0, .shape = &shape},
    {.number = 1, .name = "paper", .table = 1, .shape = &(const struct shape){.name = "paper"}}};
static struct plan_table tables[] = {{.target = {.name = "things"}},
                                     {.target = {.name = "papers"}}};
static const struct plan plan = {
    .entities = entities, .entity_count = 2, .tables = tables, .table_count = 2};

static void append(const struct record_envelope *envelope, struct buffer *line)
{
    struct error error;
    const struct cell cells[] = {cell_int64(7), cell_text("x", 1)};
    const struct reject reject = {.run_id = "run",
                                  .chunk = 3,
                                  .entity = "thing",
                                  .table = "things",
                                  .source = "s",
                                  .key = cells,
                                  .key_count = 1,
                                  .code = ERROR_REJECT_NUMBER,
                                  .reason = "why",
                                  .envelope = envelope,
                                  .envelope_shape = &shape,
                                  .shape = &shape,
                                  .cells = cells};
    line->length = 0;
    assert_int_equal(reject_append(&reject, NULL, line, &error), STATUS_OK);
}

/* What stands in the line between "reason" and "record". */
static void expect_members(const struct record_envelope *envelope, const char *expected)
{
    struct buffer line = {0};
    append(envelope, &line);
    const char *begin = strstr(buffer_string(&line), "\"why\"") + strlen("\"why\"");
    size_t length = (size_t)(strstr(begin, ",\"record\"") - begin);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(begin, expected, length);
    buffer_free(&line);
}

static const struct cell_times other_times[] = {{40, 7}, {-41, ENVELOPE_TTL_KEPT}};
static const struct cell_times same_times[] = {{40, 7}, {40, 7}};

static void only_what_is_set_is_written(void **state)
{
    (void)state;
    expect_members(NULL, "");
    expect_members(&(struct record_envelope){.attempt = 3}, "");
    expect_members(&(struct record_envelope){.operation = RECORD_UPDATE},
                   ",\"operation\":\"update\"");
    expect_members(&(struct record_envelope){.operation = RECORD_DELETE},
                   ",\"operation\":\"delete\"");
    expect_members(&(struct record_envelope){.write_time_us = INT64_MAX},
                   ",\"write_time\":9223372036854775807");
    expect_members(&(struct record_envelope){.ttl_seconds = ENVELOPE_TTL_KEPT}, ",\"ttl\":-1");
    expect_members(&(struct record_envelope){.position = {(const uint8_t *)"\0\xff", 2}},
                   ",\"position\":\"AP8=\"");
    expect_members(
        &(struct record_envelope){.write_time_us = 40, .ttl_seconds = 7, .cell_times = other_times},
        ",\"write_time\":40,\"ttl\":7,"
        "\"cell_times\":{\"$v\\\"\":{\"write_time\":-41,\"ttl\":-1}}");
    expect_members(
        &(struct record_envelope){.write_time_us = 40, .ttl_seconds = 7, .cell_times = same_times},
        ",\"write_time\":40,\"ttl\":7");
}

static void expect_equal(const struct record_envelope *got, const struct record_envelope *wanted)
{
    assert_int_equal(got->operation, wanted->operation);
    assert_int_equal(got->write_time_us, wanted->write_time_us);
    assert_int_equal(got->ttl_seconds, wanted->ttl_seconds);
    assert_int_equal(got->position.length, wanted->position.length);
    if (wanted->position.length > 0) {
        assert_memory_equal(got->position.bytes, wanted->position.bytes, wanted->position.length);
    }
    assert_int_equal(got->cell_times != NULL, wanted->cell_times != NULL);
    for (int i = 0; i < 2 && wanted->cell_times != NULL; i++) {
        assert_int_equal(got->cell_times[i].write_time_us, wanted->cell_times[i].write_time_us);
        assert_int_equal(got->cell_times[i].ttl_seconds, wanted->cell_times[i].ttl_seconds);
    }
}

/* It would be written as a record. */
static void a_delete_is_not_loaded(void **state)
{
    (void)state;
    struct error error;
    struct mended_line mended;
    struct buffer line = {0};
    append(&(struct record_envelope){.operation = RECORD_DELETE}, &line);
    assert_int_equal(mended_line_check(&plan, line.data, line.length, &mended, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TYPE);
    assert_non_null(strstr(error.message, "delete"));
    buffer_free(&line);
}

/* Between lines without any: those have plain envelopes. */
static void what_was_written_comes_back(void **state)
{
    (void)state;
    static const struct record_envelope all[] = {
        {0},
        {.operation = RECORD_UPDATE, .position = {(const uint8_t *)"\0\x01\xff", 3}},
        {.write_time_us = INT64_MIN, .ttl_seconds = INT64_MAX},
        {0},
        {.ttl_seconds = ENVELOPE_TTL_KEPT, .cell_times = other_times},
        {.write_time_us = 40, .ttl_seconds = 7, .cell_times = other_times},
        {.write_time_us = -41, .ttl_seconds = 7, .cell_times = other_times},
        {0}};
    enum { COUNT = sizeof(all) / sizeof(all[0]) };
    struct error error;
    struct buffer line = {0};
    struct batch *batch = batch_create(&shape, 2 + MENDED_EXTRA_CELLS, 2);
    for (int i = 0; i < COUNT; i++) {
        struct mended_line mended;
        append(&all[i], &line);
        assert_int_equal(mended_line_check(&plan, line.data, line.length, &mended, &error),
                         STATUS_OK);
        assert_int_equal(mended_line_append(line.data, line.length, batch, &error), STATUS_OK);
    }
    buffer_free(&line);
    assert_int_equal(batch->row_count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(batch_row(batch, i)[0].i64, 7);
        expect_equal(&batch->envelopes[i], &all[i]);
    }
    batch_destroy(batch);
}

static void lines_without_any_make_no_envelopes(void **state)
{
    (void)state;
    struct error error;
    struct buffer line = {0};
    struct batch *batch = batch_create(&shape, 2 + MENDED_EXTRA_CELLS, 2);
    append(NULL, &line);
    assert_int_equal(mended_line_append(line.data, line.length, batch, &error), STATUS_OK);
    assert_null(batch->envelopes);
    buffer_free(&line);
    batch_destroy(batch);
}

/* A member may stand before those whose values it takes; fields that it leaves out have the
 * record's own times. */
static void members_by_hand(void **state)
{
    (void)state;
    static const char text[] =
        "{\"cell_times\":{\"id\":{\"ttl\":0},\"$v\\\"\":{}},\"ttl\":5,\"operation\":\"insert\","
        "\"position\":\"\",\"entity\":\"thing\",\"table\":\"things\",\"record\":{},"
        "\"write_time\":9}";
    static const struct cell_times times[] = {{9, 0}, {9, 5}};
    static const struct record_envelope wanted = {
        .write_time_us = 9, .ttl_seconds = 5, .cell_times = times};
    struct error error;
    struct mended_line mended;
    struct batch *batch = batch_create(&shape, 2 + MENDED_EXTRA_CELLS, 2);
    assert_int_equal(mended_line_check(&plan, text, strlen(text), &mended, &error), STATUS_OK);
    assert_int_equal(mended_line_append(text, strlen(text), batch, &error), STATUS_OK);
    expect_equal(&batch->envelopes[0], &wanted);
    batch_destroy(batch);
}

static void wrong_members_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        enum error_code code;
        const char *says;
    } cases[] = {
        {"\"operation\":\"upsert\"", ERROR_REJECT_UNREADABLE, "\"operation\" is none of"},
        {"\"operation\":2", ERROR_REJECT_UNREADABLE, "\"operation\" is none of"},
        {"\"operation\":null", ERROR_REJECT_UNREADABLE, "\"operation\" is none of"},
        {"\"write_time\":1.5", ERROR_REJECT_UNREADABLE, "\"write_time\" is no whole number"},
        {"\"write_time\":\"now\"", ERROR_REJECT_UNREADABLE, "\"write_time\" is no whole number"},
        {"\"write_time\":9223372036854775808", ERROR_REJECT_UNREADABLE, "\"write_time\" is no"},
        {"\"ttl\":-2", ERROR_REJECT_UNREADABLE, "\"ttl\" is no whole number"},
        {"\"ttl\":{\"$uint64\":\"5\"}", ERROR_REJECT_UNREADABLE, "\"ttl\" is no whole number"},
        {"\"position\":\"AP8\"", ERROR_REJECT_UNREADABLE, "\"position\" is no base64"},
        {"\"position\":7", ERROR_REJECT_UNREADABLE, "\"position\" is no base64"},
        {"\"cell_times\":[1]", ERROR_REJECT_UNREADABLE, "\"cell_times\" is no object"},
        {"\"cell_times\":{\"$map\":[[1,2]]}", ERROR_REJECT_TYPE, "no field '$map'"},
        {"\"cell_times\":{\"other\":{}}", ERROR_REJECT_TYPE, "no field 'other'"},
        {"\"cell_times\":{\"id\":5}", ERROR_REJECT_UNREADABLE, "\"cell_times\" has a field"},
        {"\"cell_times\":{\"id\":{\"tll\":5}}", ERROR_REJECT_UNREADABLE, "has a field"},
        {"\"cell_times\":{\"id\":{\"ttl\":-3}}", ERROR_REJECT_UNREADABLE, "\"ttl\" is no"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        struct mended_line mended;
        char line[256];
        int length = snprintf(line, sizeof(line),
                              "{%s,\"entity\":\"thing\",\"table\":\"things\",\"record\":{}}",
                              cases[i].member);
        assert_int_equal(mended_line_check(&plan, line, (size_t)length, &mended, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, cases[i].code);
        assert_non_null(strstr(error.message, cases[i].says));
    }
}

static void documents_have_no_cell_times(void **state)
{
    (void)state;
    static const char good[] =
        "{\"entity\":\"paper\",\"table\":\"papers\",\"record\":{},\"ttl\":5}";
    static const char bad[] = "{\"entity\":\"paper\",\"table\":\"papers\",\"record\":{\"id\":1},"
                              "\"cell_times\":{\"id\":{\"ttl\":5}}}";
    struct error error;
    struct mended_line mended;
    struct batch *batch = batch_create(NULL, 1 + MENDED_EXTRA_CELLS, 1);
    assert_int_equal(mended_line_check(&plan, good, strlen(good), &mended, &error), STATUS_OK);
    assert_int_equal(mended_line_append(good, strlen(good), batch, &error), STATUS_OK);
    assert_int_equal(batch->envelopes[0].ttl_seconds, 5);
    assert_int_equal(mended_line_check(&plan, bad, strlen(bad), &mended, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TYPE);
    batch_destroy(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_set_is_written),
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(a_delete_is_not_loaded),
        cmocka_unit_test(lines_without_any_make_no_envelopes),
        cmocka_unit_test(members_by_hand),
        cmocka_unit_test(wrong_members_are_refused),
        cmocka_unit_test(documents_have_no_cell_times),
    };
    return cmocka_run_group_tests_name("reject_envelope", tests, NULL, NULL);
}
