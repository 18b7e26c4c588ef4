/* What is read of a default's words, and what is left to its own engine. */
#include "sql/default_text.h"
#include "support.h"
#include <string.h>

enum { ANY = SQL_CASTS | SQL_BARE_TEXTS | SQL_CLOCK_TEXTS };

static const struct {
    const char *text;
    unsigned words;
    enum value_kind kind;
    enum schema_default_kind found;
    const char *value;
} cases[] = {
    {NULL, 0, VALUE_INT64, SCHEMA_DEFAULT_NONE, NULL},
    {"NULL", 0, VALUE_INT64, SCHEMA_DEFAULT_NONE, NULL},
    {"NULL::character varying", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_NONE, NULL},
    {"5", 0, VALUE_INT64, SCHEMA_DEFAULT_VALUE, "5"},
    {" ( - 5 ) ", 0, VALUE_INT64, SCHEMA_DEFAULT_VALUE, "-5"},
    {"+.5e-3", 0, VALUE_FLOAT64, SCHEMA_DEFAULT_VALUE, "0.5e-3"},
    {"('-5'::integer)::numeric(10,2)", SQL_CASTS, VALUE_DECIMAL, SCHEMA_DEFAULT_VALUE, "-5"},
    {"'a'::\"odd ''::)\"", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "a"},
    {"'{}'::text[]", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "{}"},
    {"'it''s'", 0, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "it's"},
    {"''", 0, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, ""},
    {"'a\\'b\\\\n\\n\\%'", SQL_BACKSLASHES, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "a'b\\n\n\\%"},
    {"'a\\'", 0, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "a\\"},
    {"_utf8mb4'x'", SQL_BACKSLASHES, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "x"},
    {"\"x\"", SQL_BARE_TEXTS, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "x"},
    {"x", SQL_BARE_TEXTS, VALUE_TEXT, SCHEMA_DEFAULT_VALUE, "x"},
    {"true", 0, VALUE_BOOL, SCHEMA_DEFAULT_VALUE, "1"},
    {"now()", SQL_CASTS, VALUE_TIMESTAMP, SCHEMA_DEFAULT_NOW, NULL},
    {"current_timestamp(6)", 0, VALUE_TIMESTAMP, SCHEMA_DEFAULT_NOW, NULL},
    {"CURRENT_TIMESTAMP", SQL_CLOCK_TEXTS, VALUE_TEXT, SCHEMA_DEFAULT_NOW, NULL},
    {"curdate()", 0, VALUE_DATE, SCHEMA_DEFAULT_TODAY, NULL},
    {"(datetime('now'))", ANY, VALUE_TEXT, SCHEMA_DEFAULT_NOW, NULL},
    {"DATETIME( 'NOW' )", ANY, VALUE_TEXT, SCHEMA_DEFAULT_NOW, NULL},
    {"date('now')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_TODAY, NULL},
    {"time('now')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_CLOCK_TEXT, "%H:%M:%S"},
    {"CURRENT_TIME", ANY, VALUE_TEXT, SCHEMA_DEFAULT_CLOCK_TEXT, "%H:%M:%S"},
    {"(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'))", ANY, VALUE_TEXT, SCHEMA_DEFAULT_CLOCK_TEXT,
     "%Y-%m-%d %H:%M:%f"},
    {"b'101'", 0, VALUE_UINT64, SCHEMA_DEFAULT_VALUE, "5"},
    {"B'0'", 0, VALUE_BOOL, SCHEMA_DEFAULT_VALUE, "0"},
    /* only their own engine's */
    {"CURRENT_TIMESTAMP", 0, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"CURRENT_TIME", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"datetime('now')", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"datetime('now', 'localtime')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"datetime('now', '+1 day')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"strftime('%s', 'now')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"strftime('%Y', '2024-01-01')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"strftime('%Y%', 'now')", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"strftime('%Y', 'now')", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"now() + '1 day'::interval", SQL_CASTS, VALUE_TIMESTAMP, SCHEMA_DEFAULT_OWN, NULL},
    {"uuid()", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"x'00'", ANY, VALUE_BYTES, SCHEMA_DEFAULT_OWN, NULL},
    {"B'101'::\"bit\"", SQL_CASTS, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"b'12'", 0, VALUE_UINT64, SCHEMA_DEFAULT_OWN, NULL},
    {"b'101", 0, VALUE_UINT64, SCHEMA_DEFAULT_OWN, NULL},
    {"0x10", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"1 + 1", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"1; DROP TABLE t", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"'a' || 'b'", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"'a", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"'a\\", SQL_BACKSLASHES, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"'a\\0b'", SQL_BACKSLASHES, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"(5", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"5)", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"-", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {".", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
    {"", ANY, VALUE_TEXT, SCHEMA_DEFAULT_OWN, NULL},
    {"((((((((((((((((((((5))))))))))))))))))))", ANY, VALUE_INT64, SCHEMA_DEFAULT_OWN, NULL},
};

static void words_are_read_as_they_are_meant(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct schema_column column = {.type.kind = cases[i].kind, .default_text = cases[i].text};
        assert_true(sql_default_read(&column, cases[i].words, arena));
        if (column.default_kind != cases[i].found) {
            print_error("%s: %d\n", cases[i].text, (int)column.default_kind);
        }
        assert_int_equal(column.default_kind, cases[i].found);
        if (cases[i].value == NULL) {
            assert_null(column.default_value);
        } else {
            assert_string_equal(column.default_value, cases[i].value);
        }
    }
    arena_destroy(arena);
}

static void an_expression_is_no_default(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct schema_column column = {.default_text = "5", .generated = GENERATED_STORED};
    assert_true(sql_default_read(&column, 0, arena));
    assert_int_equal(column.default_kind, SCHEMA_DEFAULT_NONE);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_as_they_are_meant),
        cmocka_unit_test(an_expression_is_no_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
