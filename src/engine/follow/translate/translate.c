/* From changes of rows to changes of records. */
#include "engine/follow/translate/translate.h"

#include "base/memory.h"
#include "engine/follow/reread.h"
#include "plan/map/mapper.h"
#include "plan/mapping.h"
#include <stdlib.h>
#include <string.h>

/* Where the columns of a stream's request are in the rows that the feed brings, and in those that
 * foreign keys change (cascade.h), by turns. */
enum { PLACEMENTS = 2 };
struct placement {
    const struct shape *shape; /* lives as long as the feed; NULL: none yet */
    int32_t *at;               /* by column of the request; -1: the row has none of that name */
};

struct follow_translator {
    struct run *run;
    struct run_session *session;
    const struct follow_routes *routes;
    struct arena *arena;
    struct followed_form form;
    bool parts;              /* the target takes a part of a record */
    struct mapper **mappers; /* by stream; NULL: its rows pass as they are */
    struct mapper **key_mappers;
    struct placement *placements; /* PLACEMENTS a stream, the one that was used last first */
    struct follow_difference *differences; /* by stream; the table is NULL: none */
    const char **left;                     /* likewise: why it is not followed any more; or NULL */
    struct position
        *passed; /* likewise: up to here its changes are in the target; length 0: none */
    struct follow_table_event *events; /* that were not told yet */
    uint32_t event_count;
    uint32_t event_capacity;
};

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

/* ---- rows as the plan's requests have them */

static void look_for_difference(struct follow_translator *translator, uint32_t number,
                                const struct shape *shape)
{
    const char *name = translator->routes->streams[number].stream->request.table;
    const struct schema_table *table = schema_find_table(translator->session->schema, name);
    struct follow_difference *difference = &translator->differences[number];
    for (uint32_t i = 0; table != NULL && i < shape->field_count; i++) {
        if (schema_column_named(table, shape->fields[i].name) == NULL) {
            difference->table = name;
            difference->added = arena_copy_string(translator->arena, shape->fields[i].name);
        }
    }
    const struct read_request *request = &translator->routes->streams[number].stream->request;
    const char **absent =
        arena_allocate_zeroed(translator->arena, request->column_count + 1u, sizeof *absent);
    difference->absent = (struct column_list){absent, 0};
    for (uint32_t i = 0; table != NULL && i < request->column_count; i++) {
        const struct read_column *column = &request->columns[i];
        if (column->join < 0 && schema_column_named(table, column->name) != NULL &&
            shape_field_find(shape, column->name) < 0) {
            difference->table = name;
            absent[difference->absent.count++] = column->name;
        }
    }
}

static const int32_t *translate_place(struct follow_translator *translator, uint32_t number,
                                      const struct shape *shape)
{
    struct placement *placement = &translator->placements[number * PLACEMENTS];
    const struct read_request *request = &translator->routes->streams[number].stream->request;
    if (placement->shape != shape) {
        const struct placement other = placement[1];
        placement[1] = placement[0];
        placement[0] = other;
    }
    if (placement->shape != shape) {
        look_for_difference(translator, number, shape);
        for (uint32_t i = 0; i < request->column_count; i++) {
            placement->at[i] = request->columns[i].join < 0
                                   ? shape_field_find(shape, request->columns[i].name)
                                   : -1;
        }
        placement->shape = shape;
    }
    return placement->at;
}

static enum status refuse_column(const struct change_table *table, const char *column,
                                 struct error *error)
{
    error_set(error, ERROR_FOLLOW, table->name, "its column %s is gone", column);
    return error_hint(error, "put it back, or leave it so");
}

static bool is_row_key(const struct follow_stream *stream, uint32_t column)
{
    return stream->row_key != NULL &&
           strcmp(stream->row_key, stream->stream->request.columns[column].name) == 0;
}

/* The source's table has it, but had it not yet when this change was made; or it is gone since,
 * which whoever asks follow_translator_differs finds out. */
static bool is_yet_to_come(const struct follow_translator *translator, uint32_t stream,
                           const char *column)
{
    const struct schema_table *table = schema_find_table(
        translator->session->schema, translator->routes->streams[stream].stream->request.table);
    return table != NULL && schema_column_named(table, column) != NULL;
}

/* The part of a row's image that is not there. */
struct lacking {
    bool any;
    bool to_come; /* some of it the source knows only since */
};

/* A row of one record, of the whole image. */
static enum status row_of_image(struct follow_translator *translator, uint32_t stream,
                                const struct change_table *table, const struct cell *image,
                                struct cell *row, struct lacking *lacking, struct error *error)
{
    const struct follow_stream *follow = &translator->routes->streams[stream];
    const struct read_request *request = &follow->stream->request;
    const int32_t *at = translate_place(translator, stream, table->shape);
    *lacking = (struct lacking){0};
    for (uint32_t i = 0; i < request->column_count; i++) {
        /* for these the root's row is read again, or nothing but rejects is named by them */
        if (request->columns[i].join >= 0 || (at[i] < 0 && is_row_key(follow, i))) {
            row[i] = cell_null();
            continue;
        }
        if (at[i] < 0 && !is_yet_to_come(translator, stream, request->columns[i].name)) {
            return refuse_column(table, request->columns[i].name, error);
        }
        row[i] = at[i] >= 0 ? image[at[i]] : cell_missing();
        lacking->any = lacking->any || row[i].kind == VALUE_MISSING;
        lacking->to_come = lacking->to_come || at[i] < 0;
    }
    return STATUS_OK;
}

/* The row before the change: whole, or of its key alone, where that is all that was sent.
 * STATUS_END: there was none. */
static enum status row_before(struct follow_translator *translator, uint32_t stream,
                              const struct change_set *source, const struct record_change *change,
                              struct cell *row, struct error *error)
{
    const struct follow_stream *follow = &translator->routes->streams[stream];
    const struct read_request *request = &follow->stream->request;
    const struct change_table *table = &source->tables[change->table];
    const struct shape *shape = table->shape;
    if (change->operation == RECORD_INSERT) {
        return STATUS_END;
    }
    const int32_t *at = translate_place(translator, stream, shape);
    for (uint32_t i = 0; i < request->column_count; i++) {
        row[i] = cell_null();
        bool known =
            change->before != NULL && at[i] >= 0 && change->before[at[i]].kind != VALUE_MISSING;
        if (known) {
            row[i] = change->before[at[i]];
        }
        for (uint32_t k = 0; !known && k < change->key_count && k < shape->key_field_count; k++) {
            if (at[i] >= 0 && shape->key_fields[k] == (uint32_t)at[i]) {
                row[i] = change->key[k];
                known = true;
            }
        }
        if (!known && follow->key_cells[i]) {
            error_set(error, ERROR_FOLLOW, table->name,
                      "a changed row came without the %s that it had, of which the target's key is "
                      "made",
                      request->columns[i].name);
            return error_hint(error,
                              "have the source send whole rows (PostgreSQL: ALTER TABLE %s "
                              "REPLICA IDENTITY FULL)",
                              table->name);
        }
    }
    return STATUS_OK;
}

/* ---- by row */

static struct batch *batch_of_row(const struct plan_stream *stream, const struct cell *row)
{
    struct batch *batch = batch_create(NULL, stream->request.column_count, 1);
    memcpy(batch_append(batch), row, stream->request.column_count * sizeof *row);
    return batch;
}

/* The records that the mapper has ready, handed to `take` one by one and then destroyed. */
static enum status take_output(struct mapper *mapper, struct mapper_output *output,
                               struct error *error)
{
    *output = (struct mapper_output){0};
    return mapper_take(mapper, output, error);
}

static void drop_output(struct mapper_output *output)
{
    for (uint32_t i = 0; i < output->batch_count; i++) {
        batch_destroy(output->batches[i]);
    }
    arena_destroy(output->arena);
    batch_destroy(output->keeper);
}

/* The key of an identity stream is some of the row's cells. STATUS_AGAIN: it is none, or has a key
 * that a column has not. */
static enum status key_of_identity(struct follow_translator *translator,
                                   const struct plan_stream *stream, const struct cell *row,
                                   followed_key *take, void *context, struct error *error)
{
    struct cell key[FOLLOW_VALUES_MAX];
    uint32_t entity = stream->entities[0];
    const struct column_list names = translator->form.tables[entity].key;
    const struct shape *shape = translator->session->plan->entities[entity].shape;
    if (!stream->identity || names.count > FOLLOW_VALUES_MAX) {
        return STATUS_AGAIN;
    }
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t at = shape_field_find(shape, names.names[i]);
        if (at < 0) {
            return STATUS_AGAIN;
        }
        key[i] = row[at];
    }
    return take(context, entity, key, names.count, error);
}

enum status follow_keys_of(struct follow_translator *translator, uint32_t stream,
                           const struct cell *row, followed_key *take, void *context,
                           struct error *error)
{
    enum status direct = key_of_identity(translator, translator->routes->streams[stream].stream,
                                         row, take, context, error);
    if (direct != STATUS_AGAIN) {
        return direct;
    }
    struct mapper *mapper = translator->key_mappers[stream];
    const struct plan_stream *plan_stream = translator->routes->streams[stream].stream;
    struct mapper_output output;
    mapper_begin_chunk(mapper);
    enum status status = mapper_map_batch(mapper, batch_of_row(plan_stream, row), error);
    if (status != STATUS_OK || take_output(mapper, &output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t b = 0; b < output.batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = output.batches[b];
        for (uint32_t i = 0; i < batch->row_count && status == STATUS_OK; i++) {
            status = take(context, batch->entity, batch_row(batch, i),
                          translator->routes->keys[batch->entity].count, error);
        }
    }
    drop_output(&output); /* a key that can't be made had no record */
    return status;
}

struct former {
    const struct follow_routes *routes;
    struct followed_set *set;
    struct touched_roots *touched;
};

/* Deletes a record by its former key; one that has pages is read again, since their number is not
 * known here. */
static enum status delete_key(void *context, uint32_t entity, const struct cell *key,
                              uint32_t key_count, struct error *error)
{
    const struct former *former = context;
    return former->routes->keys[entity].pages
               ? touched_roots_add_former(former->touched, entity, key, key_count, error)
               : followed_set_delete(former->set, entity, key, key_count, error);
}

/* The row as it is: an identity stream has one entity. */
static enum status put_identity(struct follow_translator *translator, struct followed_set *set,
                                uint32_t entity, struct cell *row, struct error *error)
{
    const struct plan_entity *made = &translator->session->plan->entities[entity];
    for (uint32_t i = 0; made->mapping->identity_omits_nulls && i < made->shape->field_count; i++) {
        row[i] = row[i].kind == VALUE_NULL ? cell_missing() : row[i];
    }
    return followed_set_put(&translator->form, set, entity, row, error);
}

static enum status put_mapped(struct follow_translator *translator, uint32_t stream,
                              struct followed_set *set, const struct cell *row, struct error *error)
{
    struct mapper *mapper = translator->mappers[stream];
    const struct plan_stream *plan_stream = translator->routes->streams[stream].stream;
    struct mapper_output output;
    uint32_t first = set->set.change_count;
    mapper_begin_chunk(mapper);
    enum status status = mapper_map_batch(mapper, batch_of_row(plan_stream, row), error);
    if (status != STATUS_OK || take_output(mapper, &output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t b = 0; b < output.batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = output.batches[b];
        for (uint32_t i = 0; i < batch->row_count && status == STATUS_OK; i++) {
            status =
                followed_set_put(&translator->form, set, batch->entity, batch_row(batch, i), error);
        }
    }
    for (uint32_t i = 0; i < output.reject_count && status == STATUS_OK; i++) {
        status = followed_set_reject(set, &output.rejects[i], error);
    }
    drop_output(&output);
    return status == STATUS_OK ? followed_set_reject_repeats(&translator->form, set, first, error)
                               : status;
}

/* Values that were not sent stay as they are, under a key that may be another one. */
static enum status put_part(struct follow_translator *translator, struct followed_set *set,
                            uint32_t entity, uint32_t first, const struct cell *row,
                            struct error *error)
{
    const struct record_change before =
        set->set.change_count > first ? set->set.changes[first] : (struct record_change){0};
    set->set.change_count = first;
    enum status status = followed_set_put(&translator->form, set, entity, row, error);
    bool is_reject = set->set.change_count == first; /* its key was not sent, or is null */
    if (status == STATUS_OK && before.key != NULL && !is_reject) {
        struct record_change *change =
            (struct record_change *)&set->set.changes[set->set.change_count - 1];
        change->key = before.key;
        change->key_count = before.key_count;
    }
    return status;
}

static enum status touch_root(const struct follow_stream *stream, const struct change_table *table,
                              const struct cell *image, struct touched_roots *touched,
                              struct error *error)
{
    struct cell key[FOLLOW_VALUES_MAX];
    uint32_t count = stream->root_key.count < FOLLOW_VALUES_MAX ? stream->root_key.count : 0;
    for (uint32_t i = 0; i < count; i++) {
        int32_t at = shape_field_find(table->shape, stream->root_key.names[i]);
        if (at < 0) {
            return refuse_column(table, stream->root_key.names[i], error);
        }
        key[i] = image[at];
    }
    return touched_roots_add_key(touched, stream->stream->number, key, count, error);
}

/* The row that has the key now that the changed one had is touched. */
static enum status touch_former(const struct follow_stream *stream,
                                const struct change_table *table,
                                const struct record_change *change, struct touched_roots *touched,
                                struct error *error)
{
    const struct shape *shape = table->shape;
    struct cell key[FOLLOW_VALUES_MAX];
    uint32_t found = 0;
    for (uint32_t i = 0; i < stream->root_key.count && i < FOLLOW_VALUES_MAX; i++) {
        for (uint32_t k = 0; k < change->key_count && k < shape->key_field_count; k++) {
            if (strcmp(shape->fields[shape->key_fields[k]].name, stream->root_key.names[i]) == 0) {
                key[i] = change->key[k];
                found++;
            }
        }
    }
    return found == stream->root_key.count
               ? touched_roots_add_key(touched, stream->stream->number, key, found, error)
               : STATUS_OK;
}

/* Records of the row that were rejected are settled: it is tried again, or no more. */
static bool settle_row(struct follow_translator *translator, uint32_t number,
                       const struct cell *row, struct followed_set *set, enum reject_state state)
{
    const struct plan_stream *stream = translator->routes->streams[number].stream;
    struct reject_book *book = translator->run->rejects.book;
    bool any = false;
    if (!reject_book_watches_sources(book) || stream->key_columns == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        const struct reject_id id =
            reject_id_of_source(stream->entities[i], row, stream->key_columns, stream->key_count);
        if (id.kind != 0 && reject_book_is_open(book, &id)) {
            followed_set_settle(set, stream->entities[i], &id, state);
            any = true;
        }
    }
    return any;
}

void follow_settle_root(struct follow_translator *translator, uint32_t number,
                        const struct cell *key, struct followed_set *set)
{
    const struct follow_stream *stream = &translator->routes->streams[number];
    const struct read_request *request = &stream->stream->request;
    if (!reject_book_watches_sources(translator->run->rejects.book)) {
        return;
    }
    struct cell *row =
        arena_allocate_zeroed(set->set.arena, request->column_count + (size_t)1, sizeof *row);
    for (uint32_t i = 0; i < request->column_count; i++) {
        for (uint32_t k = 0; request->columns[i].join < 0 && k < stream->root_key.count; k++) {
            if (strcmp(request->columns[i].name, stream->root_key.names[k]) == 0) {
                row[i] = key[k];
            }
        }
    }
    (void)settle_row(translator, number, row, set, REJECT_ARRIVED);
}

static enum status translate_row(struct follow_translator *translator, uint32_t number,
                                 const struct change_set *source,
                                 const struct record_change *change, struct followed_set *set,
                                 struct touched_roots *touched, struct error *error)
{
    const struct follow_stream *stream = &translator->routes->streams[number];
    const struct change_table *table = &source->tables[change->table];
    struct cell *row = arena_allocate(
        set->set.arena, (stream->stream->request.column_count + (size_t)1) * sizeof *row);
    uint32_t first = set->set.change_count;
    uint32_t rejects = set->reject_count;
    bool was_rejected = false;
    struct lacking lacking = {0};
    enum status status = row_before(translator, number, source, change, row, error);
    if (status == STATUS_OK) {
        was_rejected = settle_row(translator, number, row, set,
                                  change->after == NULL ? REJECT_GONE : REJECT_ARRIVED);
        struct former former = {translator->routes, set, touched};
        status = follow_keys_of(translator, number, row, delete_key, &former, error);
    }
    if (status == STATUS_OK && !stream->by_row && touched_roots_were_read(touched)) {
        status = touch_former(stream, table, change, touched, error);
    }
    if (status == STATUS_FAILED || change->after == NULL) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    uint32_t deletes = set->set.change_count - first;
    if (row_of_image(translator, number, table, change->after, row, &lacking, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t entity = stream->stream->entities[0];
    was_rejected = settle_row(translator, number, row, set, REJECT_ARRIVED) || was_rejected;
    if (lacking.any && !lacking.to_come && stream->stream->identity && !was_rejected &&
        translator->parts && !translator->form.documents) {
        return put_part(translator, set, entity, first, row, error);
    }
    if (lacking.any || !stream->by_row) { /* what is in the source now says the rest */
        return touch_root(stream, table, change->after, touched, error);
    }
    status = stream->stream->identity ? put_identity(translator, set, entity, row, error)
                                      : put_mapped(translator, number, set, row, error);
    followed_set_name_rejects(set, rejects, row, stream->stream->key_columns,
                              stream->stream->key_columns != NULL ? stream->stream->key_count : 0);
    if (change->operation == RECORD_INSERT) {
        followed_set_are_new(set, first);
    }
    followed_set_drop_replaced(set, first, deletes);
    if (translator->form.moves) {
        followed_set_join_moved(set, first);
    }
    return status;
}

/* ---- rows without a key */

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

/* The record of a row, in the arena. NULL: the plan makes none; where it can't, `rejects` says so.
 */
static enum status record_of_row(struct follow_translator *translator, uint32_t number,
                                 const struct cell *row, struct followed_set *set, bool rejects,
                                 const struct cell **record, struct error *error)
{
    const struct plan_stream *stream = translator->routes->streams[number].stream;
    struct arena *arena = set->set.arena;
    struct mapper_output output;
    enum status status = STATUS_OK;
    *record = NULL;
    if (stream->identity) {
        *record = row;
        return STATUS_OK;
    }
    struct mapper *mapper = translator->mappers[number];
    mapper_begin_chunk(mapper);
    if (mapper_map_batch(mapper, batch_of_row(stream, row), error) != STATUS_OK ||
        take_output(mapper, &output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t b = 0; b < output.batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = output.batches[b];
        uint32_t width = batch_shape_width(batch->shape);
        struct cell *copy = arena_allocate(arena, (width + (size_t)1) * sizeof *copy);
        for (uint32_t i = 0; batch->row_count > 0 && i < width && status == STATUS_OK; i++) {
            status = value_copy(&batch_row(batch, 0)[i], arena, &copy[i]);
            *record = copy;
        }
    }
    for (uint32_t i = 0; rejects && i < output.reject_count && status == STATUS_OK; i++) {
        status = followed_set_reject(set, &output.rejects[i], error);
    }
    drop_output(&output);
    return status == STATUS_OK
               ? status
               : error_set(error, ERROR_MEMORY, stream->name, "no memory for a changed record");
}

enum status follow_add_row(struct follow_translator *translator, uint32_t stream,
                           const struct cell *row, struct followed_set *set, struct error *error)
{
    uint32_t entity = translator->routes->streams[stream].stream->entities[0];
    const struct cell *record = NULL;
    enum status status = record_of_row(translator, stream, row, set, true, &record, error);
    return status == STATUS_OK && record != NULL
               ? followed_set_whole(&translator->form, set, entity, NULL, record, error)
               : status;
}

/* STATUS_AGAIN: not all of the row came. */
static enum status record_of_image(struct follow_translator *translator, uint32_t number,
                                   const struct change_table *table, const struct cell *image,
                                   struct followed_set *set, bool rejects,
                                   const struct cell **record, struct error *error)
{
    const struct read_request *request = &translator->routes->streams[number].stream->request;
    struct cell *row =
        arena_allocate(set->set.arena, (request->column_count + (size_t)1) * sizeof *row);
    struct lacking lacking;
    enum status status = row_of_image(translator, number, table, image, row, &lacking, error);
    bool whole = true;
    for (uint32_t i = 0; status == STATUS_OK && i < request->column_count; i++) {
        /* of a column that came later rows of before have NULL, or the table is read again */
        if (row[i].kind == VALUE_MISSING &&
            shape_field_find(table->shape, request->columns[i].name) < 0) {
            row[i] = cell_null();
        }
        whole = whole && row[i].kind != VALUE_MISSING;
    }
    if (status != STATUS_OK || !whole) {
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    return record_of_row(translator, number, row, set, rejects, record, error);
}

static enum status refuse_part(const struct change_table *table, const char *which,
                               struct error *error)
{
    error_set(error, ERROR_FOLLOW, table->name,
              "a changed row came without all that it %s, and its table has no key", which);
    return error_hint(error,
                      "have the source send whole rows (PostgreSQL: ALTER TABLE %s REPLICA "
                      "IDENTITY FULL)",
                      table->name);
}

static enum status translate_whole(struct follow_translator *translator, uint32_t number,
                                   const struct change_set *source,
                                   const struct record_change *change, struct followed_set *set,
                                   struct error *error)
{
    const struct change_table *table = &source->tables[change->table];
    const struct cell *images[] = {change->operation == RECORD_INSERT ? NULL : change->before,
                                   change->after};
    const struct cell *records[] = {NULL, NULL};
    if (change->operation != RECORD_INSERT && change->before == NULL) {
        return refuse_part(table, "was", error);
    }
    for (int i = 0; i < 2; i++) {
        enum status status = images[i] == NULL
                                 ? STATUS_OK
                                 : record_of_image(translator, number, table, images[i], set,
                                                   i == 1, &records[i], error);
        if (status != STATUS_OK) {
            return status == STATUS_AGAIN ? refuse_part(table, i == 0 ? "was" : "is", error)
                                          : status;
        }
    }
    return records[0] == NULL && records[1] == NULL
               ? STATUS_OK
               : followed_set_whole(&translator->form, set,
                                    translator->routes->streams[number].stream->entities[0],
                                    records[0], records[1], error);
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
            return refuse_column(table, path->columns.names[i], error);
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
                         ? translate_whole(translator, i, source, change, set, error)
                         : translate_row(translator, i, source, change, set, touched, error);
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
