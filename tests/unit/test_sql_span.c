/* Spans of SQL tables: bounds as bytes and back, and as words. */
#include "connectors/sql/span.h"
#include "support_arena.h"
#include <stdlib.h>
#include <string.h>

static struct error error;

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static struct sql_bounds key_range(void)
{
    return (struct sql_bounds){.by_key = true,
                               .has_low = true,
                               .has_high = true,
                               .parts = 2,
                               .low = {text_of("a"), text_of("")},
                               .high = {text_of("b"), {"x\0y", 3}}};
}

static struct span span_of(struct buffer *bytes)
{
    return (struct span){.printable = "a span",
                         .bounds = (const uint8_t *)bytes->data,
                         .bounds_length = (uint32_t)bytes->length};
}

static void assert_values(const struct text *left, const struct text *right, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        assert_int_equal(left[i].length, right[i].length);
        assert_memory_equal(left[i].data, right[i].data, left[i].length);
    }
}

static void assert_comes_back(const struct sql_bounds *bounds)
{
    struct buffer bytes = {0};
    struct sql_bounds again;
    sql_span_encode(bounds, &bytes);
    const struct span span = span_of(&bytes);
    assert_int_equal(sql_span_decode(&span, &again, &error), STATUS_OK);
    assert_int_equal(again.by_key, bounds->by_key);
    assert_int_equal(again.has_low, bounds->has_low);
    assert_int_equal(again.has_high, bounds->has_high);
    assert_int_equal(again.parts, bounds->parts);
    assert_values(again.low, bounds->low, bounds->has_low ? bounds->parts : 0);
    assert_values(again.high, bounds->high, bounds->has_high ? bounds->parts : 0);
    assert_int_equal(again.low_block, bounds->low_block);
    assert_int_equal(again.high_block, bounds->high_block);
    buffer_free(&bytes);
}

static void bounds_come_back(void **state)
{
    (void)state;
    struct sql_bounds bounds = key_range();
    assert_comes_back(&bounds);
    bounds.has_low = false;
    assert_comes_back(&bounds);
    bounds.has_high = false;
    assert_comes_back(&bounds);
    const struct sql_bounds blocks = {
        .has_low = true, .has_high = true, .low_block = 0x01020304, .high_block = UINT32_MAX};
    assert_comes_back(&blocks);
}

static void the_bytes_are_those_of_older_ledgers(void **state)
{
    (void)state;
    static const char key[] = "\1k\3\2\1\0\0\0a\0\0\0\0\1\0\0\0b\3\0\0\0x\0y";
    static const char blocks[] = "\1c\2\0\0\0\0\0\4\3\2\1";
    struct sql_bounds bounds = key_range();
    struct buffer bytes = {0};
    sql_span_encode(&bounds, &bytes);
    assert_int_equal(bytes.length, sizeof key - 1);
    assert_memory_equal(bytes.data, key, sizeof key - 1);
    buffer_clear(&bytes);
    bounds = (struct sql_bounds){.has_high = true, .high_block = 0x01020304};
    sql_span_encode(&bounds, &bytes);
    assert_int_equal(bytes.length, sizeof blocks - 1);
    assert_memory_equal(bytes.data, blocks, sizeof blocks - 1);
    buffer_free(&bytes);
}

static void no_bytes_are_everything(void **state)
{
    (void)state;
    static const struct sql_bounds all;
    struct span span = {.printable = "all"};
    struct sql_bounds bounds = key_range();
    assert_int_equal(sql_span_decode(&span, &bounds, &error), STATUS_OK);
    assert_memory_equal(&bounds, &all, sizeof all);
    bounds = key_range();
    assert_int_equal(sql_span_decode(NULL, &bounds, &error), STATUS_OK);
    assert_memory_equal(&bounds, &all, sizeof all);
}

static void assert_refused(const void *bytes, size_t length)
{
    /* of its own size, so that a read beyond it is seen */
    uint8_t *copy = malloc(length);
    const struct span span = {
        .printable = "key a..b", .bounds = copy, .bounds_length = (uint32_t)length};
    struct sql_bounds bounds;
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    error_clear(&error);
    assert_int_equal(sql_span_decode(&span, &bounds, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    assert_string_equal(error.object, "key a..b");
    free(copy);
}

static void bytes_that_are_not_ours_are_refused(void **state)
{
    (void)state;
    struct sql_bounds bounds = key_range();
    struct sql_bounds blocks = {.has_low = true, .low_block = 7};
    struct buffer bytes = {0};
    for (int round = 0; round < 2; round++) {
        buffer_clear(&bytes);
        sql_span_encode(round == 0 ? &bounds : &blocks, &bytes);
        for (size_t length = 1; length < bytes.length; length++) {
            assert_refused(bytes.data, length);
        }
        buffer_append_byte(&bytes, 0);
        assert_refused(bytes.data, bytes.length);
    }
    assert_refused("\2k\0\0", 4);
    assert_refused("\1x\0\0", 4);
    assert_refused("\1k\0\41", 4);
    assert_refused("\1k\1\1\377\377\377\377a", 9);
    buffer_free(&bytes);
}

/* ---------------------------------------------------------------- lists */

static void add(struct sql_spans *spans, const struct sql_bounds *bounds, int64_t rows)
{
    assert_int_equal(sql_span_add(spans, bounds, rows), STATUS_OK);
}

static void people_read_where_spans_begin_and_end(void **state)
{
    (void)state;
    static const char *const words[] = {"all",       "key a, ..b, x\\x00y", "key up to b, x\\x00y",
                                        "all",       "blocks up to 5",      "blocks 3..5",
                                        "blocks 3.."};
    static const char *const last[] = {NULL, "b, x\\x00y", "b, x\\x00y", NULL, NULL, NULL, NULL};
    struct sql_spans spans = {.arena = arena, .shown = "db", .error = &error};
    struct sql_bounds key = key_range();
    struct sql_bounds blocks = {.low_block = 3, .high_block = 5};
    struct span *made = NULL;
    uint32_t count = 0;

    add(&spans, &blocks, -1);
    add(&spans, &key, 12);
    key.has_low = false;
    add(&spans, &key, 12);
    key.has_high = false;
    add(&spans, &key, 12);
    blocks.has_high = true;
    add(&spans, &blocks, 12);
    blocks.has_low = true;
    add(&spans, &blocks, 12);
    blocks.has_high = false;
    add(&spans, &blocks, 12);
    assert_int_equal(sql_spans_end(&spans, STATUS_OK, &made, &count), STATUS_OK);
    assert_int_equal(count, sizeof words / sizeof words[0]);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(made[i].printable, words[i]);
        assert_string_equal(made[i].last_id != NULL ? made[i].last_id : "none",
                            last[i] != NULL ? last[i] : "none");
        assert_int_equal(made[i].row_estimate, i == 0 ? -1 : 12);
    }
}

static void a_list_that_failed_is_not_handed_over(void **state)
{
    (void)state;
    struct sql_spans spans = {.arena = arena, .shown = "db", .error = &error};
    const struct sql_bounds all = {0};
    struct span *made = NULL;
    uint32_t count = 0;
    add(&spans, &all, -1);
    assert_int_equal(sql_spans_end(&spans, STATUS_FAILED, &made, &count), STATUS_FAILED);
    assert_null(made);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_come_back),
        cmocka_unit_test(the_bytes_are_those_of_older_ledgers),
        cmocka_unit_test(no_bytes_are_everything),
        cmocka_unit_test(bytes_that_are_not_ours_are_refused),
        cmocka_unit_test(people_read_where_spans_begin_and_end),
        cmocka_unit_test(a_list_that_failed_is_not_handed_over),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
