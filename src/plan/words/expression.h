/* Expressions of a plan: SQLite's SQL in a sandbox that can read one row of values and nothing
 * else. */
#ifndef TRANSHUME_PLAN_WORDS_EXPRESSION_H
#define TRANSHUME_PLAN_WORDS_EXPRESSION_H

#include "base/arena.h"
#include "base/error.h"
#include "plan/mapping.h"

/*
 * A sandbox is a SQLite connection of its own in memory, on one thread. Its authorizer lets through
 * SELECT, the columns of the row, and functions that give the same result for the same input; a
 * limit on operations ends what runs too long.
 */
struct expression_sandbox;
enum status expression_sandbox_create(struct expression_sandbox **sandbox,
                                      struct error *error) MUST_USE;
void expression_sandbox_destroy(struct expression_sandbox *sandbox);

/*
 * Checks an expression over a row with the given column names and finds out which of them it uses,
 * as declared: `*used` in `arena`. With `open_names` any other name is taken for a column too
 * (documents). STATUS_FAILED: ERROR_PLAN_INVALID with the reason; an unknown column's name is in
 * error->object.
 */
enum status expression_check(struct expression_sandbox *sandbox, const char *text,
                             const char *const *names, uint32_t name_count, bool open_names,
                             struct arena *arena, const char *const **used, uint32_t *used_count,
                             struct error *error) MUST_USE;

/* Recognises `COLUMN < 5` and the like, for which no SQLite is needed: fills simple and literal. */
void expression_simplify(struct plan_expression *expression);
/* The answer of a simple expression for an INT64 cell. */
static inline bool expression_compare(enum expression_operator operator, int64_t left,
                                      int64_t right)
{
    switch (operator) {
    case EXPRESSION_LESS:
        return left < right;
    case EXPRESSION_LESS_EQUAL:
        return left <= right;
    case EXPRESSION_GREATER:
        return left > right;
    case EXPRESSION_GREATER_EQUAL:
        return left >= right;
    case EXPRESSION_EQUAL:
        return left == right;
    default:
        return left != right;
    }
}

/* Prepared once, evaluated a row at a time, on the sandbox's thread. */
struct expression_statement;
enum status expression_prepare(struct expression_sandbox *sandbox,
                               const struct plan_expression *expression,
                               struct expression_statement **statement,
                               struct error *error) MUST_USE;
void expression_finalize(struct expression_statement *statement);

/*
 * `values` are expression->count cells. Results are NULL, INT64, FLOAT64, TEXT or BYTES in `arena`.
 * STATUS_FAILED, class reject: the expression failed on these values.
 */
enum status expression_evaluate(struct expression_statement *statement, const struct cell *values,
                                struct arena *arena, struct cell *result,
                                struct error *error) MUST_USE;
/* True as SQLite's WHERE takes it: NULL is false, texts by their number. */
enum status expression_test(struct expression_statement *statement, const struct cell *values,
                            bool *result, struct error *error) MUST_USE;

#endif
