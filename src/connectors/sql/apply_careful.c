/* A transaction of the source, one of whose changes is refused: each change alone, and those that a
 * constraint refuses again when the others are in. */
#include "base/memory.h"
#include "connectors/sql/apply_internal.h"
#include "model/decimal.h"
#include "model/value.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Rounds cure an order that is a little wrong; for the others all make way at once. */
enum { ROUNDS_MAX = 4, EXCHANGES_MAX = 8, KEY_BITS = 1 << 16 };

/* A change that waits for others. */
/* One of the changes that were merged, and those before it. */
struct part {
    struct sql_apply_item item;
    const struct part *before;
    uint32_t count; /* with those */
};

struct waiting {
    struct sql_apply_item item;
    const struct part *parts; /* of which it was merged, in `scratch`; NULL: it is one change */
    bool settled;             /* it went in, or was told */
    bool is_out;              /* its record was taken out, to be put back where it belongs */
    bool is_put_off;          /* no exchange with it: it is tried alone, at last */
};

struct careful {
    struct apply *apply;
    struct arena *arena; /* the caller's */
    struct arena *scratch;
    struct apply_result *result;
    struct waiting *waiting;
    uint32_t waiting_count;
    uint32_t waiting_capacity;
    uint64_t *keys; /* of those that wait, a bit a hash; NULL: none does */
    bool ahead;     /* change_set.ahead, of one of the sets */
    struct error *error;
};

/* ---------------------------------------------------------------- keys that wait */

/* Keys that any database may take for one get one hash: case, blanks and the kinds of numbers do
 * not count. Others that share it only wait, too. */
static void append_loosely(const struct cell *cell, struct buffer *out)
{
    double number = 0;
    switch ((enum value_kind)cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        for (uint32_t i = 0; i < cell->length; i++) {
            unsigned char byte = cell->bytes[i];
            if (byte > ' ' && byte < 0x80) {
                buffer_append_byte(out, (char)(byte | 0x20));
            }
        }
        return;
    case VALUE_UUID:
        buffer_append(out, cell->bytes, 16);
        return;
    case VALUE_DECIMAL:
        number = decimal_to_double(cell);
        break;
    case VALUE_UINT64:
        number = (double)cell->u64;
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        number = cell->f64;
        break;
    case VALUE_BOOL:
    case VALUE_INT64:
        number = (double)cell->i64;
        break;
    default: /* days and times may be texts in the target: all of them are one */
        return;
    }
    number = number == 0 ? 0 : number; /* no minus zero */
    buffer_append(out, &number, sizeof number);
}

static uint32_t hash_key(const struct sql_apply_item *item, const struct sql_apply_image *image,
                         bool old)
{
    struct buffer bytes = {0};
    buffer_append(&bytes, &item->change->table, sizeof item->change->table);
    for (uint32_t part = 0; part < sql_apply_key_count(image); part++) {
        append_loosely(
            old ? &item->change->key[part] : sql_apply_new_key(image, item->change, part), &bytes);
    }
    uint64_t hash = XXH3_64bits(bytes.data, bytes.length);
    buffer_free(&bytes);
    return (uint32_t)(hash % KEY_BITS);
}

/* Does one before it wait that is under the same key? */
static bool is_blocked(const struct careful *careful, const struct sql_apply_item *item,
                       const struct sql_apply_image *image)
{
    for (int old = 0; old <= 1 && careful->keys != NULL; old++) {
        if (old != 0 ? image->old : item->change->after != NULL) {
            uint32_t hash = hash_key(item, image, old != 0);
            if ((careful->keys[hash / 64] >> (hash % 64) & 1) != 0) {
                return true;
            }
        }
    }
    return false;
}

static void block(struct careful *careful, const struct sql_apply_item *item,
                  const struct sql_apply_image *image)
{
    if (careful->keys == NULL) {
        careful->keys = memory_allocate_zeroed(KEY_BITS / 64, sizeof *careful->keys);
    }
    for (int old = 0; old <= 1; old++) {
        if (old != 0 ? image->old : item->change->after != NULL) {
            uint32_t hash = hash_key(item, image, old != 0);
            careful->keys[hash / 64] |= (uint64_t)1 << (hash % 64);
        }
    }
}

static void unblock_all(struct careful *careful)
{
    free(careful->keys);
    careful->keys = NULL;
}

/* ---------------------------------------------------------------- one change alone */

typedef enum status item_step(struct apply *apply, const struct sql_apply_item *item,
                              const struct sql_apply_image *image,
                              struct sql_apply_refused *refused, struct error *error);

static enum status run_and_settle(struct apply *apply, item_step *step,
                                  const struct sql_apply_item *item,
                                  const struct sql_apply_image *image,
                                  struct sql_apply_refused *refused, struct error *error)
{
    enum status status = step(apply, item, image, refused, error);
    return status == STATUS_OK && apply->dialect->settle != NULL
               ? apply->dialect->settle(apply, refused, error)
               : status;
}

/* STATUS_AGAIN: it is refused, and nothing of it stays. */
static enum status try_step(struct careful *careful, item_step *step,
                            const struct sql_apply_item *item, const struct sql_apply_image *image,
                            struct sql_apply_refused *refused)
{
    struct apply *apply = careful->apply;
    const struct sql_apply_dialect *dialect = apply->dialect;
    *refused = (struct sql_apply_refused){.arena = careful->scratch};
    if (dialect->refuses_alone && !image->moves) {
        return run_and_settle(apply, step, item, image, refused, careful->error);
    }
    enum status status = sql_apply_savepoint(apply, SQL_APPLY_SET, careful->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = run_and_settle(apply, step, item, image, refused, careful->error);
    if (status == STATUS_FAILED) {
        return status;
    }
    return sql_apply_savepoint(apply, status == STATUS_OK ? SQL_APPLY_RELEASE : SQL_APPLY_BACK,
                               careful->error) == STATUS_OK
               ? status
               : STATUS_FAILED;
}

void sql_apply_add_refusal(struct apply_result *result, const struct apply_refusal *refusal,
                           struct arena *arena)
{
    struct apply_refusal *grown = result->refusals;
    if ((result->refusal_count & (result->refusal_count - 1)) == 0) { /* 0, 1, 2, 4, 8, … */
        size_t room = result->refusal_count > 0 ? 2 * (size_t)result->refusal_count : 1;
        grown = arena_allocate_zeroed(arena, room, sizeof *grown);
        if (result->refusal_count > 0) {
            memcpy(grown, result->refusals, result->refusal_count * sizeof *grown);
        }
        result->refusals = grown;
    }
    grown[result->refusal_count] = *refusal;
    grown[result->refusal_count++].reason = arena_copy_string(arena, refusal->reason);
}

static bool may_be_cured(enum error_code code)
{
    return code == ERROR_REJECT_CONSTRAINT || code == ERROR_REJECT_KEY_DUPLICATE;
}

/* The record as it is now, of whose former one the target has nothing. STATUS_AGAIN: it is refused,
 * or not all of it is known. */
static enum status put_alone(struct careful *careful, const struct sql_apply_item *item,
                             struct sql_apply_refused *refused)
{
    struct sql_apply_image image;
    struct record_change change = *item->change;
    struct sql_apply_item alone = *item;
    change.key = NULL;
    change.key_count = 0;
    alone.change = &change;
    enum status status = sql_apply_look(careful->apply, &alone, &image, refused, careful->error);
    if (status == STATUS_OK && !image.whole) {
        refused->code = ERROR_NONE;
        return STATUS_AGAIN;
    }
    return status == STATUS_OK ? try_step(careful, sql_apply_put_new, &alone, &image, refused)
                               : status;
}

/*
 * A record that leaves its key, or goes, is not under that key any more, unless others would go
 * with it. Where the target can't even hold what it was, as a text with a NUL or a zero date, it
 * never had it: then a delete is done, and an update is a record that is new. STATUS_AGAIN: it is
 * to be told, `refused` says why if that is another reason.
 */
static enum status leave_former(struct careful *careful, const struct sql_apply_item *item,
                                enum error_code code, struct sql_apply_refused *refused)
{
    struct sql_apply_image image;
    enum status status = sql_apply_look(careful->apply, item, &image, refused, careful->error);
    bool goes = item->change->after == NULL && item->change->operation != RECORD_TRUNCATE;
    if (status == STATUS_FAILED || !image.old || !(image.moves || goes) ||
        careful->apply->cascades) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_AGAIN;
    }
    status = try_step(careful, sql_apply_remove_old, item, &image, refused);
    /* what a trigger says is no word of the record */
    bool silent = careful->apply->database->base.triggers_off;
    bool never_had = silent && status == STATUS_AGAIN && !may_be_cured(code) &&
                     refused->code != ERROR_NONE && !may_be_cured(refused->code);
    refused->code = ERROR_NONE;
    if (status == STATUS_FAILED || !never_had) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_AGAIN;
    }
    return goes ? STATUS_OK : put_alone(careful, item, refused);
}

/* Tells it, unless the former record alone was what the target can't hold. */
static enum status item_refuse(struct careful *careful, const struct sql_apply_item *item,
                               enum error_code code, const char *reason)
{
    struct sql_apply_refused refused = {.arena = careful->scratch};
    const char *kept = arena_copy_string(careful->arena, reason);
    enum status status = leave_former(careful, item, code, &refused);
    if (status != STATUS_AGAIN) {
        return status;
    }
    bool another = refused.code != ERROR_NONE;
    const struct apply_refusal refusal = {
        .set = item->set_number,
        .change = item->number,
        .code = another ? refused.code : code,
        .reason = another ? refused.reason : kept,
    };
    sql_apply_add_refusal(careful->result, &refusal, careful->arena);
    return STATUS_OK;
}

/* STATUS_AGAIN: it waits, `refused` says why (code ERROR_NONE: for one before it). STATUS_END: it
 * is refused for good. */
static enum status try_item(struct careful *careful, item_step *step,
                            const struct sql_apply_item *item, struct sql_apply_refused *refused)
{
    struct sql_apply_image image;
    *refused = (struct sql_apply_refused){.arena = careful->scratch};
    enum status status = sql_apply_look(careful->apply, item, &image, refused, careful->error);
    if (status == STATUS_OK && is_blocked(careful, item, &image)) {
        status = STATUS_AGAIN;
    } else if (status == STATUS_OK) {
        status = try_step(careful, step, item, &image, refused);
    }
    if (status != STATUS_AGAIN) {
        return status;
    }
    if (refused->code != ERROR_NONE && !may_be_cured(refused->code)) {
        return STATUS_END;
    }
    block(careful, item, &image);
    return STATUS_AGAIN;
}

/* ---------------------------------------------------------------- those that wait */

static void add_waiting(struct careful *careful, const struct sql_apply_item *item)
{
    if (careful->waiting_count == careful->waiting_capacity) {
        careful->waiting_capacity = careful->waiting_capacity ? 2 * careful->waiting_capacity : 16;
        careful->waiting =
            memory_resize(careful->waiting, careful->waiting_capacity, sizeof *careful->waiting);
    }
    careful->waiting[careful->waiting_count++] = (struct waiting){.item = *item};
}

/* Drops those that are settled. */
static void compact(struct careful *careful)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < careful->waiting_count; i++) {
        if (!careful->waiting[i].settled) {
            careful->waiting[count++] = careful->waiting[i];
        }
    }
    careful->waiting_count = count;
}

/* Tries all that wait, in their order. */
static enum status try_waiting(struct careful *careful)
{
    enum status status = STATUS_OK;
    unblock_all(careful);
    for (uint32_t i = 0; i < careful->waiting_count && status != STATUS_FAILED; i++) {
        struct waiting *waiting = &careful->waiting[i];
        struct sql_apply_refused refused;
        status = try_item(careful, sql_apply_change, &waiting->item, &refused);
        if (status == STATUS_END) {
            status = item_refuse(careful, &waiting->item, refused.code, refused.reason);
        }
        waiting->settled = status == STATUS_OK;
    }
    compact(careful);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

/* The unique values of its record make way: they become values of no record, or all of the record
 * is taken out.
 */
static enum status make_way(struct careful *careful, struct waiting *waiting,
                            const struct sql_apply_image *image, struct sql_apply_refused *refused)
{
    struct apply *apply = careful->apply;
    const struct sql_apply_item *item = &waiting->item;
    enum status status = STATUS_END;
    if (item->change->after != NULL && !image->moves) {
        status = sql_apply_set_aside(apply, item, image, refused, careful->error);
        status = status == STATUS_OK && apply->dialect->settle != NULL
                     ? apply->dialect->settle(apply, refused, careful->error)
                     : status;
    }
    if (status != STATUS_END) {
        return status;
    }
    if (apply->cascades || (item->change->after != NULL && !image->whole)) {
        return STATUS_OK;
    }
    apply->counts = true;
    apply->changed = 0;
    status = run_and_settle(apply, sql_apply_remove_old, item, image, refused, careful->error);
    apply->counts = false;
    waiting->is_out = status == STATUS_OK && apply->changed > 0;
    return status;
}

/*
 * A record that was taken out goes where it belongs. One that was not there then is what another
 * change has put under its old key since, or nowhere: so it leaves that key now.
 */
static enum status come_back(struct careful *careful, const struct waiting *waiting,
                             const struct sql_apply_image *image, struct sql_apply_refused *refused)
{
    const struct sql_apply_item *item = &waiting->item;
    bool whole = item->change->after != NULL && image->whole && !careful->apply->cascades;
    enum status status = STATUS_OK;
    if (!whole && item->change->after != NULL) {
        return run_and_settle(careful->apply, sql_apply_change, item, image, refused,
                              careful->error);
    }
    if (!waiting->is_out && (item->change->after == NULL || image->moves)) {
        status = run_and_settle(careful->apply, sql_apply_remove_old, item, image, refused,
                                careful->error);
    }
    return status == STATUS_OK && whole ? run_and_settle(careful->apply, sql_apply_put_new, item,
                                                         image, refused, careful->error)
                                        : status;
}

/* All make way, and then each change goes in its order. STATUS_AGAIN: that of `*failed` is refused
 * all the same. */
static enum status exchange(struct careful *careful, uint32_t *failed,
                            struct sql_apply_refused *refused)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < 2 * careful->waiting_count && status == STATUS_OK; i++) {
        struct sql_apply_image image;
        *failed = i % careful->waiting_count;
        struct waiting *waiting = &careful->waiting[*failed];
        if (waiting->settled || waiting->is_put_off) {
            continue;
        }
        status = sql_apply_look(careful->apply, &waiting->item, &image, refused, careful->error);
        if (status == STATUS_OK) {
            status = i < careful->waiting_count ? make_way(careful, waiting, &image, refused)
                                                : come_back(careful, waiting, &image, refused);
        }
    }
    return status;
}

/* As often as one of them is to blame alone. That one is tried once more when the others are where
 * they belong: of two that can't both be there it may be the one that is. */
static enum status exchange_all(struct careful *careful)
{
    for (uint32_t left = careful->waiting_count, i = 0; i < EXCHANGES_MAX && left > 1; i++) {
        struct sql_apply_refused refused = {.arena = careful->scratch};
        uint32_t failed = 0;
        enum status status = sql_apply_savepoint(careful->apply, SQL_APPLY_SET, careful->error);
        status = status == STATUS_OK ? exchange(careful, &failed, &refused) : status;
        if (status == STATUS_FAILED) {
            return status;
        }
        bool done = status == STATUS_OK;
        status = sql_apply_savepoint(careful->apply, done ? SQL_APPLY_RELEASE : SQL_APPLY_BACK,
                                     careful->error);
        if (status != STATUS_OK) {
            return status;
        }
        for (uint32_t k = 0; k < careful->waiting_count && done; k++) {
            careful->waiting[k].settled = !careful->waiting[k].is_put_off;
        }
        if (done) {
            break;
        }
        careful->waiting[failed].is_put_off = true;
        left--;
    }
    compact(careful);
    return STATUS_OK;
}

static enum status item_settle(struct careful *careful, const struct sql_apply_item *item,
                               struct sql_apply_refused *refused)
{
    unblock_all(careful);
    enum status status = try_item(careful, sql_apply_change_at_last, item, refused);
    return status == STATUS_END ? STATUS_AGAIN : status;
}

/* The merged change of a record is refused: of the changes that it was merged from, those that can
 * go in do. */
static enum status settle_parts(struct careful *careful, const struct part *parts)
{
    enum status status = STATUS_OK;
    uint32_t count = parts->count;
    const struct part **all = arena_allocate_zeroed(careful->scratch, count, sizeof(struct part *));
    for (uint32_t i = count; i > 0; i--, parts = parts->before) {
        all[i - 1] = parts;
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct sql_apply_refused refused;
        status = item_settle(careful, &all[i]->item, &refused);
        if (status == STATUS_AGAIN) {
            status = item_refuse(careful, &all[i]->item, refused.code, refused.reason);
        }
    }
    return status;
}

/* The last time: what is refused now is told. */
static enum status settle_waiting(struct careful *careful)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < careful->waiting_count && status == STATUS_OK; i++) {
        struct waiting *waiting = &careful->waiting[i];
        struct sql_apply_refused refused;
        status = item_settle(careful, &waiting->item, &refused);
        if (status == STATUS_AGAIN) {
            status = waiting->parts != NULL
                         ? settle_parts(careful, waiting->parts)
                         : item_refuse(careful, &waiting->item, refused.code, refused.reason);
        }
    }
    return status;
}

/* Waiting changes by the record that they make: the last one of each hash, and the one before each.
 * Numbers of the waiting ones, plus 1. */
struct made_records {
    uint32_t *last;
    uint32_t *before;
    bool keys_move; /* of tables that have keys */
};

static uint32_t hash_record(const struct record_change *change, const struct cell *record,
                            uint32_t count)
{
    struct buffer bytes = {0};
    buffer_append(&bytes, &change->table, sizeof change->table);
    for (uint32_t i = 0; i < count; i++) {
        append_loosely(&record[i], &bytes);
    }
    uint64_t hash = XXH3_64bits(bytes.data, bytes.length);
    buffer_free(&bytes);
    return (uint32_t)(hash % KEY_BITS);
}

/* A MISSING cell equals none. */
static bool are_equal(const struct cell *left, const struct cell *right, uint32_t count)
{
    bool equal = true;
    for (uint32_t i = 0; equal && i < count; i++) {
        equal = value_equal(&left[i], &right[i]);
    }
    return equal;
}

/* The last one before it that made the record which `later` takes up; NULL: none. */
static struct waiting *find_made(const struct careful *careful, const struct made_records *made,
                                 const struct record_change *later, bool whole)
{
    uint32_t at = made->last[hash_record(later, later->key, later->key_count)];
    while (at > 0) {
        struct waiting *earlier = &careful->waiting[at - 1];
        const struct record_change *from = earlier->item.change;
        const struct cell *made_as = whole ? from->after : from->key;
        if (!earlier->settled && from->table == later->table &&
            are_equal(made_as, later->key, later->key_count)) {
            return earlier;
        }
        at = made->before[at - 1];
    }
    return NULL;
}

static uint32_t field_count_of(const struct waiting *waiting)
{
    const struct change_set *set = waiting->item.set;
    return set->tables[waiting->item.change->table].shape->field_count;
}

/* A cell that the later one does not tell is as the earlier one made it. */
static const struct cell *merge_cells(struct careful *careful, const struct waiting *earlier,
                                      const struct waiting *later)
{
    uint32_t count = field_count_of(later);
    struct cell *cells = arena_allocate_zeroed(careful->scratch, count + (size_t)1, sizeof *cells);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = &later->item.change->after[i];
        cells[i] = cell->kind != VALUE_MISSING ? *cell : earlier->item.change->after[i];
    }
    return cells;
}

static const struct part *add_part(struct careful *careful, const struct sql_apply_item *item,
                                   const struct part *before)
{
    struct part *part = arena_allocate_zeroed(careful->scratch, 1, sizeof *part);
    *part = (struct part){*item, before, before != NULL ? before->count + 1 : 1};
    return part;
}

/* A record without a key that came and went, or is as it was, is settled. */
static void changes_merge(struct careful *careful, struct waiting *earlier, struct waiting *later,
                          bool whole)
{
    const struct record_change *from = earlier->item.change;
    uint32_t count = later->item.change->key_count;
    struct record_change *merged = arena_allocate(careful->scratch, sizeof *merged);
    const struct part *before =
        earlier->parts != NULL ? earlier->parts : add_part(careful, &earlier->item, NULL);
    later->parts = add_part(careful, &later->item, before);
    *merged = *later->item.change;
    if (merged->after != NULL) {
        merged->operation = from->operation;
        merged->after = merge_cells(careful, earlier, later);
    }
    merged->key = from->key;
    merged->key_count = from->key_count;
    merged->before = from->before;
    later->item.change = merged;
    earlier->settled = true;
    later->settled =
        whole && (merged->key == NULL
                      ? merged->after == NULL
                      : merged->after != NULL && are_equal(merged->key, merged->after, count));
}

static enum status merge_one(struct careful *careful, struct made_records *made, uint32_t number)
{
    struct waiting *later = &careful->waiting[number];
    struct sql_apply_refused refused = {.arena = careful->scratch};
    struct sql_apply_image image;
    enum status status =
        sql_apply_look(careful->apply, &later->item, &image, &refused, careful->error);
    bool whole = status == STATUS_OK && sql_apply_is_whole(&image);
    if (status != STATUS_OK || (!whole && made->keys_move)) {
        return status == STATUS_FAILED ? status : STATUS_OK;
    }
    const struct record_change *change = later->item.change;
    struct waiting *earlier = image.old && change->operation != RECORD_INSERT
                                  ? find_made(careful, made, change, whole)
                                  : NULL;
    if (earlier != NULL) {
        changes_merge(careful, earlier, later, whole);
    }
    change = later->item.change;
    if (!later->settled && change->after != NULL && (whole || change->key != NULL)) {
        uint32_t hash = whole ? hash_record(change, change->after, field_count_of(later))
                              : hash_record(change, change->key, change->key_count);
        made->before[number] = made->last[hash];
        made->last[hash] = number + 1;
    }
    return STATUS_OK;
}

/* Does any of them give a record another key? */
static enum status find_moves(struct careful *careful, bool *moves)
{
    enum status status = STATUS_OK;
    *moves = false;
    for (uint32_t i = 0; i < careful->waiting_count && status != STATUS_FAILED; i++) {
        struct sql_apply_refused refused = {.arena = careful->scratch};
        struct sql_apply_image image;
        status = sql_apply_look(careful->apply, &careful->waiting[i].item, &image, &refused,
                                careful->error);
        *moves |= status != STATUS_OK || (image.moves && !sql_apply_is_whole(&image));
    }
    return status == STATUS_FAILED ? status : STATUS_OK;
}

/*
 * Changes of one record become one. Under a unique key that the source looks at in the end alone
 * (DEFERRABLE) a record may pass through values that another one has, so that only what became of
 * each of them in all can be put. Where keys change, too, it is only done for tables without a key.
 */
static enum status merge_waiting(struct careful *careful)
{
    struct made_records made = {
        .last = memory_allocate_zeroed(KEY_BITS, sizeof(uint32_t)),
        .before = memory_allocate_zeroed(careful->waiting_count, sizeof(uint32_t))};
    enum status status = find_moves(careful, &made.keys_move);
    for (uint32_t i = 0; i < careful->waiting_count && status == STATUS_OK; i++) {
        status = merge_one(careful, &made, i);
    }
    free(made.last);
    free(made.before);
    compact(careful);
    return status;
}

static enum status cure(struct careful *careful)
{
    enum status status = careful->waiting_count > 1 ? merge_waiting(careful) : STATUS_OK;
    for (uint32_t i = 0, before = UINT32_MAX;
         i < ROUNDS_MAX && status == STATUS_OK && careful->waiting_count > 0 &&
         careful->waiting_count < before;
         i++) {
        before = careful->waiting_count;
        status = try_waiting(careful);
    }
    /* An exchange takes what is under an old key for the record as it was before all of the
     * changes. In a target that is ahead it may be one that comes later, and what the changes
     * themselves put there would stay. */
    if (status == STATUS_OK && careful->waiting_count > 1 && !careful->ahead) {
        status = exchange_all(careful);
    }
    return status == STATUS_OK ? settle_waiting(careful) : status;
}

/* Waiting changes of a table that is emptied need no more tries. */
static void drop_waiting(struct careful *careful, uint32_t table)
{
    for (uint32_t i = 0; i < careful->waiting_count; i++) {
        careful->waiting[i].settled = careful->waiting[i].item.change->table == table;
    }
    compact(careful);
}

enum status sql_apply_carefully(struct apply *apply, const struct change_set *const *sets,
                                uint32_t first, uint32_t end, struct arena *arena,
                                struct apply_result *result, struct error *error)
{
    struct careful careful = {.apply = apply,
                              .arena = arena,
                              .scratch = arena_create(0),
                              .result = result,
                              .error = error};
    enum status status = STATUS_OK;
    for (uint32_t i = first; i < end && status == STATUS_OK; i++) {
        struct sql_apply_item item = {.set = sets[i], .set_number = i};
        careful.ahead = careful.ahead || item.set->ahead;
        for (uint32_t c = 0; c < item.set->change_count && status == STATUS_OK; c++) {
            struct sql_apply_refused refused;
            item.change = &item.set->changes[c];
            item.number = c;
            if (item.change->operation == RECORD_TRUNCATE) {
                drop_waiting(&careful, item.change->table);
            }
            status = try_item(&careful, sql_apply_change, &item, &refused);
            if (status == STATUS_AGAIN) {
                add_waiting(&careful, &item);
                status = STATUS_OK;
            } else if (status == STATUS_END) {
                status = item_refuse(&careful, &item, refused.code, refused.reason);
            }
        }
    }
    status = status == STATUS_OK ? cure(&careful) : status;
    unblock_all(&careful);
    free(careful.waiting);
    arena_destroy(careful.scratch);
    return status;
}
