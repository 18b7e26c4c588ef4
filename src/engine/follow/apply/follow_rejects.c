/* Lines and entries of rejects of following. */
#include "engine/follow/apply/follow_rejects.h"

#include "base/memory.h"
#include "engine/follow/apply/lane_plan.h"
#include "engine/follow/translate/routes.h"
#include "engine/rejects/rejects.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The notes of a lane's last call. */
struct follow_noting {
    struct follow_rejects *rejects;
    uint32_t lane;
    struct arena *arena;
    struct reject_changes noted;
    uint64_t queued; /* of the first lane: what of the queue was among them */
};

struct follow_rejects {
    struct run *run;
    const struct followed_form *form;
    struct reject_file file;
    bool is_open;
    struct follow_noting *notings[LANES_MAX];
};

struct follow_rejects *follow_rejects_open(struct run *run)
{
    struct follow_rejects *made = memory_allocate_zeroed(1, sizeof *made);
    made->run = run;
    return made;
}

void follow_rejects_close(struct follow_rejects *rejects)
{
    if (rejects == NULL) {
        return;
    }
    if (rejects->is_open) {
        reject_file_close(&rejects->file, true);
    }
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        if (rejects->notings[i] != NULL) {
            arena_destroy(rejects->notings[i]->arena);
            free(rejects->notings[i]);
        }
    }
    free(rejects);
}

static void show_count(struct run *run)
{
    atomic_store(&run->session->progress.follow.rejects, reject_book_unsettled(run));
}

enum status follow_rejects_begin(struct follow_rejects *rejects, const struct followed_form *form,
                                 struct error *error)
{
    rejects->form = form;
    enum status status = reject_book_load(rejects->run, error);
    status =
        status == STATUS_OK ? reject_book_read_copied(rejects->run->rejects.book, error) : status;
    show_count(rejects->run);
    return status;
}

uint64_t follow_rejects_count(const struct follow_rejects *rejects)
{
    return rejects->is_open ? rejects->file.count : 0;
}

/* ---- lines */

static void name_reject(const struct follow_rejects *rejects, const struct follow_reject *from,
                        struct reject *reject)
{
    struct run *run = rejects->run;
    const struct plan *plan = run->session->plan;
    const struct plan_entity *entity = &plan->entities[from->entity];
    const struct plan_stream *stream = &plan->streams[entity->stream];
    bool named = from->key_names != NULL || from->key_count == stream->key_count;
    *reject = (struct reject){.run_id = run->id,
                              .entity = entity->name,
                              .table = plan->tables[entity->table].target.name,
                              .source = stream->name,
                              .key_names = !named                    ? NULL
                                           : from->key_names != NULL ? from->key_names
                                                                     : stream->key_names,
                              .key = from->key,
                              .key_count = from->key != NULL ? from->key_count : 0,
                              .code = from->code,
                              .reason = from->reason,
                              .record = from->record.kind == VALUE_MAP ? &from->record : NULL};
}

static enum status add_line(struct follow_rejects *rejects, const struct reject *reject,
                            struct error *error)
{
    struct run *run = rejects->run;
    if (!rejects->is_open) {
        reject_file_init(&rejects->file, run->folder.rejects, 0, 0);
        snprintf(rejects->file.name, sizeof rejects->file.name, "follow-%" PRIu64 ".jsonl",
                 run->claim.epoch);
        rejects->is_open = true;
    }
    return reject_file_add(&rejects->file, reject, error);
}

static enum status sync_file(struct follow_rejects *rejects, struct error *error)
{
    struct ledger_rejects vouched;
    return reject_file_sync(&rejects->file, &vouched, error);
}

/* ---- what the plan could not make */

/* A record without a key of the source's is told apart by all that is known of it. */
static enum status id_of_reject(const struct follow_reject *from, const struct reject *reject,
                                struct reject_id *id, struct error *error)
{
    struct buffer text = {0};
    *id = reject_id_of_source(from->entity, from->key, NULL, reject->key_count);
    if (id->kind != 0) {
        return STATUS_OK;
    }
    enum status status = reject_append(reject, NULL, &text, error);
    if (status == STATUS_OK) {
        *id = reject_id_of_text(from->entity, text.data, text.length);
    }
    buffer_free(&text);
    return status;
}

static enum status keep_one(struct follow_rejects *rejects, const struct follow_reject *from,
                            struct error *error)
{
    struct reject_book *book = rejects->run->rejects.book;
    struct reject_change change = {.id = from->id, .entity = from->entity, .state = from->state};
    struct buffer key = {0};
    struct reject reject;
    if (from->state != REJECT_OPEN) {
        reject_book_queue(book, &change);
        return STATUS_OK;
    }
    name_reject(rejects, from, &reject);
    enum status status = id_of_reject(from, &reject, &change.id, error);
    status = status == STATUS_OK ? reject_key_append(&reject, &key, error) : status;
    status = status == STATUS_OK ? add_line(rejects, &reject, error) : status;
    if (status == STATUS_OK) {
        change.code = from->code;
        change.reason = from->reason;
        change.key = buffer_string(&key);
        reject_book_queue(book, &change);
    }
    buffer_free(&key);
    return status;
}

enum status follow_rejects_keep(struct follow_rejects *rejects, const struct followed_set *set,
                                struct error *error)
{
    enum status status = STATUS_OK;
    bool any = false;
    for (uint32_t i = 0; i < set->reject_count && status == STATUS_OK; i++) {
        any = any || set->rejects[i].state == REJECT_OPEN;
        status = keep_one(rejects, &set->rejects[i], error);
    }
    return status == STATUS_OK && any ? sync_file(rejects, error) : status;
}

/* ---- what the target did not take */

/* The source's key of a record that has all of it, in the arena; else the target's. */
static void find_key(const struct follow_rejects *rejects, const struct change_set *set,
                     const struct record_change *change, struct arena *arena,
                     struct follow_reject *reject)
{
    const struct plan *plan = rejects->run->session->plan;
    const struct plan_stream *stream = &plan->streams[plan->entities[change->table].stream];
    const struct shape *shape = set->tables[change->table].shape;
    uint32_t count = stream->key_count;
    bool found = stream->identity && stream->key_columns != NULL && count > 0 &&
                 change->after != NULL && stream->key_names != NULL;
    struct cell *key = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *key);
    for (uint32_t i = 0; i < count && found; i++) {
        int32_t at = shape != NULL ? shape_field_find(shape, stream->key_names[i]) : -1;
        const struct cell *cell = at >= 0         ? &change->after[at]
                                  : shape == NULL ? value_field(change->after, stream->key_names[i])
                                                  : NULL;
        found = cell != NULL && cell->kind != VALUE_MISSING;
        key[i] = found ? *cell : cell_missing();
    }
    const struct column_list names = rejects->form->tables[change->table].key;
    bool has_key = change->key != NULL && change->key_count == names.count;
    reject->key = found ? key : change->key;
    reject->key_count = found ? count : change->key_count;
    reject->key_names = found || !has_key ? NULL : names.names;
}

/* `arena` holds what is made for it. */
static void describe_refused(const struct follow_rejects *rejects, const struct change_set *set,
                             const struct apply_refusal *refusal, struct arena *arena,
                             struct follow_reject *from, struct reject *reject)
{
    const struct record_change *change = &set->changes[refusal->change];
    const struct shape *shape = set->tables[change->table].shape;
    *from = (struct follow_reject){
        .entity = change->table, .code = refusal->code, .reason = refusal->reason};
    if (change->after != NULL) {
        from->record =
            shape == NULL ? change->after[0] : follow_document(arena, shape, change->after);
    }
    find_key(rejects, set, change, arena, from);
    name_reject(rejects, from, reject);
}

static enum status add_refused(struct follow_rejects *rejects, const struct change_set *set,
                               const struct apply_refusal *refusal, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct follow_reject from;
    struct reject reject;
    describe_refused(rejects, set, refusal, arena, &from, &reject);
    enum status status = add_line(rejects, &reject, error);
    arena_destroy(arena);
    return status;
}

enum status follow_rejects_keep_refused(struct follow_rejects *rejects, struct ahead *ahead,
                                        const struct change_set *const *sets, uint32_t count,
                                        const struct apply_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    bool any = false;
    for (uint32_t i = 0; i < result->refusal_count && status == STATUS_OK; i++) {
        const struct apply_refusal *refusal = &result->refusals[i];
        if (refusal->set >= count) {
            continue;
        }
        status = ahead_take(ahead, sets[refusal->set], refusal, error);
        if (status == STATUS_END) {
            status = add_refused(rejects, sets[refusal->set], refusal, error);
            any = true;
        }
    }
    return status == STATUS_OK && any ? sync_file(rejects, error) : status;
}

/* ---- a lane's entries */

struct follow_noting *follow_rejects_noting(struct follow_rejects *rejects, uint32_t lane)
{
    struct follow_noting *noting = rejects->notings[lane];
    if (noting == NULL) {
        noting = memory_allocate_zeroed(1, sizeof *noting);
        noting->rejects = rejects;
        noting->lane = lane;
        noting->arena = arena_create(0);
        rejects->notings[lane] = noting;
    }
    return noting;
}

/* The refusal of each change of a set; NULL: none of them is refused. */
static const struct apply_refusal **refusals_of(const struct apply_call *call, uint32_t number,
                                                struct arena *arena)
{
    const struct apply_refusal **of = NULL;
    for (uint32_t i = 0; i < call->refusal_count; i++) {
        const struct apply_refusal *refusal = &call->refusals[i];
        if (refusal->set != number) {
            continue;
        }
        if (of == NULL) {
            of = arena_allocate_zeroed(arena, call->sets[number]->change_count + (size_t)1,
                                       sizeof *of);
        }
        of[refusal->change] = refusal;
    }
    return of;
}

/* The id by the key that the record has by now. */
static struct reject_id id_after(const struct follow_noting *noting, const struct change_set *set,
                                 const struct record_change *change)
{
    const struct column_list names = noting->rejects->form->tables[change->table].key;
    const struct shape *shape = set->tables[change->table].shape;
    struct cell key[FOLLOW_VALUES_MAX];
    for (uint32_t i = 0; i < names.count && i < FOLLOW_VALUES_MAX; i++) {
        int32_t at = shape != NULL ? shape_field_find(shape, names.names[i]) : -1;
        const struct cell *cell = shape == NULL ? value_field(change->after, names.names[i])
                                  : at >= 0     ? &change->after[at]
                                                : NULL;
        bool told = cell != NULL && cell->kind != VALUE_MISSING;
        key[i] = told                                           ? *cell
                 : change->key != NULL && i < change->key_count ? change->key[i]
                                                                : cell_missing();
    }
    return reject_id_of_target(change->table, key,
                               names.count <= FOLLOW_VALUES_MAX ? names.count : 0);
}

/* It is settled if it is open, here or in the book. */
static void follow_rejects_settle(struct follow_noting *noting, uint32_t entity,
                                  const struct reject_id *id, enum reject_state state)
{
    const struct reject_change *here = reject_changes_find(&noting->noted, id);
    bool open = id->kind != 0 &&
                (here != NULL ? here->state == REJECT_OPEN
                              : reject_book_is_open(noting->rejects->run->rejects.book, id));
    if (open) {
        const struct reject_change change = {.id = *id, .entity = entity, .state = state};
        reject_changes_add(&noting->noted, &change);
    }
}

static enum status note_refused(struct follow_noting *noting, const struct change_set *set,
                                const struct apply_refusal *refusal, const struct reject_id *id,
                                struct error *error)
{
    const struct follow_rejects *rejects = noting->rejects;
    struct arena *arena = arena_create(0);
    struct follow_reject from;
    struct reject reject;
    struct buffer key = {0};
    describe_refused(rejects, set, refusal, arena, &from, &reject);
    enum status status = reject_key_append(&reject, &key, error);
    struct reject_change change = {.id = *id,
                                   .entity = from.entity,
                                   .code = from.code,
                                   .reason = from.reason,
                                   .key = buffer_string(&key)};
    if (status == STATUS_OK && id->kind == 0) {
        /* of a table without a key all of the record says which it is */
        struct buffer text = {0};
        bool keyed = reject.key_count > 0;
        status = keyed ? STATUS_OK : reject_append(&reject, NULL, &text, error);
        change.id = keyed ? reject_id_of_text(from.entity, change.key, key.length)
                          : reject_id_of_text(from.entity, text.data, text.length);
        buffer_free(&text);
    }
    if (status == STATUS_OK) {
        reject_changes_add(&noting->noted, &change);
    }
    buffer_free(&key);
    arena_destroy(arena);
    return status;
}

static enum status note_change(struct follow_noting *noting, const struct change_set *set,
                               const struct record_change *change,
                               const struct apply_refusal *refusal, struct error *error)
{
    if (change->operation == RECORD_TRUNCATE) {
        return STATUS_OK; /* what it emptied was settled when it was mapped */
    }
    struct reject_id before = reject_id_of_target(change->table, change->key,
                                                  change->key != NULL ? change->key_count : 0);
    struct reject_id after = change->after != NULL ? id_after(noting, set, change) : before;
    bool moves = memcmp(&before, &after, sizeof before) != 0;
    if (moves || refusal == NULL) { /* what moved is not under its old key any more */
        follow_rejects_settle(noting, change->table, &before,
                              change->after == NULL || moves ? REJECT_GONE : REJECT_ARRIVED);
    }
    if (refusal == NULL && moves) {
        follow_rejects_settle(noting, change->table, &after, REJECT_ARRIVED);
    }
    return refusal != NULL ? note_refused(noting, set, refusal, &after, error) : STATUS_OK;
}

static enum status note_call(struct follow_noting *noting, const struct apply_call *call,
                             struct arena *arena, struct error *error)
{
    bool watches = reject_book_watches_targets(noting->rejects->run->rejects.book);
    enum status status = STATUS_OK;
    if (call->refusal_count == 0 && !watches) {
        return STATUS_OK;
    }
    for (uint32_t i = call->first; i < call->end && status == STATUS_OK; i++) {
        const struct change_set *set = call->sets[i];
        const struct apply_refusal **of = refusals_of(call, i, arena);
        for (uint32_t c = 0; c < set->change_count && status == STATUS_OK; c++) {
            status = note_change(noting, set, &set->changes[c], of != NULL ? of[c] : NULL, error);
        }
    }
    return status;
}

enum status follow_rejects_take_notes(void *context, const struct apply_call *call,
                                      struct arena *arena, const struct apply_note **notes,
                                      uint32_t *note_count, struct error *error)
{
    struct follow_noting *noting = context;
    struct reject_book *book = noting->rejects->run->rejects.book;
    if (call->first == 0) { /* else it is a further part of the same sets */
        arena_reset(noting->arena);
        noting->noted = (struct reject_changes){.arena = noting->arena};
    }
    noting->queued = noting->lane == 0 ? reject_book_add_queued(book, &noting->noted) : 0;
    enum status status = note_call(noting, call, arena, error);
    if (status == STATUS_OK && noting->noted.count > 0) {
        reject_book_notes(book, &noting->noted, arena, notes, note_count);
    }
    return status;
}

void follow_rejects_noted(struct follow_noting *noting)
{
    struct reject_book *book = noting->rejects->run->rejects.book;
    if (noting->noted.count == 0) {
        return;
    }
    reject_book_take(book, &noting->noted);
    if (noting->lane == 0) {
        reject_book_confirm(book, noting->queued);
    }
    show_count(noting->rejects->run);
    noting->noted = (struct reject_changes){.arena = noting->arena};
}
