/* Places and sets of them. */
#include "design/workload/place.h"

#include <stdlib.h>
#include <string.h>

static uint32_t add_path(struct places *places, struct place_path path)
{
    places->paths = arena_make_room(places->own, places->paths, places->path_count,
                                    &places->path_capacity, sizeof(*places->paths));
    places->paths[places->path_count] = path;
    return places->path_count++;
}

void places_init(struct places *places, const struct graph *graph, struct arena *arena)
{
    *places = (struct places){.own = arena, .arena = arena, .graph = graph};
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        (void)add_path(places, (struct place_path){.root = i,
                                                   .parent = GRAPH_NONE,
                                                   .relation = GRAPH_NONE,
                                                   .entity = i,
                                                   .first_longer = GRAPH_NONE,
                                                   .next_longer = GRAPH_NONE});
    }
}

uint32_t places_path(struct places *places, uint32_t path, uint32_t relation)
{
    struct place_path before = places->paths[path];
    for (uint32_t i = before.first_longer; i != GRAPH_NONE; i = places->paths[i].next_longer) {
        if (places->paths[i].relation == relation) {
            return i;
        }
    }
    uint32_t added = add_path(places, (struct place_path){
                                          .root = before.root,
                                          .parent = path,
                                          .relation = relation,
                                          .entity = places->graph->relations[relation].to,
                                          .length = before.length + 1,
                                          .first_longer = GRAPH_NONE,
                                          .next_longer = before.first_longer,
                                      });
    places->paths[path].first_longer = added;
    return added;
}

/* ---------------------------------------------------------------- numbers */

static uint32_t slot_of(const struct places *places, struct place place)
{
    uint64_t hash = ((uint64_t)place.path << 32 | place.field) * 0x9E3779B97F4A7C15u;
    uint32_t slot = (uint32_t)(hash >> 33) & (places->slot_count - 1);
    while (places->slots[slot] != 0) {
        struct place other = places->list[places->slots[slot] - 1];
        if (other.path == place.path && other.field == place.field) {
            break;
        }
        slot = (slot + 1) & (places->slot_count - 1);
    }
    return slot;
}

static void make_room(struct places *places)
{
    if (places->count * 2 < places->slot_count) {
        return;
    }
    places->slot_count = places->slot_count == 0 ? 256 : places->slot_count * 2;
    places->slots = arena_allocate_zeroed(places->own, places->slot_count, sizeof(uint32_t));
    for (uint32_t i = 0; i < places->count; i++) {
        places->slots[slot_of(places, places->list[i])] = i + 1;
    }
}

static uint32_t intern(struct places *places, struct place place)
{
    make_room(places);
    uint32_t slot = slot_of(places, place);
    if (places->slots[slot] == 0) {
        places->list = arena_make_room(places->own, places->list, places->count, &places->capacity,
                                       sizeof(*places->list));
        places->list[places->count++] = place;
        places->slots[slot] = places->count;
    }
    return places->slots[slot] - 1;
}

uint32_t places_number(struct places *places, uint32_t path, uint32_t field)
{
    bool nearer = true;
    while (nearer && places->paths[path].parent != GRAPH_NONE) {
        const struct graph_relation *relation =
            &places->graph->relations[places->paths[path].relation];
        nearer = false;
        for (uint32_t i = 0; i < relation->referenced.count && !nearer; i++) {
            if (relation->referenced.at[i] == field) {
                field = relation->fields.at[i];
                path = places->paths[path].parent;
                nearer = true;
            }
        }
    }
    return intern(places, (struct place){path, field});
}

/* ---------------------------------------------------------------- paths */

uint32_t places_join(struct places *places, uint32_t path, uint32_t rest)
{
    struct place_path last = places->paths[rest];
    return last.parent == GRAPH_NONE
               ? path
               : places_path(places, places_join(places, path, last.parent), last.relation);
}

uint32_t places_under(struct places *places, uint32_t path, uint32_t place)
{
    struct place inner = places->list[place];
    return places_number(places, places_join(places, path, inner.path), inner.field);
}

bool places_begins(const struct places *places, uint32_t path, uint32_t beginning)
{
    while (path != GRAPH_NONE && path != beginning) {
        path = places->paths[path].parent;
    }
    return path == beginning;
}

uint32_t places_rest(struct places *places, uint32_t path, uint32_t beginning)
{
    if (path == beginning) {
        return places->paths[beginning].entity;
    }
    struct place_path last = places->paths[path];
    return places_path(places, places_rest(places, last.parent, beginning), last.relation);
}

const struct graph_entity *places_entity(const struct places *places, uint32_t path)
{
    return &places->graph->entities[places->paths[path].entity];
}

const struct graph_field *places_field(const struct places *places, uint32_t place)
{
    struct place at = places->list[place];
    return &places_entity(places, at.path)->fields[at.field];
}

double places_distinct(const struct places *places, uint32_t place)
{
    double rows = places->graph->entities[places->paths[places->list[place].path].root].rows;
    double distinct = places_field(places, place)->distinct;
    return distinct < rows ? distinct : rows;
}

bool places_may_be_null(const struct places *places, uint32_t place)
{
    struct place at = places->list[place];
    const struct graph_entity *entity = places_entity(places, at.path);
    if (!entity->fields[at.field].column->not_null && !graph_fields_hold(entity->key, at.field)) {
        return true;
    }
    for (uint32_t path = at.path; places->paths[path].parent != GRAPH_NONE;
         path = places->paths[path].parent) {
        if (places->graph->relations[places->paths[path].relation].optional) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- sets */

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

struct place_set place_set_of(const uint32_t *list, uint32_t count, struct arena *arena)
{
    uint32_t *sorted = arena_allocate_zeroed(arena, count + 1u, sizeof(*sorted));
    uint32_t kept = 0;
    if (count > 0) {
        memcpy(sorted, list, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), by_number);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || sorted[kept - 1] != sorted[i]) {
            sorted[kept++] = sorted[i];
        }
    }
    return (struct place_set){sorted, kept};
}

bool place_set_holds(struct place_set set, uint32_t place)
{
    return set.count > 0 && bsearch(&place, set.at, set.count, sizeof(*set.at), by_number) != NULL;
}

bool place_set_is_within(struct place_set set, struct place_set other)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        while (at < other.count && other.at[at] < set.at[i]) {
            at++;
        }
        if (at == other.count || other.at[at] != set.at[i]) {
            return false;
        }
    }
    return true;
}

bool place_set_is_equal(struct place_set left, struct place_set right)
{
    return left.count == right.count &&
           (left.count == 0 || memcmp(left.at, right.at, left.count * sizeof(*left.at)) == 0);
}

struct place_set place_set_with(struct place_set set, uint32_t place, struct arena *arena)
{
    return place_set_union(set, (struct place_set){&place, 1}, arena);
}

struct place_set place_set_union(struct place_set left, struct place_set right, struct arena *arena)
{
    uint32_t *both = arena_allocate_zeroed(arena, left.count + right.count + 1u, sizeof(*both));
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < left.count || j < right.count) {
        bool from_left = j == right.count || (i < left.count && left.at[i] <= right.at[j]);
        uint32_t next = from_left ? left.at[i] : right.at[j];
        i += i < left.count && left.at[i] == next;
        j += j < right.count && right.at[j] == next;
        both[count++] = next;
    }
    return (struct place_set){both, count};
}

struct place_set place_set_minus(struct place_set set, struct place_set other, struct arena *arena)
{
    uint32_t *rest = arena_allocate_zeroed(arena, set.count + 1u, sizeof(*rest));
    uint32_t count = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        if (!place_set_holds(other, set.at[i])) {
            rest[count++] = set.at[i];
        }
    }
    return (struct place_set){rest, count};
}

/* ---------------------------------------------------------------- of entities */

struct place_set places_key(struct places *places, uint32_t path)
{
    const struct graph_fields key = places_entity(places, path)->key;
    uint32_t *list = arena_allocate_zeroed(places->arena, key.count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < key.count; i++) {
        list[i] = places_number(places, path, key.at[i]);
    }
    return place_set_of(list, key.count, places->arena);
}

struct place_set places_all(struct places *places, uint32_t path)
{
    uint32_t count = places_entity(places, path)->field_count;
    uint32_t *list = arena_allocate_zeroed(places->arena, count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < count; i++) {
        list[i] = places_number(places, path, i);
    }
    return place_set_of(list, count, places->arena);
}
