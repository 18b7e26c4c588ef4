/* Families and their figures. */
#include "design/workload/family.h"

#include "design/workload/bucket.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- keys */

static void complete_key(struct places *places, const struct cost_model *model,
                         struct family *family)
{
    struct place_set own = places_key(places, family->root);
    struct query_order *clustering = arena_allocate_zeroed(
        places->arena, family->clustering_count + own.count + 1u, sizeof(*clustering));
    uint32_t count = 0;
    struct place_set key = family->partition;
    for (uint32_t i = 0; i < family->clustering_count; i++) {
        if (!place_set_holds(key, family->clustering[i].place)) {
            clustering[count] = family->clustering[i];
            clustering[count].descending = clustering[count].descending && !model->indexes;
            count++;
            key = place_set_with(key, family->clustering[i].place, places->arena);
        }
    }
    /* The rest of the key in the order that the source has it in. */
    const struct graph_fields fields = places->graph->entities[family->root].key;
    for (uint32_t i = 0; i < fields.count; i++) {
        uint32_t place = places_number(places, family->root, fields.at[i]);
        if (!place_set_holds(key, place)) {
            clustering[count++] = (struct query_order){place, false};
            key = place_set_with(key, place, places->arena);
        }
    }
    family->clustering = clustering;
    family->clustering_count = count;
    family->key = key;
    family->fields = place_set_union(family->fields, key, places->arena);
}

/* Is what `path` ends at decided by the partition: are all fields of its last relation, or of an
 * earlier one, in the partition key? */
static bool is_decided(struct places *places, const struct family *family, uint32_t path)
{
    for (; places->paths[path].parent != GRAPH_NONE; path = places->paths[path].parent) {
        const struct graph_relation *relation =
            &places->graph->relations[places->paths[path].relation];
        bool all = true;
        for (uint32_t i = 0; i < relation->fields.count && all; i++) {
            all =
                place_set_holds(family->partition, places_number(places, places->paths[path].parent,
                                                                 relation->fields.at[i]));
        }
        if (all) {
            return true;
        }
    }
    return false;
}

static void find_statics(struct places *places, const struct cost_model *model,
                         struct family *family)
{
    uint32_t *list = arena_allocate_zeroed(places->arena, family->fields.count + 1u, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0;
         i < family->fields.count && family->clustering_count > 0 && !model->indexes; i++) {
        uint32_t place = family->fields.at[i];
        if (!place_set_holds(family->key, place) &&
            is_decided(places, family, places->list[place].path)) {
            list[count++] = place;
        }
    }
    family->statics = place_set_of(list, count, places->arena);
}

static void find_optional(struct places *places, struct family *family)
{
    uint32_t *list = arena_allocate_zeroed(places->arena, family->key.count + 1u, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < family->key.count; i++) {
        if (places_may_be_null(places, family->key.at[i])) {
            list[count++] = family->key.at[i];
        }
    }
    family->optional = place_set_of(list, count, places->arena);
}

/* ---------------------------------------------------------------- figures */

static double bytes_of(const struct places *places, struct place_set set)
{
    double bytes = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        bytes += places_field(places, set.at[i])->bytes;
    }
    return bytes;
}

/* How much larger than the mean the largest group of rows is that share `partition`. */
static double skew_of(struct places *places, const struct family *family)
{
    const struct graph *graph = places->graph;
    if (place_set_is_within(places_key(places, family->root), family->partition)) {
        return 1;
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        bool all = relation->from == family->root;
        for (uint32_t j = 0; j < relation->fields.count && all; j++) {
            all = place_set_holds(family->partition,
                                  places_number(places, family->root, relation->fields.at[j]));
        }
        if (all) {
            return relation->fan_out_max / relation->fan_out;
        }
    }
    return family->partition.count == 0 ? 1 : 10;
}

void family_complete(struct places *places, const struct cost_model *model, struct family *family)
{
    complete_key(places, model, family);
    find_statics(places, model, family);
    find_optional(places, family);
    family->whole = family->optional.count == 0 &&
                    place_set_is_within(places_all(places, family->root), family->fields);
    family->rows = places->graph->entities[family->root].rows;
    family->partition_rows = family->partition.count == 0
                                 ? family->rows
                                 : query_rows(places, family->root, family->partition);
    family->partitions = family->rows / family->partition_rows;
    family->partition_rows_max = ceil(family->partition_rows * skew_of(places, family));
    if (family->partition_rows_max > family->rows) {
        family->partition_rows_max = family->rows;
    }
    double static_bytes = bytes_of(places, family->statics);
    family->row_bytes = bytes_of(places, family->fields) - static_bytes;
    family->bytes = family->rows * family->row_bytes + family->partitions * static_bytes;
    bucket_choose(places, model, family);
}

/* ---------------------------------------------------------------- equality */

/* The same key and order. */
static bool family_has_same_key(const struct family *left, const struct family *right)
{
    bool same = left->root == right->root &&
                place_set_is_equal(left->partition, right->partition) &&
                left->clustering_count == right->clustering_count;
    for (uint32_t i = 0; i < left->clustering_count && same; i++) {
        same = left->clustering[i].place == right->clustering[i].place &&
               left->clustering[i].descending == right->clustering[i].descending;
    }
    return same;
}

bool family_is_equal(const struct family *left, const struct family *right)
{
    return family_has_same_key(left, right) && left->first_rows == right->first_rows &&
           place_set_is_equal(left->fields, right->fields);
}
