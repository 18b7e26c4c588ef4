/* Which lane applies which changes. */
#include "engine/follow/apply/lane_plan.h"

#include "engine/follow/translate/routes.h"
#include "engine/ledger/json_text.h"
#include "model/order_bytes.h"
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum { BY_KEY = -1 };

struct lane_entity {
    const char *table;
    uint64_t seed;              /* of its table's name */
    int32_t home;               /* the lane of all its changes; BY_KEY */
    uint32_t key_count;         /* of the target's key */
    const uint32_t *key_fields; /* where it is in a record; NULL: records are MAPs */
};

struct lane_plan {
    struct arena *arena;
    uint32_t lanes;
    struct lane_entity *entities;
    uint32_t entity_count;
    const char *text;
    struct buffer scratch;
};

/* ---- making */

static const uint32_t *find_key(struct arena *arena, const struct shape *shape,
                                const struct column_list key)
{
    uint32_t *fields = arena_allocate_zeroed(arena, key.count + (size_t)1, sizeof *fields);
    for (uint32_t i = 0; shape != NULL && i < key.count; i++) {
        int32_t at = shape_field_find(shape, key.names[i]);
        if (at < 0) {
            return NULL;
        }
        fields[i] = (uint32_t)at;
    }
    return shape != NULL ? fields : NULL;
}

static struct lane_plan *lane_plan_create(const struct followed_form *form, uint32_t lanes)
{
    struct arena *arena = arena_create(0);
    struct lane_plan *plan = arena_allocate_zeroed(arena, 1, sizeof *plan);
    plan->arena = arena;
    plan->lanes = lanes;
    plan->entity_count = form->plan->entity_count;
    plan->entities =
        arena_allocate_zeroed(arena, plan->entity_count + (size_t)1, sizeof *plan->entities);
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct target_table *table = &form->tables[i];
        const char *name = arena_copy_string(arena, table->name);
        plan->entities[i] =
            (struct lane_entity){.table = name,
                                 .seed = XXH3_64bits(name, strlen(name)),
                                 .home = BY_KEY,
                                 .key_count = table->key.count,
                                 .key_fields = find_key(arena, form->outputs[i].shape, table->key)};
    }
    return plan;
}

void lane_plan_free(struct lane_plan *plan)
{
    if (plan != NULL) {
        buffer_free(&plan->scratch);
        arena_destroy(plan->arena);
    }
}

uint32_t lane_plan_count(const struct lane_plan *plan)
{
    return plan->lanes;
}

/* ---- as text */

const char *lane_plan_text(const struct lane_plan *plan)
{
    return plan->text;
}

static enum status write_text(struct lane_plan *plan, struct error *error)
{
    json_t *homes = json_object();
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        if (plan->entities[i].home != BY_KEY) {
            json_t *name = json_text(plan->entities[i].table);
            json_object_set_new(homes, json_string_value(name),
                                json_integer(plan->entities[i].home));
            json_decref(name);
        }
    }
    json_t *object = json_pack("{s:i,s:i,s:o}", "format", CONTROL_FORMAT, "lanes", (int)plan->lanes,
                               "homes", homes);
    return json_to_arena(object, plan->arena, &plan->text, error);
}

enum status lane_plan_read(const struct run_session *session, const struct followed_form *form,
                           const char *text, struct lane_plan **made, struct error *error)
{
    json_t *object;
    *made = NULL;
    if (json_from_text(text, "the lanes", ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int64_t lanes = json_member_integer(object, "lanes", 0);
    if (lanes < 2 || lanes > LANES_MAX) {
        json_decref(object);
        return error_set(error, ERROR_LEDGER_INVALID, session->target_uri->shown,
                         "it says that changes were applied in %lld lanes", (long long)lanes);
    }
    struct lane_plan *plan = lane_plan_create(form, (uint32_t)lanes);
    const json_t *homes = json_object_get(object, "homes");
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        json_t *name = json_text(plan->entities[i].table);
        int64_t home = json_member_integer(homes, json_string_value(name), BY_KEY);
        plan->entities[i].home = home >= 0 && home < lanes ? (int32_t)home : BY_KEY;
        json_decref(name);
    }
    json_decref(object);
    plan->text = arena_copy_string(plan->arena, text);
    *made = plan;
    return STATUS_OK;
}

/* ---- what goes as one */

struct grouping {
    struct lane_plan *plan;
    const struct schema *schema;
    const struct schema_table **tables; /* an entity each; NULL: nobody knows */
    uint32_t *groups;                   /* an entity each: the first of those it goes with */
    bool *as_one;                       /* of the first of each group */
};

static const struct schema_table *find_table(const struct schema *schema, const char *name)
{
    const struct schema_table *found = schema_find_table(schema, name);
    for (uint32_t i = 0; i < schema->table_count && found == NULL; i++) {
        if (strcasecmp(schema->tables[i].name, name) == 0) {
            found = &schema->tables[i];
        }
    }
    return found;
}

static bool holds(struct column_list columns, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; i < columns.count && !found; i++) {
        found = strcasecmp(columns.names[i], name) == 0;
    }
    return found;
}

static bool are_same(struct column_list left, struct column_list right)
{
    bool same = left.count == right.count;
    for (uint32_t i = 0; i < left.count && same; i++) {
        same = holds(right, left.names[i]);
    }
    return same;
}

/* Is something of a record beside its key one record's alone? */
static bool has_other_keys(const struct schema_table *table, struct column_list key)
{
    bool has = table->primary_key.count > 0 && !are_same(table->primary_key, key);
    for (uint32_t i = 0; i < table->index_count && !has; i++) {
        has = table->indexes[i].unique && !are_same(table->indexes[i].columns, key);
    }
    return has;
}

static bool has_loose_key(const struct schema_table *table, struct column_list key)
{
    bool loose = false;
    for (uint32_t i = 0; i < table->column_count && !loose; i++) {
        loose = table->columns[i].loose != NULL && holds(key, table->columns[i].name);
    }
    return loose;
}

static uint32_t group_of(struct grouping *grouping, uint32_t entity)
{
    while (grouping->groups[entity] != entity) {
        entity = grouping->groups[entity];
    }
    return entity;
}

static void lane_plan_join(struct grouping *grouping, uint32_t one, uint32_t other)
{
    uint32_t first = group_of(grouping, one);
    uint32_t second = group_of(grouping, other);
    uint32_t low = first < second ? first : second;
    bool as_one = grouping->as_one[first] || grouping->as_one[second];
    grouping->groups[first] = grouping->groups[second] = low;
    grouping->as_one[low] = as_one;
}

static void join_references(struct grouping *grouping, uint32_t entity)
{
    const struct schema_table *table = grouping->tables[entity];
    for (uint32_t k = 0; k < table->foreign_key_count; k++) {
        const struct schema_table *parent =
            find_table(grouping->schema, table->foreign_keys[k].references);
        for (uint32_t i = 0; parent != NULL && i < grouping->plan->entity_count; i++) {
            if (grouping->tables[i] == parent) {
                lane_plan_join(grouping, entity, i);
                grouping->as_one[group_of(grouping, entity)] = true;
            }
        }
    }
}

static void find_groups(struct grouping *grouping, const struct followed_form *form)
{
    struct lane_plan *plan = grouping->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct schema_table *table = find_table(grouping->schema, plan->entities[i].table);
        const struct column_list key = form->tables[i].key;
        grouping->tables[i] = table;
        grouping->groups[i] = i;
        grouping->as_one[i] =
            table == NULL || has_other_keys(table, key) || has_loose_key(table, key);
    }
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(plan->entities[k].table, plan->entities[i].table) == 0) {
                lane_plan_join(grouping, k, i);
            }
        }
        if (grouping->tables[i] != NULL) {
            join_references(grouping, i);
        }
    }
}

static void give_homes(struct grouping *grouping)
{
    struct lane_plan *plan = grouping->plan;
    uint32_t next = 0;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        uint32_t first = group_of(grouping, i);
        if (first == i && grouping->as_one[i]) {
            plan->entities[i].home = (int32_t)(next++ % plan->lanes);
        } else if (first != i) {
            plan->entities[i].home = plan->entities[first].home;
        }
    }
}

/* Where tables have columns, they have keys that refuse. */
static enum status group_tables(struct run_session *session, struct lane_plan *plan,
                                const struct followed_form *form, struct error *error)
{
    struct database *target = session->target;
    struct schema *schema = NULL;
    if ((target->capabilities & CAPABILITY_SQL_SCHEMA) == 0) {
        return STATUS_OK;
    }
    if (target->connector->catalog->describe(target, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    size_t count = plan->entity_count + (size_t)1;
    struct grouping grouping = {
        .plan = plan,
        .schema = schema,
        .tables = arena_allocate_zeroed(schema->arena, count, sizeof *grouping.tables),
        .groups = arena_allocate_zeroed(schema->arena, count, sizeof *grouping.groups),
        .as_one = arena_allocate_zeroed(schema->arena, count, sizeof *grouping.as_one)};
    find_groups(&grouping, form);
    give_homes(&grouping);
    arena_destroy(schema->arena);
    return STATUS_OK;
}

enum status lane_plan_make(struct run_session *session, const struct followed_form *form,
                           uint32_t lanes, struct lane_plan **made, struct error *error)
{
    struct lane_plan *plan = lane_plan_create(form, lanes);
    *made = NULL;
    if (group_tables(session, plan, form, error) != STATUS_OK ||
        write_text(plan, error) != STATUS_OK) {
        lane_plan_free(plan);
        return STATUS_FAILED;
    }
    *made = plan;
    return STATUS_OK;
}

/* ---- a change */

/* A text that ends with blanks may be another spelling of one without them. */
static struct cell without_blanks(struct cell cell)
{
    while (cell.kind == VALUE_TEXT && cell.length > 0 && cell.text[cell.length - 1] == ' ') {
        cell.length--;
    }
    return cell;
}

static uint32_t lane_plan_draw(struct lane_plan *plan, const struct lane_entity *entity,
                               const struct cell *key, uint32_t count)
{
    struct error ignored = {0};
    buffer_clear(&plan->scratch);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell cell = without_blanks(key[i]);
        /* what has no order goes by the rest of the key */
        (void)!order_bytes_append(&cell, &plan->scratch, &ignored);
    }
    uint64_t hash = XXH3_64bits_withSeed(plan->scratch.data, plan->scratch.length, entity->seed);
    return (uint32_t)(hash % plan->lanes);
}

/* The key that the record has by now, if it is told and another one than it had. */
static bool moves(const struct lane_entity *entity, const struct record_change *change,
                  struct cell *key)
{
    bool moved = false;
    if (entity->key_fields == NULL || change->after == NULL ||
        entity->key_count != change->key_count || entity->key_count > FOLLOW_VALUES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < entity->key_count; i++) {
        const struct cell *now = &change->after[entity->key_fields[i]];
        key[i] = now->kind == VALUE_MISSING ? change->key[i] : *now;
        moved = moved || !value_equal(&key[i], &change->key[i]);
    }
    return moved;
}

uint32_t lane_plan_lane(struct lane_plan *plan, const struct record_change *change)
{
    const struct lane_entity *entity = &plan->entities[change->table];
    struct cell key[FOLLOW_VALUES_MAX];
    if (change->operation == RECORD_TRUNCATE || (change->key == NULL && entity->key_count > 0)) {
        return LANE_ALONE;
    }
    if (entity->home != BY_KEY) {
        return (uint32_t)entity->home;
    }
    if (entity->key_count == 0) { /* its changes keep their order */
        return lane_plan_draw(plan, entity, NULL, 0);
    }
    uint32_t lane = lane_plan_draw(plan, entity, change->key, change->key_count);
    if (moves(entity, change, key) &&
        lane_plan_draw(plan, entity, key, entity->key_count) != lane) {
        return LANE_ALONE;
    }
    return lane;
}
