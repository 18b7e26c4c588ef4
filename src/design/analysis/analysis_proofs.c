/* The results of a proof, and the queries that no key can answer. */
#include "design/analysis/analysis_sections.h"

const char *analysis_statement_name(const struct workload_statement *statement)
{
    return statement->name != NULL ? statement->name : statement->text;
}

const char *analysis_plan_note(const struct analysis *analysis,
                               const struct workload_statement *statement,
                               const struct access_plan *plan)
{
    double requests = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        requests += plan->steps[i].requests;
    }
    return arena_format(analysis->arena, "weight %.3g%s, about %.3g request%s%s%s%s",
                        statement->weight, statement->assumed ? ", assumed" : "", requests,
                        requests == 1 ? "" : "s", plan->scans ? ", a scan of the whole table" : "",
                        plan->filters ? ", filtered by the client" : "",
                        plan->sorts ? ", sorted by the client" : "");
}

void analysis_append_proofs(const struct analysis *analysis, struct analysis_page *page)
{
    static const char *const heads[] = {"query", "results", "runs", "rows", "requests"};
    if (analysis->proof_count == 0) {
        return;
    }
    analysis_page_section(page, "proof", "Proof");
    analysis_page_paragraph(page, "Each query was asked on the target as an application would, and "
                                  "on the source in SQL, with values that the source holds.");
    analysis_page_table(page, heads, 5, 2);
    for (uint32_t i = 0; i < analysis->proof_count; i++) {
        const struct analysis_proof *proof = &analysis->proofs[i];
        const char *remark = proof->why != NULL ? proof->why : proof->left_out;
        const char *const cells[] = {
            proof->query,
            remark == NULL ? proof->verdict
                           : arena_format(analysis->arena, "%s; %s", proof->verdict, remark),
            arena_format(analysis->arena, "%u", proof->runs),
            arena_format(analysis->arena, "%llu", (unsigned long long)proof->rows),
            arena_format(analysis->arena, "%llu", (unsigned long long)proof->requests)};
        analysis_page_row(page, cells, 5, 2);
    }
    analysis_page_end_table(page);
    analysis_page_end_section(page);
}

void analysis_append_unserved(const struct analysis *analysis, struct analysis_page *page)
{
    if (analysis->score.unserved == 0) {
        return;
    }
    analysis_page_section(page, "unserved", "What no key can answer");
    analysis_page_list(page);
    for (uint32_t i = 0; i < analysis->workload.count; i++) {
        const struct workload_statement *statement = &analysis->workload.statements[i];
        if (statement->unserved != NULL) {
            analysis_page_item(
                page,
                arena_format(analysis->arena, "%s: %s%s%s", analysis_statement_name(statement),
                             statement->unserved, statement->alternative != NULL ? "; " : "",
                             statement->alternative != NULL ? statement->alternative : ""));
        }
    }
    analysis_page_end_list(page);
    analysis_page_end_section(page);
}
