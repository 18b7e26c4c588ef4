/* CQL of a layout. */
#include "design/layout/layout.h"

#include "base/text.h"
#include "connectors/common/registry.h"
#include <string.h>

/* CQL's reserved words (doc/cql3, appendix A), between blanks. */
static const char reserved[] =
    " add allow alter and apply asc authorize batch begin by columnfamily create default delete "
    "desc describe drop entries execute from full grant if in index infinity insert into is "
    "keyspace limit materialized mbean mbeans modify nan norecursive not null of on or order "
    "primary rename replace revoke schema select set table to token truncate unlogged unset update "
    "use using view where with ";

static bool is_plain(const char *name)
{
    char word[64];
    size_t length = strlen(name);
    if (name[0] < 'a' || name[0] > 'z' || length + 3 > sizeof(word) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length) {
        return false;
    }
    word[0] = ' ';
    memcpy(word + 1, name, length);
    memcpy(word + 1 + length, " ", 2);
    return strstr(reserved, word) == NULL;
}

void layout_append_name(const char *name, struct buffer *out)
{
    if (is_plain(name)) {
        buffer_append_string(out, name);
        return;
    }
    buffer_append_byte(out, '"');
    for (; *name != '\0'; name++) {
        buffer_append_string(out, *name == '"' ? "\"" : "");
        buffer_append_byte(out, *name);
    }
    buffer_append_byte(out, '"');
}

static void append_table(const char *keyspace, const char *name, struct buffer *out)
{
    if (keyspace != NULL) {
        layout_append_name(keyspace, out);
        buffer_append_byte(out, '.');
    }
    layout_append_name(name, out);
}

/* ---------------------------------------------------------------- types */

void layout_append_type(const struct layout *layout, const struct layout_table *table,
                        const struct layout_column *column, struct buffer *out)
{
    if (column->place == GRAPH_NONE) {
        bool time = layout_family(layout, table)->bucket == FAMILY_BUCKET_TIME;
        buffer_append_string(out, time ? "text" : "bigint");
        return;
    }
    const struct connector *cassandra = registry_find("cassandra");
    const struct database target = {.connector = cassandra};
    struct value_type plain = places_field(layout->search->pool->places, column->place)->type;
    struct value_type made = {0};
    plain.native = NULL; /* of the source, which is another database */
    cassandra->catalog->made_type(&target, &plain, layout->arena, &made);
    bool in_key = column->role == LAYOUT_PARTITION || column->role == LAYOUT_CLUSTERING;
    bool nested = made.kind == VALUE_LIST || made.kind == VALUE_SET || made.kind == VALUE_MAP;
    const char *name = made.native != NULL ? made.native : "text";
    buffer_format(out, in_key && nested ? "frozen<%s>" : "%s", name);
}

/* ---------------------------------------------------------------- tables */

static void append_columns(const struct layout *layout, const struct layout_table *table,
                           struct buffer *out)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, "    ");
        layout_append_name(table->columns[i].name, out);
        buffer_append_byte(out, ' ');
        layout_append_type(layout, table, &table->columns[i], out);
        buffer_append_string(out, table->columns[i].role == LAYOUT_STATIC ? " static,\n" : ",\n");
    }
}

static void append_key(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "    PRIMARY KEY ((");
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        buffer_append_string(out, i == 0 ? "" : i == table->partition_count ? "), " : ", ");
        layout_append_name(table->columns[i].name, out);
    }
    buffer_append_string(out, table->clustering_count == 0 ? "))\n)" : ")\n)");
}

static void append_order(const struct layout_table *table, struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        any = any || table->columns[table->partition_count + i].descending;
    }
    if (!any) {
        return;
    }
    buffer_append_string(out, " WITH CLUSTERING ORDER BY (");
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        buffer_append_string(out, i > 0 ? ", " : "");
        layout_append_name(column->name, out);
        buffer_append_string(out, column->descending ? " DESC" : " ASC");
    }
    buffer_append_byte(out, ')');
}

/* A name of the source may hold a line break, behind which a comment has ended. */
static void append_comment(const char *text, struct arena *arena, struct buffer *out)
{
    char *line = arena_copy_string(arena, text);
    text_clean_line(line);
    buffer_append_string(out, line);
}

static void append_figures(const struct layout *layout, const struct layout_table *table,
                           struct buffer *out)
{
    const struct family *family = layout_family(layout, table);
    const struct graph *graph = layout->search->pool->places->graph;
    buffer_append_string(out, "-- one row for each row of ");
    append_comment(graph->entities[family->root].name, layout->arena, out);
    buffer_format(out, ": about %.0f, %.0f a partition (at most %.0f)\n", family->rows,
                  family->partition_rows, family->partition_rows_max);
    if (family->buckets > 1) {
        buffer_format(out,
                      "-- cut into up to %u buckets of about %.0f rows at most, for bounds of "
                      "100,000 cells and 100 MB: bucket = ",
                      family->buckets, family->bucket_rows_max);
        append_comment(table->bucket_sql, layout->arena, out);
        buffer_append_byte(out, '\n');
    }
    for (uint32_t i = 0; i < family->optional.count; i++) {
        buffer_format(out, "-- rows without %s are not in it\n",
                      layout_column_of(table, family->optional.at[i]));
    }
}

void layout_append_cql(const struct layout *layout, const char *keyspace, struct buffer *out)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_table *table = &layout->tables[i];
        buffer_append_string(out, i > 0 ? "\n" : "");
        append_figures(layout, table, out);
        buffer_append_string(out, "CREATE TABLE IF NOT EXISTS ");
        append_table(keyspace, table->name, out);
        buffer_append_string(out, " (\n");
        append_columns(layout, table, out);
        append_key(table, out);
        append_order(table, out);
        buffer_append_string(out, ";\n");
    }
}

/* ---------------------------------------------------------------- queries */

static bool is_in(const struct query *query, uint32_t place)
{
    for (uint32_t i = 0; i < query->in_count; i++) {
        if (query->in[i].place == place) {
            return true;
        }
    }
    return false;
}

static void append_test(const char *name, const char *test, bool *any, struct buffer *out)
{
    buffer_append_string(out, *any ? " AND " : " WHERE ");
    layout_append_name(name, out);
    buffer_append_string(out, test);
    *any = true;
}

static void append_bound(const char *name, const char *test, bool *any, struct buffer *out)
{
    if (test != NULL) {
        append_test(name, " ", any, out);
        buffer_format(out, "%s ?", test);
    }
}

/* `query` NULL: the whole key is given. */
static void append_where(const struct layout_table *table, const struct query *query,
                         struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[i];
        if (query == NULL || column->place == GRAPH_NONE ||
            place_set_holds(query->equal, column->place)) {
            append_test(column->name, " = ?", &any, out);
        } else if (is_in(query, column->place)) {
            append_test(column->name, " IN ?", &any, out);
        } else {
            if (query->range == column->place) {
                append_bound(column->name, query_low_test(query), &any, out);
                append_bound(column->name, query_high_test(query), &any, out);
            }
            return;
        }
    }
}

static void append_wanted(const struct layout *layout, const struct layout_table *table,
                          const struct query *query, struct buffer *out)
{
    const struct family *family = layout_family(layout, table);
    bool any = false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t place = table->columns[i].place;
        bool wanted =
            place != GRAPH_NONE &&
            (query == NULL || place_set_holds(query->fields, place) ||
             place_set_holds(query->filters, place) || place_set_holds(family->key, place));
        if (wanted) {
            buffer_append_string(out, any ? ", " : "");
            layout_append_name(table->columns[i].name, out);
            any = true;
        }
    }
}

static bool is_reversed(const struct layout_table *table, const struct query *query,
                        const struct layout_column **first)
{
    for (uint32_t i = 0; i < table->clustering_count && query->order_count > 0; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        if (column->place == query->order[0].place) {
            *first = column;
            return column->descending != query->order[0].descending;
        }
    }
    return false;
}

void layout_append_select(const struct layout *layout, const struct query *query,
                          const struct access_step *step, struct buffer *out)
{
    const struct layout_table *table = layout_table_of(layout, step->family);
    const struct layout_column *first = NULL;
    buffer_append_string(out, "SELECT ");
    append_wanted(layout, table, query, out);
    buffer_append_string(out, " FROM ");
    append_table(NULL, table->name, out);
    if (!step->scans) {
        append_where(table, query, out);
    }
    if (query != NULL && !step->scans && is_reversed(table, query, &first)) {
        buffer_append_string(out, " ORDER BY ");
        layout_append_name(first->name, out);
        buffer_append_string(out, first->descending ? " ASC" : " DESC");
    }
    if (query != NULL && step->limited) {
        buffer_format(out, " LIMIT %.0f", query->limit);
    }
}
