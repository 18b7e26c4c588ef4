/* The columns of a graph, their vectors, and these in the plane. */
#include "design/names/names.h"

#include "design/embed/embed.h"
#include "model/json_writer.h"
#include <string.h>

static uint32_t count_columns(const struct graph *graph)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        count += graph->entities[i].field_count;
    }
    return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

static void list_columns(struct names *names, struct text *texts)
{
    struct names_column *columns =
        arena_allocate_zeroed(names->arena, names->count + 1u, sizeof(*columns));
    uint32_t at = 0;
    for (uint32_t i = 0; i < names->graph->entity_count; i++) {
        const struct graph_entity *entity = &names->graph->entities[i];
        for (uint32_t j = 0; j < entity->field_count; j++) {
            const char *name =
                arena_format(names->arena, "%s.%s", entity->name, entity->fields[j].name);
            columns[at] = (struct names_column){name, i, j};
            texts[at] = (struct text){name, strlen(name)};
            name_index_add(&names->index, name, strlen(name), at);
            at++;
        }
    }
    names->columns = columns;
}

static enum status embed(struct names *names, const char *weights, const struct text *texts,
                         const char **note, struct error *error)
{
    const char *folder = NULL;
    struct embed_model *model = NULL;
    float *vectors =
        arena_allocate_zeroed(names->arena, names->count, EMBED_WIDTH * sizeof(*vectors));
    if (embed_find(weights, names->arena, &folder, error) != STATUS_OK ||
        embed_model_open(folder, weights != NULL, &model, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *said = embed_model_note(model);
    *note = said != NULL ? arena_copy_string(names->arena, said) : NULL;
    enum status status = embed_texts(model, texts, names->count, vectors, error);
    embed_model_close(model);
    names->vectors = vectors;
    return status;
}

enum status names_read(const struct graph *graph, const char *weights, struct arena *arena,
                       struct names *names, const char **note, struct error *error)
{
    *names = (struct names){
        .arena = arena, .graph = graph, .count = count_columns(graph), .index = {.arena = arena}};
    *note = NULL;
    if (names->count > NAMES_COLUMNS_MAX) {
        return error_set(error, ERROR_BAD_VALUE, NULL,
                         "%u columns are more than the %d that can be clustered by their names",
                         names->count, NAMES_COLUMNS_MAX);
    }
    if (names->count == 0) {
        return error_set(error, ERROR_BAD_VALUE, NULL, "there are no columns");
    }
    struct text *texts = arena_allocate_zeroed(arena, names->count + 1u, sizeof(*texts));
    list_columns(names, texts);
    return embed(names, weights, texts, note, error);
}

enum status names_plane(const struct names *names, struct cluster_plane *plane, struct error *error)
{
    const struct cluster_points points = {names->vectors, names->count, EMBED_WIDTH};
    if (names->count < 2) {
        *plane = (struct cluster_plane){.coordinates =
                                            arena_allocate_zeroed(names->arena, 2, sizeof(double))};
        return STATUS_OK;
    }
    return cluster_pca(&points, names->arena, plane, error);
}

void names_append_vectors(const struct names *names, struct buffer *out)
{
    buffer_append_string(out, "{\n");
    for (uint32_t i = 0; i < names->count; i++) {
        json_append_printable(out, names->columns[i].name);
        for (uint32_t j = 0; j < EMBED_WIDTH; j++) {
            buffer_format(out, "%s%.9g", j == 0 ? ": [" : ", ",
                          (double)names->vectors[(size_t)i * EMBED_WIDTH + j]);
        }
        buffer_append_string(out, i + 1 < names->count ? "],\n" : "]\n");
    }
    buffer_append_string(out, "}\n");
}
