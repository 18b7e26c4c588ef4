/* The DynamoDB item codec: typed attributes, what is refused, and the round trip of any value. */
#include "support.h"

#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/limits.h"
#include "model/decimal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell decimal(const char *text, struct arena *arena)
{
    struct cell cell;
    assert_int_equal(decimal_parse(text, strlen(text), arena, &cell), STATUS_OK);
    return cell;
}

static struct cell text_cell(const char *text)
{
    return cell_text(text, strlen(text));
}

static void assert_value(struct cell cell, const char *expected)
{
    struct buffer out = {0};
    struct error error;
    error_clear(&error);
    if (dynamodb_item_append_value(&cell, "A", &out, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    assert_buffer(&out, expected);
    buffer_free(&out);
}

static void assert_rejected(struct cell cell, enum error_code code)
{
    struct buffer out = {0};
    struct error error;
    buffer_append(&out, "kept", 4);
    error_clear(&error);
    assert_int_equal(dynamodb_item_append_value(&cell, "Attr", &out, &error), STATUS_FAILED);
    assert_string_equal(error_describe(error.code)->name, error_describe(code)->name);
    assert_int_equal(error.class, ERROR_CLASS_REJECT);
    assert_non_null(strstr(error.message, "Attr"));
    assert_buffer(&out, "kept");
    buffer_free(&out);
}

static void numbers_keep_their_digits(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    assert_value(cell_int64(INT64_MIN), "{\"N\":\"-9223372036854775808\"}");
    assert_value(cell_int64(1200), "{\"N\":\"1200\"}");
    assert_value(cell_uint64(UINT64_MAX), "{\"N\":\"18446744073709551615\"}");
    static const char *const pairs[][2] = {
        {"0.10", "0.1"},
        {"1.00", "1"},
        {"-0.00", "0"},
        {"-0", "0"},
        {"-0.05", "-0.05"},
        {"100.00", "100"},
        {"0.000000000000000001", "0.000000000000000001"},
        {"-123456789012345678", "-123456789012345678"},
        {"12345678901234567890123456.7800", "12345678901234567890123456.78"},
        {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {"1E100", "1E+100"},
        {"1.5E-130", "1.5E-130"},
        {"9.99E125", "9.99E+125"},
        {"1200000000000000000000000000000000000000000", "1.2E+42"},
    };
    for (size_t at = 0; at < sizeof(pairs) / sizeof(*pairs); at++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "{\"N\":\"%s\"}", pairs[at][1]);
        assert_value(decimal(pairs[at][0], arena), expected);
    }
    assert_value(cell_float64(0.1), "{\"N\":\"0.1\"}");
    assert_value(cell_float64(-0.0), "{\"N\":\"0\"}");
    assert_value(cell_float64(1e21), "{\"N\":\"1000000000000000000000\"}");
    assert_value(cell_float64(1e-7), "{\"N\":\"0.0000001\"}");
    assert_value(cell_float64(-1.5e100), "{\"N\":\"-1.5E+100\"}");
    struct cell narrow = cell_float64((double)0.1F);
    narrow.kind = VALUE_FLOAT32;
    assert_value(narrow, "{\"N\":\"0.1\"}");
    arena_destroy(arena);
}

static void numbers_out_of_range_are_rejected(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    assert_rejected(cell_float64(NAN), ERROR_REJECT_NUMBER);
    assert_rejected(cell_float64(-INFINITY), ERROR_REJECT_NUMBER);
    assert_rejected(cell_float64(1e126), ERROR_REJECT_NUMBER);
    assert_rejected(cell_float64(5e-324), ERROR_REJECT_NUMBER);
    assert_rejected(decimal("NaN", arena), ERROR_REJECT_NUMBER);
    assert_rejected(decimal("-Infinity", arena), ERROR_REJECT_NUMBER);
    assert_rejected(decimal("123456789012345678901234567890123456789", arena), ERROR_REJECT_NUMBER);
    assert_rejected(decimal("1E126", arena), ERROR_REJECT_NUMBER);
    assert_rejected(decimal("1E-131", arena), ERROR_REJECT_NUMBER);
    arena_destroy(arena);
}

static void texts_are_escaped_and_checked(void **state)
{
    (void)state;
    assert_value(text_cell(""), "{\"S\":\"\"}");
    assert_value(text_cell("plain text of more than sixteen bytes"),
                 "{\"S\":\"plain text of more than sixteen bytes\"}");
    assert_value(text_cell("a\"b\\c\n\x01"), "{\"S\":\"a\\\"b\\\\c\\n\\u0001\"}");
    assert_value(cell_text("n\0l", 3), "{\"S\":\"n\\u0000l\"}");
    assert_value(text_cell("\xF0\x9F\x90\x91 \xC3\xA9"), "{\"S\":\"\xF0\x9F\x90\x91 \xC3\xA9\"}");
    assert_rejected(text_cell("\xFF"), ERROR_REJECT_TEXT);
    assert_rejected(text_cell("cut \xC3"), ERROR_REJECT_TEXT);
    assert_rejected(text_cell("\xED\xA0\x80"), ERROR_REJECT_TEXT);
    struct cell escape = cell_bytes("\xFF", 1);
    escape.kind = VALUE_ESCAPE;
    assert_rejected(escape, ERROR_REJECT_UNREADABLE);
    escape.flags = CELL_ESCAPED_TEXT;
    assert_rejected(escape, ERROR_REJECT_TEXT);
}

/* Each length, each place of a byte that needs care: words, tails and what lies behind. */
static void every_length_and_place_is_seen(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct error error;
    char text[40];
    char expected[64];
    for (size_t length = 1; length < sizeof(text); length++) {
        for (size_t at = 0; at < length; at++) {
            memset(text, 'x', sizeof(text));
            text[at] = '"';
            struct cell cell = cell_text(text, length);
            assert_int_equal(dynamodb_item_append_value(&cell, "A", &out, &error), STATUS_OK);
            snprintf(expected, sizeof(expected), "{\"S\":\"%.*s\\\"%.*s\"}", (int)at, text,
                     (int)(length - at - 1), text + at + 1);
            assert_buffer(&out, expected);
        }
    }
    buffer_free(&out);
}

static void other_kinds_have_their_types(void **state)
{
    (void)state;
    static const uint8_t uuid[16] = {0,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF};
    assert_value(cell_null(), "{\"NULL\":true}");
    assert_value(cell_bool(1), "{\"BOOL\":true}");
    assert_value(cell_bool(0), "{\"BOOL\":false}");
    assert_value(cell_bytes("\0\1\2\3", 4), "{\"B\":\"AAECAw==\"}");
    assert_value(cell_bytes("", 0), "{\"B\":\"\"}");
    assert_value((struct cell){.kind = VALUE_DATE, .i64 = 19782}, "{\"S\":\"2024-02-29\"}");
    assert_value((struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1},
                 "{\"S\":\"1970-01-01T00:00:00.000001Z\"}");
    assert_value((struct cell){.kind = VALUE_UUID, .length = 16, .bytes = uuid},
                 "{\"S\":\"00112233-4455-6677-8899-aabbccddeeff\"}");
    struct cell json = text_cell("{\"a\":1}");
    json.kind = VALUE_JSON;
    assert_value(json, "{\"S\":\"{\\\"a\\\":1}\"}");
}

static void containers_are_typed(void **state)
{
    (void)state;
    const struct cell items[] = {cell_int64(1), text_cell("x"), cell_null()};
    assert_value(cell_items(VALUE_LIST, items, 3),
                 "{\"L\":[{\"N\":\"1\"},{\"S\":\"x\"},{\"NULL\":true}]}");
    assert_value(cell_items(VALUE_LIST, items, 0), "{\"L\":[]}");
    const struct cell pairs[] = {text_cell("k\""),  cell_bool(1),
                                 text_cell("gone"), cell_missing(),
                                 text_cell("m"),    cell_items(VALUE_LIST, items, 1)};
    assert_value(cell_items(VALUE_MAP, pairs, 3),
                 "{\"M\":{\"k\\\"\":{\"BOOL\":true},\"m\":{\"L\":[{\"N\":\"1\"}]}}}");
    assert_value(cell_items(VALUE_MAP, pairs, 0), "{\"M\":{}}");
    const struct cell texts[] = {text_cell("b"), text_cell("a")};
    assert_value(cell_items(VALUE_SET, texts, 2), "{\"SS\":[\"b\",\"a\"]}");
    const struct cell numbers[] = {cell_int64(2), cell_float64(0.5)};
    assert_value(cell_items(VALUE_SET, numbers, 2), "{\"NS\":[\"2\",\"0.5\"]}");
    const struct cell bytes[] = {cell_bytes("\1", 1)};
    assert_value(cell_items(VALUE_SET, bytes, 1), "{\"BS\":[\"AQ==\"]}");
}

static void wrong_containers_are_rejected(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct cell equal[] = {cell_int64(1), decimal("1.0", arena)};
    const struct cell mixed[] = {cell_int64(1), text_cell("1")};
    const struct cell nulls[] = {cell_null()};
    const struct cell missing[] = {cell_missing()};
    const struct cell keyed[] = {cell_int64(1), cell_int64(1)};
    const struct cell unnamed[] = {text_cell(""), cell_int64(1)};
    const struct cell twice[] = {text_cell("a"), cell_int64(1), text_cell("a"), cell_int64(2)};
    assert_rejected(cell_items(VALUE_SET, equal, 2), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_SET, equal, 0), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_SET, mixed, 2), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_SET, nulls, 1), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_LIST, missing, 1), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_MAP, keyed, 1), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_MAP, unnamed, 1), ERROR_REJECT_TYPE);
    assert_rejected(cell_items(VALUE_MAP, twice, 2), ERROR_REJECT_TYPE);
    struct cell many[80];
    for (size_t at = 0; at < 40; at++) {
        many[2 * at] = cell_text("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst" + at % 39, 3);
        many[2 * at + 1] = cell_null();
    }
    assert_rejected(cell_items(VALUE_MAP, many, 40), ERROR_REJECT_TYPE);
    arena_destroy(arena);
}

static void nesting_ends_at_32_levels(void **state)
{
    (void)state;
    struct cell levels[40];
    levels[0] = cell_int64(1);
    for (int level = 1; level < 40; level++) {
        levels[level] = cell_items(VALUE_LIST, &levels[level - 1], 1);
    }
    struct buffer out = {0};
    struct error error;
    assert_int_equal(dynamodb_item_append_value(&levels[32], "A", &out, &error), STATUS_OK);
    assert_rejected(levels[33], ERROR_REJECT_TOO_DEEP);
    buffer_free(&out);
}

/* ---------------------------------------------------------------- items and keys */

static const struct shape_field order_fields[] = {
    {"PK", 2, {.kind = VALUE_TEXT}},
    {"SK", 2, {.kind = VALUE_INT64}},
    {"GSI1PK", 6, {.kind = VALUE_TEXT}},
    {"a field with a very long name that is no key at all", 51, {.kind = VALUE_TEXT}},
};
static const struct shape order_shape = {.name = "order", .fields = order_fields, .field_count = 4};
static const char *const order_key[] = {"PK", "SK"};
static const char *const order_index[] = {"GSI1PK", "SK"};
static const struct target_index order_indexes[] = {
    {.name = "by-gsi", .columns = {order_index, 2}}};
static const struct target_table order_table = {
    .name = "orders", .key = {order_key, 2}, .indexes = order_indexes, .index_count = 1};

struct order {
    struct arena *arena;
    struct dynamodb_encoder *encoder;
    struct buffer out;
    struct error error;
};

static void order_begin(struct order *order, const struct shape *shape)
{
    const struct shape *shapes[] = {&order_shape};
    struct dynamodb_key *keys = NULL;
    uint32_t key_count = 0;
    *order = (struct order){.arena = arena_create(0)};
    dynamodb_item_keys(&order_table, shapes, 1, order->arena, &keys, &key_count);
    assert_int_equal(key_count, 3);
    assert_int_equal(keys[0].letter, 'S');
    assert_int_equal(keys[1].letter, 'N');
    assert_int_equal(keys[2].letter, 'S');
    assert_true(keys[1].required && !keys[2].required);
    assert_int_equal(keys[1].bytes_max, 1024);
    order->encoder = dynamodb_encoder_create(shape, keys, key_count);
}

static void order_end(struct order *order)
{
    dynamodb_encoder_destroy(order->encoder);
    buffer_free(&order->out);
    arena_destroy(order->arena);
}

static void assert_item_rejected(struct order *order, const struct cell *cells,
                                 enum error_code code, const char *part)
{
    assert_int_equal(dynamodb_encoder_append(order->encoder, cells, &order->out, &order->error),
                     STATUS_FAILED);
    assert_string_equal(error_describe(order->error.code)->name, error_describe(code)->name);
    assert_non_null(strstr(order->error.message, part));
    assert_int_equal(order->out.length, 0);
}

static void items_of_a_shape(void **state)
{
    (void)state;
    struct order order;
    order_begin(&order, &order_shape);
    const struct cell full[] = {text_cell("c#1"), cell_int64(7), text_cell("g"), text_cell("v")};
    assert_int_equal(dynamodb_encoder_append(order.encoder, full, &order.out, &order.error),
                     STATUS_OK);
    assert_buffer(&order.out,
                  "{\"PK\":{\"S\":\"c#1\"},\"SK\":{\"N\":\"7\"},\"GSI1PK\":{\"S\":\"g\"},"
                  "\"a field with a very long name that is no key at all\":{\"S\":\"v\"}}");
    const struct cell sparse[] = {text_cell("\xC3\xA9"), cell_float64(0.5), cell_missing(),
                                  cell_missing()};
    assert_int_equal(dynamodb_encoder_append(order.encoder, sparse, &order.out, &order.error),
                     STATUS_OK);
    assert_buffer(&order.out, "{\"PK\":{\"S\":\"\xC3\xA9\"},\"SK\":{\"N\":\"0.5\"}}");
    order_end(&order);
}

static void keys_are_checked(void **state)
{
    (void)state;
    struct order order;
    static char long_text[2049];
    memset(long_text, 'k', sizeof(long_text));
    order_begin(&order, &order_shape);
    struct cell good[] = {cell_text(long_text, 2048), cell_int64(7), text_cell("g"), cell_null()};
    assert_int_equal(dynamodb_encoder_append(order.encoder, good, &order.out, &order.error),
                     STATUS_OK);
    buffer_clear(&order.out);
    struct cell cells[4];
#define WITH(at, value) (memcpy(cells, good, sizeof(cells)), cells[at] = (value), cells)
    assert_item_rejected(&order, WITH(0, cell_text(long_text, 2049)), ERROR_REJECT_KEY_TOO_LONG,
                         "2049");
    assert_item_rejected(&order, WITH(0, text_cell("")), ERROR_REJECT_KEY_NULL, "PK");
    assert_item_rejected(&order, WITH(0, cell_null()), ERROR_REJECT_KEY_NULL, "PK");
    assert_item_rejected(&order, WITH(1, cell_missing()), ERROR_REJECT_KEY_NULL, "SK");
    assert_item_rejected(&order, WITH(1, text_cell("7")), ERROR_REJECT_TYPE, "SK");
    assert_item_rejected(&order, WITH(1, cell_float64(NAN)), ERROR_REJECT_NUMBER, "SK");
    assert_item_rejected(&order, WITH(2, text_cell("")), ERROR_REJECT_KEY_NULL, "GSI1PK");
    assert_item_rejected(&order, WITH(2, cell_int64(1)), ERROR_REJECT_TYPE, "GSI1PK");
    assert_item_rejected(&order, WITH(2, cell_null()), ERROR_REJECT_KEY_NULL, "GSI1PK");
    assert_item_rejected(&order, WITH(2, cell_text(long_text, 2049)), ERROR_REJECT_KEY_TOO_LONG,
                         "GSI1PK");
#undef WITH
    order_end(&order);
}

static void documents_are_checked_alike(void **state)
{
    (void)state;
    struct order order;
    order_begin(&order, NULL);
    const struct cell pairs[] = {text_cell("SK"), cell_int64(1), text_cell("PK"), text_cell("p")};
    struct cell map = cell_items(VALUE_MAP, pairs, 2);
    assert_int_equal(dynamodb_encoder_append(order.encoder, &map, &order.out, &order.error),
                     STATUS_OK);
    assert_buffer(&order.out, "{\"SK\":{\"N\":\"1\"},\"PK\":{\"S\":\"p\"}}");
    map.length = 1;
    assert_item_rejected(&order, &map, ERROR_REJECT_KEY_NULL, "PK");
    struct cell escape = cell_bytes("{", 1);
    escape.kind = VALUE_ESCAPE;
    assert_item_rejected(&order, &escape, ERROR_REJECT_UNREADABLE, "record");
    order_end(&order);
}

static void items_end_at_400_kilobytes(void **state)
{
    (void)state;
    struct order order;
    const size_t room = DYNAMODB_ITEM_BYTES_MAX;
    char *text = (char *)calloc(room + 1, 1);
    assert_non_null(text);
    memset(text, '"', room + 1); /* twice as long once escaped */
    order_begin(&order, &order_shape);
    struct cell cells[] = {text_cell("p"), cell_int64(1), cell_missing(), cell_missing()};
    /* "PK" + 1 byte, "SK" + 2 bytes, the long name */
    size_t fits = room - 3 - 4 - 51;
    cells[3] = cell_text(text, fits);
    assert_int_equal(dynamodb_limits_item_size(&order_shape, cells), room);
    assert_int_equal(dynamodb_encoder_append(order.encoder, cells, &order.out, &order.error),
                     STATUS_OK);
    buffer_clear(&order.out);
    cells[3].length++; /* beyond it as documented, but "approximately": the server decides */
    assert_int_equal(dynamodb_limits_item_size_least(&order_shape, cells), room);
    assert_int_equal(dynamodb_encoder_append(order.encoder, cells, &order.out, &order.error),
                     STATUS_OK);
    buffer_clear(&order.out);
    cells[3].length++;
    assert_item_rejected(&order, cells, ERROR_REJECT_TOO_LARGE, "409601");
    cells[3] = cell_text(text, room + 1);
    assert_item_rejected(&order, cells, ERROR_REJECT_TOO_LARGE, "alone");
    struct cell *nulls = (struct cell *)calloc(1 << 20, sizeof(*nulls));
    assert_non_null(nulls);
    for (size_t at = 0; at < 1 << 20; at++) {
        nulls[at] = cell_null();
    }
    cells[3] = cell_items(VALUE_LIST, nulls, 1 << 20);
    assert_item_rejected(&order, cells, ERROR_REJECT_TOO_LARGE, "list");
    cells[3] = cell_items(VALUE_LIST, nulls, 200000); /* 2 bytes each and 3 */
    assert_int_equal(dynamodb_encoder_append(order.encoder, cells, &order.out, &order.error),
                     STATUS_OK);
    buffer_clear(&order.out);
    for (size_t at = 0; at < 37000; at++) {
        nulls[at] = (struct cell){.kind = VALUE_DATE, .i64 = 20000}; /* "2024-10-04" and 1 */
    }
    cells[3] = cell_items(VALUE_LIST, nulls, 37000);
    assert_int_equal(dynamodb_limits_value_size(&cells[3]), 3 + 37000 * 11);
    assert_int_equal(dynamodb_encoder_append(order.encoder, cells, &order.out, &order.error),
                     STATUS_OK);
    free(nulls);
    free(text);
    order_end(&order);
}

static void sizes_are_counted_as_documented(void **state)
{
    (void)state;
    const struct cell items[] = {text_cell("ab"), cell_int64(100), cell_int64(-12345)};
    const struct cell pairs[] = {text_cell("key"), cell_items(VALUE_LIST, items, 3)};
    const struct cell map = cell_items(VALUE_MAP, pairs, 1);
    assert_int_equal(dynamodb_limits_value_size(&items[0]), 2);
    assert_int_equal(dynamodb_limits_value_size(&items[1]), 2);
    assert_int_equal(dynamodb_limits_value_size(&items[2]), 5);
    assert_int_equal(dynamodb_limits_value_size(&pairs[1]), 3 + 3 + 9);
    assert_int_equal(dynamodb_limits_value_size(&map), 3 + 1 + 3 + 15);
}

static void the_least_size_leaves_room_for_servers(void **state)
{
    (void)state;
    const struct cell numbers[] = {cell_int64(0), cell_int64(100), cell_int64(-12345)};
    const struct cell gone[] = {text_cell("gone"), cell_missing()};
    const struct cell values[] = {cell_null(), cell_bool(true), text_cell(""),
                                  cell_items(VALUE_MAP, gone, 1)};
    const struct cell pairs[] = {text_cell("set"),  cell_items(VALUE_SET, numbers, 3),
                                 text_cell("list"), cell_items(VALUE_LIST, values, 4),
                                 text_cell("gone"), cell_missing()};
    const struct cell map = cell_items(VALUE_MAP, pairs, 3);
    assert_int_equal(dynamodb_limits_item_size_least(NULL, &map), 3 + (1 + 1 + 3) + 4 + 2);
    assert_int_equal(dynamodb_limits_item_size(NULL, &map),
                     3 + (1 + 2 + 5) + 4 + 3 + 4 * 1 + 1 + 1 + 0 + 3);
}

static void tables_are_checked(void **state)
{
    (void)state;
    const struct shape *shapes[] = {&order_shape};
    struct buffer out = {0};
    dynamodb_limits_check_table(&order_table, shapes, 1, &out);
    assert_buffer(&out, "");
    struct target_table bad = order_table;
    bad.name = "a/b";
    dynamodb_limits_check_table(&bad, shapes, 1, &out);
    assert_non_null(strstr(buffer_string(&out), "table name \"a/b\""));
    buffer_clear(&out);
    static const char *const three[] = {"PK", "SK", "GSI1PK"};
    bad = order_table;
    bad.key = (struct column_list){three, 3};
    dynamodb_limits_check_table(&bad, shapes, 1, &out);
    assert_non_null(strstr(buffer_string(&out), "3 key attributes"));
    buffer_clear(&out);
    static const char *const absent[] = {"PK", "Nowhere"};
    bad.key = (struct column_list){absent, 2};
    dynamodb_limits_check_table(&bad, shapes, 1, &out);
    assert_non_null(strstr(buffer_string(&out), "order has no field \"Nowhere\""));
    buffer_clear(&out);
    static const struct schema_column columns[] = {{.name = "SK", .type = {.kind = VALUE_TEXT}}};
    bad = order_table;
    bad.columns = columns;
    bad.column_count = 1;
    dynamodb_limits_check_table(&bad, shapes, 1, &out);
    assert_non_null(strstr(buffer_string(&out), "\"SK\" is S in the table and N in order"));
    buffer_free(&out);
}

/* ---------------------------------------------------------------- reading */

static enum status read_text(const char *text, struct arena *arena, struct cell *item,
                             struct error *error)
{
    struct json_reader reader;
    json_reader_init(&reader, text, strlen(text), DYNAMODB_JSON_DEPTH_MAX, arena);
    return dynamodb_item_read(&reader, false, arena, item, error);
}

static void numbers_are_read_exactly(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    static const char *const whole[][2] = {
        {"0", "0"},   {"-0", "0"},       {"7", "7"},     {"-9223372036854775808", NULL},
        {"1.0", "1"}, {"100.00", "100"}, {"1E2", "100"}, {"9223372036854775807", NULL},
        {"+5", "5"},  {"0.000e10", "0"},
    };
    struct cell cell;
    struct error error;
    for (size_t at = 0; at < sizeof(whole) / sizeof(*whole); at++) {
        char digits[40];
        assert_int_equal(
            dynamodb_number_read(whole[at][0], strlen(whole[at][0]), arena, &cell, &error),
            STATUS_OK);
        assert_int_equal(cell.kind, VALUE_INT64);
        snprintf(digits, sizeof(digits), "%lld", (long long)cell.i64);
        assert_string_equal(digits, whole[at][1] != NULL ? whole[at][1] : whole[at][0]);
    }
    static const char *const broken[][2] = {
        {"0.10", "0.1"},
        {"9223372036854775808", "9223372036854775808"},
        {"123456789012345678901234567890.12000", "123456789012345678901234567890.12"},
        {"1.5E-20", "0.000000000000000000015"},
    };
    for (size_t at = 0; at < sizeof(broken) / sizeof(*broken); at++) {
        struct buffer out = {0};
        assert_int_equal(
            dynamodb_number_read(broken[at][0], strlen(broken[at][0]), arena, &cell, &error),
            STATUS_OK);
        assert_int_equal(cell.kind, VALUE_DECIMAL);
        decimal_append(&cell, &out);
        assert_buffer(&out, broken[at][1]);
        buffer_free(&out);
    }
    static const char *const wrong[] = {"", "NaN", "Infinity", "1x", "-", " 1", "1 ", "0x10", "1e"};
    for (size_t at = 0; at < sizeof(wrong) / sizeof(*wrong); at++) {
        assert_int_equal(dynamodb_number_read(wrong[at], strlen(wrong[at]), arena, &cell, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
    }
    arena_destroy(arena);
}

static void broken_items_are_told(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cell item;
    struct error error;
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"S\":1}}",
        "{\"a\":{\"X\":\"1\"}}",
        "{\"a\":{\"S\":\"1\",\"N\":\"1\"}}",
        "{\"a\":{\"N\":\"one\"}}",
        "{\"a\":{\"N\":7}}",
        "{\"a\":{\"B\":\"?\"}}",
        "{\"a\":{\"BOOL\":\"true\"}}",
        "{\"a\":{\"NULL\":false}}",
        "{\"a\":{\"SS\":[1]}}",
        "{\"a\":{\"SS\":\"x\"}}",
        "{\"a\":{\"L\":[\"x\"]}}",
        "{\"a\":{\"L\":{}}}",
        "{\"a\":{\"M\":[]}}",
        "{\"a\":{\"S\":\"cut",
        "{\"a\":{\"S\":\"\xFF\"}}",
    };
    for (size_t at = 0; at < sizeof(wrong) / sizeof(*wrong); at++) {
        error_clear(&error);
        if (read_text(wrong[at], arena, &item, &error) != STATUS_FAILED) {
            fail_msg("read: %s", wrong[at]);
        }
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
    }
    struct buffer deep = {0};
    buffer_append_string(&deep, "{\"a\":");
    for (int level = 0; level < 10000; level++) {
        buffer_append_string(&deep, "{\"L\":[");
    }
    assert_int_equal(read_text(buffer_string(&deep), arena, &item, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
    buffer_free(&deep);
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- the round trip */

/* A value that DynamoDB can hold. */
static struct cell fitting_value(struct random *random, struct arena *arena, int depth)
{
    static const enum value_kind scalars[] = {
        VALUE_NULL,     VALUE_BOOL, VALUE_INT64, VALUE_UINT64, VALUE_DECIMAL,
        VALUE_TEXT,     VALUE_TEXT, VALUE_BYTES, VALUE_DATE,   VALUE_TIMESTAMP,
        VALUE_INTERVAL, VALUE_UUID, VALUE_TIME,  VALUE_JSON,   VALUE_FLOAT32};
    size_t count = random_below(random, 5);
    struct cell *items = (struct cell *)arena_allocate_zeroed(arena, 2 * count + 1, sizeof(*items));
    uint64_t choice = random_below(random, depth > 0 ? 6 : 4);
    if (choice < 3) {
        return random_value_of(random, scalars[random_below(random, 15)], arena, 0);
    }
    if (choice == 3) {
        for (size_t at = 0; at <= count; at++) {
            items[at] = cell_int64((int64_t)(at * 1000 + random_below(random, 1000)));
        }
        return cell_items(VALUE_SET, items, count + 1);
    }
    for (size_t at = 0; at < count; at++) {
        if (choice == 4) {
            items[at] = fitting_value(random, arena, depth - 1);
        } else {
            items[2 * at] = cell_text(arena_format(arena, "k%zu\"\n", at),
                                      strlen(arena_format(arena, "k%zu\"\n", at)));
            items[2 * at + 1] = fitting_value(random, arena, depth - 1);
        }
    }
    return cell_items(choice == 4 ? VALUE_LIST : VALUE_MAP, items, count);
}

/* Nothing is lost: texts, bytes and truth are the same, numbers are equal, containers element by
 * element. */
static void assert_same(const struct cell *value, const struct cell *normal, struct arena *arena)
{
    size_t count = value->kind == VALUE_MAP ? 2 * (size_t)value->length : value->length;
    int64_t whole = normal->i64;
    struct cell number = *normal;
    switch (value->kind) {
    case VALUE_DECIMAL:
        if (normal->kind == VALUE_INT64) {
            number = (struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = whole};
            if (whole > 999999999999999999 || whole < -999999999999999999) {
                number = decimal(arena_format(arena, "%lld", (long long)whole), arena);
            }
        }
        assert_int_equal(number.kind, VALUE_DECIMAL);
        assert_int_equal(decimal_compare(value, &number), 0);
        break;
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_TEXT:
    case VALUE_BYTES:
        assert_true(value_equal(value, normal));
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        assert_int_equal(normal->kind, value->kind);
        assert_int_equal(normal->length, value->length);
        for (size_t at = 0; at < count; at++) {
            assert_same(&value->items[at], &normal->items[at], arena);
        }
        break;
    default:
        break;
    }
}

/* Normal forms are equal to themselves once written and read; what is rejected is rejected as a
 * record. */
static int round_trip(struct cell value, bool fits, struct arena *arena)
{
    struct cell normal;
    struct cell again;
    struct error error;
    struct buffer first = {0};
    struct buffer second = {0};
    if (dynamodb_item_normal_form(&value, arena, &normal, &error) != STATUS_OK) {
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
        return 0;
    }
    assert_int_equal(dynamodb_item_normal_form(&normal, arena, &again, &error), STATUS_OK);
    assert_true(value_equal(&normal, &again));
    if (fits) {
        assert_same(&value, &normal, arena);
    }
    if (value.kind != VALUE_MISSING) {
        assert_int_equal(dynamodb_item_append_value(&value, "A", &first, &error), STATUS_OK);
        assert_int_equal(dynamodb_item_append_value(&normal, "A", &second, &error), STATUS_OK);
        assert_string_equal(buffer_string(&first), buffer_string(&second));
        struct json_reader reader;
        json_reader_init(&reader, first.data, first.length, DYNAMODB_JSON_DEPTH_MAX, arena);
        assert_int_equal(dynamodb_item_read_value(&reader, arena, &again, &error), STATUS_OK);
        assert_true(value_equal(&normal, &again));
    }
    buffer_free(&first);
    buffer_free(&second);
    return 1;
}

static void any_value_has_one_normal_form(void **state)
{
    (void)state;
    struct random random = random_start();
    struct arena *arena = arena_create(0);
    long accepted = 0;
    for (long round = 0; round < test_rounds(20000); round++) {
        accepted += round_trip(random_value(&random, arena, 3), false, arena);
        arena_reset(arena);
    }
    assert_true(accepted > test_rounds(20000) / 2);
    accepted = 0;
    for (long round = 0; round < test_rounds(20000); round++) {
        accepted += round_trip(fitting_value(&random, arena, 5), true, arena);
        arena_reset(arena);
    }
    assert_true(accepted > test_rounds(20000) * 3 / 4);
    arena_destroy(arena);
}

static void normal_forms_by_hand(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cell normal;
    struct error error;
    const struct cell ten = decimal("10.00", arena);
    assert_int_equal(dynamodb_item_normal_form(&ten, arena, &normal, &error), STATUS_OK);
    assert_true(normal.kind == VALUE_INT64 && normal.i64 == 10);
    const struct cell tenth = cell_float64(0.1);
    const struct cell wanted = decimal("0.1", arena);
    assert_int_equal(dynamodb_item_normal_form(&tenth, arena, &normal, &error), STATUS_OK);
    assert_true(value_equal(&normal, &wanted));
    const struct cell date = {.kind = VALUE_DATE, .i64 = 0};
    assert_int_equal(dynamodb_item_normal_form(&date, arena, &normal, &error), STATUS_OK);
    assert_true(normal.kind == VALUE_TEXT && normal.length == 10);
    const struct cell missing = cell_missing();
    assert_int_equal(dynamodb_item_normal_form(&missing, arena, &normal, &error), STATUS_OK);
    assert_int_equal(normal.kind, VALUE_MISSING);
    arena_destroy(arena);
}

/* Cut or changed anywhere, an item is read or refused, never more. */
static void mutilated_items_do_no_harm(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\":{\"S\":\"x\\u00e9\\ud83d\\udc11\"},\"b\":{\"N\":\"-1.50E-3\"},\"c\":{\"B\":\"AAE=\"},"
        "\"d\":{\"L\":[{\"M\":{\"k\":{\"NULL\":true}}},{\"BOOL\":false}]},\"e\":{\"NS\":[\"1\",\"2\"]}}";
    struct random random = random_start();
    struct arena *arena = arena_create(0);
    struct cell item;
    struct error error;
    assert_int_equal(read_text(whole, arena, &item, &error), STATUS_OK);
    assert_int_equal(item.length, 5);
    for (size_t length = 0; length + 1 < sizeof(whole); length++) {
        char *cut = arena_copy(arena, whole, length);
        assert_int_equal(read_text(cut, arena, &item, &error), STATUS_FAILED);
    }
    for (long round = 0; round < test_rounds(20000); round++) {
        char *changed = arena_copy(arena, whole, sizeof(whole) - 1);
        for (int times = 0; times < 3; times++) {
            changed[random_below(&random, sizeof(whole) - 1)] =
                "\"{}[]:,\\0aS"[random_below(&random, 11)];
        }
        if (read_text(changed, arena, &item, &error) == STATUS_OK) {
            struct buffer out = {0};
            value_print(&item, 10000, &out);
            buffer_free(&out);
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_their_digits),
        cmocka_unit_test(numbers_out_of_range_are_rejected),
        cmocka_unit_test(texts_are_escaped_and_checked),
        cmocka_unit_test(every_length_and_place_is_seen),
        cmocka_unit_test(other_kinds_have_their_types),
        cmocka_unit_test(containers_are_typed),
        cmocka_unit_test(wrong_containers_are_rejected),
        cmocka_unit_test(nesting_ends_at_32_levels),
        cmocka_unit_test(items_of_a_shape),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(documents_are_checked_alike),
        cmocka_unit_test(items_end_at_400_kilobytes),
        cmocka_unit_test(sizes_are_counted_as_documented),
        cmocka_unit_test(the_least_size_leaves_room_for_servers),
        cmocka_unit_test(tables_are_checked),
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(broken_items_are_told),
        cmocka_unit_test(any_value_has_one_normal_form),
        cmocka_unit_test(normal_forms_by_hand),
        cmocka_unit_test(mutilated_items_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
