/* In which order tables are taken back. The plan's says nothing of it: a source may list what
 * refers to others first. */
#include "engine/rollback/rollback_parts.h"
#include "engine/session/circles.h"
#include <string.h>

/* Table `from` of the run refers to table `to`. */
struct reference {
    uint32_t from;
    uint32_t to;
    bool later; /* its columns may be NULL */
};

struct sorting {
    const struct target_table *tables;
    uint32_t count;
    struct name_index numbers;
    struct buffer references; /* struct reference */
    uint32_t *referrers;      /* a table each: references to it from those that are not placed */
    bool *placed;
    bool *there;
    struct rollback_looked *looked; /* one a table */
};

/* Also which tables are there. */
static void add_references(struct sorting *sorting, const struct schema *schema)
{
    for (uint32_t i = 0; i < sorting->count; i++) {
        const char *name = sorting->tables[i].name;
        (void)name_index_add(&sorting->numbers, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
        uint32_t from = name_index_find(&sorting->numbers, table->name, strlen(table->name));
        if (from != NAME_INDEX_NONE) {
            sorting->there[from] = true;
        }
        for (uint32_t j = 0; from != NAME_INDEX_NONE && j < table->foreign_key_count; j++) {
            const char *name = table->foreign_keys[j].references;
            const struct reference one = {
                .from = from,
                .to = name_index_find(&sorting->numbers, name, strlen(name)),
                .later = circles_is_later(&sorting->tables[from], &table->foreign_keys[j])};
            if (one.to != NAME_INDEX_NONE && one.to != from) {
                buffer_append(&sorting->references, &one, sizeof one);
                sorting->referrers[one.to]++;
            }
        }
    }
}

static void rollback_order_place(struct sorting *sorting, uint32_t number)
{
    const struct reference *all = (const void *)sorting->references.data;
    bool loosened = sorting->looked[number].loosened;
    sorting->placed[number] = true;
    for (size_t i = 0; i < sorting->references.length / sizeof *all; i++) {
        sorting->referrers[all[i].to] -= all[i].from == number && !(loosened && all[i].later);
    }
}

/* One in a circle whose records need not refer to others; false: there is none. */
static bool loosen_one(struct sorting *sorting)
{
    const struct reference *all = (const void *)sorting->references.data;
    uint32_t at = sorting->count;
    while (at > 0 && (sorting->placed[at - 1] || sorting->looked[at - 1].loosened ||
                      sorting->tables[at - 1].later_count == 0)) {
        at--;
    }
    for (size_t i = 0; at > 0 && i < sorting->references.length / sizeof *all; i++) {
        sorting->referrers[all[i].to] -= all[i].from == at - 1 && all[i].later;
    }
    if (at > 0) {
        sorting->looked[at - 1].loosened = true;
    }
    return at > 0;
}

/* Tables that are not there come first: a rollback that broke off may have left one put aside,
 * where it refers to others still. The rest backwards, but what refers to others before them; of a
 * circle that can't be opened the last one. */
static void rollback_order_sort(struct sorting *sorting, uint32_t *order)
{
    uint32_t count = sorting->count;
    uint32_t at = 0;
    for (uint32_t i = count; i > 0; i--) {
        if (!sorting->there[i - 1]) {
            order[at++] = i - 1;
            rollback_order_place(sorting, i - 1);
        }
    }
    while (at < count) {
        uint32_t last = count;
        uint32_t chosen = count;
        for (uint32_t i = count; i > 0 && chosen == count; i--) {
            if (!sorting->placed[i - 1]) {
                last = last == count ? i - 1 : last;
                chosen = sorting->referrers[i - 1] == 0 ? i - 1 : count;
            }
        }
        if (chosen == count && loosen_one(sorting)) {
            continue;
        }
        order[at] = chosen == count ? last : chosen;
        sorting->looked[order[at]].goes_early = chosen == count;
        rollback_order_place(sorting, order[at++]);
    }
}

/* Only where undo records tell which are the run's. */
static void find_circles(struct rollback *rollback, const struct schema *schema)
{
    struct arena *arena = rollback->run.arena;
    uint32_t count = rollback->run.header.table_count;
    struct target_table **tables = arena_allocate_zeroed(arena, count + 1u, sizeof *tables);
    if (rollback->session.target->connector->rollback->loosen == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        tables[i] = &rollback->tables[i];
    }
    circles_search(&rollback->session, schema, tables, count, arena);
    for (uint32_t i = 0; i < count; i++) {
        tables[i]->later_count = tables[i]->keeps_undo ? tables[i]->later_count : 0;
    }
}

enum status rollback_order(struct rollback *rollback, uint32_t **order, struct error *error)
{
    struct arena *arena = rollback->run.arena;
    uint32_t count = rollback->run.header.table_count;
    struct sorting sorting = {.tables = rollback->tables,
                              .count = count,
                              .looked = rollback->looked,
                              .numbers = session_target_names(&rollback->session, arena)};
    const struct connector *connector = rollback->session.target->connector;
    struct schema *schema = NULL;
    struct database *source = NULL;
    enum status status = STATUS_OK;

    sorting.placed = arena_allocate_zeroed(arena, count + 1u, sizeof(*sorting.placed));
    sorting.there = arena_allocate_zeroed(arena, count + 1u, sizeof(*sorting.there));
    sorting.referrers = arena_allocate_zeroed(arena, count + 1u, sizeof(*sorting.referrers));
    *order = arena_allocate_zeroed(arena, count + 1u, sizeof(**order));
    if (count > 1 && rollback_is_of_sql(rollback) && connector->catalog != NULL &&
        connector->source != NULL) {
        status = rollback_describe(rollback, 0, count, arena, &source, &schema, error);
    }
    if (status == STATUS_OK && schema != NULL) {
        find_circles(rollback, schema);
        add_references(&sorting, schema);
    }
    if (status == STATUS_OK) {
        rollback_order_sort(&sorting, *order);
    }
    for (uint32_t i = 0; i < count; i++) {
        rollback->tables[i].takes_out |= rollback->looked[i].goes_early;
    }
    buffer_free(&sorting.references);
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (source != NULL) {
        connector->close(source);
    }
    return status;
}
