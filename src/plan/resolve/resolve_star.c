/* "*": every column of the source table under its own name, unless a field is named so. */
#include "plan/resolve/resolve.h"
#include "plan/words/template.h"
#include <string.h>

/* The names of fields that a column of that name gives way to. */
static void collect_named(struct resolver *resolver, const struct plan_node *fields,
                          struct name_index *named)
{
    named->arena = resolver->arena;
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const char *name = fields->keys[i]->text;
        /* "*" among the fields is the star itself, never a column of that name. */
        if (strcmp(name, "*") != 0) {
            (void)name_index_add(named, name, strlen(name), i);
        }
    }
}

static bool is_named(const struct name_index *named, const char *name)
{
    return name_index_find(named, name, strlen(name)) != NAME_INDEX_NONE;
}

/* A column that is to be left out must be there: after a slip the one that was meant would be
 * copied. */
static void check_dropped(struct resolver *resolver, const struct schema_table *table,
                          const struct plan_node *fields)
{
    const char **names = resolve_allocate(resolver, table->column_count + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < table->column_count; i++) {
        names[i] = table->columns[i].name;
    }
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct plan_node *key = fields->keys[i];
        bool is_there = plan_node_get(fields->items[i], "drop") == NULL;
        for (uint32_t k = 0; !is_there && k < table->column_count; k++) {
            is_there = strcmp(key->text, names[k]) == 0;
        }
        if (!is_there) {
            char hint[320];
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, key,
                       plan_nearest_hint(key->text, names, table->column_count, hint, sizeof hint),
                       "%s has no column '%s' that could be left out",
                       table->name != NULL ? table->name : "the query", key->text);
        }
    }
}

/* `mail: {column: email}` beside "*" is a second copy, where a rename may be meant. */
static void note_twice(struct resolver *resolver, const struct scope *scope,
                       const struct plan_node *fields, const struct schema_column *column)
{
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct plan_node *node = fields->items[i];
        const char *of = plan_node_text(plan_node_get(node, "column"));
        if (of != NULL && node->count == 1 && strcmp(of, column->name) == 0) {
            resolve_note(resolver, false, scope->table->name != NULL ? scope->table->name : "query",
                         "the column %s goes along twice, as %s and by \"*\"; where a rename is "
                         "meant, write %s: {drop: true}",
                         column->name, fields->keys[i]->text, column->name);
        }
    }
}

void star_resolve(struct resolver *resolver, const struct scope *scope,
                  const struct table_builder *target, const struct plan_node *fields,
                  enum null_policy nulls, struct plan_list *out, bool leave_generated)
{
    const struct schema_table *table = scope->table;
    struct name_index named = {0};
    struct name_index made = {.arena = resolver->arena};
    collect_named(resolver, fields, &named);
    for (uint32_t i = 0; i < table->column_count && !resolve_stopped(resolver); i++) {
        const struct schema_column *column = &table->columns[i];
        const char *name = names_of_column(resolver, column->name);
        if (column->hidden || is_named(&named, column->name) || is_named(&named, name) ||
            (leave_generated && column->generated != GENERATED_NO) ||
            type_rules_drop(resolver, table, column)) {
            continue;
        }
        note_twice(resolver, scope, fields, column);
        uint32_t other = name_index_find(&made, name, strlen(name));
        if (other != NAME_INDEX_NONE) {
            names_fault_collision(resolver, table->name != NULL ? table->name : "the query",
                                  table->columns[other].name, column->name, name);
            continue;
        }
        (void)name_index_add(&made, name, strlen(name), i);
        struct mapping_field *field = resolve_add(resolver, out, sizeof *field);
        bool nested = column->type.kind == VALUE_LIST || column->type.kind == VALUE_SET ||
                      column->type.kind == VALUE_MAP;
        field->name = name;
        field->name_length = (uint32_t)strlen(name);
        field->name_plain = template_is_plain(field->name, field->name_length);
        field->kind = FIELD_VALUE;
        field->direct = resolver->target_nested || !nested;
        field->value.origin = ORIGIN_COLUMN;
        field->value.index =
            request_column(resolver, scope->request, scope->join, column->name, false);
        field->expression = MAPPING_NONE;
        field->when = MAPPING_NONE;
        field->list = MAPPING_NONE;
        field->nulls = nulls;
        field->type = column->type;
        field->origin = scope->join < 0 ? column : NULL;
        type_rules_apply(resolver, table, column, target, field);
    }
    check_dropped(resolver, table, fields);
}
