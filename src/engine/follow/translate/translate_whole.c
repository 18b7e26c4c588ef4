/* The changes of rows without a key: whole records that were and are (translate_internal.h). */
#include "engine/follow/translate/translate_internal.h"

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
    if (mapper_map_batch(mapper, follow_batch_of_row(stream, row), error) != STATUS_OK ||
        follow_take_output(mapper, &output, error) != STATUS_OK) {
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
    follow_drop_output(&output);
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
    enum status status =
        follow_row_of_image(translator, number, table, image, row, &lacking, error);
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

enum status follow_translate_whole(struct follow_translator *translator, uint32_t number,
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
