/* The costs of writes. */
#include "design/workload/upkeep.h"

/* A write, as the family's upkeep needs it. */
struct writing {
    struct places *places;
    const struct cost_model *model;
    const struct workload_statement *statement;
    const struct family *family;
    uint32_t entity;
    struct place_set given; /* places of the entity that the statement names values of */
    double rows;            /* of the entity that it writes */
    struct upkeep *upkeep;
};

static void add_read(const struct writing *writing, const struct query *query, double times)
{
    struct upkeep *upkeep = writing->upkeep;
    if (query->fields.count > 0 && upkeep->read_count < UPKEEP_READS_MAX) {
        upkeep->reads[upkeep->read_count++] = (struct query_part){*query, times};
    }
}

static struct query query_of(uint32_t root, struct place_set equal, struct place_set fields)
{
    return (struct query){
        .root = root, .equal = equal, .range = GRAPH_NONE, .filter_share = 1, .fields = fields};
}

/* ---------------------------------------------------------------- the entity's own rows */

/* The family's fields that lie below `path`, as seen from where it ends; without its
 * entity's key, which is known. */
static struct place_set fields_below(const struct writing *writing, uint32_t path)
{
    struct places *places = writing->places;
    const struct family *family = writing->family;
    uint32_t *list = arena_allocate_zeroed(places->arena, family->fields.count + 1u, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < family->fields.count; i++) {
        struct place place = places->list[family->fields.at[i]];
        if (places_begins(places, place.path, path)) {
            list[count++] =
                places_number(places, places_rest(places, place.path, path), place.field);
        }
    }
    return place_set_of(list, count, places->arena);
}

/* Reads of the fields that a new row needs of the rows that it refers to. */
static void read_referred(const struct writing *writing)
{
    struct places *places = writing->places;
    uint32_t count = places->path_count;
    for (uint32_t path = places->graph->entity_count; path < count; path++) {
        if (places->paths[path].parent != writing->family->root) {
            continue;
        }
        const struct graph_relation *relation =
            &places->graph->relations[places->paths[path].relation];
        struct place_set fields = fields_below(writing, path);
        struct place_set key = {0};
        for (uint32_t i = 0; i < relation->referenced.count && fields.count > 0; i++) {
            key =
                place_set_with(key, places_number(places, relation->to, relation->referenced.at[i]),
                               places->arena);
        }
        struct query query = query_of(relation->to, key, fields);
        add_read(writing, &query, writing->rows);
    }
}

/* A new row that has nothing in the family's key is not in the family. */
static bool is_left_out(const struct writing *writing)
{
    const struct workload_statement *statement = writing->statement;
    const struct family *family = writing->family;
    struct place_set set = {0};
    for (uint32_t i = 0; i < statement->field_count; i++) {
        uint32_t place = places_number(writing->places, family->root, statement->fields[i].field);
        set = place_set_with(set, place, writing->places->arena);
    }
    for (uint32_t i = 0; i < family->optional.count && statement->field_count > 0; i++) {
        uint32_t place = family->optional.at[i];
        bool own = writing->places->list[place].path == family->root;
        bool made = places_field(writing->places, place)->column->default_text != NULL ||
                    places_field(writing->places, place)->column->generated != GENERATED_NO;
        if (own && !made && !place_set_holds(set, place)) {
            return true;
        }
    }
    return false;
}

static void insert_own(const struct writing *writing)
{
    if (is_left_out(writing)) {
        return;
    }
    writing->upkeep->written = writing->rows;
    if (!writing->statement->knows_referred) {
        read_referred(writing);
    }
}

static bool changes(const struct writing *writing, uint32_t path, struct place_set of)
{
    const struct workload_statement *statement = writing->statement;
    for (uint32_t i = 0; i < statement->field_count; i++) {
        if (place_set_holds(of, places_number(writing->places, path, statement->fields[i].field))) {
            return true;
        }
    }
    return false;
}

/* The key of the row, or where that changes all of it, unless the statement has it. Of a table with
 * indexes the entity's key is enough, and only the table needs it. */
static void read_own(const struct writing *writing, struct place_set wanted)
{
    struct places *places = writing->places;
    if (writing->model->indexes) {
        wanted =
            writing->family->whole ? places_key(places, writing->entity) : (struct place_set){0};
    }
    struct place_set missing = place_set_minus(wanted, writing->given, places->arena);
    struct query query = query_of(writing->entity, writing->given, missing);
    add_read(writing, &query, 1);
}

static void update_own(const struct writing *writing, uint32_t path)
{
    const struct family *family = writing->family;
    if (!changes(writing, path, family->fields)) {
        return;
    }
    bool moves = changes(writing, path, family->key);
    writing->upkeep->written += writing->rows;
    writing->upkeep->removed += moves ? writing->rows : 0;
    read_own(writing, moves ? family->fields : family->key);
}

/* ---------------------------------------------------------------- copies in rows of others */

static void update_copies(const struct writing *writing, uint32_t path)
{
    struct places *places = writing->places;
    const struct family *family = writing->family;
    if (!changes(writing, path, family->fields)) {
        return;
    }
    const struct graph_relation *relation = &places->graph->relations[places->paths[path].relation];
    struct place_set joint = {0};
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        joint = place_set_with(
            joint, places_number(places, places->paths[path].parent, relation->fields.at[i]),
            places->arena);
    }
    bool moves = changes(writing, path, family->key);
    bool is_static =
        !moves &&
        !changes(writing, path, place_set_minus(family->fields, family->statics, places->arena));
    bool placed = place_set_is_within(family->partition, joint);
    double copies = family->rows / places->graph->entities[writing->entity].rows;
    copies = copies < 1 ? 1 : copies;
    double rows = writing->rows * (is_static && placed ? 1 : copies);
    writing->upkeep->written += rows;
    writing->upkeep->removed += moves ? rows : 0;
    struct place_set wanted = writing->model->indexes ? places_key(places, family->root)
                              : moves                 ? family->fields
                              : is_static             ? family->partition
                                                      : family->key;
    struct query query =
        query_of(family->root, joint, place_set_minus(wanted, joint, places->arena));
    add_read(writing, &query, writing->rows);
}

/* ---------------------------------------------------------------- all of it */

static void read_given(struct writing *writing)
{
    const struct workload_statement *statement = writing->statement;
    uint32_t room = statement->predicate_count + statement->field_count + 1;
    uint32_t *list = arena_allocate_zeroed(writing->places->arena, room, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        if (statement->predicates[i].test == WORKLOAD_EQUAL) {
            list[count++] = places_number(writing->places, writing->entity,
                                          statement->predicates[i].field.field);
        }
    }
    writing->given = place_set_of(list, count, writing->places->arena);
    writing->rows = statement->kind == WORKLOAD_INSERT
                        ? 1
                        : query_rows(writing->places, writing->entity, writing->given);
}

static bool is_copied(const struct places *places, uint32_t entity, uint32_t root)
{
    for (uint32_t path = places->graph->entity_count; path < places->path_count; path++) {
        if (places->paths[path].root == root && places->paths[path].entity == entity) {
            return true;
        }
    }
    return false;
}

/* Most writes touch few of the families: nothing is allocated for the others. */
static bool may_touch(const struct places *places, const struct workload_statement *statement,
                      const struct family *family)
{
    if (statement->kind == WORKLOAD_SELECT || statement->alias_count == 0) {
        return false;
    }
    uint32_t entity = statement->aliases[0].entity;
    return entity == family->root ||
           (statement->kind == WORKLOAD_UPDATE && is_copied(places, entity, family->root));
}

void upkeep_find(struct places *places, const struct cost_model *model,
                 const struct workload_statement *statement, const struct family *family,
                 struct upkeep *upkeep)
{
    *upkeep = (struct upkeep){0};
    if (!may_touch(places, statement, family)) {
        return;
    }
    struct writing writing = {.places = places,
                              .model = model,
                              .statement = statement,
                              .family = family,
                              .entity = statement->aliases[0].entity,
                              .upkeep = upkeep};
    read_given(&writing);
    if (family->root == writing.entity) {
        if (statement->kind == WORKLOAD_INSERT) {
            insert_own(&writing);
        } else if (statement->kind == WORKLOAD_UPDATE) {
            update_own(&writing, family->root);
        } else {
            upkeep->removed = writing.rows;
            read_own(&writing, family->key);
        }
    }
    uint32_t count = places->path_count;
    for (uint32_t path = places->graph->entity_count;
         path < count && statement->kind == WORKLOAD_UPDATE; path++) {
        if (places->paths[path].root == family->root &&
            places->paths[path].entity == writing.entity) {
            update_copies(&writing, path);
        }
    }
}
