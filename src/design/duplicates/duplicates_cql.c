/* The statements that keep duplicates equal, in CQL. */
#include "design/duplicates/duplicates_parts.h"

#include "observe/report_parts.h"
#include <string.h>

static uint32_t key_count(const struct layout_table *table)
{
    return table->partition_count + table->clustering_count;
}

/* ---------------------------------------------------------------- views */

static bool is_viewable(const struct layout *layout, const struct layout_table *origin,
                        const struct layout_table *table)
{
    const struct family *family = layout_family(layout, table);
    const struct family *base = layout_family(layout, origin);
    const struct places *places = layout->search->pool->places;
    uint32_t more = 0;
    bool possible = origin != table && base->root == family->root && table->bucket_sql == NULL &&
                    origin->bucket_sql == NULL && family->statics.count == 0 &&
                    base->statics.count == 0 && place_set_is_within(base->key, family->key);
    for (uint32_t i = 0; i < family->fields.count && possible; i++) {
        possible = places->list[family->fields.at[i]].path == family->root &&
                   place_set_holds(base->fields, family->fields.at[i]);
    }
    for (uint32_t i = 0; i < family->key.count; i++) {
        more += !place_set_holds(base->key, family->key.at[i]);
    }
    return possible && more <= 1;
}

static void append_columns(const struct layout_table *table, struct buffer *out)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        layout_append_name(table->columns[i].name, out);
    }
}

static void append_key(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "PRIMARY KEY ((");
    for (uint32_t i = 0; i < key_count(table); i++) {
        buffer_append_string(out, i == 0 ? "" : i == table->partition_count ? "), " : ", ");
        layout_append_name(table->columns[i].name, out);
    }
    buffer_append_string(out, table->clustering_count == 0 ? "))" : ")");
}

static void append_order(const struct layout_table *table, struct buffer *out)
{
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        buffer_append_string(out, i == 0 ? "\n    WITH CLUSTERING ORDER BY (" : ", ");
        layout_append_name(column->name, out);
        buffer_append_string(out, column->descending ? " DESC" : " ASC");
    }
    buffer_append_string(out, table->clustering_count > 0 ? ");\n" : ";\n");
}

bool duplicates_append_view(const struct layout *layout, const struct layout_table *origin,
                            const struct layout_table *table, struct buffer *out)
{
    if (!is_viewable(layout, origin, table)) {
        return false;
    }
    buffer_append_string(out, "CREATE MATERIALIZED VIEW ");
    layout_append_name(table->name, out);
    buffer_append_string(out, " AS\n    SELECT ");
    append_columns(table, out);
    buffer_append_string(out, "\n    FROM ");
    layout_append_name(origin->name, out);
    for (uint32_t i = 0; i < key_count(table); i++) {
        buffer_append_string(out, i == 0 ? "\n    WHERE " : " AND ");
        layout_append_name(table->columns[i].name, out);
        buffer_append_string(out, " IS NOT NULL");
    }
    buffer_append_string(out, "\n    ");
    append_key(table, out);
    append_order(table, out);
    return true;
}

/* ---------------------------------------------------------------- batches */

/* Rows without a part of the key are not in the table. */
static void append_condition(const struct layout *layout, const struct layout_table *table,
                             struct buffer *out)
{
    const struct family *family = layout_family(layout, table);
    for (uint32_t i = 0; i < family->optional.count; i++) {
        buffer_append_string(out, i == 0 ? "  -- if " : " and ");
        layout_append_name(layout_column_of(table, family->optional.at[i]), out);
        buffer_append_string(out, " is not null");
    }
    buffer_append_string(out, family->optional.count > 0 ? ":\n" : "");
}

static void append_insert(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "  INSERT INTO ");
    layout_append_name(table->name, out);
    buffer_append_string(out, " (");
    append_columns(table, out);
    buffer_append_string(out, ") VALUES (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", ?" : "?");
    }
    buffer_append_string(out, ");\n");
}

static void append_where(const struct layout_table *table, struct buffer *out)
{
    for (uint32_t i = 0; i < key_count(table); i++) {
        buffer_append_string(out, i == 0 ? " WHERE " : " AND ");
        layout_append_name(table->columns[i].name, out);
        buffer_append_string(out, " = ?");
    }
    buffer_append_string(out, ";\n");
}

static void append_delete(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "  DELETE FROM ");
    layout_append_name(table->name, out);
    append_where(table, out);
}

static bool is_own_value(const struct layout *layout, const struct layout_table *table,
                         const struct layout_column *column)
{
    const struct places *places = layout->search->pool->places;
    return column->role == LAYOUT_VALUE &&
           places->list[column->place].path == layout_family(layout, table)->root;
}

static void append_update(const struct layout *layout, const struct layout_table *table,
                          struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!is_own_value(layout, table, &table->columns[i])) {
            continue;
        }
        buffer_append_string(out, any ? ", " : "  UPDATE ");
        if (!any) {
            layout_append_name(table->name, out);
            buffer_append_string(out, " SET ");
        }
        layout_append_name(table->columns[i].name, out);
        buffer_append_string(out, " = ?");
        any = true;
    }
    if (any) {
        append_where(table, out);
    }
}

/* ---------------------------------------------------------------- the page */

enum batch_kind { BATCH_INSERT, BATCH_UPDATE, BATCH_DELETE };

static const struct duplicate *first_of(const struct duplicates *duplicates,
                                        const struct layout_table *table)
{
    uint32_t root = layout_family(duplicates->layout, table)->root;
    const struct places *places = duplicates->layout->search->pool->places;
    for (uint32_t i = 0; i < duplicates->count; i++) {
        const struct duplicate *duplicate = &duplicates->list[i];
        if (duplicate->table == table && places->list[duplicate->column->place].path == root) {
            return duplicate;
        }
    }
    return NULL;
}

static bool is_view(const struct duplicates *duplicates, const struct layout_table *table)
{
    const struct duplicate *duplicate = first_of(duplicates, table);
    return duplicate != NULL && duplicate->strategy == DUPLICATE_VIEW;
}

static void append_batch(const struct duplicates *duplicates, uint32_t root, enum batch_kind batch,
                         struct buffer *out)
{
    const struct layout *layout = duplicates->layout;
    buffer_append_string(out, "BEGIN BATCH\n");
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_table *table = &layout->tables[i];
        if (layout_family(layout, table)->root != root || is_view(duplicates, table)) {
            continue;
        }
        append_condition(layout, table, out);
        if (batch == BATCH_INSERT) {
            append_insert(table, out);
        } else if (batch == BATCH_UPDATE) {
            append_update(layout, table, out);
        } else {
            append_delete(table, out);
        }
    }
    buffer_append_string(out, "APPLY BATCH;\n");
}

static void append_views(const struct duplicates *duplicates, uint32_t root, struct buffer *out)
{
    const struct layout *layout = duplicates->layout;
    const struct layout_table *home = duplicates_home(layout, root);
    for (uint32_t i = 0; i < layout->count && home != NULL; i++) {
        const struct layout_table *table = &layout->tables[i];
        struct buffer view = {0};
        if (table != home && duplicates_append_view(layout, home, table, &view)) {
            buffer_format(out, "\n%s\n\n```sql\n%s```\n",
                          is_view(duplicates, table)
                              ? "The view, in place of the table of that name:"
                              : "The same as a view, where the server has them switched on "
                                "(`materialized_views_enabled`):",
                          buffer_string(&view));
        }
        buffer_free(&view);
    }
}

/* A change of a field that other entities' tables hold: find the rows, then change them. */
static void append_copies(const struct duplicates *duplicates, uint32_t root, struct buffer *out)
{
    const struct places *places = duplicates->layout->search->pool->places;
    for (uint32_t i = 0; i < duplicates->count; i++) {
        const struct duplicate *duplicate = &duplicates->list[i];
        const struct place at = places->list[duplicate->column->place];
        bool changes =
            duplicate->strategy == DUPLICATE_BATCH || duplicate->strategy == DUPLICATE_STREAM;
        bool plain =
            duplicate->column->role == LAYOUT_VALUE || duplicate->column->role == LAYOUT_STATIC;
        if (layout_family(duplicates->layout, duplicate->table)->root != root || at.path == root ||
            !changes) {
            continue;
        }
        buffer_append_string(out, "\nAfter a change of ");
        report_markdown(out, places_entity(places, at.path)->name);
        buffer_append_byte(out, '.');
        report_markdown(out, places_field(places, duplicate->column->place)->name);
        buffer_format(out, ", for each row that has it (%s):\n\n```sql\n",
                      duplicate_strategy_name(duplicate->strategy));
        if (!plain) {
            append_delete(duplicate->table, out);
            append_insert(duplicate->table, out);
        } else {
            buffer_append_string(out, "  UPDATE ");
            layout_append_name(duplicate->table->name, out);
            buffer_append_string(out, " SET ");
            layout_append_name(duplicate->column->name, out);
            buffer_append_string(out, " = ?");
            append_where(duplicate->table, out);
        }
        buffer_append_string(out, "```\n");
    }
}

static void append_rows(const struct duplicates *duplicates, uint32_t root, struct buffer *out)
{
    buffer_append_string(out,
                         "| table | columns | from | kept by | why |\n|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < duplicates->count;) {
        const struct duplicate *first = &duplicates->list[i];
        bool wanted = layout_family(duplicates->layout, first->table)->root == root;
        if (wanted) {
            buffer_format(out, "| %s | %s", first->table->name, first->column->name);
        }
        for (i++; i < duplicates->count && duplicates->list[i].table == first->table &&
                  duplicates->list[i].origin == first->origin &&
                  duplicates->list[i].strategy == first->strategy &&
                  strcmp(duplicates->list[i].why, first->why) == 0;
             i++) {
            if (wanted) {
                buffer_format(out, ", %s", duplicates->list[i].column->name);
            }
        }
        if (wanted) {
            buffer_format(out, " | %s | %s | ", first->origin != NULL ? first->origin->name : "",
                          duplicate_strategy_name(first->strategy));
            report_markdown(out, first->why);
            buffer_append_string(out, " |\n");
        }
    }
}

static bool has_any(const struct duplicates *duplicates, uint32_t root)
{
    for (uint32_t i = 0; i < duplicates->count; i++) {
        if (layout_family(duplicates->layout, duplicates->list[i].table)->root == root) {
            return true;
        }
    }
    return false;
}

static void append_root(const struct duplicates *duplicates, uint32_t root, struct buffer *out)
{
    static const char *const titles[] = {"A new row", "A change", "A deletion"};
    const struct graph *graph = duplicates->layout->search->pool->places->graph;
    buffer_append_string(out, "\n## ");
    report_markdown(out, graph->entities[root].name);
    buffer_append_string(out, "\n\n");
    append_rows(duplicates, root, out);
    for (enum batch_kind batch = BATCH_INSERT; batch <= BATCH_DELETE; batch++) {
        buffer_format(out, "\n%s:\n\n```sql\n", titles[batch]);
        append_batch(duplicates, root, batch, out);
        buffer_append_string(out, "```\n");
    }
    append_views(duplicates, root, out);
    append_copies(duplicates, root, out);
}

void duplicates_append(const struct duplicates *duplicates, struct buffer *out)
{
    const struct graph *graph = duplicates->layout->search->pool->places->graph;
    buffer_append_string(
        out,
        "# Duplicates\n\n"
        "What several tables hold, and how it is kept equal. A logged batch is atomic: all of its "
        "statements happen, or none; readers may see some before the others. If a column in a "
        "key changes, delete the old row and insert the new one in the same batch.\n");
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        if (has_any(duplicates, i)) {
            append_root(duplicates, i, out);
        }
    }
    if (duplicates->count == 0) {
        buffer_append_string(out, "\nNothing is stored twice.\n");
    }
}
