/* BSON: values written and read again, bytes that are none, filters of ranges. */
/* cmocka.h needs the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "connectors/mongodb/mongodb.h"
#include <math.h>
#include <string.h>

static void write_one(const struct cell *cell, struct buffer *bytes)
{
    struct error error;
    size_t begin = mongodb_write_begin(bytes);
    assert_int_equal(mongodb_write_cell(bytes, "v", 1, cell, MONGODB_DEPTH_MAX, &error), STATUS_OK);
    mongodb_write_end(bytes, begin);
}

/* The type of BSON that the value has. */
static uint8_t there_and_back(const struct cell *cell, struct arena *arena, struct cell *again)
{
    struct buffer bytes = {0};
    struct error error;
    struct mongodb_element element;
    write_one(cell, &bytes);
    assert_int_equal(mongodb_find((const uint8_t *)bytes.data, bytes.length, "v", &element, &error),
                     STATUS_OK);
    assert_int_equal(mongodb_read_cell(&element, arena, MONGODB_DEPTH_MAX, again, &error),
                     STATUS_OK);
    buffer_free(&bytes);
    return element.type;
}

static void test_values(void **state)
{
    (void)state;
    const struct cell items[] = {cell_int64(1), cell_text("a", 1)};
    const struct cell pairs[] = {cell_text("x.y", 3), cell_null(), cell_text("", 0), cell_bool(1)};
    const struct {
        struct cell cell;
        uint8_t type;
    } cases[] = {
        {cell_int64(5), BSON_TYPE_INT32},
        {cell_int64(INT32_MIN), BSON_TYPE_INT32},
        {cell_int64((int64_t)INT32_MAX + 1), BSON_TYPE_INT64},
        {{.kind = VALUE_INT64, .aux = BSON_TYPE_INT64, .i64 = 5}, BSON_TYPE_INT64},
        {cell_float64(-0.0), BSON_TYPE_DOUBLE},
        {cell_float64(INFINITY), BSON_TYPE_DOUBLE},
        {{.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 2, .i64 = 10}, BSON_TYPE_DECIMAL128},
        {{.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 18, .i64 = -123456789012345678},
         BSON_TYPE_DECIMAL128},
        {{.kind = VALUE_DECIMAL, .length = 35, .text = "-1234567890123456789012345678901.23"},
         BSON_TYPE_DECIMAL128},
        {cell_text("caf\xc3\xa9\0x", 7), BSON_TYPE_UTF8},
        {{.kind = VALUE_TEXT,
          .aux = BSON_TYPE_OID,
          .length = 24,
          .text = "507f1f77bcf86cd799439011"},
         BSON_TYPE_OID},
        {cell_text("507f1f77bcf86cd799439011", 24), BSON_TYPE_UTF8},
        {cell_bytes("\0\xff", 2), BSON_TYPE_BINARY},
        {{.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = -1000}, BSON_TYPE_DATE_TIME},
        {cell_items(VALUE_LIST, items, 2), BSON_TYPE_ARRAY},
        {cell_items(VALUE_MAP, pairs, 2), BSON_TYPE_DOCUMENT},
        {cell_null(), BSON_TYPE_NULL},
    };
    struct arena *arena = arena_create(0);
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        struct cell again;
        assert_int_equal(there_and_back(&cases[at].cell, arena, &again), cases[at].type);
        assert_true(value_equal(&cases[at].cell, &again));
    }
    arena_destroy(arena);
}

/* What only MongoDB has comes as extended JSON, and becomes the same bytes again. */
static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        const char *value;
        uint32_t length;
        const char *text;
    } cases[] = {
        {BSON_TYPE_TIMESTAMP, "\6\0\0\0\5\0\0\0", 8,
         "{ \"$timestamp\" : { \"t\" : 5, \"i\" : 6 } }"},
        {BSON_TYPE_MINKEY, "", 0, "{ \"$minKey\" : 1 }"},
        {BSON_TYPE_UNDEFINED, "", 0, "{ \"$undefined\" : true }"},
        {BSON_TYPE_REGEX, "^a\0i", 5,
         "{ \"$regularExpression\" : { \"pattern\" : \"^a\", \"options\" : \"i\" } }"},
        {BSON_TYPE_DATE_TIME, "\0\0\0\0\0\0\0\x40", 8,
         "{ \"$date\" : { \"$numberLong\" : \"4611686018427387904\" } }"},
        {BSON_TYPE_DECIMAL128, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\xb0", 16,
         "{ \"$numberDecimal\" : \"-0\" }"},
    };
    struct arena *arena = arena_create(0);
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        struct error error;
        struct cell cell;
        struct buffer bytes = {0};
        struct mongodb_element again;
        const struct mongodb_element element = {.type = cases[at].type,
                                                .value = (const uint8_t *)cases[at].value,
                                                .value_length = cases[at].length};
        assert_int_equal(mongodb_read_cell(&element, arena, 10, &cell, &error), STATUS_OK);
        assert_int_equal(cell.kind, VALUE_TEXT);
        assert_int_equal(cell.aux, cases[at].type);
        assert_int_equal(cell.length, strlen(cases[at].text));
        assert_memory_equal(cell.bytes, cases[at].text, cell.length);
        write_one(&cell, &bytes);
        assert_int_equal(
            mongodb_find((const uint8_t *)bytes.data, bytes.length, "v", &again, &error),
            STATUS_OK);
        assert_int_equal(again.type, element.type);
        assert_int_equal(again.value_length, element.value_length);
        assert_memory_equal(again.value, element.value, element.value_length);
        buffer_free(&bytes);
    }
    arena_destroy(arena);
}

static void test_refused(void **state)
{
    (void)state;
    const struct cell cases[] = {
        {.kind = VALUE_DECIMAL, .length = 35, .text = "12345678901234567890123456789012345"},
        {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1},
        {.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY},
        {.kind = VALUE_ESCAPE, .aux = ESCAPE_POSTGRES, .length = 1, .bytes = (const uint8_t *)"x"}};
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        struct buffer bytes = {0};
        struct error error;
        assert_int_equal(mongodb_write_cell(&bytes, "v", 1, &cases[at], 10, &error), STATUS_FAILED);
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
        buffer_free(&bytes);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {{"", 0},
                 {"\5\0\0\0", 4},
                 {"\5\0\0\0\1", 5},
                 {"\6\0\0\0\0\0", 6},
                 {"\x0c\0\0\0\x10v\0\1\0\0\0\1", 12},
                 {"\x0c\0\0\0\x02v\0\xff\xff\xff\x7f\0", 12},
                 {"\x0d\0\0\0\x02v\0\1\0\0\0x\0", 13},
                 {"\x08\0\0\0\x63v\0\0", 8}};
    struct arena *arena = arena_create(0);
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        struct error error;
        struct cell map;
        bool good = mongodb_read_document((const uint8_t *)cases[at].bytes, cases[at].length, NULL,
                                          arena, &map, &error) == STATUS_OK;
        assert_true(!good || map.length == 0);
    }
    arena_destroy(arena);
}

/* Two keys that the server takes for one have the same bytes. */
static void test_keys(void **state)
{
    (void)state;
    static const char *const names[] = {"k"};
    const struct target_table table = {.name = "t", .key = {names, 1}};
    const struct cell equal[] = {cell_int64(2),
                                 cell_float64(2),
                                 {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 2, .i64 = 200},
                                 {.kind = VALUE_INT64, .aux = BSON_TYPE_INT64, .i64 = 2}};
    struct arena *arena = arena_create(0);
    struct buffer first = {0};
    struct error error;
    struct cell again;
    assert_int_equal(mongodb_key_bytes(NULL, &table, &equal[0], &first, &error), STATUS_OK);
    assert_true(
        mongodb_key_read(NULL, &table, (const uint8_t *)first.data, first.length, arena, &again));
    assert_true(value_equal(&again, &equal[0]));
    for (size_t at = 1; at < sizeof(equal) / sizeof(*equal); at++) {
        struct buffer other = {0};
        assert_int_equal(mongodb_key_bytes(NULL, &table, &equal[at], &other, &error), STATUS_OK);
        assert_int_equal(other.length, first.length);
        assert_memory_equal(other.data, first.data, first.length);
        buffer_free(&other);
    }
    buffer_free(&first);
    arena_destroy(arena);
}

static char *filter_of(const struct cell *low, const struct cell *high)
{
    struct buffer bytes[2] = {{0}, {0}};
    struct mongodb_element elements[2];
    struct buffer filter = {0};
    struct error error;
    bson_t view;
    const struct cell *const cells[] = {low, high};
    for (int at = 0; at < 2; at++) {
        if (cells[at] != NULL) {
            write_one(cells[at], &bytes[at]);
            assert_int_equal(mongodb_find((const uint8_t *)bytes[at].data, bytes[at].length, "v",
                                          &elements[at], &error),
                             STATUS_OK);
        }
    }
    assert_int_equal(mongodb_span_filter(low != NULL ? &elements[0] : NULL,
                                         high != NULL ? &elements[1] : NULL, &filter, &error),
                     STATUS_OK);
    mongodb_write_view(&filter, &view);
    char *json = bson_as_relaxed_extended_json(&view, NULL);
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
    buffer_free(&filter);
    return json;
}

static void test_filters(void **state)
{
    (void)state;
    const struct cell number = cell_int64(5);
    const struct cell text = cell_text("m", 1);
    const struct {
        const struct cell *low;
        const struct cell *high;
        const char *filter;
    } cases[] = {
        {NULL, NULL, "{ }"},
        {&number, &number, "{ \"$or\" : [ { \"_id\" : { \"$gte\" : 5, \"$lt\" : 5 } } ] }"},
        {&number, &text,
         "{ \"$or\" : [ { \"_id\" : { \"$gte\" : 5 } }, { \"_id\" : { \"$lt\" : \"m\" } } ] }"},
        {NULL, &number,
         "{ \"$or\" : [ { \"_id\" : { \"$type\" : [ -1, 6, 10 ] } }, { \"_id\" : { \"$lt\" : 5 } }, "
         "{ \"_id\" : { \"$numberDouble\" : \"NaN\" } } ] }"},
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        char *found = filter_of(cases[at].low, cases[at].high);
        assert_string_equal(found, cases[at].filter);
        bson_free(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
