/* Where a lane's position is: in the target, or, of a target that has no place for one, in the
 * run's ledger, with what is noted of its calls. */
#include "base/failpoint.h"
#include "connectors/common/store_notes.h"
#include "connectors/common/store_position.h"
#include "engine/follow/apply/lanes_internal.h"

static bool is_in_ledger(const struct lane *lane)
{
    return lane->lanes->functions->position == NULL;
}

enum status lane_position_open(struct lane *lane, struct arena *arena, struct position *position,
                               struct error *error)
{
    struct run *run = lane->lanes->run;
    struct ledger *ledger = run->session->ledger;
    if (!is_in_ledger(lane)) {
        return lane->lanes->functions->position(lane->apply, arena, position, error);
    }
    if (ledger_open_store(ledger, &lane->store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = ledger_get_position(ledger, lane->store, run->header.feed, lane->number,
                                             arena, &lane->kept, error);
    *position = (struct position){lane->kept.bytes, lane->kept.length};
    lane->kept.bytes = NULL; /* they are the arena's */
    return status;
}

void lane_position_close(struct lane *lane)
{
    if (lane->store != NULL) {
        ledger_close_store(lane->lanes->run->session->ledger, lane->store);
        lane->store = NULL;
    }
}

static enum status fenced(const struct lane *lane, struct error *error)
{
    const struct run *run = lane->lanes->run;
    char key[STORE_KEY_BYTES];
    store_position_key(key, run->header.feed, lane->number);
    return store_position_fenced(key, run->session->target_uri->shown, error);
}

/* Asked before anything is applied: a process that was taken over would write what is older over
 * what is newer, and the put behind it would tell too late. */
static enum status check_position(struct lane *lane, struct error *error)
{
    struct run *run = lane->lanes->run;
    struct arena *arena = arena_create(0);
    struct ledger_position now;
    enum status status = ledger_get_position(run->session->ledger, lane->store, run->header.feed,
                                             lane->number, arena, &now, error);
    arena_destroy(arena);
    if (status == STATUS_FAILED) {
        return status;
    }
    return now.version == lane->kept.version ? STATUS_OK : fenced(lane, error);
}

/* STATUS_AGAIN is somebody else's put: this process must not apply any more. */
static enum status put_position(struct lane *lane, struct position position, struct error *error)
{
    struct run *run = lane->lanes->run;
    lane->kept.bytes = position.bytes;
    lane->kept.length = position.length;
    lane->kept.epoch = run->claim.epoch;
    enum status status = ledger_put_position(run->session->ledger, lane->store, run->header.feed,
                                             lane->number, &lane->kept, error);
    lane->kept.bytes = NULL; /* it is the caller's */
    return status == STATUS_AGAIN ? fenced(lane, error) : status;
}

/* Sets that the target acknowledged are noted first: those that are applied again from an older
 * position on lead to the same. The position is behind the last whole transaction. */
static enum status keep_in_ledger(struct lane *lane, const struct change_set *const *sets,
                                  uint32_t count, struct arena *arena,
                                  const struct apply_result *result, struct error *error)
{
    const struct apply_request request = {.take_notes = follow_rejects_take_notes,
                                          .notes_context = lane->noting};
    const struct apply_call call = {.sets = sets,
                                    .end = count,
                                    .refusals = result->refusals,
                                    .refusal_count = result->refusal_count};
    const struct store_functions *functions =
        ledger_store_functions(lane->lanes->run->session->ledger);
    enum status status = failpoint_hit("follow.before_position", error);
    status = status == STATUS_OK
                 ? store_notes_keep(&request, &call, functions, lane->store, arena, error)
                 : status;
    uint32_t whole = count;
    while (whole > 0 && !sets[whole - 1]->last_piece) {
        whole--;
    }
    return status == STATUS_OK && whole > 0 ? put_position(lane, sets[whole - 1]->end, error)
                                            : status;
}

enum status lane_apply(struct lane *lane, const struct change_set *const *sets, uint32_t count,
                       struct arena *arena, struct apply_result *result, struct error *error)
{
    enum status status = is_in_ledger(lane) ? check_position(lane, error) : STATUS_OK;
    status = status == STATUS_OK ? lane->lanes->functions->apply_sets(lane->apply, sets, count,
                                                                      arena, result, error)
                                 : status;
    if (status == STATUS_OK && is_in_ledger(lane)) {
        status = keep_in_ledger(lane, sets, count, arena, result, error);
    }
    if (status == STATUS_OK) {
        follow_rejects_noted(lane->noting);
    }
    return status;
}
