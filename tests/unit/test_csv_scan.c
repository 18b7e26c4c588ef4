/* Cutting CSV into records: dialects and edges, and every window against a reading byte by byte. */
#include "connectors/csv/scan.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 2048, TEXT_MAX = 4096, RECORD_BYTES_MAX = 600 };

/* ---------------------------------------------------------------- what is expected */

/* Writes "begin-end faultN lines: |field|field|" of each record, read byte by byte. */
struct naive {
    const struct csv_dialect *dialect;
    const char *bytes;
    size_t length;
    size_t record_bytes_max;
    struct buffer out;
};

static void append_field(struct buffer *out, const char *text, size_t length, bool quoted)
{
    buffer_append_byte(out, quoted ? 'q' : 'u');
    buffer_append(out, text, length);
    buffer_append_byte(out, '|');
}

static size_t line_end_at(const struct naive *naive, size_t at)
{
    if (naive->bytes[at] == csv_line_mark(naive->dialect)) {
        return 1;
    }
    bool prefix = csv_line_prefix(naive->dialect) != 0 && naive->bytes[at] == '\r';
    return prefix && at + 1 < naive->length && naive->bytes[at + 1] == csv_line_mark(naive->dialect)
               ? 2
               : 0;
}

static size_t naive_first_line(struct naive *naive, size_t begin, enum csv_fault fault)
{
    size_t at = begin;
    while (at < naive->length && naive->bytes[at] != csv_line_mark(naive->dialect)) {
        at++;
    }
    size_t end = at < naive->length ? at + 1 : at;
    size_t text_end = at;
    if (at < naive->length && csv_line_prefix(naive->dialect) != 0 && at > begin &&
        naive->bytes[at - 1] == '\r') {
        text_end--;
    }
    if (text_end - begin > naive->record_bytes_max) {
        fault = CSV_TOO_LONG;
    }
    buffer_format(&naive->out, "%zu-%zu fault%d 1: ", begin, end, (int)fault);
    append_field(&naive->out, naive->bytes + begin, text_end - begin, false);
    buffer_append_byte(&naive->out, '\n');
    return end;
}

static size_t naive_record(struct naive *naive, size_t begin)
{
    const struct csv_dialect *dialect = naive->dialect;
    const char *bytes = naive->bytes;
    struct buffer fields = {0};
    size_t at = begin;
    size_t end = 0;
    uint64_t lines = 0;
    enum csv_fault fault = CSV_FINE;
    for (;;) {
        char value[TEXT_MAX];
        size_t length = 0;
        bool quoted = at < naive->length && dialect->quote != 0 && bytes[at] == dialect->quote;
        if (quoted) {
            bool closed = false;
            for (at++; at < naive->length && !closed;) {
                bool next = at + 1 < naive->length;
                if (dialect->escape != dialect->quote && bytes[at] == dialect->escape) {
                    value[length++] = next ? bytes[at + 1] : bytes[at];
                    lines += next && bytes[at + 1] == csv_line_mark(dialect);
                    at += 2;
                } else if (bytes[at] == dialect->quote && dialect->escape == dialect->quote &&
                           next && bytes[at + 1] == dialect->quote) {
                    value[length++] = dialect->quote;
                    at += 2;
                } else if (bytes[at] == dialect->quote) {
                    closed = true;
                    at++;
                } else {
                    lines += bytes[at] == csv_line_mark(dialect);
                    value[length++] = bytes[at++];
                }
            }
            bool follows = closed && at < naive->length && bytes[at] != dialect->delimiter &&
                           line_end_at(naive, at) == 0;
            if (!closed || follows) {
                buffer_free(&fields);
                return naive_first_line(naive, begin,
                                        closed && lines == 0 ? CSV_AFTER_QUOTE : CSV_UNTERMINATED);
            }
        }
        while (!quoted && at < naive->length && bytes[at] != dialect->delimiter &&
               line_end_at(naive, at) == 0) {
            if (bytes[at] == '\0') {
                fault = CSV_NUL_BYTE;
            } else if (dialect->quote != 0 && bytes[at] == dialect->quote) {
                fault = CSV_STRAY_QUOTE;
            } else if (bytes[at] == '\r' && csv_line_prefix(dialect) != 0) {
                fault = CSV_STRAY_CR;
            }
            value[length++] = bytes[at++];
        }
        append_field(&fields, value, length, quoted);
        if (at >= naive->length || bytes[at] != dialect->delimiter) {
            end = at < naive->length ? at + line_end_at(naive, at) : at;
            break;
        }
        at++;
    }
    if (end - begin > naive->record_bytes_max) {
        buffer_free(&fields);
        return naive_first_line(naive, begin, CSV_UNTERMINATED);
    }
    buffer_format(&naive->out, "%zu-%zu fault%d %llu: ", begin, end, (int)fault,
                  (unsigned long long)lines + 1);
    buffer_append(&naive->out, fields.data, fields.length);
    buffer_append_byte(&naive->out, '\n');
    buffer_free(&fields);
    return end;
}

static void naive_read(struct naive *naive)
{
    for (size_t at = 0; at < naive->length;) {
        if (naive->dialect->comment != 0 && naive->bytes[at] == naive->dialect->comment) {
            while (at < naive->length && naive->bytes[at] != csv_line_mark(naive->dialect)) {
                at++;
            }
            at += at < naive->length;
            continue;
        }
        at = naive_record(naive, at);
    }
}

/* ---------------------------------------------------------------- what the scanner gives */

static void append_record(const struct csv_dialect *dialect, const struct csv_record *record,
                          size_t base, struct buffer *out)
{
    assert_true(record->field_count <= FIELDS_MAX);
    buffer_format(out, "%zu-%zu fault%d %llu: ", base + record->begin, base + record->end,
                  (int)record->fault, (unsigned long long)(record->lines - record->skipped_lines));
    for (uint32_t at = 0; at < record->field_count; at++) {
        const struct csv_field *field = &record->fields[at];
        char value[TEXT_MAX];
        size_t length = field->length;
        if ((field->flags & CSV_FIELD_ESCAPED) != 0) {
            length = csv_unescape(dialect, field, value);
        } else if (length > 0) {
            memcpy(value, field->text, length);
        }
        append_field(out, value, length, (field->flags & CSV_FIELD_QUOTED) != 0);
    }
    buffer_append_byte(out, '\n');
}

/* Reads in windows that grow by `step` bytes whenever a record does not fit. */
static void scan(const struct csv_dialect *dialect, const char *bytes, size_t length, size_t step,
                 struct buffer *out)
{
    struct csv_scanner scanner;
    struct csv_record record;
    size_t base = 0;
    size_t shown = step;
    char *padded = (char *)calloc(1, length + CSV_SCAN_PADDING);
    assert_non_null(padded);
    if (length > 0) {
        memcpy(padded, bytes, length);
    }
    csv_scanner_init(&scanner, dialect, FIELDS_MAX, RECORD_BYTES_MAX);
    for (bool going = true; going;) {
        size_t left = length - base;
        size_t part = left < shown ? left : shown;
        assert_int_equal(csv_scanner_window(&scanner, padded + base, part, part == left),
                         STATUS_OK);
        enum status status = STATUS_OK;
        while ((status = csv_scanner_next(&scanner, &record)) == STATUS_OK) {
            append_record(dialect, &record, base, out);
        }
        shown = scanner.position > 0 ? step : shown + step;
        base += scanner.position;
        going = status == STATUS_AGAIN;
    }
    csv_scanner_free(&scanner);
    free(padded);
}

static void check_all_windows(const struct csv_dialect *dialect, const char *bytes, size_t length,
                              const size_t *steps, size_t step_count)
{
    struct naive naive = {
        .dialect = dialect, .bytes = bytes, .length = length, .record_bytes_max = RECORD_BYTES_MAX};
    naive_read(&naive);
    for (size_t at = 0; at < step_count; at++) {
        struct buffer found = {0};
        scan(dialect, bytes, length, steps[at], &found);
        bool same = found.length == naive.out.length &&
                    (found.length == 0 || memcmp(found.data, naive.out.data, found.length) == 0);
        if (!same) {
            printf("windows of %zu bytes over <<%.*s>>\n%s\nshould be\n%s\n", steps[at],
                   (int)length, bytes, buffer_string(&found), buffer_string(&naive.out));
        }
        assert_true(same);
        buffer_free(&found);
    }
    buffer_free(&naive.out);
}

/* ---------------------------------------------------------------- the tests */

static const size_t steps_all[] = {1, 2, 3, 5, 7, 16, 63, 64, 65, 100, 1 << 20};
enum { STEP_COUNT = sizeof steps_all / sizeof steps_all[0] };

/* `expected`: per record fault, lines and fields. */
static void check_text(const struct csv_dialect *dialect, const char *text, const char *expected)
{
    struct buffer found = {0};
    check_all_windows(dialect, text, strlen(text), steps_all, STEP_COUNT);
    scan(dialect, text, strlen(text), 1 << 20, &found);
    struct buffer plain = {0};
    for (const char *line = buffer_string(&found); *line != '\0'; line++) {
        const char *end = strstr(line, "|\n");
        const char *fields = strstr(line, " fault");
        buffer_append(&plain, fields + 6, (size_t)(end + 2 - fields - 6));
        line = end + 1;
    }
    assert_string_equal(buffer_string(&plain), expected);
    buffer_free(&plain);
    buffer_free(&found);
}

static void records_and_fields(void **state)
{
    (void)state;
    struct csv_dialect dialect = csv_dialect_default();
    check_text(&dialect, "", "");
    check_text(&dialect, "a,b\nc,d\n", "0 1: ua|ub|\n0 1: uc|ud|\n");
    check_text(&dialect, "a,b\r\nc,d", "0 1: ua|ub|\n0 1: uc|ud|\n");
    check_text(&dialect, ",\n", "0 1: u|u|\n");
    check_text(&dialect, "\n\n", "0 1: u|\n0 1: u|\n");
    check_text(&dialect, "\"a\",\"\"\n", "0 1: qa|q|\n");
    check_text(&dialect, "\"a,b\r\nc\"\"d\"\r\nx", "0 2: qa,b\r\nc\"d|\n0 1: ux|\n");
    check_text(&dialect, "a,\"b\"", "0 1: ua|qb|\n");
}

static void faults_cost_one_line(void **state)
{
    (void)state;
    struct csv_dialect dialect = csv_dialect_default();
    check_text(&dialect, "a\"b,c\nd\n", "1 1: ua\"b|uc|\n0 1: ud|\n");
    check_text(&dialect, "\"a\"b,c\nd\n", "2 1: u\"a\"b,c|\n0 1: ud|\n");
    check_text(&dialect, "1,\"a\n2,b\n3,c", "3 1: u1,\"a|\n0 1: u2|ub|\n0 1: u3|uc|\n");
    check_text(&dialect, "1,\"a\n2,\"b\"\n3,c\n", "3 1: u1,\"a|\n0 1: u2|qb|\n0 1: u3|uc|\n");
    check_text(&dialect, "a\rb,c\r\nd\n", "4 1: ua\rb|uc|\n0 1: ud|\n");
    check_text(&dialect, "\"a\rb\",c\n", "0 1: qa\rb|uc|\n");
}

static void dialects(void **state)
{
    (void)state;
    struct csv_dialect dialect = csv_dialect_default();
    dialect.escape = '\\';
    dialect.delimiter = '\t';
    dialect.comment = '#';
    check_text(&dialect, "#x\na\t\"b\\\"c\\\\\"\n#\nd\te\n", "0 1: ua|qb\"c\\|\n0 1: ud|ue|\n");
    dialect = csv_dialect_default();
    dialect.quote = dialect.escape = 0;
    dialect.delimiter = '|';
    check_text(&dialect, "\"a|b\"\n", "0 1: u\"a|ub\"|\n");
    dialect = csv_dialect_default();
    dialect.line_end = CSV_LINE_CR;
    check_text(&dialect, "a,b\rc,d\r", "0 1: ua|ub|\n0 1: uc|ud|\n");
}

/* A line, and a quoted field, of more than the largest record. */
static void long_records(void **state)
{
    (void)state;
    struct csv_dialect dialect = csv_dialect_default();
    struct buffer text = {0};
    buffer_append_string(&text, "a,b\n1,\"");
    for (int at = 0; at < 200; at++) {
        buffer_append_string(&text, "xxxx\n");
    }
    buffer_append_string(&text, "\"\n2,3\n");
    check_all_windows(&dialect, text.data, text.length, steps_all, STEP_COUNT);
    buffer_clear(&text);
    for (int at = 0; at < 700; at++) {
        buffer_append_byte(&text, 'y');
    }
    buffer_append_string(&text, "\n2,3\n");
    check_all_windows(&dialect, text.data, text.length, steps_all, STEP_COUNT);
    buffer_free(&text);
}

static struct csv_dialect random_dialect(struct random *random)
{
    struct csv_dialect dialect = csv_dialect_default();
    dialect.delimiter = ",;\t|"[random_below(random, 4)];
    dialect.quote = dialect.escape = "\"'"[random_below(random, 2)];
    if (random_below(random, 4) == 0) {
        dialect.escape = '\\';
    } else if (random_below(random, 10) == 0) {
        dialect.quote = dialect.escape = 0;
    }
    dialect.line_end = random_below(random, 8) == 0 ? CSV_LINE_CR : CSV_LINE_LF;
    dialect.comment = random_below(random, 4) == 0 ? '#' : '\0';
    return dialect;
}

static void random_bytes_in_any_windows(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(3000); round++) {
        struct csv_dialect dialect = random_dialect(&random);
        const char letters[] = {'a',
                                'b',
                                dialect.delimiter,
                                '\n',
                                '\n',
                                '\r',
                                dialect.quote != 0 ? dialect.quote : '"',
                                dialect.quote != 0 ? dialect.quote : 'x',
                                '\\',
                                '#',
                                '\0',
                                dialect.delimiter};
        /* few kinds of bytes, so that odd neighbours are common; the more letters the longer */
        size_t kinds = 2 + random_below(&random, sizeof letters - 2);
        char text[1500];
        size_t length = random_below(&random, 1 + random_below(&random, sizeof text - 1));
        for (size_t at = 0; at < length; at++) {
            uint64_t pick = random_below(&random, sizeof letters + 8);
            text[at] =
                pick < sizeof letters
                    ? letters[(pick * kinds / sizeof letters + random_below(&random, kinds)) %
                              sizeof letters]
                    : 'z';
        }
        const size_t steps[] = {1 + random_below(&random, 40), 64, 1 << 20};
        check_all_windows(&dialect, text, length, steps, 3);
    }
}

static void masks_are_equal_on_all_ways(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(300); round++) {
        char bytes[700];
        uint64_t masks[3][12];
        size_t length = random_below(&random, sizeof bytes);
        for (size_t at = 0; at < sizeof bytes; at++) {
            bytes[at] = (char)random_below(&random, 256);
        }
        const char marks[3] = {(char)random_below(&random, 256), ',', '"'};
        for (int way = 0; way < 3; way++) {
            memset(masks[way], 0, sizeof masks[way]);
            if (!csv_masks_fill_with(way, bytes, length, marks, masks[way])) {
                memcpy(masks[way], masks[0], sizeof masks[way]);
            }
        }
        for (size_t at = 0; at < length; at++) {
            bool expected = (unsigned char)bytes[at] <= '\r' || bytes[at] == marks[0] ||
                            bytes[at] == ',' || bytes[at] == '"';
            assert_int_equal(masks[0][at / 64] >> (at % 64) & 1, expected);
        }
        assert_memory_equal(masks[0], masks[1], sizeof masks[0]);
        assert_memory_equal(masks[0], masks[2], sizeof masks[0]);
    }
}

static void options_are_read_and_checked(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"delimiter", ""},      {"delimiter", "a"},   {"delimiter", "ab"}, {"delimiter", "-"},
        {"delimiter", "none"},  {"quote", "é"},       {"escape", "x"},     {"header", "maybe"},
        {"encoding", "utf-77"}, {"line_end", "crcr"}, {"bytes", "octal"},  {"encoding", "a\"b"},
    };
    static const char *const right[][2] = {
        {"delimiter", "tab"},    {"quote", "'"},
        {"escape", "backslash"}, {"comment", "#"},
        {"header", "no"},        {"line_end", "crlf"},
        {"null", "\\N"},         {"bytes", "base64"},
        {"bom", "yes"},          {"encoding", "windows-1252"},
    };
    struct arena *arena = arena_create(0);
    struct csv_dialect dialect = csv_dialect_default();
    struct error error;
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        assert_int_equal(csv_dialect_set(&dialect, wrong[at][0], wrong[at][1], arena, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_BAD_VALUE);
    }
    for (size_t at = 0; at < sizeof right / sizeof right[0]; at++) {
        assert_int_equal(csv_dialect_set(&dialect, right[at][0], right[at][1], arena, &error),
                         STATUS_OK);
    }
    assert_int_equal(csv_dialect_check(&dialect, &error), STATUS_OK);
    assert_int_equal(dialect.delimiter, '\t');
    assert_int_equal(dialect.escape, '\\');
    assert_string_equal(dialect.encoding, "windows-1252");
    assert_int_equal(csv_dialect_set(&dialect, "colour", "red", arena, &error), STATUS_END);
    assert_int_equal(csv_dialect_set(&dialect, "comment", "'", arena, &error), STATUS_OK);
    assert_int_equal(csv_dialect_check(&dialect, &error), STATUS_FAILED);
    assert_int_equal(csv_dialect_set(&dialect, "comment", "none", arena, &error), STATUS_OK);
    assert_int_equal(csv_dialect_set(&dialect, "null", "a\tb", arena, &error), STATUS_OK);
    assert_int_equal(csv_dialect_check(&dialect, &error), STATUS_FAILED);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_and_fields),
        cmocka_unit_test(faults_cost_one_line),
        cmocka_unit_test(dialects),
        cmocka_unit_test(long_records),
        cmocka_unit_test(random_bytes_in_any_windows),
        cmocka_unit_test(masks_are_equal_on_all_ways),
        cmocka_unit_test(options_are_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
