/* The first records of each entity as they will arrive: in the target's normal form. */
#include "base/memory.h"
#include "base/text.h"
#include "engine/copy/sampling.h"
#include "model/convert.h"
#include "model/json_writer.h"
#include <stdlib.h>
#include <string.h>

enum { PRINT_BYTES_MAX = 400, LIST_ITEMS_SHOWN = 3, ITEM_BYTES_MAX = 160 };

struct showing {
    struct run_session *session;
    const struct plan_stream *stream;
    struct buffer *out;
    struct arena *arena;
    struct error *error;
    uint32_t wanted;
    uint32_t *shown; /* by position in stream->entities */
    bool json;
    bool failed;
};

/* Names are a source's too: nothing in them may reach the terminal raw. */
static void append_name(struct buffer *out, const char *before, const char *name, size_t length,
                        const char *after)
{
    char printable[512];
    text_printable(name, length, printable, sizeof(printable));
    buffer_append_string(out, before);
    buffer_append_string(out, printable);
    buffer_append_string(out, after);
}

/* A list of records on lines of their own, the first few. */
static void print_list(const struct cell *list, struct buffer *out)
{
    uint32_t shown = list->length < LIST_ITEMS_SHOWN ? list->length : LIST_ITEMS_SHOWN;
    buffer_format(out, "%u item%s\n", list->length, list->length == 1 ? "" : "s");
    for (uint32_t i = 0; i < shown; i++) {
        buffer_append_string(out, "    - ");
        value_print(&list->items[i], ITEM_BYTES_MAX, out);
        buffer_append_byte(out, '\n');
    }
    if (shown < list->length) {
        buffer_format(out, "    - and %u more\n", list->length - shown);
    }
}

static enum status show_value(struct showing *showing, const struct cell *cell, bool *is_there,
                              bool first, const char *name, size_t name_length)
{
    struct database *target = showing->session->target;
    struct cell normal = *cell;
    struct error ignored; /* a value that the target refuses is shown as it is */
    if (target->connector->target->normal_form(target, cell, showing->arena, &normal, &ignored) !=
        STATUS_OK) {
        normal = *cell;
    }
    *is_there = normal.kind != VALUE_MISSING;
    if (!*is_there) {
        return STATUS_OK;
    }
    if (!showing->json) {
        append_name(showing->out, "  ", name, name_length, ": ");
        if (normal.kind == VALUE_LIST && normal.length > 0) {
            print_list(&normal, showing->out);
            return STATUS_OK;
        }
        value_print(&normal, PRINT_BYTES_MAX, showing->out);
        buffer_append_byte(showing->out, '\n');
        return STATUS_OK;
    }
    buffer_append_string(showing->out, first ? "" : ",");
    json_append_string(showing->out, name, name_length);
    buffer_append_byte(showing->out, ':');
    return convert_append_json(&normal, showing->out, showing->error);
}

static enum status show_fields(struct showing *showing, const struct batch *batch, uint32_t row)
{
    const struct cell *cells = batch_row(batch, row);
    bool first = true;
    bool is_there;
    for (uint32_t i = 0; batch->shape != NULL && i < batch->shape->field_count; i++) {
        const struct shape_field *field = &batch->shape->fields[i];
        if (show_value(showing, &cells[i], &is_there, first, field->name, field->name_length) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        first = first && !is_there;
    }
    for (uint32_t i = 0; batch->shape == NULL && i < cells[0].length; i++) {
        const struct cell *pair = &cells[0].items[2 * (size_t)i];
        if (show_value(showing, &pair[1], &is_there, first, pair[0].text, pair[0].length) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        first = first && !is_there;
    }
    return STATUS_OK;
}

static enum status show_record(struct showing *showing, const struct batch *batch, uint32_t row)
{
    const struct plan *plan = showing->session->plan;
    const struct plan_entity *entity = &plan->entities[batch->entity];
    const char *table = plan->tables[entity->table].target.name;
    arena_reset(showing->arena);
    if (!showing->json) {
        append_name(showing->out, "", entity->name, strlen(entity->name), " -> ");
        append_name(showing->out, "", table, strlen(table), "\n");
        return show_fields(showing, batch, row);
    }
    buffer_append_string(showing->out, "{\"entity\":");
    json_append_string(showing->out, entity->name, strlen(entity->name));
    buffer_append_string(showing->out, ",\"table\":");
    json_append_string(showing->out, table, strlen(table));
    buffer_append_string(showing->out, ",\"record\":{");
    enum status status = show_fields(showing, batch, row);
    buffer_append_string(showing->out, "}}\n");
    return status;
}

static bool is_enough(const struct showing *showing)
{
    for (uint32_t i = 0; i < showing->stream->entity_count; i++) {
        if (showing->shown[i] < showing->wanted) {
            return false;
        }
    }
    return true;
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct showing *showing = context;
    for (uint32_t i = 0; i < parcel->batch_count && !showing->failed; i++) {
        const struct batch *batch = parcel->batches[i];
        uint32_t position = 0;
        while (position + 1 < showing->stream->entity_count &&
               showing->stream->entities[position] != batch->entity) {
            position++;
        }
        for (uint32_t row = 0; row < batch->row_count && showing->shown[position] < showing->wanted;
             row++) {
            showing->shown[position]++;
            showing->failed = showing->failed || show_record(showing, batch, row) != STATUS_OK;
        }
    }
    parcel_destroy(parcel);
    return showing->failed || is_enough(showing) ? STATUS_END : STATUS_OK;
}

enum status run_sample(struct run_session *session, uint32_t count, bool json, struct buffer *out,
                       struct error *error)
{
    const struct plan *plan = session->plan;
    struct arena *arena = arena_create(0);
    uint32_t *shown = memory_allocate_zeroed(plan->entity_count + 1u, sizeof(*shown));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->stream_count && status == STATUS_OK && count > 0; i++) {
        if (session->unreadable != NULL && session->unreadable[i]) {
            continue; /* the report says why */
        }
        struct showing showing = {.session = session,
                                  .stream = &plan->streams[i],
                                  .out = out,
                                  .arena = arena,
                                  .error = error,
                                  .wanted = count,
                                  .shown = shown,
                                  .json = json};
        memset(shown, 0, plan->entity_count * sizeof(*shown));
        enum status read = sampling_read(session, &plan->streams[i], take_parcel, &showing, error);
        status = read == STATUS_FAILED || showing.failed ? STATUS_FAILED : STATUS_OK;
    }
    free(shown);
    arena_destroy(arena);
    return status;
}
