/* Tables whose records get new keys in the target, and the foreign keys that follow. */
#include "connectors/contract/defaults.h"
#include "plan/resolve/resolve.h"
#include <string.h>
#include <strings.h>

/* One of them while it is resolved. */
struct renumbering {
    const struct table_builder *table;
    const struct entity_builder *entity;
    struct mapping_field *key;
    const struct plan_renumber *by;
};

static bool is_named(const struct resolver *resolver, const struct table_builder *table)
{
    const struct plan_settings *settings = resolver->settings;
    const struct plan_node *node = plan_node_get(table->node, "renumber");
    bool named = node != NULL && strcmp(plan_node_text(node), "true") == 0;
    for (uint32_t i = 0; settings != NULL && !named && i < settings->renumber_count; i++) {
        named = strcmp(settings->renumber[i], table->name) == 0;
    }
    return named;
}

/* Names of --renumber that mean no table. */
static void check_names(struct resolver *resolver)
{
    const struct plan_settings *settings = resolver->settings;
    for (uint32_t i = 0; settings != NULL && i < settings->renumber_count; i++) {
        bool found = false;
        for (uint32_t j = 0; !found && j < resolver->tables.count; j++) {
            const struct table_builder *table = resolver->tables.items[j];
            found = strcmp(table->name, settings->renumber[i]) == 0;
        }
        if (!found) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, NULL,
                       "it names tables as the target has them",
                       "--renumber %s: no table of that name is written", settings->renumber[i]);
        }
    }
}

/* A whole number of the source, taken as it is. */
static bool is_plain_number(const struct mapping_field *field)
{
    return field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN &&
           field->when == MAPPING_NONE && !field->has_default &&
           (field->type.kind == VALUE_INT64 || field->type.kind == VALUE_UINT64);
}

static void resolve_renumber_refuse(struct resolver *resolver, const struct table_builder *table,
                                    const char *why)
{
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, plan_node_get(table->node, "renumber"),
               "leave it out, and say what becomes of equal keys with --existing",
               "%s can't be renumbered: %s", table->name, why);
}

static bool find_key(struct resolver *resolver, const struct table_builder *table,
                     struct renumbering *renumbering)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(resolver->target->connector);
    *renumbering = (struct renumbering){.table = table};
    if (table->target.empties) {
        resolve_renumber_refuse(resolver, table,
                                "`existing: truncate` leaves no keys in the target to come after");
        return false;
    }
    if (sql_target->highest_key == NULL) {
        resolve_renumber_refuse(resolver, table, "the target can't tell its highest key");
        return false;
    }
    if (table->target.key.count != 1 || table->entities.count != 1) {
        resolve_renumber_refuse(resolver, table,
                                "its key is not one integer column of one source table");
        return false;
    }
    renumbering->entity = table->entities.items[0];
    renumbering->key = entity_field(renumbering->entity, table->target.key.names[0]);
    if (renumbering->entity->from == NULL || renumbering->entity->unnests ||
        renumbering->key == NULL || !is_plain_number(renumbering->key)) {
        resolve_renumber_refuse(resolver, table,
                                "its key is not one integer column of one source table");
        return false;
    }
    return true;
}

/* ---- what follows */

static void follow(struct resolver *resolver, const struct renumbering *renumbering,
                   const struct table_builder *table, struct mapping_field *field)
{
    if (field->renumber == renumbering->by) {
        return;
    }
    if (!is_plain_number(field) || field->renumber != NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, table->name_node,
                   "leave --renumber out, or take the column as it is",
                   "%s.%s refers to the renumbered %s, and %s", table->name, field->name,
                   renumbering->table->name,
                   field->renumber != NULL ? "to another renumbered table, too"
                                           : "is no integer column of the source as it is");
        return;
    }
    field->renumber = renumbering->by;
    field->direct = false;
}

/* The field that is the source's column of that name follows. */
static void follow_column(struct resolver *resolver, const struct renumbering *renumbering,
                          const struct table_builder *table, const struct entity_builder *entity,
                          const char *column)
{
    int position = schema_find_column(entity->from, column);
    for (uint32_t i = 0; position >= 0 && i < entity->fields.count; i++) {
        struct mapping_field *field = entity->fields.items[i];
        if (field->origin == &entity->from->columns[position]) {
            follow(resolver, renumbering, table, field);
        }
    }
}

/* By the foreign keys that the source has, or that the plan's `relations` tell. */
static void follow_source(struct resolver *resolver, const struct renumbering *renumbering,
                          const struct table_builder *table, const struct entity_builder *entity,
                          const struct schema_foreign_key *key)
{
    const struct schema_table *to = renumbering->entity->from;
    const struct column_list referenced =
        key->referenced_columns.count > 0 ? key->referenced_columns : to->primary_key;
    if (strcmp(key->references, to->name) != 0 || referenced.count != key->columns.count ||
        renumbering->key->origin == NULL) {
        return;
    }
    for (uint32_t i = 0; i < key->columns.count; i++) {
        if (strcasecmp(referenced.names[i], renumbering->key->origin->name) == 0) {
            follow_column(resolver, renumbering, table, entity, key->columns.names[i]);
        }
    }
}

/* By foreign keys in the target's names. */
static void follow_target(struct resolver *resolver, const struct renumbering *renumbering,
                          const struct table_builder *table, struct column_list columns,
                          const char *to, struct column_list referenced)
{
    const char *key = renumbering->table->target.key.names[0];
    bool own = strcmp(to, renumbering->table->name) == 0;
    for (uint32_t i = 0; own && i < columns.count; i++) {
        const char *name = i < referenced.count ? referenced.names[i] : key;
        for (uint32_t j = 0; strcmp(name, key) == 0 && j < table->entities.count; j++) {
            struct mapping_field *field = entity_field(table->entities.items[j], columns.names[i]);
            if (field != NULL) {
                follow(resolver, renumbering, table, field);
            }
        }
    }
}

static void follow_table(struct resolver *resolver, const struct renumbering *renumbering,
                         const struct table_builder *table)
{
    for (uint32_t i = 0; i < table->target.reference_count; i++) {
        const struct target_reference *reference = &table->target.references[i];
        follow_target(resolver, renumbering, table, reference->columns, reference->table,
                      reference->referenced_columns);
    }
    for (uint32_t i = 0; table->there != NULL && i < table->there->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->there->foreign_keys[i];
        follow_target(resolver, renumbering, table, key->columns, key->references,
                      key->referenced_columns);
    }
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        for (uint32_t j = 0; entity->from != NULL && j < entity->from->foreign_key_count; j++) {
            follow_source(resolver, renumbering, table, entity, &entity->from->foreign_keys[j]);
        }
        for (uint32_t j = 0; entity->from != NULL && j < resolver->relations.count; j++) {
            const struct plan_relation *relation = resolver->relations.items[j];
            if (relation->from == entity->from) {
                follow_source(resolver, renumbering, table, entity, &relation->key);
            }
        }
    }
}

/* ---- the whole */

void renumber_resolve(struct resolver *resolver)
{
    struct plan_renumber *made =
        resolve_allocate(resolver, resolver->tables.count + (size_t)1, sizeof *made);
    uint32_t count = 0;
    check_names(resolver);
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        struct table_builder *table = resolver->tables.items[i];
        struct renumbering renumbering;
        if (!is_named(resolver, table) || !find_key(resolver, table, &renumbering)) {
            continue;
        }
        made[count] = (struct plan_renumber){.table = table->name,
                                             .column = table->target.key.names[0],
                                             .stream = renumbering.entity->stream->number,
                                             .value = renumbering.key->value.index};
        renumbering.by = &made[count++];
        renumbering.key->renumber = renumbering.by;
        renumbering.key->direct = false;
        if (table->target.existing == EXISTING_REFUSE) {
            table->target.existing = EXISTING_APPEND;
        }
        for (uint32_t j = 0; j < resolver->tables.count; j++) {
            follow_table(resolver, &renumbering, resolver->tables.items[j]);
        }
    }
    resolver->plan->renumbers = made;
    resolver->plan->renumber_count = count;
}
