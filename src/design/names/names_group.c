/* Vectors of names in clusters, and the names of these. */
#include "design/embed/embed.h"
#include "design/names/names.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DENSE_POINTS_MIN = 3 }; /* of DBSCAN */

/* ---------------------------------------------------------------- the algorithms */

static struct cluster_points points_of(const struct names *names)
{
    return (struct cluster_points){names->vectors, names->count, EMBED_WIDTH};
}

/* From two to twice as many as there are tables. */
static enum status choose_count(const struct names *names, size_t tables, size_t *clusters,
                                struct error *error)
{
    const struct cluster_points points = points_of(names);
    struct cluster_choice choice;
    if (names->count < 4) {
        return STATUS_OK;
    }
    if (cluster_choose(&points, 2, 2 * tables, NAMES_SEED, &choice, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *clusters = choice.clusters;
    return STATUS_OK;
}

static enum status by_distances(const struct names *names, enum names_algorithm algorithm,
                                size_t clusters, const int32_t **labels, struct error *error)
{
    const struct cluster_points points = points_of(names);
    struct cluster_distances *distances = NULL;
    struct cluster_dbscan dbscan = {0};
    int32_t *merged = NULL;
    enum status status = cluster_distances_measure(&points, &distances, error);
    if (status == STATUS_OK && algorithm == NAMES_DBSCAN) {
        status = cluster_dbscan(distances, 0, DENSE_POINTS_MIN, names->arena, &dbscan, error);
        *labels = dbscan.labels;
    } else if (status == STATUS_OK) {
        status =
            cluster_agglomerative(distances, CLUSTER_WARD, clusters, names->arena, &merged, error);
        *labels = merged;
    }
    cluster_distances_free(distances);
    return status;
}

static enum status label(const struct names *names, const struct names_options *options,
                         const int32_t **labels, struct error *error)
{
    const struct cluster_points points = points_of(names);
    struct cluster_kmeans kmeans;
    size_t tables = names->graph->entity_count;
    size_t clusters = options->clusters > 0 ? options->clusters : tables;
    if (options->algorithm != NAMES_DBSCAN && options->choose &&
        choose_count(names, tables, &clusters, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    clusters = clusters < names->count ? clusters : names->count;
    if (names->count < 2) {
        *labels = arena_allocate_zeroed(names->arena, 1, sizeof(**labels));
        return STATUS_OK;
    }
    if (options->algorithm != NAMES_KMEANS) {
        return by_distances(names, options->algorithm, clusters, labels, error);
    }
    if (cluster_kmeans(&points, clusters, NAMES_SEED, names->arena, &kmeans, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *labels = kmeans.labels;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- clusters */

uint32_t names_cluster_size(const struct names_clusters *clusters, uint32_t cluster)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < clusters->names->count; i++) {
        size += clusters->of[i] == cluster;
    }
    return size;
}

/* Columns stand entity by entity. */
uint32_t names_main_entity(const struct names_clusters *clusters, uint32_t cluster)
{
    const struct names *names = clusters->names;
    uint32_t best = NAMES_NONE;
    uint32_t most = 0;
    for (uint32_t i = 0; i < names->count;) {
        uint32_t entity = names->columns[i].entity;
        uint32_t count = 0;
        for (; i < names->count && names->columns[i].entity == entity; i++) {
            count += clusters->of[i] == cluster;
        }
        if (count > most) {
            most = count;
            best = entity;
        }
    }
    return best;
}

static bool is_taken(const struct names_clusters *clusters, const char *name)
{
    for (uint32_t i = 0; i < clusters->count; i++) {
        if (clusters->list[i] != NULL && strcasecmp(clusters->list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *names_unique(const struct names_clusters *clusters, const char *name)
{
    const char *unique = arena_copy_string(clusters->arena, name);
    for (uint32_t i = 2; is_taken(clusters, unique); i++) {
        unique = arena_format(clusters->arena, "%s_%u", name, i);
    }
    return unique;
}

void names_center(const struct names_clusters *clusters, uint32_t cluster, float *center)
{
    const struct names *names = clusters->names;
    uint32_t size = 0;
    memset(center, 0, EMBED_WIDTH * sizeof(*center));
    for (uint32_t i = 0; i < names->count; i++) {
        if (clusters->of[i] == cluster) {
            const float *vector = names->vectors + (size_t)i * EMBED_WIDTH;
            for (uint32_t j = 0; j < EMBED_WIDTH; j++) {
                center[j] += vector[j];
            }
            size++;
        }
    }
    for (uint32_t j = 0; j < EMBED_WIDTH && size > 0; j++) {
        center[j] /= (float)size;
    }
}

void names_clusters_copy(const struct names_clusters *clusters, struct names_clusters *out)
{
    uint32_t columns = clusters->names->count;
    *out = *clusters;
    out->of = arena_allocate_zeroed(clusters->arena, columns + 1u, sizeof(*out->of));
    out->list = arena_allocate_zeroed(clusters->arena, columns + 1u, sizeof(*out->list));
    memcpy(out->of, clusters->of, columns * sizeof(*out->of));
    memcpy(out->list, clusters->list, clusters->count * sizeof(*out->list));
}

/* Numbered by their first columns. */
static void number(const int32_t *labels, struct names_clusters *clusters)
{
    uint32_t columns = clusters->names->count;
    uint32_t *numbers = memory_allocate_zeroed(columns + 1u, sizeof(*numbers));
    for (uint32_t i = 0; i < columns; i++) {
        clusters->of[i] = NAMES_NONE;
        if (labels[i] == CLUSTER_NOISE) {
            continue;
        }
        if (numbers[labels[i]] == 0) {
            numbers[labels[i]] = ++clusters->count;
        }
        clusters->of[i] = numbers[labels[i]] - 1;
    }
    free(numbers);
}

enum status names_group(const struct names *names, const struct names_options *options,
                        struct names_clusters *clusters, struct error *error)
{
    const int32_t *labels = NULL;
    *clusters = (struct names_clusters){.arena = names->arena, .names = names};
    clusters->of = arena_allocate_zeroed(names->arena, names->count + 1u, sizeof(*clusters->of));
    clusters->list =
        arena_allocate_zeroed(names->arena, names->count + 1u, sizeof(*clusters->list));
    if (label(names, options, &labels, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    number(labels, clusters);
    for (uint32_t i = 0; i < clusters->count; i++) {
        uint32_t entity = names_main_entity(clusters, i);
        clusters->list[i] = names_unique(clusters, names->graph->entities[entity].name);
    }
    return STATUS_OK;
}
