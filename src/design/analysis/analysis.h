/*
 * An analysis: from a schema and a workload to a design, its figures, and the files that say it.
 * All of it lives in one arena.
 */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_H

#include "base/error.h"
#include "design/advisor/advisor_reply.h"
#include "design/duplicates/duplicates.h"
#include "design/export/export_dynamodb.h"
#include "design/export/export_mongodb.h"
#include "design/export/export_single.h"
#include "design/layout/layout.h"
#include "design/workload/score.h"

/* A PNG for the page. */
struct analysis_picture {
    const char *png;
    size_t length;
    const char *shows; /* for who can't see it */
    const char *caption;
};

/* Kinds of targets, as flags. */
enum {
    ANALYSIS_CASSANDRA = 1,
    ANALYSIS_DYNAMODB = 2,
    ANALYSIS_MONGODB = 4,
    ANALYSIS_ALL = ANALYSIS_CASSANDRA | ANALYSIS_DYNAMODB | ANALYSIS_MONGODB
};

struct analysis_options {
    unsigned targets;     /* what is shown and written; 0: all */
    unsigned target_kind; /* of `target`; 0: of another kind than these, or none */
    bool minimize_duplication;
    bool single_table;    /* of DynamoDB, beside the tables and indexes */
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

/* The result of a proof for one query (prove.h), for the report. */
struct analysis_proof {
    const char *query;
    const char *verdict; /* "equal", "DIFFERENT" … */
    uint32_t runs;
    uint64_t rows;
    uint64_t requests;
    const char *why;      /* NULL */
    const char *left_out; /* filters that are not proven; NULL: none */
};

struct analysis {
    struct arena *arena;
    const struct analysis_options *options;
    struct graph graph;
    struct workload workload;
    struct cost_model model; /* of Cassandra */
    struct places places;
    struct pool pool;
    struct search search;
    struct search_result result;
    struct layout layout;
    struct score score;
    struct duplicates duplicates;
    struct export_dynamodb dynamodb;     /* ANALYSIS_DYNAMODB */
    struct export_single single;         /* ANALYSIS_DYNAMODB with `single_table` */
    struct export_mongodb mongodb;       /* ANALYSIS_MONGODB */
    const struct analysis_proof *proofs; /* NULL: nothing was proved */
    uint32_t proof_count;
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

/* Calls `tell` for each caution about the copy: rows that it will reject. Texts are in the
 * analysis' arena. */
void analysis_cautions(const struct analysis *analysis,
                       void (*tell)(void *context, const char *sentence), void *context);

/* Tables, queries with the way each is answered, and the scorecard, for a terminal. */
void analysis_append_summary(const struct analysis *analysis, struct buffer *out);

/* The same with reasons, as a page that needs no other file, and as Markdown. */
void analysis_append_html(const struct analysis *analysis, const struct analysis_options *options,
                          struct buffer *out);
void analysis_append_markdown(const struct analysis *analysis,
                              const struct analysis_options *options, struct buffer *out);
/* Entities and relations as SVG, for the page. */
void analysis_append_diagram(const struct analysis *analysis, struct buffer *out);

/* analysis_exports.c: the designs for other targets than Cassandra, as the options select them, and
 * what keeps duplicates equal. */
void analysis_export(struct analysis *analysis);
/* `model`, with bytes that weigh if the options say so. */
struct cost_model analysis_model(const struct analysis *analysis, const struct cost_model *model);
void analysis_append_exports(const struct analysis *analysis, struct buffer *out);
enum status analysis_write_exports(const struct analysis *analysis, const char *folder,
                                   struct error *error) MUST_USE;
/* Is that kind of target wanted? */
bool analysis_wants(const struct analysis *analysis, unsigned target);

/* Writes report.html, report.md and the files of the targets that the options select into `folder`,
 * which is made if it is not there: for Cassandra cassandra_schema.cql, transhume.yaml,
 * duplicates.md, astra.cql and astra_create_tables.json; for DynamoDB dynamodb_tables.json,
 * cloudformation.json, nosql_workbench.json, transhume.dynamodb.yaml and with `single_table`
 * transhume.dynamodb-single-table.yaml; for MongoDB
 * mongodb_collections.json and transhume.mongodb.yaml. */
enum status analysis_write(const struct analysis *analysis, const struct analysis_options *options,
                           const char *folder, struct error *error) MUST_USE;

#endif
