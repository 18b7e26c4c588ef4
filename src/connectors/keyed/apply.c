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
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "connectors/keyed/keyed_internal.h"
#include "connectors/store_position.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATES_FIRST = 64, BATCH_ROWS_MAX = 1000, POLL_MS = 1000 };

struct apply {
    struct database *database;
    struct keyed_room *room;
    struct target_table *tables; /* changed so that puts replace what is there */
    uint32_t *numbers;           /* of each the first one with its name: entities may share it */
    uint32_t table_count;
    struct writer *writer; /* NULL: none yet, or it failed */
    uint64_t chunk;
    struct store *store;
    char key[STORE_KEY_BYTES];
    uint64_t version; /* of the position, as it was put or read last */
};

/* What is to be under a key. */
struct key_state {
    uint32_t table;
    const struct cell *key;
    const struct cell *document; /* a MAP; NULL: no record */
    uint32_t set;
    uint32_t change;
};

struct applying {
    struct apply *apply;
    struct arena *scratch; /* of the states */
    struct name_index index;
    struct key_state *states;
    uint32_t count;
    uint32_t capacity;
    struct buffer bytes; /* of a key */
    struct arena *arena; /* of the result */
    struct apply_result *result;
    uint32_t refusal_capacity;
    struct error *error;
};

/* A change and where it is. */
struct place {
    const struct change_set *set;
    const struct record_change *change;
    uint32_t set_number;
    uint32_t change_number;
};

/* ---------------------------------------------------------------- the position */

/* STATUS_END: there is none. */
static enum status read_position(struct apply *apply, struct arena *arena,
                                 struct position *position, struct error *error)
{
    struct store_value value = {0};
    *position = (struct position){0};
    enum status status =
        apply->database->connector->store->get(apply->store, apply->key, arena, &value, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    apply->version = status == STATUS_OK ? value.version : STORE_ABSENT;
    return status == STATUS_OK
               ? store_position_read(apply->key, value.text, value.length, arena, position, error)
               : status;
}

static enum status fenced(const struct apply *apply, struct error *error)
{
    return store_position_fenced(apply->key, apply->database->connector->title, error);
}

/* Does the position still have the version that this handle knows? */
static enum status check_position(struct apply *apply, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct position position;
    uint64_t known = apply->version;
    enum status status = read_position(apply, arena, &position, error);
    arena_destroy(arena);
    if (status == STATUS_FAILED) {
        return status;
    }
    uint64_t found = apply->version;
    apply->version = known;
    return found == known ? STATUS_OK : fenced(apply, error);
}

/* A put whose answer was lost is refused when it is sent again: what stands there tells. */
static enum status is_ours(struct apply *apply, const struct buffer *text, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value = {0};
    enum status status =
        apply->database->connector->store->get(apply->store, apply->key, arena, &value, error);
    if (status != STATUS_FAILED &&
        (status == STATUS_END || value.version != apply->version + 1 ||
         value.length != text->length || memcmp(value.text, text->data, text->length) != 0)) {
        status = fenced(apply, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status put_position(struct apply *apply, const struct position *position,
                                struct error *error)
{
    struct buffer text = {0};
    uint64_t version;
    store_position_append(position, &text);
    enum status status = keyed_hit(apply->room, KEYED_POINT_BEFORE_APPLY, error);
    if (status == STATUS_OK) {
        status = apply->database->connector->store->put_if(
            apply->store, apply->key, text.data, text.length, apply->version, &version, error);
    }
    if (status == STATUS_AGAIN) {
        status = is_ours(apply, &text, error);
    }
    buffer_free(&text);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    apply->version++;
    return keyed_hit(apply->room, KEYED_POINT_AFTER_APPLY, error);
}

/* ---------------------------------------------------------------- handles */

static void apply_close(struct apply *apply)
{
    if (apply == NULL) {
        return;
    }
    keyed_writer_close(apply->writer);
    if (apply->store != NULL) {
        apply->database->connector->store->close(apply->store);
    }
    free(apply->tables);
    free(apply->numbers);
    free(apply);
}

static void copy_tables(struct apply *apply, const struct apply_request *request)
{
    apply->tables =
        memory_allocate_zeroed((size_t)request->table_count + 1, sizeof(*apply->tables));
    apply->numbers =
        memory_allocate_zeroed((size_t)request->table_count + 1, sizeof(*apply->numbers));
    apply->table_count = request->table_count;
    for (uint32_t at = 0; at < request->table_count; at++) {
        uint32_t first = 0;
        apply->tables[at] = request->tables[at];
        apply->tables[at].existing = EXISTING_REPLACE;
        apply->tables[at].settles = false;
        apply->tables[at].settles_claims = false;
        while (strcmp(request->tables[first].name, request->tables[at].name) != 0) {
            first++;
        }
        apply->numbers[at] = first;
    }
}

static enum status apply_open(struct database *self, const struct apply_request *request,
                              struct apply **apply, struct error *error)
{
    struct apply *made = memory_allocate_zeroed(1, sizeof(*made));
    struct arena *arena = arena_create(0);
    struct position position;
    made->database = self;
    made->room = keyed_room_of(self);
    copy_tables(made, request);
    store_position_key(made->key, request->feed, request->lane);
    enum status status = self->connector->store->open(self, &made->store, error);
    status = status == STATUS_OK ? self->connector->store->create(made->store, error) : status;
    status = status == STATUS_OK ? read_position(made, arena, &position, error) : status;
    arena_destroy(arena);
    if (status == STATUS_FAILED) {
        apply_close(made);
        made = NULL;
    }
    *apply = made;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- refusals */

/* STATUS_OK always. */
static enum status refuse(struct applying *applying, uint32_t set, uint32_t change,
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

/* Of the key in `bytes`. `key` and `document` live as long as the sets or the scratch. */
static void set_state(struct applying *applying, const struct place *place, uint32_t table,
                      const struct cell *key, const struct cell *document)
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
            add_pair(&pairs, cell_text(field->name, field->name_length), &cells[at]);
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

/* What is under the key before this change; NULL: nothing. */
static enum status find_base(struct applying *applying, uint32_t table, const struct cell *key,
                             const struct cell **base)
{
    struct database *self = applying->apply->database;
    struct error reason = {0};
    struct batch *there = NULL;
    *base = NULL;
    enum status status = append_key(applying, table, key, &reason);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? STATUS_OK : status;
    }
    const struct key_state *state = find_state(applying);
    if (state != NULL) {
        *base = state->document;
        return STATUS_OK;
    }
    status = self->connector->target->fetch(self, &applying->apply->tables[table], key, 1, &there,
                                            applying->error);
    if (status == STATUS_OK && there->row_count > 0) {
        struct cell *copy = arena_allocate_zeroed(applying->scratch, 1, sizeof(*copy));
        status = value_copy(batch_row(there, 0), applying->scratch, copy);
        *base = copy;
    }
    batch_destroy(there);
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

static enum status find_document(struct applying *applying, const struct place *place,
                                 uint32_t table, const struct cell *old,
                                 const struct cell **document)
{
    const struct record_change *change = place->change;
    const struct shape *shape = place->set->tables[change->table].shape;
    const struct cell *base = NULL;
    if (shape == NULL) {
        *document = change->after;
        return STATUS_OK;
    }
    bool partial =
        change->operation == RECORD_UPDATE && old != NULL && is_partial(shape, change->after);
    if (partial && find_base(applying, table, old, &base) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *document = make_document(applying->scratch, shape, change->after, base,
                              &applying->apply->tables[table], partial ? old : NULL);
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
        set_state(applying, place, table, key, NULL);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

static enum status note_put(struct applying *applying, const struct place *place, uint32_t table,
                            const struct cell *old)
{
    const struct target_table *of = &applying->apply->tables[table];
    const struct cell *document = NULL;
    struct error reason = {0};
    struct cell *key =
        arena_allocate_zeroed(applying->scratch, KEYED_KEY_COLUMNS_MAX, sizeof(*key));
    if (find_document(applying, place, table, old, &document) != STATUS_OK ||
        note_gone(applying, place, table, old) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!keyed_find_key(of, NULL, document, key)) {
        return refuse(applying, place->set_number, place->change_number, ERROR_REJECT_KEY_NULL,
                      "a part of the key is missing");
    }
    enum status status = append_key(applying, table, key, &reason);
    if (status == STATUS_AGAIN) {
        return refuse(applying, place->set_number, place->change_number, reason.code,
                      reason.message);
    }
    if (status == STATUS_OK) {
        set_state(applying, place, table, key, document);
    }
    return status;
}

/* ---------------------------------------------------------------- deletes */

/* One that the database refuses: so it would its record. */
static enum status erase_one(struct applying *applying, const struct target_table *table,
                             const struct cell *key)
{
    struct apply *apply = applying->apply;
    struct database *self = apply->database;
    struct error refused = {0};
    struct batch *there = NULL;
    if (apply->room->service->erase(self, table, key, 1, applying->error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (applying->error->class == ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    enum status status = self->connector->target->fetch(self, table, key, 1, &there, &refused);
    batch_destroy(there);
    return status != STATUS_OK && refused.class == ERROR_CLASS_REJECT ? STATUS_OK : STATUS_FAILED;
}

static enum status erase(struct applying *applying, const struct target_table *table,
                         const struct cell *keys, uint32_t count)
{
    struct apply *apply = applying->apply;
    enum status status =
        apply->room->service->erase(apply->database, table, keys, count, applying->error);
    if (status == STATUS_OK || applying->error->class == ERROR_CLASS_RETRY) {
        return status;
    }
    for (uint32_t at = 0; at < count; at++) {
        if (erase_one(applying, table, keys + (size_t)at * table->key.count) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Of one table. */
static enum status erase_states(struct applying *applying, const struct key_state *states,
                                uint32_t count)
{
    struct apply *apply = applying->apply;
    const struct target_table *table = &apply->tables[states[0].table];
    uint32_t width = table->key.count;
    uint32_t most = apply->room->service->erase_max;
    struct cell *keys = memory_allocate((size_t)most * width * sizeof(*keys));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK;) {
        uint32_t some = 0;
        for (; some < most && at < count; some++, at++) {
            memcpy(keys + (size_t)some * width, states[at].key, width * sizeof(*keys));
        }
        status = erase(applying, table, keys, some);
    }
    free(keys);
    return status;
}

/* ---------------------------------------------------------------- puts */

static enum status take_result(struct applying *applying, struct batch_result *result)
{
    const struct key_state *states = &applying->states[result->batch->entity];
    for (uint32_t at = 0; at < result->outcome_count; at++) {
        const struct record_outcome *outcome = &result->outcomes[at];
        const struct key_state *state = &states[outcome->row];
        if (outcome->kind == OUTCOME_REJECTED) {
            (void)!refuse(applying, state->set, state->change, outcome->code, outcome->reason);
        }
    }
    batch_destroy(result->batch);
    arena_destroy(result->arena);
    return STATUS_OK;
}

/* STATUS_END: nothing is under way. */
static enum status poll_once(struct applying *applying, int64_t timeout_ms)
{
    struct batch_result result = {0};
    enum status status = keyed_poll(applying->apply->writer, timeout_ms, &result, applying->error);
    return status == STATUS_OK ? take_result(applying, &result) : status;
}

static enum status put_batch(struct applying *applying, uint32_t first, uint32_t count)
{
    struct apply *apply = applying->apply;
    struct batch *batch = batch_create(NULL, 1, count);
    enum status status;
    batch->entity = first;
    for (uint32_t at = first; at < first + count; at++) {
        *batch_append(batch) = *applying->states[at].document;
    }
    while ((status = keyed_submit(apply->writer, apply->chunk, applying->states[first].table, batch,
                                  applying->error)) == STATUS_AGAIN) {
        if (poll_once(applying, POLL_MS) == STATUS_FAILED) {
            batch_destroy(batch);
            return STATUS_FAILED;
        }
    }
    return status;
}

static enum status put_states(struct applying *applying, uint32_t first, uint32_t count)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t some = count - done < BATCH_ROWS_MAX ? count - done : BATCH_ROWS_MAX;
        if (put_batch(applying, first + done, some) != STATUS_OK) {
            return STATUS_FAILED;
        }
        done += some;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- writing */

/* By table; those that go come first. */
static int compare_states(const void *left, const void *right)
{
    const struct key_state *one = left;
    const struct key_state *two = right;
    if (one->table != two->table) {
        return one->table < two->table ? -1 : 1;
    }
    return (one->document != NULL) - (two->document != NULL);
}

static enum status write_states(struct applying *applying)
{
    enum status status = STATUS_OK;
    qsort(applying->states, applying->count, sizeof(*applying->states), compare_states);
    for (uint32_t at = 0; at < applying->count && status == STATUS_OK;) {
        const struct key_state *first = &applying->states[at];
        uint32_t end = at + 1;
        while (end < applying->count && compare_states(first, &applying->states[end]) == 0) {
            end++;
        }
        status = first->document == NULL ? erase_states(applying, first, end - at)
                                         : put_states(applying, at, end - at);
        at = end;
    }
    do {
        status =
            status == STATUS_OK || status == STATUS_AGAIN ? poll_once(applying, POLL_MS) : status;
    } while (status == STATUS_OK || status == STATUS_AGAIN);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

/* Everything noted by now, to the last answer. After a failure what is under way is dropped with
 * its connections. */
static enum status flush(struct applying *applying)
{
    struct apply *apply = applying->apply;
    struct error *error = applying->error;
    enum status status = STATUS_OK;
    if (applying->count == 0) {
        return STATUS_OK;
    }
    if (apply->writer == NULL) {
        status = keyed_writer_open(apply->database, apply->tables, apply->table_count,
                                   apply->room->epoch, &apply->writer, error);
    }
    status =
        status == STATUS_OK ? keyed_chunk_begin(apply->writer, ++apply->chunk, 1, error) : status;
    status = status == STATUS_OK ? write_states(applying) : status;
    status = status == STATUS_OK ? keyed_commit(apply->writer, apply->chunk, NULL, error) : status;
    if (status != STATUS_OK) {
        keyed_writer_close(apply->writer);
        apply->writer = NULL;
    }
    applying->count = 0;
    applying->index = (struct name_index){.arena = applying->scratch};
    return status;
}

static enum status empty_table(struct applying *applying, uint32_t number)
{
    struct database *self = applying->apply->database;
    const struct target_table *table = &applying->apply->tables[number];
    if (flush(applying) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->connector->target->empty(self, &table, 1, applying->error);
}

/* ---------------------------------------------------------------- sets */

static enum status note_change(struct applying *applying, const struct place *place)
{
    const struct record_change *change = place->change;
    uint32_t table = applying->apply->numbers[change->table];
    uint32_t width = applying->apply->tables[table].key.count;
    const struct cell *old = change->key_count == width ? change->key : NULL;
    if (change->operation == RECORD_TRUNCATE) {
        return empty_table(applying, table);
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

static enum status apply_sets(struct apply *apply, const struct change_set *const *sets,
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
    enum status status = check_position(apply, error);
    for (uint32_t at = 0; at < set_count && status == STATUS_OK; at++) {
        status = note_set(&applying, sets[at], at);
    }
    status = status == STATUS_OK ? flush(&applying) : status;
    if (status == STATUS_OK && last != NULL) {
        status = put_position(apply, &last->end, error);
    }
    buffer_free(&applying.bytes);
    free(applying.states);
    arena_destroy(applying.scratch);
    return status;
}

const struct apply_functions keyed_apply = {
    .open = apply_open,
    .close = apply_close,
    .position = read_position,
    .apply_sets = apply_sets,
};
