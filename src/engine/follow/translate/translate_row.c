/* The changes of rows whose records have keys (translate_internal.h). */
#include "engine/follow/translate/translate_internal.h"

#include "plan/mapping.h"
#include <string.h>

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

enum status follow_refuse_column(const struct change_table *table, const char *column,
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

/* A row of one record, of the whole image. */
enum status follow_row_of_image(struct follow_translator *translator, uint32_t stream,
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
            return follow_refuse_column(table, request->columns[i].name, error);
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

struct batch *follow_batch_of_row(const struct plan_stream *stream, const struct cell *row)
{
    struct batch *batch = batch_create(NULL, stream->request.column_count, 1);
    memcpy(batch_append(batch), row, stream->request.column_count * sizeof *row);
    return batch;
}

/* The records that the mapper has ready, handed to `take` one by one and then destroyed. */
enum status follow_take_output(struct mapper *mapper, struct mapper_output *output,
                               struct error *error)
{
    *output = (struct mapper_output){0};
    return mapper_take(mapper, output, error);
}

void follow_drop_output(struct mapper_output *output)
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
    enum status status = mapper_map_batch(mapper, follow_batch_of_row(plan_stream, row), error);
    if (status != STATUS_OK || follow_take_output(mapper, &output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t b = 0; b < output.batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = output.batches[b];
        for (uint32_t i = 0; i < batch->row_count && status == STATUS_OK; i++) {
            status = take(context, batch->entity, batch_row(batch, i),
                          translator->routes->keys[batch->entity].count, error);
        }
    }
    follow_drop_output(&output); /* a key that can't be made had no record */
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
    enum status status = mapper_map_batch(mapper, follow_batch_of_row(plan_stream, row), error);
    if (status != STATUS_OK || follow_take_output(mapper, &output, error) != STATUS_OK) {
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
    follow_drop_output(&output);
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
            return follow_refuse_column(table, stream->root_key.names[i], error);
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

enum status follow_translate_row(struct follow_translator *translator, uint32_t number,
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
    if (follow_row_of_image(translator, number, table, change->after, row, &lacking, error) !=
        STATUS_OK) {
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
