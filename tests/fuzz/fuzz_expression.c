/* Expressions of a plan in their sandbox; simple ones must say what SQLite says. */
#include "support.h"

#include "plan/words/expression.h"
#include <string.h>

enum { TEXT_BYTES_MAX = 2000 };

static const char *const names[] = {"a", "b", "n", "odd name", "z"};
enum { NAME_COUNT = sizeof names / sizeof *names };

static struct expression_sandbox *sandbox;

static uint32_t index_of(const char *name)
{
    for (uint32_t at = 0; at < NAME_COUNT; at++) {
        if (strcmp(names[at], name) == 0) {
            return at;
        }
    }
    fuzz_broken(__FILE__, __LINE__, "only columns of the row are used", NULL);
}

static void compare_simple(const struct plan_expression *expression,
                           struct expression_statement *statement)
{
    static const int64_t numbers[] = {0, 1, -1, 5, 6, INT64_MAX, INT64_MIN, 1000};
    struct plan_expression simple = *expression;
    struct error error = {0};
    expression_simplify(&simple);
    for (size_t at = 0; simple.simple != EXPRESSION_GENERAL && at < 8; at++) {
        struct cell value = cell_int64(numbers[at]);
        bool found = false;
        FUZZ_REQUIRE(expression_test(statement, &value, &found, &error) == STATUS_OK);
        FUZZ_REQUIRE(found == expression_compare(simple.simple, numbers[at], simple.literal));
    }
}

static void evaluate(const struct plan_expression *expression, const uint32_t *places,
                     struct arena *arena)
{
    const struct cell rows[][NAME_COUNT] = {
        {cell_int64(5), cell_text("word", 4), cell_null(), cell_bytes("\0\xff", 2),
         cell_float64(1.5)},
        {cell_null(), cell_null(), cell_int64(INT64_MIN), cell_text("\xc3\xa9", 2), cell_bool(1)},
        {cell_text("2024-02-30", 10), cell_float64(-0.0), cell_text("", 0), cell_int64(-1),
         cell_uint64(UINT64_MAX)}};
    struct expression_statement *statement = NULL;
    struct error error = {0};
    if (expression_prepare(sandbox, expression, &statement, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct cell values[NAME_COUNT];
        struct cell result = {0};
        struct cell again = {0};
        for (uint32_t at = 0; at < expression->count; at++) {
            values[at] = rows[row][places[at]];
        }
        enum status status = expression_evaluate(statement, values, arena, &result, &error);
        if (status != STATUS_OK) {
            fuzz_check_error(&error);
            continue;
        }
        status = expression_evaluate(statement, values, arena, &again, &error);
        FUZZ_REQUIRE(status == STATUS_OK && value_equal(&result, &again));
        FUZZ_REQUIRE(result.kind == VALUE_NULL || result.kind == VALUE_INT64 ||
                     result.kind == VALUE_FLOAT64 || result.kind == VALUE_TEXT ||
                     result.kind == VALUE_BYTES);
    }
    if (expression->count == 1) {
        compare_simple(expression, statement);
    }
    expression_finalize(statement);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    const char *const *used = NULL;
    uint32_t used_count = 0;
    uint32_t places[NAME_COUNT];
    struct value_reference references[NAME_COUNT] = {0};
    if (size > TEXT_BYTES_MAX || memchr(data, '\0', size) != NULL) {
        return 0;
    }
    if (sandbox == NULL && expression_sandbox_create(&sandbox, &error) != STATUS_OK) {
        fuzz_broken(__FILE__, __LINE__, "there is a sandbox", &error);
    }
    struct arena *arena = arena_create(0);
    char *text = arena_copy(arena, data, size);
    enum status status = expression_check(sandbox, text, names, NAME_COUNT, false, arena, &used,
                                          &used_count, &error);
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(used_count <= NAME_COUNT);
        for (uint32_t at = 0; at < used_count; at++) {
            places[at] = index_of(used[at]);
        }
        struct plan_expression expression = {
            .text = text, .names = used, .values = references, .count = used_count};
        evaluate(&expression, places, arena);
    } else {
        fuzz_check_error(&error);
    }
    arena_destroy(arena);
    return 0;
}
