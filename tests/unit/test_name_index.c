/* The index of names. */
#include "base/name_index.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

static void numbers_by_name(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static char names[COUNT][16];
    struct arena *arena = arena_create(0);
    struct name_index index = {.arena = arena};
    assert_int_equal(name_index_find(&index, "n0", 2), NAME_INDEX_NONE);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i);
        assert_int_equal(name_index_add(&index, names[i], strlen(names[i]), i), NAME_INDEX_NONE);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(name_index_find(&index, names[i], strlen(names[i])), i);
        assert_int_equal(name_index_add(&index, names[i], strlen(names[i]), 7), i);
    }
    assert_int_equal(index.count, COUNT);
    assert_int_equal(name_index_find(&index, "N1", 2), NAME_INDEX_NONE);
    assert_int_equal(name_index_find(&index, "n20000", 6), NAME_INDEX_NONE);
    arena_destroy(arena);
}

static void names_are_bytes(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct name_index index = {.arena = arena};
    assert_int_equal(name_index_add(&index, "", 0, 1), NAME_INDEX_NONE);
    assert_int_equal(name_index_add(&index, "a\0b", 3, 2), NAME_INDEX_NONE);
    assert_int_equal(name_index_find(&index, "a", 1), NAME_INDEX_NONE);
    assert_int_equal(name_index_find(&index, "a\0c", 3), NAME_INDEX_NONE);
    assert_int_equal(name_index_find(&index, "a\0b", 3), 2);
    assert_int_equal(name_index_find(&index, "", 0), 1);
    arena_destroy(arena);
}

static void names_that_differ_in_case_are_one_where_they_fold(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct name_index index = {.arena = arena, .folded = true};
    assert_int_equal(name_index_add(&index, "Customer", 8, 1), NAME_INDEX_NONE);
    assert_int_equal(name_index_add(&index, "customer", 8, 2), 1);
    assert_int_equal(name_index_find(&index, "CUSTOMER", 8), 1);
    assert_int_equal(name_index_find(&index, "customers", 9), NAME_INDEX_NONE);
    assert_int_equal(name_index_find(&index, "c[stomer", 8), NAME_INDEX_NONE);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_name), cmocka_unit_test(names_are_bytes),
        cmocka_unit_test(names_that_differ_in_case_are_one_where_they_fold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
