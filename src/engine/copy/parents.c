/* The order of streams, from the foreign keys that the target's tables have. */
#include "engine/copy/parents.h"
#include "base/log.h"
#include "engine/session/circles.h"
#include <stdlib.h>
#include <string.h>

/* Records of stream `child` refer to those of `parent`. */
struct edge {
    uint32_t parent;
    uint32_t child;
    bool later; /* the child's records may come first */
};

struct ordering {
    const struct plan *plan;
    struct stream_turn *turns;
    struct buffer edges;
    uint32_t *waits_for; /* a stream each: edges to it from those that have no rank yet */
    uint32_t *must_wait; /* of these, those that are not `later` */
    bool *ranked;
    bool *strict; /* a stream each: it refers to itself, and none of that may come later */
    bool waits;   /* somebody does */
};

bool parents_matter(const struct run *run)
{
    bool there = false;
    for (uint32_t i = 0; i < run->table_count; i++) {
        there = there || !run->tables[i].created;
    }
    return there && !run->loads_rejects &&
           (run->session->target->capabilities & CAPABILITY_REFERENCES) != 0;
}

/* ---- who refers to whom */

static void add_edge(struct ordering *ordering, struct edge edge)
{
    ordering->waits = true;
    if (edge.parent == edge.child) {
        ordering->turns[edge.child].in_order = true;
        ordering->strict[edge.child] = ordering->strict[edge.child] || !edge.later;
        return;
    }
    buffer_append(&ordering->edges, &edge, sizeof edge);
    ordering->waits_for[edge.child]++;
    ordering->must_wait[edge.child] += !edge.later;
}

/* For each pair of streams that fill the two tables. */
static void add_reference(struct ordering *ordering, const struct plan_table *parent,
                          const struct plan_table *child, bool later)
{
    const struct plan_entity *entities = ordering->plan->entities;
    for (uint32_t i = 0; i < parent->entity_count; i++) {
        for (uint32_t j = 0; j < child->entity_count; j++) {
            add_edge(ordering, (struct edge){.parent = entities[parent->entities[i]].stream,
                                             .child = entities[child->entities[j]].stream,
                                             .later = later});
        }
    }
}

/* Tables that are made by this run have no foreign keys yet. */
static void add_all(struct ordering *ordering, const struct run *run, const struct schema *schema)
{
    struct name_index numbers = session_target_names(run->session, run->arena);
    const struct plan_table *tables = ordering->plan->tables;
    for (uint32_t i = 0; i < run->table_count; i++) {
        const char *name = run->tables[i].name;
        (void)name_index_add(&numbers, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *found = &schema->tables[i];
        uint32_t child = name_index_find(&numbers, found->name, strlen(found->name));
        bool there = child != NAME_INDEX_NONE && !run->tables[child].created;
        for (uint32_t j = 0; there && j < found->foreign_key_count; j++) {
            const char *name = found->foreign_keys[j].references;
            uint32_t parent = name_index_find(&numbers, name, strlen(name));
            if (parent != NAME_INDEX_NONE) {
                add_reference(ordering, &tables[parent], &tables[child],
                              circles_is_later(&run->tables[child], &found->foreign_keys[j]));
            }
        }
    }
}

/* ---- ranks */

/* One that it waits for. */
static uint32_t parent_of(const struct ordering *ordering, uint32_t stream)
{
    const struct edge *edges = (const struct edge *)(const void *)ordering->edges.data;
    for (size_t i = 0; i < ordering->edges.length / sizeof *edges; i++) {
        if (edges[i].child == stream && !ordering->ranked[edges[i].parent]) {
            return edges[i].parent;
        }
    }
    return stream;
}

/* All that are left wait. The one whose turn it is nevertheless: its records may come first, or,
 * going from each to one that it waits for, a circle is found. */
static uint32_t break_circle(const struct ordering *ordering)
{
    const struct plan *plan = ordering->plan;
    uint32_t at = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (!ordering->ranked[i] && ordering->must_wait[i] == 0) {
            return i;
        }
    }
    while (ordering->ranked[at]) {
        at++;
    }
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        at = parent_of(ordering, at);
    }
    log_write(LOG_WARNING,
              "%s refers to %s, and that, at once or by way of others, to it: records that come "
              "before the one that they refer to are rejected; load them afterwards with "
              "`transhume migrate --rejects FILE`",
              plan->streams[at].name, plan->streams[parent_of(ordering, at)].name);
    return at;
}

/* A rank a round: all that wait for none of those without a rank. */
static void rank(struct ordering *ordering)
{
    const struct edge *edges = (const struct edge *)(const void *)ordering->edges.data;
    uint32_t count = ordering->plan->stream_count;
    uint32_t left = count;
    for (uint32_t round = 0; left > 0; round++) {
        uint32_t before = left;
        for (uint32_t i = 0; i < count; i++) {
            if (!ordering->ranked[i] && ordering->waits_for[i] == 0) {
                ordering->turns[i].rank = round;
                left--;
            }
        }
        if (left == before) {
            uint32_t broken = break_circle(ordering);
            ordering->turns[broken].rank = round;
            ordering->waits_for[broken] = 0;
            left--;
        }
        for (uint32_t i = 0; i < count; i++) {
            ordering->ranked[i] = ordering->ranked[i] ||
                                  (ordering->waits_for[i] == 0 && ordering->turns[i].rank == round);
        }
        for (size_t i = 0; i < ordering->edges.length / sizeof *edges; i++) {
            if (ordering->turns[edges[i].parent].rank == round &&
                ordering->ranked[edges[i].parent] && !ordering->ranked[edges[i].child]) {
                ordering->waits_for[edges[i].child]--;
                ordering->must_wait[edges[i].child] -= !edges[i].later;
            }
        }
    }
}

static void tell_loops(const struct ordering *ordering)
{
    for (uint32_t i = 0; i < ordering->plan->stream_count; i++) {
        if (ordering->strict[i]) {
            log_write(LOG_INFO,
                      "%s refers to itself: its chunks are copied one after the other; records "
                      "that come before the one that they refer to are rejected",
                      ordering->plan->streams[i].name);
        }
    }
}

void parents_find(struct run *run, const struct schema *schema)
{
    struct ordering ordering = {.plan = run->session->plan};
    uint32_t count = ordering.plan->stream_count;
    ordering.turns = arena_allocate_zeroed(run->arena, count + 1u, sizeof *ordering.turns);
    ordering.waits_for = arena_allocate_zeroed(run->arena, count + 1u, sizeof *ordering.waits_for);
    ordering.must_wait = arena_allocate_zeroed(run->arena, count + 1u, sizeof *ordering.must_wait);
    ordering.strict = arena_allocate_zeroed(run->arena, count + 1u, sizeof *ordering.strict);
    ordering.ranked = arena_allocate_zeroed(run->arena, count + 1u, sizeof *ordering.ranked);
    add_all(&ordering, run, schema);
    if (ordering.waits) {
        rank(&ordering);
        tell_loops(&ordering);
        run->seen.turns = ordering.turns;
    }
    buffer_free(&ordering.edges);
}
