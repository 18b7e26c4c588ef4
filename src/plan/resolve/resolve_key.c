/* The key of a target table: its columns, and how they place and order records. */
#include "plan/resolve/resolve.h"
#include <string.h>

enum { KEY_VALUE_PARTS_MAX = 2 };

/* ---------------------------------------------------------------- its parts */

static const struct plan_node *item_node(const struct plan_node *list, uint32_t index)
{
    const struct plan_node *item =
        list == NULL || list->kind == PLAN_NODE_SCALAR ? list : list->items[index];
    return item != NULL && item->kind == PLAN_NODE_MAP ? item->keys[0] : item;
}

static uint32_t item_count(const struct plan_node *list)
{
    return list == NULL ? 0 : list->kind == PLAN_NODE_SCALAR ? 1 : list->count;
}

/* The columns that order the records of a partition; `sort` is a shorter word for one column. */
static const struct plan_node *clustering_node(const struct plan_node *key)
{
    const struct plan_node *sort = plan_node_get(key, "sort");
    return sort != NULL ? sort : plan_node_get(key, "clustering");
}

const struct plan_node *table_key_node(const struct plan_node *key, uint32_t index)
{
    if (key == NULL || key->kind != PLAN_NODE_MAP) {
        return item_node(key, index);
    }
    const struct plan_node *partition = plan_node_get(key, "partition");
    uint32_t count = item_count(partition);
    return index < count ? item_node(partition, index)
                         : item_node(clustering_node(key), index - count);
}

/* `{ C: desc }` */
static bool is_descending(const struct plan_node *list, uint32_t index)
{
    const struct plan_node *item = list->kind == PLAN_NODE_LIST ? list->items[index] : NULL;
    return item != NULL && item->kind == PLAN_NODE_MAP && plan_node_is_word(item->items[0], "desc");
}

struct column_list table_key_parts(struct resolver *resolver, const struct plan_node *node,
                                   struct key_shape *shape)
{
    if (node->kind != PLAN_NODE_MAP) {
        return resolve_names(resolver, node);
    }
    const struct plan_node *clustering = clustering_node(node);
    uint32_t first = item_count(plan_node_get(node, "partition"));
    uint32_t count = first + item_count(clustering);
    const char **names = resolve_allocate(resolver, count + (size_t)1, sizeof *names);
    bool *descending = resolve_allocate(resolver, count + (size_t)1, sizeof *descending);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = plan_node_text(table_key_node(node, i));
        descending[i] = i >= first && is_descending(clustering, i - first);
        any = any || descending[i];
    }
    if (shape != NULL) {
        *shape =
            (struct key_shape){.partition_count = first, .descending = any ? descending : NULL};
        const struct plan_node *fixed = plan_node_get(node, "static");
        if (fixed != NULL) {
            shape->static_columns = resolve_names(resolver, fixed);
        }
    }
    return (struct column_list){names, first == 0 ? 0 : count};
}

/* ---------------------------------------------------------------- the key */

const char table_values_merge[] = "by a rule of types two of its values may become one";

static struct column_list default_key(struct resolver *resolver, const struct table_builder *table)
{
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    if (entity == NULL || entity->from == NULL || entity->is_pages) {
        return (struct column_list){0};
    }
    bool follows = resolver->settings != NULL && resolver->settings->follows;
    struct column_list key = follows ? schema_row_key(entity->from) : entity->from->primary_key;
    if (table_fields_merge(table, key)) {
        resolve_note_left(resolver, "key", 1, table->name, "the key of %s is not carried: %s",
                          entity->from->name, table_values_merge);
        return (struct column_list){0};
    }
    return table_fields_of(resolver, table, key);
}

static void check_key_field(struct resolver *resolver, const struct table_builder *table,
                            const struct entity_builder *entity, const char *name,
                            const struct plan_node *node)
{
    struct mapping_field *field = entity_field(entity, name);
    bool required = (resolver->target->capabilities & CAPABILITY_KEY_REQUIRED) != 0;
    if (field == NULL) {
        if (!entity->document_star) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID,
                       entity->name_node != NULL ? entity->name_node : node,
                       "give it one, or \"*\": copy where a column has that name",
                       "entity '%s' has no field '%s', a part of the key of table '%s'",
                       entity->name, name, table->name);
        }
        return;
    }
    /* a copy of the whole table keeps what its key has, NULLs too */
    field->is_key = required || table->whole == NULL;
    if (!field->is_key) {
        return;
    }
    if (field->when != MAPPING_NONE) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, "use where: instead",
                   "the key field '%s' of '%s' has a 'when': a record without it has no key", name,
                   entity->name);
    }
    if (field->kind == FIELD_EMBED ||
        (field->kind == FIELD_CONST && field->constant.kind == VALUE_NULL)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, NULL,
                   "the key field '%s' of '%s' can not be a key", name, entity->name);
    }
}

static void check_key(struct resolver *resolver, struct table_builder *table,
                      const struct plan_node *node)
{
    const struct column_list *key = &table->target.key;
    bool required = (resolver->target->capabilities & CAPABILITY_KEY_REQUIRED) != 0;
    if (required && key->count == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, table->name_node,
                   table->node != NULL
                       ? "say key: { partition: FIELD, sort: FIELD }"
                       : "write a plan: `transhume init SRC DST`, and give the table a key in it",
                   "table '%s' has no key, and this target needs one", table->name);
    }
    bool clusters = (resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0;
    if (!resolver->target_sql && !clusters && table->target.key_shape.partition_count > 1) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "make one text of several columns by a template: PK: \"{A}#{B}\"",
                   "the key of table '%s' is placed by %u columns, this target takes one",
                   table->name, (unsigned)table->target.key_shape.partition_count);
    } else if (!resolver->target_sql && !clusters && key->count > KEY_VALUE_PARTS_MAX) {
        plan_fault(
            &resolver->faults, ERROR_PLAN_INVALID, node != NULL ? node : table->name_node,
            "make one text of several columns by a template: SK: \"{A}#{B}\" "
            "(`transhume init SRC DST` proposes some)",
            "the key of table '%s' has %u parts, this target takes a partition and a sort key",
            table->name, (unsigned)key->count);
    }
    for (uint32_t i = 0; i < key->count; i++) {
        for (uint32_t j = 0; j < table->entities.count; j++) {
            check_key_field(resolver, table, table->entities.items[j], key->names[i],
                            table_key_node(node, i));
        }
    }
}

/* The fields that take the source's static columns. */
static struct column_list static_fields(struct resolver *resolver,
                                        const struct table_builder *table,
                                        struct column_list columns)
{
    const char **names = resolve_allocate(resolver, columns.count + (size_t)1, sizeof *names);
    uint32_t count = 0;
    for (uint32_t i = 0; i < columns.count; i++) {
        struct column_list one = {&columns.names[i], 1};
        struct column_list field = table_fields_of(resolver, table, one);
        if (field.count == 1) {
            names[count++] = field.names[0];
        }
    }
    return (struct column_list){names, count};
}

/* A copy of a whole key is placed and ordered as it was. */
static void take_shape(struct resolver *resolver, struct table_builder *table)
{
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    bool clusters = (resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0;
    if (entity == NULL || entity->from == NULL || table->target.key.count == 0 ||
        table->target.key.count != entity->from->primary_key.count) {
        return;
    }
    const struct key_shape *from = &entity->from->key_shape;
    table->target.key_shape.partition_count = from->partition_count;
    table->target.key_shape.descending = from->descending;
    if (clusters) {
        table->target.key_shape.static_columns =
            static_fields(resolver, table, from->static_columns);
    }
}

static void check_shape(struct resolver *resolver, const struct table_builder *table,
                        const struct plan_node *node)
{
    const struct key_shape *shape = &table->target.key_shape;
    const struct plan_node *fixed = plan_node_get(node, "static");
    bool clusters = (resolver->target->capabilities & CAPABILITY_CLUSTERS) != 0;
    if (!clusters && (shape->descending != NULL || shape->static_columns.count > 0)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "leave `desc` and `static` out",
                   "the key of table '%s' has %s, and this target knows no such thing", table->name,
                   shape->descending != NULL ? "a descending order" : "static columns");
    }
    for (uint32_t i = 0; i < shape->static_columns.count; i++) {
        const char *name = shape->static_columns.names[i];
        if (!table_has_field(table, name)) {
            table_fault_field(resolver, table, item_node(fixed, i), name, "the static column");
        } else if (column_list_holds(table->target.key, name)) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, item_node(fixed, i), NULL,
                       "'%s' is a part of the key of table '%s', and can't be static", name,
                       table->name);
        }
    }
}

void table_resolve_key(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "key");
    if (node == NULL) {
        table->target.key = there_key(resolver, table, default_key(resolver, table));
        take_shape(resolver, table);
        check_key(resolver, table, NULL);
        return;
    }
    table->key_given = true;
    table->target.key = table_key_parts(resolver, node, &table->target.key_shape);
    for (uint32_t i = 0; i < table->target.key.count; i++) {
        if (!table_has_field(table, table->target.key.names[i])) {
            table_fault_field(resolver, table, table_key_node(node, i), table->target.key.names[i],
                              "the key");
            return;
        }
    }
    check_key(resolver, table, node);
    check_shape(resolver, table, node);
}
