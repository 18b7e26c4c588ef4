/* MT19937 against its authors' numbers, and numpy.random.RandomState's draws. */
#include "design/cluster/cluster_random.h"
#include "support.h"

static void words_of_the_first_paper(void **state)
{
    (void)state;
    static const uint32_t expected[] = {3499211612, 581869302, 3890346734, 3586334585, 545404204};
    struct cluster_random random;
    cluster_random_seed(&random, 5489);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(cluster_random_word(&random), expected[i]);
    }
    for (size_t i = 5; i < 9999; i++) {
        (void)cluster_random_word(&random);
    }
    assert_int_equal(cluster_random_word(&random), 4123659995);
}

static void doubles_of_numpy(void **state)
{
    (void)state;
    static const double expected[] = {0.3745401188473625,  0.9507143064099162,  0.7319939418114051,
                                      0.5986584841970366,  0.15601864044243652, 0.15599452033620265,
                                      0.05808361216819946, 0.8661761457749352,  0.6011150117432088,
                                      0.7080725777960455};
    struct cluster_random random;
    cluster_random_seed(&random, 42);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(cluster_random_double(&random) == expected[i]);
    }
}

/* RandomState(42).choice(10, p=...) of equal weights: each double in turn, times ten. */
static void choices_of_numpy(void **state)
{
    (void)state;
    static const size_t expected[] = {3, 9, 7, 5, 1, 1, 0, 8, 6, 7};
    struct cluster_random random;
    cluster_random_seed(&random, 42);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(cluster_random_choice(&random, 10), expected[i]);
    }
    assert_int_equal(cluster_random_choice(&random, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_first_paper),
        cmocka_unit_test(doubles_of_numpy),
        cmocka_unit_test(choices_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
