/*
 * Places: fields as seen from an entity. A place is a field of the entity that a row is of (its
 * root), or of one that the row refers to, over one relation or several: "track", "track.album",
 * "track.album.artist" are paths from the root track. Places are numbers, so that sets of them are
 * cheap; a place that a foreign key makes equal to a nearer one is that nearer one
 * ("track.album / AlbumId" is "track / AlbumId").
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_PLACE_H
#define TRANSHUME_DESIGN_WORKLOAD_PLACE_H

#include "design/graph/graph.h"

struct place_path {
    uint32_t root;     /* entity */
    uint32_t parent;   /* the path before the last relation; GRAPH_NONE: this is the root's own */
    uint32_t relation; /* the last one */
    uint32_t entity;   /* where it ends */
    uint32_t length;
    uint32_t first_longer; /* paths that are one relation longer; GRAPH_NONE: none */
    uint32_t next_longer;  /* of the same parent */
};

struct place {
    uint32_t path;
    uint32_t field; /* of the path's entity */
};

/* Grows as paths and places are asked for. One thread. */
struct places {
    struct arena *own;   /* of paths and places */
    struct arena *arena; /* of the sets that are made; a caller may lend another for a while */
    const struct graph *graph;
    struct place_path *paths; /* the first are the entities' own, by their number */
    uint32_t path_count;
    uint32_t path_capacity;
    struct place *list;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* by (path, field): a hash table of numbers */
    uint32_t slot_count;
};

void places_init(struct places *places, const struct graph *graph, struct arena *arena);

/* The path that follows `relation` from where `path` ends. */
uint32_t places_path(struct places *places, uint32_t path, uint32_t relation);
/* The number of a place, the nearest that is equal to it. */
uint32_t places_number(struct places *places, uint32_t path, uint32_t field);
/* `path` followed by `rest`, which begins where `path` ends. */
uint32_t places_join(struct places *places, uint32_t path, uint32_t rest);
/* `place`, whose root is where `path` ends, as seen from `path`'s root. */
uint32_t places_under(struct places *places, uint32_t path, uint32_t place);
/* Does `path` begin with `beginning`? Each begins with itself. */
bool places_begins(const struct places *places, uint32_t path, uint32_t beginning);
/* `path` without its `beginning`, as a path of the entity where that ends. */
uint32_t places_rest(struct places *places, uint32_t path, uint32_t beginning);

const struct graph_entity *places_entity(const struct places *places, uint32_t path);
const struct graph_field *places_field(const struct places *places, uint32_t place);
/* Different values that rows of the place's root have there. */
double places_distinct(const struct places *places, uint32_t place);

/* May a row of the place's root have nothing there? */
bool places_may_be_null(const struct places *places, uint32_t place);

/* ---------------------------------------------------------------- sets */

/* Places of one root, ascending, none twice. What is returned is in the arena. */
struct place_set {
    const uint32_t *at;
    uint32_t count;
};

bool place_set_holds(struct place_set set, uint32_t place);
bool place_set_is_within(struct place_set set, struct place_set other);
bool place_set_is_equal(struct place_set left, struct place_set right);
struct place_set place_set_of(const uint32_t *list, uint32_t count, struct arena *arena);
struct place_set place_set_with(struct place_set set, uint32_t place, struct arena *arena);
struct place_set place_set_union(struct place_set left, struct place_set right,
                                 struct arena *arena);
struct place_set place_set_minus(struct place_set set, struct place_set other, struct arena *arena);

/* The key of the entity where `path` ends, all its own fields; as seen from the path's root. */
struct place_set places_key(struct places *places, uint32_t path);
struct place_set places_all(struct places *places, uint32_t path);

#endif
