/*
 * Change sets into a database without transactions. Of all changes of a call the last one under
 * each key says what is written, so that no two requests are about one key, and they may go in any
 * order and many at once. The position follows the last answer.
 *
 *   sets ──> states, one a key ──> deletes, then puts by the writer ──> position
 *
 * What a crash left half done is done again from the position on: each key ends as it should.
 * A process that lost its claim sends nothing: each request needs the lease. That it is behind
 * another one it sees by the position's version, before it writes and with the position.
 */
#include "connectors/keyed/apply_internal.h"

#include "base/memory.h"
#include "connectors/common/store_notes.h"
#include "connectors/common/store_position.h"
#include <stdlib.h>
#include <string.h>

enum { STATES_FIRST = 64 };

/* A change and where it is. */
struct place {
    const struct change_set *set;
    const struct record_change *change;
    uint32_t set_number;
    uint32_t change_number;
};

/* ---------------------------------------------------------------- handles */

void keyed_apply_close(struct apply *apply)
{
    if (apply == NULL) {
        return;
    }
    keyed_writer_close(apply->writer);
    if (apply->store != NULL) {
        apply->database->connector->store->close(apply->store);
    }
    buffer_free(&apply->position);
    free(apply->tables);
    free(apply->kinds);
    free(apply->keeps_others);
    free(apply->numbers);
    free(apply);
}

static void copy_table(struct target_table *to, const struct target_table *from)
{
    *to = *from;
    to->existing = EXISTING_REPLACE;
    to->settles = false;
    to->settles_claims = false;
}

static void copy_tables(struct apply *apply, const struct apply_request *request)
{
    static const enum keyed_kind kinds[] = {
        [APPLY_DELETE] = KEYED_DELETE, [APPLY_PART] = KEYED_UPDATE, [APPLY_WHOLE] = KEYED_PUT};
    uint32_t count = request->table_count;
    size_t all = (size_t)count * APPLY_MODES + 1;
    apply->tables = memory_allocate_zeroed(all, sizeof(*apply->tables));
    apply->kinds = memory_allocate_zeroed(all, sizeof(*apply->kinds));
    apply->numbers = memory_allocate_zeroed((size_t)count + 1, sizeof(*apply->numbers));
    apply->keeps_others = memory_allocate_zeroed((size_t)count + 1, sizeof(*apply->keeps_others));
    apply->table_count = count;
    for (uint32_t at = 0; at < count * APPLY_MODES; at++) {
        copy_table(&apply->tables[at], &request->tables[at % count]);
        apply->kinds[at] = kinds[at / count];
    }
    for (uint32_t at = 0; at < count; at++) {
        uint32_t first = 0;
        while (strcmp(request->tables[first].name, request->tables[at].name) != 0) {
            first++;
        }
        apply->numbers[at] = first;
        /* of several entities a record replaces one of another, whose fields are to go */
        apply->keeps_others[at] = request->tables[at].existing == EXISTING_UPSERT;
        apply->keeps_others[first] = apply->keeps_others[first] && first == at;
    }
}

enum status keyed_apply_open(struct database *self, const struct apply_request *request,
                             struct apply **apply, struct error *error)
{
    struct apply *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = self;
    made->room = keyed_room_of(self);
    made->request = *request;
    copy_tables(made, request);
    store_position_key(made->key, request->feed, request->lane);
    enum status status = self->connector->store->open(self, &made->store, error);
    status = status == STATUS_OK ? self->connector->store->create(made->store, error) : status;
    status = status == STATUS_OK ? keyed_apply_open_position(made, error) : status;
    if (status != STATUS_OK) {
        keyed_apply_close(made);
        made = NULL;
    }
    *apply = made;
    return status;
}

/* ---------------------------------------------------------------- refusals */

enum status keyed_apply_refuse(struct applying *applying, uint32_t set, uint32_t change,
                               enum error_code code, const char *reason)
{
    struct apply_result *result = applying->result;
    if (result->refusal_count == applying->refusal_capacity) {
        applying->refusal_capacity = 2 * applying->refusal_capacity + 8;
        struct apply_refusal *grown =
            arena_allocate_zeroed(applying->arena, applying->refusal_capacity, sizeof(*grown));
        if (result->refusal_count > 0) {
            memcpy(grown, result->refusals, result->refusal_count * sizeof(*grown));
        }
        result->refusals = grown;
    }
    const char *text = arena_copy_string(applying->arena, reason);
    result->refusals[result->refusal_count++] =
        (struct apply_refusal){.set = set, .change = change, .code = code, .reason = text};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- states */

/* STATUS_AGAIN: no record can be under this key, as `reason` says. */
static enum status append_key(struct applying *applying, uint32_t table, const struct cell *key,
                              struct error *reason)
{
    struct apply *apply = applying->apply;
    const struct target_table *of = &apply->tables[table];
    for (uint32_t at = 0; at < of->key.count; at++) {
        if (key[at].kind == VALUE_NULL || key[at].kind == VALUE_MISSING) {
            error_set(reason, ERROR_REJECT_KEY_NULL, of->name, "%s, a part of the key, is null",
                      of->key.names[at]);
            return STATUS_AGAIN;
        }
    }
    buffer_clear(&applying->bytes);
    buffer_append(&applying->bytes, &table, sizeof(table));
    if (apply->room->service->append_key(apply->database, of, key, &applying->bytes, reason) ==
        STATUS_OK) {
        return STATUS_OK;
    }
    return reason->class == ERROR_CLASS_REJECT ? STATUS_AGAIN : error_copy(applying->error, reason);
}

/* The state of the key in `bytes`; NULL: it has none. */
static struct key_state *find_state(const struct applying *applying)
{
    uint32_t at = name_index_find(&applying->index, applying->bytes.data, applying->bytes.length);
    return at != NAME_INDEX_NONE ? &applying->states[at] : NULL;
}

/* Sets the state of the key in `bytes`; `document` NULL: its record goes. `key` and `document` live
 * as long as the sets or the scratch. */
static void set_state(struct applying *applying, const struct place *place, uint32_t table,
                      enum apply_mode mode, const struct cell *key, const struct cell *document)
{
    struct key_state *state = find_state(applying);
    if (state == NULL) {
        const char *bytes =
            arena_copy(applying->scratch, applying->bytes.data, applying->bytes.length);
        if (applying->count == applying->capacity) {
            applying->capacity = 2 * applying->capacity + STATES_FIRST;
            applying->states =
                memory_resize(applying->states, applying->capacity, sizeof(*applying->states));
        }
        (void)name_index_add(&applying->index, bytes, applying->bytes.length, applying->count);
        state = &applying->states[applying->count++];
    }
    *state = (struct key_state){.table = table,
                                .mode = mode,
                                .key = key,
                                .document = document,
                                .set = place->set_number,
                                .change = place->change_number};
}

/* ---------------------------------------------------------------- documents */

struct pairs {
    struct cell *cells;
    uint32_t count;
};

static void add_pair(struct pairs *pairs, struct cell name, const struct cell *value)
{
    for (uint32_t at = 0; at < pairs->count; at++) {
        const struct cell *there = &pairs->cells[2 * (size_t)at];
        if (there->length == name.length && memcmp(there->text, name.text, name.length) == 0) {
            return;
        }
    }
    pairs->cells[2 * (size_t)pairs->count] = name;
    pairs->cells[2 * (size_t)pairs->count + 1] = *value;
    pairs->count++;
}

/* The fields that are there, then those of `base` (may be NULL), then of the key (likewise). */
static struct cell *make_document(struct arena *arena, const struct shape *shape,
                                  const struct cell *cells, const struct cell *base,
                                  const struct target_table *table, const struct cell *key)
{
    struct pairs pairs = {0};
    size_t most = (size_t)shape->field_count + (base != NULL ? base->length : 0) + table->key.count;
    struct cell *document = arena_allocate_zeroed(arena, 1, sizeof(*document));
    pairs.cells = arena_allocate_zeroed(arena, most + 1, 2 * sizeof(*pairs.cells));
    for (uint32_t at = 0; at < shape->field_count; at++) {
        if (cells[at].kind != VALUE_MISSING) {
            const struct shape_field *field = &shape->fields[at];
            pairs.cells[2 * (size_t)pairs.count] = cell_text(field->name, field->name_length);
            pairs.cells[2 * (size_t)pairs.count + 1] = cells[at];
            pairs.count++;
        }
    }
    for (uint32_t at = 0; base != NULL && at < base->length; at++) {
        add_pair(&pairs, base->items[2 * (size_t)at], &base->items[2 * (size_t)at + 1]);
    }
    for (uint32_t at = 0; key != NULL && at < table->key.count; at++) {
        const char *name = table->key.names[at];
        add_pair(&pairs, cell_text(name, strlen(name)), &key[at]);
    }
    *document = cell_items(VALUE_MAP, pairs.cells, pairs.count);
    return document;
}

/* The fields of `over`, then those that `under` has besides. */
static const struct cell *lay_over(struct arena *arena, const struct cell *over,
                                   const struct cell *under)
{
    struct cell *both = arena_allocate_zeroed(arena, 1, sizeof(*both));
    struct pairs pairs = {.cells =
                              arena_allocate_zeroed(arena, (size_t)over->length + under->length + 1,
                                                    2 * sizeof(*pairs.cells))};
    const struct cell *from[] = {over, under};
    for (int which = 0; which < 2; which++) {
        for (uint32_t at = 0; at < from[which]->length; at++) {
            add_pair(&pairs, from[which]->items[2 * (size_t)at],
                     &from[which]->items[2 * (size_t)at + 1]);
        }
    }
    *both = cell_items(VALUE_MAP, pairs.cells, pairs.count);
    return both;
}

static enum status apply_fetch(struct applying *applying, uint32_t table, const struct cell *key,
                               const struct cell **found)
{
    struct database *self = applying->apply->database;
    struct batch *there = NULL;
    enum status status = self->connector->target->fetch(self, &applying->apply->tables[table], key,
                                                        1, &there, applying->error);
    *found = NULL;
    if (status == STATUS_OK && there->row_count > 0) {
        struct cell *copy = arena_allocate_zeroed(applying->scratch, 1, sizeof(*copy));
        status = value_copy(batch_row(there, 0), applying->scratch, copy);
        *found = copy;
    }
    batch_destroy(there);
    return status;
}

/* The record under the key before this change; NULL: none. */
static enum status find_base(struct applying *applying, uint32_t table, const struct cell *key,
                             const struct cell **base)
{
    struct error reason = {0};
    const struct cell *there = NULL;
    *base = NULL;
    enum status status = append_key(applying, table, key, &reason);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? STATUS_OK : status;
    }
    const struct key_state *state = find_state(applying);
    if (state != NULL && state->mode != APPLY_PART) {
        *base = state->document;
        return STATUS_OK;
    }
    const struct cell *part = state != NULL ? state->document : NULL;
    status = apply_fetch(applying, table, key, &there);
    *base = part == NULL ? there : there == NULL ? part : lay_over(applying->scratch, part, there);
    return status;
}

static bool is_partial(const struct shape *shape, const struct cell *cells)
{
    for (uint32_t at = 0; at < shape->field_count; at++) {
        if (cells[at].kind == VALUE_MISSING) {
            return true;
        }
    }
    return false;
}

/* Does the record stay where it is? */
static bool stays(struct applying *applying, uint32_t table, const struct cell *old,
                  const struct cell *document)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct error reason = {0};
    struct buffer before = {0};
    bool same = false;
    if (append_key(applying, table, old, &reason) == STATUS_OK) {
        buffer_append(&before, applying->bytes.data, applying->bytes.length);
        same = keyed_find_key(&applying->apply->tables[table], NULL, document, key) &&
               append_key(applying, table, key, &reason) == STATUS_OK &&
               applying->bytes.length == before.length &&
               memcmp(applying->bytes.data, before.data, before.length) == 0;
    }
    buffer_free(&before);
    return same;
}

/* Fields that did not change are left alone where that is possible: neither a former state that is
 * yet to be written, nor another key, nor a time to live that all fields share, needs them. */
static enum status find_part(struct applying *applying, const struct place *place, uint32_t table,
                             const struct cell *old, enum apply_mode *mode,
                             const struct cell **document)
{
    const struct record_change *change = place->change;
    const struct shape *shape = place->set->tables[change->table].shape;
    const struct target_table *of = &applying->apply->tables[table];
    const struct cell *base = NULL;
    *document = make_document(applying->scratch, shape, change->after, NULL, of, old);
    if (of->ttl == NULL && !applying->apply->room->service->applies_whole &&
        stays(applying, table, old, *document)) {
        const struct key_state *state = find_state(applying);
        *mode = state == NULL || state->mode == APPLY_PART ? APPLY_PART : APPLY_WHOLE;
        if (state != NULL && state->document != NULL) {
            *document = lay_over(applying->scratch, *document, state->document);
        }
        return STATUS_OK;
    }
    *mode = APPLY_WHOLE;
    if (find_base(applying, table, old, &base) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *document = make_document(applying->scratch, shape, change->after, base, of, old);
    return STATUS_OK;
}

static enum status find_document(struct applying *applying, const struct place *place,
                                 uint32_t table, const struct cell *old, enum apply_mode *mode,
                                 const struct cell **document)
{
    const struct record_change *change = place->change;
    const struct shape *shape = place->set->tables[change->table].shape;
    *mode = APPLY_WHOLE;
    if (shape == NULL) {
        *document = change->after;
        return STATUS_OK;
    }
    if (change->operation == RECORD_UPDATE && old != NULL && is_partial(shape, change->after)) {
        return find_part(applying, place, table, old, mode, document);
    }
    *document = make_document(applying->scratch, shape, change->after, NULL,
                              &applying->apply->tables[table], NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- changes */

/* The record under `key` goes; one that can't be has gone already. */
static enum status note_gone(struct applying *applying, const struct place *place, uint32_t table,
                             const struct cell *key)
{
    struct error reason = {0};
    enum status status = key != NULL ? append_key(applying, table, key, &reason) : STATUS_AGAIN;
    if (status == STATUS_OK) {
        set_state(applying, place, table, APPLY_DELETE, key, NULL);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

/* A whole record as the part of its row that the plan has fields for, unless a delete went before
 * it. A document does not tell which fields it lacks. */
static enum status keep_others(struct applying *applying, const struct place *place, uint32_t table,
                               const struct cell *key, enum apply_mode *mode,
                               const struct cell **document)
{
    struct error ignored = {0};
    const struct cell *base = NULL;
    const struct change_table *of = &place->set->tables[place->change->table];
    if (*mode != APPLY_WHOLE || of->shape == NULL || !applying->apply->keeps_others[table] ||
        append_key(applying, table, key, &ignored) != STATUS_OK) {
        return STATUS_OK;
    }
    if (applying->apply->room->service->applies_whole) {
        enum status status = find_base(applying, table, key, &base);
        *document = base != NULL ? lay_over(applying->scratch, *document, base) : *document;
        return status;
    }
    const struct key_state *state = find_state(applying);
    *mode = state == NULL || state->mode == APPLY_PART ? APPLY_PART : APPLY_WHOLE;
    return STATUS_OK;
}

static enum status note_put(struct applying *applying, const struct place *place, uint32_t table,
                            const struct cell *old)
{
    const struct target_table *of = &applying->apply->tables[table];
    const struct cell *document = NULL;
    enum apply_mode mode;
    struct error reason = {0};
    struct cell *key =
        arena_allocate_zeroed(applying->scratch, KEYED_KEY_COLUMNS_MAX, sizeof(*key));
    if (find_document(applying, place, table, old, &mode, &document) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool moves = mode == APPLY_WHOLE && place->change->operation != RECORD_INSERT;
    bool has_key = keyed_find_key(of, NULL, document, key);
    if (has_key && keep_others(applying, place, table, key, &mode, &document) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (moves && note_gone(applying, place, table, old) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!has_key) {
        return keyed_apply_refuse(applying, place->set_number, place->change_number,
                                  ERROR_REJECT_KEY_NULL, "a part of the key is missing");
    }
    enum status status = append_key(applying, table, key, &reason);
    if (status == STATUS_AGAIN) {
        return keyed_apply_refuse(applying, place->set_number, place->change_number, reason.code,
                                  reason.message);
    }
    if (status == STATUS_OK) {
        set_state(applying, place, table, mode, key, document);
    }
    return status;
}

/* ---------------------------------------------------------------- sets */

static enum status note_change(struct applying *applying, const struct place *place)
{
    const struct record_change *change = place->change;
    uint32_t table = applying->apply->numbers[change->table];
    uint32_t width = applying->apply->tables[table].key.count;
    const struct cell *old = change->key_count == width ? change->key : NULL;
    if (change->operation == RECORD_TRUNCATE) {
        return keyed_apply_empty(applying, table);
    }
    return change->operation == RECORD_DELETE || change->after == NULL
               ? note_gone(applying, place, table, old)
               : note_put(applying, place, table, old);
}

static enum status note_set(struct applying *applying, const struct change_set *set,
                            uint32_t number)
{
    enum status status = STATUS_OK;
    struct place place = {.set = set, .set_number = number};
    for (uint32_t at = 0; at < set->change_count && status == STATUS_OK; at++) {
        place.change = &set->changes[at];
        place.change_number = at;
        status = note_change(applying, &place);
    }
    return status;
}

/* The last set that ends a transaction; NULL: none does. */
static const struct change_set *last_whole(const struct change_set *const *sets, uint32_t count)
{
    while (count > 0 && !sets[count - 1]->last_piece) {
        count--;
    }
    return count > 0 ? sets[count - 1] : NULL;
}

enum status keyed_apply_sets(struct apply *apply, const struct change_set *const *sets,
                             uint32_t set_count, struct arena *arena, struct apply_result *result,
                             struct error *error)
{
    struct applying applying = {.apply = apply,
                                .scratch = arena_create(0),
                                .arena = arena,
                                .result = result,
                                .error = error};
    const struct change_set *last = last_whole(sets, set_count);
    applying.index.arena = applying.scratch;
    *result = (struct apply_result){0};
    enum status status = apply->room->service->time == NULL
                             ? keyed_apply_check_position(apply, error)
                             : STATUS_OK; /* taking a time tells as well */
    for (uint32_t at = 0; at < set_count && status == STATUS_OK; at++) {
        status = note_set(&applying, sets[at], at);
    }
    status = status == STATUS_OK ? keyed_apply_flush(&applying) : status;
    if (status == STATUS_OK) {
        const struct apply_call call = {.sets = sets,
                                        .end = set_count,
                                        .refusals = result->refusals,
                                        .refusal_count = result->refusal_count};
        status = store_notes_keep(&apply->request, &call, apply->database->connector->store,
                                  apply->store, arena, error);
    }
    if (status == STATUS_OK && last != NULL) {
        status = keyed_apply_put_position(apply, &last->end, error);
    }
    buffer_free(&applying.bytes);
    free(applying.states);
    arena_destroy(applying.scratch);
    return status;
}

const struct apply_functions keyed_apply_functions = {
    .open = keyed_apply_open,
    .close = keyed_apply_close,
    .position = keyed_apply_position,
    .apply_sets = keyed_apply_sets,
};
