/* Values of CQL: golden bytes, what is refused and why, what is read in a way of its own. */
#include "support_cql.h"

#include "connectors/cassandra/protocol/cql_number.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "model/decimal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct cell interval_of(struct cql_fixture *fixture, int32_t months, int32_t days,
                               int64_t ns)
{
    struct value_interval *interval = arena_allocate(fixture->arena, sizeof *interval);
    *interval = (struct value_interval){months, days, ns};
    return (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

static struct cell escape_of(const void *bytes, uint32_t length)
{
    return (struct cell){
        .kind = VALUE_ESCAPE, .aux = ESCAPE_CASSANDRA, .length = length, .bytes = bytes};
}

/* The bytes of a value; the cell that reads them again is `expected`. */
static void assert_written(struct cql_fixture *fixture, const char *type_text, struct cell cell,
                           const char *bytes, struct cell expected)
{
    const struct cql_type *type = cql_type_of(type_text, fixture->arena);
    struct buffer hex = {0};
    struct cell again = {0};
    buffer_clear(&fixture->out);
    if (cql_value_encode(type, &cell, &fixture->out, &fixture->error) != STATUS_OK) {
        fail_msg("%s: %s", type_text, fixture->error.message);
    }
    struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
    struct cql_value value = cql_read_value(&reader);
    assert_int_equal(cql_reader_left(&reader), 0);
    buffer_append_hex(&hex, value.data, value.length > 0 ? (size_t)value.length : 0);
    if (strcmp(buffer_string(&hex), bytes) != 0) {
        fail_msg("%s: %s instead of %s", type_text, buffer_string(&hex), bytes);
    }
    buffer_free(&hex);
    assert_int_equal(cql_value_decode(type, value, fixture->arena, &again, &fixture->error),
                     STATUS_OK);
    cql_assert_cell(&again, &expected);
}

static void assert_same(struct cql_fixture *fixture, const char *type, struct cell cell,
                        const char *bytes)
{
    assert_written(fixture, type, cell, bytes, cell);
}

static void assert_refused(struct cql_fixture *fixture, const char *type_text, struct cell cell,
                           const char *why)
{
    const struct cql_type *type = cql_type_of(type_text, fixture->arena);
    buffer_clear(&fixture->out);
    buffer_append_string(&fixture->out, "kept");
    error_clear(&fixture->error);
    assert_int_equal(cql_value_encode(type, &cell, &fixture->out, &fixture->error), STATUS_FAILED);
    assert_int_equal(fixture->error.class, ERROR_CLASS_REJECT);
    assert_int_equal(fixture->out.length, 4);
    if (strstr(fixture->error.message, why) == NULL) {
        fail_msg("%s: \"%s\" instead of \"%s\"", type_text, fixture->error.message, why);
    }
}

/* ---------------------------------------------------------------- golden bytes */

static void whole_numbers_have_their_bytes(void **state)
{
    struct cql_fixture *fixture = *state;
    static const struct {
        int64_t number;
        const char *bytes;
    } varints[] = {{0, "00"},
                   {1, "01"},
                   {127, "7f"},
                   {128, "0080"},
                   {129, "0081"},
                   {-1, "ff"},
                   {-128, "80"},
                   {-129, "ff7f"},
                   {255, "00ff"},
                   {32767, "7fff"},
                   {32768, "008000"},
                   {-32768, "8000"},
                   {INT64_MAX, "7fffffffffffffff"},
                   {INT64_MIN, "8000000000000000"}};
    for (size_t i = 0; i < sizeof varints / sizeof varints[0]; i++) {
        assert_same(fixture, "varint", cell_int64(varints[i].number), varints[i].bytes);
    }
    assert_same(fixture, "varint", cql_decimal(fixture, "9223372036854775808"),
                "008000000000000000");
    assert_same(fixture, "varint", cql_decimal(fixture, "-9223372036854775809"),
                "ff7fffffffffffffff");
    assert_same(fixture, "varint", cql_decimal(fixture, "340282366920938463463374607431768211456"),
                "0100000000000000000000000000000000");
    assert_same(fixture, "varint", cql_decimal(fixture, "-340282366920938463463374607431768211456"),
                "ff00000000000000000000000000000000");
    assert_same(fixture, "bigint", cell_int64(-2), "fffffffffffffffe");
    assert_same(fixture, "counter", cell_int64(5323), "00000000000014cb");
    assert_same(fixture, "int", cell_int64(INT32_MIN), "80000000");
    assert_same(fixture, "smallint", cell_int64(-2), "fffe");
    assert_same(fixture, "tinyint", cell_int64(-128), "80");
}

static void decimals_keep_their_scale(void **state)
{
    struct cql_fixture *fixture = *state;
    assert_same(fixture, "decimal", cql_decimal(fixture, "1.23"), "000000027b");
    assert_same(fixture, "decimal", cql_decimal(fixture, "0.10"), "000000020a");
    assert_same(fixture, "decimal", cql_decimal(fixture, "-0.05"), "00000002fb");
    assert_same(fixture, "decimal", cql_decimal(fixture, "0"), "0000000000");
    assert_same(fixture, "decimal", cql_decimal(fixture, "0.000"), "0000000300");
    assert_same(fixture, "decimal",
                cql_decimal(fixture, "12345678901234567890123456789.0123456789"),
                "0000000a5ce0e9a56015fec5aadfa328ae398115");
}

static void other_scalars_have_their_bytes(void **state)
{
    struct cql_fixture *fixture = *state;
    static const uint8_t random_uuid[16] = {0x12, 0x34, 0, 0, 0, 0, 0x41, 0, 0x80};
    static const uint8_t time_uuid[16] = {0x12, 0x34, 0, 0, 0, 0, 0x11, 0, 0x80};
    assert_same(fixture, "text", cql_text_cell("é"), "c3a9");
    assert_same(fixture, "text", cql_text_cell(""), "");
    assert_same(fixture, "ascii", cql_text_cell("a"), "61");
    assert_same(fixture, "blob", cell_bytes("\0\xff", 2), "00ff");
    assert_same(fixture, "blob", cell_bytes("", 0), "");
    assert_same(fixture, "boolean", cell_bool(1), "01");
    assert_same(fixture, "boolean", cell_bool(0), "00");
    assert_same(fixture, "float", (struct cell){.kind = VALUE_FLOAT32, .f64 = -1.5}, "bfc00000");
    assert_same(fixture, "double", cell_float64(-0.0), "8000000000000000");
    assert_same(fixture, "double", cell_float64(INFINITY), "7ff0000000000000");
    assert_same(fixture, "double", cell_float64(NAN), "7ff8000000000000");
    assert_same(fixture, "timestamp",
                (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = -1000},
                "ffffffffffffffff");
    assert_same(fixture, "date", (struct cell){.kind = VALUE_DATE}, "80000000");
    assert_same(fixture, "date", (struct cell){.kind = VALUE_DATE, .i64 = -1}, "7fffffff");
    assert_same(fixture, "date", (struct cell){.kind = VALUE_DATE, .i64 = INT32_MIN}, "00000000");
    assert_same(fixture, "date", (struct cell){.kind = VALUE_DATE, .i64 = INT32_MAX}, "ffffffff");
    assert_same(fixture, "time", (struct cell){.kind = VALUE_TIME, .i64 = 1}, "0000000000000001");
    assert_same(fixture, "uuid", (struct cell){.kind = VALUE_UUID, .bytes = random_uuid},
                "12340000000041008000000000000000");
    assert_same(fixture, "timeuuid", (struct cell){.kind = VALUE_UUID, .bytes = time_uuid},
                "12340000000011008000000000000000");
    assert_same(fixture, "inet", cql_text_cell("127.0.0.1"), "7f000001");
    assert_same(fixture, "inet", cql_text_cell("2001:db8::1"), "20010db8000000000000000000000001");
    assert_written(fixture, "inet", cql_text_cell("2001:DB8:0:0::1"),
                   "20010db8000000000000000000000001", cql_text_cell("2001:db8::1"));
    assert_same(fixture, "duration", interval_of(fixture, 1, 2, 3), "020406");
    assert_same(fixture, "duration", interval_of(fixture, -1, -2, -3), "010305");
    assert_same(fixture, "duration", interval_of(fixture, 0, 0, 128000), "0000c3e800");
    assert_same(fixture, "duration", interval_of(fixture, INT32_MAX, INT32_MAX, INT64_MAX),
                "f0fffffffef0fffffffefffffffffffffffffe");
    assert_same(fixture, "'org.acme.Point'", escape_of("\1\2", 2), "0102");
}

static void nested_values_have_their_bytes(void **state)
{
    struct cql_fixture *fixture = *state;
    const struct cell numbers[] = {cell_int64(1), cell_int64(2), cell_int64(-1)};
    const struct cell sorted[] = {cell_int64(-1), cell_int64(1), cell_int64(2)};
    const struct cell texts[] = {cql_text_cell("a"), cql_text_cell("bc")};
    const struct cell floats[] = {{.kind = VALUE_FLOAT32, .f64 = 1},
                                  {.kind = VALUE_FLOAT32, .f64 = 2}};
    const struct cell pairs[] = {cql_text_cell("b"), cell_int64(1), cql_text_cell("a"),
                                 cell_int64(2)};
    const struct cell ordered[] = {cql_text_cell("a"), cell_int64(2), cql_text_cell("b"),
                                   cell_int64(1)};
    const struct cell fields[] = {cql_text_cell("a"), cell_null()};
    assert_same(fixture, "list<int>", cell_items(VALUE_LIST, numbers, 2),
                "00000002"
                "0000000400000001"
                "0000000400000002");
    assert_same(fixture, "list<int>", cell_items(VALUE_LIST, numbers, 0), "00000000");
    assert_written(fixture, "set<tinyint>", cell_items(VALUE_SET, numbers, 3),
                   "00000003"
                   "00000001ff"
                   "0000000101"
                   "0000000102",
                   cell_items(VALUE_SET, sorted, 3));
    assert_written(fixture, "set<tinyint>", cell_items(VALUE_LIST, numbers, 3),
                   "00000003"
                   "00000001ff"
                   "0000000101"
                   "0000000102",
                   cell_items(VALUE_SET, sorted, 3));
    assert_written(fixture, "list<tinyint>", cell_items(VALUE_SET, numbers, 1),
                   "00000001"
                   "0000000101",
                   cell_items(VALUE_LIST, numbers, 1));
    assert_written(fixture, "map<text, tinyint>", cell_items(VALUE_MAP, pairs, 2),
                   "00000002"
                   "0000000161"
                   "0000000102"
                   "0000000162"
                   "0000000101",
                   cell_items(VALUE_MAP, ordered, 2));
    assert_same(fixture, "tuple<text, int>", cell_items(VALUE_LIST, fields, 2),
                "0000000161"
                "ffffffff");
    assert_written(fixture, "tuple<text, int>", cell_items(VALUE_LIST, fields, 1),
                   "0000000161"
                   "ffffffff",
                   cell_items(VALUE_LIST, fields, 2));
    assert_same(fixture, "vector<float, 2>", cell_items(VALUE_LIST, floats, 2),
                "3f800000"
                "40000000");
    assert_same(fixture, "vector<text, 2>", cell_items(VALUE_LIST, texts, 2),
                "0161"
                "026263");
    /* the server's classes of these have no fixed length */
    assert_same(fixture, "vector<smallint, 2>", cell_items(VALUE_LIST, numbers, 2),
                "020001"
                "020002");
    assert_same(
        fixture, "vector<vector<float, 2>, 1>",
        cell_items(VALUE_LIST, &(struct cell){.kind = VALUE_LIST, .length = 2, .items = floats}, 1),
        "3f800000"
        "40000000");
}

static void udts_are_maps(void **state)
{
    struct cql_fixture *fixture = *state;
    const struct cell tags[] = {cql_text_cell("x")};
    const struct cell whole[] = {cql_text_cell("street"), cql_text_cell("a"),
                                 cql_text_cell("No"),     cell_int64(7),
                                 cql_text_cell("tags"),   cell_items(VALUE_SET, tags, 1)};
    const struct cell part[] = {cql_text_cell("No"), cell_int64(7), cql_text_cell("tags"),
                                cell_missing()};
    const struct cell filled[] = {cql_text_cell("street"), cell_null(),
                                  cql_text_cell("No"),     cell_int64(7),
                                  cql_text_cell("tags"),   cell_null()};
    const struct cell unknown[] = {cql_text_cell("No"), cell_int64(7), cql_text_cell("city"),
                                   cell_null()};
    const struct cell twice[] = {cql_text_cell("No"), cell_int64(7), cql_text_cell("No"),
                                 cell_int64(8)};
    const char *type = "\"Address\"";
    assert_same(fixture, type, cell_items(VALUE_MAP, whole, 3),
                "0000000161"
                "0000000400000007"
                "00000009"
                "00000001"
                "0000000178");
    assert_written(fixture, type, cell_items(VALUE_MAP, part, 2),
                   "ffffffff"
                   "0000000400000007"
                   "ffffffff",
                   cell_items(VALUE_MAP, filled, 3));
    assert_refused(fixture, type, cell_items(VALUE_MAP, unknown, 2),
                   "type Address has no field \"city\"");
    assert_refused(fixture, type, cell_items(VALUE_MAP, twice, 2), "a field twice");
    struct cell read = {0};
    const uint8_t shorter[] = {0, 0, 0, 1, 'a'};
    const struct cell begun[] = {cql_text_cell("street"), cql_text_cell("a"),
                                 cql_text_cell("No"),     cell_null(),
                                 cql_text_cell("tags"),   cell_null()};
    struct cell expected = cell_items(VALUE_MAP, begun, 3);
    assert_int_equal(cql_value_decode(cql_type_of(type, fixture->arena),
                                      (struct cql_value){shorter, sizeof shorter}, fixture->arena,
                                      &read, &fixture->error),
                     STATUS_OK);
    cql_assert_cell(&read, &expected);
}

static void null_unset_and_empty_are_three(void **state)
{
    struct cql_fixture *fixture = *state;
    const struct cql_type *type = cql_type_of("int", fixture->arena);
    const struct cell cells[] = {cell_null(), cell_missing(), escape_of("", 0)};
    static const char bytes[] = "\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\0";
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cql_value_encode(type, &cells[i], &fixture->out, &fixture->error),
                         STATUS_OK);
    }
    assert_int_equal(fixture->out.length, 12);
    assert_memory_equal(fixture->out.data, bytes, 12);
    struct cql_reader reader = cql_reader_of(bytes, 12);
    for (size_t i = 0; i < 3; i++) {
        struct cell read = {0};
        assert_int_equal(
            cql_value_decode(type, cql_read_value(&reader), fixture->arena, &read, &fixture->error),
            STATUS_OK);
        cql_assert_cell(&read, &cells[i]);
    }
    assert_refused(fixture, "text", cells[2], "does not fit text");
    assert_refused(fixture, "vector<int, 1>", cell_items(VALUE_LIST, &cells[2], 1), "be empty");
}

/* ---------------------------------------------------------------- other kinds, exactly */

static void what_means_the_same_is_taken(void **state)
{
    struct cql_fixture *fixture = *state;
    struct cell half = {.kind = VALUE_FLOAT32, .f64 = 0.5};
    struct cell json = cql_text_cell("{\"a\":1}");
    json.kind = VALUE_JSON;
    const struct cell items[] = {cell_int64(1), cql_text_cell("x")};
    assert_written(fixture, "int", cell_uint64(7), "00000007", cell_int64(7));
    assert_written(fixture, "int", cql_decimal(fixture, "7.00"), "00000007", cell_int64(7));
    assert_written(fixture, "int", cell_float64(-7), "fffffff9", cell_int64(-7));
    assert_written(fixture, "bigint", cell_float64(-0x1p63), "8000000000000000",
                   cell_int64(INT64_MIN));
    assert_written(fixture, "varint", cell_uint64(UINT64_MAX), "00ffffffffffffffff",
                   cql_decimal(fixture, "18446744073709551615"));
    assert_written(fixture, "varint", cql_decimal(fixture, "18446744073709551616.00"),
                   "010000000000000000", cql_decimal(fixture, "18446744073709551616"));
    assert_written(fixture, "decimal", cell_int64(-5), "00000000fb", cql_decimal(fixture, "-5"));
    assert_written(fixture, "decimal", cell_uint64(UINT64_MAX), "0000000000ffffffffffffffff",
                   cql_decimal(fixture, "18446744073709551615"));
    assert_written(fixture, "decimal", cell_float64(0.1), "0000000101",
                   cql_decimal(fixture, "0.1"));
    assert_written(fixture, "decimal", (struct cell){.kind = VALUE_FLOAT32, .f64 = (double)0.1f},
                   "0000000101", cql_decimal(fixture, "0.1"));
    assert_written(fixture, "double", half, "3fe0000000000000", cell_float64(0.5));
    assert_written(fixture, "double", cell_int64((int64_t)1 << 60), "43b0000000000000",
                   cell_float64(0x1p60));
    assert_written(fixture, "double", cql_decimal(fixture, "0.10"), "3fb999999999999a",
                   cell_float64(0.1));
    assert_written(fixture, "float", cell_float64(0.5), "3f000000", half);
    assert_written(fixture, "float", cql_decimal(fixture, "0.1"), "3dcccccd",
                   (struct cell){.kind = VALUE_FLOAT32, .f64 = (double)0.1f});
    assert_written(fixture, "text", json, "7b2261223a317d", cql_text_cell("{\"a\":1}"));
    assert_written(fixture, "text", cell_items(VALUE_LIST, items, 2), "5b312c2278225d",
                   cql_text_cell("[1,\"x\"]"));
    assert_written(fixture, "text", cell_int64(-12), "2d3132", cql_text_cell("-12"));
    assert_written(fixture, "text", cell_bytes("a", 1), "61", cql_text_cell("a"));
    assert_written(fixture, "timestamp", (struct cell){.kind = VALUE_TIMESTAMP, .i64 = 1000},
                   "0000000000000001",
                   (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1000});
    assert_written(fixture, "duration", (struct cell){.kind = VALUE_TIME, .i64 = 3}, "000006",
                   interval_of(fixture, 0, 0, 3));
}

static void the_rest_is_refused_with_its_reason(void **state)
{
    struct cql_fixture *fixture = *state;
    static const uint8_t uuid[16] = {0, 0, 0, 0, 0, 0, 0x40};
    const struct cell nulls[] = {cell_int64(1), cell_null()};
    const struct cell equal[] = {cql_decimal(fixture, "1.0"), cql_decimal(fixture, "1.00")};
    const struct cell keys[] = {cql_text_cell("a"), cell_int64(1), cql_text_cell("a"),
                                cell_int64(2)};
    struct cell infinite = {.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY};
    struct cell fine = {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1001};
    struct cell finer = {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .aux = 1};
    struct cell zoned = {.kind = VALUE_TIME, .flags = CELL_ZONED};
    struct cell midnight = {.kind = VALUE_TIME, .i64 = 86400 * (int64_t)1000000000};
    assert_refused(fixture, "tinyint", cell_int64(300),
                   "int64 300 does not fit tinyint (whole numbers from -128 to 127)");
    assert_refused(fixture, "smallint", cell_int64(-32769), "from -32768 to 32767");
    assert_refused(fixture, "int", cell_float64(0.5), "does not fit int (whole numbers");
    assert_refused(fixture, "int", cell_float64(NAN), "does not fit int (whole numbers");
    assert_refused(fixture, "bigint", cell_uint64(UINT64_MAX), "to 9223372036854775807");
    assert_refused(fixture, "bigint", cell_float64(0x1p63), "to 9223372036854775807");
    assert_refused(fixture, "varint", cql_decimal(fixture, "0.5"), "(whole numbers)");
    assert_refused(fixture, "varint", cell_float64(INFINITY), "(whole numbers)");
    assert_refused(fixture, "decimal", cell_float64(NAN), "(finite numbers)");
    assert_refused(fixture, "decimal", cql_decimal(fixture, "Infinity"), "(finite numbers)");
    assert_refused(fixture, "double", cell_int64(((int64_t)1 << 53) + 1), "(without rounding)");
    assert_refused(fixture, "double", cql_decimal(fixture, "0.10000000000000000555"),
                   "(without rounding)");
    assert_refused(fixture, "float", cell_float64(0.1), "(without rounding)");
    assert_refused(fixture, "boolean", cell_int64(1), "int64 1 does not fit boolean");
    assert_refused(fixture, "int", cql_text_cell("7"), "text \"7\" does not fit int");
    assert_refused(fixture, "blob", cql_text_cell("7"), "does not fit blob");
    assert_refused(fixture, "uuid", cql_text_cell("7"), "does not fit uuid");
    assert_refused(fixture, "date", cql_text_cell("2024-02-29"), "does not fit date");
    assert_refused(fixture, "ascii", cql_text_cell("é"), "(ASCII alone)");
    assert_refused(fixture, "text", cell_text("\xff", 1), "(valid UTF-8)");
    assert_refused(fixture, "text", cell_bytes("\xff", 1), "does not fit text");
    assert_refused(fixture, "timestamp", infinite, "does not fit timestamp");
    assert_refused(fixture, "timestamp", fine, "does not fit timestamp (milliseconds)");
    assert_refused(fixture, "timestamp", finer, "does not fit timestamp (milliseconds)");
    assert_refused(fixture, "date", (struct cell){.kind = VALUE_DATE, .i64 = (int64_t)1 << 31},
                   "(days from -5877641-06-23 to 5881580-07-11)");
    assert_refused(fixture, "time", zoned, "(times without zone, below 24:00:00)");
    assert_refused(fixture, "time", midnight, "(times without zone, below 24:00:00)");
    assert_refused(fixture, "duration", interval_of(fixture, 1, -1, 0), "of one sign");
    assert_refused(fixture, "timeuuid", (struct cell){.kind = VALUE_UUID, .bytes = uuid},
                   "(UUIDs of version 1)");
    assert_refused(fixture, "inet", cql_text_cell("300.0.0.1"), "(addresses of IPv4 and IPv6)");
    assert_refused(fixture, "inet", cell_text("::1\0x", 5), "(addresses of IPv4 and IPv6)");
    assert_refused(fixture, "list<int>", cell_items(VALUE_LIST, nulls, 2), "can't be null");
    assert_refused(fixture, "list<int>", cql_text_cell("[1]"),
                   "text \"[1]\" does not fit list<int>");
    assert_refused(fixture, "list<tinyint>",
                   cell_items(VALUE_LIST, &(struct cell){.kind = VALUE_INT64, .i64 = 128}, 1),
                   "int64 128 does not fit tinyint");
    assert_refused(fixture, "set<decimal>", cell_items(VALUE_SET, equal, 2), "an element twice");
    assert_refused(fixture, "map<text, int>", cell_items(VALUE_MAP, keys, 2), "a key twice");
    assert_refused(fixture, "map<text, int>", cell_items(VALUE_LIST, keys, 1), "does not fit map");
    assert_refused(fixture, "tuple<int>", cell_items(VALUE_LIST, nulls, 2), "more elements");
    assert_refused(fixture, "vector<int, 3>", cell_items(VALUE_LIST, nulls, 2),
                   "(3 elements, not 2)");
    assert_refused(fixture, "'org.acme.Point'", cell_bytes("a", 1), "does not fit 'org.acme");
    assert_refused(fixture, "int", escape_of("\0\0\0\1", 4), "does not fit int");
    assert_refused(fixture, "int",
                   (struct cell){.kind = VALUE_ESCAPE, .aux = ESCAPE_MYSQL, .bytes = uuid},
                   "does not fit int");
}

/* ---------------------------------------------------------------- reading */

static enum status read_hex(struct cql_fixture *fixture, const char *type, const char *hex,
                            struct cell *cell)
{
    size_t length = strlen(hex) / 2;
    uint8_t *bytes = arena_allocate(fixture->arena, length);
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return cql_value_decode(cql_type_of(type, fixture->arena),
                            (struct cql_value){bytes, (int32_t)length}, fixture->arena, cell,
                            &fixture->error);
}

static void assert_read(struct cql_fixture *fixture, const char *type, const char *hex,
                        struct cell expected)
{
    struct cell cell = {0};
    assert_int_equal(read_hex(fixture, type, hex, &cell), STATUS_OK);
    cql_assert_cell(&cell, &expected);
}

static void some_bytes_are_read_in_their_own_way(void **state)
{
    struct cql_fixture *fixture = *state;
    const struct cell nulls[] = {cell_null(), cell_null()};
    assert_read(fixture, "decimal", "fffffffd01", cql_decimal(fixture, "1000"));
    assert_read(fixture, "decimal", "fffffffdff", cql_decimal(fixture, "-1000"));
    assert_read(fixture, "decimal", "fffffffd00", cql_decimal(fixture, "0"));
    assert_read(fixture, "decimal", "0000000000000000000000000000000000000001",
                cql_decimal(fixture, "1"));
    assert_read(fixture, "decimal", "fffff00001", escape_of("\xff\xff\xf0\0\1", 5));
    assert_read(fixture, "decimal", "7fffffff01", escape_of("\x7f\xff\xff\xff\1", 5));
    assert_read(fixture, "varint", "00000000000000000005", cell_int64(5));
    assert_read(fixture, "varint", "ffffffffffffffffff80", cell_int64(-128));
    assert_read(fixture, "timestamp", "7fffffffffffffff",
                escape_of("\x7f\xff\xff\xff\xff\xff\xff\xff", 8));
    assert_read(fixture, "boolean", "02", cell_bool(1));
    assert_read(fixture, "text", "ff", cell_bytes("\xff", 1));
    assert_read(fixture, "inet", "00000000000000000000ffff01020304",
                cql_text_cell("::ffff:1.2.3.4"));
    assert_read(fixture, "tuple<int, int>", "", cell_items(VALUE_LIST, nulls, 2));
    assert_read(fixture, "list<int>", "", escape_of("", 0));
    assert_read(fixture, "list<int>", "00000001ffffffff", cell_items(VALUE_LIST, nulls, 1));
}

static void other_bytes_are_refused(void **state)
{
    struct cql_fixture *fixture = *state;
    static const char *const wrong[][2] = {
        {"int", "0001"},
        {"bigint", "00000001"},
        {"boolean", "0001"},
        {"uuid", "00"},
        {"inet", "0102030405"},
        {"time", "ffffffffffffffff"},
        {"time", "00004e94914f0000"},
        {"decimal", "000000"},
        {"decimal", "00000001"},
        {"duration", "0000"},
        {"duration", "00000000"},
        {"duration", "f1ffffffff0000"},
        {"list<int>", "000000"},
        {"list<int>", "00000002000000040000000100000004000000"},
        {"list<int>", "7fffffff"},
        {"list<int>", "ffffffff"},
        {"list<int>", "0000000000"},
        {"list<int>", "00000001000000020001"},
        {"map<int, int>", "000000010000000400000001"},
        {"tuple<int>", "000000040000000100"},
        {"tuple<int>", "0000000400"},
        {"vector<float, 2>", "3f800000"},
        {"vector<float, 2>", "3f8000003f8000003f800000"},
        {"vector<text, 2>", "0161"},
        {"vector<text, 2>", "01610361"},
        {"vector<text, 1>", "016100"},
        {"vector<text, 2147483647>", "0161"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cell cell = {0};
        if (read_hex(fixture, wrong[i][0], wrong[i][1], &cell) != STATUS_FAILED) {
            fail_msg("%s: %s was read", wrong[i][0], wrong[i][1]);
        }
        assert_int_equal(fixture->error.code, ERROR_REJECT_UNREADABLE);
    }
}

static void numbers_of_any_size(void **state)
{
    struct cql_fixture *fixture = *state;
    struct random random = random_start();
    enum { DIGITS_MAX = 39000 };
    char *text = arena_allocate(fixture->arena, DIGITS_MAX + 2);
    for (size_t count = 1; count < DIGITS_MAX; count = count * 3 + 1) {
        size_t length = 0;
        text[length++] = '-';
        text[length++] = (char)('1' + (int)random_below(&random, 9));
        while (length <= count) {
            text[length++] = (char)('0' + (int)random_below(&random, 10));
        }
        struct cell cell = {0};
        struct cell again = {0};
        assert_int_equal(decimal_parse(text, length, fixture->arena, &cell), STATUS_OK);
        buffer_clear(&fixture->out);
        assert_int_equal(cql_value_encode(cql_type_plain(CQL_TYPE_DECIMAL), &cell, &fixture->out,
                                          &fixture->error),
                         STATUS_OK);
        struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
        assert_int_equal(cql_value_decode(cql_type_plain(CQL_TYPE_DECIMAL), cql_read_value(&reader),
                                          fixture->arena, &again, &fixture->error),
                         STATUS_OK);
        assert_true(value_equal(&cell, &again));
    }
    char *many = arena_allocate(fixture->arena, 40000);
    memset(many, '9', 40000);
    struct cell cell = {.kind = VALUE_DECIMAL, .length = 40000, .text = many};
    assert_refused(fixture, "varint", cell, "(up to 39,456 digits)");
    assert_refused(fixture, "decimal", cell, "(up to 39,456 digits)");
    cell.length = 39456;
    buffer_clear(&fixture->out);
    assert_int_equal(
        cql_value_encode(cql_type_plain(CQL_TYPE_VARINT), &cell, &fixture->out, &fixture->error),
        STATUS_OK);
    const uint8_t *huge = arena_allocate_zeroed(fixture->arena, CQL_VARINT_BYTES_MAX + 1, 1);
    struct cell escape = escape_of(huge, CQL_VARINT_BYTES_MAX + 1);
    ((uint8_t *)(uintptr_t)huge)[0] = 1;
    struct cell read = {0};
    assert_int_equal(cql_value_decode(cql_type_plain(CQL_TYPE_VARINT),
                                      (struct cql_value){huge, CQL_VARINT_BYTES_MAX + 1},
                                      fixture->arena, &read, &fixture->error),
                     STATUS_OK);
    cql_assert_cell(&read, &escape);
}

static void vints_are_as_the_server_has_them(void **state)
{
    struct cql_fixture *fixture = *state;
    static const struct {
        uint64_t number;
        const char *bytes;
    } vints[] = {{0, "00"},
                 {127, "7f"},
                 {128, "8080"},
                 {16383, "bfff"},
                 {16384, "c04000"},
                 {256000, "c3e800"},
                 {UINT32_MAX, "f0ffffffff"},
                 {((uint64_t)1 << 56) - 1, "feffffffffffffff"},
                 {(uint64_t)1 << 56, "ff0100000000000000"},
                 {UINT64_MAX, "ffffffffffffffffff"}};
    for (size_t i = 0; i < sizeof vints / sizeof vints[0]; i++) {
        struct buffer hex = {0};
        buffer_clear(&fixture->out);
        cql_write_vint(&fixture->out, vints[i].number);
        buffer_append_hex(&hex, fixture->out.data, fixture->out.length);
        assert_string_equal(buffer_string(&hex), vints[i].bytes);
        struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
        assert_true(cql_read_vint(&reader) == vints[i].number);
        assert_false(reader.failed);
        reader = cql_reader_of(fixture->out.data, fixture->out.length - 1);
        (void)cql_read_vint(&reader);
        assert_true(reader.failed);
        buffer_free(&hex);
    }
    static const int64_t signs[] = {0, -1, 1, -64, 64, INT32_MIN, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        buffer_clear(&fixture->out);
        cql_write_signed_vint(&fixture->out, signs[i]);
        struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
        assert_true(cql_read_signed_vint(&reader) == signs[i]);
    }
}

/* ---------------------------------------------------------------- large values */

static enum status read_slice(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *error)
{
    (void)self;
    (void)offset;
    if (size == 3) {
        return error_set(error, ERROR_SOURCE_READ, NULL, "gone");
    }
    memset(bytes, 'x', size);
    return STATUS_OK;
}

static void large_values_are_read_whole(void **state)
{
    struct cql_fixture *fixture = *state;
    struct large_value large = {.kind = VALUE_TEXT, .length = 100000, .read = read_slice};
    struct cell cell = {.kind = VALUE_LARGE, .large = &large};
    assert_int_equal(
        cql_value_encode(cql_type_plain(CQL_TYPE_TEXT), &cell, &fixture->out, &fixture->error),
        STATUS_OK);
    assert_int_equal(fixture->out.length, 100004);
    assert_int_equal(fixture->out.data[100003], 'x');
    assert_refused(fixture, "blob", cell, "does not fit blob");
    assert_refused(fixture, "int", cell, "does not fit int");
    large.length = (uint64_t)CQL_VALUE_BYTES_MAX + 1;
    assert_refused(fixture, "text", cell, "");
    large.length = 3;
    buffer_clear(&fixture->out);
    assert_int_equal(
        cql_value_encode(cql_type_plain(CQL_TYPE_TEXT), &cell, &fixture->out, &fixture->error),
        STATUS_FAILED);
    assert_int_equal(fixture->error.code, ERROR_SOURCE_READ);
    assert_int_equal(fixture->out.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_numbers_have_their_bytes, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(decimals_keep_their_scale, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(other_scalars_have_their_bytes, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(nested_values_have_their_bytes, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(udts_are_maps, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(null_unset_and_empty_are_three, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(what_means_the_same_is_taken, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(the_rest_is_refused_with_its_reason, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(some_bytes_are_read_in_their_own_way, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(other_bytes_are_refused, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(numbers_of_any_size, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(vints_are_as_the_server_has_them, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(large_values_are_read_whole, cql_set_up, cql_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
