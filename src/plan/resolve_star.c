/* "*": every column of the source table under its own name, unless a field is named so. */
#include "plan/resolve.h"
#include "plan/template.h"
#include <string.h>

/* The names of fields that a column of that name gives way to; false: memory is out. */
static bool collect_named(struct resolver *resolver, const struct plan_node *fields,
                          struct name_index *named)
{
    named->arena = resolver->arena;
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const char *name = fields->keys[i]->text;
        uint32_t before = NAME_INDEX_NONE;
        /* "*" among the fields is the star itself, never a column of that name. */
        if (strcmp(name, "*") != 0 &&
            name_index_add(named, name, strlen(name), i, &before) != STATUS_OK) {
            resolver->out_of_memory = true;
            return false;
        }
    }
    return true;
}

void star_resolve(struct resolver *resolver, const struct scope *scope,
                  const struct table_builder *target, const struct plan_node *fields,
                  enum null_policy nulls, struct plan_list *out, bool leave_generated)
{
    const struct schema_table *table = scope->table;
    struct name_index named = {0};
    if (!collect_named(resolver, fields, &named)) {
        return;
    }
    for (uint32_t i = 0; i < table->column_count && !resolve_stopped(resolver); i++) {
        const struct schema_column *column = &table->columns[i];
        size_t length = strlen(column->name);
        if (column->hidden || name_index_find(&named, column->name, length) != NAME_INDEX_NONE ||
            (leave_generated && column->generated != GENERATED_NO)) {
            continue;
        }
        struct mapping_field *field = resolve_add(resolver, out, sizeof *field);
        if (field == NULL) {
            return;
        }
        bool nested = column->type.kind == VALUE_LIST || column->type.kind == VALUE_SET ||
                      column->type.kind == VALUE_MAP;
        field->name = column->name;
        field->name_length = (uint32_t)length;
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
}
