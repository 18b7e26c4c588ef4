/* Change sets in transactions of the target, each with the position that it brings. */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/store_notes.h"
#include "connectors/common/store_position.h"
#include "connectors/sql/apply_internal.h"
#include <inttypes.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- opening */

static enum status look_for_position(struct apply *apply, struct buffer *value,
                                     struct error *error);

enum status sql_apply_open(struct apply *apply, struct database *database,
                           const struct apply_request *request, struct error *error)
{
    const struct store_functions *functions = database->connector->store;
    struct buffer value = {0};
    apply->database = sql_database_of(database);
    apply->arena = arena_create(0);
    apply->request = *request;
    apply->tables = request->tables;
    apply->table_count = request->table_count;
    apply->absent = request->absent;
    store_position_key(apply->key, request->feed, request->lane);
    enum status status = functions->open(database, &apply->store, error);
    status = status == STATUS_OK ? functions->create(apply->store, error) : status;
    status = status == STATUS_OK ? look_for_position(apply, &value, error) : status;
    buffer_free(&value);
    return status == STATUS_END ? STATUS_OK : status;
}

void sql_apply_free(struct apply *apply)
{
    if (apply->open) {
        (void)!apply->dialect->end(apply, false, NULL);
    }
    sql_apply_free_shapes(apply);
    free(apply->sought);
    if (apply->store != NULL) {
        apply->database->base.connector->store->close(apply->store);
    }
    arena_destroy(apply->arena);
}

/* ---------------------------------------------------------------- the position */

struct position_row {
    struct apply *apply;
    struct buffer *value;
    bool found;
};

static enum status take_row(void *context, const char *const *fields, const size_t *lengths,
                            struct error *error)
{
    struct position_row *row = context;
    row->found = true;
    if (fields[0] == NULL || fields[1] == NULL ||
        text_to_uint64(fields[0], lengths[0], &row->apply->version) != STATUS_OK) {
        error_set(error, ERROR_LEDGER_INVALID, row->apply->key, "a version is not a number");
        error_hint(error, "it was edited; restore it from a backup, or empty the target and "
                          "migrate again");
        return STATUS_FAILED;
    }
    buffer_append(row->value, fields[1], lengths[1]);
    return STATUS_OK;
}

/* STATUS_END: there is none. */
static enum status look_for_position(struct apply *apply, struct buffer *value, struct error *error)
{
    struct position_row row = {.apply = apply, .value = value};
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT version, value FROM ");
    apply->store->dialect->append_table(apply->store, &sql);
    buffer_format(&sql, " WHERE name = '%s'", apply->key);
    apply->version = STORE_ABSENT;
    enum status status =
        apply->dialect->ask(apply, buffer_string(&sql), NULL, take_row, &row, NULL, error);
    buffer_free(&sql);
    return status == STATUS_OK && !row.found ? STATUS_END : status;
}

enum status sql_apply_position(struct apply *apply, struct arena *arena, struct position *position,
                               struct error *error)
{
    struct buffer value = {0};
    enum status status = look_for_position(apply, &value, error);
    *position = (struct position){0};
    if (status == STATUS_OK) {
        status = store_position_read(apply->key, value.data, value.length, arena, position, error);
    }
    buffer_free(&value);
    return status;
}

static enum status put_position(struct apply *apply, const struct position *position,
                                struct error *error)
{
    struct buffer sql = {0};
    struct buffer text = {0};
    uint64_t changed = 0;
    store_position_append(position, &text);
    if (apply->version == STORE_ABSENT) {
        sql_store_append_insert(apply->store, apply->key, &sql);
    } else {
        buffer_append_string(&sql, "UPDATE ");
        apply->store->dialect->append_table(apply->store, &sql);
        buffer_format(&sql,
                      " SET version = version + 1, value = %s WHERE name = '%s' AND version = "
                      "%" PRIu64,
                      apply->store->dialect->parameter, apply->key, apply->version);
    }
    const struct store_value value = {.text = buffer_string(&text), .length = text.length};
    enum status status =
        apply->dialect->ask(apply, buffer_string(&sql), &value, NULL, NULL, &changed, error);
    buffer_free(&sql);
    buffer_free(&text);
    if (status == STATUS_OK && changed == 0) {
        return store_position_fenced(apply->key, apply->database->shown, error);
    }
    return status;
}

/* ---------------------------------------------------------------- transactions */

struct applying {
    struct apply *apply;
    const struct change_set *const *sets;
    uint32_t first;
    uint32_t end;
    struct arena *arena;
    struct arena *scratch; /* of reasons that are not told */
    struct apply_result *result;
    struct error *error;
};

/* The next transaction of the source begins there. */
static uint32_t end_of_transaction(const struct applying *applying, uint32_t first)
{
    while (first < applying->end && !applying->sets[first]->last_piece) {
        first++;
    }
    return first < applying->end ? first + 1 : first;
}

/* ---------------------------------------------------------------- records that are not there */

void sql_apply_changed(struct apply *apply, const struct record_change *change, uint64_t rows)
{
    struct sql_apply_sought *last =
        apply->sought_count > 0 ? &apply->sought[apply->sought_count - 1] : NULL;
    if (last != NULL && last->change == change) {
        last->found = last->found || rows > 0;
        return;
    }
    if (apply->sought_count == apply->sought_capacity) {
        apply->sought_capacity = apply->sought_capacity > 0 ? 2 * apply->sought_capacity : 16;
        apply->sought = memory_resize(apply->sought, apply->sought_capacity, sizeof *apply->sought);
    }
    apply->sought[apply->sought_count++] = (struct sql_apply_sought){change, rows > 0};
}

enum status sql_apply_savepoint(struct apply *apply, enum sql_apply_savepoint act,
                                struct error *error)
{
    enum status status = apply->dialect->savepoint(apply, act, error);
    if (act == SQL_APPLY_SET) {
        apply->sought_before = apply->sought_count;
    } else if (act == SQL_APPLY_BACK) {
        apply->sought_count = apply->sought_before;
    }
    return status;
}

/* As they come. STATUS_AGAIN: one of them is refused, and the transaction is good for nothing. */
static enum status apply_plainly(struct applying *applying, uint32_t first, uint32_t end)
{
    struct apply *apply = applying->apply;
    struct sql_apply_refused refused = {.arena = applying->scratch};
    enum status status = STATUS_OK;
    for (uint32_t i = first; i < end && status == STATUS_OK; i++) {
        struct sql_apply_item item = {.set = applying->sets[i], .set_number = i};
        for (uint32_t c = 0; c < item.set->change_count && status == STATUS_OK; c++) {
            struct sql_apply_image image;
            item.change = &item.set->changes[c];
            status = sql_apply_look(apply, &item, &image, &refused, applying->error);
            if (status == STATUS_OK) {
                status = sql_apply_change(apply, &item, &image, &refused, applying->error);
            }
        }
    }
    return status == STATUS_OK ? apply->dialect->settle(apply, &refused, applying->error) : status;
}

static enum status apply_carefully(struct applying *applying, uint32_t first, uint32_t end)
{
    return sql_apply_carefully(applying->apply, applying->sets, first, end, applying->arena,
                               applying->result, applying->error);
}

/* One transaction of the source, which may hold the refused change. */
static enum status apply_apart(struct applying *applying, uint32_t first, uint32_t end)
{
    struct apply *apply = applying->apply;
    enum status status = sql_apply_savepoint(apply, SQL_APPLY_SET, applying->error);
    status = status == STATUS_OK ? apply_plainly(applying, first, end) : status;
    if (status != STATUS_AGAIN) {
        return status == STATUS_OK ? sql_apply_savepoint(apply, SQL_APPLY_RELEASE, applying->error)
                                   : status;
    }
    status = sql_apply_savepoint(apply, SQL_APPLY_BACK, applying->error);
    return status == STATUS_OK ? apply_carefully(applying, first, end) : status;
}

static enum status apply_each(struct applying *applying)
{
    enum status status = STATUS_OK;
    for (uint32_t at = applying->first; at < applying->end && status == STATUS_OK;) {
        uint32_t end = end_of_transaction(applying, at);
        status = applying->apply->dialect->refuses_alone ? apply_carefully(applying, at, end)
                                                         : apply_apart(applying, at, end);
        at = end;
    }
    return status;
}

/* Changes that an open transaction holds by now can't be done once more. */
static enum status apply_changes(struct applying *applying)
{
    struct apply *apply = applying->apply;
    if (apply->dialect->refuses_alone || apply->open) {
        return apply_each(applying);
    }
    enum status status = apply_plainly(applying, applying->first, applying->end);
    if (status == STATUS_AGAIN) {
        apply->sought_count = 0;
        status = apply->dialect->end(apply, false, applying->error);
        status = status == STATUS_OK ? apply->dialect->begin(apply, applying->error) : status;
        status = status == STATUS_OK ? apply_each(applying) : status;
    }
    return status;
}

static enum status put_note(struct apply *apply, const struct apply_note *note, struct error *error)
{
    struct buffer sql = {0};
    const struct store_value value = {.text = note->text, .length = note->length};
    buffer_append_string(&sql, "DELETE FROM ");
    apply->store->dialect->append_table(apply->store, &sql);
    buffer_format(&sql, " WHERE name = '%s'", note->key);
    enum status status =
        apply->dialect->ask(apply, buffer_string(&sql), NULL, NULL, NULL, NULL, error);
    if (status == STATUS_OK && note->text != NULL) {
        buffer_clear(&sql);
        sql_store_append_insert(apply->store, note->key, &sql);
        status = apply->dialect->ask(apply, buffer_string(&sql), &value, NULL, NULL, NULL, error);
    }
    buffer_free(&sql);
    return status;
}

/* `refusals`: how many there were before this part. */
static enum status put_notes(struct applying *applying, uint32_t refusals)
{
    const struct apply_result *result = applying->result;
    const struct apply_call call = {
        .sets = applying->sets,
        .first = applying->first,
        .end = applying->end,
        .refusals = result->refusal_count > refusals ? &result->refusals[refusals] : NULL,
        .refusal_count = result->refusal_count - refusals};
    const struct apply_note *notes;
    uint32_t count;
    enum status status = store_notes_of(&applying->apply->request, &call, applying->arena, &notes,
                                        &count, applying->error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = put_note(applying->apply, &notes[i], applying->error);
    }
    return status;
}

static enum status apply_commit(struct applying *applying)
{
    struct apply *apply = applying->apply;
    const struct change_set *last = applying->sets[applying->end - 1];
    enum status status = put_position(apply, &last->end, applying->error);
    if (status == STATUS_OK) {
        status = sql_failpoint(apply->database, "before_apply", applying->error);
    }
    if (status == STATUS_OK) {
        status = apply->dialect->end(apply, true, applying->error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    apply->open = false;
    apply->version++;
    return sql_failpoint(apply->database, "after_apply", applying->error);
}

/* Whole transactions, or the pieces of one that is not whole yet. */
static enum status apply_part(struct applying *applying)
{
    struct apply *apply = applying->apply;
    bool whole = applying->sets[applying->end - 1]->last_piece;
    enum status status = apply->open ? STATUS_OK : apply->dialect->begin(apply, applying->error);
    bool begun = status == STATUS_OK;
    uint32_t refusals = applying->result->refusal_count;
    apply->sought_count = 0;
    status = begun ? apply_changes(applying) : status;
    status = status == STATUS_OK
                 ? sql_apply_absent(apply, applying->sets, applying->first, applying->end,
                                    applying->arena, applying->result, applying->error)
                 : status;
    status = status == STATUS_OK ? put_notes(applying, refusals) : status;
    if (status == STATUS_OK && !whole) {
        apply->open = true;
        return STATUS_OK;
    }
    uint64_t version = apply->version;
    status = status == STATUS_OK ? apply_commit(applying) : status;
    if (status != STATUS_OK && begun && apply->version == version) {
        (void)!apply->dialect->end(apply, false, NULL);
        apply->open = false;
    }
    return status;
}

enum status sql_apply_sets(struct apply *apply, const struct change_set *const *sets,
                           uint32_t set_count, struct arena *arena, struct apply_result *result,
                           struct error *error)
{
    struct applying applying = {
        .apply = apply, .sets = sets, .arena = arena, .result = result, .error = error};
    enum status status = STATUS_OK;
    uint32_t whole = set_count;
    *result = (struct apply_result){0};
    sql_apply_forget_sets(apply);
    while (whole > 0 && !sets[whole - 1]->last_piece) {
        whole--;
    }
    if (apply->open && set_count > 0 && sets[0]->first_piece) {
        apply->open = false;
        status = apply->dialect->end(apply, false, error);
    }
    applying.scratch = arena_create(0);
    for (uint32_t end = whole > 0 ? whole : set_count; applying.first < end && status == STATUS_OK;
         end = set_count) {
        applying.end = end;
        status = apply_part(&applying);
        applying.first = end;
    }
    arena_destroy(applying.scratch);
    return status;
}
