/* Names of tables of several schemas. */
#include "connectors/common/scope.h"
#include "support.h"
#include <string.h>

static const char *const others[] = {"sales", "a.b", "q\"", "sal"};
static const struct schema_scope scope = {.own = "public", .others = {others, 4}};

static void assert_is(const char *table, const char *schema, const char *name)
{
    const char *found = NULL;
    const char *other = scope_schema_of(&scope, table, &found);
    assert_true(schema == NULL ? other == NULL : other != NULL && strcmp(other, schema) == 0);
    assert_string_equal(found, name);
}

static void names_split_at_the_schema(void **state)
{
    (void)state;
    assert_is("users", NULL, "users");
    assert_is("sales.users", "sales", "users");
    assert_is("sal.users", "sal", "users");
    assert_is("sales.a.b\"", "sales", "a.b\"");
    assert_is("\"a.b\".users", "a.b", "users");
    assert_is("\"q\"\"\".\"x\"", "q\"", "\"x\"");
    /* what is none of them is a plain name */
    assert_is("a.b.users", NULL, "a.b.users");
    assert_is("\"sales\".users", NULL, "\"sales\".users");
    assert_is("Sales.users", NULL, "Sales.users");
    assert_is("sales.", NULL, "sales.");
    assert_is("sales", NULL, "sales");
    assert_is("public.users", NULL, "public.users");
    assert_is("", NULL, "");
}

static void what_is_put_together_splits_again(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < scope.others.count; i++) {
        struct buffer name = {0};
        scope_append_lead(&name, others[i]);
        buffer_append_string(&name, "x.\"y");
        assert_is(buffer_string(&name), others[i], "x.\"y");
        buffer_free(&name);
    }
}

static void lists_are_read(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct column_list list = {0};
    scope_read_list("sales,\"a,b\",\"q\"\"r\",,last", arena, &list);
    scope_read_list("more", arena, &list);
    static const char *const expected[] = {"sales", "a,b", "q\"r", "last", "more"};
    assert_int_equal(list.count, 5);
    for (uint32_t i = 0; i < list.count; i++) {
        assert_string_equal(list.names[i], expected[i]);
    }
    scope_read_list("", arena, &list);
    assert_int_equal(list.count, 5);
    arena_destroy(arena);
}

static void copies_are_sorted_and_have_each_once(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "public", "a", "b"};
    const struct schema_scope given = {.own = "public", .others = {names, 4}};
    struct arena *arena = arena_create(0);
    const struct schema_scope copy = scope_copy(&given, "public", arena);
    assert_int_equal(copy.others.count, 2);
    assert_string_equal(copy.others.names[0], "a");
    assert_string_equal(copy.others.names[1], "b");
    const struct column_list all = scope_names(&copy, arena);
    assert_int_equal(all.count, 3);
    assert_string_equal(all.names[0], "public");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_split_at_the_schema),
        cmocka_unit_test(what_is_put_together_splits_again),
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(copies_are_sorted_and_have_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
