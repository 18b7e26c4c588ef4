/* Values in CSV: written and read again in any dialect, and the types that all rows have in
 * common. */
#include "base/error.h"
#include "connectors/csv/infer.h"
#include "connectors/csv/value.h"
#include "support.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 5, TEXT_MAX = 300 };

static struct csv_dialect random_dialect(struct random *random)
{
    struct csv_dialect dialect = csv_dialect_default();
    dialect.delimiter = ",;\t|"[random_below(random, 4)];
    dialect.quote = dialect.escape = "\"'"[random_below(random, 2)];
    if (random_below(random, 3) == 0) {
        dialect.escape = '\\';
    }
    dialect.line_end = (enum csv_line_end)random_below(random, 3);
    dialect.comment = random_below(random, 4) == 0 ? '#' : '\0';
    if (random_below(random, 3) == 0) {
        static const char *const nulls[] = {"\\N", "NULL", "-", "0", "true", "NaN"};
        dialect.null_text = nulls[random_below(random, 6)];
        dialect.null_length = strlen(dialect.null_text);
    }
    dialect.bytes_form = (enum csv_bytes_form)random_below(random, 2);
    return dialect;
}

static const enum value_kind typed_kinds[] = {
    VALUE_BOOL,      VALUE_INT64,    VALUE_UINT64, VALUE_FLOAT32, VALUE_FLOAT64,
    VALUE_DECIMAL,   VALUE_TEXT,     VALUE_BYTES,  VALUE_DATE,    VALUE_TIME,
    VALUE_TIMESTAMP, VALUE_INTERVAL, VALUE_UUID,
};
enum { TYPED_COUNT = sizeof typed_kinds / sizeof typed_kinds[0] };

/* Texts that look like something else, beside random ones. */
static struct cell random_field(struct random *random, enum value_kind kind, struct arena *arena)
{
    static const char *const odd[] = {
        "",  "0",   "-0",  "1e5", "NaN", "\\N", "NULL",          "true", "\\xab", "#",
        "-", "1.0", "a,b", "\"",  "\r",  "\n",  "\xef\xbb\xbfx", "007",  " ",     "2024-01-01"};
    if (random_below(random, 8) == 0) {
        return cell_null();
    }
    if (kind == VALUE_TEXT && random_below(random, 2) == 0) {
        const char *text = odd[random_below(random, sizeof odd / sizeof odd[0])];
        return cell_text(text, strlen(text));
    }
    return random_value_of(random, kind, arena, 0);
}

static bool same_number(const struct cell *left, const struct cell *right)
{
    struct buffer texts[2] = {{0}, {0}};
    struct error error;
    struct csv_dialect dialect = csv_dialect_default();
    struct value_type type = {.kind = VALUE_DECIMAL};
    assert_int_equal(csv_value_append(&dialect, &type, left, false, &texts[0], &error), STATUS_OK);
    assert_int_equal(csv_value_append(&dialect, &type, right, false, &texts[1], &error), STATUS_OK);
    bool same = strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) == 0;
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return same;
}

/* Writes one record as the encoder does. */
static void write_record(const struct csv_dialect *dialect, const struct value_type *types,
                         const struct cell *cells, struct buffer *out)
{
    struct error error;
    for (int at = 0; at < COLUMNS; at++) {
        if (at > 0) {
            buffer_append_byte(out, dialect->delimiter);
        }
        enum status status =
            csv_value_append(dialect, &types[at], &cells[at], at == 0, out, &error);
        if (status != STATUS_OK) {
            printf("%s\n", error.message);
        }
        assert_int_equal(status, STATUS_OK);
    }
    if (dialect->line_end != CSV_LINE_LF) {
        buffer_append_byte(out, '\r');
    }
    if (dialect->line_end != CSV_LINE_CR) {
        buffer_append_byte(out, '\n');
    }
}

static void read_field(const struct csv_dialect *dialect, const struct value_type *type,
                       const struct csv_field *field, struct arena *arena, struct cell *cell)
{
    struct error error;
    bool quoted = (field->flags & CSV_FIELD_QUOTED) != 0;
    char *text = (char *)arena_allocate(arena, field->length + 1);
    size_t length = csv_unescape(dialect, field, text);
    if ((field->flags & CSV_FIELD_ESCAPED) == 0) {
        length = field->length;
        memcpy(text, field->text, length);
    }
    if (!quoted && length == dialect->null_length &&
        memcmp(text, dialect->null_text, length) == 0) {
        *cell = cell_null();
        return;
    }
    enum status status =
        csv_value_read(dialect, type, text, length, quoted, false, arena, cell, &error);
    if (status != STATUS_OK) {
        printf("%s\n", error.message);
    }
    assert_int_equal(status, STATUS_OK);
}

static void check_record(const struct csv_dialect *dialect, const struct value_type *types,
                         const struct cell *cells, bool dynamic, struct arena *arena)
{
    struct buffer text = {0};
    struct csv_scanner scanner;
    struct csv_record record;
    write_record(dialect, types, cells, &text);
    size_t length = text.length;
    buffer_reserve(&text, CSV_SCAN_PADDING);
    csv_scanner_init(&scanner, dialect, COLUMNS, 1 << 20);
    assert_int_equal(csv_scanner_window(&scanner, text.data, length, true), STATUS_OK);
    assert_int_equal(csv_scanner_next(&scanner, &record), STATUS_OK);
    assert_int_equal(record.fault, CSV_FINE);
    assert_int_equal(record.field_count, COLUMNS);
    assert_int_equal(record.end, length);
    for (int at = 0; at < COLUMNS; at++) {
        struct cell found;
        read_field(dialect, &types[at], &record.fields[at], arena, &found);
        bool numbers = dynamic && value_kind_is_number((enum value_kind)cells[at].kind) &&
                       value_kind_is_number((enum value_kind)found.kind);
        bool same = value_equal(&found, &cells[at]) || (numbers && same_number(&found, &cells[at]));
        if (!same) {
            struct buffer shown = {0};
            value_print(&cells[at], 100, &shown);
            buffer_append_string(&shown, " became ");
            value_print(&found, 100, &shown);
            printf("column %d of type %s: %s in <<%.*s>>\n", at, value_kind_name(types[at].kind),
                   buffer_string(&shown), (int)length, text.data);
            buffer_free(&shown);
        }
        assert_true(same);
    }
    csv_scanner_free(&scanner);
    buffer_free(&text);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(4000); round++) {
        struct arena *arena = arena_create(0);
        struct csv_dialect dialect = random_dialect(&random);
        struct value_type types[COLUMNS] = {{0}};
        struct cell cells[COLUMNS];
        for (int at = 0; at < COLUMNS; at++) {
            types[at].kind = typed_kinds[random_below(&random, TYPED_COUNT)];
            cells[at] = random_field(&random, types[at].kind, arena);
        }
        check_record(&dialect, types, cells, false, arena);
        arena_destroy(arena);
    }
}

/* Any kind of value in any column, as SQLite has them, and truths, as documents have them. */
static void dynamic_columns_keep_kinds(void **state)
{
    (void)state;
    static const enum value_kind kinds[] = {VALUE_INT64, VALUE_FLOAT64, VALUE_TEXT,
                                            VALUE_BYTES, VALUE_DECIMAL, VALUE_BOOL};
    static const enum value_kind columns[] = {VALUE_INT64, VALUE_TEXT, VALUE_BYTES, VALUE_DECIMAL,
                                              VALUE_BOOL};
    struct random random = random_start();
    for (long round = 0; round < test_rounds(4000); round++) {
        struct arena *arena = arena_create(0);
        struct csv_dialect dialect = random_dialect(&random);
        struct value_type types[COLUMNS] = {{0}};
        struct cell cells[COLUMNS];
        dialect.null_text = "";
        dialect.null_length = 0;
        for (int at = 0; at < COLUMNS; at++) {
            types[at] =
                (struct value_type){.kind = columns[random_below(&random, 5)], .dynamic = true};
            do {
                cells[at] = random_field(&random, kinds[random_below(&random, 6)], arena);
            } while (cells[at].kind == VALUE_DECIMAL && (cells[at].flags & CELL_SMALL) == 0);
        }
        check_record(&dialect, types, cells, true, arena);
        arena_destroy(arena);
    }
}

/* ---------------------------------------------------------------- single fields */

static void check_written(const struct csv_dialect *dialect, enum value_kind kind, bool dynamic,
                          struct cell cell, const char *expected)
{
    struct buffer out = {0};
    struct error error;
    struct value_type type = {.kind = kind, .dynamic = dynamic};
    assert_int_equal(csv_value_append(dialect, &type, &cell, true, &out, &error), STATUS_OK);
    assert_buffer(&out, expected);
    buffer_free(&out);
}

static void quotes_only_where_needed(void **state)
{
    (void)state;
    struct csv_dialect dialect = csv_dialect_default();
    check_written(&dialect, VALUE_TEXT, false, cell_text("plain text", 10), "plain text");
    check_written(&dialect, VALUE_TEXT, false, cell_text("12", 2), "12");
    check_written(&dialect, VALUE_TEXT, true, cell_text("12", 2), "\"12\"");
    check_written(&dialect, VALUE_TEXT, true, cell_text("012", 3), "012");
    check_written(&dialect, VALUE_TEXT, false, cell_text("", 0), "\"\"");
    check_written(&dialect, VALUE_TEXT, false, cell_null(), "");
    check_written(&dialect, VALUE_TEXT, false, cell_text("a,b", 3), "\"a,b\"");
    check_written(&dialect, VALUE_TEXT, false, cell_text("a\"b", 3), "\"a\"\"b\"");
    check_written(&dialect, VALUE_TEXT, false, cell_text("a\nb", 3), "\"a\nb\"");
    check_written(&dialect, VALUE_FLOAT64, false, cell_float64(0.1), "0.1");
    check_written(&dialect, VALUE_INT64, true, cell_float64(5), "5e0");
    check_written(&dialect, VALUE_FLOAT64, true, cell_float64(5), "5");
    check_written(&dialect, VALUE_BYTES, false, cell_bytes("\x00\xff", 2), "\\x00ff");
    check_written(&dialect, VALUE_BOOL, false, cell_bool(1), "true");
    dialect.null_text = "\\N";
    dialect.null_length = 2;
    check_written(&dialect, VALUE_TEXT, false, cell_text("", 0), "");
    check_written(&dialect, VALUE_TEXT, false, cell_null(), "\\N");
    check_written(&dialect, VALUE_TEXT, false, cell_text("\\N", 2), "\"\\N\"");
    dialect.quote = dialect.escape = 0;
    struct buffer out = {0};
    struct error error;
    struct value_type type = {.kind = VALUE_TEXT};
    struct cell comma = cell_text("a,b", 3);
    assert_int_equal(csv_value_append(&dialect, &type, &comma, true, &out, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_CLASS_REJECT);
    assert_int_equal(out.length, 0);
    buffer_free(&out);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct value_type type;
        const char *text;
    } wrong[] = {
        {{.kind = VALUE_INT64}, "1.5"},
        {{.kind = VALUE_INT64}, " 1"},
        {{.kind = VALUE_INT64}, "9223372036854775808"},
        {{.kind = VALUE_INT64}, ""},
        {{.kind = VALUE_UINT64}, "-1"},
        {{.kind = VALUE_FLOAT64}, "1e999"},
        {{.kind = VALUE_FLOAT64}, "1,5"},
        {{.kind = VALUE_FLOAT32}, "1e39"},
        {{.kind = VALUE_DECIMAL, .precision = 5, .scale = 2}, "1.234"},
        {{.kind = VALUE_DECIMAL, .precision = 5, .scale = 2}, "1234"},
        {{.kind = VALUE_DECIMAL}, "n/a"},
        {{.kind = VALUE_BOOL}, "yes"},
        {{.kind = VALUE_DATE}, "2023-02-29"},
        {{.kind = VALUE_TIME}, "25:00"},
        {{.kind = VALUE_TIMESTAMP}, "yesterday"},
        {{.kind = VALUE_INTERVAL}, "1h"},
        {{.kind = VALUE_UUID}, "123"},
        {{.kind = VALUE_BYTES}, "\\xabc"},
        {{.kind = VALUE_BYTES}, "ab"},
        {{.kind = VALUE_JSON}, "{\"a\":}"},
        {{.kind = VALUE_TEXT}, "\xff"},
        {{.kind = VALUE_TEXT}, "\xed\xa0\x80"},
    };
    struct arena *arena = arena_create(0);
    struct csv_dialect dialect = csv_dialect_default();
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        struct cell cell;
        struct error error;
        assert_int_equal(csv_value_read(&dialect, &wrong[at].type, wrong[at].text,
                                        strlen(wrong[at].text), false, false, arena, &cell, &error),
                         STATUS_FAILED);
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
    }
    struct value_type decimal = {.kind = VALUE_DECIMAL, .precision = 5, .scale = 2};
    struct cell cell;
    struct error error;
    assert_int_equal(
        csv_value_read(&dialect, &decimal, "-123.4500", 9, false, true, arena, &cell, &error),
        STATUS_OK);
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- inference */

/* `values` apart by spaces; `expected` as "decimal 4 2". */
static void check_type(const char *values, const char *expected)
{
    struct csv_column_facts whole = {0};
    struct csv_column_facts parts[2] = {{0}, {0}};
    uint64_t line = 1;
    for (const char *at = values; *at != '\0';) {
        size_t length = strcspn(at, " ");
        csv_infer_add(&whole, at, length, 0, line);
        csv_infer_add(&parts[line % 2], at, length, 0, line);
        at += length + (at[length] == ' ');
        line++;
    }
    csv_infer_merge(&parts[0], &parts[1], 0);
    struct value_type type = csv_infer_type(&whole);
    struct value_type merged = csv_infer_type(&parts[0]);
    char found[64];
    snprintf(found, sizeof found, "%s %d %d%s", value_kind_name(type.kind), type.precision,
             type.scale, type.zoned ? " zoned" : "");
    if (strcmp(found, expected) != 0) {
        printf("%s\n", values);
    }
    assert_string_equal(found, expected);
    assert_int_equal(merged.kind, type.kind);
    assert_int_equal(merged.precision, type.precision);
}

static void types_of_all_rows(void **state)
{
    (void)state;
    check_type("", "text 0 0");
    check_type("1 2 -3 0", "int64 0 0");
    check_type("9223372036854775807 -9223372036854775808", "int64 0 0");
    check_type("1 9223372036854775808", "decimal 19 0");
    check_type("18446744073709551615", "decimal 20 0");
    check_type("1 2.50 -100", "decimal 5 2");
    check_type("0.1 0.25", "decimal 3 2");
    check_type("007", "text 0 0");
    check_type("1 2 03", "text 0 0");
    check_type("00.5", "text 0 0");
    check_type("+5", "text 0 0");
    check_type(".5", "text 0 0");
    check_type("5.", "text 0 0");
    check_type("1 1e5", "float64 0 0");
    check_type("1e5 2.5E-3 17", "float64 0 0");
    check_type("1e999", "text 0 0");
    check_type("1e5 0.12345678901234567890", "text 0 0");
    check_type("1e5 123456.78901234567", "float64 0 0");
    check_type("1e5 9007199254740993", "text 0 0");
    check_type("-0", "float64 0 0");
    check_type("-0.0 1.5", "float64 0 0");
    check_type("NaN", "text 0 0");
    check_type("1.5 NaN -Infinity", "float64 0 0");
    check_type("nan 1", "text 0 0");
    check_type("1 n/a", "text 0 0");
    check_type("99999999999999999999999999999999999999", "decimal 38 0");
    check_type("999999999999999999999999999999999999999", "text 0 0");
    check_type("2024-01-31 0001-01-01", "date 0 0");
    check_type("2024-02-30", "text 0 0");
    check_type("2024-01-31 5", "text 0 0");
    check_type("2024-01-31T10:00:00 2024-01-31T10:00:00.5", "timestamp 0 0");
    check_type("2024-01-31T10:00:00Z", "timestamp 0 0 zoned");
    check_type("2024-01-31T10:00:00Z 2024-01-31T10:00:00", "text 0 0");
    check_type("2024-01-31T10:00:00+02:00", "text 0 0");
    check_type("2024-01-31T10:00:00.50", "text 0 0");
    check_type("true false", "text 0 0");
    check_type("9b2e4f3c-0000-4000-8000-000000000000", "text 0 0");
    struct csv_column_facts facts = {0};
    csv_infer_add(&facts, "2024-01-31 10:00:00", 19, 0, 1);
    assert_int_equal(csv_infer_type(&facts).kind, VALUE_TEXT);
}

static void the_first_odd_value_is_told(void **state)
{
    (void)state;
    struct csv_column_facts facts = {0};
    struct csv_column_facts later = {0};
    csv_infer_add(&facts, "1", 1, 0, 2);
    csv_infer_add(&facts, "2", 1, 0, 3);
    assert_int_equal(csv_infer_decider(&facts), CSV_CLASS_COUNT);
    csv_infer_add(&later, "n/a", 3, 1, 7);
    csv_infer_add(&later, "oops", 4, 1, 8);
    csv_infer_merge(&facts, &later, 100);
    assert_int_equal(csv_infer_decider(&facts), CSV_CLASS_TEXT);
    assert_int_equal(facts.first[CSV_CLASS_TEXT].line, 107);
    assert_int_equal(facts.first[CSV_CLASS_TEXT].file, 1);
    assert_string_equal(facts.first[CSV_CLASS_TEXT].sample, "n/a");
    assert_int_equal(facts.first[CSV_CLASS_WHOLE].line, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(dynamic_columns_keep_kinds),
        cmocka_unit_test(quotes_only_where_needed),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(types_of_all_rows),
        cmocka_unit_test(the_first_odd_value_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
