/* Names and what they stand for: columns, look-ups, aggregates; templates and expressions over
 * them. */
#include "plan/resolve/resolve.h"
#include "plan/words/template.h"
#include <string.h>

bool scope_has_value(const struct scope *scope, const char *name, struct scope_value *value)
{
    for (; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->values.count; i++) {
            const struct scope_value *known = scope->values.items[i];
            if (strcmp(known->name, name) == 0) {
                *value = *known;
                return true;
            }
        }
    }
    return false;
}

uint32_t stream_document_slot(struct resolver *resolver, struct stream_builder *stream,
                              const char *name)
{
    for (uint32_t i = 0; i < stream->slots.count; i++) {
        const struct mapping_slot *known = stream->slots.items[i];
        if (known->name != NULL && strcmp(known->name, name) == 0) {
            return i;
        }
    }
    struct mapping_slot *slot = resolve_add(resolver, &stream->slots, sizeof *slot);
    slot->name = name;
    return stream->slots.count - 1;
}

/* The same of what was looked up for it: column `column` of the stream's request. */
static uint32_t stream_joined_slot(struct resolver *resolver, struct stream_builder *stream,
                                   uint32_t column)
{
    for (uint32_t i = 0; i < stream->slots.count; i++) {
        const struct mapping_slot *known = stream->slots.items[i];
        if (known->name == NULL && known->cell == column + 1) {
            return i;
        }
    }
    struct mapping_slot *slot = resolve_add(resolver, &stream->slots, sizeof *slot);
    slot->cell = column + 1; /* the document is the first */
    return stream->slots.count - 1;
}

/* Where a column or field is in the row that the mapper sees. */
static uint32_t place_column(struct resolver *resolver, const struct scope *scope, const char *name)
{
    if (scope->documents && scope->join < 0) {
        return stream_document_slot(resolver, scope->stream, name);
    }
    uint32_t column = request_column(resolver, scope->request, scope->join, name, false);
    return scope->documents && scope->request == &scope->stream->request
               ? stream_joined_slot(resolver, scope->stream, column)
               : column;
}

/* ---- columns of wide tables */

enum { WIDE_COLUMNS_MIN = 64 };

struct wide_table {
    const struct schema_table *table;
    struct name_index names;
};

/* NULL: its columns are quickly looked through. */
static const struct wide_table *wide_table(struct resolver *resolver,
                                           const struct schema_table *table)
{
    for (uint32_t i = resolver->wide_tables.count; i > 0; i--) {
        const struct wide_table *known = resolver->wide_tables.items[i - 1];
        if (known->table == table) {
            return known;
        }
    }
    if (table->column_count < WIDE_COLUMNS_MIN) {
        return NULL;
    }
    struct wide_table *made = resolve_add(resolver, &resolver->wide_tables, sizeof *made);
    made->table = table;
    made->names.arena = resolver->arena;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        (void)name_index_add(&made->names, name, strlen(name), i);
    }
    return made;
}

int resolve_find_column(struct resolver *resolver, const struct schema_table *table,
                        const char *name)
{
    const struct wide_table *wide = wide_table(resolver, table);
    uint32_t place =
        wide != NULL ? name_index_find(&wide->names, name, strlen(name)) : NAME_INDEX_NONE;
    /* what is not there may be in another case */
    return place != NAME_INDEX_NONE ? (int)place : schema_find_column(table, name);
}

static bool find_column(struct resolver *resolver, const struct scope *scope, const char *name,
                        struct scope_value *value)
{
    int index = scope->table != NULL ? resolve_find_column(resolver, scope->table, name) : -1;
    if (scope->unnest != NULL) {
        return unnest_find(resolver, scope, name, value);
    }
    memset(value, 0, sizeof *value);
    value->reference.origin = ORIGIN_COLUMN;
    value->is_root = scope->join < 0;
    if (index >= 0 && scope->table->columns[index].hidden) {
        return false;
    }
    if (index >= 0) {
        const struct schema_column *column = &scope->table->columns[index];
        value->name = column->name;
        value->type = column->type;
        value->not_null = column->not_null;
        value->column = column;
    } else if (scope->documents) {
        value->name = name;
        value->type = (struct value_type){.kind = VALUE_MISSING, .dynamic = true};
    } else {
        return false;
    }
    value->reference.index = place_column(resolver, scope, value->name);
    return true;
}

/* All names of a scope: for expressions and for the nearest one. */
static const char **scope_names(struct resolver *resolver, const struct scope *scope,
                                uint32_t *count)
{
    uint32_t most = scope->table != NULL ? scope->table->column_count : 0;
    for (const struct scope *at = scope; at != NULL; at = at->outer) {
        most += at->values.count;
    }
    const char **names = resolve_allocate(resolver, most + (size_t)1, sizeof *names);
    *count = 0;
    for (const struct scope *at = scope; at != NULL; at = at->outer) {
        for (uint32_t i = 0; i < at->values.count; i++) {
            names[(*count)++] = ((const struct scope_value *)at->values.items[i])->name;
        }
    }
    for (uint32_t i = 0; scope->table != NULL && i < scope->table->column_count; i++) {
        if (!scope->table->columns[i].hidden) {
            names[(*count)++] = scope->table->columns[i].name;
        }
    }
    return names;
}

static void fault_unknown(struct resolver *resolver, const struct scope *scope, const char *name,
                          uint32_t line, uint32_t column)
{
    uint32_t count = 0;
    char hint[320];
    const char **names = scope_names(resolver, scope, &count);
    plan_fault_at(&resolver->faults, ERROR_PLAN_INVALID, line, column,
                  plan_nearest_hint(name, names, count, hint, sizeof hint),
                  "%s has no column, look-up or aggregate '%s'",
                  scope->table != NULL && scope->table->name != NULL ? scope->table->name
                  : scope->unnest != NULL                            ? "the list's record"
                                                                     : "the query",
                  name);
}

bool scope_find(struct resolver *resolver, const struct scope *scope, const char *name,
                const struct plan_node *node, struct scope_value *value)
{
    if (scope_has_value(scope, name, value) || find_column(resolver, scope, name, value)) {
        return true;
    }
    if (node != NULL) {
        fault_unknown(resolver, scope, name, node->line, node->column);
    }
    return false;
}

bool scope_template(struct resolver *resolver, const struct scope *scope,
                    const struct plan_node *node, struct plan_template *template)
{
    template_parse(node, resolver->arena, &resolver->faults, template);
    bool found_all = template->count > 0;
    for (uint32_t i = 0; i < template->count; i++) {
        struct template_part *part = &template->parts[i];
        struct scope_value value;
        if (!part->has_value) {
            continue;
        }
        if (!scope_find(resolver, scope, part->name, NULL, &value)) {
            fault_unknown(resolver, scope, part->name, part->line, part->column);
            found_all = false;
        } else if (value.reference.origin == ORIGIN_LIST) {
            plan_fault_at(&resolver->faults, ERROR_PLAN_INVALID, part->line, part->column, NULL,
                          "a list has no place in a text");
            found_all = false;
        } else {
            part->value = value.reference;
            part->name = value.name;
        }
    }
    return found_all;
}

/* The sandbox, made when it is first needed; NULL after a fatal error. */
static struct expression_sandbox *resolve_sandbox(struct resolver *resolver)
{
    struct error error;
    error_clear(&error);
    if (resolver->sandbox == NULL &&
        expression_sandbox_create(&resolver->sandbox, &error) != STATUS_OK) {
        resolve_fatal(resolver, &error);
    }
    return resolver->sandbox;
}

static bool resolve_used(struct resolver *resolver, struct scope *scope,
                         const struct plan_node *node, const char *const *used,
                         struct plan_expression *expression)
{
    struct value_reference *values =
        resolve_allocate(resolver, expression->count + (size_t)1, sizeof *values);
    for (uint32_t i = 0; i < expression->count; i++) {
        struct scope_value value;
        if (!scope_find(resolver, scope, used[i], node, &value)) {
            return false;
        }
        if (value.reference.origin == ORIGIN_LIST) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                       "a list has no place in an expression");
            return false;
        }
        values[i] = value.reference;
    }
    expression->values = values;
    return true;
}

uint32_t scope_expression(struct resolver *resolver, struct scope *scope,
                          const struct plan_node *node)
{
    struct error error;
    uint32_t name_count = 0;
    const char **names = scope_names(resolver, scope, &name_count);
    struct expression_sandbox *sandbox = resolve_sandbox(resolver);
    const char *const *used = NULL;
    struct plan_expression made = {.text = node->text};
    error_clear(&error);
    if (sandbox == NULL) {
        return MAPPING_NONE;
    }
    if (expression_check(sandbox, node->text, names, name_count,
                         scope->documents || scope->unnest != NULL, resolver->arena, &used,
                         &made.count, &error) != STATUS_OK) {
        if (error.object[0] != '\0') {
            fault_unknown(resolver, scope, error.object, node->line, node->column);
        } else {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                       error.hint[0] != '\0' ? error.hint : NULL, "in the expression '%s': %s",
                       node->text, error.message);
        }
        return MAPPING_NONE;
    }
    made.names = used;
    if (!resolve_used(resolver, scope, node, used, &made)) {
        return MAPPING_NONE;
    }
    expression_simplify(&made);
    struct plan_expression *expression =
        resolve_add(resolver, &scope->stream->expressions, sizeof *expression);
    *expression = made;
    return scope->stream->expressions.count - 1;
}

static bool template_has_value(const struct plan_template *template)
{
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->parts[i].has_value) {
            return true;
        }
    }
    return false;
}

static bool lookup_template(struct resolver *resolver, struct scope *scope,
                            const struct scope *there, const struct plan_node *node,
                            struct scope_value *value)
{
    struct plan_template template;
    if (!scope_template(resolver, there, node, &template)) {
        return false;
    }
    if (!template_has_value(&template)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "name a column: \"{Name}\"",
                   "the value of a look-up without a column of the table looked up");
        return false;
    }
    struct plan_template *kept = resolve_add(resolver, &scope->stream->templates, sizeof *kept);
    *kept = template;
    value->reference.origin = ORIGIN_TEMPLATE;
    value->reference.index = scope->stream->templates.count - 1;
    value->type = (struct value_type){.kind = VALUE_TEXT};
    return true;
}

static bool lookup_resolve(struct resolver *resolver, struct scope *scope,
                           const struct plan_node *field, struct scope_value *value)
{
    struct path path;
    const struct plan_node *column = plan_node_get(field, "column");
    const struct plan_node *text = plan_node_get(field, "value");
    if (!path_resolve(resolver, scope->table, plan_node_get(field, "lookup"),
                      plan_node_get(field, "match"), false, &path)) {
        return false;
    }
    struct scope there = {.stream = scope->stream,
                          .request = scope->request,
                          .table = path.steps[path.count - 1].table,
                          .documents = scope->documents,
                          .join = request_path(resolver, scope->request, scope->join, &path)};
    if (column == NULL) {
        return lookup_template(resolver, scope, &there, text, value);
    }
    struct scope_value found;
    if (!scope_find(resolver, &there, column->text, column, &found)) {
        return false;
    }
    value->reference = found.reference;
    value->type = found.type;
    return true;
}

void scope_collect(struct resolver *resolver, struct scope *scope, const struct plan_node *fields,
                   bool aggregates_allowed)
{
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct plan_node *field = fields->items[i];
        bool lookup = plan_node_get(field, "lookup") != NULL;
        bool aggregate = plan_node_get(field, "aggregate") != NULL;
        struct scope_value value = {.name = fields->keys[i]->text};
        if (field->kind != PLAN_NODE_MAP || (!lookup && !aggregate)) {
            continue;
        }
        if (aggregate && !aggregates_allowed) {
            plan_fault(&resolver->faults, ERROR_NOT_IMPLEMENTED, field, NULL,
                       "an aggregate inside a list comes with a later version");
            continue;
        }
        if (lookup ? lookup_resolve(resolver, scope, field, &value)
                   : aggregate_resolve(resolver, scope, field, &value)) {
            struct scope_value *kept = resolve_add(resolver, &scope->values, sizeof *kept);
            *kept = value;
        }
    }
}
