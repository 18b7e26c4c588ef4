/*
 * An analysis: from a schema and a workload to a design, its figures, and the files that say it.
 * All of it lives in one arena.
 */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H

#include "base/error.h"
#include "design/advisor/advisor_reply.h"
#include "design/layout/layout.h"
#include "design/workload/score.h"

/* A PNG for the page. */
struct analysis_picture {
    const char *png;
    size_t length;
    const char *shows; /* for who can't see it */
    const char *caption;
};

struct analysis_options {
    const char *source;   /* as it is shown; for the plan */
    const char *target;   /* NULL: the plan has none */
    const char *keyspace; /* of the CQL; NULL: none */
    enum layout_naming naming;
    struct graph_assumptions assumptions;
    struct advisor_reply *advised; /* candidates of a model, of the same graph; NULL: none */
    const struct analysis_picture *picture; /* NULL: none */
    const struct graph_relation *similar;   /* foreign keys that may be missing; not in the graph */
    uint32_t similar_count;
};

/* A query of a statement, and how the design answers it. */
struct analysis_query {
    uint32_t query; /* of the search */
    const struct workload_statement *statement;
    bool is_answered;
    struct access_plan plan; /* of access_explain */
};

struct analysis {
    struct arena *arena;
    const struct analysis_options *options;
    struct graph graph;
    struct workload workload;
    struct places places;
    struct pool pool;
    struct search search;
    struct search_result result;
    struct layout layout;
    struct score score;
    const struct analysis_query *queries;
    uint32_t query_count;
};

/* The graph of a schema. `schema`, `figures` (NULL: none) and `options` are borrowed. */
void analysis_start(const struct schema *schema, const struct figures *figures,
                    const struct analysis_options *options, struct arena *arena,
                    struct analysis *analysis);
/* The design for a workload whose statements refer to that graph; NULL: one is assumed. */
void analysis_run(struct analysis *analysis, const struct workload *workload);

/* "orders by customer_id"; the SQL where a statement has no name. */
const char *analysis_query_name(const struct analysis_query *query);

/* Tables, queries with the way each is answered, and the scorecard, for a terminal. */
void analysis_append_summary(const struct analysis *analysis, struct buffer *out);

/* The same with reasons, as a page that needs no other file, and as Markdown. */
void analysis_append_html(const struct analysis *analysis, const struct analysis_options *options,
                          struct buffer *out);
void analysis_append_markdown(const struct analysis *analysis,
                              const struct analysis_options *options, struct buffer *out);
/* Entities and relations as SVG, for the page. */
void analysis_append_diagram(const struct analysis *analysis, struct buffer *out);

/* Writes cassandra_schema.cql, transhume.yaml, report.html and report.md into `folder`, which is
 * made if it is not there.
 */
enum status analysis_write(const struct analysis *analysis, const struct analysis_options *options,
                           const char *folder, struct error *error) MUST_USE;

#endif
