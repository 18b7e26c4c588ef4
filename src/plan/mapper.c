/* Runs the mapping: batches in, batches out. Parents with children: mapper_list.c. */
#include "plan/mapper.h"

#include <stdlib.h>
#include <string.h>
#include "plan/mapper_internal.h"
#include "plan/template.h"

enum { RECORD_BYTES_DEFAULT = 16 << 20, CELLS_MAX = 1 << 20 };

/* ---------------------------------------------------------------- making one */

static enum status prepare_expressions(struct mapper *mapper, struct error *error)
{
    const struct stream_mapping *mapping = mapper->mapping;
    uint32_t most = 0;
    if (mapping->expression_count == 0) {
        return STATUS_OK;
    }
    if (expression_sandbox_create(&mapper->sandbox, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mapper->statements = arena_allocate_zeroed(mapper->memory, mapping->expression_count,
                                               sizeof *mapper->statements);
    if (mapper->statements == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "out of memory");
    }
    for (uint32_t i = 0; i < mapping->expression_count; i++) {
        const struct plan_expression *expression = &mapping->expressions[i];
        if (expression_prepare(mapper->sandbox, expression, &mapper->statements[i], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        most = expression->count > most ? expression->count : most;
    }
    mapper->arguments =
        arena_allocate_zeroed(mapper->memory, most + (size_t)1, sizeof *mapper->arguments);
    return mapper->arguments != NULL ? STATUS_OK
                                     : error_set(error, ERROR_MEMORY, NULL, "out of memory");
}

static bool prepare_entities(struct mapper *mapper)
{
    const struct plan_stream *stream = mapper->stream;
    uint32_t count = stream->entity_count;
    mapper->entities = arena_allocate_zeroed(mapper->memory, count, sizeof *mapper->entities);
    mapper->counts = arena_allocate_zeroed(mapper->memory, count, sizeof *mapper->counts);
    mapper->taken = arena_allocate_zeroed(mapper->memory, count, sizeof(struct batch *));
    if (mapper->entities == NULL || mapper->counts == NULL || mapper->taken == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        entity->entity = &mapper->plan->entities[stream->entities[i]];
        entity->mapping = entity->entity->mapping;
        uint32_t fields = entity->mapping->field_count;
        entity->width =
            (entity->mapping->document_star ? 1 : fields) + mapper->mapping->key_count;
        uint32_t *decimals =
            arena_allocate_zeroed(mapper->memory, fields + (size_t)1, sizeof *decimals);
        if (decimals == NULL) {
            return false;
        }
        for (uint32_t j = 0; j < fields && !entity->mapping->document_star; j++) {
            const struct value_type *type = &entity->mapping->fields[j].type;
            if (type->kind == VALUE_DECIMAL && type->precision > 0) {
                decimals[entity->decimal_count++] = j;
            }
        }
        entity->decimals = decimals;
    }
    return true;
}

static bool prepare_list(struct mapper *mapper, uint32_t index)
{
    const struct mapping_list *mapping = &mapper->mapping->lists[index];
    struct cell *names =
        arena_allocate_zeroed(mapper->memory, mapping->field_count + (size_t)1, sizeof *names);
    if (names == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        names[i] = cell_text(field->name, field->name_length);
        names[i].flags = field->name_plain ? CELL_ASCII : 0;
    }
    mapper->lists[index].names = names;
    mapper->lists[index].entity = MAPPING_NONE;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        const struct mapping *entity = mapper->entities[i].mapping;
        for (uint32_t j = 0; j < entity->field_count; j++) {
            if (entity->fields[j].kind == FIELD_EMBED && entity->fields[j].list == index) {
                mapper->lists[index].entity = i;
            }
        }
    }
    return true;
}

static bool prepare_children(struct mapper *mapper)
{
    const struct stream_mapping *mapping = mapper->mapping;
    struct arena *memory = mapper->memory;
    mapper->parent_count = mapper->stream->request.column_count;
    mapper->parent = arena_allocate_zeroed(memory, mapper->parent_count + (size_t)1,
                                           sizeof *mapper->parent);
    mapper->aggregates = arena_allocate_zeroed(memory, mapping->aggregate_count + (size_t)1,
                                               sizeof *mapper->aggregates);
    mapper->results = arena_allocate_zeroed(memory, mapping->aggregate_count + (size_t)1,
                                            sizeof *mapper->results);
    mapper->lists =
        arena_allocate_zeroed(memory, mapping->list_count + (size_t)1, sizeof *mapper->lists);
    mapper->list_cells =
        arena_allocate_zeroed(memory, mapping->list_count + (size_t)1, sizeof *mapper->list_cells);
    mapper->slot_count = mapping->name_count;
    mapper->slots =
        arena_allocate_zeroed(memory, mapping->name_count + (size_t)1, sizeof *mapper->slots);
    if (mapper->parent == NULL || mapper->aggregates == NULL || mapper->results == NULL ||
        mapper->lists == NULL || mapper->list_cells == NULL || mapper->slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < mapping->list_count; i++) {
        if (!prepare_list(mapper, i)) {
            return false;
        }
    }
    return true;
}

enum status mapper_create(const struct plan *plan, const struct plan_stream *stream,
                          uint64_t record_bytes_max, struct mapper **mapper, struct error *error)
{
    struct mapper *made = calloc(1, sizeof *made);
    *mapper = NULL;
    if (made == NULL || (made->memory = arena_create(0)) == NULL) {
        free(made);
        return error_set(error, ERROR_MEMORY, NULL, "out of memory");
    }
    made->plan = plan;
    made->stream = stream;
    made->mapping = plan->entities[stream->entities[0]].mapping->stream;
    made->record_bytes_max = record_bytes_max > 0 ? record_bytes_max : RECORD_BYTES_DEFAULT;
    enum status status = STATUS_OK;
    if (!prepare_entities(made) || !prepare_children(made)) {
        status = error_set(error, ERROR_MEMORY, NULL, "out of memory");
    } else {
        status = prepare_expressions(made, error);
    }
    if (status != STATUS_OK) {
        mapper_destroy(made);
        return STATUS_FAILED;
    }
    *mapper = made;
    return STATUS_OK;
}

void mapper_destroy(struct mapper *mapper)
{
    if (mapper == NULL) {
        return;
    }
    for (uint32_t i = 0; mapper->statements != NULL && i < mapper->mapping->expression_count; i++) {
        expression_finalize(mapper->statements[i]);
    }
    for (uint32_t i = 0; mapper->aggregates != NULL && i < mapper->mapping->aggregate_count; i++) {
        aggregate_free(&mapper->aggregates[i]);
    }
    for (uint32_t i = 0; mapper->entities != NULL && i < mapper->stream->entity_count; i++) {
        batch_destroy(mapper->entities[i].batch);
    }
    batch_destroy(mapper->carrier);
    expression_sandbox_destroy(mapper->sandbox);
    buffer_free(&mapper->text);
    arena_destroy(mapper->reject_arena);
    free(mapper->rejects);
    arena_destroy(mapper->memory);
    free(mapper);
}

void mapper_begin_chunk(struct mapper *mapper)
{
    memset(mapper->counts, 0, mapper->stream->entity_count * sizeof *mapper->counts);
}

const struct mapper_counts *mapper_counts(const struct mapper *mapper)
{
    return mapper->counts;
}

/* ---------------------------------------------------------------- whole batches */

/* The batch is the output. */
static void pass_batch(struct mapper *mapper, struct batch *batch)
{
    struct mapper_entity *entity = &mapper->entities[0];
    if (!mapper->mapping->documents) {
        batch->shape = entity->entity->shape;
    }
    batch->entity = entity->entity->number;
    if (entity->mapping->identity_omits_nulls) {
        uint32_t fields = entity->mapping->field_count;
        for (uint32_t i = 0; i < batch->row_count; i++) {
            struct cell *row = batch_row(batch, i);
            for (uint32_t j = 0; j < fields; j++) {
                if (row[j].kind == VALUE_NULL) {
                    row[j].kind = VALUE_MISSING;
                }
            }
        }
    }
    for (uint32_t i = 0; entity->decimal_count > 0 && i < batch->row_count; i++) {
        mapper_count_long_decimals(mapper, entity, batch_row(batch, i));
    }
    mapper->counts[0].made += batch->row_count;
    entity->batch = batch;
}

/* Finds the fields of a document that the mapping names; documents of one table have theirs in much
 * the same order, so the search goes on where it ended. */
static void fill_slots(struct mapper *mapper, const struct cell *document)
{
    const struct stream_mapping *mapping = mapper->mapping;
    uint32_t count = document->kind == VALUE_MAP ? document->length : 0;
    uint32_t next = 0;
    for (uint32_t i = 0; i < mapping->name_count; i++) {
        const char *name = mapping->names[i];
        size_t length = strlen(name);
        mapper->slots[i] = cell_missing();
        for (uint32_t tried = 0; tried < count; tried++) {
            uint32_t at = next + tried < count ? next + tried : next + tried - count;
            const struct cell *key = &document->items[(size_t)at * 2];
            if (key->kind == VALUE_TEXT && key->length == length &&
                memcmp(key->text, name, length) == 0) {
                mapper->slots[i] = key[1];
                next = at + 1 < count ? at + 1 : 0;
                break;
            }
        }
    }
}

/* Handles belong to one batch: where several records may come of a row, values are read whole. */
static enum status read_large_values(struct mapper *mapper, struct batch *batch, uint32_t row,
                                     bool *rejected, struct error *error)
{
    struct cell *cells = batch_row(batch, row);
    *rejected = false;
    for (uint32_t i = 0; i < batch->width; i++) {
        if (cells[i].kind != VALUE_LARGE) {
            continue;
        }
        struct cell handle = cells[i];
        if (mapper_copy_cell(mapper, &handle, batch->arena, &cells[i]) == STATUS_OK) {
            continue;
        }
        cells[i] = cell_null();
        *rejected = true;
        for (uint32_t j = 0; j < mapper->stream->entity_count; j++) {
            if (mapper_reject_add(mapper, &mapper->entities[j], NULL,
                                  cells + mapper->mapping->key_offset, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status map_row(struct mapper *mapper, struct batch *batch, uint32_t row,
                           bool check_bytes, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    struct record_source source = {.row = cells, .arena = batch->arena};
    if (mapper->mapping->documents) {
        fill_slots(mapper, cells);
        source.row = mapper->slots;
        source.document = cells;
    }
    const struct cell *key = source.row + mapper->mapping->key_offset;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        bool passes = true;
        bool rejected = false;
        if (entity->mapping->where != MAPPING_NONE || entity->mapping->when != MAPPING_NONE) {
            if (mapper_record_test(mapper, entity, &source, key, &passes, &rejected, error) !=
                STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        if (passes &&
            mapper_record_make(mapper, entity, &source, key, check_bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status start_outputs(struct mapper *mapper, struct batch *batch, struct error *error)
{
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        const struct shape *shape =
            entity->mapping->document_star ? NULL : entity->entity->shape;
        entity->batch = batch_create_sharing(batch, shape, entity->width, batch->row_count);
        if (entity->batch == NULL) {
            return error_set(error, ERROR_MEMORY, NULL, "out of memory");
        }
        entity->batch->entity = entity->entity->number;
    }
    return STATUS_OK;
}

static enum status map_rows(struct mapper *mapper, struct batch *batch, struct error *error)
{
    bool large = batch->large_values != NULL && mapper->stream->entity_count > 1;
    bool check_bytes = batch_bytes(batch) > mapper->record_bytes_max;
    if (start_outputs(mapper, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < batch->row_count; i++) {
        bool rejected = false;
        if (large && read_large_values(mapper, batch, i, &rejected, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!rejected && map_row(mapper, batch, i, check_bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (mapper->stream->entity_count == 1) {
        mapper->entities[0].batch->large_values = batch->large_values;
        batch->large_values = NULL;
    }
    return STATUS_OK;
}

enum status mapper_map_batch(struct mapper *mapper, struct batch *batch, struct error *error)
{
    uint32_t width = mapper->mapping->documents ? 1 : mapper->stream->request.column_count;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        if (mapper->entities[i].batch != NULL) {
            batch_destroy(batch);
            return error_set(error, ERROR_INTERNAL, mapper->stream->name,
                             "a batch came before the last one was taken");
        }
    }
    if (batch->width < width) {
        batch_destroy(batch);
        return error_set(error, ERROR_INTERNAL, mapper->stream->name,
                         "the source's rows have %u columns, %u were asked for",
                         (unsigned)batch->width, (unsigned)width);
    }
    if (mapper->entities[0].mapping->identity) {
        pass_batch(mapper, batch);
        return STATUS_OK;
    }
    status = map_rows(mapper, batch, error);
    batch_destroy(batch);
    return status;
}

/* ---------------------------------------------------------------- taking */

uint32_t mapper_pending_rows(const struct mapper *mapper)
{
    uint32_t rows = mapper->reject_count;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        const struct batch *batch = mapper->entities[i].batch;
        rows += batch != NULL ? batch->row_count : 0;
    }
    return rows;
}

size_t mapper_pending_bytes(const struct mapper *mapper)
{
    if (mapper_pending_rows(mapper) == 0) {
        return 0;
    }
    size_t bytes = mapper->reject_arena != NULL ? arena_bytes(mapper->reject_arena) : 0;
    if (mapper->carrier != NULL) {
        return bytes + (mapper->in_record ? mapper->complete_bytes
                                          : arena_bytes(mapper->carrier->arena));
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        if (mapper->entities[i].batch != NULL) {
            return bytes + batch_bytes(mapper->entities[i].batch);
        }
    }
    return bytes;
}

static enum status take_rejects(struct mapper *mapper, struct mapper_output *output,
                                struct error *error)
{
    if (mapper->reject_count == 0) {
        return STATUS_OK;
    }
    struct mapper_reject *rejects = arena_allocate_zeroed(
        mapper->reject_arena, mapper->reject_count, sizeof *rejects);
    if (rejects == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "out of memory");
    }
    memcpy(rejects, mapper->rejects, mapper->reject_count * sizeof *rejects);
    output->rejects = rejects;
    output->reject_count = mapper->reject_count;
    output->arena = mapper->reject_arena;
    mapper->reject_arena = NULL;
    mapper->reject_count = 0;
    return STATUS_OK;
}

enum status mapper_take(struct mapper *mapper, struct mapper_output *output, struct error *error)
{
    memset(output, 0, sizeof *output);
    if (mapper->carrier != NULL && mapper_relocate(mapper, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (take_rejects(mapper, output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    output->batches = mapper->taken;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct batch *batch = mapper->entities[i].batch;
        mapper->entities[i].batch = NULL;
        if (batch != NULL && batch->row_count == 0) {
            batch_destroy(batch);
        } else if (batch != NULL) {
            mapper->taken[output->batch_count++] = batch;
        }
    }
    mapper->complete_bytes = 0;
    return STATUS_OK;
}
