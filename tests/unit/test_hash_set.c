#include "base/hash_set.h"
#include "support.h"

static void a_hash_is_there_once(void **state)
{
    struct hash_set set = {0};
    (void)state;
    assert_false(hash_set_holds(&set, 1, 2));
    assert_true(hash_set_add(&set, 1, 2));
    assert_false(hash_set_add(&set, 1, 2));
    assert_true(hash_set_add(&set, 2, 1));
    assert_true(hash_set_add(&set, 0, 0));
    assert_true(hash_set_holds(&set, 0, 0));
    assert_int_equal(set.count, 3);
    hash_set_clear(&set);
    assert_int_equal(set.count, 0);
    assert_false(hash_set_holds(&set, 1, 2));
    assert_true(hash_set_add(&set, 1, 2));
    hash_set_free(&set);
}

/* All of them begin at the same slot, and are moved when the set grows. */
static void many_are_found(void **state)
{
    struct hash_set set = {0};
    (void)state;
    for (uint64_t i = 1; i <= 2000; i++) {
        assert_true(hash_set_add(&set, i << 40, i));
        assert_true(hash_set_add(&set, i, i << 40));
    }
    for (uint64_t i = 1; i <= 2000; i++) {
        assert_true(hash_set_holds(&set, i << 40, i));
        assert_true(hash_set_holds(&set, i, i << 40));
        assert_false(hash_set_holds(&set, i << 40, i + 1));
    }
    assert_int_equal(set.count, 4000);
    hash_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hash_is_there_once),
                                       cmocka_unit_test(many_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
