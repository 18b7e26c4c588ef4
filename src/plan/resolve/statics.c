/*
 * The proof that no two records of a partition can contradict each other in a static column: each
 * field for such a column is made of what the fields of the partition key are made of, or of what
 * hangs on that alone (a row that is looked up by it, a static column of the source's). Lists also
 * have to come from records of one partition of the source, which are read one after the other:
 * where several write a list, its elements may add up.
 */
#include "plan/resolve/resolve.h"
#include <string.h>

struct proof {
    const struct entity_builder *entity;
    struct column_list known; /* columns of the root: equal within a partition */
    bool whole_partition;     /* they hold the source's partition key */
};

static bool is_known(const struct proof *proof, int32_t join, const char *name)
{
    const struct schema_table *root = proof->entity->from;
    if (join < 0) {
        return column_list_holds(proof->known, name) ||
               (proof->whole_partition && column_list_holds(root->key_shape.static_columns, name));
    }
    const struct read_join *by = proof->entity->stream->request.joins.items[join];
    bool known = !by->many;
    for (uint32_t i = 0; i < by->from_columns.count && known; i++) {
        known = is_known(proof, by->from, by->from_columns.names[i]);
    }
    return known;
}

static bool is_value_known(const struct proof *proof, struct value_reference value)
{
    const struct entity_builder *entity = proof->entity;
    if (value.origin != ORIGIN_COLUMN || entity->scope.documents || entity->unnests ||
        entity->from == NULL) {
        return false;
    }
    const struct read_column *column = entity->stream->request.columns.items[value.index];
    return is_known(proof, column->join, column->name);
}

static bool is_field_known(const struct proof *proof, const struct mapping_field *field)
{
    bool known = field->when == MAPPING_NONE;
    switch (field->kind) {
    case FIELD_CONST:
        return known;
    case FIELD_VALUE:
        return known && is_value_known(proof, field->value);
    case FIELD_TEMPLATE:
        for (uint32_t i = 0; i < field->template.count && known; i++) {
            const struct template_part *part = &field->template.parts[i];
            known = !part->has_value || is_value_known(proof, part->value);
        }
        return known;
    default:
        return false;
    }
}

static bool holds_partition(const struct schema_table *from, struct column_list known)
{
    uint32_t count = from != NULL ? from->key_shape.partition_count : 0;
    bool holds = count > 0;
    for (uint32_t i = 0; i < count && holds; i++) {
        holds = column_list_holds(known, from->primary_key.names[i]);
    }
    return holds;
}

static bool is_list(const struct table_builder *table, const char *name)
{
    uint32_t count = table->there != NULL ? table->there->column_count : table->target.column_count;
    const struct schema_column *columns =
        table->there != NULL ? table->there->columns : table->target.columns;
    bool list = false;
    for (uint32_t i = 0; i < count; i++) {
        list = list || (columns[i].type.kind == VALUE_LIST && strcmp(columns[i].name, name) == 0);
    }
    return list;
}

/* NULL: its records agree. */
static const char *prove_entity(struct resolver *resolver, const struct table_builder *table,
                                const struct entity_builder *entity, struct column_list partition,
                                struct column_list statics)
{
    struct proof proof = {.entity = entity};
    if (keys_read_back(resolver, table, entity, partition, &proof.known)) {
        return NULL; /* a partition has one record */
    }
    proof.whole_partition = holds_partition(entity->from, proof.known);
    bool follows =
        proof.whole_partition && partition.count == entity->from->key_shape.partition_count;
    for (uint32_t i = 0; i < statics.count; i++) {
        const struct mapping_field *field = entity_field(entity, statics.names[i]);
        if (field != NULL && !is_field_known(&proof, field)) {
            return resolve_format(resolver,
                                  "records of one partition may have different values of "
                                  "the static column '%s'",
                                  statics.names[i]);
        }
        if (field != NULL && !follows && is_list(table, statics.names[i])) {
            return resolve_format(resolver,
                                  "several records of one partition may write the list of the "
                                  "static column '%s'",
                                  statics.names[i]);
        }
    }
    return NULL;
}

static bool fills_any(const struct entity_builder *entity, struct column_list statics)
{
    bool any = entity->document_star;
    for (uint32_t i = 0; i < statics.count && !any; i++) {
        any = entity_field(entity, statics.names[i]) != NULL;
    }
    return any;
}

static const char *prove_table(struct resolver *resolver, const struct table_builder *table,
                               struct column_list partition, struct column_list statics)
{
    const struct entity_builder *filling = NULL;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        if (!fills_any(entity, statics)) {
            continue;
        }
        if (filling != NULL) {
            return resolve_format(resolver, "'%s' and '%s' fill static columns", filling->name,
                                  entity->name);
        }
        if (entity->document_star) {
            return resolve_format(resolver, "'%s' takes its fields from documents", entity->name);
        }
        const char *reason = prove_entity(resolver, table, entity, partition, statics);
        if (reason != NULL) {
            return reason;
        }
        filling = entity;
    }
    return NULL;
}

void statics_prove(struct resolver *resolver, const struct table_builder *table,
                   struct plan_table *result)
{
    const struct schema_table *there = table->there;
    const struct key_shape *shape = there != NULL ? &there->key_shape : &table->target.key_shape;
    struct column_list key = there != NULL ? there->primary_key : table->target.key;
    if (shape->static_columns.count > 0 && shape->partition_count <= key.count) {
        key.count = shape->partition_count;
        result->partition = key;
        result->statics = shape->static_columns;
        result->statics_reason = prove_table(resolver, table, key, shape->static_columns);
    }
    result->statics_proven = result->statics_reason == NULL;
}
