/* The order of the steps: what others stand on comes before them, and goes after them. */
#include "base/name_index.h"
#include "evolve/diff/diff_internal.h"
#include <stdlib.h>
#include <string.h>

/* Kinds below this rank are what tables stand on. */
enum { RANK_OF_TABLES = 100, RANKS = 1000 };

struct edge {
    uint32_t first;
    uint32_t then;
};

struct graph {
    const struct diff_compare *compare;
    struct edge *edges;
    uint32_t count;
    uint32_t capacity;
};

static void put_before(struct graph *graph, uint32_t first, uint32_t then)
{
    first = diff_doer(graph->compare, first);
    then = diff_doer(graph->compare, then);
    if (first == DEFINITION_NONE || then == DEFINITION_NONE || first == then) {
        return;
    }
    graph->edges = arena_make_room(graph->compare->arena, graph->edges, graph->count,
                                   &graph->capacity, sizeof *graph->edges);
    graph->edges[graph->count++] = (struct edge){first, then};
}

/* Has what is dropped to go before what it stands on is altered? Not where that is replaced as it
 * stands. */
static bool is_in_the_way(const struct diff_compare *compare, const struct definition *user,
                          uint32_t used)
{
    uint32_t alter = compare->alter_of[used];
    if (alter == DEFINITION_NONE) {
        return false;
    }
    struct definition_change change = diff_change_of(compare, &compare->steps[alter]);
    return compare->from.items[used].rank >= RANK_OF_TABLES ||
           compare->functions->disturbs(&change, user);
}

static void add_needs(struct graph *graph, uint32_t number)
{
    const struct diff_compare *compare = graph->compare;
    const struct diff_step *step = &compare->steps[number];
    if (step->after != DEFINITION_NONE) {
        const struct definition *item = &compare->to.items[step->after];
        for (uint32_t i = 0; i < item->need_count; i++) {
            put_before(graph, compare->create_of[item->needs[i]], number);
        }
    }
    if (step->before != DEFINITION_NONE) {
        const struct definition *item = &compare->from.items[step->before];
        for (uint32_t i = 0; i < item->need_count; i++) {
            put_before(graph, number, compare->drop_of[item->needs[i]]);
            if (step->kind == DEFINITION_DROP && is_in_the_way(compare, item, item->needs[i])) {
                put_before(graph, number, compare->alter_of[item->needs[i]]);
            }
        }
    }
}

/* Indexes, and those of constraints, are named like tables: no two of a schema alike. */
static void append_place(struct buffer *key, const struct definition *item)
{
    bool apart = item->table != NULL && strcmp(item->kind, "index") != 0 &&
                 strcmp(item->kind, "constraint") != 0;
    buffer_clear(key);
    buffer_format(key, "%s\x1f%s\x1f%s", item->schema != NULL ? item->schema : "",
                  apart ? item->table : "", item->name);
}

/* A definition that is made under a name comes after the one that had it, whatever that is. */
static void free_names(struct graph *graph)
{
    const struct diff_compare *compare = graph->compare;
    struct name_index index = {.arena = compare->arena, .folded = true};
    struct buffer key = {0};
    for (uint32_t i = 0; i < compare->step_count; i++) {
        if (compare->steps[i].kind == DEFINITION_DROP) {
            append_place(&key, &compare->from.items[compare->steps[i].before]);
            (void)name_index_add(&index, arena_copy(compare->arena, key.data, key.length),
                                 key.length, i);
        }
    }
    for (uint32_t i = 0; i < compare->step_count; i++) {
        if (compare->steps[i].kind == DEFINITION_CREATE) {
            append_place(&key, &compare->to.items[compare->steps[i].after]);
            put_before(graph, name_index_find(&index, key.data, key.length), i);
            uint32_t before = compare->from_of_to[compare->steps[i].after];
            if (before != DEFINITION_NONE) {
                put_before(graph, compare->drop_of[before], i);
            }
        }
    }
    buffer_free(&key);
}

/* The lowest comes first of those that may. */
static int urgency(const struct diff_compare *compare, const struct diff_step *step)
{
    if (step->kind == DEFINITION_DROP) {
        const struct definition *item = &compare->from.items[step->before];
        bool late = item->holds_records || item->rank < RANK_OF_TABLES;
        return (late ? 3 * RANKS : RANKS) - item->rank;
    }
    return RANKS + compare->to.items[step->after].rank;
}

static int compare_edges(const void *left, const void *right)
{
    const struct edge *one = left;
    const struct edge *other = right;
    return (one->first > other->first) - (one->first < other->first);
}

struct sorting {
    const struct diff_compare *compare;
    const struct graph *graph;
    uint32_t *waits; /* by step: for how many others */
    bool *done;
    uint32_t *first_edge;
};

/* The most urgent step of those that wait for nothing; in a circle the most urgent of all. */
static uint32_t next_step(const struct sorting *sorting)
{
    const struct diff_compare *compare = sorting->compare;
    uint32_t found = DEFINITION_NONE;
    for (uint32_t i = 0; i < compare->step_count; i++) {
        if (sorting->done[i] || compare->steps[i].within != DEFINITION_NONE) {
            continue;
        }
        if (found == DEFINITION_NONE) {
            found = i;
            continue;
        }
        bool free = sorting->waits[i] == 0;
        bool found_free = sorting->waits[found] == 0;
        if (free != found_free
                ? free
                : urgency(compare, &compare->steps[i]) < urgency(compare, &compare->steps[found])) {
            found = i;
        }
    }
    return found;
}

static void diff_order_sort(struct diff_compare *compare, const struct graph *graph)
{
    uint32_t count = compare->step_count;
    struct sorting sorting = {
        .compare = compare,
        .graph = graph,
        .waits = arena_allocate_zeroed(compare->arena, count + 1u, sizeof(uint32_t)),
        .done = arena_allocate_zeroed(compare->arena, count + 1u, sizeof(bool)),
        .first_edge = arena_allocate_zeroed(compare->arena, count + 2u, sizeof(uint32_t)),
    };
    uint32_t *order = arena_allocate_zeroed(compare->arena, count + 1u, sizeof *order);
    if (graph->count > 0) {
        qsort(graph->edges, graph->count, sizeof *graph->edges, compare_edges);
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        sorting.waits[graph->edges[i].then]++;
        sorting.first_edge[graph->edges[i].first + 1]++;
    }
    for (uint32_t i = 1; i <= count; i++) {
        sorting.first_edge[i] += sorting.first_edge[i - 1];
    }
    for (uint32_t next; (next = next_step(&sorting)) != DEFINITION_NONE;) {
        sorting.done[next] = true;
        order[compare->order_count++] = next;
        for (uint32_t i = sorting.first_edge[next]; i < sorting.first_edge[next + 1]; i++) {
            sorting.waits[graph->edges[i].then]--;
        }
    }
    compare->order = order;
}

void diff_order(struct diff_compare *compare)
{
    struct graph graph = {.compare = compare};
    for (uint32_t i = 0; i < compare->step_count; i++) {
        add_needs(&graph, i);
    }
    free_names(&graph);
    diff_order_sort(compare, &graph);
}
