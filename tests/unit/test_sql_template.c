/* SQL as templates: what each hole becomes, and that a wrong one ends the program. */
#include "base/log.h"
#include "connectors/sql/template.h"
#include "support.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void append_quoted(struct buffer *out, const char *text, size_t length, char quote)
{
    buffer_append_byte(out, quote);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == quote) {
            buffer_append_byte(out, quote);
        }
        buffer_append_byte(out, text[i]);
    }
    buffer_append_byte(out, quote);
}

static void append_name(struct buffer *out, const char *name)
{
    append_quoted(out, name, strlen(name), '"');
}

static void append_text(struct buffer *out, const char *text, size_t length)
{
    append_quoted(out, text, length, '\'');
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *name)
{
    append_name(out, (const char *)self); /* for this test: the schema's name */
    buffer_append_byte(out, '.');
    append_name(out, name);
}

static const struct sql_quoting quoting = {
    .append_name = append_name, .append_text = append_text, .append_table = append_table};

static void check(const char *wanted, const char *format, ...)
{
    struct buffer sql = {0};
    va_list arguments;
    va_start(arguments, format);
    assert_ptr_equal(sql_append_arguments(&sql, &quoting, format, arguments), &sql);
    va_end(arguments);
    assert_string_equal(buffer_string(&sql), wanted);
    buffer_free(&sql);
}

static void test_words_stand_as_they_are(void **state)
{
    (void)state;
    check("", "");
    check("SELECT 1", "SELECT 1");
    check("LIKE '50%'", "LIKE '50%%'");
    check("%%n", "%%%%n");
}

static void test_names_and_texts_are_quoted(void **state)
{
    (void)state;
    check("SELECT \"a\"\"b\" FROM \"my\".\"t\"", "SELECT %n FROM %t", "a\"b",
          (const struct sql_database *)(const void *)"my", "t");
    check("'it''s' = NULL", "%q = %q", "it's", NULL);
    check("\"s\".\"t\" \"t\"", "%p %p", "s", "t", NULL, "t");
    check("'ab' cd", "%Q %S", "abc", (size_t)2, "cde", (size_t)2);
    check("NULL", "%Q", NULL, (size_t)0);
}

/* What goes into a hole is never read as a template. */
static void test_a_percent_sign_of_a_value_is_one(void **state)
{
    (void)state;
    struct buffer more = {0};
    buffer_append_string(&more, "%n%d");
    check("\"%n\" '%s' %q %n%d", "%n %q %s %b", "%n", "%s", "%q", &more);
    buffer_free(&more);
}

static void test_lists_of_names(void **state)
{
    static const char *const two[] = {"a", "b\"c"};
    const struct column_list names = {two, 2};
    const struct column_list none = {0};
    (void)state;
    check("(\"a\", \"b\"\"c\") ()", "(%l) (%l)", names, none);
    check("t.\"a\", t.\"b\"\"c\" \"x\"", "%L %n", "t", names, "x");
}

static void test_numbers(void **state)
{
    (void)state;
    check("-1 4294967295 -9223372036854775808 18446744073709551615", "%d %u %D %U", -1, UINT32_MAX,
          INT64_MIN, UINT64_MAX);
}

static void test_in_a_buffer_of_its_own(void **state)
{
    (void)state;
    struct buffer *sql = sql_append(&(struct buffer){0}, &quoting, "DROP TABLE %n", "t");
    assert_string_equal(buffer_string(sql), "DROP TABLE \"t\"");
    buffer_free(sql);
}

static void test_an_unknown_hole_ends_the_program(void **state)
{
    static const char *const wrong[] = {"SELECT %y", "SELECT %", "%5d", "%.*s"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            check("", wrong[i], 1, 2);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_stand_as_they_are),
        cmocka_unit_test(test_names_and_texts_are_quoted),
        cmocka_unit_test(test_a_percent_sign_of_a_value_is_one),
        cmocka_unit_test(test_lists_of_names),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_in_a_buffer_of_its_own),
        cmocka_unit_test(test_an_unknown_hole_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
