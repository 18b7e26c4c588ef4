/* The sections of a report, the same for its two forms. */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_SECTIONS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_SECTIONS_H

#include "design/analysis/analysis.h"
#include "design/analysis/analysis_page.h"

/* analysis_markdown.c: all of them, of the targets that are wanted. */
void analysis_append_sections(const struct analysis *analysis, struct analysis_page *page);
/* analysis_cassandra.c: the scorecard, tables with reasons, queries, duplicates. */
void analysis_append_cassandra(const struct analysis *analysis, struct analysis_page *page);
/* analysis_dynamodb.c */
void analysis_append_dynamodb(const struct analysis *analysis, struct analysis_page *page);
/* analysis_mongodb.c */
void analysis_append_mongodb(const struct analysis *analysis, struct analysis_page *page);
/* analysis_proofs.c: what a proof found, and what no key can answer. */
void analysis_append_proofs(const struct analysis *analysis, struct analysis_page *page);
void analysis_append_unserved(const struct analysis *analysis, struct analysis_page *page);
/* analysis_cautions.c: which rows the copy will reject, or hold only in part. */
void analysis_append_cautions(const struct analysis *analysis, struct analysis_page *page);

/* analysis_relations.c: foreign keys, where each comes from, and which were not believed. */
void analysis_append_relations(const struct analysis *analysis, struct analysis_page *page);

/* "weight 5, about 2 requests, sorted by the client", of a plan; in the analysis' arena. */
const char *analysis_plan_note(const struct analysis *analysis,
                               const struct workload_statement *statement,
                               const struct access_plan *plan);
/* The name of a statement, or its SQL. */
const char *analysis_statement_name(const struct workload_statement *statement);

#endif
