/* Lists made of child rows as they pass: embedded whole, or cut into pages and let go. */
#include "plan/map/mapper_internal.h"
#include <stdlib.h>
#include <string.h>

enum { EMPTY_BATCH_BYTES_MAX = 64 << 10 };

void mapper_drop_empty(struct entity_state *entity)
{
    if (entity->out && entity->out->row_count == 0 &&
        arena_bytes(entity->out->arena) > EMPTY_BATCH_BYTES_MAX) {
        batch_destroy(entity->out);
        entity->out = NULL;
    }
}

void mapper_lists_begin(struct mapper *mapper)
{
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        entity->page = 0;
        entity->stopped = false;
        for (uint32_t i = 0; i < entity->list_count; i++) {
            entity->lists[i].phase = LIST_UNDECIDED;
            entity->lists[i].count = 0;
            entity->lists[i].bytes = 0;
            entity->lists[i].page_too_large = false;
            entity->lists[i].failed = false;
            entity->lists[i].index.slot_count = 0;
        }
    }
}

struct making mapper_making_of_parent(struct mapper *mapper, struct entity_state *entity)
{
    return (struct making){
        .mapper = mapper,
        .row = mapper->parent,
        .parent = mapper->parent,
        .document = mapper->document,
        .envelope = mapper->envelope,
        .entity = entity,
        .arena = entity->out ? entity->out->arena : mapper->scratch,
    };
}

/* The record of the list is rejected for it. */
static void mapper_list_fail(struct list_state *list, const struct error *fault)
{
    list = mapper_list_top(list);
    if (!list->failed) {
        error_copy(&list->fault, fault);
        list->failed = true;
    }
}

/* Is the list wanted for this parent? Asked once, at its first row or at the parent's end. */
static enum status mapper_list_decide(struct mapper *mapper, struct list_state *list,
                                      struct error *error)
{
    struct entity_state *entity = list->entity;
    bool wanted = true;
    struct making making = mapper_making_of_parent(mapper, entity);
    enum status status;
    if (list->field) {
        status = mapper_test(&making, list->field->when, &wanted, error);
        if (status != STATUS_OK && mapper_is_reject(error)) {
            mapper_list_fail(list, error);
            status = STATUS_OK;
            wanted = true;
        }
    } else {
        status = mapper_admits(&making, &wanted, error);
        entity->stopped = !wanted;
    }
    list->phase = wanted ? LIST_BUILDING : LIST_LEFT_OUT;
    return status;
}

static enum status mapper_list_grow(struct list_state *list, struct error *error)
{
    if (list->count < list->capacity) {
        return STATUS_OK;
    }
    uint32_t capacity = list->capacity ? list->capacity * 2 : 128;
    if (mapper_nested_grow(list, capacity, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *grown = reallocarray(list->items, capacity, sizeof *grown);
    if (!grown) {
        return error_set(error, ERROR_MEMORY, list->list->text, "no memory for a list");
    }
    list->items = grown;
    list->capacity = capacity;
    return STATUS_OK;
}

static bool is_left_out(const struct mapping_list *list, const struct cell *name)
{
    for (uint32_t i = 0; i < list->star_except_count; i++) {
        if (strlen(list->star_except[i]) == name->length &&
            memcmp(list->star_except[i], name->text, name->length) == 0) {
            return true;
        }
    }
    return false;
}

/* "*" of a list whose rows are documents: copies, since the row is gone after the call. */
static enum status copy_document(struct making *making, const struct mapping_list *list,
                                 const struct cell *document, struct cell *pairs, uint32_t *count,
                                 struct error *error)
{
    enum status result = STATUS_OK;
    for (uint32_t i = 0; i < document->length; i++) {
        const struct cell *from = &document->items[2 * (size_t)i];
        struct cell *pair = &pairs[2 * (size_t)*count];
        struct error fault;
        if (is_left_out(list, from)) {
            continue;
        }
        if (mapper_keep(making, &from[0], &pair[0], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (mapper_keep(making, &from[1], &pair[1], &fault) != STATUS_OK) {
            if (!mapper_is_reject(&fault)) {
                return error_copy(error, &fault);
            }
            if (result == STATUS_OK) {
                error_copy(error, &fault);
                result = STATUS_FAILED;
            }
            mapper_omit(making, list->text, fault.message, &pair[1]);
        }
        making->bytes += 32 + (uint64_t)from->length;
        ++*count;
    }
    return result;
}

/* One field of an item; `*inner` counts those that embed. */
static enum status make_item_field(struct making *making, const struct mapping_field *field,
                                   struct list_state *state, uint32_t *inner, struct cell *cell,
                                   struct error *error)
{
    enum status status =
        field->kind == FIELD_EMBED
            ? mapper_nested_place(making, &state->inner[(*inner)++], state->count, cell, error)
            : mapper_field(making, field, NULL, cell, error);
    if (status != STATUS_OK && mapper_is_reject(error) && cell->kind == VALUE_MISSING) {
        mapper_omit(making, field->name, error->message, cell);
    }
    if (status != STATUS_OK && !error->object[0]) {
        error_context(error, "field %s: ", field->name);
    }
    return status;
}

/* One item: a MAP of the fields that are there; after a reject-class failure of those that could be
 * made. */
static enum status make_item(struct making *making, struct list_state *state, struct cell *item,
                             struct error *error)
{
    const struct mapping_list *list = state->list;
    const struct cell *document =
        list->document != MAPPING_NONE ? &making->row[list->document] : NULL;
    size_t room = list->field_count;
    room += document != NULL && document->kind == VALUE_MAP ? document->length : 0;
    struct cell *pairs = arena_try_allocate(making->arena, (room * 2 + 1) * sizeof *pairs);
    uint32_t count = 0;
    uint32_t inner = 0;
    enum status result = STATUS_OK;
    if (!pairs) {
        return error_set(error, ERROR_MEMORY, list->text, "no memory for an item");
    }
    if (document != NULL && document->kind == VALUE_MAP) {
        result = copy_document(making, list, document, pairs, &count, error);
        if (result != STATUS_OK && !mapper_is_reject(error)) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < list->field_count; i++) {
        const struct mapping_field *field = &list->fields[i];
        struct cell *pair = &pairs[2 * (size_t)count];
        struct error fault;
        if (make_item_field(making, field, state, &inner, &pair[1], &fault) != STATUS_OK) {
            if (result == STATUS_OK || !mapper_is_reject(&fault)) {
                error_copy(error, &fault);
                result = STATUS_FAILED;
            }
            if (!mapper_is_reject(&fault)) {
                return STATUS_FAILED;
            }
        }
        if (pair[1].kind != VALUE_MISSING) {
            pair[0] = cell_text(field->name, field->name_length);
            pair[0].flags = field->name_plain ? CELL_ASCII : 0;
            making->bytes += 32 + (uint64_t)field->name_length;
            count++;
        }
    }
    *item = cell_items(VALUE_MAP, pairs, count);
    return result;
}

static void end_page(struct list_state *list)
{
    list->count = 0;
    list->bytes = 0;
    list->page_too_large = false;
    list->failed = false;
    mapper_drop_empty(list->entity);
}

static enum status refuse_large_page(struct mapper *mapper, struct list_state *list,
                                     struct error *error)
{
    struct making making = mapper_making_of_parent(mapper, list->entity);
    struct error reason;
    making.page = ++list->entity->page;
    (void)error_set(&reason, ERROR_REJECT_TOO_LARGE, list->list->text,
                    "page %lld of the list %s grows beyond %llu bytes; make its size smaller",
                    (long long)making.page, list->list->text,
                    (unsigned long long)mapper->record_bytes_max);
    end_page(list);
    struct cell omitted;
    mapper_open_batch(mapper, list->entity);
    making.arena = list->entity->out->arena;
    mapper_omit(&making, "", reason.message, &omitted);
    making.list = &omitted;
    making.fault = &reason;
    return mapper_record(&making, error);
}

static enum status emit_page(struct mapper *mapper, struct list_state *list, struct error *error)
{
    if (list->page_too_large) {
        return refuse_large_page(mapper, list, error);
    }
    struct entity_state *entity = list->entity;
    struct arena *arena = entity->out->arena;
    struct cell *items = arena_try_allocate(arena, ((size_t)list->count + 1) * sizeof *items);
    if (!items) {
        return error_set(error, ERROR_MEMORY, list->list->text, "no memory for a page");
    }
    memcpy(items, list->items, list->count * sizeof *items);
    struct cell cell = cell_items(VALUE_LIST, items, list->count);
    struct making making = mapper_making_of_parent(mapper, entity);
    making.page = ++entity->page;
    making.list = &cell;
    making.bytes = list->bytes;
    making.fault = list->failed ? &list->fault : NULL;
    enum status status = mapper_record(&making, error);
    end_page(list);
    return status;
}

/* An item that fails rejects the record or page that holds it; whole, with what there is of it. */
static enum status absorb(struct list_state *list, enum status status, struct error *error)
{
    if (status == STATUS_OK || !mapper_is_reject(error)) {
        return status;
    }
    if (!mapper_list_top(list)->failed) {
        mapper_nested_name(list, list->count, error);
        mapper_list_fail(list, error);
    }
    return STATUS_OK;
}

/* Makes an item of the row, behind the others. */
static enum status append_item(struct making *making, struct list_state *list, struct error *error)
{
    enum status status = STATUS_OK;
    if (list->inner_count > 0) {
        status =
            absorb(list, mapper_nested_note_key(making->mapper, list, making->row, error), error);
    }
    return status == STATUS_OK
               ? absorb(list, make_item(making, list, &list->items[list->count], error), error)
               : status;
}

/* No more is made of the list, nor of those in its items. */
static void give_up(struct list_state *top)
{
    struct entity_state *entity = top->entity;
    top->phase = LIST_TOO_LARGE;
    for (uint32_t i = 0; i < entity->list_count; i++) {
        if (mapper_list_top(&entity->lists[i]) == top) {
            entity->lists[i].count = 0;
        }
    }
}

/* `owner`: of a list within items, the one that holds it. */
static enum status add_item(struct mapper *mapper, struct list_state *list, uint32_t owner,
                            const struct cell *row, struct error *error)
{
    struct entity_state *entity = list->entity;
    struct list_state *top = mapper_list_top(list);
    mapper_open_batch(mapper, entity);
    if (!list->page_too_large && mapper_list_grow(list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct making making = {.mapper = mapper,
                            .row = row,
                            .parent = mapper->parent,
                            .entity = entity,
                            .arena = entity->out->arena};
    bool wanted = true;
    if (list->outer != NULL) {
        list->owners[list->count] = owner;
    }
    enum status status = mapper_test(&making, list->list->where, &wanted, error);
    if (status != STATUS_OK) {
        wanted = true;
        status = absorb(list, status, error);
    }
    if (status == STATUS_OK && wanted && !list->page_too_large) {
        status = append_item(&making, list, error);
    }
    if (status != STATUS_OK || !wanted) {
        return status;
    }
    list->count++;
    top->bytes += making.bytes + sizeof(struct cell) + mapper_nested_item_bytes(list);
    bool too_large = top->bytes > mapper->record_bytes_max;
    if (too_large && list->field) {
        give_up(top);
        return STATUS_OK;
    }
    list->page_too_large = list->page_too_large || too_large;
    return !list->field && list->count == entity->mapping->page_size
               ? emit_page(mapper, list, error)
               : STATUS_OK;
}

static enum status add_to_record(struct mapper *mapper, struct list_state *list,
                                 const struct cell *row, struct error *error)
{
    enum status status = STATUS_OK;
    if (list->phase == LIST_UNDECIDED) {
        status = mapper_list_decide(mapper, list, error);
    }
    return status == STATUS_OK && list->phase == LIST_BUILDING
               ? add_item(mapper, list, 0, row, error)
               : status;
}

static enum status add_to_items(struct mapper *mapper, struct list_state *list,
                                const struct cell *row, struct error *error)
{
    uint32_t owner = 0;
    bool found = false;
    if (mapper_list_top(list)->phase != LIST_BUILDING || list->outer->count == 0) {
        return STATUS_OK;
    }
    enum status status = mapper_nested_find(mapper, list, row, &owner, &found, error);
    if (status != STATUS_OK && mapper_is_reject(error)) {
        mapper_list_fail(list, error);
        return STATUS_OK;
    }
    return status == STATUS_OK && found ? add_item(mapper, list, owner, row, error) : status;
}

enum status mapper_lists_add(struct mapper *mapper, uint32_t child, const struct cell *row,
                             struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        bool wanted = mapper_is_wanted(mapper, entity);
        for (uint32_t i = 0; wanted && i < entity->list_count && status == STATUS_OK; i++) {
            struct list_state *list = &entity->lists[i];
            const struct mapping_list *what = list->list;
            if (what->child == child &&
                (what->presence == MAPPING_NONE || row[what->presence].i64 != 0)) {
                status = list->outer != NULL ? add_to_items(mapper, list, row, error)
                                             : add_to_record(mapper, list, row, error);
            }
        }
    }
    return status;
}

enum status mapper_pages_end(struct mapper *mapper, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t e = 0; e < mapper->entity_count && status == STATUS_OK; e++) {
        struct entity_state *entity = &mapper->entities[e];
        bool wanted = mapper_is_wanted(mapper, entity);
        for (uint32_t i = 0; wanted && i < entity->list_count && status == STATUS_OK; i++) {
            struct list_state *list = &entity->lists[i];
            if (list->phase == LIST_UNDECIDED && list->field && !list->outer) {
                status = mapper_list_decide(mapper, list, error);
            }
            if (!list->field && list->phase == LIST_BUILDING && list->count > 0) {
                status = emit_page(mapper, list, error);
            }
        }
    }
    return status;
}

enum status mapper_list_move(struct mapper *mapper, struct list_state *list, struct arena *arena,
                             struct error *error)
{
    (void)mapper;
    for (uint32_t i = 0; i < list->count && !list->page_too_large; i++) {
        struct cell copy;
        if (value_copy(&list->items[i], arena, &copy) != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, list->list->text, "no memory for a page");
        }
        list->items[i] = copy;
    }
    return STATUS_OK;
}
