/* From changes of rows to changes of records. */
#include "engine/follow/translate/translate_internal.h"

#include "plan/mapping.h"
#include <string.h>

/* ---- making and freeing */

const struct followed_form *follow_form(const struct follow_translator *translator)
{
    return &translator->form;
}

const struct target_table *follow_tables(const struct follow_translator *translator)
{
    return translator->form.tables;
}

static void make_outputs(struct follow_translator *translator)
{
    const struct plan *plan = translator->session->plan;
    translator->form.tables = arena_allocate_zeroed(translator->arena, plan->entity_count + 1u,
                                                    sizeof(struct target_table));
    translator->form.outputs = arena_allocate_zeroed(translator->arena, plan->entity_count + 1u,
                                                     sizeof(struct change_table));
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        translator->form.tables[i] = plan->tables[entity->table].target;
        translator->form.outputs[i] = (struct change_table){
            .name = translator->form.tables[i].name,
            .shape = translator->form.documents ? NULL : plan_entity_batch_shape(entity)};
    }
}

static void make_mappers(struct follow_translator *translator)
{
    const struct run_session *session = translator->session;
    const struct plan *plan = session->plan;
    uint64_t most = session->target->limits.record_bytes_max;
    translator->mappers =
        arena_allocate_zeroed(translator->arena, plan->stream_count + 1u, sizeof(struct mapper *));
    translator->key_mappers =
        arena_allocate_zeroed(translator->arena, plan->stream_count + 1u, sizeof(struct mapper *));
    translator->left =
        arena_allocate_zeroed(translator->arena, plan->stream_count + 1u, sizeof(char *));
    translator->passed = arena_allocate_zeroed(translator->arena, plan->stream_count + 1u,
                                               sizeof *translator->passed);
    translator->differences = arena_allocate_zeroed(translator->arena, plan->stream_count + 1u,
                                                    sizeof *translator->differences);
    translator->placements =
        arena_allocate_zeroed(translator->arena, (plan->stream_count + 1u) * (size_t)PLACEMENTS,
                              sizeof *translator->placements);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct follow_stream *stream = &translator->routes->streams[i];
        if (!stream->stream->identity && stream->by_row) {
            translator->mappers[i] = mapper_create(plan, stream->stream, most);
        }
        translator->key_mappers[i] = mapper_create(stream->key_plan, stream->stream, most);
        for (uint32_t p = 0; p < PLACEMENTS; p++) {
            translator->placements[i * PLACEMENTS + p].at = arena_allocate_zeroed(
                translator->arena, stream->stream->request.column_count + 1u, sizeof(int32_t));
        }
    }
}

struct follow_translator *follow_translator_create(struct run *run,
                                                   const struct follow_routes *routes)
{
    struct run_session *session = run->session;
    struct arena *arena = arena_create(0);
    struct follow_translator *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    made->arena = arena;
    made->run = run;
    made->session = session;
    made->routes = routes;
    made->form.plan = session->plan;
    made->parts = session->target->connector->apply->tells_absent;
    made->form.documents = !session->target->connector->apply->keeps_log &&
                           (session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    made->form.moves = session->target->connector->apply->moves_records;
    make_outputs(made);
    make_mappers(made);
    return made;
}

void follow_translator_forget(struct follow_translator *translator)
{
    for (uint32_t i = 0; i < translator->session->plan->stream_count * PLACEMENTS; i++) {
        translator->placements[i].shape = NULL;
    }
    translator->event_count = 0;
}

void follow_translator_leave(struct follow_translator *translator, uint32_t stream,
                             const char *reason)
{
    translator->left[stream] = reason != NULL ? arena_copy_string(translator->arena, reason) : NULL;
}

const char *follow_translator_left(const struct follow_translator *translator, uint32_t stream)
{
    return translator->left[stream];
}

bool follow_translator_has_left(const struct follow_translator *translator)
{
    bool has = false;
    for (uint32_t i = 0; i < translator->session->plan->stream_count; i++) {
        has = has || translator->left[i] != NULL;
    }
    return has;
}

bool follow_translator_differs(struct follow_translator *translator,
                               struct follow_difference *difference)
{
    uint32_t count = translator->session->plan->stream_count;
    uint32_t i = 0;
    while (i < count && translator->differences[i].table == NULL) {
        i++;
    }
    if (i < count) {
        *difference = translator->differences[i];
        translator->differences[i] = (struct follow_difference){0};
    }
    return i < count;
}

bool follow_translator_event(struct follow_translator *translator, struct follow_table_event *event)
{
    if (translator->event_count == 0) {
        return false;
    }
    *event = translator->events[--translator->event_count];
    return true;
}

bool follow_translator_has_events(const struct follow_translator *translator)
{
    return translator->event_count > 0;
}

/* The gravest of each table is enough. */
static void note_event(struct follow_translator *translator, const char *table,
                       enum record_operation operation)
{
    for (uint32_t i = 0; i < translator->event_count; i++) {
        struct follow_table_event *event = &translator->events[i];
        if (strcmp(event->table, table) == 0) {
            event->operation = operation > event->operation ? operation : event->operation;
            return;
        }
    }
    translator->events =
        arena_make_room(translator->arena, translator->events, translator->event_count,
                        &translator->event_capacity, sizeof *translator->events);
    translator->events[translator->event_count++] =
        (struct follow_table_event){arena_copy_string(translator->arena, table), operation};
}

void follow_translator_destroy(struct follow_translator *translator)
{
    if (translator == NULL) {
        return;
    }
    for (uint32_t i = 0; i < translator->session->plan->stream_count; i++) {
        mapper_destroy(translator->mappers[i]);
        mapper_destroy(translator->key_mappers[i]);
    }
    arena_destroy(translator->arena);
}

/* ---- streams that were read again */

void follow_translator_pass(struct follow_translator *translator, uint32_t stream,
                            struct position position)
{
    const char *bytes = arena_copy(translator->arena, position.bytes, position.length);
    translator->passed[stream] = (struct position){(const uint8_t *)bytes, position.length};
}

/* The table was read when the transaction was over. Of a piece that is not the last one the end may
 * be where its transaction begins, or ends. */
static bool is_passed(const struct follow_translator *translator, uint32_t stream,
                      const struct change_set *source)
{
    const struct position *passed = &translator->passed[stream];
    if (passed->length == 0) {
        return false;
    }
    const struct feed_functions *feed = translator->session->source->connector->feed;
    return feed->covers(*passed, source->end) &&
           (source->last_piece || !feed->covers(source->end, *passed));
}

/* ---- by roots */

/* `other`: has the cells that are MISSING in the image for not having changed; may be NULL. */
static enum status touch_by_image(const struct follow_path *path, uint32_t number,
                                  const struct change_table *table, const struct cell *image,
                                  const struct cell *other, struct touched_roots *touched,
                                  struct error *error)
{
    struct cell values[FOLLOW_VALUES_MAX];
    for (uint32_t i = 0; i < path->columns.count && i < FOLLOW_VALUES_MAX; i++) {
        int32_t at = shape_field_find(table->shape, path->columns.names[i]);
        if (at < 0) {
            return follow_refuse_column(table, path->columns.names[i], error);
        }
        const struct cell *cell =
            image[at].kind == VALUE_MISSING && other != NULL ? &other[at] : &image[at];
        if (cell->kind == VALUE_MISSING) { /* which root had the row nobody could tell */
            error_set(error, ERROR_FOLLOW, table->name,
                      "a changed row came without the %s that it had, by which its lists and "
                      "look-ups are found",
                      path->columns.names[i]);
            return error_hint(error,
                              "have the source send whole rows (PostgreSQL: ALTER TABLE %s "
                              "REPLICA IDENTITY FULL)",
                              table->name);
        }
        if (cell->kind == VALUE_NULL) {
            return STATUS_OK; /* it leads nowhere */
        }
        values[i] = *cell;
    }
    return touched_roots_add_path(touched, number, values, path->columns.count, error);
}

/* The row before the change, as far as it was sent: its key at least. */
static const struct cell *image_before(const struct change_set *source,
                                       const struct record_change *change, struct arena *arena)
{
    const struct shape *shape = source->tables[change->table].shape;
    if (change->before != NULL || change->key == NULL || change->operation == RECORD_INSERT) {
        return change->before;
    }
    struct cell *image =
        arena_allocate_zeroed(arena, shape->field_count + (size_t)1, sizeof *image);
    for (uint32_t i = 0; i < change->key_count && i < shape->key_field_count; i++) {
        image[shape->key_fields[i]] = change->key[i];
    }
    return image;
}

static enum status translate_path(struct follow_translator *translator, uint32_t number,
                                  const struct change_set *source,
                                  const struct record_change *change, struct touched_roots *touched,
                                  struct arena *arena, struct error *error)
{
    const struct follow_path *path = &translator->routes->paths[number];
    const struct change_table *table = &source->tables[change->table];
    const struct cell *before = image_before(source, change, arena);
    enum status status = STATUS_OK;
    if (before != NULL) {
        status = touch_by_image(path, number, table, before, NULL, touched, error);
    }
    if (status == STATUS_OK && change->after != NULL) {
        status = touch_by_image(path, number, table, change->after, before, touched, error);
    }
    return status;
}

/* ---- what can't be followed */

/* After a failure: the stream is left, what its change has added is taken back, and the rest goes
 * on; or the failure is another one. */
static enum status translate_leave(struct follow_translator *translator, uint32_t stream,
                                   struct followed_set *set, uint32_t first, struct error *error)
{
    struct buffer reason = {0};
    if (error->code != ERROR_FOLLOW) {
        return STATUS_FAILED;
    }
    buffer_format(&reason, "%s: %s; %s", error->object, error->message, error->hint);
    follow_translator_leave(translator, stream, buffer_string(&reason));
    buffer_free(&reason);
    error_clear(error);
    set->set.change_count = first;
    return STATUS_OK;
}

static enum status refuse_truncate(const char *table, const char *why, struct error *error)
{
    error_set(error, ERROR_FOLLOW, table, "it was emptied by TRUNCATE%s", why);
    return error_hint(error, "DELETE can be followed");
}

/* All records of an entity went, if its table has no others. */
static enum status empty_entity(const struct follow_translator *translator, uint32_t number,
                                const char *emptied, struct followed_set *set, struct error *error)
{
    const struct plan *plan = translator->session->plan;
    const struct plan_table *table = &plan->tables[plan->entities[number].table];
    if (table->entity_count > 1) {
        return refuse_truncate(emptied, ", and its records share a table with others", error);
    }
    followed_set_empty(set, number);
    return STATUS_OK;
}

static enum status translate_truncate(struct follow_translator *translator,
                                      const struct change_set *source, const char *emptied,
                                      struct followed_set *set, struct error *error)
{
    const struct plan *plan = translator->session->plan;
    enum status status = STATUS_OK;
    uint32_t before = set->set.change_count;
    for (uint32_t i = 0; i < translator->routes->path_count && status == STATUS_OK; i++) {
        const struct follow_path *path = &translator->routes->paths[i];
        if (translator->left[path->stream] == NULL && strcmp(path->table, emptied) == 0) {
            refuse_truncate(emptied, ", which does not tell the records that its rows were part of",
                            error);
            status = translate_leave(translator, path->stream, set, set->set.change_count, error);
        }
    }
    for (uint32_t i = 0; i < plan->entity_count && status == STATUS_OK; i++) {
        uint32_t stream = plan->entities[i].stream;
        if (translator->left[stream] != NULL || is_passed(translator, stream, source) ||
            strcmp(plan->streams[stream].request.table, emptied) != 0) {
            continue;
        }
        uint32_t first = set->set.change_count;
        status = empty_entity(translator, i, emptied, set, error);
        status = status == STATUS_FAILED ? translate_leave(translator, stream, set, first, error)
                                         : status;
    }
    set->source_changes += set->set.change_count > before;
    return status;
}

/* The table was dropped and made again, or changed in a way that nothing tells: none of its rows is
 * known, and it is read again (follow_translator_event). */
enum status follow_translator_empty(struct follow_translator *translator, const char *table,
                                    struct followed_set *set, struct error *error)
{
    const struct plan *plan = translator->session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->entity_count && status == STATUS_OK; i++) {
        uint32_t stream = plan->entities[i].stream;
        if (translator->left[stream] != NULL ||
            strcmp(plan->streams[stream].request.table, table) != 0) {
            continue;
        }
        if (plan->tables[plan->entities[i].table].entity_count > 1) {
            error_set(
                error, ERROR_FOLLOW, table,
                "it was made again, or changed in a way that no change tells, and its records "
                "share a table with others");
            (void)!error_hint(error, "look at it");
            status = translate_leave(translator, stream, set, set->set.change_count, error);
        } else {
            followed_set_empty(set, i);
        }
    }
    return status;
}

/* ---- a set */

static enum status translate_change(struct follow_translator *translator,
                                    const struct change_set *source,
                                    const struct record_change *change, struct followed_set *set,
                                    struct touched_roots *touched, struct error *error)
{
    const struct follow_routes *routes = translator->routes;
    const char *name = source->tables[change->table].name;
    enum status status = STATUS_OK;
    bool reaches = false; /* a stream that was not left */
    if (change->operation >= RECORD_REDEFINED) {
        note_event(translator, name, change->operation);
        return change->operation == RECORD_REPLACED
                   ? follow_translator_empty(translator, name, set, error)
                   : STATUS_OK;
    }
    if (change->operation == RECORD_TRUNCATE) {
        return translate_truncate(translator, source, name, set, error);
    }
    for (uint32_t i = 0; i < translator->session->plan->stream_count && status == STATUS_OK; i++) {
        if (translator->left[i] == NULL && !is_passed(translator, i, source) &&
            strcmp(routes->streams[i].stream->request.table, name) == 0) {
            uint32_t first = set->set.change_count;
            reaches = true;
            status = routes->streams[i].whole
                         ? follow_translate_whole(translator, i, source, change, set, error)
                         : follow_translate_row(translator, i, source, change, set, touched, error);
            status = status == STATUS_FAILED ? translate_leave(translator, i, set, first, error)
                                             : status;
        }
    }
    for (uint32_t i = 0; i < routes->path_count && status == STATUS_OK; i++) {
        uint32_t stream = routes->paths[i].stream;
        if (translator->left[stream] == NULL && strcmp(routes->paths[i].table, name) == 0) {
            reaches = true;
            status = translate_path(translator, i, source, change, touched, set->set.arena, error);
            status = status == STATUS_FAILED
                         ? translate_leave(translator, stream, set, set->set.change_count, error)
                         : status;
        }
    }
    set->source_changes += reaches;
    return status;
}

enum status follow_translate(struct follow_translator *translator, struct change_set *source,
                             struct touched_roots *touched, struct followed_set **made,
                             struct error *error)
{
    struct followed_set *set = arena_allocate_zeroed(source->arena, 1, sizeof *set);
    set->set = *source;
    set->set.tables = translator->form.outputs;
    set->set.table_count = translator->session->plan->entity_count;
    set->set.changes = NULL;
    set->set.change_count = 0;
    set->source = source;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < source->change_count && status == STATUS_OK; i++) {
        status = translate_change(translator, source, &source->changes[i], set, touched, error);
    }
    *made = set;
    if (status != STATUS_OK) {
        arena_destroy(source->arena);
        *made = NULL;
    }
    return status;
}
