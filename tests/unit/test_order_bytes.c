/* Cells as bytes and back, and bytes that sort as values do. */
#include "model/cell_bytes.h"
#include "model/decimal.h"
#include "model/order_bytes.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error error;

static struct cell decimal_of(const char *text)
{
    struct cell cell;
    assert_int_equal(decimal_parse(text, strlen(text), arena, &cell), STATUS_OK);
    return cell;
}

static int compare(struct cell left, struct cell right)
{
    struct buffer a = {0};
    struct buffer b = {0};
    assert_int_equal(order_bytes_append(&left, &a, &error), STATUS_OK);
    assert_int_equal(order_bytes_append(&right, &b, &error), STATUS_OK);
    size_t shorter = a.length < b.length ? a.length : b.length;
    int result = memcmp(a.data, b.data, shorter);
    if (result == 0) {
        assert_int_equal(a.length, b.length); /* none is the beginning of another */
    }
    buffer_free(&a);
    buffer_free(&b);
    return result < 0 ? -1 : result > 0;
}

static void every_value_comes_back(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(20000); round++) {
        struct cell cells[3];
        struct cell again[3];
        struct buffer bytes = {0};
        arena_reset(arena);
        for (int i = 0; i < 3; i++) {
            cells[i] = random_value(&random, arena, 3);
            assert_int_equal(cell_bytes_append(&cells[i], &bytes, &error), STATUS_OK);
        }
        assert_int_equal(cell_bytes_read(bytes.data, bytes.length, 3, arena, again, &error),
                         STATUS_OK);
        for (int i = 0; i < 3; i++) {
            assert_true(value_equal(&cells[i], &again[i]));
            assert_int_equal(cells[i].flags, again[i].flags);
            assert_int_equal(cells[i].aux, again[i].aux);
        }
        /* cut anywhere they are refused, never read beyond their end */
        size_t cut = (size_t)random_below(&random, bytes.length);
        char *part = malloc(cut + 1);
        assert_non_null(part);
        memcpy(part, bytes.data, cut);
        assert_int_equal(cell_bytes_read(part, cut, 3, arena, again, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_STATE_INVALID);
        free(part);
        buffer_free(&bytes);
    }
}

static struct cell random_number(struct random *random)
{
    char text[64];
    switch (random_below(random, 5)) {
    case 0:
        return cell_int64((int64_t)random_bits(random));
    case 1:
        return cell_int64(random_between(random, -3, 3));
    case 2:
        return cell_uint64(random_bits(random));
    case 3:
        return cell_float64((double)random_between(random, -40, 40) / 8);
    default: {
        int length =
            snprintf(text, sizeof text, "%s%llu.%0*llu", random_below(random, 2) ? "-" : "",
                     (unsigned long long)random_below(random, 5), (int)random_below(random, 30) + 1,
                     (unsigned long long)random_below(random, 50));
        struct cell cell;
        assert_int_equal(decimal_parse(text, (size_t)length, arena, &cell), STATUS_OK);
        return cell;
    }
    }
}

static struct cell as_decimal(struct cell number)
{
    struct cell cell = number;
    if (number.kind == VALUE_INT64) {
        cell = decimal_from_int64(number.i64, arena);
    } else if (number.kind == VALUE_UINT64) {
        cell = decimal_from_uint64(number.u64, arena);
    } else if (number.kind == VALUE_FLOAT64) {
        assert_int_equal(decimal_from_double(number.f64, arena, &cell), STATUS_OK);
    }
    return cell;
}

static void numbers_sort_by_value(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(50000); round++) {
        arena_reset(arena);
        struct cell left = random_number(&random);
        struct cell right = random_number(&random);
        struct cell a = as_decimal(left);
        struct cell b = as_decimal(right);
        assert_int_equal(compare(left, right), decimal_compare(&a, &b));
    }
}

static void edges_of_numbers(void **state)
{
    (void)state;
    const struct cell ascending[] = {cell_missing(),
                                     cell_bool(0),
                                     cell_bool(1),
                                     cell_float64(-INFINITY),
                                     decimal_of("-123456789012345678901234567890"),
                                     cell_int64(INT64_MIN),
                                     cell_int64(-1),
                                     decimal_of("-0.001"),
                                     cell_float64(-0.0),
                                     decimal_of("0.001"),
                                     cell_float64(0.1),
                                     cell_int64(1),
                                     decimal_of("1.5"),
                                     cell_int64(10),
                                     cell_int64(INT64_MAX),
                                     cell_uint64((uint64_t)INT64_MAX + 1),
                                     cell_uint64(UINT64_MAX),
                                     cell_float64(1e300),
                                     cell_float64(INFINITY),
                                     cell_float64(NAN),
                                     cell_text("", 0),
                                     cell_text("\0", 1),
                                     cell_text("\0a", 2),
                                     cell_text("1", 1),
                                     cell_text("a", 1),
                                     cell_text("a\0", 2),
                                     cell_text("ab", 2),
                                     cell_bytes("1", 1)};
    size_t count = sizeof ascending / sizeof ascending[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(compare(ascending[i], ascending[j]), i < j ? -1 : i > j);
        }
    }
    const struct cell ones[] = {cell_int64(1),       cell_uint64(1),
                                cell_float64(1.0),   decimal_of("1"),
                                decimal_of("1.000"), {.kind = VALUE_FLOAT32, .f64 = 1.0}};
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++) {
        assert_int_equal(compare(ones[0], ones[i]), 0);
    }
    assert_int_equal(compare(cell_float64(0.1), decimal_of("0.10")), 0);
    const struct cell narrow = {.kind = VALUE_FLOAT32, .f64 = (double)0.1F};
    assert_int_equal(compare(narrow, decimal_of("0.1")), 0);
    assert_int_equal(compare(cell_int64(0), decimal_of("0.00")), 0);
    assert_int_equal(compare(cell_null(), cell_missing()), 0);
}

/* Values of every kind: only equal ones have equal bytes, and each is equal to its copy. */
static void kinds_stay_apart(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(20000); round++) {
        arena_reset(arena);
        struct cell left = random_value(&random, arena, 2);
        struct cell right = random_value(&random, arena, 2);
        struct cell copy;
        if (left.kind == VALUE_ESCAPE || right.kind == VALUE_ESCAPE) {
            struct buffer out = {0};
            assert_int_equal(
                order_bytes_append(left.kind == VALUE_ESCAPE ? &left : &right, &out, &error),
                STATUS_FAILED);
            buffer_free(&out);
            continue;
        }
        assert_int_equal(value_copy(&left, arena, &copy), STATUS_OK);
        assert_int_equal(compare(left, copy), 0);
        assert_int_equal(compare(left, right), -compare(right, left));
        if (compare(left, right) == 0 && left.kind > VALUE_NULL &&
            !value_kind_is_number((enum value_kind)left.kind)) {
            assert_int_equal(left.kind, right.kind);
        }
    }
}

static void what_matches_nothing(void **state)
{
    (void)state;
    const struct cell nothing[] = {cell_null(), cell_missing(), cell_float64(NAN),
                                   decimal_of("NaN")};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        assert_true(order_bytes_matches_nothing(&nothing[i]));
    }
    const struct cell something = cell_text("", 0);
    assert_false(order_bytes_matches_nothing(&something));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_value_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_sort_by_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edges_of_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_stay_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_matches_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
