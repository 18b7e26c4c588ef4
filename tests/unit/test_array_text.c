/* Arrays as PostgreSQL writes them: read, and written again. */
#include "model/array_text.h"
#include "model/convert.h"
#include "support_arena.h"
#include <string.h>

static const struct value_type whole = {.kind = VALUE_INT64};
static const struct value_type text = {.kind = VALUE_TEXT};
static const struct value_type bytes = {.kind = VALUE_BYTES};
static const struct value_type truth = {.kind = VALUE_BOOL};
static const struct value_type json = {.kind = VALUE_JSON};
static const struct value_type moment = {.kind = VALUE_TIMESTAMP};

static struct cell read_array(const char *given, const struct value_type *element)
{
    struct cell list;
    struct error error;
    if (array_text_read(given, strlen(given), element, arena, &list, &error) != STATUS_OK) {
        fail_msg("%s: %s", given, error.message);
    }
    assert_int_equal(list.kind, VALUE_LIST);
    return list;
}

/* As JSON, which tells a number from its text and a null from both. */
static void arrays_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        const struct value_type *element;
        const char *as_json;
    } cases[] = {
        {"{}", &whole, "[]"},
        {" { } ", &whole, "[]"},
        {"{1,NULL,-3}", &whole, "[1,null,-3]"},
        {"{1,2}", NULL, "[\"1\",\"2\"]"},
        {"{x,\"y,z\"}", &text, "[\"x\",\"y,z\"]"},
        {"{null,\"NULL\",Null}", &text, "[null,\"NULL\",null]"},
        {"{\"\", \"a \\\"b\\\" \\\\\" , c d }", &text, "[\"\",\"a \\\"b\\\" \\\\\",\"c d\"]"},
        {"{a\\,b,\\NULL}", &text, "[\"a,b\",\"NULL\"]"},
        {"{t,f,NULL}", &truth, "[true,false,null]"},
        {"{{1,2},{3,4}}", &whole, "[[1,2],[3,4]]"},
        {"[0:1][-1:0]={{1,2},{3,4}}", &whole, "[[1,2],[3,4]]"},
        {"{\"\\\\x00ff\"}", &bytes, "[\"AP8=\"]"},
        {"{\"\\\\000\\\\377\",YWJj,\"a\\\\\\\\b\"}", &bytes, "[\"AP8=\",\"WVdKag==\",\"YVxi\"]"},
        {"{\"{\\\"k\\\": [1.10]}\"}", &json, "[{\"k\": [1.10]}]"},
        {"{\"2024-02-29 12:00:00\",infinity}", &moment, "[\"2024-02-29T12:00:00\",\"infinity\"]"},
        {"{1,many}", &whole, "[1,\"many\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        struct error error;
        struct cell list = read_array(cases[i].given, cases[i].element);
        assert_int_equal(convert_append_json(&list, &out, &error), STATUS_OK);
        assert_string_equal(buffer_string(&out), cases[i].as_json);
        buffer_free(&out);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",      "{",       "}",        "{1",       "{1,}",
                                        "{,1}",  "{1}2",    "{\"a}",    "{a\"b\"}", "{{1}",
                                        "[1:2]", "[1:2]={", "{1 2}{3}", "x"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cell list;
        struct error error;
        if (array_text_read(cases[i], strlen(cases[i]), &text, arena, &list, &error) == STATUS_OK) {
            fail_msg("%s was read", cases[i]);
        }
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
    }
    struct cell list;
    struct error error;
    const char deep[] = "{{{{{{{1}}}}}}}";
    assert_int_equal(array_text_read(deep, strlen(deep), &whole, arena, &list, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
}

/* What is written reads back as it was. */
static void arrays_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        const struct value_type *element;
        const char *written;
    } cases[] = {
        {"{}", &whole, "{}"},
        {"{1,NULL}", &whole, "{1,NULL}"},
        {"{\"NULL\",\"\",\"a\\\"b\\\\c\"}", &text, "{\"NULL\",\"\",\"a\\\"b\\\\c\"}"},
        {"{{1},{2}}", &whole, "{{1},{2}}"},
        {"{\"\\\\x00ff\"}", &bytes, "{\"\\\\x00ff\"}"},
        {"{\"[1, 2]\"}", &json, "{\"[1, 2]\"}"},
        {"{{1,NULL},{\"{\\\"k\\\": 1}\",\"[2, 3]\"}}", &json,
         "{{1,NULL},{\"{\\\"k\\\": 1}\",\"[2, 3]\"}}"},
        {"{{NULL,NULL},{NULL,[1]}}", &json, "{{NULL,NULL},{NULL,[1]}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        struct error error;
        struct cell list = read_array(cases[i].given, cases[i].element);
        assert_int_equal(array_text_append(&list, cases[i].element, &out, &error), STATUS_OK);
        assert_string_equal(buffer_string(&out), cases[i].written);
        struct cell again = read_array(buffer_string(&out), cases[i].element);
        assert_int_equal(again.length, list.length);
        buffer_free(&out);
    }
}

/* A NUL is a letter like others: it neither ends an element nor cuts one short. */
static void a_nul_is_a_letter(void **state)
{
    (void)state;
    static const char given[] = "{a\0b,\"c\0d with more behind it\"}";
    struct cell list;
    struct error error;
    struct buffer out = {0};
    assert_int_equal(array_text_read(given, sizeof given - 1, &text, arena, &list, &error),
                     STATUS_OK);
    assert_int_equal(list.length, 2);
    assert_int_equal(list.items[0].length, 3);
    assert_memory_equal(list.items[0].text, "a\0b", 3);
    assert_int_equal(list.items[1].length, sizeof "c d with more behind it" - 1);
    assert_int_equal(array_text_append(&list, &text, &out, &error), STATUS_OK);
    assert_int_equal(out.length, sizeof given - 1);
    assert_memory_equal(out.data, given, out.length);
    buffer_free(&out);
}

/* Elements that came as texts, as out of JSON, are written as the server shows them. */
static void texts_become_the_servers_words(void **state)
{
    (void)state;
    static const struct value_type instant = {.kind = VALUE_TIMESTAMP, .zoned = true};
    static const struct value_type clock = {.kind = VALUE_TIME, .zoned = true};
    static const struct {
        const char *given;
        const struct value_type *element;
        const char *written;
    } cases[] = {
        {"{2024-03-31T02:30:00.1235,infinity}", &moment, "{\"2024-03-31 02:30:00.1235\",infinity}"},
        {"{2024-03-31T02:30:00Z}", &instant, "{\"2024-03-31 02:30:00+00\"}"},
        {"{12:00:00.000001Z,00:00:00-00:00:01}", &clock, "{12:00:00.000001+00,00:00:00-00:00:01}"},
        {"{true,{f}}", &truth, "{t,{f}}"},
        {"{\"\\\\x00ff\"}", &bytes, "{\"\\\\x00ff\"}"},
        {"{AP8=,\"\"}", &bytes, "{\"\\\\x00ff\",\"\\\\x\"}"},
        {"{none,Z}", &moment, "{none,Z}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        struct error error;
        struct cell list = read_array(cases[i].given, &text);
        assert_int_equal(array_text_append(&list, cases[i].element, &out, &error), STATUS_OK);
        assert_string_equal(buffer_string(&out), cases[i].written);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_nul_is_a_letter),
        cmocka_unit_test(arrays_are_written),
        cmocka_unit_test(texts_become_the_servers_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
