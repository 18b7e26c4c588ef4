/* Clusters changed by hand. */
#include "design/embed/embed.h"
#include "design/names/names.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES_MAX = 200 };

/* ---------------------------------------------------------------- finding */

/* By its name, else by its number. */
static uint32_t find_cluster(const struct names_clusters *clusters, const char *name, size_t length)
{
    uint32_t found = NAMES_NONE;
    uint32_t matches = 0;
    int64_t number = 0;
    for (uint32_t i = 0; i < clusters->count; i++) {
        const char *own = clusters->list[i];
        if (strlen(own) != length || strncasecmp(own, name, length) != 0) {
            continue;
        }
        if (memcmp(own, name, length) == 0) {
            return i;
        }
        found = i;
        matches++;
    }
    if (matches == 0 && text_to_int64(name, length, &number) == STATUS_OK && number >= 1 &&
        number <= clusters->count) {
        return (uint32_t)number - 1;
    }
    return matches == 1 ? found : NAMES_NONE;
}

static enum status need_cluster(const struct names_clusters *clusters, const char *name,
                                size_t length, uint32_t *found, struct error *error)
{
    char shown[NAME_BYTES_MAX];
    *found = find_cluster(clusters, name, length);
    if (*found != NAMES_NONE) {
        return STATUS_OK;
    }
    text_printable(name, length, shown, sizeof(shown));
    error_set(error, ERROR_BAD_VALUE, shown, "is no cluster");
    const char *nearest = text_nearest(shown, clusters->list, clusters->count);
    if (nearest != NULL) {
        return error_hint(error, "did you mean `%s`?", nearest);
    }
    return error_hint(error, "clusters.yaml and the picture's legend have their names");
}

static enum status bad_form(const char *text, const char *form, struct error *error)
{
    char shown[NAME_BYTES_MAX];
    text_printable(text, strlen(text), shown, sizeof(shown));
    return error_set(error, ERROR_BAD_VALUE, shown, "is not of the form %s", form);
}

/* ---------------------------------------------------------------- changes */

/* A cluster without columns is none. */
static void drop_empty(struct names_clusters *clusters, uint32_t cluster)
{
    if (cluster == NAMES_NONE || names_cluster_size(clusters, cluster) > 0) {
        return;
    }
    for (uint32_t i = cluster + 1; i < clusters->count; i++) {
        clusters->list[i - 1] = clusters->list[i];
    }
    clusters->count--;
    for (uint32_t i = 0; i < clusters->names->count; i++) {
        if (clusters->of[i] != NAMES_NONE && clusters->of[i] > cluster) {
            clusters->of[i]--;
        }
    }
}

static enum status no_column(const struct names *names, const char *text, struct error *error)
{
    const char *end = strrchr(text, '=');
    char shown[NAME_BYTES_MAX];
    const char **list = memory_allocate_zeroed(names->count + 1u, sizeof(*list));
    text_printable(text, (size_t)(end - text), shown, sizeof(shown));
    for (uint32_t i = 0; i < names->count; i++) {
        list[i] = names->columns[i].name;
    }
    const char *nearest = text_nearest(shown, list, names->count);
    error_set(error, ERROR_BAD_VALUE, shown, "is no column");
    if (nearest != NULL) {
        error_hint(error, "did you mean `%s`?", nearest);
    }
    free(list);
    return STATUS_FAILED;
}

/* Both names may hold a "=": the first one behind a column's name counts. */
static enum status names_adjust_move(struct names_clusters *clusters, const char *text,
                                     struct error *error)
{
    const struct names *names = clusters->names;
    uint32_t to;
    if (strchr(text, '=') == NULL) {
        return bad_form(text, "table.column=CLUSTER", error);
    }
    for (const char *at = strchr(text, '='); at != NULL; at = strchr(at + 1, '=')) {
        uint32_t column = name_index_find(&names->index, text, (size_t)(at - text));
        if (column == NAME_INDEX_NONE) {
            continue;
        }
        if (need_cluster(clusters, at + 1, strlen(at + 1), &to, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        uint32_t from = clusters->of[column];
        clusters->of[column] = to;
        drop_empty(clusters, from);
        return STATUS_OK;
    }
    return no_column(names, text, error);
}

static enum status names_adjust_merge(struct names_clusters *clusters, const char *text,
                                      struct error *error)
{
    bool *merged = memory_allocate_zeroed(clusters->count + 1u, sizeof(*merged));
    enum status status = STATUS_OK;
    uint32_t into = NAMES_NONE;
    uint32_t found;
    uint32_t count = 0;
    bool more = true;
    for (const char *at = text; status == STATUS_OK && more;) {
        size_t length = strcspn(at, ",");
        status = need_cluster(clusters, at, length, &found, error);
        if (status == STATUS_OK) {
            into = into == NAMES_NONE ? found : into;
            count += !merged[found];
            merged[found] = true;
        }
        more = at[length] == ',';
        at += length + more;
    }
    if (status == STATUS_OK && count < 2) {
        status = bad_form(text, "A,B with two clusters or more", error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < clusters->names->count; i++) {
        if (clusters->of[i] != NAMES_NONE && merged[clusters->of[i]]) {
            clusters->of[i] = into;
        }
    }
    for (uint32_t i = clusters->count; status == STATUS_OK && i-- > 0;) {
        drop_empty(clusters, i);
    }
    free(merged);
    return status;
}

/* The part of the first column keeps the name. */
static void part(struct names_clusters *clusters, uint32_t cluster, const int32_t *labels)
{
    uint32_t at = 0;
    uint32_t other = clusters->count++;
    clusters->list[other] = NULL;
    for (uint32_t i = 0; i < clusters->names->count; i++) {
        if (clusters->of[i] == cluster) {
            clusters->of[i] = labels[at] == labels[0] ? cluster : other;
            at++;
        }
    }
    uint32_t entity = names_main_entity(clusters, other);
    clusters->list[other] = names_unique(clusters, clusters->names->graph->entities[entity].name);
}

/* Vectors that are all the same leave one of the two parts empty. */
static bool has_two_parts(const int32_t *labels, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (labels[i] != labels[0]) {
            return true;
        }
    }
    return false;
}

static enum status names_adjust_split(struct names_clusters *clusters, const char *text,
                                      struct error *error)
{
    const struct names *names = clusters->names;
    struct cluster_kmeans kmeans;
    uint32_t cluster;
    uint32_t count = 0;
    if (need_cluster(clusters, text, strlen(text), &cluster, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t size = names_cluster_size(clusters, cluster);
    if (size < 2) {
        return error_set(error, ERROR_BAD_VALUE, clusters->list[cluster],
                         "has one column alone, and can't be split");
    }
    float *values = memory_allocate_zeroed(size, EMBED_WIDTH * sizeof(*values));
    for (uint32_t i = 0; i < names->count; i++) {
        if (clusters->of[i] == cluster) {
            memcpy(values + (size_t)count++ * EMBED_WIDTH, names->vectors + (size_t)i * EMBED_WIDTH,
                   EMBED_WIDTH * sizeof(*values));
        }
    }
    const struct cluster_points points = {values, size, EMBED_WIDTH};
    enum status status = cluster_kmeans(&points, 2, NAMES_SEED, clusters->arena, &kmeans, error);
    if (status == STATUS_OK && has_two_parts(kmeans.labels, size)) {
        part(clusters, cluster, kmeans.labels);
    } else if (status == STATUS_OK) {
        status = error_set(error, ERROR_BAD_VALUE, clusters->list[cluster],
                           "has columns whose names are all alike, and can't be split");
    }
    free(values);
    return status;
}

static enum status rename_to(struct names_clusters *clusters, uint32_t cluster, const char *name,
                             struct error *error)
{
    uint32_t other = NAMES_NONE;
    if (name[0] == '\0' || strlen(name) > NAME_BYTES_MAX || strchr(name, ',') != NULL ||
        strchr(name, '=') != NULL || !text_is_utf8(name, strlen(name))) {
        return error_set(
            error, ERROR_BAD_VALUE, clusters->list[cluster],
            "a new name has 1 to %d bytes of UTF-8, without a comma or a =", NAME_BYTES_MAX);
    }
    for (uint32_t i = 0; i < clusters->count; i++) {
        other = i != cluster && strcasecmp(clusters->list[i], name) == 0 ? i : other;
    }
    if (other != NAMES_NONE) {
        return error_set(error, ERROR_BAD_VALUE, clusters->list[other],
                         "is the name of another cluster; merge them if they are to be one");
    }
    char *kept = arena_copy_string(clusters->arena, name);
    text_clean_line(kept);
    clusters->list[cluster] = kept;
    return STATUS_OK;
}

static enum status rename_one(struct names_clusters *clusters, const char *text,
                              struct error *error)
{
    const char *equals = strrchr(text, '=');
    uint32_t cluster;
    if (equals == NULL || equals == text) {
        return bad_form(text, "CLUSTER=NAME", error);
    }
    if (need_cluster(clusters, text, (size_t)(equals - text), &cluster, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return rename_to(clusters, cluster, equals + 1, error);
}

enum status names_adjust(struct names_clusters *clusters, enum names_verb verb, const char *text,
                         struct error *error)
{
    switch (verb) {
    case NAMES_MOVE:
        return names_adjust_move(clusters, text, error);
    case NAMES_MERGE:
        return names_adjust_merge(clusters, text, error);
    case NAMES_SPLIT:
        return names_adjust_split(clusters, text, error);
    default:
        return rename_one(clusters, text, error);
    }
}
