/* Declarations that the files of the proof share. */
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

/* Each row is taken, however many there are; that is no request of a query. */
struct prove_taker {
    enum status (*take)(void *self, const struct cell *row, uint32_t width, struct error *error);
    void *self;
};
enum status prove_ask_each(struct prove_side *side, const char *query, uint32_t width,
                           const struct prove_taker *taker, struct error *error) MUST_USE;

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

/* A value as a literal of SQL or CQL. STATUS_FAILED: it has none, as a text with a NUL. */
enum prove_language { PROVE_SQL, PROVE_MYSQL, PROVE_CQL };
enum status prove_append_literal(const struct cell *cell, enum prove_language language,
                                 struct buffer *out, struct error *error) MUST_USE;

/* A value as text that is the same for equal values of different types: 1, 1.0 and "1.00" of a
 * decimal; of a field whose `kind` is a time, one with a T or a blank, with a fraction of zeros or
 * none. Different values have different texts: those of a backslash and of what separates values
 * are escaped. */
enum status prove_append_text(const struct cell *cell, enum value_kind kind, struct buffer *out,
                              struct error *error) MUST_USE;

/* -1, 0 or 1, of values that are there, of a field of `kind`. */
int prove_compare_values(const struct cell *left, const struct cell *right, enum value_kind kind);

/* ---------------------------------------------------------------- values */

/* Values of which a place has one: several are those of an IN. */
struct prove_list {
    const struct cell *cells;
    uint32_t count;
};

/* The values that a run of a query is given. */
struct prove_given {
    const uint32_t *places;
    const struct prove_list *values;
    uint32_t count;
    const struct cell *low; /* of the range; NULL: none */
    const struct cell *high;
};

/* ---------------------------------------------------------------- source.c */

/* SQL of the query: the values of `wanted` of the rows that pass the condition, in the query's
 * order (texts by their bytes, as the targets order them); at most `rows_max`. */
void prove_append_sql(struct places *places, const struct query *query, const char *scheme,
                      struct place_set wanted, const struct buffer *condition, uint32_t rows_max,
                      struct buffer *out);

/* SQL for values to be given: different ones of `wanted`, none of them null, of the rows that pass
 * the condition. `rows_max` > 0: those that most rows have, but not more than so many; else the
 * first ones in their order, if `ordered`. */
struct prove_drawing {
    const uint32_t *wanted;
    uint32_t wanted_count;
    const struct buffer *condition;
    uint32_t rows_max;
    bool ordered;
    uint32_t values_max;
};
void prove_append_drawing(struct places *places, const struct query *query, const char *scheme,
                          const struct prove_drawing *drawing, struct buffer *out);

/* The condition that the query is, with these values; appended to `out`. */
enum status prove_append_condition(struct places *places, const struct query *query,
                                   const char *scheme, const struct prove_given *given,
                                   struct buffer *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- draw.c */

/* Values for runs of a query, as the source has them: those that most rows have come first. IN is
 * given up to three values, a range two different ones where there are. `*count` is 0 where no row
 * has a value at each of the places. */
enum status prove_draw(struct prove_side *source, struct places *places, const struct query *query,
                       uint32_t runs_max, uint32_t rows_max, struct arena *arena,
                       struct prove_given **runs, uint32_t *count, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- order.c */

/* Rows as their query wants them. */
struct prove_order {
    const enum value_kind *kinds; /* of the fields, by column */
    const uint32_t *columns;      /* that it orders by */
    const bool *descending;
    uint32_t count;
    uint32_t limit;  /* 0: none */
    bool nulls_last; /* of an ascending order, as PostgreSQL has them */
};
void prove_order_of(const struct places *places, const struct query *query, struct place_set wanted,
                    const char *scheme, struct arena *arena, struct prove_order *order);

/* Sorts rows, as a client does. */
void prove_sort(const struct prove_order *order, struct prove_rows *rows);

/* Are the target's rows the first ones of the source's, in the same order? Rows that are equal in
 * what the query orders by may come in any order, and if the limit cuts these off, any of them;
 * `is_cut`: the source has more rows than these. `*why` NULL: they are. */
enum status prove_compare(const struct prove_order *order, const struct prove_rows *source,
                          bool is_cut, const struct prove_rows *target, struct arena *arena,
                          const char **why, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target.c */

/* The buckets that a table of Cassandra has. */
struct prove_buckets {
    bool is_listed;
    struct prove_rows rows; /* of one cell, ascending */
};

/* The design that is asked, and where it is. */
struct prove_target {
    struct prove_side side;
    struct places *places;
    const struct pool *pool;
    const struct search *search;
    const bool *chosen;
    const struct layout *layout;            /* Cassandra's */
    const struct export_dynamodb *dynamodb; /* NULL: it is Cassandra */
    struct prove_buckets *buckets;          /* by family */
    struct arena *arena;                    /* of the buckets */
};

/* A plan that is run. */
struct prove_running {
    struct prove_target *target;
    const struct query *query;
    const struct prove_given *given;
    uint32_t *chosen; /* by place given: which of its values the request has */
    uint32_t rows_max;
    struct arena *arena;
    const uint32_t *columns; /* places that rows have, as the query's root sees them */
    uint32_t column_count;
};

/* GRAPH_NONE: rows have no such place. */
uint32_t prove_column_at(const struct prove_running *running, uint32_t place);
/* The value of a place of the query's root, if it is known: by the row so far (NULL: none), or
 * given. NULL: it is not known. */
const struct cell *prove_known(const struct prove_running *running, const struct cell *row,
                               uint32_t place);
/* The values of an IN, where the place is known by nothing else; NULL: it is none. */
const struct prove_list *prove_known_list(const struct prove_running *running,
                                          const struct cell *row, uint32_t place);
/* The next combination of values of those of these places that are given several; false: all have
 * been, and the first one is next. */
bool prove_choose_next(const struct prove_running *running, const struct cell *row,
                       const uint32_t *places, uint32_t count);
/* Rows that one request may return. */
uint32_t prove_request_rows(const struct prove_running *running, const struct access_step *step);

struct prove_wanted {
    struct place_set places;
    const struct prove_order *order;
    uint32_t rows_max;
};

/* Runs the plan with these values: rows of the places wanted, as the application gets them, in the
 * query's order and up to its limit. */
enum status prove_run_plan(struct prove_target *target, const struct query *query,
                           const struct access_plan *plan, const struct prove_given *given,
                           const struct prove_wanted *wanted, struct arena *arena,
                           struct prove_rows *rows, struct error *error) MUST_USE;

/* One step, given what is known of one row (NULL: nothing): appends rows in which what the step
 * brings is filled in. Of Cassandra, of DynamoDB. */
enum status prove_ask_cassandra(const struct prove_running *running, const struct access_step *step,
                                const struct cell *row, struct prove_rows *out,
                                struct error *error) MUST_USE;
enum status prove_ask_dynamodb(const struct prove_running *running, const struct access_step *step,
                               const struct cell *row, struct prove_rows *out,
                               struct error *error) MUST_USE;

#endif
