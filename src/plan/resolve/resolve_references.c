/* Foreign keys of target tables: what the plan says, or what the source has and the target can
 * have. */
#include "connectors/contract/defaults.h"
#include "plan/resolve/resolve.h"
#include <string.h>

static const struct table_builder *find_table(const struct resolver *resolver, const char *name)
{
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        if (strcmp(table->name, name) == 0) {
            return table;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- what a target can have */

/*
 * The forms in which a kind may appear to a server that is asked whether two columns compare in a
 * foreign key. InnoDB compares all that it keeps as plain bytes, which is also how it keeps
 * decimals and times.
 */
enum { LIKE_NUMBER = 1, LIKE_TEXT = 2, LIKE_BYTES = 4, LIKE_ANYTHING = 7 };

static unsigned looks_of(enum value_kind kind)
{
    switch (kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return LIKE_NUMBER;
    case VALUE_DECIMAL:
    case VALUE_DATE:
        return LIKE_NUMBER | LIKE_BYTES;
    case VALUE_TEXT:
        return LIKE_TEXT;
    case VALUE_TIME:
    case VALUE_INTERVAL:
        return LIKE_TEXT | LIKE_BYTES;
    case VALUE_BYTES:
    case VALUE_TIMESTAMP:
    case VALUE_UUID:
        return LIKE_BYTES;
    default:
        return LIKE_ANYTHING;
    }
}

static struct schema_column *column_of(const struct table_builder *table, const char *name)
{
    for (uint32_t i = 0; table != NULL && i < table->target.column_count; i++) {
        if (strcmp(table->target.columns[i].name, name) == 0) {
            return (struct schema_column *)&table->target.columns[i];
        }
    }
    return NULL;
}

/* Does the list begin with them, in whatever order? */
static bool begins_with(struct column_list list, struct column_list columns)
{
    bool begins = list.count >= columns.count;
    for (uint32_t i = 0; begins && i < columns.count; i++) {
        begins =
            column_list_holds((struct column_list){list.names, columns.count}, columns.names[i]);
    }
    return begins;
}

static bool may_be_referred_to(const struct resolver *resolver, const struct target_table *table,
                               struct column_list columns)
{
    bool any_index = connector_rules(resolver->target->connector)->references_indexed;
    bool may = begins_with(table->key, columns) && (any_index || table->key.count == columns.count);
    for (uint32_t i = 0; !may && i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        may = begins_with(index->columns, columns) &&
              (any_index || (index->unique && index->columns.count == columns.count));
    }
    return may;
}

/* Why the target can't have it; NULL: nothing speaks against it. A reference to a table that the
 * plan does not have is the server's to judge. */
static const char *unfit_reference(struct resolver *resolver, const struct table_builder *table,
                                   const struct target_reference *reference)
{
    const uint32_t makes_keys = CAPABILITY_SQL_SCHEMA | CAPABILITY_KEY_ENFORCED;
    uint32_t capabilities = resolver->target->capabilities;
    const struct table_rules *rules = connector_rules(resolver->target->connector);
    const struct table_builder *other = find_table(resolver, reference->table);
    if (other == NULL || (capabilities & makes_keys) != makes_keys) {
        return NULL;
    }
    for (uint32_t i = 0; rules->references_alike && i < reference->columns.count; i++) {
        const struct schema_column *from = column_of(table, reference->columns.names[i]);
        const struct schema_column *to = column_of(other, reference->referenced_columns.names[i]);
        if (from != NULL && to != NULL &&
            (looks_of(from->type.kind) & looks_of(to->type.kind)) == 0) {
            return resolve_format(
                resolver,
                "%s is %s and %s there %s, which it does not compare; cast one of "
                "them in the plan to have it",
                from->name, value_kind_name(from->type.kind), to->name,
                value_kind_name(to->type.kind));
        }
    }
    return may_be_referred_to(resolver, &other->target, reference->referenced_columns) ? NULL
           : rules->references_indexed ? "there is no index of what it refers to"
                                       : "what it refers to is not unique there";
}

/* ---------------------------------------------------------------- the plan's words */

static void add_reference(struct resolver *resolver, struct table_builder *table,
                          const struct plan_node *key, const struct plan_node *value,
                          struct plan_list *references)
{
    const char *dot = strrchr(value->text, '.');
    if (!table_has_field(table, key->text)) {
        table_fault_field(resolver, table, key, key->text, "the column");
        return;
    }
    if (dot == NULL || dot == value->text || dot[1] == '\0') {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, value, "write TABLE.COLUMN",
                   "'%s' names no column of a table", value->text);
        return;
    }
    struct target_reference *reference = resolve_add(resolver, references, sizeof *reference);
    const char **names = resolve_allocate(resolver, 2, sizeof *names);
    names[0] = key->text;
    names[1] = dot + 1;
    reference->columns = (struct column_list){&names[0], 1};
    reference->referenced_columns = (struct column_list){&names[1], 1};
    reference->table = arena_copy(resolver->arena, value->text, (size_t)(dot - value->text));
    const struct table_builder *other = find_table(resolver, reference->table);
    if (other == NULL) {
        resolve_note(resolver, true, table->name,
                     "it refers to table %s, which is not in this plan", reference->table);
    } else if (!table_has_field(other, names[1])) {
        table_fault_field(resolver, other, value, names[1], "the referenced column");
    } else {
        const char *why = unfit_reference(resolver, table, reference);
        if (why != NULL) {
            resolve_note(resolver, true, table->name,
                         "the target may refuse the foreign key to %s, which the plan asks for: %s",
                         reference->table, why);
        }
    }
}

/* ---------------------------------------------------------------- the source's */

/* The plan's table that is made of one source table alone. */
static const struct table_builder *table_made_of(const struct resolver *resolver, const char *name)
{
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        const struct entity_builder *entity =
            table->entities.count == 1 ? table->entities.items[0] : NULL;
        if (entity != NULL && entity->from != NULL && !entity->is_pages &&
            entity->from->kind == SCHEMA_TABLE && entity->where == MAPPING_NONE &&
            entity->when == MAPPING_NONE && strcmp(entity->from->name, name) == 0) {
            return table;
        }
    }
    return NULL;
}

/* The action as far as it is left in the target; `lost` gets the words of one that it does not
 * know. */
static const char *carry_action(struct resolver *resolver, const char *event, const char *action,
                                const char **lost)
{
    bool known = !connector_rules(resolver->target->connector)->no_set_default || action == NULL ||
                 strcmp(action, "SET DEFAULT") != 0;
    if (!known) {
        *lost = resolve_format(resolver, "%s%sON %s %s", *lost != NULL ? *lost : "",
                               *lost != NULL ? ", " : "", event, action);
    }
    return known ? action : NULL;
}

static void carry_foreign_key(struct resolver *resolver, struct table_builder *table,
                              const struct schema_foreign_key *key, struct plan_list *references)
{
    const struct table_builder *other = table_made_of(resolver, key->references);
    struct column_list columns = table_fields_of(resolver, table, key->columns);
    struct column_list referenced = {0};
    bool merges = table_fields_merge(table, key->columns);
    if (other != NULL) {
        const struct entity_builder *entity = other->entities.items[0];
        struct column_list unique =
            key->referenced_columns.count > 0 ? key->referenced_columns : entity->from->primary_key;
        referenced = table_fields_of(resolver, other, unique);
        merges |= table_fields_merge(other, unique);
    }
    if (columns.count == 0 || referenced.count != columns.count || merges) {
        resolve_note_left(resolver, "foreign key", 1, table->name,
                          "the foreign key to %s is not carried", key->references);
        return;
    }
    struct target_reference reference = {
        .columns = columns, .table = other->name, .referenced_columns = referenced};
    const char *why = unfit_reference(resolver, table, &reference);
    if (why != NULL) {
        resolve_note_left(resolver, "foreign key", 1, table->name,
                          "the foreign key to %s is not carried: %s", key->references, why);
        return;
    }
    const char *lost = key->details;
    reference.on_delete = carry_action(resolver, "DELETE", key->on_delete, &lost);
    reference.on_update = carry_action(resolver, "UPDATE", key->on_update, &lost);
    if (lost != NULL && table->whole == NULL) {
        resolve_note_left(
            resolver, "foreign key option", 1, table->name,
            "the foreign key to %s is carried without what only its own engine has: %s",
            key->references, lost);
    }
    struct target_reference *made = resolve_add(resolver, references, sizeof *made);
    *made = reference;
}

/* ---------------------------------------------------------------- the same sizes */

/* True if one of its columns, or of those they refer to, had to grow. */
static bool widen_reference(const struct resolver *resolver, const struct table_builder *table,
                            const struct target_reference *reference)
{
    const struct table_builder *other = find_table(resolver, reference->table);
    bool grown = false;
    for (uint32_t i = 0; i < reference->columns.count; i++) {
        struct schema_column *from = column_of(table, reference->columns.names[i]);
        struct schema_column *to = column_of(other, reference->referenced_columns.names[i]);
        if (from != NULL && to != NULL && from->type.kind == VALUE_INT64 &&
            to->type.kind == VALUE_INT64 && from->type.bits != to->type.bits) {
            from->type.bits = (uint8_t)type_size_of_both(from->type.bits, to->type.bits);
            to->type.bits = from->type.bits;
            grown = true;
        }
    }
    return grown;
}

void references_widen(struct resolver *resolver)
{
    bool grown = true;
    while (grown && !resolve_stopped(resolver)) {
        grown = false;
        for (uint32_t i = 0; i < resolver->tables.count; i++) {
            const struct table_builder *table = resolver->tables.items[i];
            for (uint32_t j = 0; j < table->target.reference_count; j++) {
                grown |= widen_reference(resolver, table, &table->target.references[j]);
            }
        }
    }
}

void references_resolve(struct resolver *resolver, struct table_builder *table)
{
    const struct plan_node *node = plan_node_get(table->node, "references");
    struct plan_list references = {0};
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        add_reference(resolver, table, node->keys[i], node->items[i], &references);
    }
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    if (node == NULL && resolver->target_sql && table->whole == NULL && entity != NULL &&
        entity->from != NULL && !entity->is_pages) {
        for (uint32_t i = 0; i < entity->from->foreign_key_count; i++) {
            carry_foreign_key(resolver, table, &entity->from->foreign_keys[i], &references);
        }
    }
    table->target.references = resolve_array(resolver, &references, sizeof(struct target_reference),
                                             &table->target.reference_count);
}
