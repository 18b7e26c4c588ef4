/* Names of columns in expressions: what is replaced, and what only looks alike. */
#include "sql/rename.h"
#include "support.h"
#include "support_arena.h"

static void test_names(void **state)
{
    static const struct {
        enum sql_language language;
        const char *text;
        const char *renamed;
    } cases[] = {
        {SQL_POSTGRES, "a", "\"n\""},
        {SQL_POSTGRES, "A + \"a\" + \"A\"", "\"n\" + \"n\" + \"A\""},
        {SQL_POSTGRES, "a.b = t.a", "a.b = t.a"},
        {SQL_POSTGRES, "a(a)", "a(\"n\")"},
        {SQL_POSTGRES, "x::a || a::text", "x::a || \"n\"::text"},
        {SQL_POSTGRES, "'a' || $$ a $$ /* a */ -- a\n|| a",
         "'a' || $$ a $$ /* a */ -- a\n|| \"n\""},
        {SQL_POSTGRES, "(a IS NOT NULL) AND aa > 0", "(\"n\" IS NOT NULL) AND aa > 0"},
        {SQL_POSTGRES, "btree (b, a) WHERE a > 0", "btree (b, \"n\") WHERE \"n\" > 0"},
        {SQL_MYSQL, "`a` + a", "\"n\" + \"n\""},
        {SQL_SQLITE, "[a] + \"a\"", "\"n\" + \"n\""},
        {SQL_POSTGRES, "", ""},
        {SQL_POSTGRES, "'a", "'a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_string_equal(
            sql_rename_column(cases[i].language, cases[i].text, "a", "\"n\"", arena),
            cases[i].renamed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
