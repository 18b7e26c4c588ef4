/* Results of a proof: which values are equal, and which rows answer a query alike. */
#include "design/prove/prove_parts.h"
#include "support.h"
#include <string.h>

static struct cell text_of(const char *text, size_t length)
{
    return (struct cell){.kind = VALUE_TEXT, .length = (uint32_t)length, .text = text};
}

static bool are_equal(struct cell left, struct cell right, enum value_kind kind)
{
    struct buffer texts[2] = {0};
    struct error error;
    assert_int_equal(prove_append_text(&left, kind, &texts[0], &error), STATUS_OK);
    assert_int_equal(prove_append_text(&right, kind, &texts[1], &error), STATUS_OK);
    bool equal = strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) == 0;
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return equal;
}

static void different_values_have_different_texts(void **state)
{
    (void)state;
    static const struct {
        const char *left;
        const char *right;
    } pairs[] = {{"\\N", NULL},
                 {"2024-01-01 v1.50", "2024-01-01 v1.5"},
                 {"2024-01-01T00:00:00", "2024-01-01 00:00:00"},
                 {"2024-01-01 00:00:00", "2024-01-01"},
                 {"1.50", "1.5"},
                 {"a | b", "a \\| b"},
                 {"a\nb", "a\\nb"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct cell left = text_of(pairs[i].left, strlen(pairs[i].left));
        struct cell right =
            pairs[i].right != NULL ? text_of(pairs[i].right, strlen(pairs[i].right)) : cell_null();
        assert_false(are_equal(left, right, VALUE_TEXT));
        assert_true(are_equal(left, left, VALUE_TEXT));
    }
    assert_false(are_equal(text_of("a\0b", 3), text_of("a\0c", 3), VALUE_TEXT));
    assert_false(are_equal(text_of("a\0b", 3), text_of("a", 1), VALUE_TEXT));
    assert_false(are_equal(text_of("a\0", 2), text_of("a\\0", 3), VALUE_TEXT));
}

static void times_are_equal_however_they_are_written(void **state)
{
    (void)state;
    assert_true(are_equal(text_of("2024-01-01T10:00:00.500Z", 24),
                          text_of("2024-01-01 10:00:00.5", 21), VALUE_TIMESTAMP));
    assert_true(
        are_equal(text_of("2024-01-01 00:00:00", 19), text_of("2024-01-01", 10), VALUE_DATE));
    assert_true(are_equal(cell_int64(2), cell_float64(2), VALUE_FLOAT64));
}

/* ---------------------------------------------------------------- order */

/* Rows of (order, other): "1a 1b 2c". */
static struct prove_rows rows_of(const char *text, struct arena *arena)
{
    struct prove_rows rows = {.width = 2};
    for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2) {
        struct cell *row = prove_rows_add(&rows, arena);
        row[0] = text[0] == '-' ? cell_null() : cell_int64(text[0] - '0');
        row[1] = text_of(text + 1, 1);
    }
    return rows;
}

static const enum value_kind kinds[] = {VALUE_INT64, VALUE_TEXT};
static const uint32_t first_column[] = {0};
static const bool ascending[] = {false};

static bool is_answer(const char *source, const char *target, uint32_t order_count, uint32_t limit,
                      bool is_cut)
{
    struct arena *arena = arena_create(0);
    const struct prove_order order = {.kinds = kinds,
                                      .columns = first_column,
                                      .descending = ascending,
                                      .count = order_count,
                                      .limit = limit};
    struct prove_rows expected = rows_of(source, arena);
    struct prove_rows found = rows_of(target, arena);
    const char *why = NULL;
    struct error error;
    assert_int_equal(prove_compare(&order, &expected, is_cut, &found, arena, &why, &error),
                     STATUS_OK);
    bool alike = why == NULL;
    arena_destroy(arena);
    return alike;
}

static void rows_are_compared_in_order(void **state)
{
    (void)state;
    assert_true(is_answer("1a 2b 3c", "1a 2b 3c", 1, 0, false));
    assert_true(is_answer("1a 1b 2c", "1b 1a 2c", 1, 0, false));
    assert_true(is_answer("1a 2b 3c", "3c 1a 2b", 0, 0, false));
    assert_false(is_answer("1a 2b 3c", "2b 1a 3c", 1, 0, false));
    assert_false(is_answer("1a 1b 2c", "1a 1a 2c", 1, 0, false));
    assert_false(is_answer("1a 2b", "1a 2b 3c", 1, 0, false));
    assert_false(is_answer("1a 2b 3c", "1a 2b", 1, 0, false));
    assert_true(is_answer("", "", 1, 0, false));
    assert_false(is_answer("", "1a", 1, 0, false));
}

static void a_limit_may_cut_rows_that_are_equal(void **state)
{
    (void)state;
    assert_true(is_answer("1a 2b 2c 2d", "1a 2d", 1, 2, false));
    assert_true(is_answer("1a 2b 2c 3d", "1a 2c 2b", 1, 3, false));
    assert_true(is_answer("1a 2b 3c", "2b 3c", 0, 2, false));
    assert_false(is_answer("1a 2b 2c 2d", "1a 2e", 1, 2, false));
    assert_false(is_answer("1a 2b 2c 2d", "2b 2c", 1, 2, false));
    assert_false(is_answer("1a 2b 3c", "1a 2b 3c", 1, 2, false));
    assert_false(is_answer("1a 2b 3c", "1a", 1, 2, false));
    assert_true(is_answer("1a 2b 2c", "1a 2z", 1, 2, true));
    assert_false(is_answer("1a 2b 2c", "1a 3z", 1, 2, true));
}

static void a_client_sorts_as_the_source_does(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct prove_order order = {
        .kinds = kinds, .columns = first_column, .descending = ascending, .count = 1};
    for (int last = 0; last < 2; last++) {
        struct prove_rows rows = rows_of("3a 1b -c 2d 1e", arena);
        order.nulls_last = last != 0;
        prove_sort(&order, &rows);
        struct buffer text = {0};
        for (uint32_t i = 0; i < rows.count; i++) {
            buffer_append(&text, prove_row(&rows, i)[1].text, 1);
        }
        assert_string_equal(buffer_string(&text), last ? "bedac" : "cbeda");
        buffer_free(&text);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_values_have_different_texts),
        cmocka_unit_test(times_are_equal_however_they_are_written),
        cmocka_unit_test(rows_are_compared_in_order),
        cmocka_unit_test(a_limit_may_cut_rows_that_are_equal),
        cmocka_unit_test(a_client_sorts_as_the_source_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
