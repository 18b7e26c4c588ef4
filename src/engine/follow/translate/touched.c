/* Roots that changes have touched, until they are read again. */
#include "engine/follow/translate/touched.h"

#include "base/memory.h"
#include <stdlib.h>

enum { TOUCHED_BYTES_MAX = 8 << 20 };

struct touched_roots *touched_roots_create(const struct follow_routes *routes)
{
    struct touched_roots *made = memory_allocate_zeroed(1, sizeof *made);
    made->routes = routes;
    made->arena = arena_create(0);
    made->stream_count = routes->stream_count;
    made->streams = memory_allocate_zeroed(routes->stream_count + 1u, sizeof *made->streams);
    made->paths = memory_allocate_zeroed(routes->path_count + 1u, sizeof *made->paths);
    made->entity_count = routes->entity_count;
    made->former = memory_allocate_zeroed(routes->entity_count + 1u, sizeof *made->former);
    return made;
}

void touched_roots_destroy(struct touched_roots *touched)
{
    if (touched == NULL) {
        return;
    }
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        value_set_free(&touched->streams[i]);
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        value_set_free(&touched->paths[i]);
    }
    for (uint32_t i = 0; i < touched->entity_count; i++) {
        value_set_free(&touched->former[i]);
    }
    free(touched->former);
    free(touched->streams);
    free(touched->paths);
    arena_destroy(touched->arena);
    free(touched);
}

void touched_roots_clear(struct touched_roots *touched)
{
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        value_set_clear(&touched->streams[i]);
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        value_set_clear(&touched->paths[i]);
    }
    for (uint32_t i = 0; i < touched->entity_count; i++) {
        value_set_clear(&touched->former[i]);
    }
    arena_reset(touched->arena);
}

void touched_roots_drop(struct touched_roots *touched, uint32_t stream)
{
    const struct plan_stream *of = touched->routes->streams[stream].stream;
    value_set_clear(&touched->streams[stream]);
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        if (touched->routes->paths[i].stream == stream) {
            value_set_clear(&touched->paths[i]);
        }
    }
    for (uint32_t i = 0; i < of->entity_count; i++) {
        value_set_clear(&touched->former[of->entities[i]]);
    }
}

uint32_t touched_roots_count(const struct touched_roots *touched, uint32_t stream)
{
    return touched->streams[stream].count;
}

bool touched_roots_is_empty(const struct touched_roots *touched)
{
    bool empty = true;
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        empty = empty && touched->streams[i].count == 0;
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        empty = empty && touched->paths[i].count == 0;
    }
    for (uint32_t i = 0; i < touched->entity_count; i++) {
        empty = empty && touched->former[i].count == 0;
    }
    return empty;
}

bool touched_roots_are_many(const struct touched_roots *touched)
{
    return touched->arena->bytes > TOUCHED_BYTES_MAX;
}

bool touched_roots_were_read(const struct touched_roots *touched)
{
    return touched->were_read;
}

void touched_roots_transaction_ends(struct touched_roots *touched)
{
    touched->were_read = false;
}

enum status touched_roots_add_key(struct touched_roots *touched, uint32_t stream,
                                  const struct cell *key, uint32_t key_count, struct error *error)
{
    return value_set_add(&touched->streams[stream], touched->arena, key, key_count, error);
}

enum status touched_roots_add_path(struct touched_roots *touched, uint32_t path,
                                   const struct cell *values, uint32_t count, struct error *error)
{
    return value_set_add(&touched->paths[path], touched->arena, values, count, error);
}

enum status touched_roots_add_former(struct touched_roots *touched, uint32_t entity,
                                     const struct cell *cells, uint32_t count, struct error *error)
{
    return value_set_add(&touched->former[entity], touched->arena, cells, count, error);
}
