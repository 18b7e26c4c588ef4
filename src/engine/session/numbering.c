/* Numbers of the ledger as numbers of the plan. */
#include "engine/session/numbering.h"

#include "engine/ledger/ledger_tables.h"

#include <string.h>

static bool is_same(const struct plan *plan, const struct ledger_header *header)
{
    bool same = plan->stream_count == header->stream_count;
    for (uint32_t i = 0; i < plan->stream_count && same; i++) {
        same = strcmp(plan->streams[i].name, header->streams[i].name) == 0;
    }
    return same;
}

static uint32_t *allocate(const struct run *run, uint32_t count)
{
    uint32_t *numbers = arena_allocate_zeroed(run->arena, count + 1u, sizeof *numbers);
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = NUMBERING_NONE;
    }
    return numbers;
}

static const struct plan_table *find_table(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (strcmp(plan->tables[i].target.name, name) == 0) {
            return &plan->tables[i];
        }
    }
    return NULL;
}

const struct run_numbering *numbering_make(const struct run *run,
                                           const struct ledger_header *header)
{
    const struct plan *plan = run->session->plan;
    if (header->tables == NULL || is_same(plan, header)) {
        return NULL;
    }
    struct run_numbering *made = arena_allocate_zeroed(run->arena, 1, sizeof *made);
    made->stream_count = header->stream_count;
    made->streams = allocate(run, made->stream_count);
    made->entity_count = ledger_entity_limit(header);
    made->entities = allocate(run, made->entity_count);
    made->former = allocate(run, plan->entity_count);
    for (uint32_t i = 0; i < header->stream_count; i++) {
        for (uint32_t s = 0; s < plan->stream_count; s++) {
            if (strcmp(header->streams[i].name, plan->streams[s].name) == 0) {
                made->streams[i] = s;
            }
        }
    }
    for (uint32_t t = 0; t < header->table_count; t++) {
        const struct ledger_table *was = &header->tables[t];
        const struct plan_table *table = find_table(plan, was->name);
        for (uint32_t i = 0; table != NULL && i < was->entity_count && i < table->entity_count;
             i++) {
            made->entities[was->entities[i].entity] = table->entities[i];
            made->former[table->entities[i]] = was->entities[i].entity;
        }
    }
    return made;
}

bool numbering_is_new(const struct run *run, uint32_t table)
{
    bool had = run->following.numbering == NULL;
    for (uint32_t i = 0; i < run->header.table_count && !had; i++) {
        had = strcmp(run->header.tables[i].name, run->tables[table].name) == 0;
    }
    return !had;
}
