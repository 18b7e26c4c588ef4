/*
 * The proof of a design for Cassandra or DynamoDB: with values that the source holds, each query is
 * run on the target by its plan, as an application would run it, and its result is compared with
 * that of the same question asked of the source in SQL: its rows, their order and its limit.
 */
#ifndef TRANSHUME_DESIGN_PROVE_PROVE_H
#define TRANSHUME_DESIGN_PROVE_PROVE_H

#include "design/analysis/analysis.h"

enum prove_verdict {
    PROVE_EQUAL,
    PROVE_DIFFERENT,
    PROVE_NO_VALUES, /* the source has no row to ask for */
    PROVE_NO_PLAN,   /* the design does not answer it */
    PROVE_TOO_LARGE, /* a result has more rows than are compared */
    PROVE_FAILED     /* one of the databases did not answer */
};

struct prove_query {
    uint32_t query; /* of the search */
    enum prove_verdict verdict;
    uint32_t runs;        /* with different values */
    uint64_t rows;        /* of all runs */
    uint64_t requests;    /* on the target, of all runs */
    const char *sql;      /* of the last run, or of the first one that differs */
    const char *why;      /* what differs, or what failed; NULL */
    const char *left_out; /* "filter not proven: State"; NULL: all of the query was asked */
};

struct prove_report {
    const struct search *search;
    const struct prove_query *queries; /* those of statements */
    uint32_t count;
    uint32_t equal;
    uint32_t different;
};

struct prove_options {
    uint32_t runs_max; /* a query; 0: 3 */
    uint32_t rows_max; /* of a result that is compared; 0: 10,000 */
};

/* Both databases are open for reading, in a state before `snapshot`. The report lives in the
 * analysis' arena. STATUS_FAILED: one of the databases could not be asked at all; a query that
 * fails is one of the report's. */
enum status prove_run(struct analysis *analysis, struct database *source, struct database *target,
                      const struct prove_options *options, struct prove_report *report,
                      struct error *error) MUST_USE;

/* One line a query, and how many were answered alike. */
void prove_append(const struct analysis *analysis, const struct prove_report *report,
                  struct buffer *out);

#endif
