/* Documents: whose record is it, and which of its lists become rows. */
#include "model/convert.h"
#include "plan/map/mapper_internal.h"
#include "plan/words/template_read.h"
#include <string.h>

/* ---- fields by name */

static void fill_slots(const struct cell *map, const char *const *names, uint32_t count,
                       struct cell *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *value = value_field(map, names[i]);
        slots[i] = value != NULL ? *value : cell_missing();
    }
}

const struct cell *mapper_level(const struct making *making, uint32_t index)
{
    const struct mapping_level *level = &making->entity->mapping->unnest->levels[index];
    return value_field(making->levels[level->step], level->name);
}

/* ---- texts read backwards */

static enum status unreadable(const struct mapping_part *part, const char *why, struct error *error)
{
    return error_set(error, ERROR_REJECT_PATTERN, NULL, "reading %s: the text %s", part->name, why);
}

/* A number whose sign the padding parted from its digits. */
static enum status join_sign(struct making *making, const struct template_slice *slice,
                             struct cell *cell, struct error *error)
{
    char *text = arena_try_allocate(making->mapper->scratch, (size_t)slice->length + 1);
    if (text == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    text[0] = '-';
    memcpy(text + 1, slice->text, slice->length);
    *cell = cell_text(text, (size_t)slice->length + 1);
    return STATUS_OK;
}

enum status mapper_part(struct making *making, const struct mapping_part *part, struct cell *cell,
                        struct error *error)
{
    struct template_slice slices[TEMPLATE_READ_VALUES_MAX];
    struct cell text;
    const struct cell *own = part->from.origin == ORIGIN_COLUMN && part->of_record
                                 ? &making->parent[part->from.index]
                                 : NULL;
    if (own != NULL) {
        text = *own;
    } else if (mapper_reference(making, part->from, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_null();
    if (text.kind == VALUE_NULL || text.kind == VALUE_MISSING) {
        return STATUS_OK;
    }
    if (text.kind != VALUE_TEXT) {
        return unreadable(part, "is none", error);
    }
    switch (template_read(part->template, text.text, text.length, slices)) {
    case TEMPLATE_DIFFERS:
        return unreadable(part, "does not fit", error);
    case TEMPLATE_AMBIGUOUS:
        return unreadable(part, "can be read in two ways", error);
    case TEMPLATE_FITS:
        break;
    }
    const struct template_slice *slice = &slices[part->value];
    if (slice->minus) {
        return join_sign(making, slice, cell, error);
    }
    *cell = cell_text(slice->text, slice->length);
    return STATUS_OK;
}

/* ---- whose record it is */

static bool holds(const struct mapping_match *match, const struct cell *slots)
{
    const struct cell *value = &slots[match->value.index];
    if (match->template == NULL) {
        return scalar_equals(&match->constant, value);
    }
    return value->kind == VALUE_TEXT &&
           template_read(match->template, value->text, value->length, NULL) != TEMPLATE_DIFFERS;
}

/* False only if both can be read and differ. */
static bool are_same(const struct mapping_same *same, const struct cell *slots)
{
    struct template_slice left[TEMPLATE_READ_VALUES_MAX];
    struct template_slice right[TEMPLATE_READ_VALUES_MAX];
    const struct cell *a = &slots[same->left.from.index];
    const struct cell *b = &slots[same->right.from.index];
    if (template_read(same->left.template, a->text, a->length, left) != TEMPLATE_FITS ||
        template_read(same->right.template, b->text, b->length, right) != TEMPLATE_FITS) {
        return true;
    }
    const struct template_slice *one = &left[same->left.value];
    const struct template_slice *other = &right[same->right.value];
    return one->length == other->length && one->minus == other->minus &&
           memcmp(one->text, other->text, one->length) == 0;
}

static bool belongs(const struct mapping *mapping, const struct cell *slots)
{
    for (uint32_t i = 0; i < mapping->match_count; i++) {
        if (!holds(&mapping->matches[i], slots)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < mapping->same_count; i++) {
        if (!are_same(&mapping->sames[i], slots)) {
            return false;
        }
    }
    return true;
}

/* ---- rejects that are no records of the entity: kept under a name of their own */

static enum status refuse_whole(struct making *making, const struct error *reason, const char *name,
                                const struct cell *cell, struct error *error)
{
    struct mapper *mapper = making->mapper;
    making->entity->counts->made++;
    mapper_refuse(making, reason, NULL);
    struct cell *pair = arena_allocate(mapper->reject_arena, 2 * sizeof *pair);
    if (value_copy(cell, mapper->reject_arena, &pair[1]) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a reject");
    }
    pair[0] = cell_text(name, strlen(name));
    mapper->rejects[mapper->reject_count - 1].record = cell_items(VALUE_MAP, pair, 1);
    return STATUS_OK;
}

enum status mapper_refuse_unreadable(struct mapper *mapper, const struct record_envelope *envelope,
                                     const struct error *reason, const struct cell *raw,
                                     struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t e = 0; e < mapper->entity_count && status == STATUS_OK; e++) {
        struct entity_state *entity = &mapper->entities[e];
        struct making making = {.mapper = mapper, .entity = entity, .envelope = envelope};
        making.parent = mapper->shared->documents ? mapper->slots : NULL;
        status = refuse_whole(&making, reason, "unreadable", raw, error);
        if (entity->mapping->match_count > 0) {
            break;
        }
    }
    return status;
}

static enum status leave_unmatched(struct making *making, const struct cell *document,
                                   struct error *error)
{
    struct error reason;
    if (making->mapper->shared->skip_unmatched) {
        making->entity->counts->unmatched++;
        return STATUS_OK;
    }
    error_set(&reason, ERROR_REJECT_UNMATCHED, NULL, "the record fits no entity of the plan");
    return refuse_whole(making, &reason, "unmatched", document, error);
}

/* ---- lists as rows */

/* A walk down to the list: what was passed, and how many rows there were. */
struct walk {
    struct making *making;
    const struct mapping_unnest *unnest;
    const struct cell *document;
    const struct cell *levels[17];
    int64_t ordinal;
};

static enum status refuse_list(struct walk *walk, uint32_t step, const struct cell *cell,
                               struct error *error)
{
    struct error reason;
    error_set(&reason, ERROR_REJECT_TYPE, NULL, "unnesting %s: '%s' is no list but %s",
              walk->unnest->text, walk->unnest->steps[step],
              value_kind_name((enum value_kind)cell->kind));
    return refuse_whole(walk->making, &reason, "parent", walk->document, error);
}

static enum status make_row(struct walk *walk, const struct cell *element, struct error *error)
{
    struct making *making = walk->making;
    struct mapper *mapper = making->mapper;
    const struct mapping *mapping = making->entity->mapping;
    bool admitted = true;
    making->ordinal = ++walk->ordinal;
    making->element = element;
    making->document = element;
    making->bytes = 0;
    if (element->kind != VALUE_MAP && (walk->unnest->name_count > 0 || mapping->document_star)) {
        struct error reason;
        error_set(&reason, ERROR_REJECT_TYPE, NULL, "it has no fields: it is %s",
                  value_kind_name((enum value_kind)element->kind));
        return refuse_whole(walk->making, &reason, "$value", element, error);
    }
    fill_slots(element, walk->unnest->names, walk->unnest->name_count, mapper->element_slots);
    enum status status = mapper_admits(making, &admitted, error);
    return status == STATUS_OK && admitted ? mapper_record(making, error) : status;
}

static bool is_list(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET;
}

/* `cell` is the value of steps[step - 1], or an element of that list. */
static enum status descend(struct walk *walk, const struct cell *cell, uint32_t step,
                           struct error *error)
{
    const struct mapping_unnest *unnest = walk->unnest;
    enum status status = STATUS_OK;
    if (cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return STATUS_OK;
    }
    bool last = step == unnest->step_count;
    if (!is_list(cell) && (last || cell->kind != VALUE_MAP)) {
        return refuse_list(walk, step - 1, cell, error);
    }
    if (cell->kind == VALUE_MAP) {
        walk->levels[step] = cell;
        return descend(walk, value_field(cell, unnest->steps[step]), step + 1, error);
    }
    for (uint32_t i = 0; i < cell->length && status == STATUS_OK; i++) {
        const struct cell *element = &cell->items[i];
        if (last) {
            status = make_row(walk, element, error);
        } else if (element->kind == VALUE_MAP) {
            walk->levels[step] = element;
            status = descend(walk, value_field(element, unnest->steps[step]), step + 1, error);
        } else if (element->kind != VALUE_NULL) {
            status = refuse_list(walk, step - 1, element, error);
        }
    }
    return status;
}

/* A column of text holds its lists as JSON; what is none is told as it is. */
static enum status list_in_text(const struct making *making, const struct cell *cell,
                                struct cell *list, struct error *error)
{
    struct making reading = *making;
    struct error ignored;
    struct cell text = *cell;
    *list = *cell;
    reading.borrow = false;
    if (cell->kind == VALUE_LARGE && mapper_keep(&reading, cell, &text, error) != STATUS_OK) {
        return mapper_is_reject(error) ? STATUS_OK : STATUS_FAILED;
    }
    if ((text.kind == VALUE_TEXT || text.kind == VALUE_JSON) &&
        convert_read_json(text.text, text.length, making->arena, list, &ignored) != STATUS_OK) {
        *list = text;
    }
    return STATUS_OK;
}

enum status mapper_unnest(struct making *making, const struct cell *first,
                          const struct cell *record, struct error *error)
{
    const struct mapping_unnest *what = making->entity->mapping->unnest;
    struct walk walk = {.making = making, .unnest = what, .document = record};
    struct cell list;
    making->row = making->mapper->element_slots;
    making->levels = walk.levels;
    if (first != NULL && what->column != MAPPING_NONE) {
        if (list_in_text(making, first, &list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        first = &list;
    }
    enum status status = descend(&walk, first, 1, error);
    making->levels = NULL; /* they end here */
    return status;
}

/* ---- batches */

static struct making making_of(struct mapper *mapper, struct entity_state *entity,
                               const struct batch *batch, uint32_t number)
{
    return (struct making){.mapper = mapper,
                           .entity = entity,
                           .arena = entity->out->arena,
                           .borrow = true,
                           .row = mapper->slots,
                           .parent = mapper->slots,
                           .document = batch_row(batch, number),
                           .envelope = batch->envelopes != NULL ? &batch->envelopes[number] : NULL};
}

enum status mapper_unnest_parent(struct making *making, struct error *error)
{
    const struct mapping_unnest *unnest = making->entity->mapping->unnest;
    if (making->document != NULL) {
        return mapper_unnest(making, value_field(making->document, unnest->steps[0]),
                             making->document, error);
    }
    const struct cell *column = &making->parent[unnest->column];
    return mapper_unnest(making, column, column, error);
}

static enum status map_entity(struct making *making, struct error *error)
{
    bool admitted = true;
    if (making->entity->mapping->unnest != NULL) {
        return mapper_unnest_parent(making, error);
    }
    enum status status = mapper_admits(making, &admitted, error);
    return status == STATUS_OK && admitted ? mapper_record(making, error) : status;
}

/* The row that names and look-ups mean. */
static void fill_record_slots(struct mapper *mapper, const struct cell *row)
{
    const struct stream_mapping *shared = mapper->shared;
    for (uint32_t i = 0; i < shared->slot_count; i++) {
        const struct mapping_slot *slot = &shared->slots[i];
        const struct cell *value =
            slot->name != NULL ? value_field(row, slot->name) : &row[slot->cell];
        mapper->slots[i] = value != NULL ? *value : cell_missing();
    }
}

enum status mapper_place_document(struct mapper *mapper, const struct cell *row,
                                  const struct record_envelope *envelope, bool *fits,
                                  struct error *error)
{
    struct making first = {.mapper = mapper,
                           .entity = &mapper->entities[0],
                           .row = mapper->slots,
                           .parent = mapper->slots,
                           .document = row,
                           .envelope = envelope};
    *fits = false;
    fill_record_slots(mapper, row);
    if (row->kind != VALUE_MAP) {
        struct error reason;
        error_set(&reason, ERROR_REJECT_UNREADABLE, NULL,
                  "the source's bytes for this record can't be understood");
        return mapper_refuse_unreadable(mapper, envelope, &reason, row, error);
    }
    for (uint32_t e = 0; e < mapper->entity_count; e++) {
        struct entity_state *entity = &mapper->entities[e];
        entity->fits = belongs(entity->mapping, mapper->slots);
        *fits = *fits || entity->fits;
    }
    return *fits ? STATUS_OK : leave_unmatched(&first, row, error);
}

enum status mapper_map_document(struct mapper *mapper, const struct batch *batch, uint32_t number,
                                struct error *error)
{
    const struct record_envelope *envelope =
        batch->envelopes != NULL ? &batch->envelopes[number] : NULL;
    bool fits = false;
    enum status status =
        mapper_place_document(mapper, batch_row(batch, number), envelope, &fits, error);
    for (uint32_t e = 0; fits && e < mapper->entity_count && status == STATUS_OK; e++) {
        struct entity_state *entity = &mapper->entities[e];
        if (entity->fits) {
            struct making making = making_of(mapper, entity, batch, number);
            status = map_entity(&making, error);
        } else {
            entity->counts->filtered++;
        }
    }
    return status;
}
