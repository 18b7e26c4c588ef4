/*
 * A window on src/design for tests in Python: reads one JSON object, prints one.
 *
 *   design_probe embed    {folder, any, texts}              tokens, vectors, note, seconds
 *   design_probe cluster  {vectors, clusters, seed, eps, min_samples, most}
 *                                                           what each algorithm makes of them
 *   design_probe names    {folder, texts, clusters, seed}   labels and coordinates
 */
#include "base/clock.h"
#include "design/cluster/cluster.h"
#include "design/embed/embed.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *fail(const struct error *error)
{
    return json_pack("{s:{s:s, s:s, s:s, s:s}}", "error", "code", error_describe(error->code)->name,
                     "object", error->object, "message", error->message, "hint", error->hint);
}

static json_t *floats(const float *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_real((double)values[i]));
    }
    return list;
}

static json_t *doubles(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_real(values[i]));
    }
    return list;
}

static json_t *numbers(const int32_t *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_integer(values[i]));
    }
    return list;
}

static double since(int64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

/* ---------------------------------------------------------------- texts */

static json_t *embed_all(struct embed_model *model, const json_t *list, double open_seconds)
{
    size_t count = json_array_size(list);
    struct text *texts = calloc(count + 1, sizeof *texts);
    float *vectors = calloc(count + 1, EMBED_WIDTH * sizeof *vectors);
    struct error error = {0};
    json_t *result = NULL;
    if (texts == NULL || vectors == NULL) {
        exit(3);
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = (struct text){json_string_value(json_array_get(list, i)),
                                 json_string_length(json_array_get(list, i))};
    }
    int64_t start_ns = clock_monotonic_ns();
    if (embed_texts(model, texts, count, vectors, &error) != STATUS_OK) {
        result = fail(&error);
    } else {
        double seconds = since(start_ns);
        const char *note = embed_model_note(model);
        json_t *tokens = json_array();
        json_t *rows = json_array();
        for (size_t i = 0; i < count; i++) {
            uint32_t found[EMBED_TOKENS_MAX];
            json_t *row = json_array();
            size_t found_count = embed_tokens(model, texts[i], found);
            for (size_t at = 0; at < found_count; at++) {
                json_array_append_new(row, json_integer(found[at]));
            }
            json_array_append_new(tokens, row);
            json_array_append_new(rows, floats(vectors + i * EMBED_WIDTH, EMBED_WIDTH));
        }
        result = json_pack("{s:o, s:o, s:s?, s:f, s:f}", "tokens", tokens, "vectors", rows, "note",
                           note, "open_seconds", open_seconds, "seconds", seconds);
    }
    free(texts);
    free(vectors);
    return result;
}

static json_t *probe_embed(const json_t *request)
{
    struct arena *arena = arena_create(0);
    struct embed_model *model = NULL;
    struct error error = {0};
    const char *folder = NULL;
    json_t *result = NULL;
    int64_t start_ns = clock_monotonic_ns();
    if (embed_find(json_string_value(json_object_get(request, "folder")), arena, &folder, &error) !=
            STATUS_OK ||
        embed_model_open(folder, json_is_true(json_object_get(request, "any")), &model, &error) !=
            STATUS_OK) {
        result = fail(&error);
    } else {
        result = embed_all(model, json_object_get(request, "texts"), since(start_ns));
        json_object_set_new(result, "folder", json_string(folder));
    }
    embed_model_close(model);
    arena_destroy(arena);
    return result;
}

/* ---------------------------------------------------------------- clusters */

/* What a request wants to know of its points. */
struct job {
    const json_t *request;
    struct cluster_points points;
    size_t clusters;
    struct arena *arena;
    struct cluster_distances *distances;
    json_t *result;
};

static size_t whole(const struct job *job, const char *name)
{
    return (size_t)json_integer_value(json_object_get(job->request, name));
}

static enum status run_kmeans(struct job *job, struct error *error)
{
    struct cluster_kmeans kmeans;
    double silhouette = 0;
    int64_t start_ns = clock_monotonic_ns();
    if (cluster_kmeans(&job->points, job->clusters, (uint32_t)whole(job, "seed"), job->arena,
                       &kmeans, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(job->result, "kmeans_seconds", json_real(since(start_ns)));
    json_object_set_new(job->result, "kmeans", numbers(kmeans.labels, job->points.count));
    json_object_set_new(job->result, "inertia", json_real(kmeans.inertia));
    json_object_set_new(job->result, "iterations", json_integer(kmeans.iterations));
    json_object_set_new(job->result, "centers",
                        floats(kmeans.centers, job->clusters * job->points.width));
    bool is_valid = cluster_silhouette(job->distances, kmeans.labels, &silhouette) == STATUS_OK;
    json_object_set_new(job->result, "silhouette", is_valid ? json_real(silhouette) : json_null());
    return STATUS_OK;
}

static enum status run_others(struct job *job, struct error *error)
{
    static const struct {
        const char *name;
        enum cluster_linkage linkage;
    } linkages[] = {{"ward", CLUSTER_WARD}, {"average", CLUSTER_AVERAGE}};
    struct cluster_dbscan dbscan;
    for (size_t i = 0; i < 2; i++) {
        int32_t *labels = NULL;
        if (cluster_agglomerative(job->distances, linkages[i].linkage, job->clusters, job->arena,
                                  &labels, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        json_object_set_new(job->result, linkages[i].name, numbers(labels, job->points.count));
    }
    if (cluster_dbscan(job->distances, json_number_value(json_object_get(job->request, "eps")),
                       whole(job, "min_samples"), job->arena, &dbscan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(job->result, "dbscan", numbers(dbscan.labels, job->points.count));
    json_object_set_new(job->result, "eps", json_real(dbscan.eps));
    return STATUS_OK;
}

static enum status run_pca(struct job *job, struct error *error)
{
    struct cluster_plane plane;
    int64_t start_ns = clock_monotonic_ns();
    if (cluster_pca(&job->points, job->arena, &plane, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(job->result, "pca_seconds", json_real(since(start_ns)));
    json_object_set_new(job->result, "coordinates",
                        doubles(plane.coordinates, 2 * job->points.count));
    json_object_set_new(job->result, "variance", doubles(plane.variance, 2));
    json_object_set_new(job->result, "ratio", doubles(plane.ratio, 2));
    return STATUS_OK;
}

static enum status run_choice(struct job *job, struct error *error)
{
    struct cluster_choice choice;
    int64_t start_ns = clock_monotonic_ns();
    if (whole(job, "most") == 0) {
        return STATUS_OK;
    }
    if (cluster_choose(&job->points, 2, whole(job, "most"), (uint32_t)whole(job, "seed"), &choice,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(job->result, "chosen", json_integer((json_int_t)choice.clusters));
    json_object_set_new(job->result, "chosen_silhouette", json_real(choice.silhouette));
    json_object_set_new(job->result, "choice_seconds", json_real(since(start_ns)));
    return STATUS_OK;
}

static json_t *probe_cluster(const json_t *request)
{
    const json_t *rows = json_object_get(request, "vectors");
    struct job job = {.request = request, .arena = arena_create(0), .result = json_object()};
    struct error error = {0};
    job.points.count = json_array_size(rows);
    job.points.width = json_array_size(json_array_get(rows, 0));
    size_t count = job.points.count * job.points.width;
    float *values = calloc(count + 1, sizeof *values);
    if (values == NULL) {
        exit(3);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)json_number_value(
            json_array_get(json_array_get(rows, i / job.points.width), i % job.points.width));
    }
    job.points.values = values;
    job.clusters = whole(&job, "clusters");
    int64_t start_ns = clock_monotonic_ns();
    enum status status = cluster_distances_measure(&job.points, &job.distances, &error);
    json_object_set_new(job.result, "distances_seconds", json_real(since(start_ns)));
    if (status != STATUS_OK || run_kmeans(&job, &error) != STATUS_OK ||
        run_others(&job, &error) != STATUS_OK || run_pca(&job, &error) != STATUS_OK ||
        run_choice(&job, &error) != STATUS_OK) {
        json_decref(job.result);
        job.result = fail(&error);
    }
    cluster_distances_free(job.distances);
    free(values);
    arena_destroy(job.arena);
    return job.result;
}

/* ---------------------------------------------------------------- from names to a plane */

static enum status group_names(const json_t *request, struct embed_model *model,
                               struct arena *arena, json_t *result, struct error *error)
{
    const json_t *list = json_object_get(request, "texts");
    size_t count = json_array_size(list);
    struct text *texts = arena_allocate_zeroed(arena, count, sizeof *texts);
    float *vectors = arena_allocate_zeroed(arena, count, EMBED_WIDTH * sizeof *vectors);
    struct job job = {.request = request,
                      .points = {vectors, count, EMBED_WIDTH},
                      .clusters = (size_t)json_integer_value(json_object_get(request, "clusters")),
                      .arena = arena,
                      .result = result};
    struct cluster_kmeans kmeans;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (struct text){json_string_value(json_array_get(list, i)),
                                 json_string_length(json_array_get(list, i))};
    }
    if (embed_texts(model, texts, count, vectors, error) != STATUS_OK ||
        cluster_kmeans(&job.points, job.clusters, (uint32_t)whole(&job, "seed"), arena, &kmeans,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(result, "kmeans", numbers(kmeans.labels, count));
    return run_pca(&job, error);
}

static json_t *probe_names(const json_t *request)
{
    struct arena *arena = arena_create(0);
    struct embed_model *model = NULL;
    struct error error = {0};
    json_t *result = json_object();
    if (embed_model_open(json_string_value(json_object_get(request, "folder")), false, &model,
                         &error) != STATUS_OK ||
        group_names(request, model, arena, result, &error) != STATUS_OK) {
        json_decref(result);
        result = fail(&error);
    }
    embed_model_close(model);
    arena_destroy(arena);
    return result;
}

int main(int count, char **arguments)
{
    json_error_t fault = {.line = 0};
    json_t *request = json_loadf(stdin, JSON_ALLOW_NUL, &fault);
    json_t *result = NULL;
    if (count == 2 && request != NULL && strcmp(arguments[1], "embed") == 0) {
        result = probe_embed(request);
    } else if (count == 2 && request != NULL && strcmp(arguments[1], "cluster") == 0) {
        result = probe_cluster(request);
    } else if (count == 2 && request != NULL && strcmp(arguments[1], "names") == 0) {
        result = probe_names(request);
    }
    if (result == NULL) {
        fprintf(stderr, "design_probe: wrong usage, or no JSON: %s\n", fault.text);
        return 2;
    }
    json_dumpf(result, stdout, 0);
    putchar('\n');
    json_decref(request);
    json_decref(result);
    return 0;
}
