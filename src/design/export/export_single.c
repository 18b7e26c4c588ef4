/* The single-table design of `init`, and its cost. */
#include "design/export/export_single.h"

#include "connectors/common/registry.h"
#include "design/export/export_parts.h"
#include "plan/propose/propose.h"
#include <string.h>

static void export_single_decide(const struct graph *graph, struct arena *arena, struct buffer *out,
                                 struct proposal *proposal)
{
    struct schema_table *tables =
        arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(*tables));
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        tables[i] = *graph->entities[i].table;
    }
    const struct schema schema = {.tables = tables, .table_count = graph->entity_count};
    *proposal = (struct proposal){.arena = arena, .joins = true, .out = out};
    propose_decide(proposal, &schema, NULL, true);
}

/* The rows of an entity, as the table holds them: in the partition of their owner, or in their
 * own. */
static struct family family_of(struct places *places, const struct propose_table *entry)
{
    const struct graph *graph = places->graph;
    uint32_t root = graph_find_entity(graph, entry->table->name, strlen(entry->table->name));
    struct family family = {
        .root = root, .partition = places_key(places, root), .fields = places_all(places, root)};
    uint32_t list[16];
    uint32_t count = 0;
    const struct column_list owner =
        entry->owner_key != NULL ? entry->owner_key->columns : (struct column_list){0};
    for (uint32_t i = 0; i < owner.count && i < 16; i++) {
        uint32_t field =
            graph_find_field(&graph->entities[root], owner.names[i], strlen(owner.names[i]));
        list[count++] = places_number(places, root, field);
    }
    if (count > 0) {
        family.partition = place_set_of(list, count, places->arena);
    }
    return family;
}

void export_single_make(const struct graph *graph, const struct workload *workload,
                        const struct cost_model *model, struct arena *arena,
                        struct export_single *single)
{
    struct proposal proposal;
    struct buffer unused = {0};
    *single = (struct export_single){0};
    export_single_decide(graph, arena, &unused, &proposal);
    places_init(&single->places, graph, arena);
    pool_init(&single->pool, &single->places, model, 0);
    for (uint32_t i = 0; i < proposal.count; i++) {
        const struct propose_table *entry = &proposal.tables[i];
        (void)pool_add(&single->pool, family_of(&single->places, entry));
        single->owned += entry->owner_key != NULL;
        single->owners += entry->owner_key == NULL;
    }
    single->pool.limit = single->pool.count; /* nothing else than these */
    search_prepare(&single->search, &single->pool, workload, arena);
    bool *chosen = arena_allocate_zeroed(arena, single->pool.count + 1u, sizeof(*chosen));
    memset(chosen, true, single->pool.count * sizeof(*chosen));
    score_find(&single->search, chosen, &single->score);
    buffer_free(&unused);
}

void export_single_append_plan(const struct graph *graph, const char *source, const char *target,
                               struct arena *arena, struct buffer *out)
{
    struct proposal proposal;
    layout_append_head(graph, source, target, out);
    export_single_decide(graph, arena, out, &proposal);
    propose_write_documents(&proposal, registry_find("dynamodb"));
}

void export_single_append_summary(const struct export_single *single, const struct score *other,
                                  struct buffer *out)
{
    buffer_format(out,
                  "single-table: %u owners with %u kinds of rows in their partitions; answered by "
                  "keys alone %.1f %%, %.2f requests a query, $%.4g a million statements (tables "
                  "and indexes: %.1f %%, %.2f, $%.4g)\n",
                  single->owners, single->owned, single->score.coverage * 100,
                  single->score.requests, single->score.cost, other->coverage * 100,
                  other->requests, other->cost);
}
