/*
 * An analysis: from a schema and a workload to a design, its figures, and the files that say it.
 * All of it lives in one arena.
 */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H

#include "base/error.h"
#include "design/layout/layout.h"
#include "design/workload/score.h"

struct analysis_options {
    const char *source;   /* as it is shown; for the plan */
    const char *target;   /* NULL: the plan has none */
    const char *keyspace; /* of the CQL; NULL: none */
    enum layout_naming naming;
    struct graph_assumptions assumptions;
};

struct analysis {
    struct arena *arena;
    struct graph graph;
    struct workload workload;
    struct places places;
    struct pool pool;
    struct search search;
    struct search_result result;
    struct layout layout;
    struct score score;
};

/* `schema` is borrowed. `workload` NULL: one is assumed. Its statements refer to the graph that
 * graph_from_schema makes of the same schema and assumptions. */
void analysis_run(const struct schema *schema, const struct workload *workload,
                  const struct analysis_options *options, struct arena *arena,
                  struct analysis *analysis);

/* Tables, queries with the way each is answered, and the scorecard, for a terminal. */
void analysis_append_summary(const struct analysis *analysis, struct buffer *out);

/* Writes cassandra_schema.cql and transhume.yaml into `folder`, which is made if it is not there.
 */
enum status analysis_write(const struct analysis *analysis, const struct analysis_options *options,
                           const char *folder, struct error *error) MUST_USE;

#endif
