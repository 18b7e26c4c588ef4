/* One record: its fields, its key, its place in the batch; or its reject. */
#include "plan/map/mapper_internal.h"
#include <stdio.h>
#include <string.h>

enum { OWN_BATCH_ROWS = 128 };

static uint32_t key_count(const struct mapper *mapper)
{
    return mapper->shared->key_count;
}

static uint32_t own_width(const struct entity_state *entity)
{
    return entity->mapping->document_star ? 1 : entity->mapping->field_count;
}

void mapper_open_batch(struct mapper *mapper, struct entity_state *entity)
{
    if (entity->out) {
        return;
    }
    const struct shape *shape = plan_entity_batch_shape(entity->entity);
    entity->out = batch_create(shape, own_width(entity) + key_count(mapper), OWN_BATCH_ROWS);
    entity->out->entity = entity->entity->number;
}

/* ---- envelopes */

/* Nothing but a source key, which the record's own cells hold, too? */
static bool says_nothing(const struct record_envelope *envelope)
{
    return envelope->operation == RECORD_INSERT && envelope->position.length == 0 &&
           envelope->write_time_us == 0 && envelope->ttl_seconds == 0 &&
           envelope->cell_times == NULL;
}

/* The times of fields that are columns as they are; others have the record's own. */
static const struct cell_times *times_of_fields(const struct mapping *mapping,
                                                const struct record_envelope *from,
                                                struct arena *arena)
{
    struct cell_times *times =
        arena_allocate_zeroed(arena, mapping->field_count + 1u, sizeof *times);
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        times[i] = field->direct ? from->cell_times[field->value.index]
                                 : (struct cell_times){from->write_time_us, from->ttl_seconds};
    }
    return times;
}

/* The envelope of the record that the entity makes of `from` (NULL: plain), without the source key.
 * False: it says nothing. */
static bool make_envelope(const struct mapper *mapper, const struct entity_state *entity,
                          const struct record_envelope *from, struct arena *arena,
                          struct record_envelope *to)
{
    const struct record_envelope plain = {0};
    from = from != NULL ? from : &plain;
    if (says_nothing(from) && mapper->newest_write_us == 0) {
        return false;
    }
    *to = *from;
    to->source_key = NULL;
    to->source_key_count = 0;
    to->position.bytes =
        from->position.length == 0
            ? NULL
            : (const uint8_t *)arena_copy(arena, from->position.bytes, from->position.length);
    if (from->write_time_us < mapper->newest_write_us) {
        to->write_time_us = mapper->newest_write_us;
    }
    bool by_cell =
        from->cell_times != NULL && !entity->mapping->document_star && !mapper->shared->documents;
    to->cell_times = by_cell ? times_of_fields(entity->mapping, from, arena) : NULL;
    return true;
}

void mapper_carry_envelope(struct mapper *mapper, struct entity_state *entity,
                           const struct record_envelope *from)
{
    struct batch *out = entity->out;
    struct record_envelope made;
    if (make_envelope(mapper, entity, from, out->arena, &made)) {
        batch_add_envelopes(out);
        out->envelopes[out->row_count - 1] = made;
    }
}

/* ---- rejects */

/* A copy for the reject; what can't be had says so: the reason matters more. */
static struct cell kept_for_reject(const struct making *making, const char *field,
                                   const struct cell *from)
{
    struct making keeping = {.mapper = making->mapper, .arena = making->mapper->reject_arena};
    struct error why;
    struct cell copy;
    if (from->kind == VALUE_LARGE && making->borrow) {
        return *from; /* the mapper's keeper sees to it that it lives on */
    }
    if (mapper_keep(&keeping, from, &copy, &why) != STATUS_OK) {
        mapper_omit(&keeping, field, why.message, &copy);
    }
    return copy;
}

static struct cell reject_map(struct making *making, const struct cell *cells)
{
    struct mapper *mapper = making->mapper;
    if (cells != NULL && making->entity->mapping->document_star) {
        return kept_for_reject(making, "", cells); /* it is a MAP already */
    }
    uint32_t count = cells != NULL ? making->entity->mapping->field_count : 0;
    struct cell *pairs =
        arena_allocate(mapper->reject_arena, ((size_t)count * 2 + 1) * sizeof *pairs);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct mapping_field *field = &making->entity->mapping->fields[i];
        if (cells[i].kind != VALUE_MISSING) {
            pairs[2 * (size_t)kept] = cell_text(field->name, field->name_length);
            pairs[2 * (size_t)kept++ + 1] = kept_for_reject(making, field->name, &cells[i]);
        }
    }
    return cell_items(VALUE_MAP, pairs, kept);
}

static void grow_rejects(struct mapper *mapper)
{
    if (!mapper->reject_arena) {
        mapper->reject_arena = arena_create(0);
    }
    if (mapper->reject_count == mapper->reject_capacity) {
        uint32_t capacity = mapper->reject_capacity ? mapper->reject_capacity * 2 : 32;
        struct mapper_reject *grown =
            arena_allocate(mapper->reject_arena, (size_t)capacity * sizeof *grown);
        if (mapper->reject_count > 0) {
            memcpy(grown, mapper->rejects, mapper->reject_count * sizeof *grown);
        }
        mapper->rejects = grown;
        mapper->reject_capacity = capacity;
    }
}

/* A part of the source key: as the source names the record, else among its columns. */
static const struct cell *key_part(const struct making *making, uint32_t part)
{
    const struct record_envelope *envelope = making->envelope;
    return envelope != NULL && envelope->source_key_count > part
               ? &envelope->source_key[part]
               : &making->parent[making->mapper->shared->key_columns[part]];
}

void mapper_refuse(struct making *making, const struct error *reason, const struct cell *cells)
{
    struct mapper *mapper = making->mapper;
    enum error_code code = reason->code;
    char text[sizeof reason->message + sizeof reason->context + 256];
    if (making->ordinal > 0) {
        snprintf(text, sizeof text, "element %lld of %.200s: %s%s", (long long)making->ordinal,
                 making->entity->mapping->unnest->text, reason->context, reason->message);
    } else {
        snprintf(text, sizeof text, "%s%s", reason->context, reason->message);
    }
    grow_rejects(mapper);
    struct mapper_reject *reject = &mapper->rejects[mapper->reject_count];
    *reject = (struct mapper_reject){.entity = making->entity->entity->number,
                                     .code = code,
                                     .record = reject_map(making, cells)};
    const struct record_envelope *envelope = making->envelope;
    uint32_t keys = envelope != NULL && envelope->source_key_count > 0 ? envelope->source_key_count
                    : making->parent != NULL                           ? key_count(mapper)
                                                                       : 0;
    struct cell *key = arena_allocate(mapper->reject_arena, ((size_t)keys + 1) * sizeof *key);
    reject->reason = arena_copy_string(mapper->reject_arena, text);
    for (uint32_t i = 0; i < keys; i++) {
        key[i] = kept_for_reject(making, "", key_part(making, i));
    }
    if (making->refusing != NULL) {
        reject->field = making->refusing;
        reject->value = kept_for_reject(making, making->refusing->name, &making->refused);
    }
    reject->source_key = key;
    reject->source_key_count = keys;
    struct record_envelope made;
    if (make_envelope(mapper, making->entity, envelope, mapper->reject_arena, &made)) {
        struct record_envelope *kept = arena_allocate(mapper->reject_arena, sizeof *kept);
        *kept = made;
        reject->envelope = kept;
    }
    mapper->reject_count++;
    making->entity->counts->rejected++;
}

/* ---- records */

enum status mapper_admits(struct making *making, bool *admitted, struct error *error)
{
    const struct mapping *mapping = making->entity->mapping;
    /* pages are only made of parents that are records themselves */
    const uint32_t conditions[] = {mapping->parent_where, mapping->parent_when, mapping->where,
                                   mapping->when};
    enum status status = STATUS_OK;
    *admitted = true;
    for (uint32_t i = 0; i < 4 && status == STATUS_OK && *admitted; i++) {
        status = mapper_test(making, conditions[i], admitted, error);
    }
    if (status == STATUS_OK) {
        making->entity->counts->filtered += !*admitted;
        return STATUS_OK;
    }
    *admitted = false;
    if (!mapper_is_reject(error)) {
        return status;
    }
    struct error fault = *error;
    making->fault = &fault;
    status = mapper_record(making, error);
    making->fault = NULL;
    return status;
}

static enum status check_key(const struct mapping_field *field, const struct cell *cell,
                             struct error *error)
{
    if (field->is_key && (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING)) {
        return error_set(error, ERROR_REJECT_KEY_NULL, field->name, "the key field %s is null",
                         field->name);
    }
    return STATUS_OK;
}

/* The content of a reject for a field that can't be made. A value that its column does not take is
 * kept as it was, since the column refuses it again; another might be loaded as what it is not. */
static void keep_or_omit(struct making *making, const struct mapping_field *field,
                         const struct error *fault, struct cell *cell)
{
    struct error ignored;
    const struct cell none = cell_missing();
    const struct cell *value = making->refusing == field ? &making->refused : &none;
    bool refused = field->fitted && field->type.kind != VALUE_JSON && making->refusing == field;
    if (!refused || mapper_keep(making, value, cell, &ignored) != STATUS_OK) {
        mapper_omit_value(making, field->name, fault->message, value, cell);
    }
}

/* A field's value. STATUS_FAILED with a reject-class error: the cell is what is kept of it. */
static enum status make_field(struct making *making, const struct mapping_field *field,
                              struct list_state *list, struct cell *cell, struct error *fault)
{
    enum status status = mapper_field(making, field, list, cell, fault);
    if (status != STATUS_OK && mapper_is_reject(fault) && cell->kind == VALUE_MISSING) {
        keep_or_omit(making, field, fault, cell);
    }
    if (status != STATUS_OK && !fault->object[0]) {
        error_context(fault, "field %s: ", field->name);
    } else if (status == STATUS_OK) {
        status = check_key(field, cell, fault);
    }
    return status;
}

/* A reject holds all fields that can be made: the first failure is the reason, the others go on. */
static enum status make_fields(struct making *making, struct cell *cells, struct error *error)
{
    const struct mapping *mapping = making->entity->mapping;
    const struct mapping_field *refusing = NULL; /* of the first failure */
    struct cell refused = cell_missing();
    uint32_t list = 0;
    enum status result = STATUS_OK;
    if (making->fault != NULL) {
        error_copy(error, making->fault);
        result = STATUS_FAILED;
    }
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        struct list_state *state = NULL;
        struct error fault;
        if (field->kind == FIELD_EMBED) {
            state = &making->entity->lists[list++];
            making->bytes += state->bytes;
        }
        enum status status = make_field(making, field, state, &cells[i], &fault);
        if (status != STATUS_OK && result == STATUS_OK) {
            refused = making->refusing == field ? making->refused : cell_missing();
            refusing = field;
        }
        if (status != STATUS_OK && (result == STATUS_OK || !mapper_is_reject(&fault))) {
            error_copy(error, &fault);
            result = status;
            if (!mapper_is_reject(&fault)) {
                return status;
            }
        }
    }
    making->refusing = refusing;
    making->refused = refused;
    if (result == STATUS_OK && making->bytes > making->mapper->record_bytes_max &&
        !making->borrow) {
        result =
            error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "the record grows beyond %llu bytes",
                      (unsigned long long)making->mapper->record_bytes_max);
    }
    return result;
}

static bool is_left_out(const struct mapping *mapping, const struct cell *name)
{
    for (uint32_t i = 0; i < mapping->star_except_count; i++) {
        if (strlen(mapping->star_except[i]) == name->length &&
            memcmp(mapping->star_except[i], name->text, name->length) == 0) {
            return true;
        }
    }
    return false;
}

/* All fields of the source's document but the excepted ones, then the made ones, as one MAP. */
static enum status document_with_star(struct making *making, const struct cell *document,
                                      const struct cell *cells, struct cell *map,
                                      struct error *error)
{
    const struct mapping *mapping = making->entity->mapping;
    size_t room = (size_t)document->length + mapping->field_count + 1;
    struct cell *pairs = arena_try_allocate(making->arena, 2 * room * sizeof *pairs);
    uint32_t count = 0;
    if (!pairs) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    for (uint32_t i = 0; i < document->length; i++) {
        const struct cell *pair = &document->items[2 * (size_t)i];
        if (is_left_out(mapping, pair)) {
            continue;
        }
        for (size_t part = 0; part < 2; part++) {
            if (mapper_keep(making, &pair[part], &pairs[2 * (size_t)count + part], error) !=
                STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        count++;
    }
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        if (cells[i].kind != VALUE_MISSING) {
            pairs[2 * (size_t)count] =
                cell_text(mapping->fields[i].name, mapping->fields[i].name_length);
            pairs[2 * (size_t)count++ + 1] = cells[i];
        }
    }
    *map = cell_items(VALUE_MAP, pairs, count);
    return STATUS_OK;
}

/* After a reject-class failure the fields stand all the same. */
static enum status fill_row(struct making *making, struct cell *cells, struct error *error)
{
    struct mapper *mapper = making->mapper;
    const struct mapping *mapping = making->entity->mapping;
    struct cell *fields = cells;
    if (mapping->document_star) {
        fields =
            arena_allocate(mapper->scratch, ((size_t)mapping->field_count + 1) * sizeof *fields);
    }
    enum status status = make_fields(making, fields, error);
    if (mapping->document_star && (status == STATUS_OK || mapper_is_reject(error))) {
        struct error ignored;
        if (document_with_star(making, making->document, fields, cells, &ignored) != STATUS_OK) {
            return error_copy(error, &ignored);
        }
    }
    uint32_t width = own_width(making->entity);
    for (uint32_t i = 0; i < key_count(mapper) && status == STATUS_OK; i++) {
        status = mapper_keep(making, key_part(making, i), &cells[width + i], error);
    }
    return status;
}

enum status mapper_record(struct making *making, struct error *error)
{
    struct mapper *mapper = making->mapper;
    struct entity_state *entity = making->entity;
    mapper_open_batch(mapper, entity);
    struct cell *cells = batch_append(entity->out);
    making->arena = entity->out->arena;
    entity->counts->made++;
    enum status status = fill_row(making, cells, error);
    bool seen = false;
    if (status == STATUS_OK && entity->mapping->distinct) {
        status = mapper_distinct_seen(mapper, entity, cells, &seen, error);
        entity->counts->skipped += seen;
    }
    if (status == STATUS_OK && !seen) {
        mapper_carry_envelope(mapper, entity, making->envelope);
        return status;
    }
    if (status != STATUS_OK && mapper_is_reject(error)) {
        mapper_refuse(making, error, cells);
        status = STATUS_OK;
    }
    batch_drop_last(entity->out);
    return status;
}
