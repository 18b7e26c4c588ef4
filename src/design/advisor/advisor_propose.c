/* Suggested tables as families of the pool. */
#include "design/advisor/advisor_parts.h"

static uint32_t place_of(struct places *places, uint32_t root, const struct advisor_column *column)
{
    uint32_t path = root;
    for (uint32_t i = 0; i < column->relation_count; i++) {
        path = places_path(places, path, column->relations[i]);
    }
    return places_number(places, path, column->field);
}

static struct place_set set_of(struct places *places, uint32_t root, struct advisor_columns columns)
{
    uint32_t *list = arena_allocate_zeroed(places->arena, columns.count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < columns.count; i++) {
        list[i] = place_of(places, root, &columns.at[i]);
    }
    return place_set_of(list, columns.count, places->arena);
}

static struct family family_of(struct places *places, const struct advisor_table *table)
{
    struct query_order *clustering =
        arena_allocate_zeroed(places->arena, table->clustering.count + 1u, sizeof(*clustering));
    for (uint32_t i = 0; i < table->clustering.count; i++) {
        const struct advisor_column *column = &table->clustering.at[i];
        clustering[i] =
            (struct query_order){place_of(places, table->root, column), column->descending};
    }
    return (struct family){.root = table->root,
                           .partition = set_of(places, table->root, table->partition),
                           .clustering = clustering,
                           .clustering_count = table->clustering.count,
                           .fields = set_of(places, table->root, table->others)};
}

void advisor_propose(struct advisor_reply *reply, struct places *places, struct pool *pool)
{
    for (uint32_t i = 0; i < reply->table_count; i++) {
        struct advisor_table *table = &reply->tables[i];
        table->family = pool_add(pool, family_of(places, table));
    }
}
