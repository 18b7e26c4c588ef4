/* The graph of a schema: what it declares, and figures. */
#include "design/graph/graph_parts.h"

#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- fields */

bool graph_fields_hold(struct graph_fields fields, uint32_t field)
{
    for (uint32_t i = 0; i < fields.count; i++) {
        if (fields.at[i] == field) {
            return true;
        }
    }
    return false;
}

/* Both lists have the same fields, in whatever order. */
static bool graph_fields_are(struct graph_fields left, struct graph_fields right)
{
    bool same = left.count == right.count;
    for (uint32_t i = 0; i < left.count && same; i++) {
        same = graph_fields_hold(right, left.at[i]);
    }
    return same;
}

struct graph_fields graph_one_field(uint32_t field, struct arena *arena)
{
    uint32_t *at = arena_allocate(arena, sizeof(*at));
    *at = field;
    return (struct graph_fields){at, 1};
}

struct graph_fields graph_fields_by_name(const struct graph_entity *entity,
                                         struct column_list columns, struct arena *arena)
{
    uint32_t *at = arena_allocate_zeroed(arena, columns.count + 1u, sizeof(*at));
    for (uint32_t i = 0; i < columns.count; i++) {
        at[i] = graph_find_field(entity, columns.names[i], strlen(columns.names[i]));
        if (at[i] == GRAPH_NONE) {
            return (struct graph_fields){0};
        }
    }
    return (struct graph_fields){at, columns.count};
}

/* ---------------------------------------------------------------- finding */

static bool is_name(const char *own, const char *name, size_t length, bool folded)
{
    return strlen(own) == length &&
           (folded ? strncasecmp(own, name, length) == 0 : memcmp(own, name, length) == 0);
}

uint32_t graph_find_entity(const struct graph *graph, const char *name, size_t length)
{
    uint32_t found = GRAPH_NONE;
    uint32_t matches = 0;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        if (is_name(graph->entities[i].name, name, length, false)) {
            return i;
        }
        if (is_name(graph->entities[i].name, name, length, true)) {
            found = i;
            matches++;
        }
    }
    return matches == 1 ? found : GRAPH_NONE;
}

uint32_t graph_find_field(const struct graph_entity *entity, const char *name, size_t length)
{
    uint32_t found = GRAPH_NONE;
    uint32_t matches = 0;
    for (uint32_t i = 0; i < entity->field_count; i++) {
        if (is_name(entity->fields[i].name, name, length, false)) {
            return i;
        }
        if (is_name(entity->fields[i].name, name, length, true)) {
            found = i;
            matches++;
        }
    }
    return matches == 1 ? found : GRAPH_NONE;
}

bool graph_field_is_time(const struct graph_field *field)
{
    const struct value_type *type = &field->type;
    return type->kind == VALUE_TIMESTAMP || type->kind == VALUE_DATE || type->moments ||
           type->dates;
}

const char *graph_origin_name(enum graph_origin origin)
{
    static const char *const names[] = {
        [GRAPH_DECLARED] = "declared", [GRAPH_FROM_DATA] = "data",
        [GRAPH_FROM_NAMES] = "names",  [GRAPH_SIMILAR] = "similar names",
        [GRAPH_BY_HAND] = "by hand",
    };
    return names[origin];
}

/* ---------------------------------------------------------------- figures */

/* Mean bytes of a value of that type, as stores keep it. */
static double bytes_of(const struct value_type *type, const struct graph_assumptions *assumptions)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return 1;
    case VALUE_FLOAT32:
    case VALUE_DATE:
        return 4;
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT64:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_DECIMAL:
        return 8;
    case VALUE_UUID:
    case VALUE_INTERVAL:
        return 16;
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
    case VALUE_LARGE:
        return 200;
    default:
        return type->precision > 0 && type->precision < assumptions->text_bytes
                   ? type->precision
                   : assumptions->text_bytes;
    }
}

static double distinct_of(const struct graph_entity *entity, const struct value_type *type,
                          const struct graph_assumptions *assumptions)
{
    double distinct = entity->rows * assumptions->distinct_cut;
    if (type->kind == VALUE_BOOL || type->truth) {
        distinct = 2;
    } else if (type->kind == VALUE_TIMESTAMP || type->kind == VALUE_UUID) {
        distinct = entity->rows;
    } else if (type->kind == VALUE_DATE) {
        distinct = entity->rows < 3650 ? entity->rows : 3650;
    }
    return distinct < 1 ? 1 : distinct > entity->rows ? entity->rows : distinct;
}

/* ---------------------------------------------------------------- entities */

/* A key that was guessed by its name, and of which the data has two of one value, is none; a column
 * whose values all differ may be one. */
static void check_key(struct graph_building *building, struct graph_entity *entity)
{
    const struct figures_column *columns =
        entity->figures != NULL && entity->figures->is_whole ? entity->figures->columns : NULL;
    if (columns == NULL) {
        return;
    }
    if (entity->key.count == 1 && columns[entity->key.at[0]].unique) {
        entity->key_confidence = 0.95;
        return;
    }
    entity->key = (struct graph_fields){0};
    entity->key_confidence = 0;
    for (uint32_t i = 0; i < entity->field_count; i++) {
        if (columns[i].unique) {
            entity->key = graph_one_field(i, building->arena);
            entity->key_origin = GRAPH_FROM_DATA;
            entity->key_confidence = 0.7;
            return;
        }
    }
}

static void find_key(struct graph_building *building, struct graph_entity *entity)
{
    const struct schema_table *table = entity->table;
    entity->key_origin = GRAPH_DECLARED;
    entity->key_confidence = 1;
    entity->key = graph_fields_by_name(entity, table->primary_key, building->arena);
    for (uint32_t i = 0; i < table->index_count && entity->key.count == 0; i++) {
        if (table->indexes[i].unique && schema_is_unique_key(table, table->indexes[i].columns)) {
            entity->key = graph_fields_by_name(entity, table->indexes[i].columns, building->arena);
        }
    }
    if (entity->key.count == 0) {
        graph_infer_key(building, entity);
        check_key(building, entity);
    }
}

static const struct figures_column *figures_of(const struct graph_entity *entity, uint32_t field)
{
    return entity->figures != NULL && entity->figures->columns != NULL
               ? &entity->figures->columns[field]
               : NULL;
}

static void fill_field(const struct graph_building *building, const struct graph_entity *entity,
                       uint32_t number, struct graph_field *field)
{
    const struct value_type *type = &entity->table->columns[number].type;
    const struct figures_column *figures = figures_of(entity, number);
    *field = (struct graph_field){
        .name = entity->table->columns[number].name,
        .column = &entity->table->columns[number],
        .type = *type,
        .bytes = bytes_of(type, &building->assumptions),
        .distinct = distinct_of(entity, type, &building->assumptions),
    };
    if (figures != NULL && figures->kind != VALUE_MISSING) {
        field->type = (struct value_type){.kind = figures->kind};
    }
    if (figures != NULL) {
        field->bytes = figures->bytes > 0 ? figures->bytes : 1;
        field->distinct = figures->distinct < 1              ? 1
                          : figures->distinct > entity->rows ? entity->rows
                                                             : figures->distinct;
    }
}

static void fill_entity(struct graph_building *building, struct graph_entity *entity,
                        const struct schema_table *table, const struct figures_table *figures)
{
    struct graph_field *fields =
        arena_allocate_zeroed(building->arena, table->column_count + 1u, sizeof(*fields));
    *entity = (struct graph_entity){.name = table->name,
                                    .table = table,
                                    .fields = fields,
                                    .field_count = table->column_count,
                                    .counted = figures != NULL || table->row_count >= 0,
                                    .figures = figures};
    entity->rows = figures != NULL   ? figures->rows
                   : entity->counted ? (double)table->row_count
                                     : building->assumptions.rows;
    entity->rows = entity->rows < 1 ? 1 : entity->rows;
    for (uint32_t i = 0; i < table->column_count; i++) {
        fill_field(building, entity, i, &fields[i]);
        entity->row_bytes += fields[i].bytes;
    }
    find_key(building, entity);
    if (entity->key.count == 1) {
        fields[entity->key.at[0]].distinct = entity->rows;
    }
}

/* ---------------------------------------------------------------- relations */

void graph_add_relation(struct graph_building *building, const struct graph_relation *relation)
{
    for (uint32_t i = 0; i < building->relation_count; i++) {
        const struct graph_relation *other = &building->relations[i];
        if (other->from == relation->from && graph_fields_are(other->fields, relation->fields)) {
            return;
        }
    }
    building->relations =
        arena_make_room(building->arena, building->relations, building->relation_count,
                        &building->relation_capacity, sizeof(*building->relations));
    building->relations[building->relation_count++] = *relation;
}

static uint32_t entity_of(const struct graph_building *building, const char *name)
{
    const struct graph graph = {.entities = building->entities,
                                .entity_count = building->entity_count};
    return graph_find_entity(&graph, name, strlen(name));
}

/* PostgreSQL's keys that are not checked, or not for the rows that were there. */
static bool is_enforced(const struct schema_foreign_key *key)
{
    const char *texts[] = {key->details, key->native_sql};
    for (uint32_t i = 0; i < 2; i++) {
        if (texts[i] != NULL && (strcasestr(texts[i], "NOT VALID") != NULL ||
                                 strcasestr(texts[i], "NOT ENFORCED") != NULL)) {
            return false;
        }
    }
    return true;
}

static void add_declared(struct graph_building *building, uint32_t from)
{
    const struct graph_entity *entity = &building->entities[from];
    for (uint32_t i = 0; i < entity->table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &entity->table->foreign_keys[i];
        struct graph_relation relation = {.from = from,
                                          .to = entity_of(building, key->references),
                                          .name = key->name,
                                          .origin = GRAPH_DECLARED,
                                          .trust =
                                              is_enforced(key) ? GRAPH_ENFORCED : GRAPH_UNPROVEN,
                                          .confidence = 1};
        if (relation.to == GRAPH_NONE) {
            continue;
        }
        const struct graph_entity *to = &building->entities[relation.to];
        relation.fields = graph_fields_by_name(entity, key->columns, building->arena);
        relation.referenced =
            key->referenced_columns.count > 0
                ? graph_fields_by_name(to, key->referenced_columns, building->arena)
                : to->key;
        if (relation.fields.count > 0 && relation.fields.count == relation.referenced.count) {
            graph_add_relation(building, &relation);
        }
    }
}

/* By how many rows the commonest value of the fields is more than the mean. */
static double skew_of(const struct graph_building *building, const struct graph_entity *from,
                      const struct graph_relation *relation)
{
    const struct figures_column *figures =
        relation->fields.count == 1 ? figures_of(from, relation->fields.at[0]) : NULL;
    if (figures == NULL) {
        return building->assumptions.skew;
    }
    double mean = from->rows * (1 - figures->nulls) / figures->distinct;
    return mean > 0 && figures->most > mean ? figures->most / mean : 1;
}

void graph_measure_relation(struct graph_building *building, struct graph_relation *relation)
{
    struct graph_entity *from = &building->entities[relation->from];
    const struct graph_entity *to = &building->entities[relation->to];
    double distinct = 1;
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        struct graph_field *field = (struct graph_field *)&from->fields[relation->fields.at[i]];
        double referenced = to->fields[relation->referenced.at[i]].distinct;
        relation->optional = relation->optional || !field->column->not_null;
        if (figures_of(from, relation->fields.at[i]) == NULL &&
            (from->key.count != 1 || from->key.at[0] != relation->fields.at[i])) {
            field->distinct = referenced < from->rows ? referenced : from->rows;
        }
        distinct *= field->distinct;
    }
    distinct = distinct < to->rows ? distinct : to->rows;
    relation->fan_out = from->rows / distinct;
    relation->fan_out = relation->fan_out < 1 ? 1 : relation->fan_out;
    bool single = graph_fields_are(relation->fields, from->key);
    relation->fan_out_max = single ? 1 : relation->fan_out * skew_of(building, from, relation);
    if (relation->fan_out_max > from->rows) {
        relation->fan_out_max = from->rows;
    }
}

/* ---------------------------------------------------------------- graph */

static struct graph_assumptions assumptions_of(const struct graph_assumptions *given)
{
    struct graph_assumptions assumptions = given != NULL ? *given : (struct graph_assumptions){0};
    assumptions.rows = assumptions.rows > 0 ? assumptions.rows : 10000;
    assumptions.skew = assumptions.skew > 0 ? assumptions.skew : 10;
    assumptions.text_bytes = assumptions.text_bytes > 0 ? assumptions.text_bytes : 24;
    assumptions.distinct_cut = assumptions.distinct_cut > 0 ? assumptions.distinct_cut : 0.1;
    return assumptions;
}

void graph_from_schema(const struct schema *schema, const struct figures *figures,
                       const struct graph_assumptions *assumptions, struct arena *arena,
                       struct graph *graph)
{
    struct graph_building building = {.arena = arena, .assumptions = assumptions_of(assumptions)};
    building.entities =
        arena_allocate_zeroed(arena, schema->table_count + 1u, sizeof(*building.entities));
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
        if (table->kind == SCHEMA_TABLE && table->belongs_to == NULL && table->column_count > 0) {
            fill_entity(&building, &building.entities[building.entity_count++], table,
                        figures != NULL ? &figures->tables[i] : NULL);
        }
    }
    for (uint32_t i = 0; i < building.entity_count; i++) {
        add_declared(&building, i);
    }
    graph_infer_relations(&building);
    for (uint32_t i = 0; i < building.relation_count; i++) {
        graph_measure_relation(&building, &building.relations[i]);
    }
    *graph = (struct graph){.arena = arena,
                            .assumptions = building.assumptions,
                            .entities = building.entities,
                            .entity_count = building.entity_count,
                            .relations = building.relations,
                            .relation_count = building.relation_count};
}
