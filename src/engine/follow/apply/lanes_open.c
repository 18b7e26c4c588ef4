/* Where lanes begin: their positions, and how changes are dealt out. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/follow/apply/lanes_internal.h"
#include "engine/ledger/ledger_positions.h"
#include <stdlib.h>
#include <string.h>

static const char intent_name[] = "lanes";

/* ---- how an earlier process dealt changes out */

/* NULL: in one lane. */
static enum status read_former(struct lanes *lanes, struct lane_plan **plan, struct error *error)
{
    struct run *run = lanes->run;
    struct arena *arena = arena_create(0);
    const char *text;
    *plan = NULL;
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, arena, &text, error);
    if (status == STATUS_OK) {
        status = lane_plan_read(run->session, lanes->form, text, plan, error);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status note_plan(struct lanes *lanes, const struct lane_plan *former,
                             struct error *error)
{
    struct run *run = lanes->run;
    struct ledger *ledger = run->session->ledger;
    if (lanes->plan == NULL) {
        return former != NULL ? ledger_delete_intent(ledger, run->id, intent_name, error)
                              : STATUS_OK;
    }
    return former != NULL && strcmp(lane_plan_text(former), lane_plan_text(lanes->plan)) == 0
               ? STATUS_OK
               : ledger_put_intent(ledger, run->id, intent_name, lane_plan_text(lanes->plan),
                                   error);
}

/* ---- positions */

const struct change_set *lanes_empty_set(const struct lanes *lanes, struct position position,
                                         struct arena *arena)
{
    struct change_set *set = arena_allocate_zeroed(arena, 1, sizeof *set);
    const char *bytes = arena_copy(arena, position.bytes, position.length);
    const struct position at = {(const uint8_t *)bytes, position.length};
    *set = (struct change_set){.arena = arena,
                               .begin = at,
                               .end = at,
                               .first_piece = true,
                               .last_piece = true,
                               .tables = lanes->form->outputs,
                               .table_count = lanes->form->plan->entity_count};
    return set;
}

static enum status put_position(struct lanes *lanes, struct lane *lane, struct position position,
                                struct error *error)
{
    struct arena *arena = arena_create(0);
    struct apply_result result = {0};
    const struct change_set *const sets[] = {lanes_empty_set(lanes, position, arena)};
    enum status status = lane_apply(lane, sets, 1, arena, &result, error);
    if (status == STATUS_OK) {
        position_keep(&lane->applied, position);
        position_keep(&lane->sent, position);
    }
    arena_destroy(arena);
    return status;
}

/* Puts at the position those of the first so many lanes that are elsewhere. */
static enum status put_positions(struct lanes *lanes, uint32_t count, struct position position,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct lane *lane = &lanes->lanes[i];
        if (lane->applied.length == 0 ||
            feed_order_of(lanes_feed(lanes), position_kept(&lane->applied), position) !=
                POSITION_SAME) {
            status = put_position(lanes, lane, position, error);
        }
    }
    return status;
}

static enum status open_lane(struct lanes *lanes, uint32_t number, struct error *error)
{
    struct run *run = lanes->run;
    struct lane *lane = &lanes->lanes[number];
    lane->noting = follow_rejects_noting(lanes->rejects, number);
    bool notes = lanes->functions->position != NULL; /* else the engine keeps them */
    const struct apply_request request = {.feed = run->header.feed,
                                          .lane = number,
                                          .take_notes = notes ? follow_rejects_take_notes : NULL,
                                          .notes_context = lane->noting,
                                          .tables = lanes->form->tables,
                                          .table_count = lanes->form->plan->entity_count,
                                          .absent = lanes->absent};
    struct position position = {0};
    struct arena *arena = arena_create(0);
    lane->lanes = lanes;
    lane->number = number;
    enum status status =
        lanes->functions->open(run->session->target, &request, &lane->apply, error);
    status = status == STATUS_OK ? lane_position_open(lane, arena, &position, error) : status;
    if (status == STATUS_OK) {
        position_keep(&lane->applied, position);
    } else if (status == STATUS_END && number == 0) {
        position_keep(&lane->applied, run->header.feed_start);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void close_lanes(struct lanes *lanes, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < count; i++) {
        lane_position_close(&lanes->lanes[i]);
        if (lanes->lanes[i].apply != NULL) {
            lanes->functions->close(lanes->lanes[i].apply);
        }
        buffer_free(&lanes->lanes[i].sent);
        buffer_free(&lanes->lanes[i].applied);
        lanes->lanes[i] = (struct lane){0};
    }
}

/* ---- beginning */

/* Lanes that the former way used, at other positions than the first. A lane that has none has
 * applied nothing of its own. */
static bool are_even(struct lanes *lanes, uint32_t count)
{
    bool even = true;
    const struct position first = position_kept(&lanes->lanes[0].applied);
    for (uint32_t i = 1; i < count && even; i++) {
        even = lanes->lanes[i].applied.length > 0 &&
               feed_order_of(lanes_feed(lanes), position_kept(&lanes->lanes[i].applied), first) ==
                   POSITION_SAME;
    }
    return even;
}

struct position lanes_lowest(struct lanes *lanes, uint32_t count)
{
    const struct feed_functions *feed = lanes_feed(lanes);
    struct arena *arena = arena_create(0);
    struct position lowest = position_kept(&lanes->lanes[0].applied);
    for (uint32_t i = 1; i < count; i++) {
        const struct position one = position_kept(&lanes->lanes[i].applied);
        if (one.length == 0 || feed->covers(one, lowest)) {
            continue;
        }
        lowest = feed->covers(lowest, one) ? one
                 : feed->lower != NULL     ? feed->lower(lowest, one, arena)
                                           : lanes->run->header.feed_start; /* each covers it */
    }
    position_keep(&lanes->lowest, lowest);
    arena_destroy(arena);
    return position_kept(&lanes->lowest);
}

/* From positions that are the same on: in the way that is wanted now. What stands in the ledger
 * holds until the other lanes are there, too. */
static enum status deal_anew(struct lanes *lanes, const struct lane_plan *former,
                             uint32_t former_count, struct error *error)
{
    struct run *run = lanes->run;
    struct buffer at = {0};
    position_keep(&at, position_kept(&lanes->lanes[0].applied));
    enum status status = lanes->wanted > 1 ? lane_plan_make(run->session, lanes->form,
                                                            lanes->wanted, &lanes->plan, error)
                                           : STATUS_OK;
    if (status == STATUS_OK && lanes->wanted > 1) {
        status = put_positions(lanes, lanes->wanted, position_kept(&at), error);
    }
    status = status == STATUS_OK ? failpoint_hit("follow.before_lanes", error) : status;
    status = status == STATUS_OK ? note_plan(lanes, former, error) : status;
    status = status == STATUS_OK ? failpoint_hit("follow.after_lanes", error) : status;
    for (uint32_t i = lanes->wanted; i < former_count && status == STATUS_OK; i++) {
        status = ledger_delete_position(run->session->ledger, run->header.feed, i, error);
    }
    buffer_free(&at);
    lanes->count = lanes->wanted;
    lanes->even = true;
    return status;
}

static enum status level(struct lanes *lanes, uint32_t count, const struct position *from,
                         struct error *error)
{
    struct buffer at = {0};
    bool whole = (lanes->run->session->target->capabilities & CAPABILITY_TRANSACTIONS) != 0;
    enum status status = STATUS_OK;
    if (from != NULL) {
        status = put_positions(lanes, count, *from, error);
    } else if (!whole && !are_even(lanes, count)) {
        position_keep(&at, lanes_lowest(lanes, count));
        status = put_positions(lanes, count, position_kept(&at), error);
    }
    buffer_free(&at);
    return status;
}

enum status lanes_begin(struct lanes *lanes, const struct position *from, struct error *error)
{
    struct lane_plan *former = NULL;
    if (read_former(lanes, &former, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t used = former != NULL ? lane_plan_count(former) : 1;
    uint32_t all = used > lanes->wanted ? used : lanes->wanted;
    enum status status = STATUS_OK;
    lanes->lanes = memory_allocate_zeroed(all, sizeof *lanes->lanes);
    lanes->count = all;
    for (uint32_t i = 0; i < all && status == STATUS_OK; i++) {
        status = open_lane(lanes, i, error);
    }
    status = status == STATUS_OK ? level(lanes, used, from, error) : status;
    if (status != STATUS_OK) {
        lane_plan_free(former);
        return STATUS_FAILED;
    }
    lanes->former = !are_even(lanes, used);
    if (lanes->former) {
        lanes->plan = former;
        lanes->count = used;
        lanes->even = false;
    } else {
        status = deal_anew(lanes, former, used, error);
        lane_plan_free(former);
    }
    position_keep(&lanes->end, lanes_lowest(lanes, lanes->count));
    for (uint32_t i = 0; i < lanes->count; i++) {
        position_keep(&lanes->lanes[i].sent, position_kept(&lanes->lanes[i].applied));
    }
    close_lanes(lanes, lanes->count, all);
    lanes->pushed_ms = clock_monotonic_ms();
    return status == STATUS_OK && lanes->count > 1 ? lane_threads_start(lanes, error) : status;
}

void lanes_end(struct lanes *lanes)
{
    if (lanes->lanes == NULL) {
        return;
    }
    lane_threads_stop(lanes);
    lanes_take_rest(lanes);
    close_lanes(lanes, 0, lanes->count);
    free(lanes->lanes);
    lane_plan_free(lanes->plan);
    lanes->lanes = NULL;
    lanes->plan = NULL;
    lanes->count = 0;
}
