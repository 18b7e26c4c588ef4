/* The mapper: batches of source rows in, batches of target records out. */
#include "plan/map/mapper.h"

#include "base/memory.h"
#include "plan/map/mapper_internal.h"
#include <stdlib.h>
#include <string.h>

/*
 * Records are measured here by their cells, not by the target's rule, which its connector checks to
 * the byte; this bound only keeps lists from growing without end. A value of one byte may be a cell
 * of 16 in a list of cells of 16, so that a small record takes up to forty times its bytes; of
 * those that may be large most are texts, and 16 MiB or four times the limit are room enough.
 */
static const uint64_t record_bytes_least = (uint64_t)16 << 20;
enum { MEASURE_FACTOR = 4, MEASURE_FACTOR_SMALL = 40 };

static uint64_t bound_of(uint64_t record_bytes_max)
{
    uint64_t small = record_bytes_max * MEASURE_FACTOR_SMALL;
    uint64_t large = record_bytes_max * MEASURE_FACTOR;
    if (record_bytes_max == 0 || small > record_bytes_least) {
        small = record_bytes_least;
    }
    return large > small ? large : small;
}

/* ---- making and freeing */

static void make_lists(struct mapper *mapper, struct entity_state *entity)
{
    const struct mapping *mapping = entity->mapping;
    uint32_t count = mapping->pages != MAPPING_NONE;
    count += mapper_nested_count(mapper->shared, mapping->fields, mapping->field_count);
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        count += mapping->fields[i].kind == FIELD_EMBED;
    }
    entity->lists = memory_allocate_zeroed((size_t)count + 1, sizeof *entity->lists);
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        if (field->kind == FIELD_EMBED) {
            entity->lists[entity->list_count++] =
                (struct list_state){.list = &mapper->shared->lists[field->list],
                                    .number = field->list,
                                    .entity = entity,
                                    .field = field};
        }
    }
    if (mapping->pages != MAPPING_NONE) {
        entity->lists[entity->list_count++] =
            (struct list_state){.list = &mapper->shared->lists[mapping->pages],
                                .number = mapping->pages,
                                .entity = entity};
    }
    mapper_nested_make(mapper, entity);
}

static size_t most_element_names(const struct mapper *mapper)
{
    size_t most = 1;
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        const struct mapping_unnest *unnest =
            mapper->plan->entities[mapper->stream->entities[i]].mapping->unnest;
        most = unnest && unnest->name_count > most ? unnest->name_count : most;
    }
    return most;
}

static void make_states(struct mapper *mapper)
{
    const struct plan_stream *stream = mapper->stream;
    const struct stream_mapping *shared = mapper->shared;
    uint32_t values = 1;
    for (uint32_t i = 0; i < shared->expression_count; i++) {
        values = shared->expressions[i].count > values ? shared->expressions[i].count : values;
    }
    mapper->entities =
        memory_allocate_zeroed((size_t)stream->entity_count + 1, sizeof *mapper->entities);
    mapper->counts =
        memory_allocate_zeroed((size_t)stream->entity_count + 1, sizeof *mapper->counts);
    mapper->aggregates =
        memory_allocate_zeroed((size_t)shared->aggregate_count + 1, sizeof *mapper->aggregates);
    mapper->statements = memory_allocate_zeroed((size_t)shared->expression_count + 1,
                                                sizeof(struct expression_statement *));
    mapper->expression_values = memory_allocate_zeroed(values, sizeof *mapper->expression_values);
    mapper->slots = memory_allocate_zeroed((size_t)shared->slot_count + 1, sizeof *mapper->slots);
    mapper->element_slots =
        memory_allocate_zeroed(most_element_names(mapper), sizeof *mapper->element_slots);
    mapper->taken =
        memory_allocate_zeroed((size_t)stream->entity_count + 1, sizeof(struct batch *));
    mapper->scratch = arena_create(0);
    mapper_masks_make(mapper);
    for (uint32_t i = 0; i < shared->aggregate_count; i++) {
        if (shared->aggregates[i].function == AGGREGATE_SUM) {
            decimal_sum_init(&mapper->aggregates[i].sum);
        }
    }
    for (; mapper->entity_count < stream->entity_count; mapper->entity_count++) {
        struct entity_state *state = &mapper->entities[mapper->entity_count];
        state->entity = &mapper->plan->entities[stream->entities[mapper->entity_count]];
        state->mapping = state->entity->mapping;
        state->counts = &mapper->counts[mapper->entity_count];
        make_lists(mapper, state);
    }
}

struct mapper *mapper_create(const struct plan *plan, const struct plan_stream *stream,
                             uint64_t record_bytes_max)
{
    struct mapper *made = memory_allocate_zeroed(1, sizeof *made);
    made->plan = plan;
    made->stream = stream;
    made->shared = plan->entities[stream->entities[0]].mapping->stream;
    made->record_bytes_max = bound_of(record_bytes_max);
    make_states(made);
    return made;
}

void mapper_destroy(struct mapper *mapper)
{
    if (!mapper) {
        return;
    }
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        for (uint32_t i = 0; i < mapper->entities[e].list_count; i++) {
            free(mapper->entities[e].lists[i].items);
            mapper_nested_free(&mapper->entities[e].lists[i]);
        }
        free(mapper->entities[e].lists);
        hash_set_free(&mapper->entities[e].distinct);
        batch_destroy(mapper->entities[e].out);
    }
    for (uint32_t i = 0; mapper->statements && i < mapper->shared->expression_count; i++) {
        expression_finalize(mapper->statements[i]);
    }
    mapper_aggregates_free(mapper);
    expression_sandbox_destroy(mapper->sandbox);
    batch_destroy(mapper->reject_keeper);
    arena_destroy(mapper->reject_arena);
    arena_destroy(mapper->scratch);
    mapper_masks_free(mapper);
    buffer_free(&mapper->text);
    buffer_free(&mapper->bytes);
    free(mapper->entities);
    free(mapper->counts);
    free(mapper->aggregates);
    free(mapper->statements);
    free(mapper->expression_values);
    free(mapper->slots);
    free(mapper->element_slots);
    free(mapper->taken);
    free(mapper);
}

void mapper_begin_chunk(struct mapper *mapper)
{
    memset(mapper->counts, 0, mapper->stream->entity_count * sizeof *mapper->counts);
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        batch_destroy(mapper->entities[e].out);
        mapper->entities[e].out = NULL;
        hash_set_clear(&mapper->entities[e].distinct);
    }
    arena_destroy(mapper->reject_arena);
    batch_destroy(mapper->reject_keeper);
    mapper->reject_keeper = NULL;
    mapper->reject_arena = NULL;
    mapper->rejects = NULL;
    mapper->reject_count = 0;
    mapper->reject_capacity = 0;
    mapper->inside = false;
}

const struct mapper_counts *mapper_counts(const struct mapper *mapper)
{
    return mapper->counts;
}

/* ---- decimals with more digits than their column declares */

static void count_long_decimals(struct entity_state *entity, const struct batch *batch)
{
    const struct shape *shape = batch->shape;
    for (uint32_t f = 0; shape && f < shape->field_count; f++) {
        const struct value_type *type = &shape->fields[f].type;
        if (type->kind != VALUE_DECIMAL || type->precision == 0) {
            continue;
        }
        for (uint32_t row = 0; row < batch->row_count; row++) {
            const struct cell *cell = &batch_row(batch, row)[f];
            entity->counts->long_decimals += cell->kind == VALUE_DECIMAL &&
                                             (cell->flags & CELL_SMALL) &&
                                             cell->aux > (uint32_t)type->scale;
        }
    }
}

/* ---- whole batches */

/* A holder that keeps large values alive until the last of the batches that borrow them is gone. */
struct keeper {
    struct large_value large;
    uint32_t *users;
    struct large_value *kept;
};

static void keeper_release(struct large_value *self)
{
    struct keeper *keeper = (struct keeper *)self;
    if (--*keeper->users > 0) {
        return;
    }
    struct large_value *large = keeper->kept;
    while (large) {
        struct large_value *next = large->next;
        large->release(large);
        large = next;
    }
}

static void hand_large_over(struct mapper *mapper, struct batch *batch)
{
    if (!batch->large_values) {
        return;
    }
    uint32_t *users = arena_allocate_zeroed(batch->arena, 1, sizeof *users);
    struct keeper *keepers =
        arena_allocate_zeroed(batch->arena, mapper->entity_count + 1u, sizeof *keepers);
    if (mapper->reject_count > 0) {
        mapper->reject_keeper = batch_create_sharing(batch, NULL, 1, 1);
        struct keeper *last = &keepers[mapper->entity_count];
        *last = (struct keeper){
            .large = {.release = keeper_release}, .users = users, .kept = batch->large_values};
        batch_keep_large(mapper->reject_keeper, &last->large);
        ++*users;
    }
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        if (mapper->entities[e].out) {
            keepers[e] = (struct keeper){
                .large = {.release = keeper_release}, .users = users, .kept = batch->large_values};
            batch_keep_large(mapper->entities[e].out, &keepers[e].large);
            ++*users;
        }
    }
    if (*users > 0) {
        batch->large_values = NULL;
    }
}

static void pass_identity(struct mapper *mapper, struct batch *batch)
{
    struct entity_state *entity = &mapper->entities[0];
    batch->shape = entity->entity->shape;
    batch->entity = entity->entity->number;
    if (entity->mapping->identity_omits_nulls) {
        uint32_t fields = entity->mapping->field_count;
        for (uint32_t row = 0; row < batch->row_count; row++) {
            struct cell *cells = batch_row(batch, row);
            for (uint32_t i = 0; i < fields; i++) {
                cells[i].kind = cells[i].kind == VALUE_NULL ? VALUE_MISSING : cells[i].kind;
            }
        }
    }
    entity->counts->made += batch->row_count;
    entity->out = batch;
    count_long_decimals(entity, batch);
}

/* Fields that are columns as they are: cells are copied, nothing is looked at but nulls. */
static void map_direct(struct mapper *mapper, struct entity_state *entity,
                       const struct batch *batch)
{
    const struct mapping *mapping = entity->mapping;
    const struct stream_mapping *shared = mapper->shared;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *from = batch_row(batch, row);
        struct cell *to = batch_append(entity->out);
        const struct mapping_field *null_key = NULL;
        for (uint32_t i = 0; i < mapping->field_count; i++) {
            const struct mapping_field *field = &mapping->fields[i];
            to[i] = from[field->value.index];
            if (to[i].kind <= VALUE_NULL) {
                to[i].kind = field->nulls == NULLS_OMIT   ? VALUE_MISSING
                             : field->nulls == NULLS_FILL ? VALUE_NULL
                                                          : to[i].kind;
                null_key = null_key == NULL && field->is_key ? field : null_key;
            }
        }
        for (uint32_t i = 0; i < shared->key_count; i++) {
            to[mapping->field_count + i] = from[shared->key_columns[i]];
        }
        const struct record_envelope *envelope =
            batch->envelopes != NULL ? &batch->envelopes[row] : NULL;
        entity->counts->made++;
        if (null_key != NULL) {
            struct making making = {.mapper = mapper,
                                    .row = from,
                                    .parent = from,
                                    .entity = entity,
                                    .envelope = envelope};
            struct error reason;
            error_set(&reason, ERROR_REJECT_KEY_NULL, null_key->name, "the key field %s is null",
                      null_key->name);
            mapper_refuse(&making, &reason, to);
            batch_drop_last(entity->out);
        } else if (envelope != NULL) {
            mapper_carry_envelope(mapper, entity, envelope);
        }
    }
}

/* Records that the source could not read: each entity that they might have fed rejects them. */
static enum status pass_refused(struct mapper *mapper, const struct batch *batch,
                                struct error *error)
{
    for (const struct batch_refused *refused = batch->refused; refused; refused = refused->next) {
        struct error reason;
        struct record_envelope envelope = {.source_key = refused->source_key,
                                           .source_key_count = refused->source_key_count};
        const struct cell none = cell_null();
        bool masked = mapper->stream->masks_rows; /* what could not be read can't be masked */
        if (masked) {
            envelope.source_key = NULL;
            envelope.source_key_count = 0;
        }
        error_set(&reason, refused->code, NULL, "%s",
                  masked ? "the source could not read it; its values are masked" : refused->reason);
        if (mapper_refuse_unreadable(mapper, &envelope, &reason, masked ? &none : &refused->raw,
                                     error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status map_row(struct mapper *mapper, struct entity_state *entity,
                           const struct batch *batch, uint32_t number, struct error *error)
{
    const struct cell *row = batch_row(batch, number);
    struct making making = {.mapper = mapper,
                            .entity = entity,
                            .arena = entity->out->arena,
                            .borrow = true,
                            .envelope =
                                batch->envelopes != NULL ? &batch->envelopes[number] : NULL};
    bool admitted = true;
    mapper->parent = row;
    making.row = row;
    making.parent = row;
    if (entity->mapping->unnest != NULL) {
        const struct cell *column = &row[entity->mapping->unnest->column];
        return mapper_unnest(&making, column, column, error);
    }
    enum status status = mapper_admits(&making, &admitted, error);
    return status == STATUS_OK && admitted ? mapper_record(&making, error) : status;
}

static void open_batches(struct mapper *mapper, struct batch *batch)
{
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        uint32_t own = entity->mapping->document_star ? 1 : entity->mapping->field_count;
        const struct shape *shape = plan_entity_batch_shape(entity->entity);
        entity->out =
            batch_create_sharing(batch, shape, own + mapper->shared->key_count, batch->row_count);
        entity->out->entity = entity->entity->number;
    }
}

static enum status map_rows(struct mapper *mapper, struct batch *batch, struct error *error)
{
    enum status status = STATUS_OK;
    open_batches(mapper, batch);
    for (uint32_t row = 0; mapper->shared->documents && row < batch->row_count; row++) {
        if (status != STATUS_OK) {
            return status;
        }
        status = mapper_map_document(mapper, batch, row, error);
    }
    for (uint32_t e = 0; !mapper->shared->documents && e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        if (entity->mapping->all_direct && status == STATUS_OK) {
            map_direct(mapper, entity, batch);
            continue;
        }
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            status = map_row(mapper, entity, batch, row, error);
        }
    }
    return status;
}

enum status mapper_map_batch(struct mapper *mapper, struct batch *batch, struct error *error)
{
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        if (mapper->entities[e].out || mapper->reject_keeper) {
            batch_destroy(batch);
            return error_set(error, ERROR_INTERNAL, mapper->stream->name,
                             "a mapped batch was not taken");
        }
    }
    if (batch->refused && pass_refused(mapper, batch, error) != STATUS_OK) {
        batch_destroy(batch);
        return STATUS_FAILED;
    }
    if (batch->row_count == 0) {
        batch_destroy(batch);
        return STATUS_OK;
    }
    mapper_mask_batch(mapper, batch);
    if (mapper->entity_count == 1 && mapper->entities[0].mapping->identity &&
        !mapper->shared->documents) {
        pass_identity(mapper, batch);
        return STATUS_OK;
    }
    arena_reset(mapper->scratch);
    enum status status = map_rows(mapper, batch, error);
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        if (entity->out && entity->out->row_count == 0) {
            batch_destroy(entity->out);
            entity->out = NULL;
        } else if (entity->out) {
            count_long_decimals(entity, entity->out);
        }
    }
    if (status == STATUS_OK) {
        hand_large_over(mapper, batch);
    }
    batch_destroy(batch);
    return status;
}

/* ---- parents and children */

static void mapper_begin(struct mapper *mapper, const struct cell *parent)
{
    mapper->parent = parent;
    mapper->document = NULL;
    mapper->envelope = NULL;
    mapper->newest_write_us = 0;
    mapper->inside = true;
    arena_reset(mapper->scratch);
    mapper_aggregates_begin(mapper);
    mapper_lists_begin(mapper);
}

enum status mapper_begin_row(struct mapper *mapper, const struct batch *batch, uint32_t row,
                             bool *wanted, struct error *error)
{
    const struct cell *cells = mapper_mask_parent(mapper, batch_row(batch, row));
    const struct record_envelope *envelope =
        batch->envelopes != NULL ? &batch->envelopes[row] : NULL;
    *wanted = true;
    if (!mapper->shared->documents) {
        mapper_begin(mapper, cells);
        mapper->envelope = envelope;
        return STATUS_OK;
    }
    mapper_begin(mapper, mapper->slots);
    mapper->document = cells;
    mapper->envelope = envelope;
    enum status status = mapper_place_document(mapper, cells, envelope, wanted, error);
    mapper->inside = *wanted;
    return status;
}

enum status mapper_refuse_batch(struct mapper *mapper, const struct batch *batch,
                                struct error *error)
{
    return batch->refused != NULL ? pass_refused(mapper, batch, error) : STATUS_OK;
}

enum status mapper_child(struct mapper *mapper, uint32_t child, const struct cell *row,
                         const struct record_envelope *envelope, struct error *error)
{
    if (envelope != NULL && envelope->write_time_us > mapper->newest_write_us) {
        mapper->newest_write_us = envelope->write_time_us;
    }
    const struct cell *cells = mapper_mask_child(mapper, child, row);
    enum status status = mapper_aggregates_add(mapper, child, cells, error);
    return status == STATUS_OK ? mapper_lists_add(mapper, child, cells, error) : status;
}

enum status mapper_end(struct mapper *mapper, struct error *error)
{
    enum status status = mapper_pages_end(mapper, error);
    for (uint32_t e = 0; e < mapper->entity_count && status == STATUS_OK; e++) {
        struct entity_state *entity = &mapper->entities[e];
        if (entity->mapping->pages != MAPPING_NONE) {
            continue;
        }
        if (!mapper_is_wanted(mapper, entity)) {
            entity->counts->filtered++;
            continue;
        }
        mapper_open_batch(mapper, entity);
        struct making making = mapper_making_of_parent(mapper, entity);
        if (entity->mapping->unnest != NULL) {
            status = mapper_unnest_parent(&making, error);
            continue;
        }
        bool admitted = true;
        status = mapper_admits(&making, &admitted, error);
        if (status == STATUS_OK && admitted) {
            status = mapper_record(&making, error);
        }
        mapper_drop_empty(entity);
    }
    mapper->inside = false;
    return status;
}

/* ---- taking */

/* A record of the entity is half made: its list's items are in the batch's arena. */
static bool is_half_made(const struct mapper *mapper, const struct entity_state *entity)
{
    for (uint32_t i = 0; mapper->inside && i < entity->list_count; i++) {
        if (entity->lists[i].field && entity->lists[i].count > 0) {
            return true;
        }
    }
    return false;
}

static bool is_ready(const struct mapper *mapper, const struct entity_state *entity)
{
    return entity->out && entity->out->row_count > 0 && !is_half_made(mapper, entity);
}

size_t mapper_pending_bytes(const struct mapper *mapper)
{
    size_t bytes = mapper->reject_arena ? arena_bytes(mapper->reject_arena) : 0;
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        if (is_ready(mapper, &mapper->entities[e])) {
            bytes += batch_bytes(mapper->entities[e].out);
        }
    }
    return bytes;
}

uint32_t mapper_pending_rows(const struct mapper *mapper)
{
    uint32_t rows = mapper->reject_count;
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        rows += is_ready(mapper, &mapper->entities[e]) ? mapper->entities[e].out->row_count : 0;
    }
    return rows;
}

/* Items of a page under way move to a batch that is not handed over. */
static enum status keep_pages(struct mapper *mapper, struct entity_state *entity,
                              struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; mapper->inside && i < entity->list_count && status == STATUS_OK; i++) {
        if (entity->lists[i].count > 0) {
            mapper_open_batch(mapper, entity);
            status = mapper_list_move(mapper, &entity->lists[i], entity->out->arena, error);
        }
    }
    return status;
}

enum status mapper_take(struct mapper *mapper, struct mapper_output *output, struct error *error)
{
    *output = (struct mapper_output){0};
    output->batches = mapper->taken;
    enum status status = STATUS_OK;
    for (uint32_t e = 0; e < mapper->entity_count && status == STATUS_OK; e++) {
        struct entity_state *entity = &mapper->entities[e];
        if (is_ready(mapper, entity)) {
            struct batch *taken = entity->out;
            entity->out = NULL;
            output->batches[output->batch_count++] = taken;
            status = keep_pages(mapper, entity, error);
        }
    }
    output->rejects = mapper->rejects;
    output->reject_count = mapper->reject_count;
    output->arena = mapper->reject_arena;
    output->keeper = mapper->reject_keeper;
    mapper->reject_keeper = NULL;
    mapper->reject_arena = NULL;
    mapper->rejects = NULL;
    mapper->reject_count = 0;
    mapper->reject_capacity = 0;
    return status;
}
