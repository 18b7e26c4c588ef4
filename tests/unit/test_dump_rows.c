/* Rows of dumps: where they begin and end, what their values are, and whether a dump is whole. */
#include "connectors/dump/dump_row.h"
#include "connectors/dump/dump_whole.h"
#include "support.h"
#include <string.h>

enum { LITERALS_MAX = 16 };

/* The values of a row, "kind:text|" each. */
static void append_row(enum sql_language language, const struct dump_header *header,
                       const char *row, struct buffer *out)
{
    static const char *const kinds[] = {"null",   "string", "bytes",   "bits",
                                        "number", "truth",  "default", "other"};
    struct arena *arena = arena_create(0);
    struct dump_literal literals[LITERALS_MAX];
    char *text = arena_copy_string(arena, row);
    uint32_t count =
        dump_row_read(language, header, text, strlen(row), arena, literals, LITERALS_MAX);
    for (uint32_t i = 0; i < count && i < LITERALS_MAX; i++) {
        buffer_format(out, "%s:", kinds[literals[i].kind]);
        if (literals[i].kind != DUMP_NULL) {
            buffer_append(out, literals[i].text, literals[i].length);
        }
        buffer_append_byte(out, '|');
    }
    arena_destroy(arena);
}

static void expect_row(enum sql_language language, const char *row, const char *expected)
{
    const struct dump_header header = {
        .copy = row[0] != '(',
        .session = {.backslashes = language == SQL_MYSQL, .double_quotes = language == SQL_MYSQL}};
    struct buffer out = {0};
    append_row(language, &header, row, &out);
    assert_buffer(&out, expected);
    buffer_free(&out);
}

static void test_rows_of_copy(void **state)
{
    (void)state;
    expect_row(SQL_POSTGRES, "1\ta\\tb\t\\N\t", "string:1|string:a\tb|null:|string:|");
    expect_row(SQL_POSTGRES, "\\\\N\t\\x41\\101\\.", "string:\\N|string:AA.|");
    expect_row(SQL_POSTGRES, "a\\", "string:a\\|");
}

static void test_rows_of_insert(void **state)
{
    (void)state;
    expect_row(SQL_MYSQL, "(1,'it\\'s','a\\nb\\%',NULL,-1.5e3)",
               "number:1|string:it's|string:a\nb\\%|null:|number:-1.5e3|");
    expect_row(SQL_MYSQL, "(0x41420,_binary 'x',X'4A',b'101',\"q\"\"\",DEFAULT,now())",
               "bytes:\x04\x14\x20|bytes:x|bytes:J|bits:101|string:q\"|default:|other:now()|");
    expect_row(SQL_POSTGRES, "('a\\b', E'a\\u00e9\\'b', true, 'x'::text)",
               "string:a\\b|string:aé'b|truth:t|string:x|");
    expect_row(SQL_SQLITE, "(replace('a\\nb','\\n',char(10)),unistr('\\u0041\\\\'),X'')",
               "string:a\nb|string:A\\|bytes:|");
}

/* Cut anywhere, a row is not whole; and no cut is read beyond. */
static void expect_cuts(const struct dump_header *header, const char *row)
{
    size_t length = strlen(row);
    for (size_t cut = 0; cut < length; cut++) {
        struct arena *arena = arena_create(0);
        const char *part = arena_copy(arena, row, cut);
        assert_int_equal(dump_row_length(header, part, cut, false), 0);
        arena_destroy(arena);
    }
    assert_int_equal(dump_row_length(header, row, length, false), length);
}

static void test_lengths(void **state)
{
    (void)state;
    const struct dump_header mysql = {.session = {.backslashes = true, .double_quotes = true}};
    const struct dump_header postgres = {0};
    const struct dump_header copy = {.copy = true};
    expect_cuts(&mysql, "(1,'it\\'s; (\"',\"')\",f(2))");
    expect_cuts(&postgres, "(1,'it''s)',E'\\')','\\')");
    expect_cuts(&copy, "1\ta\\nb\n");
    assert_int_equal(dump_row_length(&copy, "1\ta", 3, true), 3);
}

static void expect_gap(const struct dump_header *header, const char *text, bool last,
                       enum dump_gap_kind kind, size_t length)
{
    struct dump_gap gap = dump_gap_read(header, text, strlen(text), last);
    assert_int_equal(gap.kind, kind);
    assert_int_equal(gap.length, length);
}

static void test_gaps(void **state)
{
    (void)state;
    static const char insert[] = "INSERT INTO t VALUES";
    const struct dump_header header = {.text = insert, .length = sizeof insert - 1};
    const struct dump_header copy = {.copy = true};
    expect_gap(&header, " (1)", false, DUMP_GAP_ROW, 1);
    expect_gap(&header, ",\n(1)", false, DUMP_GAP_ROW, 2);
    expect_gap(&header, ";\nINSERT INTO t VALUES (1)", false, DUMP_GAP_ROW, 23);
    expect_gap(&header, ";\nINSERT INTO u VALUES (1)", false, DUMP_GAP_END, 1);
    expect_gap(&header, ";\nINSERT", false, DUMP_GAP_MORE, 0);
    expect_gap(&header, ";\nINSERT", true, DUMP_GAP_END, 1);
    expect_gap(&header, " ON CONFLICT DO NOTHING;\n", true, DUMP_GAP_END, 24);
    expect_gap(&header, " ON DUPLICATE KEY UPDATE a = 1", false, DUMP_GAP_FAULT, 1);
    expect_gap(&copy, "\\.\r\n", false, DUMP_GAP_END, 4);
    expect_gap(&copy, "\\", false, DUMP_GAP_MORE, 0);
    expect_gap(&copy, "\\\\.\n", false, DUMP_GAP_ROW, 0);
    expect_gap(&copy, "", true, DUMP_GAP_FAULT, 0);
}

static const char *missing(const char *script, size_t step)
{
    struct dump_whole whole = {0};
    size_t length = strlen(script);
    dump_whole_begin(&whole, script, length);
    for (size_t at = 0; at < length; at += step) {
        dump_whole_read(&whole, script + at, length - at < step ? length - at : step);
    }
    return dump_whole_missing(&whole);
}

static void test_last_words(void **state)
{
    static const char postgres[] = "-- PostgreSQL database dump complete";
    static const char mysql[] = "-- Dump completed";
    char filler[2 * DUMP_WHOLE_TAIL_BYTES + 1];
    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (size_t step = 1; step < 3000; step += 7) {
        struct buffer script = {0};
        buffer_format(&script, "-- MySQL dump 10.13\n%s\n-- Dump completed on 2026\n", filler);
        assert_null(missing(buffer_string(&script), step));
        buffer_append_string(&script, filler);
        assert_string_equal(missing(buffer_string(&script), step), mysql);
        buffer_free(&script);
    }
    assert_string_equal(
        missing("/*M!999999\\- */\n-- MariaDB dump 10.19\nSELECT '-- Dump completed'", 9), mysql);
    assert_string_equal(missing("--\n-- PostgreSQL database dump\n--\n", 5), postgres);
    assert_null(
        missing("--\n-- PostgreSQL database dump\n--\n-- PostgreSQL database dump complete\n--\n"
                "\\unrestrict x\n",
                5));
    assert_null(missing("CREATE TABLE t (a int);", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_copy), cmocka_unit_test(test_rows_of_insert),
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
