/* What the files of the proof share. */
#ifndef TRANSHUME_DESIGN_PROVE_PROVE_PARTS_H
#define TRANSHUME_DESIGN_PROVE_PROVE_PARTS_H

#include "design/prove/prove.h"
#include "model/batch.h"

/* ---------------------------------------------------------------- ask.c */

/* A database that is asked queries in its own language. */
struct prove_side {
    struct database *database;
    struct reader *reader;
    uint64_t requests;
};

/* Rows of cells, in an arena. */
struct prove_rows {
    struct cell *cells;
    uint32_t width;
    uint32_t count;
    uint32_t capacity;
};

enum status prove_side_open(struct database *database, struct arena *arena, struct prove_side *side,
                            struct error *error) MUST_USE;
void prove_side_close(struct prove_side *side);

/* All rows of `query`, which has `width` columns; at most `rows_max`. */
enum status prove_ask(struct prove_side *side, const char *query, uint32_t width, uint32_t rows_max,
                      struct arena *arena, struct prove_rows *rows, struct error *error) MUST_USE;

/* The same of records without columns: rows of one cell, a MAP. */
enum status prove_ask_documents(struct prove_side *side, const char *query, uint32_t rows_max,
                                struct arena *arena, struct prove_rows *rows,
                                struct error *error) MUST_USE;

struct cell *prove_rows_add(struct prove_rows *rows, struct arena *arena);
static inline const struct cell *prove_row(const struct prove_rows *rows, uint32_t row)
{
    return rows->cells + (size_t)row * rows->width;
}

/* ---------------------------------------------------------------- text.c */

/* A value as a literal of SQL or CQL. */
enum prove_language { PROVE_SQL, PROVE_MYSQL, PROVE_CQL };
enum status prove_append_literal(const struct cell *cell, enum prove_language language,
                                 struct buffer *out, struct error *error) MUST_USE;

/* A value as text that is the same for equal values of different types: 1, 1.0 and "1.00" of a
 * decimal; a time with a T or a blank, with a fraction of zeros or none. */
enum status prove_append_text(const struct cell *cell, struct buffer *out,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- values */

/* What a run of a query is given. */
struct prove_given {
    const uint32_t *places;
    const struct cell *values;
    uint32_t count;
    const struct cell *low; /* of the range; NULL: none */
    const struct cell *high;
};
const struct cell *prove_given_at(const struct prove_given *given, uint32_t place);

/* ---------------------------------------------------------------- source.c */

/* The places that a query is given values of: equal and in, then the range. */
uint32_t prove_given_places(const struct places *places, const struct query *query,
                            struct arena *arena, const uint32_t **list);

/* SQL for rows of the query's root: the values of `wanted`. With `given` NULL: distinct ones for
 * the query to be given, none of them null. */
void prove_append_sql(struct places *places, const struct query *query, const char *scheme,
                      const uint32_t *wanted, uint32_t wanted_count, const struct buffer *condition,
                      struct buffer *out);

/* The condition that the query is, with these values; appended to `out`. */
enum status prove_append_condition(struct places *places, const struct query *query,
                                   const char *scheme, const struct prove_given *given,
                                   struct buffer *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target.c */

/* The design that is asked, and where it is. */
struct prove_target {
    struct prove_side side;
    struct places *places;
    const struct pool *pool;
    const struct search *search;
    const bool *chosen;
    const struct layout *layout;            /* Cassandra's */
    const struct export_dynamodb *dynamodb; /* NULL: it is Cassandra */
};

/* A plan that is run. */
struct prove_running {
    struct prove_target *target;
    const struct query *query;
    const struct prove_given *given;
    uint32_t rows_max;
    struct arena *arena;
    const uint32_t *columns; /* places that rows have, as the query's root sees them */
    uint32_t column_count;
};

/* GRAPH_NONE: rows have no such place. */
uint32_t prove_column_at(const struct prove_running *running, uint32_t place);
/* What is known of a place of the query's root: by the row so far (NULL: none), or given. NULL: it
 * is not known. */
const struct cell *prove_known(const struct prove_running *running, const struct cell *row,
                               uint32_t place);

/* Runs the plan with these values: rows of the places in `wanted`, as the application gets them. */
enum status prove_run_plan(struct prove_target *target, const struct query *query,
                           const struct access_plan *plan, const struct prove_given *given,
                           const uint32_t *wanted, uint32_t wanted_count, uint32_t rows_max,
                           struct arena *arena, struct prove_rows *rows,
                           struct error *error) MUST_USE;

/* One step, given what is known of one row (NULL: nothing): appends rows in which what the step
 * brings is filled in. Of Cassandra, of DynamoDB. */
enum status prove_ask_cassandra(const struct prove_running *running, const struct access_step *step,
                                const struct cell *row, struct prove_rows *out,
                                struct error *error) MUST_USE;
enum status prove_ask_dynamodb(const struct prove_running *running, const struct access_step *step,
                               const struct cell *row, struct prove_rows *out,
                               struct error *error) MUST_USE;

#endif
