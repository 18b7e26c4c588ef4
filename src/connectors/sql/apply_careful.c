/* A transaction of the source, one of whose changes is refused: each change alone, and those that a
 * constraint refuses again when the others are in. */
#include "base/memory.h"
#include "connectors/sql/apply_internal.h"
#include "model/decimal.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Rounds cure an order that is a little wrong; for the others all make way at once. */
enum { ROUNDS_MAX = 4, EXCHANGES_MAX = 8, KEY_BITS = 1 << 16 };

/* A change that waits for others. */
struct waiting {
    struct sql_apply_item item;
    bool settled;    /* it went in, or was told */
    bool is_out;     /* its record was taken out, to be put back where it belongs */
    bool is_put_off; /* no exchange with it: it is tried alone, at last */
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

/* What any database may take for one key gets one hash: case, blanks and the kinds of numbers do
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

/* Tells it; what moved to another key is not under its old one any more, unless others would go
 * with it. */
static enum status item_refuse(struct careful *careful, const struct sql_apply_item *item,
                               enum error_code code, const char *reason)
{
    struct sql_apply_refused refused = {.arena = careful->scratch};
    struct sql_apply_image image;
    const struct apply_refusal refusal = {
        .set = item->set_number,
        .change = (uint32_t)(item->change - item->set->changes),
        .code = code,
        .reason = reason,
    };
    sql_apply_add_refusal(careful->result, &refusal, careful->arena);
    enum status status = sql_apply_look(careful->apply, item, &image, &refused, careful->error);
    if (status != STATUS_FAILED && image.moves && !careful->apply->cascades) {
        status = try_step(careful, sql_apply_remove_old, item, &image, &refused);
    }
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static bool may_be_cured(enum error_code code)
{
    return code == ERROR_REJECT_CONSTRAINT || code == ERROR_REJECT_KEY_DUPLICATE;
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

/* What is unique of its record makes way: by values of no record, or all of the record is taken
 * out.
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

/* The last time: what is refused now is told. */
static enum status settle_waiting(struct careful *careful)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < careful->waiting_count && status == STATUS_OK; i++) {
        struct waiting *waiting = &careful->waiting[i];
        struct sql_apply_refused refused;
        unblock_all(careful);
        status = try_item(careful, sql_apply_change_at_last, &waiting->item, &refused);
        if (status == STATUS_AGAIN || status == STATUS_END) {
            status = item_refuse(careful, &waiting->item, refused.code, refused.reason);
        }
    }
    return status;
}

static enum status cure(struct careful *careful)
{
    enum status status = STATUS_OK;
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

/* What a table that is emptied was to hold needs no more tries. */
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
