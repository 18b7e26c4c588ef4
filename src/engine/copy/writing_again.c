/*
 * A repair writes over records that stand in each other's way: one holds the unique value that
 * another is to get, or refers to one that is still to come. What a constraint rejects is held
 * until the rest of its chunk is written, and tried again, back and forth, for as long as one gets
 * in. A chunk of a repair is small, and so is what is held of it; but a chain of records in no
 * order takes as many times as it has links, or half of them, so that long ones are cut off.
 */
#include "engine/copy/writing.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 4000 }; /* of single records, in a chunk */

/* Each record for itself can be rejected, and written again, only within a transaction. */
static bool may_wait(const struct writing *writing, const struct batch *batch,
                     const struct record_outcome *outcome)
{
    const struct database *target = writing->copy->session->target;
    return writing->copy->run->repairs && outcome->kind == OUTCOME_REJECTED &&
           (outcome->code == ERROR_REJECT_CONSTRAINT ||
            outcome->code == ERROR_REJECT_KEY_DUPLICATE) &&
           (target->capabilities & CAPABILITY_TRANSACTIONS) != 0 && batch->large_values == NULL;
}

bool writing_hold(struct writing *writing, struct open_chunk *chunk, struct batch *batch,
                  const struct record_outcome *outcome)
{
    if (!may_wait(writing, batch, outcome)) {
        return false;
    }
    const char *reason = outcome->reason == NULL ? "" : outcome->reason;
    chunk->held = memory_resize(chunk->held, chunk->held_count + 1u, sizeof(*chunk->held));
    chunk->held[chunk->held_count++] =
        (struct held_record){.batch = writing_cut(batch, outcome->row, 1),
                             .code = outcome->code,
                             .reason = memory_copy_string(reason)};
    return true;
}

static void free_records(struct held_record *held, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        batch_destroy(held[i].batch);
        free(held[i].reason);
    }
    free(held);
}

void writing_free_held(struct open_chunk *chunk)
{
    free_records(chunk->held, chunk->held_count);
    chunk->held = NULL;
    chunk->held_count = 0;
    chunk->held_before = 0;
    chunk->held_tries = 0;
    chunk->backwards = false;
}

/* None of them helps another: they are rejects. */
static enum status give_up(struct writing *writing, struct open_chunk *chunk, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < chunk->held_count && status == STATUS_OK; i++) {
        const struct held_record *held = &chunk->held[i];
        const struct record_outcome outcome = {
            .row = 0, .kind = OUTCOME_REJECTED, .code = held->code, .reason = held->reason};
        status = writing_count_outcome(writing, chunk, held->batch, &outcome, error);
    }
    writing_free_held(chunk);
    return status == STATUS_OK ? STATUS_END : status;
}

/* Until the chunk has no batch under way: what comes back rejected is held again. */
static enum status wait_for_all(struct writing *writing, const struct open_chunk *chunk,
                                struct error *error)
{
    enum status status = STATUS_OK;
    while (chunk->under_way > 0 && status != STATUS_FAILED && !copy_must_stop(writing->copy)) {
        status = writing_poll(writing, COPY_WAIT_MS, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status writing_try_again(struct writing *writing, struct open_chunk *chunk,
                              struct error *error)
{
    uint32_t count = chunk->held_count;
    struct held_record *held = chunk->held;
    enum status status = STATUS_OK;
    if (count == 0) {
        return STATUS_END;
    }
    bool helped = chunk->held_tries == 0 || count < chunk->held_before;
    if (!helped || chunk->held_tries + count > TRIES_MAX) {
        return give_up(writing, chunk, error);
    }
    chunk->held = NULL;
    chunk->held_count = 0;
    chunk->held_before = count;
    chunk->held_tries += count;
    chunk->backwards = !chunk->backwards;
    for (uint32_t i = 0; i < count && status == STATUS_OK && !copy_must_stop(writing->copy); i++) {
        struct held_record *one = &held[chunk->backwards ? count - 1 - i : i];
        struct batch *row = one->batch;
        one->batch = NULL;
        status = writing_submit(writing, chunk, row, error);
        status = status == STATUS_OK ? wait_for_all(writing, chunk, error) : status;
    }
    free_records(held, count);
    /* where it stops, the chunk is given up: END would say that each was written or counted */
    return status == STATUS_END ? STATUS_OK : status;
}
