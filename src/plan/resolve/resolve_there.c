/* Tables that are in the target already: a plan's table takes on their names, keys and types. */
#include "connectors/contract/defaults.h"
#include "model/convert.h"
#include "plan/resolve/resolve.h"
#include "plan/words/template.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- names */

/* How many tables of the source have the name, whatever the case? */
static uint32_t count_sources(const struct resolver *resolver, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < resolver->schema->table_count; i++) {
        const struct schema_table *table = &resolver->schema->tables[i];
        count += table->kind == SCHEMA_TABLE && strcasecmp(table->name, name) == 0;
    }
    return count;
}

const struct schema_table *there_find(const struct resolver *resolver, const char *name)
{
    const struct schema *there = resolver->settings != NULL ? resolver->settings->there : NULL;
    const struct schema_table *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; there != NULL && i < there->table_count; i++) {
        const struct schema_table *table = &there->tables[i];
        if (strcmp(table->name, name) == 0) {
            return table;
        }
        if (strcasecmp(table->name, name) == 0) {
            found = table;
            count++;
        }
    }
    return count == 1 && count_sources(resolver, name) <= 1 ? found : NULL;
}

/* The column of that name, or the only one that differs in case alone. */
static const struct schema_column *find_column(const struct schema_table *there, const char *name)
{
    const struct schema_column *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < there->column_count; i++) {
        const struct schema_column *column = &there->columns[i];
        if (strcmp(column->name, name) == 0) {
            return column;
        }
        if (strcasecmp(column->name, name) == 0) {
            found = column;
            count++;
        }
    }
    return count == 1 ? found : NULL;
}

const struct schema_column *there_column(const struct resolver *resolver, const char *table,
                                         const char *field)
{
    const struct schema_table *there = there_find(resolver, table);
    return there != NULL ? find_column(there, field) : NULL;
}

/* Does the plan name columns of the table, by which it may mean this one? */
static bool plan_names_columns(const struct table_builder *table)
{
    static const char *const keys[] = {"key", "columns", "indexes", "references"};
    bool names = false;
    for (size_t i = 0; table->node != NULL && i < sizeof keys / sizeof keys[0]; i++) {
        names = names || plan_node_get(table->node, keys[i]) != NULL;
    }
    return names;
}

static void rename_field(struct resolver *resolver, const struct entity_builder *entity,
                         struct mapping_field *field, const char *name)
{
    if (entity_field(entity, name) != NULL) {
        return; /* another one has it */
    }
    field->name = arena_copy_string(resolver->arena, name);
    field->name_length = (uint32_t)strlen(name);
    field->name_plain = template_is_plain(field->name, field->name_length);
}

void there_take_names(struct resolver *resolver, struct table_builder *table)
{
    if (table->there == NULL || plan_names_columns(table)) {
        return;
    }
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        for (uint32_t j = 0; j < entity->fields.count; j++) {
            struct mapping_field *field = entity->fields.items[j];
            const struct schema_column *column =
                field->origin != NULL && strcmp(field->origin->name, field->name) == 0
                    ? find_column(table->there, field->name)
                    : NULL;
            if (column != NULL && strcmp(column->name, field->name) != 0) {
                rename_field(resolver, entity, field, column->name);
            }
        }
    }
}

/* ---------------------------------------------------------------- the key */

static bool all_fill(const struct table_builder *table, struct column_list columns)
{
    bool fill = columns.count > 0 && table->entities.count > 0;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        for (uint32_t j = 0; j < columns.count; j++) {
            const struct mapping_field *field = entity_field(entity, columns.names[j]);
            fill =
                fill && field != NULL && field->when == MAPPING_NONE && field->kind != FIELD_EMBED;
        }
    }
    return fill;
}

struct column_list there_key(struct resolver *resolver, const struct table_builder *table,
                             struct column_list key)
{
    const struct schema_table *there = table->there;
    if (there == NULL || (key.count > 0 && schema_is_unique(there, key)) ||
        !all_fill(table, there->primary_key)) {
        return key;
    }
    const char **names = resolve_allocate(resolver, there->primary_key.count, sizeof *names);
    for (uint32_t i = 0; i < there->primary_key.count; i++) {
        names[i] = arena_copy_string(resolver->arena, there->primary_key.names[i]);
    }
    return (struct column_list){names, there->primary_key.count};
}

/* ---------------------------------------------------------------- types */

static bool is_known(const struct value_type *type)
{
    return type->kind != VALUE_MISSING && type->kind != VALUE_NULL;
}

/* Values that are texts, or bytes that may be one, are read as what the column is. */
static bool reads_text(const struct resolver *resolver, const struct mapping_field *field,
                       const struct value_type *column)
{
    const struct value_type *type = &field->type;
    bool text = type->kind == VALUE_TEXT || type->kind == VALUE_BYTES || !is_known(type) ||
                (type->dynamic && !resolver->source_documents);
    return column->kind == VALUE_JSON && text;
}

/* A column of arrays takes what is no text of one. */
static bool makes_array(const struct mapping_field *field, const struct value_type *column)
{
    return column->element != NULL && column->kind == VALUE_TEXT &&
           (field->type.element == NULL || field->cast || field->type.kind != VALUE_TEXT);
}

/* The plan allows to round or to cut what the column can't hold. */
static bool cuts(const struct mapping_field *field, const struct value_type *column)
{
    return field->allow_loss && is_known(&field->type) &&
           (column->kind != VALUE_JSON || field->type.kind == VALUE_JSON) &&
           convert_is_possible(field->type.kind, column->kind);
}

static void fit_field(struct resolver *resolver, struct mapping_field *field,
                      const struct value_type *column)
{
    if (is_known(&field->type) && !reads_text(resolver, field, column) && !cuts(field, column) &&
        !makes_array(field, column)) {
        return;
    }
    bool plain_strings = resolver->source_nested;
    field->fitted |= !field->cast;
    field->type = *column;
    field->type.native = NULL;
    field->type.dynamic = false;
    field->type.plain_strings = column->kind == VALUE_JSON && plain_strings;
    if (field->type.kind == VALUE_TIMESTAMP && field->type.zoned) {
        field->type.zone =
            resolver->plan->time_zone != NULL ? resolver->plan->time_zone : column->zone;
    }
    field->cast = true;
    field->direct = false;
}

bool resolve_keeps_types(const struct resolver *resolver)
{
    const struct plan_node *types =
        resolver->document != NULL ? plan_node_get(resolver->document->root, "types") : NULL;
    return plan_node_is_word(types, "keep");
}

/* How the application that made the column writes what it has no type for. */
static bool write_as_application(const struct resolver *resolver, const struct value_type *column,
                                 struct value_type *type, const char **how)
{
    const struct value_type from = *type;
    bool texts = connector_rules(resolver->target->connector)->text_times;
    enum { BARE_UUID_CHARACTERS = 32 };
    if (from.kind == VALUE_UUID && column->kind == VALUE_TEXT &&
        column->precision == BARE_UUID_CHARACTERS) {
        *type = (struct value_type){.kind = VALUE_TEXT, .layout = TEXT_BARE};
        *how = "without hyphens";
    } else if (from.kind == VALUE_TIMESTAMP && column->moments && texts) {
        *type = (struct value_type){.kind = VALUE_TEXT, .layout = TEXT_SQL};
        *how = from.zoned ? "as 2024-03-31 01:30:00 in UTC" : "as 2024-03-31 01:30:00";
    } else if (from.kind == VALUE_INTERVAL && value_kind_is_number(column->kind)) {
        *type = (struct value_type){.kind = column->kind, .epoch = EPOCH_MICROSECONDS};
        *how = "as a number of microseconds";
    } else {
        return false;
    }
    return true;
}

static void fit_custom(struct resolver *resolver, const struct table_builder *table,
                       struct mapping_field *field, const struct value_type *column)
{
    const char *how = NULL;
    const char *native = field->type.native;
    if (field->cast || resolve_keeps_types(resolver) ||
        !write_as_application(resolver, column, &field->type, &how)) {
        return;
    }
    field->cast = true;
    field->direct = false;
    resolve_note(resolver, false, table->name,
                 "%s (%s) is written %s into %s, which is there; `types: keep` does not",
                 field->name, native != NULL ? native : value_kind_name(field->type.kind), how,
                 column->native != NULL ? column->native : value_kind_name(column->kind));
}

/* In a text an instant keeps its zone, also where the target's own types have none. */
static void fit_instant(const struct resolver *resolver, struct mapping_field *field,
                        const struct value_type *column)
{
    bool texts = connector_rules(resolver->target->connector)->text_times;
    if (!resolver->same_engine && !texts && !field->cast && field->type.kind == VALUE_TIMESTAMP &&
        field->type.zoned && column->kind == VALUE_TEXT && column->element == NULL) {
        field->type = (struct value_type){.kind = VALUE_TEXT};
        field->cast = true;
        field->direct = false;
    }
}

/* Has a text of that length room for all digits of a decimal, a sign and a point? */
static bool has_room(const struct value_type *decimal, int32_t length)
{
    enum { SIGN_AND_POINT = 2 };
    return length <= 0 || (decimal->precision > 0 && length >= decimal->precision + SIGN_AND_POINT);
}

/* In a text a number has its own digits: 0.1 of 32 bits, and 1.500 of numeric(6,3). */
static void fit_digits(const struct resolver *resolver, struct mapping_field *field,
                       const struct value_type *column)
{
    const struct value_type *type = &field->type;
    bool texts = connector_rules(resolver->target->connector)->text_times;
    bool number = type->kind == VALUE_FLOAT32 ||
                  (type->kind == VALUE_DECIMAL && has_room(type, column->precision));
    if (!texts && !field->cast && number && !type->dynamic && column->kind == VALUE_TEXT &&
        column->element == NULL) {
        field->type = (struct value_type){.kind = VALUE_TEXT};
        field->cast = true;
        field->direct = false;
    }
}

static void fit_in_table(struct resolver *resolver, struct table_builder *table,
                         struct mapping_field *field)
{
    const struct schema_column *column =
        table->there != NULL ? find_column(table->there, field->name) : NULL;
    if (column != NULL && table_column_type(table, field->name) == NULL &&
        column->generated == GENERATED_NO && field->kind != FIELD_CONST) {
        /* A moment that was a number has a zone if its column does. */
        if (field->cast && field->type.kind == VALUE_TIMESTAMP && field->type.epoch != EPOCH_NONE &&
            column->type.kind == VALUE_TIMESTAMP) {
            field->type.zoned = column->type.zoned;
        }
        fit_custom(resolver, table, field, &column->type);
        fit_instant(resolver, field, &column->type);
        if (!column_list_holds(table->there->primary_key, column->name)) {
            fit_digits(resolver, field, &column->type);
        }
        fit_field(resolver, field, &column->type);
    }
}

void there_fit(struct resolver *resolver, struct table_builder *table)
{
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        for (uint32_t j = 0; j < entity->fields.count; j++) {
            fit_in_table(resolver, table, entity->fields.items[j]);
        }
    }
}
