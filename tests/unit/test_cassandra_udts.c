/* User-defined types that hold one another are made whatever the order in which they are listed. */
#include "connectors/cassandra/udts.h"
#include "support_arena.h"
#include <string.h>

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void add(struct cassandra_udts *udts, const char *name, const char *field, const char *type)
{
    struct text *texts = arena_allocate_zeroed(arena, 2, sizeof(*texts));
    texts[0] = text_of(field);
    texts[1] = text_of(type);
    cassandra_udts_add(udts, text_of(name), &texts[0], &texts[1], 1);
}

static void assert_type(struct cassandra_udts *udts, const char *cql, const char *field)
{
    struct error error;
    const struct cql_type *type = NULL;
    assert_int_equal(
        cql_type_parse(text_of(cql), cassandra_udts_finder(udts), arena, &type, &error), STATUS_OK);
    while (type->kind != CQL_TYPE_UDT) {
        type = type->parts[0];
    }
    assert_int_equal(type->field_names[0].length, strlen(field));
    assert_memory_equal(type->field_names[0].data, field, strlen(field));
}

static void test_nested(void **state)
{
    (void)state;
    struct cassandra_udts *udts = cassandra_udts_create(3, arena);
    add(udts, "a", "outer", "map<text, frozen<\"B c\">>");
    add(udts, "B c", "middle", "list<frozen<z>>");
    add(udts, "z", "inner", "int");
    assert_type(udts, "frozen<a>", "outer");
    assert_type(udts, "list<frozen<\"B c\">>", "middle");
    static const char *const order[] = {"z", "B c", "a"};
    for (uint32_t at = 0; at < 3; at++) {
        const struct cql_type *type = cassandra_udts_type(udts, at);
        assert_non_null(type);
        assert_memory_equal(type->name.data, order[at], strlen(order[at]));
    }
    assert_null(cassandra_udts_type(udts, 3));
}

static void test_endless(void **state)
{
    (void)state;
    struct error error;
    const struct cql_type *type = NULL;
    struct cassandra_udts *udts = cassandra_udts_create(3, arena);
    add(udts, "a", "f", "frozen<b>");
    add(udts, "b", "f", "frozen<a>");
    add(udts, "c", "f", "frozen<nothing>");
    assert_int_equal(
        cql_type_parse(text_of("a"), cassandra_udts_finder(udts), arena, &type, &error),
        STATUS_FAILED);
    assert_null(cassandra_udts_type(udts, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nested),
                                       cmocka_unit_test(test_endless)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
