/* The plan that fills DynamoDB's tables, and what a terminal shows of them. */
#include "design/export/export_parts.h"

#include "design/export/export_key.h"
#include "plan/propose/propose.h"
#include "plan/words/expression_names.h"
#include "plan/words/template.h"

/* ---------------------------------------------------------------- keys made of several fields */

static const struct graph_field *field_of(const struct export_dynamodb *design,
                                          const struct export_attribute *attribute)
{
    return places_field(&design->places, attribute->place);
}

static bool is_own(const struct export_dynamodb *design, const struct export_attribute *attribute)
{
    const struct places *places = &design->places;
    return places->paths[places->list[attribute->place].path].parent == GRAPH_NONE;
}

/* The name that expressions and templates call it by: the source's column, or the look-up. */
static const char *source_name(const struct export_dynamodb *design,
                               const struct export_attribute *attribute)
{
    return is_own(design, attribute) ? field_of(design, attribute)->name : attribute->name;
}

uint32_t export_key_digits(const struct export_dynamodb *design,
                           const struct export_attribute *attribute,
                           const struct export_attribute *part)
{
    return attribute->ordered ? export_key_pad(&field_of(design, part)->type) : 0;
}

bool export_part_is_escaped(const struct export_dynamodb *design, const struct export_table *table,
                            const struct export_attribute *attribute, uint32_t part)
{
    bool plain = true;
    for (uint32_t i = 0; i < attribute->part_count; i++) {
        plain =
            plain && export_key_is_plain(field_of(design, &table->attributes[attribute->parts[i]]));
    }
    return plain && part + 1 < attribute->part_count &&
           export_key_needs_escapes(field_of(design, &table->attributes[attribute->parts[part]]));
}

void export_append_template(const struct export_dynamodb *design, const struct export_table *table,
                            const struct export_attribute *attribute, struct buffer *out)
{
    for (uint32_t i = 0; i < attribute->part_count; i++) {
        const struct export_attribute *part = &table->attributes[attribute->parts[i]];
        uint32_t pad = export_key_digits(design, attribute, part);
        buffer_format(out, "%s{%s", i > 0 ? "#" : "",
                      template_quote_name(design->arena, source_name(design, part)));
        if (pad > 0) {
            buffer_format(out, ":0%u", pad);
        }
        buffer_append_byte(out, '}');
    }
    if (attribute->bucket_sql != NULL) {
        buffer_format(out, "%s{shard}", attribute->part_count > 0 ? "#" : "");
    }
}

/* A time that the source keeps as text, with a blank where ISO 8601 has a T. */
static bool is_text_of_time(const struct export_dynamodb *design,
                            const struct export_attribute *attribute)
{
    const struct graph_field *field = field_of(design, attribute);
    return field->type.kind == VALUE_TIMESTAMP && field->column->type.kind == VALUE_TEXT;
}

static bool needs_sql(const struct export_dynamodb *design, const struct export_table *table,
                      const struct export_attribute *attribute)
{
    bool needs = attribute->bucket_sql != NULL;
    for (uint32_t i = 0; i < attribute->part_count; i++) {
        needs = needs || is_text_of_time(design, &table->attributes[attribute->parts[i]]) ||
                export_part_is_escaped(design, table, attribute, i);
    }
    return needs;
}

/* As an expression, where a template cannot say it: of a shard, of times, of texts that may hold
 * what separates them. */
static void append_sql(const struct export_dynamodb *design, const struct export_table *table,
                       const struct export_attribute *attribute, struct buffer *out)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < attribute->part_count; i++) {
        const struct export_attribute *part = &table->attributes[attribute->parts[i]];
        buffer_append_string(&sql, i > 0 ? " || '#' || " : "");
        export_key_append_sql(source_name(design, part), field_of(design, part),
                              export_key_digits(design, attribute, part),
                              export_part_is_escaped(design, table, attribute, i), &sql);
    }
    if (attribute->bucket_sql != NULL) {
        buffer_format(&sql, attribute->part_count > 0 ? " || '#' || (%s)" : "%s",
                      attribute->bucket_sql);
    }
    buffer_append_string(out, ": { sql: ");
    propose_append_quoted(out, buffer_string(&sql));
    buffer_format(out, ", cast: %s }\n", attribute->type[0] == 'N' ? "int64" : "text");
    buffer_free(&sql);
}

/* ---------------------------------------------------------------- fields */

static void append_made(const struct export_dynamodb *design, const struct export_table *table,
                        const struct export_attribute *attribute, struct buffer *out)
{
    if (needs_sql(design, table, attribute)) {
        append_sql(design, table, attribute, out);
        return;
    }
    struct buffer text = {0};
    export_append_template(design, table, attribute, &text);
    buffer_append_string(out, ": ");
    propose_append_quoted(out, buffer_string(&text));
    buffer_append_byte(out, '\n');
    buffer_free(&text);
}

static void append_field(const struct export_dynamodb *design, const struct export_table *table,
                         const struct export_attribute *attribute, struct buffer *out)
{
    buffer_append_string(out, "      ");
    propose_append_quoted(out, attribute->name);
    if (attribute->place == GRAPH_NONE) {
        append_made(design, table, attribute, out);
        return;
    }
    buffer_append_string(out, ": { ");
    layout_append_lookup(&design->places, design->places.list[attribute->place].path, out);
    layout_append_column(field_of(design, attribute), out);
    buffer_append_string(out, " }\n");
}

/* ---------------------------------------------------------------- tables */

static void append_key(const struct export_table *table, struct export_key key, struct buffer *out)
{
    buffer_append_string(out, "{ partition: ");
    propose_append_quoted(out, table->attributes[key.partition].name);
    if (key.sort != GRAPH_NONE) {
        buffer_append_string(out, ", sort: ");
        propose_append_quoted(out, table->attributes[key.sort].name);
    }
}

static void append_index(const struct export_table *table, const struct export_index *index,
                         struct buffer *out)
{
    buffer_append_string(out, "      ");
    propose_append_quoted(out, index->name);
    buffer_append_string(out, ": ");
    append_key(table, index->key, out);
    if (index->projection != EXPORT_ALL && index->projected_count == 0) {
        buffer_append_string(out, ", projection: keys");
    } else if (index->projection != EXPORT_ALL) {
        buffer_append_string(out, ", projection: [");
        for (uint32_t i = 0; i < index->projected_count; i++) {
            buffer_append_string(out, i > 0 ? ", " : "");
            propose_append_quoted(out, table->attributes[index->projected[i]].name);
        }
        buffer_append_byte(out, ']');
    }
    buffer_append_string(out, index->sparse ? " } # rows without its key are not in it\n" : " }\n");
}

/* Rows that have no value for the key of a table that is a copy. */
static void append_condition(const struct export_dynamodb *design, const struct export_table *table,
                             struct buffer *out)
{
    struct buffer condition = {0};
    const struct place_set optional =
        table->is_copy ? export_family(design, table->family)->optional : (struct place_set){0};
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        if (attribute->place != GRAPH_NONE && place_set_holds(optional, attribute->place)) {
            buffer_append_string(&condition, condition.length > 0 ? " AND " : "");
            expression_append_quoted(&condition, source_name(design, attribute));
            buffer_append_string(&condition, " IS NOT NULL");
        }
    }
    if (condition.length > 0) {
        buffer_append_string(out, "    where: ");
        propose_append_quoted(out, buffer_string(&condition));
        buffer_append_byte(out, '\n');
    }
    buffer_free(&condition);
}

static void append_table(const struct export_dynamodb *design, const struct export_table *table,
                         struct buffer *out)
{
    buffer_append_string(out, "  ");
    propose_append_quoted(out, table->name);
    buffer_append_string(out, ":\n    key: ");
    append_key(table, table->key, out);
    buffer_append_string(out, " }\n");
    for (uint32_t i = 0; i < table->index_count; i++) {
        buffer_append_string(out, i == 0 ? "    indexes:\n" : "");
        append_index(table, &table->indexes[i], out);
    }
    buffer_append_string(out, "    billing: on_demand\n    from: ");
    propose_append_quoted(out, design->places.graph->entities[table->root].name);
    buffer_append_byte(out, '\n');
    append_condition(design, table, out);
    buffer_append_string(out, "    fields:\n");
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        append_field(design, table, &table->attributes[i], out);
    }
}

void export_dynamodb_append_plan(const struct export_dynamodb *design, const char *source,
                                 const char *target, struct buffer *out)
{
    layout_append_head(design->places.graph, source, target, out);
    buffer_append_string(out, design->count > 0 ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < design->count; i++) {
        append_table(design, &design->tables[i], out);
    }
}

/* ---------------------------------------------------------------- a terminal */

static void append_shown_key(const struct export_table *table, struct export_key key,
                             struct buffer *out)
{
    buffer_format(out, "(%s", table->attributes[key.partition].name);
    if (key.sort != GRAPH_NONE) {
        buffer_format(out, ", %s", table->attributes[key.sort].name);
    }
    buffer_append_byte(out, ')');
}

static void append_queries(const struct export_dynamodb *design, struct buffer *out)
{
    buffer_append_string(out, "queries\n");
    for (uint32_t i = 0; i < design->search.query_count; i++) {
        const struct search_query *query = &design->search.queries[i];
        struct access_plan plan;
        if (query->statement == GRAPH_NONE) {
            continue;
        }
        const struct workload_statement *statement =
            &design->search.workload->statements[query->statement];
        buffer_format(out, "  %s:", statement->name != NULL ? statement->name : statement->text);
        if (!access_explain(&design->pool, &query->query, design->result.chosen, &plan)) {
            buffer_append_string(out, " no plan\n");
            continue;
        }
        for (uint32_t j = 0; j < plan.step_count; j++) {
            const struct export_index *index;
            const struct export_table *table =
                export_table_of(design, plan.steps[j].family, &index);
            buffer_format(out, "%s %s%s%s", j > 0 ? ", then" : "", table->name,
                          index != NULL ? "." : "", index != NULL ? index->name : "");
            buffer_append_string(out, plan.steps[j].scans ? " (a scan)" : "");
        }
        buffer_append_byte(out, '\n');
    }
}

void export_dynamodb_append_summary(const struct export_dynamodb *design, struct buffer *out)
{
    buffer_format(out, "DynamoDB: %u tables\n", design->count);
    for (uint32_t i = 0; i < design->count; i++) {
        const struct export_table *table = &design->tables[i];
        buffer_format(out, "  %s ", table->name);
        append_shown_key(table, table->key, out);
        buffer_format(out, "  %u attributes\n", table->attribute_count);
        for (uint32_t j = 0; j < table->index_count; j++) {
            buffer_format(out, "    %s ", table->indexes[j].name);
            append_shown_key(table, table->indexes[j].key, out);
            buffer_append_string(out, table->indexes[j].sparse ? "  sparse\n" : "\n");
        }
    }
    append_queries(design, out);
    for (uint32_t i = 0; i < design->note_count; i++) {
        buffer_format(out, "note: %s\n", design->notes[i]);
    }
    buffer_format(out,
                  "answered by keys alone %.1f %%, %.2f requests a query, $%.4g a million "
                  "statements\n",
                  design->score.coverage * 100, design->score.requests, design->score.cost);
}
