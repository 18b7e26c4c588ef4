/* Reasons in sentences, and the scorecard as texts. */
#include "design/analysis/analysis_reasons.h"

#include <string.h>

void analysis_append_key(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "((");
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        buffer_format(out, "%s%s%s",
                      i == 0                        ? ""
                      : i == table->partition_count ? "), "
                                                    : ", ",
                      table->columns[i].name, table->columns[i].descending ? " desc" : "");
    }
    buffer_append_string(out, table->clustering_count == 0 ? "))" : ")");
}

/* ---------------------------------------------------------------- reasons */

static bool serves(const struct analysis_query *query, uint32_t family, bool *first)
{
    for (uint32_t i = 0; i < query->plan.step_count && query->is_answered; i++) {
        if (query->plan.steps[i].family == family) {
            *first = i == 0;
            return true;
        }
    }
    return false;
}

static void tell_queries(const struct analysis *analysis, const struct layout_table *table,
                         struct analysis_page *page)
{
    enum { SHOWN = 4 };
    struct buffer text = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        bool first = false;
        if (!serves(&analysis->queries[i], table->family, &first)) {
            continue;
        }
        if (count < SHOWN) {
            buffer_format(&text, "%s“%.120s”%s", count > 0 ? ", " : "It answers ",
                          analysis_query_name(&analysis->queries[i]),
                          first ? "" : " (what another table's rows refer to)");
        }
        count++;
    }
    if (count > SHOWN) {
        buffer_format(&text, " and %u more", count - SHOWN);
    }
    if (count == 0) {
        buffer_append_string(&text,
                             "No query needs it: it keeps the rows, so that nothing is lost");
    }
    buffer_append_byte(&text, '.');
    analysis_page_item(page, buffer_string(&text));
    buffer_free(&text);
}

static void tell_copies(const struct analysis *analysis, const struct layout_table *table,
                        struct analysis_page *page)
{
    const struct places *places = &analysis->places;
    const struct family *family = layout_family(&analysis->layout, table);
    struct buffer text = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t place = table->columns[i].place;
        if (place != GRAPH_NONE && places->list[place].path != family->root) {
            buffer_format(&text, "%s%s", count > 0 ? ", " : "", table->columns[i].name);
            count++;
        }
    }
    if (count > 0) {
        buffer_format(&text,
                      " %s copied from tables that its rows refer to, so that no second request is "
                      "needed%s.",
                      count == 1 ? "is" : "are",
                      family->statics.count > 0 ? "; what is the same for a whole partition is "
                                                  "static, and kept once"
                                                : "");
        analysis_page_item(page, buffer_string(&text));
    }
    buffer_free(&text);
}

static void tell_partitions(const struct layout_table *table, const struct family *family,
                            struct analysis_page *page)
{
    struct buffer text = {0};
    if (table->bucket_sql != NULL && family->buckets > 1) {
        buffer_format(
            &text,
            "The largest partition would have about %.0f rows, so each is cut by bucket = "
            "%s, into up to %u of about %.0f rows at most; a query asks for the buckets that it "
            "needs.",
            family->partition_rows_max, table->bucket_sql, family->buckets,
            family->bucket_rows_max);
    } else if (table->bucket_sql != NULL) {
        buffer_append_string(&text, "It is listed as a whole, so all rows share one partition, "
                                    "bucket 0.");
    } else if (family->partition_rows_max <= 1) {
        buffer_append_string(&text, "Each row is a partition of its own.");
    } else {
        buffer_format(&text, "A partition has %.3g rows on average, and %.0f at most.",
                      family->partition_rows, family->partition_rows_max);
    }
    analysis_page_item(page, buffer_string(&text));
    buffer_free(&text);
}

void analysis_reasons(const struct analysis *analysis, const struct layout_table *table,
                      struct analysis_page *page)
{
    const struct family *family = layout_family(&analysis->layout, table);
    tell_queries(analysis, table, page);
    tell_partitions(table, family, page);
    tell_copies(analysis, table, page);
    for (uint32_t i = 0; i < family->optional.count; i++) {
        struct buffer text = {0};
        buffer_format(&text, "Rows without %s are not in it.",
                      layout_column_of(table, family->optional.at[i]));
        analysis_page_item(page, buffer_string(&text));
        buffer_free(&text);
    }
}

/* ---------------------------------------------------------------- the scorecard */

void analysis_figures(const struct analysis *analysis,
                      struct analysis_figure figures[ANALYSIS_FIGURES])
{
    const struct score *score = &analysis->score;
    struct arena *arena = analysis->arena;
    const struct analysis_figure all[ANALYSIS_FIGURES] = {
        {"Coverage", arena_format(arena, "%.1f %%", score->coverage * 100),
         "queries answered by one request by key: no scan, filter, join or sort of the client's"},
        {"Requests a query", arena_format(arena, "%.2f", score->requests), "1 is the best"},
        {"Read efficiency", arena_format(arena, "%.2f", score->efficiency),
         "rows returned of rows read"},
        {"Partitions beyond bounds", arena_format(arena, "%u", score->unbounded),
         "tables with a partition above 100,000 cells or 100 MB"},
        {"Largest partition", arena_format(arena, "%.0f rows", score->partition_rows_max),
         "buckets counted"},
        {"Skew", arena_format(arena, "%.1f", score->skew),
         "the largest partition over the mean, of the worst table"},
        {"Tables", arena_format(arena, "%u", analysis->layout.count),
         arena_format(arena, "of %u in the source", analysis->graph.entity_count)},
        {"Duplication", arena_format(arena, "%.2f", score->duplication),
         "bytes stored for each byte of the source"},
        {"Rows written a write", arena_format(arena, "%.2f", score->amplification),
         "1 where nothing is copied"},
        {"Reads before a write", arena_format(arena, "%.2f", score->reads_a_write),
         "to find the rows that a write changes"},
        {"Not served", arena_format(arena, "%u", score->unserved),
         "statements that no key answers"},
        {"Cost", arena_format(arena, "%.4g", score->cost),
         "a statement, in units of the cost model; for comparing designs"},
    };
    memcpy(figures, all, sizeof(all));
}
