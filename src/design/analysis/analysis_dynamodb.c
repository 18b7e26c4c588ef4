/* The design for DynamoDB in a report. */
#include "design/analysis/analysis_sections.h"

/* How each query of the search is answered; no steps: it is not, or it is no statement's. */
static const struct access_plan *find_plans(const struct analysis *analysis)
{
    const struct export_dynamodb *design = &analysis->dynamodb;
    struct access_plan *plans =
        arena_allocate_zeroed(analysis->arena, design->search.query_count + 1u, sizeof(*plans));
    for (uint32_t i = 0; i < design->search.query_count; i++) {
        const struct search_query *query = &design->search.queries[i];
        if (query->statement != GRAPH_NONE) {
            (void)access_explain(&design->pool, &query->query, design->result.chosen, &plans[i]);
        }
    }
    return plans;
}

static const char *key_text(const struct analysis *analysis, const struct export_table *table,
                            struct export_key key)
{
    const char *partition = table->attributes[key.partition].name;
    return key.sort == GRAPH_NONE ? arena_format(analysis->arena, "(%s)", partition)
                                  : arena_format(analysis->arena, "(%s, %s)", partition,
                                                 table->attributes[key.sort].name);
}

static void append_figures(const struct analysis *analysis, struct analysis_page *page)
{
    const struct export_dynamodb *design = &analysis->dynamodb;
    const struct score *score = &design->score;
    struct arena *arena = analysis->arena;
    uint32_t indexes = 0;
    for (uint32_t i = 0; i < design->count; i++) {
        indexes += design->tables[i].index_count;
    }
    const struct analysis_figure figures[] = {
        {"Coverage", arena_format(arena, "%.1f %%", score->coverage * 100),
         "queries answered by one request by key: no scan, filter, join or sort of the client's"},
        {"Requests a query", arena_format(arena, "%.2f", score->requests), "1 is the best"},
        {"Read efficiency", arena_format(arena, "%.2f", score->efficiency),
         "items returned of items read"},
        {"Tables and indexes", arena_format(arena, "%u + %u", design->count, indexes),
         arena_format(arena, "of %u tables in the source", analysis->graph.entity_count)},
        {"Duplication", arena_format(arena, "%.2f", score->duplication),
         "bytes stored, indexes included, for each byte of the source"},
        {"Items written a write", arena_format(arena, "%.2f", score->amplification),
         "indexes included; 1 where nothing is copied"},
        {"Reads before a write", arena_format(arena, "%.2f", score->reads_a_write),
         "to find the items that a write changes"},
        {"Cost", arena_format(arena, "$%.4g", score->cost),
         "a million statements, on demand in us-east-1"},
    };
    analysis_page_figures(page, figures, sizeof(figures) / sizeof(figures[0]));
}

/* ---------------------------------------------------------------- tables */

static void append_made(const struct analysis *analysis, const struct export_table *table,
                        struct analysis_page *page)
{
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        struct buffer parts = {0};
        for (uint32_t j = 0; j < attribute->part_count; j++) {
            buffer_format(&parts, "%s%s", j > 0 ? ", " : "",
                          table->attributes[attribute->parts[j]].name);
        }
        if (attribute->bucket_sql != NULL) {
            buffer_format(&parts, "%sthe shard %s", parts.length > 0 ? " and " : "",
                          attribute->bucket_sql);
        }
        if (attribute->place == GRAPH_NONE) {
            analysis_page_item(page, arena_format(analysis->arena, "%s is made of %s.",
                                                  attribute->name, buffer_string(&parts)));
        }
        buffer_free(&parts);
    }
}

static void append_copied(const struct analysis *analysis, const struct export_table *table,
                          struct analysis_page *page)
{
    const struct places *places = &analysis->dynamodb.places;
    struct buffer names = {0};
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        uint32_t place = table->attributes[i].place;
        if (place != GRAPH_NONE && places->list[place].path != table->root) {
            buffer_format(&names, "%s%s", names.length > 0 ? ", " : "", table->attributes[i].name);
        }
    }
    if (names.length > 0) {
        analysis_page_item(page,
                           arena_format(analysis->arena,
                                        "Copied from tables that its rows refer to, so that no "
                                        "second request is needed: %s. A change there has to be "
                                        "written here, too.",
                                        buffer_string(&names)));
    }
    buffer_free(&names);
}

static bool is_used(const struct access_plan *plan, const struct export_dynamodb *design,
                    const struct export_table *table, const struct export_index *index)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct export_index *found = NULL;
        if (export_table_of(design, plan->steps[i].family, &found) == table && found == index) {
            return true;
        }
    }
    return false;
}

/* "It answers “…”, “…” and 3 more." */
static const char *uses_of(const struct analysis *analysis, const struct access_plan *plans,
                           const struct export_table *table, const struct export_index *index)
{
    enum { SHOWN = 4 };
    const struct export_dynamodb *design = &analysis->dynamodb;
    struct buffer text = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < design->search.query_count; i++) {
        const struct search_query *query = &design->search.queries[i];
        if (!is_used(&plans[i], design, table, index)) {
            continue;
        }
        if (count++ < SHOWN) {
            buffer_format(
                &text, "%s“%.120s”", count > 1 ? ", " : "It answers ",
                analysis_statement_name(&analysis->workload.statements[query->statement]));
        }
    }
    if (count > SHOWN) {
        buffer_format(&text, " and %u more", count - SHOWN);
    }
    if (count == 0) {
        buffer_append_string(&text,
                             "No query needs it: it keeps the rows, so that nothing is lost");
    }
    const char *kept = arena_format(analysis->arena, "%s.", buffer_string(&text));
    buffer_free(&text);
    return kept;
}

static void append_index(const struct analysis *analysis, const struct access_plan *plans,
                         const struct export_table *table, const struct export_index *index,
                         struct analysis_page *page)
{
    struct buffer held = {0};
    for (uint32_t i = 0; i < index->projected_count; i++) {
        buffer_format(&held, "%s%s", i > 0 ? ", " : "",
                      table->attributes[index->projected[i]].name);
    }
    buffer_append_string(&held, " beside the keys");
    const char *what = index->projection == EXPORT_ALL         ? "all attributes"
                       : index->projection == EXPORT_KEYS_ONLY ? "the keys alone"
                                                               : buffer_string(&held);
    analysis_page_item(page,
                       arena_format(analysis->arena, "Index %s %s has %s.%s %s", index->name,
                                    key_text(analysis, table, index->key), what,
                                    index->sparse ? " Items without its key are not in it." : "",
                                    uses_of(analysis, plans, table, index)));
    buffer_free(&held);
}

static void append_table(const struct analysis *analysis, const struct access_plan *plans,
                         const struct export_table *table, struct analysis_page *page)
{
    analysis_page_part(page, table->name, key_text(analysis, table, table->key));
    analysis_page_item(page, uses_of(analysis, plans, table, NULL));
    analysis_page_item(page, arena_format(analysis->arena,
                                          "An item has %u attributes and about "
                                          "%.0f bytes.",
                                          table->attribute_count, table->item_bytes));
    append_made(analysis, table, page);
    append_copied(analysis, table, page);
    for (uint32_t i = 0; i < table->index_count; i++) {
        append_index(analysis, plans, table, &table->indexes[i], page);
    }
    analysis_page_end_part(page);
}

/* ---------------------------------------------------------------- queries */

/* The condition on the sort key: " and state_date begins with state". */
static void append_sort(const struct export_table *table, struct export_key key,
                        const struct family *family, const struct query *query, struct buffer *out)
{
    const struct export_attribute *sort =
        key.sort != GRAPH_NONE ? &table->attributes[key.sort] : NULL;
    uint32_t parts = sort != NULL && sort->place == GRAPH_NONE ? sort->part_count : sort != NULL;
    uint32_t given = 0;
    while (given < family->clustering_count && given < parts &&
           query_gives(query, family->clustering[given].place)) {
        given++;
    }
    bool ranged = given < parts && given < family->clustering_count &&
                  family->clustering[given].place == query->range;
    if (parts > 0 && (given > 0 || ranged)) {
        buffer_format(out, " and %s %s", sort->name,
                      ranged           ? "within bounds"
                      : given == parts ? "= ?"
                                       : "begins with what is given");
    }
    bool backwards = query->order_count > 0 && query->order[0].descending;
    buffer_append_string(out, backwards && parts > 0 ? ", backwards" : "");
}

static void append_step(const struct export_dynamodb *design, const struct access_step *step,
                        struct buffer *out)
{
    const struct export_index *index = NULL;
    const struct export_table *table = export_table_of(design, step->family, &index);
    const struct family *family = export_family(design, step->family);
    struct export_key key = index != NULL ? index->key : table->key;
    buffer_format(out, "%s %s%s%s",
                  step->scans                            ? "Scan"
                  : step->query == NULL && index == NULL ? "GetItem"
                                                         : "Query",
                  table->name, index != NULL ? ", index " : "", index != NULL ? index->name : "");
    if (!step->scans) {
        buffer_format(out, ": %s = ?", table->attributes[key.partition].name);
    }
    if (!step->scans && step->query == NULL && key.sort != GRAPH_NONE) {
        buffer_format(out, " and %s = ?", table->attributes[key.sort].name);
    } else if (!step->scans && step->query != NULL) {
        append_sort(table, key, family, step->query, out);
    }
    if (family->buckets > 1 && step->query != NULL && step->requests > 1) {
        buffer_format(out, ", for each of its shards");
    }
    buffer_append_string(out, step->limited ? ", Limit" : "");
}

static void append_query(const struct analysis *analysis, const struct search_query *query,
                         const struct access_plan *plan, struct analysis_page *page)
{
    const struct export_dynamodb *design = &analysis->dynamodb;
    const struct workload_statement *statement = &analysis->workload.statements[query->statement];
    struct buffer text = {0};
    if (plan->step_count == 0) {
        buffer_append_string(&text, "no table answers it");
    }
    for (uint32_t i = 0; i < plan->step_count; i++) {
        buffer_append_string(&text, i > 0 ? "\nthen " : "");
        append_step(design, &plan->steps[i], &text);
    }
    analysis_page_query(page, analysis_statement_name(statement),
                        analysis_plan_note(analysis, statement, plan), "", buffer_string(&text));
    buffer_free(&text);
}

void analysis_append_dynamodb(const struct analysis *analysis, struct analysis_page *page)
{
    const struct export_dynamodb *design = &analysis->dynamodb;
    const struct access_plan *plans = find_plans(analysis);
    analysis_page_section(page, "dynamodb", "DynamoDB");
    append_figures(analysis, page);
    for (uint32_t i = 0; i < design->count; i++) {
        append_table(analysis, plans, &design->tables[i], page);
    }
    if (design->note_count > 0) {
        analysis_page_paragraph(page, "To be considered:");
        analysis_page_list(page);
        for (uint32_t i = 0; i < design->note_count; i++) {
            analysis_page_item(page, design->notes[i]);
        }
        analysis_page_end_list(page);
    }
    analysis_page_paragraph(page, "The server keeps the indexes equal to their table; attributes "
                                  "copied from other tables are the application's to keep.");
    analysis_page_end_section(page);
    analysis_page_section(page, "dynamodb-queries", "Queries of DynamoDB");
    for (uint32_t i = 0; i < design->search.query_count; i++) {
        if (design->search.queries[i].statement != GRAPH_NONE) {
            append_query(analysis, &design->search.queries[i], &plans[i], page);
        }
    }
    analysis_page_end_section(page);
}
