/* Conversions: single values by table, all pairs of kinds by property, and what is said before. */
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include "model/time_zone.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error error;

/* A cell of the kind that the text spells. */
static struct cell make(enum value_kind kind, const char *text)
{
    size_t length = strlen(text);
    struct cell plain = cell_text(text, length);
    struct value_type type = {.kind = kind, .dynamic = true};
    struct cell cell;
    plain.kind = kind == VALUE_JSON || kind == VALUE_BYTES || kind == VALUE_ESCAPE ? (uint8_t)kind
                                                                                   : VALUE_TEXT;
    if (kind == VALUE_ESCAPE) {
        plain.aux = ESCAPE_TEST;
        plain.flags = CELL_ESCAPED_TEXT;
    }
    if (plain.kind == kind) {
        return plain;
    }
    if (kind == VALUE_FLOAT64) {
        return cell_float64(strtod(text, NULL));
    }
    if (kind == VALUE_FLOAT32) {
        cell = cell_float64((double)strtof(text, NULL));
        cell.kind = VALUE_FLOAT32;
        return cell;
    }
    if (convert_value(&plain, &type, false, arena, &cell, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.message);
    }
    assert_int_equal(cell.kind, kind);
    return cell;
}

struct conversion_case {
    enum value_kind from;
    const char *text;
    struct value_type to;
    bool allow_loss;
    const char *expected;    /* NULL: refused */
    enum error_code refusal; /* then */
};

static void check(const struct conversion_case *cases, size_t count)
{
    struct buffer out = {0};
    for (size_t i = 0; i < count; i++) {
        const struct conversion_case *one = &cases[i];
        struct cell from = make(one->from, one->text);
        struct cell result;
        enum status status =
            convert_value(&from, &one->to, one->allow_loss, arena, &result, &error);
        if (one->expected == NULL) {
            if (status != STATUS_FAILED) {
                fail_msg("%s became %s", one->text, value_kind_name(one->to.kind));
            }
            if (error.code != one->refusal) {
                fail_msg("%s: %s", one->text, error.message);
            }
            assert_int_equal(error.class, ERROR_CLASS_REJECT);
            continue;
        }
        if (status != STATUS_OK) {
            fail_msg("%s: %s", one->text, error.message);
        }
        assert_int_equal(result.kind, one->to.kind);
        assert_int_equal(convert_append_text(&result, true, &out, &error), STATUS_OK);
        assert_buffer(&out, one->expected);
    }
    buffer_free(&out);
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof((cases)[0]))
#define TYPE(kind_name)           \
    {                             \
        .kind = VALUE_##kind_name \
    }
#define NO_NUMBER NULL, ERROR_REJECT_NUMBER
#define NO_JSON NULL, ERROR_REJECT_UNREADABLE
#define NO_TYPE NULL, ERROR_REJECT_TYPE

static void to_bool(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_TEXT, "true", TYPE(BOOL), false, "true", 0},
        {VALUE_TEXT, "F", TYPE(BOOL), false, "false", 0},
        {VALUE_TEXT, "1", TYPE(BOOL), false, "true", 0},
        {VALUE_TEXT, "yes", TYPE(BOOL), true, NO_TYPE},
        {VALUE_TEXT, "", TYPE(BOOL), true, NO_TYPE},
        {VALUE_TEXT, "true ", TYPE(BOOL), true, NO_TYPE},
        {VALUE_INT64, "0", TYPE(BOOL), false, "false", 0},
        {VALUE_INT64, "1", TYPE(BOOL), false, "true", 0},
        {VALUE_INT64, "2", TYPE(BOOL), false, NO_NUMBER},
        {VALUE_INT64, "-1", TYPE(BOOL), true, "true", 0},
        {VALUE_UINT64, "18446744073709551615", TYPE(BOOL), true, "true", 0},
        {VALUE_FLOAT64, "1", TYPE(BOOL), false, "true", 0},
        {VALUE_FLOAT64, "0.5", TYPE(BOOL), false, NO_NUMBER},
        {VALUE_FLOAT64, "NaN", TYPE(BOOL), false, NO_NUMBER},
        {VALUE_DECIMAL, "1.00", TYPE(BOOL), false, "true", 0},
        {VALUE_DECIMAL, "0.0", TYPE(BOOL), false, "false", 0},
        {VALUE_DECIMAL, "0.1", TYPE(BOOL), false, NO_NUMBER},
        {VALUE_JSON, "true", TYPE(BOOL), false, "true", 0},
        {VALUE_JSON, "[]", TYPE(BOOL), false, NO_TYPE},
        {VALUE_JSON, "[", TYPE(BOOL), false, NULL, ERROR_REJECT_UNREADABLE},
        {VALUE_DATE, "2024-01-01", TYPE(BOOL), true, NO_TYPE},
    };
    CHECK(cases);
}

static void to_whole_numbers(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_BOOL, "true", TYPE(INT64), false, "1", 0},
        {VALUE_UINT64, "9223372036854775807", TYPE(INT64), false, "9223372036854775807", 0},
        {VALUE_UINT64, "9223372036854775808", TYPE(INT64), true, NO_NUMBER},
        {VALUE_INT64, "-1", TYPE(UINT64), true, NO_NUMBER},
        {VALUE_INT64, "9223372036854775807", TYPE(UINT64), false, "9223372036854775807", 0},
        {VALUE_FLOAT64, "-9223372036854775808", TYPE(INT64), false, "-9223372036854775808", 0},
        {VALUE_FLOAT64, "9223372036854775808", TYPE(INT64), true, NO_NUMBER},
        {VALUE_FLOAT64, "9223372036854775808", TYPE(UINT64), false, "9223372036854775808", 0},
        {VALUE_FLOAT64, "18446744073709551616", TYPE(UINT64), true, NO_NUMBER},
        {VALUE_FLOAT64, "-0", TYPE(UINT64), false, "0", 0},
        {VALUE_FLOAT64, "-1", TYPE(UINT64), true, NO_NUMBER},
        {VALUE_FLOAT64, "1.5", TYPE(INT64), false, NO_NUMBER},
        {VALUE_FLOAT64, "1.5", TYPE(INT64), true, "2", 0},
        {VALUE_FLOAT64, "2.5", TYPE(INT64), true, "2", 0},
        {VALUE_FLOAT64, "NaN", TYPE(INT64), true, NO_NUMBER},
        {VALUE_FLOAT64, "Infinity", TYPE(INT64), true, NO_NUMBER},
        {VALUE_DECIMAL, "5.00", TYPE(INT64), false, "5", 0},
        {VALUE_DECIMAL, "5.50", TYPE(INT64), false, NO_NUMBER},
        {VALUE_DECIMAL, "5.50", TYPE(INT64), true, "6", 0},
        {VALUE_DECIMAL, "9223372036854775807.4", TYPE(INT64), true, "9223372036854775807", 0},
        {VALUE_DECIMAL, "9223372036854775807.5", TYPE(INT64), true, NO_NUMBER},
        {VALUE_DECIMAL, "NaN", TYPE(INT64), true, NO_NUMBER},
        {VALUE_TEXT, "9223372036854775807", TYPE(INT64), false, "9223372036854775807", 0},
        {VALUE_TEXT, "9223372036854775808", TYPE(INT64), false, NO_NUMBER},
        {VALUE_TEXT, "9223372036854775808", TYPE(UINT64), false, "9223372036854775808", 0},
        {VALUE_TEXT, "1e3", TYPE(INT64), false, "1000", 0},
        {VALUE_TEXT, "+7", TYPE(INT64), false, "7", 0},
        {VALUE_TEXT, "1.0", TYPE(INT64), false, "1", 0},
        {VALUE_TEXT, " 1", TYPE(INT64), true, NO_TYPE},
        {VALUE_TEXT, "1x", TYPE(INT64), true, NO_TYPE},
        {VALUE_TEXT, "1e20001", TYPE(INT64), true, NO_NUMBER},
        {VALUE_TEXT, "", TYPE(INT64), true, NO_TYPE},
        {VALUE_JSON, "12", TYPE(INT64), false, "12", 0},
        {VALUE_JSON, "\"12\"", TYPE(INT64), false, "12", 0},
        {VALUE_JSON, "{}", TYPE(INT64), false, NO_TYPE},
        {VALUE_BYTES, "12", TYPE(INT64), true, NO_TYPE},
    };
    CHECK(cases);
}

static void to_floats(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_INT64, "9007199254740992", TYPE(FLOAT64), false, "9007199254740992", 0},
        {VALUE_INT64, "9007199254740993", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_INT64, "9007199254740993", TYPE(FLOAT64), true, "9007199254740992", 0},
        {VALUE_INT64, "9223372036854775807", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_INT64, "-9223372036854775808", TYPE(FLOAT64), false, "-9223372036854776000", 0},
        {VALUE_UINT64, "18446744073709551615", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_UINT64, "18446744073709551615", TYPE(FLOAT64), true, "18446744073709552000", 0},
        {VALUE_INT64, "16777217", TYPE(FLOAT32), false, NO_NUMBER},
        {VALUE_INT64, "16777216", TYPE(FLOAT32), false, "16777216", 0},
        {VALUE_DECIMAL, "0.10", TYPE(FLOAT64), false, "0.1", 0},
        {VALUE_DECIMAL, "0.1000000000000000055511151231257827", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_DECIMAL, "0.1000000000000000055511151231257827", TYPE(FLOAT64), true, "0.1", 0},
        {VALUE_DECIMAL, "0.30000000000000004", TYPE(FLOAT64), false, "0.30000000000000004", 0},
        {VALUE_DECIMAL, "1e400", TYPE(FLOAT64), true, NO_NUMBER},
        {VALUE_DECIMAL, "1e-400", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_DECIMAL, "1e-400", TYPE(FLOAT64), true, "0", 0},
        {VALUE_DECIMAL, "5e-324", TYPE(FLOAT64), false, "5e-324", 0},
        {VALUE_DECIMAL, "NaN", TYPE(FLOAT64), false, "NaN", 0},
        {VALUE_DECIMAL, "-Infinity", TYPE(FLOAT64), false, "-Infinity", 0},
        {VALUE_DECIMAL, "0.1", TYPE(FLOAT32), false, "0.1", 0},
        {VALUE_DECIMAL, "16777217", TYPE(FLOAT32), false, NO_NUMBER},
        {VALUE_DECIMAL, "3.4028235e38", TYPE(FLOAT32), false, "3.4028235e+38", 0},
        {VALUE_DECIMAL, "1e39", TYPE(FLOAT32), true, NO_NUMBER},
        {VALUE_FLOAT32, "0.1", TYPE(FLOAT64), false, "0.10000000149011612", 0},
        {VALUE_FLOAT64, "0.1", TYPE(FLOAT32), false, NO_NUMBER},
        {VALUE_FLOAT64, "0.1", TYPE(FLOAT32), true, "0.1", 0},
        {VALUE_FLOAT64, "0.5", TYPE(FLOAT32), false, "0.5", 0},
        {VALUE_FLOAT64, "1e300", TYPE(FLOAT32), true, NO_NUMBER},
        {VALUE_FLOAT64, "NaN", TYPE(FLOAT32), false, "NaN", 0},
        {VALUE_FLOAT64, "-Infinity", TYPE(FLOAT32), false, "-Infinity", 0},
        {VALUE_TEXT, "1.5", TYPE(FLOAT64), false, "1.5", 0},
        {VALUE_TEXT, "-0.0", TYPE(FLOAT64), false, "-0", 0},
        {VALUE_TEXT, "inf", TYPE(FLOAT64), false, "Infinity", 0},
        {VALUE_TEXT, "1e400", TYPE(FLOAT64), false, NO_NUMBER},
        {VALUE_TEXT, "one", TYPE(FLOAT64), true, NO_TYPE},
        {VALUE_BOOL, "true", TYPE(FLOAT64), false, "1", 0},
        {VALUE_JSON, "1.5", TYPE(FLOAT64), false, "1.5", 0},
    };
    CHECK(cases);
}

#define NUMERIC(digits, after)                                     \
    {                                                              \
        .kind = VALUE_DECIMAL, .precision = digits, .scale = after \
    }

static void to_decimals(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_INT64, "-9223372036854775808", TYPE(DECIMAL), false, "-9223372036854775808", 0},
        {VALUE_UINT64, "18446744073709551615", TYPE(DECIMAL), false, "18446744073709551615", 0},
        {VALUE_FLOAT64, "1.98", TYPE(DECIMAL), false, "1.98", 0},
        {VALUE_FLOAT32, "0.1", TYPE(DECIMAL), false, "0.1", 0},
        {VALUE_FLOAT64, "NaN", TYPE(DECIMAL), false, "NaN", 0},
        {VALUE_TEXT, "0.10", TYPE(DECIMAL), false, "0.10", 0},
        {VALUE_TEXT, "ten", TYPE(DECIMAL), false, NO_TYPE},
        {VALUE_DECIMAL, "1.5", NUMERIC(10, 2), false, "1.50", 0},
        {VALUE_DECIMAL, "1.500", NUMERIC(10, 2), false, "1.50", 0},
        {VALUE_DECIMAL, "1.505", NUMERIC(10, 2), false, NO_NUMBER},
        {VALUE_DECIMAL, "1.505", NUMERIC(10, 2), true, "1.50", 0},
        {VALUE_DECIMAL, "99999999.99", NUMERIC(10, 2), false, "99999999.99", 0},
        {VALUE_DECIMAL, "100000000", NUMERIC(10, 2), true, NO_NUMBER},
        {VALUE_DECIMAL, "99999999.995", NUMERIC(10, 2), true, NO_NUMBER},
        {VALUE_DECIMAL, "-0.5", NUMERIC(2, 2), false, "-0.50", 0},
        {VALUE_DECIMAL, "1", NUMERIC(2, 2), false, NO_NUMBER},
        {VALUE_DECIMAL, "0", NUMERIC(2, 2), false, "0.00", 0},
        {VALUE_DECIMAL, "1200", NUMERIC(2, -2), false, "1200", 0},
        {VALUE_DECIMAL, "12345", NUMERIC(2, -2), false, NO_NUMBER},
        {VALUE_DECIMAL, "NaN", NUMERIC(10, 2), false, "NaN", 0},
        {VALUE_INT64, "7", NUMERIC(38, 10), false, "7.0000000000", 0},
        {VALUE_TEXT, "1234567890123456789012345678.0123456789", NUMERIC(38, 10), false,
         "1234567890123456789012345678.0123456789", 0},
        {VALUE_DECIMAL,
         "1.505",
         {.kind = VALUE_DECIMAL, .precision = 10, .scale = 2, .dynamic = true},
         false,
         "1.505",
         0},
        {VALUE_BOOL, "true", TYPE(DECIMAL), false, "1", 0},
        {VALUE_UUID, "01234567-89ab-cdef-0123-456789abcdef", TYPE(DECIMAL), false, NO_TYPE},
    };
    CHECK(cases);
}

#define LIMITED(kind_name, limit)                     \
    {                                                 \
        .kind = VALUE_##kind_name, .precision = limit \
    }

static void to_text_and_bytes(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_BOOL, "f", TYPE(TEXT), false, "false", 0},
        {VALUE_INT64, "-5", TYPE(TEXT), false, "-5", 0},
        {VALUE_FLOAT64, "1e300", TYPE(TEXT), false, "1e+300", 0},
        {VALUE_FLOAT32, "0.1", TYPE(TEXT), false, "0.1", 0},
        {VALUE_DECIMAL, "0.10", TYPE(TEXT), false, "0.10", 0},
        {VALUE_DATE, "2024-02-29", TYPE(TEXT), false, "2024-02-29", 0},
        {VALUE_TIMESTAMP, "2024-02-29 12:00:00Z", TYPE(TEXT), false, "2024-02-29T12:00:00Z", 0},
        {VALUE_INTERVAL, "P1D", TYPE(TEXT), false, "P1D", 0},
        {VALUE_UUID, "{01234567-89AB-cdef-0123-456789abcdef}", TYPE(TEXT), false,
         "01234567-89ab-cdef-0123-456789abcdef", 0},
        {VALUE_JSON, "{\"a\": 1}", TYPE(TEXT), false, "{\"a\": 1}", 0},
        {VALUE_LIST, "[1, \"x\"]", TYPE(TEXT), false, "[1,\"x\"]", 0},
        {VALUE_MAP, "{\"a\": 1}", TYPE(TEXT), false, "{\"a\":1}", 0},
        {VALUE_BYTES, "abc\xC3\xA9", TYPE(TEXT), false, "abc\xC3\xA9", 0},
        {VALUE_BYTES, "abc\xC3", TYPE(TEXT), true, NULL, ERROR_REJECT_TEXT},
        {VALUE_ESCAPE, "a\xFF\xC3", TYPE(TEXT), false, NULL, ERROR_REJECT_TEXT},
        {VALUE_ESCAPE, "a\xFF\xC3\xA9\xE2\x82", TYPE(TEXT), true,
         "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD", 0},
        {VALUE_ESCAPE, "a\xFF", TYPE(BYTES), false, "61ff", 0},
        {VALUE_TEXT, "abc", LIMITED(TEXT, 3), false, "abc", 0},
        {VALUE_TEXT, "abcd", LIMITED(TEXT, 3), false, NO_TYPE},
        {VALUE_TEXT, "abcd", LIMITED(TEXT, 3), true, "abc", 0},
        {VALUE_TEXT, "\xC3\xA9\xC3\xA9\xC3\xA9", LIMITED(TEXT, 3), false,
         "\xC3\xA9\xC3\xA9\xC3\xA9", 0},
        {VALUE_TEXT, "\xC3\xA9\xC3\xA9\xC3\xA9x", LIMITED(TEXT, 3), true,
         "\xC3\xA9\xC3\xA9\xC3\xA9", 0},
        {VALUE_TEXT,
         "abcd",
         {.kind = VALUE_TEXT, .precision = 3, .dynamic = true},
         false,
         "abcd",
         0},
        {VALUE_INT64, "12345", LIMITED(TEXT, 3), false, NO_TYPE},
        {VALUE_BYTES, "abcd", LIMITED(BYTES, 3), false, NO_TYPE},
        {VALUE_BYTES, "abcd", LIMITED(BYTES, 3), true, "616263", 0},
        {VALUE_TEXT, "\xC3\xA9", TYPE(BYTES), false, "c3a9", 0},
        {VALUE_JSON, "1", TYPE(BYTES), false, "31", 0},
        {VALUE_UUID, "0123456789abcdef0123456789abcdef", TYPE(BYTES), false,
         "0123456789abcdef0123456789abcdef", 0},
        {VALUE_INT64, "1", TYPE(BYTES), true, NO_TYPE},
        {VALUE_TEXT, "{\"k\": [1.10, null]} ", TYPE(JSON), false, "{\"k\": [1.10, null]} ", 0},
        {VALUE_TEXT, "\"x\"", TYPE(JSON), false, "\"x\"", 0},
        {VALUE_TEXT, "say \"x\"", TYPE(JSON), true, NO_JSON},
        {VALUE_TEXT, "", TYPE(JSON), false, NO_JSON},
        {VALUE_TEXT, "1 2", TYPE(JSON), false, NO_JSON},
        {VALUE_DECIMAL, "1.50", TYPE(JSON), false, "1.50", 0},
        {VALUE_FLOAT64, "NaN", TYPE(JSON), false, "\"NaN\"", 0},
        {VALUE_DECIMAL, "-Infinity", TYPE(JSON), false, "\"-Infinity\"", 0},
        {VALUE_BYTES, "[\"\xC3\xA9\"]", TYPE(JSON), false, "[\"\xC3\xA9\"]", 0},
        {VALUE_BYTES, "[\"\xE9\"]", TYPE(JSON), false, NO_JSON},
        {VALUE_DATE, "2024-02-29", TYPE(JSON), false, "\"2024-02-29\"", 0},
        {VALUE_JSON, "{ }", TYPE(JSON), false, "{ }", 0},
        {VALUE_ESCAPE, "x", TYPE(JSON), true, NO_TYPE},
    };
    CHECK(cases);
}

#define FRACTION(kind_name, digits)                       \
    {                                                     \
        .kind = VALUE_##kind_name, .fraction = digits + 1 \
    }
#define ZONED(kind_name)                         \
    {                                            \
        .kind = VALUE_##kind_name, .zoned = true \
    }

/* Only where the type can't hold it, and where that is allowed. */
static void nuls_are_taken_out(void **state)
{
    static const struct {
        enum value_kind kind;
        const char *text;
        size_t length;
        const char *stripped;
    } cases[] = {
        {VALUE_TEXT, "\0a\0\0b\0", 6, "ab"},
        {VALUE_TEXT, "\0", 1, ""},
        {VALUE_TEXT, "\\u0000", 6, "\\u0000"},
        {VALUE_JSON, "[\"\\u0000a\\u0000\"]", 17, "[\"a\"]"},
        {VALUE_JSON, "\"\\\\u0000\"", 9, "\"\\\\u0000\""},
        {VALUE_JSON, "\"\\\\\\u0000\"", 10, "\"\\\\\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cell from = cell_text(cases[i].text, cases[i].length);
        struct value_type to = {.kind = cases[i].kind, .no_nul = true};
        struct cell result;
        from.kind = (uint8_t)cases[i].kind;
        assert_int_equal(convert_value(&from, &to, true, arena, &result, &error), STATUS_OK);
        assert_int_equal(result.kind, cases[i].kind);
        assert_int_equal(result.length, strlen(cases[i].stripped));
        assert_memory_equal(result.text, cases[i].stripped, result.length);
        assert_int_equal(convert_value(&from, &to, false, arena, &result, &error), STATUS_OK);
        assert_int_equal(result.length, cases[i].length);
        to.no_nul = false;
        assert_int_equal(convert_value(&from, &to, true, arena, &result, &error), STATUS_OK);
        assert_int_equal(result.length, cases[i].length);
    }
}

static void to_times(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_TEXT, "2024-02-29", TYPE(DATE), false, "2024-02-29", 0},
        {VALUE_TEXT, "2024-02-30", TYPE(DATE), true, NO_TYPE},
        {VALUE_TEXT, "0000-00-00", TYPE(DATE), false, "0000-00-00", 0},
        {VALUE_TEXT, "2024-02-29T00:00:00", TYPE(DATE), false, "2024-02-29", 0},
        {VALUE_TEXT, "2024-02-29 10:00:00", TYPE(DATE), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 10:00:00", TYPE(DATE), true, "2024-02-29", 0},
        {VALUE_TEXT, "2024-02-29 00:00:00Z", TYPE(DATE), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 10:00:00", TYPE(TIME), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 10:00:00.25", TYPE(TIME), true, "10:00:00.25", 0},
        {VALUE_TIMESTAMP, "2024-02-29 00:00:00", TYPE(DATE), false, "2024-02-29", 0},
        {VALUE_TIMESTAMP, "2024-02-29 00:00:01", TYPE(DATE), false, NO_TYPE},
        {VALUE_TIMESTAMP, "1969-12-31 23:59:59", TYPE(DATE), true, "1969-12-31", 0},
        {VALUE_TIMESTAMP, "2024-02-29 00:00:00Z", TYPE(DATE), false, NO_TYPE},
        {VALUE_TIMESTAMP, "infinity", TYPE(DATE), false, "infinity", 0},
        {VALUE_TIMESTAMP, "1969-12-31 23:59:59.5", TYPE(TIME), false, NO_TYPE},
        {VALUE_TIMESTAMP, "1969-12-31 23:59:59.5", TYPE(TIME), true, "23:59:59.5", 0},
        {VALUE_TIMESTAMP, "infinity", TYPE(TIME), true, NO_TYPE},
        {VALUE_TEXT, "12:00", TYPE(TIME), false, "12:00:00", 0},
        {VALUE_TEXT, "12:00+01", TYPE(TIME), false, NO_TYPE},
        {VALUE_TEXT, "12:00+01", TYPE(TIME), true, "12:00:00", 0},
        {VALUE_TEXT, "12:00+01", ZONED(TIME), false, "12:00:00+01:00", 0},
        {VALUE_TEXT, "12:00", ZONED(TIME), false, NO_TYPE},
        {VALUE_TEXT, "12:00", ZONED(TIME), true, "12:00:00Z", 0},
        {VALUE_TEXT, "noon", TYPE(TIME), true, NO_TYPE},
        {VALUE_DATE, "2024-02-29", TYPE(TIMESTAMP), false, "2024-02-29T00:00:00", 0},
        {VALUE_DATE, "2024-02-29", ZONED(TIMESTAMP), false, NO_TYPE},
        {VALUE_DATE, "2024-02-29", ZONED(TIMESTAMP), true, "2024-02-29T00:00:00Z", 0},
        {VALUE_DATE, "+5874897-01-01", TYPE(TIMESTAMP), true, NO_TYPE},
        {VALUE_DATE, "-infinity", ZONED(TIMESTAMP), false, "-infinity", 0},
        {VALUE_TEXT, "2024-02-29 12:00:00", TYPE(TIMESTAMP), false, "2024-02-29T12:00:00", 0},
        {VALUE_TEXT, "2024-02-29 12:00:00+02", TYPE(TIMESTAMP), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 12:00:00+02", TYPE(TIMESTAMP), true, "2024-02-29T10:00:00", 0},
        {VALUE_TEXT, "2024-02-29 12:00:00+02", ZONED(TIMESTAMP), false, "2024-02-29T10:00:00Z", 0},
        {VALUE_TEXT, "2024-02-29 12:00:00", ZONED(TIMESTAMP), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 12:00:00.123456789", FRACTION(TIMESTAMP, 6), false,
         "2024-02-29T12:00:00.123456789", 0},
        {VALUE_TEXT, "2024-02-29 12:00:00.123456789", FRACTION(TIMESTAMP, 6), true,
         "2024-02-29T12:00:00.123457", 0},
        {VALUE_TEXT, "2024-02-29 23:59:59.9996", FRACTION(TIMESTAMP, 3), true,
         "2024-03-01T00:00:00", 0},
        {VALUE_TEXT, "1969-12-31 23:59:58.5", FRACTION(TIMESTAMP, 0), true, "1969-12-31T23:59:58",
         0},
        {VALUE_TEXT, "1969-12-31 23:59:59.5", FRACTION(TIMESTAMP, 0), true, "1970-01-01T00:00:00",
         0},
        {VALUE_TEXT, "08:00:00.0000005", FRACTION(TIME, 6), true, "08:00:00", 0},
        {VALUE_TEXT, "08:00:00.0000015", FRACTION(TIME, 6), true, "08:00:00.000002", 0},
        {VALUE_TEXT, "tomorrow", TYPE(TIMESTAMP), true, NO_TYPE},
        {VALUE_INT64, "0", TYPE(TIMESTAMP), true, NO_TYPE},
        {VALUE_TEXT, "P1Y", TYPE(INTERVAL), false, "P1Y", 0},
        {VALUE_TEXT, "1 year", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_DATE, "2024-02-29", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_JSON, "\"2024-02-29\"", TYPE(DATE), false, "2024-02-29", 0},
    };
    CHECK(cases);
}

static void to_uuids(void **state)
{
    (void)state;
    static const char plain[] = "01234567-89ab-cdef-0123-456789abcdef";
    static const struct conversion_case cases[] = {
        {VALUE_TEXT, plain, TYPE(UUID), false, plain, 0},
        {VALUE_TEXT, "{0123456789ABCDEF0123456789ABCDEF}", TYPE(UUID), false, plain, 0},
        {VALUE_TEXT, "01234567-89ab-cdef-0123-456789abcde", TYPE(UUID), true, NO_TYPE},
        {VALUE_TEXT, "01234567-89ab-cdef-0123-456789abcdeg", TYPE(UUID), true, NO_TYPE},
        {VALUE_TEXT, "0123456-789ab-cdef-0123-456789abcdef", TYPE(UUID), true, NO_TYPE},
        {VALUE_TEXT, "", TYPE(UUID), true, NO_TYPE},
        {VALUE_TEXT, "{}", TYPE(UUID), true, NO_TYPE},
        {VALUE_BYTES, "0123456789abcdef", TYPE(UUID), false, "30313233-3435-3637-3839-616263646566",
         0},
        {VALUE_BYTES, "0123456789abcde", TYPE(UUID), true, NO_TYPE},
        {VALUE_INT64, "1", TYPE(UUID), true, NO_TYPE},
    };
    CHECK(cases);
}

static void to_containers(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_TEXT, "[1,[2]]", TYPE(LIST), false, "[1,[2]]", 0},
        {VALUE_JSON, "{\"a\":null}", TYPE(MAP), false, "{\"a\":null}", 0},
        {VALUE_TEXT, "[1]", TYPE(MAP), false, NO_TYPE},
        {VALUE_TEXT, "{}", TYPE(LIST), false, "[]", 0},
        {VALUE_TEXT, "1", TYPE(LIST), false, NO_TYPE},
        {VALUE_TEXT, "[1", TYPE(LIST), false, NULL, ERROR_REJECT_UNREADABLE},
        {VALUE_LIST, "[1,2,3]", TYPE(SET), false, "[1,2,3]", 0},
        {VALUE_LIST, "[1]", TYPE(SET), false, "[1]", 0},
        {VALUE_LIST, "[1,2,1]", TYPE(SET), false, NO_TYPE},
        {VALUE_LIST, "[1,2,1,\"1\",[1],2,[1]]", TYPE(SET), true, "[1,2,\"1\",[1]]", 0},
        {VALUE_TEXT, "[\"b\",\"a\"]", TYPE(SET), false, "[\"b\",\"a\"]", 0},
        {VALUE_SET, "[1,2]", TYPE(LIST), false, "[1,2]", 0},
        {VALUE_MAP, "{}", TYPE(LIST), true, NO_TYPE},
        {VALUE_INT64, "1", TYPE(LIST), true, NO_TYPE},
    };
    CHECK(cases);
}

#define COUNT(kind_name, unit)                           \
    {                                                    \
        .kind = VALUE_##kind_name, .epoch = EPOCH_##unit \
    }

/* Numbers that count from 1970, and times that become such. */
static void times_are_counted(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_INT64, "0", COUNT(TIMESTAMP, SECONDS), false, "1970-01-01T00:00:00", 0},
        {VALUE_INT64, "1709212455", COUNT(TIMESTAMP, SECONDS), false, "2024-02-29T13:14:15", 0},
        {VALUE_INT64, "-1", COUNT(TIMESTAMP, MILLISECONDS), false, "1969-12-31T23:59:59.999", 0},
        {VALUE_INT64, "1709212455123456", COUNT(TIMESTAMP, MICROSECONDS), false,
         "2024-02-29T13:14:15.123456", 0},
        {VALUE_INT64, "-1", COUNT(TIMESTAMP, NANOSECONDS), false, "1969-12-31T23:59:59.999999999",
         0},
        {VALUE_FLOAT64, "1709212455.5", COUNT(TIMESTAMP, SECONDS), false, "2024-02-29T13:14:15.5",
         0},
        {VALUE_TEXT, "1709212455.123456789", COUNT(TIMESTAMP, SECONDS), false,
         "2024-02-29T13:14:15.123456789", 0},
        {VALUE_TEXT, "2024-02-29", COUNT(TIMESTAMP, SECONDS), false, "2024-02-29T00:00:00", 0},
        {VALUE_INT64, "86400", COUNT(DATE, SECONDS), false, "1970-01-02", 0},
        {VALUE_INT64, "86401", COUNT(DATE, SECONDS), false, NO_TYPE},
        {VALUE_INT64, "7200000", COUNT(INTERVAL, MILLISECONDS), false, "PT2H", 0},
        {VALUE_DECIMAL, "0.0000000001", COUNT(TIMESTAMP, SECONDS), false, NO_NUMBER},
        {VALUE_DECIMAL, "0.5", COUNT(TIMESTAMP, NANOSECONDS), false, NO_NUMBER},
        {VALUE_DECIMAL, "99999999999999999999", COUNT(TIMESTAMP, SECONDS), false, NO_NUMBER},
        {VALUE_FLOAT64, "nan", COUNT(TIMESTAMP, SECONDS), false, NO_NUMBER},
        {VALUE_TEXT, "soon", COUNT(TIMESTAMP, SECONDS), false, NO_TYPE},
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15Z", COUNT(INT64, SECONDS), false, "1709212455", 0},
        {VALUE_TEXT, "2024-02-29 14:14:15+01", COUNT(INT64, SECONDS), false, "1709212455", 0},
        {VALUE_TEXT, "12", COUNT(INT64, SECONDS), false, "12", 0},
        {VALUE_TIMESTAMP, "1969-12-31T23:59:59.5Z", COUNT(INT64, MILLISECONDS), false, "-500", 0},
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15.5Z", COUNT(INT64, SECONDS), false, NO_NUMBER},
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15.5Z", COUNT(DECIMAL, SECONDS), false, "1709212455.5",
         0},
        {VALUE_TIMESTAMP, "infinity", COUNT(INT64, SECONDS), false, NO_TYPE},
        {VALUE_DATE, "1970-01-02", COUNT(INT64, MICROSECONDS), false, "86400000000", 0},
        {VALUE_TIME, "00:00:01", COUNT(INT64, MILLISECONDS), false, "1000", 0},
        {VALUE_INTERVAL, "P1DT1S", COUNT(INT64, SECONDS), false, "86401", 0},
        {VALUE_INTERVAL, "P1M", COUNT(INT64, SECONDS), false, NO_TYPE},
    };
    CHECK(cases);
}

/* A number counts an instant: what names no zone is of the type's, or is refused. */
static void times_without_a_zone_are_counted_in_the_type_s(void **state)
{
    (void)state;
    struct value_type in_paris = COUNT(INT64, SECONDS);
    assert_int_equal(time_zone_make("Europe/Paris", arena, &in_paris.zone, &error), STATUS_OK);
    const struct conversion_case cases[] = {
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15", COUNT(INT64, SECONDS), false, NO_TYPE},
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15", COUNT(INT64, SECONDS), true, "1709212455", 0},
        {VALUE_TIMESTAMP, "2024-02-29T14:14:15", in_paris, false, "1709212455", 0},
        {VALUE_TIMESTAMP, "2024-02-29T13:14:15Z", in_paris, false, "1709212455", 0},
        {VALUE_TIMESTAMP, "2024-03-31T02:30:00", in_paris, false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 14:14:15", in_paris, false, "1709212455", 0},
        {VALUE_TEXT, "2024-02-29 14:14:15", COUNT(INT64, SECONDS), false, NO_TYPE},
        {VALUE_TEXT, "2024-02-29 13:14:15Z", in_paris, false, "1709212455", 0},
        {VALUE_DATE, "1970-01-02", in_paris, false, "86400", 0},
        {VALUE_TIME, "13:14:15+02:00", COUNT(INT64, SECONDS), false, NO_TYPE},
        {VALUE_TIME, "00:00:15+02:00", COUNT(INT64, SECONDS), true, "15", 0},
    };
    CHECK(cases);
}

/* What clocks show beyond a day, too. */
static void to_intervals(void **state)
{
    (void)state;
    static const struct conversion_case cases[] = {
        {VALUE_TEXT, "26:00:00", TYPE(INTERVAL), false, "PT26H", 0},
        {VALUE_TEXT, "-838:59:59.5", TYPE(INTERVAL), false, "PT-838H-59M-59.5S", 0},
        {VALUE_TEXT, "13:14", TYPE(INTERVAL), false, "PT13H14M", 0},
        {VALUE_TEXT, "P1DT2H", TYPE(INTERVAL), false, "P1DT2H", 0},
        {VALUE_TEXT, "13:60:00", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_TEXT, ":14", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_TEXT, "13:14:15Z", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_TEXT, "1234567:00", TYPE(INTERVAL), true, NO_TYPE},
        {VALUE_TIME, "13:14:15", TYPE(INTERVAL), false, "PT13H14M15S", 0},
    };
    CHECK(cases);
}

static void nothing_stays_nothing(void **state)
{
    (void)state;
    for (int kind = VALUE_MISSING; kind < VALUE_KIND_COUNT; kind++) {
        struct value_type to = {.kind = (enum value_kind)kind};
        struct cell result;
        struct cell null = cell_null();
        struct cell missing = cell_missing();
        struct cell json = make(VALUE_JSON, "null");
        assert_int_equal(convert_value(&null, &to, false, arena, &result, &error), STATUS_OK);
        assert_int_equal(result.kind, VALUE_NULL);
        assert_int_equal(convert_value(&missing, &to, false, arena, &result, &error), STATUS_OK);
        assert_int_equal(result.kind, VALUE_MISSING);
        if (kind == VALUE_INT64 || kind == VALUE_DATE) {
            assert_int_equal(convert_value(&json, &to, false, arena, &result, &error), STATUS_OK);
            assert_int_equal(result.kind, VALUE_NULL);
        }
    }
    struct cell number = cell_int64(1);
    struct value_type strange = {.kind = (enum value_kind)77};
    assert_int_equal(convert_value(&number, &strange, true, arena, &number, NULL), STATUS_FAILED);
}

static enum status read_letters(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                                struct error *failure)
{
    (void)failure;
    assert_true(offset + size <= self->length);
    for (size_t i = 0; i < size; i++) {
        ((char *)bytes)[i] = (char)((offset + i) % 97 == 0 ? '"' : 'x');
    }
    return STATUS_OK;
}

static void large_values_stay_large_or_are_read(void **state)
{
    (void)state;
    struct large_value handle = {.kind = VALUE_TEXT, .length = 200000, .read = read_letters};
    struct cell large = {.kind = VALUE_LARGE, .large = &handle};
    struct cell result;
    struct buffer out = {0};
    struct value_type text = {.kind = VALUE_TEXT};
    struct value_type bytes = {.kind = VALUE_BYTES};
    assert_int_equal(convert_value(&large, &text, false, arena, &result, &error), STATUS_OK);
    assert_ptr_equal(result.large, &handle);
    assert_int_equal(convert_value(&large, &bytes, false, arena, &result, &error), STATUS_OK);
    assert_int_equal(result.kind, VALUE_BYTES);
    assert_int_equal(result.length, 200000);
    assert_memory_equal(result.bytes + 97, "\"xx", 3);
    struct value_type number = {.kind = VALUE_INT64};
    assert_int_equal(convert_value(&large, &number, false, arena, &result, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TYPE);
    handle.length = CONVERT_LARGE_BYTES_MAX + 1;
    assert_int_equal(convert_value(&large, &text, false, arena, &result, &error), STATUS_OK);
    assert_int_equal(convert_value(&large, &bytes, false, arena, &result, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_LARGE);
    assert_string_equal(error.message,
                        "a value of 67108865 bytes is too large here: 67108864 bytes at most");
    handle.length = 200000;
    assert_int_equal(convert_append_text(&large, false, &out, &error), STATUS_OK);
    assert_int_equal(out.length, 200000);
    assert_int_equal(out.data[97], '"');
    assert_int_equal(out.data[98], 'x');
    buffer_clear(&out);
    assert_int_equal(convert_append_json(&large, &out, &error), STATUS_OK);
    struct cell back;
    assert_int_equal(convert_read_json(out.data, out.length, arena, &back, &error), STATUS_OK);
    assert_int_equal(back.length, 200000);
    buffer_clear(&out);
    handle.kind = VALUE_BYTES;
    assert_int_equal(convert_append_text(&large, true, &out, &error), STATUS_OK);
    assert_int_equal(out.length, 400000);
    assert_memory_equal(out.data, "227878", 6);
    buffer_clear(&out);
    assert_int_equal(convert_append_json(&large, &out, &error), STATUS_OK);
    assert_int_equal(out.length, (200000 + 2) / 3 * 4 + 2);
    buffer_free(&out);
}

static void maps_with_other_keys_become_pairs(void **state)
{
    (void)state;
    struct cell items[] = {cell_int64(1), cell_text("a", 1), cell_text("k", 1), cell_null()};
    struct cell map = cell_items(VALUE_MAP, items, 2);
    struct cell empty = cell_items(VALUE_MAP, NULL, 0);
    struct buffer out = {0};
    assert_int_equal(convert_append_json(&map, &out, &error), STATUS_OK);
    assert_buffer(&out, "[[1,\"a\"],[\"k\",null]]");
    assert_int_equal(convert_append_json(&empty, &out, &error), STATUS_OK);
    assert_buffer(&out, "{}");
    static struct cell levels[1100];
    levels[0] = cell_null();
    for (int i = 1; i < 1100; i++) {
        levels[i] = cell_items(VALUE_LIST, &levels[i - 1], 1);
    }
    assert_int_equal(convert_append_json(&levels[1099], &out, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
    buffer_free(&out);
}

static void errors_name_the_value(void **state)
{
    (void)state;
    struct cell text =
        make(VALUE_TEXT, "a long story\nabout nothing that will not be printed whole");
    struct value_type to = {.kind = VALUE_INT64};
    struct cell result;
    assert_int_equal(convert_value(&text, &to, false, arena, &result, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "text \"a long story\\nabout"));
    assert_non_null(strstr(error.message, "can't become int64: it is not a number"));
}

/* --- all pairs of kinds --- */

static struct value_type type_of(const struct cell *cell)
{
    struct value_type type = {.kind = (enum value_kind)cell->kind};
    type.zoned = (cell->kind == VALUE_TIME || cell->kind == VALUE_TIMESTAMP) &&
                 (cell->flags & CELL_ZONED) != 0;
    return type;
}

static int holds_escape(const struct cell *cell)
{
    size_t count = cell->kind == VALUE_LIST || cell->kind == VALUE_SET ? cell->length
                   : cell->kind == VALUE_MAP                           ? 2 * (size_t)cell->length
                                                                       : 0;
    for (size_t i = 0; i < count; i++) {
        if (holds_escape(&cell->items[i])) {
            return 1;
        }
    }
    return cell->kind == VALUE_ESCAPE;
}

/* Values whose text says less than they do. */
static int loses_by_nature(const struct cell *cell, enum value_kind to)
{
    int is_special_time = (cell->kind == VALUE_TIMESTAMP || cell->kind == VALUE_DATE) &&
                          (cell->flags & CELL_SPECIAL) != 0;
    int is_zero = (cell->kind == VALUE_FLOAT64 || cell->kind == VALUE_FLOAT32) && cell->f64 == 0;
    int is_nested = cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
    int in_json = to == VALUE_JSON && (cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES);
    return is_special_time || is_zero || is_nested || in_json || cell->kind == VALUE_JSON;
}

static void check_pair(struct random *random, enum value_kind from_kind, enum value_kind to_kind)
{
    struct cell from = random_value_of(random, from_kind, arena, 2);
    struct value_type from_type = type_of(&from);
    struct value_type to = {.kind = to_kind, .zoned = from_type.zoned};
    enum conversion_loss loss = convert_loss(&from_type, &to);
    assert_int_equal(convert_is_possible(from_kind, to_kind), loss != CONVERSION_IMPOSSIBLE);
    struct cell result;
    struct cell loose;
    enum status status = convert_value(&from, &to, false, arena, &result, &error);
    if (status != STATUS_OK) {
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
        assert_true(loss > CONVERSION_WIDENED || holds_escape(&from));
        if (convert_value(&from, &to, true, arena, &loose, &error) != STATUS_OK) {
            assert_int_equal(error.class, ERROR_CLASS_REJECT);
        } else {
            assert_true(loss != CONVERSION_IMPOSSIBLE);
            assert_int_equal(loose.kind, to_kind);
        }
        return;
    }
    assert_true(loss != CONVERSION_IMPOSSIBLE);
    assert_true(result.kind == to_kind || (from_kind == VALUE_JSON && result.kind == VALUE_NULL));
    assert_int_equal(convert_value(&from, &to, true, arena, &loose, &error), STATUS_OK);
    assert_true(value_equal(&result, &loose));
    if (loss == CONVERSION_EXACT) {
        assert_true(value_equal(&from, &result));
        return;
    }
    /* What came through without loss comes back the same. */
    struct cell back;
    if (!loses_by_nature(&from, to_kind) && convert_is_possible(to_kind, from_kind) &&
        convert_value(&result, &from_type, false, arena, &back, &error) == STATUS_OK) {
        int is_number_text = from_kind == VALUE_TEXT; /* "01" comes back as "1" */
        if (from_kind == VALUE_DECIMAL && back.kind == VALUE_DECIMAL) {
            assert_int_equal(decimal_compare(&from, &back), 0);
        } else if (!is_number_text && !value_equal(&from, &back)) {
            struct buffer out = {0};
            value_print(&from, 100, &out);
            fail_msg("%s %s by way of %s", value_kind_name(from_kind), buffer_string(&out),
                     value_kind_name(to_kind));
        }
    }
}

static void every_pair_keeps_its_word(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(300); round++) {
        for (int from = VALUE_BOOL; from < VALUE_KIND_COUNT; from++) {
            for (int to = VALUE_BOOL; to < VALUE_KIND_COUNT; to++) {
                if (from != VALUE_LARGE) {
                    check_pair(&random, (enum value_kind)from, (enum value_kind)to);
                }
            }
        }
        arena_reset(arena);
    }
}

static void random_texts_are_converted_or_refused(void **state)
{
    (void)state;
    static const char pieces[] = "0123456789-+.:eETZP YMDHS{}[]\",tfNa/";
    struct random random = random_start();
    for (long i = 0; i < test_rounds(20000); i++) {
        char text[24];
        size_t length = random_below(&random, sizeof(text));
        for (size_t j = 0; j < length; j++) {
            text[j] = pieces[random_below(&random, sizeof(pieces) - 1)];
        }
        struct cell from = cell_text(text, length);
        for (int kind = VALUE_BOOL; kind <= VALUE_MAP; kind++) {
            struct value_type to = {.kind = (enum value_kind)kind};
            struct cell result;
            if (convert_value(&from, &to, i % 2 == 0, arena, &result, &error) != STATUS_OK) {
                assert_int_equal(error.class, ERROR_CLASS_REJECT);
            }
        }
        if (i % 500 == 0) {
            arena_reset(arena);
        }
    }
}

static void losses_are_told_before(void **state)
{
    (void)state;
    static const struct {
        struct value_type from;
        struct value_type to;
        enum conversion_loss loss;
    } cases[] = {
        {TYPE(INT64), TYPE(INT64), CONVERSION_EXACT},
        {TYPE(NULL), TYPE(UUID), CONVERSION_EXACT},
        {TYPE(INT64), TYPE(TEXT), CONVERSION_WIDENED},
        {TYPE(INT64), TYPE(FLOAT64), CONVERSION_LOSSY},
        {TYPE(INT64), TYPE(DATE), CONVERSION_IMPOSSIBLE},
        {TYPE(INT64), TYPE(NULL), CONVERSION_IMPOSSIBLE},
        {TYPE(TEXT), TYPE(INT64), CONVERSION_PARTIAL},
        {TYPE(INT64), NUMERIC(19, 0), CONVERSION_WIDENED},
        {TYPE(INT64), NUMERIC(18, 0), CONVERSION_PARTIAL},
        {TYPE(UINT64), NUMERIC(20, 0), CONVERSION_WIDENED},
        {TYPE(BOOL), NUMERIC(1, 1), CONVERSION_PARTIAL},
        {TYPE(FLOAT64), TYPE(DECIMAL), CONVERSION_WIDENED},
        {TYPE(FLOAT64), NUMERIC(38, 10), CONVERSION_LOSSY},
        {TYPE(DECIMAL), NUMERIC(38, 10), CONVERSION_LOSSY},
        {NUMERIC(10, 2), TYPE(DECIMAL), CONVERSION_EXACT},
        {NUMERIC(10, 2), NUMERIC(10, 2), CONVERSION_EXACT},
        {NUMERIC(10, 2), NUMERIC(12, 4), CONVERSION_WIDENED},
        {NUMERIC(10, 2), NUMERIC(10, 4), CONVERSION_PARTIAL},
        {NUMERIC(10, 4), NUMERIC(10, 2), CONVERSION_LOSSY},
        {NUMERIC(10, 2), TYPE(FLOAT64), CONVERSION_WIDENED},
        {NUMERIC(16, 2), TYPE(FLOAT64), CONVERSION_LOSSY},
        {NUMERIC(6, 2), TYPE(FLOAT32), CONVERSION_WIDENED},
        {NUMERIC(7, 2), TYPE(FLOAT32), CONVERSION_LOSSY},
        {NUMERIC(18, 0), TYPE(INT64), CONVERSION_WIDENED},
        {NUMERIC(19, 0), TYPE(INT64), CONVERSION_PARTIAL},
        {NUMERIC(18, 1), TYPE(INT64), CONVERSION_LOSSY},
        {NUMERIC(18, 0), TYPE(UINT64), CONVERSION_PARTIAL},
        {NUMERIC(18, 0), TYPE(TEXT), CONVERSION_WIDENED},
        {TYPE(TEXT), LIMITED(TEXT, 10), CONVERSION_LOSSY},
        {LIMITED(TEXT, 10), LIMITED(TEXT, 10), CONVERSION_EXACT},
        {LIMITED(TEXT, 11), LIMITED(TEXT, 10), CONVERSION_LOSSY},
        {LIMITED(TEXT, 10), LIMITED(BYTES, 10), CONVERSION_LOSSY},
        {TYPE(INT64), LIMITED(TEXT, 10), CONVERSION_PARTIAL},
        {TYPE(UUID), LIMITED(TEXT, 36), CONVERSION_WIDENED},
        {TYPE(UUID), LIMITED(BYTES, 15), CONVERSION_PARTIAL},
        {TYPE(TEXT), {.kind = VALUE_TEXT, .precision = 10, .dynamic = true}, CONVERSION_EXACT},
        {TYPE(TIMESTAMP), ZONED(TIMESTAMP), CONVERSION_LOSSY},
        {ZONED(TIME), TYPE(TIME), CONVERSION_LOSSY},
        {ZONED(TIMESTAMP), ZONED(TIMESTAMP), CONVERSION_EXACT},
        {TYPE(DATE), TYPE(TIMESTAMP), CONVERSION_WIDENED},
        {TYPE(DATE), ZONED(TIMESTAMP), CONVERSION_LOSSY},
        {TYPE(TIMESTAMP), TYPE(DATE), CONVERSION_LOSSY},
        {{.kind = VALUE_INT64, .dynamic = true}, TYPE(INT64), CONVERSION_PARTIAL},
        {{.kind = VALUE_INT64, .dynamic = true},
         {.kind = VALUE_INT64, .dynamic = true},
         CONVERSION_EXACT},
        {{.kind = VALUE_INT64, .dynamic = true}, TYPE(TEXT), CONVERSION_PARTIAL},
        {{.kind = VALUE_BYTES, .dynamic = true}, TYPE(INT64), CONVERSION_PARTIAL},
        {{.kind = VALUE_FLOAT64, .dynamic = true}, TYPE(INT64), CONVERSION_LOSSY},
        {TYPE(LIST), TYPE(SET), CONVERSION_PARTIAL},
        {TYPE(ESCAPE), TYPE(ESCAPE), CONVERSION_EXACT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum conversion_loss loss = convert_loss(&cases[i].from, &cases[i].to);
        if (loss != cases[i].loss) {
            fail_msg("case %zu: %d", i, (int)loss);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(to_bool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_whole_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_floats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_decimals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_text_and_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nuls_are_taken_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_uuids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_containers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_without_a_zone_are_counted_in_the_type_s, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(to_intervals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_stays_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_values_stay_large_or_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(maps_with_other_keys_become_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_name_the_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_pair_keeps_its_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_texts_are_converted_or_refused, set_up, tear_down),
        cmocka_unit_test(losses_are_told_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
