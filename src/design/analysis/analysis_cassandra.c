/* The design for Cassandra in a report. */
#include "design/analysis/analysis_reasons.h"
#include "design/analysis/analysis_sections.h"

#include <string.h>

static void append_tables(const struct analysis *analysis, struct analysis_page *page)
{
    for (uint32_t i = 0; i < analysis->layout.count; i++) {
        const struct layout_table *table = &analysis->layout.tables[i];
        struct buffer key = {0};
        analysis_append_key(table, &key);
        analysis_page_part(page, table->name, buffer_string(&key));
        analysis_reasons(analysis, table, page);
        analysis_page_end_part(page);
        buffer_free(&key);
    }
}

static void append_queries(const struct analysis *analysis, struct analysis_page *page)
{
    analysis_page_section(page, "queries", "Queries of Cassandra");
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        const struct analysis_query *query = &analysis->queries[i];
        struct buffer text = {0};
        for (uint32_t j = 0; j < query->plan.step_count && query->is_answered; j++) {
            buffer_append_string(&text, j > 0 ? "\n" : "");
            layout_append_select(&analysis->layout, query->plan.steps[j].query,
                                 &query->plan.steps[j], &text);
        }
        analysis_page_query(page, analysis_query_name(query),
                            analysis_plan_note(analysis, query->statement, &query->plan), "sql",
                            query->is_answered ? buffer_string(&text) : "-- no table answers it");
        buffer_free(&text);
    }
    analysis_page_end_section(page);
}

/* ---------------------------------------------------------------- duplicates */

/* Columns that one table has from one origin, kept in one way, are one sentence. */
static bool goes_with(const struct duplicate *left, const struct duplicate *right)
{
    return left->table == right->table && left->origin == right->origin &&
           left->strategy == right->strategy && strcmp(left->why, right->why) == 0;
}

/* Is it in the sentence of one before it? */
static bool is_told(const struct duplicates *duplicates, uint32_t number)
{
    for (uint32_t i = 0; i < number; i++) {
        if (goes_with(&duplicates->list[i], &duplicates->list[number])) {
            return true;
        }
    }
    return false;
}

/* "Name, Total: logged batch; a write knows the keys …" */
static void append_group(const struct analysis *analysis, uint32_t number,
                         struct analysis_page *page)
{
    const struct duplicates *duplicates = &analysis->duplicates;
    const struct duplicate *first = &duplicates->list[number];
    struct buffer columns = {0};
    for (uint32_t i = number; i < duplicates->count; i++) {
        if (goes_with(first, &duplicates->list[i])) {
            buffer_format(&columns, "%s%s", i > number ? ", " : "",
                          duplicates->list[i].column->name);
        }
    }
    analysis_page_item(page, arena_format(analysis->arena, "%s: %s; %s.", buffer_string(&columns),
                                          duplicate_strategy_name(first->strategy), first->why));
    buffer_free(&columns);
}

static void append_duplicates(const struct analysis *analysis, struct analysis_page *page)
{
    const struct duplicates *duplicates = &analysis->duplicates;
    const struct layout_table *table = NULL;
    if (duplicates->count == 0) {
        return;
    }
    analysis_page_section(page, "duplicates", "What is stored twice");
    analysis_page_paragraph(page, "Columns that another table has, too, and what keeps them equal; "
                                  "duplicates.md has the statements.");
    for (uint32_t i = 0; i < duplicates->count; i++) {
        if (duplicates->list[i].table != table) {
            struct buffer key = {0};
            if (table != NULL) {
                analysis_page_end_part(page);
            }
            table = duplicates->list[i].table;
            analysis_append_key(table, &key);
            analysis_page_part(page, table->name, buffer_string(&key));
            buffer_free(&key);
        }
        if (!is_told(duplicates, i)) {
            append_group(analysis, i, page);
        }
    }
    analysis_page_end_part(page);
    analysis_page_end_section(page);
}

void analysis_append_cassandra(const struct analysis *analysis, struct analysis_page *page)
{
    struct analysis_figure figures[ANALYSIS_FIGURES];
    analysis_figures(analysis, figures);
    analysis_page_section(page, "tables", "Cassandra");
    analysis_page_figures(page, figures, ANALYSIS_FIGURES);
    append_tables(analysis, page);
    analysis_page_end_section(page);
    append_queries(analysis, page);
    append_duplicates(analysis, page);
}
