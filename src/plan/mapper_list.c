/* Parents with their children: aggregates, lists and pages, row by row, in bounded memory. */
#include <stdio.h>
#include <string.h>
#include "plan/mapper_internal.h"

enum { ROWS_FIRST = 64, WASTE_BYTES_MAX = 1 << 20 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "out of memory");
}

static struct record_source parent_source(const struct mapper *mapper)
{
    return (struct record_source){.row = mapper->parent,
                                  .lists = mapper->list_cells,
                                  .arena = mapper->carrier->arena};
}

static const struct cell *parent_key(const struct mapper *mapper)
{
    return mapper->parent + mapper->mapping->key_offset;
}

static enum status start_batch(struct mapper *mapper, struct mapper_entity *entity,
                               struct error *error)
{
    if (entity->batch != NULL) {
        return STATUS_OK;
    }
    entity->batch = batch_create_sharing(mapper->carrier, entity->entity->shape, entity->width,
                                         ROWS_FIRST);
    if (entity->batch == NULL) {
        return no_memory(error);
    }
    entity->batch->entity = entity->entity->number;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the arena of what is made */

/* Parents that made nothing leave their copies behind: begin anew when they are many. */
static void drop_waste(struct mapper *mapper)
{
    if (mapper->carrier == NULL || arena_bytes(mapper->carrier->arena) < WASTE_BYTES_MAX) {
        return;
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        if (mapper->entities[i].batch != NULL && mapper->entities[i].batch->row_count > 0) {
            return;
        }
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        batch_destroy(mapper->entities[i].batch);
        mapper->entities[i].batch = NULL;
    }
    batch_destroy(mapper->carrier);
    mapper->carrier = NULL;
}

static enum status move_cells(struct mapper *mapper, struct cell *cells, uint32_t count,
                              struct arena *arena)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cell old = cells[i];
        if (mapper_copy_cell(mapper, &old, arena, &cells[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status move_items(struct mapper *mapper, struct item_list *list, struct arena *arena)
{
    if (list->count == 0) {
        list->items = NULL;
        list->capacity = 0;
        return STATUS_OK;
    }
    struct cell *items = arena_allocate_zeroed(arena, list->capacity, sizeof *items);
    if (items == NULL) {
        return mapper_out_of_memory(mapper);
    }
    memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    return move_cells(mapper, items, list->count, arena);
}

static enum status move_record(struct mapper *mapper, struct arena *arena)
{
    enum status status = move_cells(mapper, mapper->parent, mapper->parent_count, arena);
    if (status == STATUS_OK && mapper->lists_open) {
        status = move_cells(mapper, mapper->results, mapper->mapping->aggregate_count, arena);
    }
    for (uint32_t i = 0; i < mapper->mapping->list_count && status == STATUS_OK; i++) {
        status = move_items(mapper, &mapper->lists[i].items, arena);
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count && status == STATUS_OK; i++) {
        status = move_items(mapper, &mapper->entities[i].items, arena);
    }
    return status;
}

enum status mapper_relocate(struct mapper *mapper, struct error *error)
{
    struct batch *old = mapper->carrier;
    mapper->carrier = NULL;
    enum status status = STATUS_OK;
    if (mapper->in_record) {
        mapper->carrier = batch_create(NULL, 1, 1);
        status = mapper->carrier == NULL ? mapper_out_of_memory(mapper)
                                         : move_record(mapper, mapper->carrier->arena);
    }
    batch_destroy(old);
    if (status != STATUS_OK) {
        error_copy(error, &mapper->failure);
    }
    return status;
}

/* ---------------------------------------------------------------- begin */

enum status mapper_begin(struct mapper *mapper, const struct cell *parent, struct error *error)
{
    drop_waste(mapper);
    if (mapper->carrier == NULL && (mapper->carrier = batch_create(NULL, 1, 1)) == NULL) {
        return no_memory(error);
    }
    mapper->in_record = true;
    mapper->lists_open = false;
    for (uint32_t i = 0; i < mapper->parent_count; i++) {
        if (mapper_copy_cell(mapper, &parent[i], mapper->carrier->arena, &mapper->parent[i]) ==
            STATUS_OK) {
            continue;
        }
        if (mapper->failure.class != ERROR_CLASS_REJECT) {
            error_copy(error, &mapper->failure);
            return STATUS_FAILED;
        }
        mapper->parent[i] = (struct cell){.kind = VALUE_ESCAPE}; /* what needs it is rejected */
    }
    for (uint32_t i = 0; i < mapper->mapping->aggregate_count; i++) {
        aggregate_reset(&mapper->aggregates[i]);
        mapper->results[i] = cell_missing();
    }
    for (uint32_t i = 0; i < mapper->mapping->list_count; i++) {
        memset(&mapper->lists[i].items, 0, sizeof mapper->lists[i].items);
        mapper->list_cells[i] = cell_missing();
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        memset(&mapper->entities[i].items, 0, sizeof mapper->entities[i].items);
        mapper->entities[i].page = 1;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- conditions and aggregates */

static enum status finish_aggregates(struct mapper *mapper, bool early, struct error *error)
{
    for (uint32_t i = 0; i < mapper->mapping->aggregate_count; i++) {
        const struct mapping_aggregate *aggregate = &mapper->mapping->aggregates[i];
        if (mapper->stream->children[aggregate->child].aggregate_only == early &&
            aggregate_result(&mapper->aggregates[i], aggregate, mapper->carrier->arena,
                             &mapper->results[i]) != STATUS_OK) {
            return no_memory(error);
        }
    }
    return STATUS_OK;
}

/* Does the entity that embeds the list want it for this parent? */
static enum status test_embed(struct mapper *mapper, uint32_t index, struct error *error)
{
    struct mapper_list *list = &mapper->lists[index];
    list->embedded = list->entity != MAPPING_NONE && mapper->entities[list->entity].wanted;
    list->wanted = list->embedded;
    if (!list->embedded) {
        return STATUS_OK;
    }
    struct mapper_entity *entity = &mapper->entities[list->entity];
    struct record_source source = parent_source(mapper);
    for (uint32_t i = 0; i < entity->mapping->field_count; i++) {
        const struct mapping_field *field = &entity->mapping->fields[i];
        if (field->kind != FIELD_EMBED || field->list != index || field->when == MAPPING_NONE) {
            continue;
        }
        if (mapper_test(mapper, &source, field->when, &list->embedded) != STATUS_OK) {
            entity->wanted = false;
            entity->rejected = true;
            list->embedded = false;
            if (mapper_reject_add(mapper, entity, NULL, parent_key(mapper), error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        list->wanted = list->embedded;
    }
    return STATUS_OK;
}

/* Once all that the conditions need is known: which entities and lists are made of this parent. */
static enum status open_lists(struct mapper *mapper, struct error *error)
{
    mapper->lists_open = true;
    if (finish_aggregates(mapper, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct record_source source = parent_source(mapper);
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        if (mapper_record_test(mapper, entity, &source, parent_key(mapper), &entity->wanted,
                               &entity->rejected, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < mapper->mapping->list_count; i++) {
        if (test_embed(mapper, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        const struct mapper_entity *entity = &mapper->entities[i];
        if (entity->mapping->pages != MAPPING_NONE && entity->wanted) {
            mapper->lists[entity->mapping->pages].wanted = true;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- items */

/* The record that would hold the list is rejected; no more is kept of it. */
static void fail_items(struct item_list *list, enum error_code code, const char *reason)
{
    if (list->failure == ERROR_NONE) {
        list->failure = code;
        snprintf(list->reason, sizeof list->reason, "%s", reason);
    }
}

static enum status append_item(struct mapper *mapper, struct item_list *list,
                               const struct cell *item, uint64_t bytes)
{
    list->bytes += bytes;
    if (list->failure == ERROR_NONE && list->bytes > mapper->record_bytes_max) {
        char reason[80];
        snprintf(reason, sizeof reason, "the list exceeds %llu bytes",
                 (unsigned long long)mapper->record_bytes_max);
        fail_items(list, ERROR_REJECT_TOO_LARGE, reason);
    }
    if (list->failure != ERROR_NONE) {
        list->count++;
        return STATUS_OK;
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct arena *arena = mapper->carrier->arena;
        size_t old_size = list->capacity * sizeof *list->items;
        size_t new_size = (size_t)capacity * sizeof *list->items;
        if (list->capacity == 0 || !arena_try_extend(arena, list->items, old_size, new_size)) {
            struct cell *items = arena_allocate(arena, new_size);
            if (items == NULL) {
                return mapper_out_of_memory(mapper);
            }
            if (list->count > 0) {
                memcpy(items, list->items, list->count * sizeof *items);
            }
            list->items = items;
        }
        list->capacity = capacity;
    }
    list->items[list->count++] = *item;
    return STATUS_OK;
}

/* The MAP of one child row. */
static enum status make_item(struct mapper *mapper, const struct mapping_list *mapping,
                             const struct mapper_list *list, const struct record_source *source,
                             struct cell *item, uint64_t *bytes)
{
    size_t most = (size_t)mapping->field_count * 2;
    struct cell *pairs = arena_allocate(source->arena, most * sizeof *pairs);
    uint32_t used = 0;
    if (pairs == NULL) {
        return mapper_out_of_memory(mapper);
    }
    *bytes = sizeof *item;
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        struct cell *value = &pairs[used + 1];
        enum status status;
        if (field->direct) {
            status = mapper_copy_cell(mapper, &source->row[field->value.index], source->arena, value);
            if (value->kind <= VALUE_NULL && field->nulls != NULLS_KEEP) {
                value->kind = field->nulls == NULLS_OMIT ? VALUE_MISSING : VALUE_NULL;
            }
        } else {
            status = mapper_field_make(mapper, field, source, value);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (value->kind != VALUE_MISSING) {
            pairs[used] = list->names[i];
            *bytes += 2 * sizeof *value + mapper_cell_bytes(value);
            used += 2;
        }
    }
    *item = cell_items(VALUE_MAP, pairs, used / 2);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- pages */

static enum status reject_list(struct mapper *mapper, struct mapper_entity *entity,
                               const struct item_list *items, uint32_t list, struct error *error)
{
    (void)error_set(&mapper->failure, items->failure, mapper->mapping->lists[list].text, "%s",
                    items->reason);
    return mapper_reject_add(mapper, entity, NULL, parent_key(mapper), error);
}

static enum status emit_page(struct mapper *mapper, struct mapper_entity *entity,
                             struct error *error)
{
    struct item_list *items = &entity->items;
    enum status status = STATUS_OK;
    if (items->failure != ERROR_NONE) {
        status = reject_list(mapper, entity, items, entity->mapping->pages, error);
    } else {
        struct record_source source = parent_source(mapper);
        source.page = entity->page;
        source.page_list = cell_items(VALUE_LIST, items->items, items->count);
        status = start_batch(mapper, entity, error);
        if (status == STATUS_OK) {
            status = mapper_record_make(mapper, entity, &source, parent_key(mapper), true, error);
        }
    }
    memset(items, 0, sizeof *items);
    entity->page++;
    return status;
}

/* ---------------------------------------------------------------- child rows */

/* Gives the item to the list and to the pages that cut it. `failed`: mapper->failure says why there is
 * none, and the records that would hold it are rejected. */
static enum status distribute(struct mapper *mapper, uint32_t index, const struct cell *item,
                              uint64_t bytes, bool failed, struct error *error)
{
    struct mapper_list *list = &mapper->lists[index];
    struct error failure;
    if (failed) {
        failure = mapper->failure;
    }
    list->wanted = false;
    if (list->embedded) {
        if (failed) {
            fail_items(&list->items, failure.code, failure.message);
        }
        if (append_item(mapper, &list->items, item, bytes) != STATUS_OK) {
            error_copy(error, &mapper->failure);
            return STATUS_FAILED;
        }
        list->wanted = list->items.failure == ERROR_NONE;
    }
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        if (entity->mapping->pages != index || !entity->wanted) {
            continue;
        }
        list->wanted = true;
        if (failed) {
            fail_items(&entity->items, failure.code, failure.message);
        }
        if (append_item(mapper, &entity->items, item, bytes) != STATUS_OK) {
            error_copy(error, &mapper->failure);
            return STATUS_FAILED;
        }
        if (entity->items.count == entity->mapping->page_size &&
            emit_page(mapper, entity, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status add_to_list(struct mapper *mapper, uint32_t index, const struct cell *row,
                               struct error *error)
{
    const struct mapping_list *mapping = &mapper->mapping->lists[index];
    const struct mapper_list *list = &mapper->lists[index];
    struct record_source source = {
        .row = row, .transient = true, .arena = mapper->carrier->arena};
    struct cell item = cell_missing();
    uint64_t bytes = 0;
    bool passes = true;
    bool failed = false;
    if (!list->wanted ||
        (mapping->presence != MAPPING_NONE && row[mapping->presence].i64 == 0)) {
        return STATUS_OK;
    }
    if (mapping->where != MAPPING_NONE) {
        failed = mapper_test(mapper, &source, mapping->where, &passes) != STATUS_OK;
    }
    if (!failed && !passes) {
        return STATUS_OK;
    }
    failed = failed || make_item(mapper, mapping, list, &source, &item, &bytes) != STATUS_OK;
    if (failed && mapper->failure.class != ERROR_CLASS_REJECT) {
        error_copy(error, &mapper->failure);
        return STATUS_FAILED;
    }
    return distribute(mapper, index, &item, bytes, failed, error);
}

enum status mapper_child(struct mapper *mapper, uint32_t child, const struct cell *row,
                         struct error *error)
{
    const struct stream_mapping *mapping = mapper->mapping;
    if (!mapper->stream->children[child].aggregate_only && !mapper->lists_open &&
        open_lists(mapper, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < mapping->aggregate_count; i++) {
        if (mapping->aggregates[i].child == child &&
            aggregate_add(&mapper->aggregates[i], &mapping->aggregates[i], row,
                          mapper->record_bytes_max) != STATUS_OK) {
            return no_memory(error);
        }
    }
    for (uint32_t i = 0; i < mapping->list_count; i++) {
        if (mapping->lists[i].child == child &&
            add_to_list(mapper, i, row, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- end */

/* The lists' cells; a list that grew too large rejects its record. */
static enum status close_lists(struct mapper *mapper, struct error *error)
{
    for (uint32_t i = 0; i < mapper->mapping->list_count; i++) {
        const struct mapper_list *list = &mapper->lists[i];
        if (!list->embedded) {
            continue;
        }
        mapper->list_cells[i] = cell_items(VALUE_LIST, list->items.items, list->items.count);
        struct mapper_entity *entity = &mapper->entities[list->entity];
        if (list->items.failure != ERROR_NONE && entity->wanted) {
            entity->wanted = false;
            if (reject_list(mapper, entity, &list->items, i, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

enum status mapper_end(struct mapper *mapper, struct error *error)
{
    if (!mapper->lists_open && open_lists(mapper, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (finish_aggregates(mapper, false, error) != STATUS_OK ||
        close_lists(mapper, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct record_source source = parent_source(mapper);
    for (uint32_t i = 0; i < mapper->stream->entity_count; i++) {
        struct mapper_entity *entity = &mapper->entities[i];
        enum status status = STATUS_OK;
        if (!entity->wanted) {
            continue;
        }
        if (entity->mapping->pages != MAPPING_NONE) {
            status = entity->items.count > 0 ? emit_page(mapper, entity, error) : STATUS_OK;
        } else {
            status = start_batch(mapper, entity, error);
            if (status == STATUS_OK) {
                status =
                    mapper_record_make(mapper, entity, &source, parent_key(mapper), true, error);
            }
        }
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    mapper->in_record = false;
    return STATUS_OK;
}
