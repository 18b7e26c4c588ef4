/* Following: the loop that applies what the feed brings. */
#include "engine/follow/follow_internal.h"
#include "engine/state/state.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/follow/adopt.h"
#include "engine/follow/apply/follow_rejects.h"
#include "engine/follow/apply/lanes.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/apply/target_ahead.h"
#include "engine/follow/feed/feeder.h"
#include "engine/follow/feed/retention.h"
#include "engine/follow/feed/spool.h"
#include "engine/follow/follow_figures.h"
#include "engine/follow/name_list.h"
#include "engine/follow/refresh.h"
#include "engine/follow/reread.h"
#include "engine/follow/resync.h"
#include "engine/follow/translate/absent.h"
#include "engine/follow/translate/cascade.h"
#include "engine/follow/translate/whole.h"
#include "engine/follow/unfollowed.h"
#include "engine/session/source_now.h"
#include "engine/settle/references.h"
#include "engine/state/claim.h"
#include <string.h>

enum {
    WAIT_MS = 50,
    GROUP_CHANGES_MAX = 20000,
    QUEUE_SHARE = 8,          /* of the memory that a run may use */
    FENCED_PATIENCE_MS = 1000 /* while nobody may write the source */
};

static struct progress_follow *figures(const struct follow *follow)
{
    return &follow->session->progress.follow;
}

static void keep_applied(struct follow *follow, struct position position)
{
    if (follow->applied.length == position.length && follow->applied.bytes != NULL) {
        memcpy((uint8_t *)follow->applied.bytes, position.bytes, position.length);
        return;
    }
    const char *bytes = arena_copy(follow->arena, position.bytes, position.length);
    follow->applied = (struct position){(const uint8_t *)bytes, position.length};
}

static bool position_covers(const struct follow *follow, struct position at, struct position goal)
{
    return follow->session->source->connector->feed->covers(at, goal);
}

static bool is_caught_up(const struct follow *follow)
{
    return follow->refresh == NULL && !follow->ahead.is_so &&
           !absent_records_wait(follow->absent) && follow->head.length > 0 &&
           position_covers(follow, follow->applied, follow->head);
}

/* ---- opening and closing, also after a failure that may pass */

static enum status take_applied(void *context, struct followed_set *const *sets, uint32_t count,
                                struct error *error);

static enum status take_refused(void *context, const struct change_set *const *sets, uint32_t count,
                                const struct apply_result *result, struct error *error)
{
    struct follow *follow = context;
    return follow_rejects_keep_refused(follow->rejects, &follow->ahead, sets, count, result, error);
}

/* `from`: where the target's position is put; NULL: it is where it was. */
enum status follow_open_lanes(struct follow *follow, const struct position *from,
                              struct error *error)
{
    const struct lanes_request request = {.run = follow->run,
                                          .form = follow_form(follow->translator),
                                          .count = follow->session->options.follow.lanes,
                                          .from = from,
                                          .rejects = follow->rejects,
                                          .caller = {follow, take_applied, take_refused},
                                          .absent = absent_records_reader(follow->absent)};
    if (follow_rejects_begin(follow->rejects, follow_form(follow->translator), error) !=
            STATUS_OK ||
        lanes_open(&request, &follow->lanes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    keep_applied(follow, lanes_position(follow->lanes));
    return STATUS_OK;
}

static enum status open_both(struct follow *follow, struct error *error)
{
    struct run_session *session = follow->session;
    if (follow_open_lanes(follow, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return feeder_open(session->source, follow->run->header.feed, spool_folder(follow->run),
                       follow->applied, session->options.limits.memory_bytes / QUEUE_SHARE,
                       &follow->feeder, error);
}

void follow_close(struct follow *follow)
{
    lanes_close(follow->lanes);
    feeder_close(follow->feeder);
    follow->feeder = NULL;
    follow->lanes = NULL;
    for (uint32_t i = 0; i < follow->group_count; i++) {
        arena_destroy(follow->group[i]->set.arena);
    }
    follow->group_count = 0;
    follow->inside = false;
    touched_roots_clear(follow->touched);
    touched_roots_transaction_ends(follow->touched);
    refresh_forget(follow->refresh);
    follow_translator_forget(follow->translator);
}

/* ---- one group */

static void count_set(struct follow *follow, const struct followed_set *set, int64_t there_us)
{
    struct progress_follow *to = figures(follow);
    atomic_fetch_add(&to->transactions, set->set.last_piece && set->source_changes > 0);
    atomic_fetch_add(&to->changes, set->source_changes);
    atomic_fetch_add(&to->writes, set->set.change_count);
    if (set->set.commit_time_us > 0) {
        atomic_store(&to->commit_time_us, set->set.commit_time_us);
        atomic_store(&to->lag_us,
                     there_us > set->set.commit_time_us ? there_us - set->set.commit_time_us : 0);
    }
    if (set->source != NULL) {
        follow_figures_take(follow->counts, set->source);
    }
}

/* They are in the target. */
static enum status take_applied(void *context, struct followed_set *const *sets, uint32_t count,
                                struct error *error)
{
    struct follow *follow = context;
    struct progress_follow *to = figures(follow);
    int64_t now_us = clock_utc_us();
    for (uint32_t i = 0; i < count; i++) { /* by the source's clock */
        count_set(follow, sets[i], now_us + atomic_load(&to->clock_us));
    }
    if (absent_records_applied(follow->absent, sets, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    follow_figures_applied(follow->counts);
    atomic_store(&to->applied_at_us, now_us);
    atomic_fetch_add(&to->commits, 1);
    progress_moved(&follow->session->progress, clock_monotonic_ms());
    retry_reset(&follow->retry);
    return sets[count - 1]->set.last_piece ? failpoint_hit("follow.after_apply", error) : STATUS_OK;
}

static void note_position(struct follow *follow)
{
    const struct position position = lanes_position(follow->lanes);
    if (!position_covers(follow, follow->applied, position)) {
        keep_applied(follow, position);
        if (follow->feeder != NULL) {
            feeder_confirm(follow->feeder, follow->applied);
        }
    }
}

/* Whole transactions; with one lane in one commit, with the position behind the last of them. */
static enum status apply_group(struct follow *follow, struct error *error)
{
    uint32_t count = follow->group_count;
    enum status status = claim_keeper_check(follow->run->claim.keeper, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = follow_rejects_keep(follow->rejects, follow->group[i], error);
    }
    status = status == STATUS_OK ? failpoint_hit("follow.before_apply", error) : status;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        follow->group[i]->set.ahead = follow->ahead.is_so;
        status = refresh_touch(follow->refresh, &follow->group[i]->set, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    follow->group_count = 0;
    status = lanes_apply(follow->lanes, follow->group, count, error);
    if (status == STATUS_OK) {
        note_position(follow);
    }
    return status;
}

/* Until nothing is under way. */
static enum status wait_for_lanes(struct follow *follow, struct error *error)
{
    enum status status = lanes_wait(follow->lanes, error);
    if (status == STATUS_OK) {
        note_position(follow);
    }
    return status;
}

/* An empty one behind it, of the same transaction. */
static struct followed_set *continue_set(const struct followed_set *from)
{
    struct arena *arena = arena_create(0);
    struct followed_set *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    const struct position *begin = &from->set.begin;
    const struct position *end = &from->set.end;
    made->source_changes = from->source_changes;
    made->set = from->set;
    made->set.arena = arena;
    made->set.begin = (struct position){
        (const uint8_t *)arena_copy(arena, begin->bytes, begin->length), begin->length};
    made->set.end =
        (struct position){(const uint8_t *)arena_copy(arena, end->bytes, end->length), end->length};
    made->set.transaction = NULL;
    made->set.first_piece = false;
    made->set.changes = NULL;
    made->set.change_count = 0;
    return made;
}

static enum status apply_piece(void *context, struct followed_set **set, struct error *error)
{
    struct follow *follow = context;
    struct followed_set *full = follow->group[follow->group_count - 1];
    struct followed_set *next = continue_set(full);
    full->set.last_piece = false;
    full->source_changes = 0; /* they are counted with the end */
    enum status status = apply_group(follow, error);
    if (status != STATUS_OK) {
        arena_destroy(next->set.arena);
        return status;
    }
    follow->group[follow->group_count++] = next;
    *set = next;
    return status;
}

enum status follow_list_in_target(void *context, const struct apply_listing *listing,
                                  apply_found *found, void *found_context, struct error *error)
{
    const struct follow *follow = context;
    return lanes_list(follow->lanes, listing, found, found_context, error);
}

static enum status reread(struct follow *follow, struct error *error)
{
    struct followed_set *last = follow->group[follow->group_count - 1];
    enum status status = STATUS_OK;
    if (!touched_roots_is_empty(follow->touched) &&
        (last->set.last_piece || touched_roots_are_many(follow->touched))) {
        status = rereading_apply(follow->rereading, follow->touched, follow->translator, &last,
                                 apply_piece, follow, error);
    }
    if (status == STATUS_OK && last->set.last_piece) {
        touched_roots_transaction_ends(follow->touched);
    }
    return status;
}

/* Translates it into the group. */
static enum status translate_set(void *context, struct change_set *set, struct error *error)
{
    struct follow *follow = context;
    enum status status = follow_translate(follow->translator, set, follow->touched,
                                          &follow->group[follow->group_count], error);
    follow->group_count += status == STATUS_OK;
    return status;
}

static enum status settle_group(void *context, struct error *error)
{
    struct follow *follow = context;
    enum status status = follow->group_count > 0 ? apply_group(follow, error) : STATUS_OK;
    return status == STATUS_OK ? wait_for_lanes(follow, error) : status;
}

static enum status find_in_target(void *context, const struct apply_search *search,
                                  apply_record *take, void *take_context, struct error *error)
{
    const struct follow *follow = context;
    return lanes_find(follow->lanes, search, take, take_context, error);
}

/* A transaction that comes in pieces begins a group: what came before it is committed with the
 * roots that it touched. */
static enum status add_set(struct follow *follow, struct change_set *set, uint64_t *changes,
                           struct error *error)
{
    const struct cascade_caller caller = {follow, translate_set, settle_group, find_in_target};
    bool acts = cascade_acts(follow->routes, set);
    enum status status = STATUS_OK;
    /* of a piece that is not the last one the end need not be known */
    if (set->first_piece && set->last_piece && position_covers(follow, follow->applied, set->end)) {
        arena_destroy(set->arena); /* it is in the target */
        return STATUS_OK;
    }
    if (set->first_piece && (acts || !set->last_piece) && follow->group_count > 0) {
        status = reread(follow, error);
        status = status == STATUS_OK ? apply_group(follow, error) : status;
    }
    if (status != STATUS_OK) {
        arena_destroy(set->arena);
        return status;
    }
    follow->inside = !set->last_piece;
    *changes += set->change_count;
    return acts ? cascade_take(follow->routes, follow_form(follow->translator), set, &caller, error)
                : translate_set(follow, set, error);
}

/* One group at least, if any came; more of what waits already. */
static enum status gather(struct follow *follow, struct error *error)
{
    struct change_set *set;
    uint64_t changes = 0;
    enum status status = feeder_next(follow->feeder, WAIT_MS, &set, error);
    atomic_store(&figures(follow)->idle, status == STATUS_AGAIN && !follow->inside);
    while (status == STATUS_OK) {
        status = add_set(follow, set, &changes, error);
        if (status == STATUS_OK &&
            (changes >= GROUP_CHANGES_MAX || follow->group_count == GROUP_SETS_MAX)) {
            return STATUS_OK;
        }
        status = status == STATUS_OK ? feeder_next(follow->feeder, 0, &set, error) : status;
    }
    if (status == STATUS_FAILED && follow->group_count > 0 && error->class == ERROR_CLASS_RETRY) {
        return STATUS_OK; /* what came whole goes first; the feed says it again */
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

/* It moves no position. */
static void place_set(const struct follow *follow, struct followed_set *set)
{
    const struct position at = follow->applied;
    const char *bytes = arena_copy(set->set.arena, at.bytes, at.length);
    set->set.begin = set->set.end = (struct position){(const uint8_t *)bytes, at.length};
}

/* One chunk of what is to be read again, if it is time. */
static enum status refresh_some(struct follow *follow, struct error *error)
{
    struct followed_set *ready = NULL;
    if (follow->refresh == NULL || follow->inside || follow->ahead.is_so ||
        !lanes_are_even(follow->lanes)) {
        return STATUS_OK;
    }
    enum status status = refresh_step(follow->refresh, follow->translator, follow->touched,
                                      follow->applied, &ready, error);
    if (status == STATUS_END) {
        refresh_close(follow->refresh);
        follow->refresh = NULL;
        return STATUS_OK;
    }
    if (ready != NULL) {
        follow->group[follow->group_count++] = ready;
        status = status == STATUS_OK ? wait_for_lanes(follow, error) : status;
        place_set(follow, ready);
        status = status == STATUS_OK ? reread(follow, error) : status;
        status = status == STATUS_OK ? apply_group(follow, error) : status;
        status = status == STATUS_OK ? wait_for_lanes(follow, error) : status;
    }
    return status;
}

/* Behind what the copy read later: what was refused until there is read again. */
static enum status pass_copy(struct follow *follow, struct error *error)
{
    bool ended;
    enum status status = ahead_pass(&follow->ahead, follow->applied, &ended, error);
    follow->reads_whole |= status == STATUS_OK && ended;
    return status == STATUS_OK && ended && follow->refresh == NULL
               ? refresh_open(follow->run, follow->routes, follow->rereading, &follow->refresh,
                              error)
               : status;
}

/* Reads again what is made of the table, from its first chunk on. */
static enum status read_again(struct follow *follow, const char *table, struct error *error)
{
    if (adopt_read_again(follow->run, follow->routes, follow->translator, table, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    follow->reads_whole = true;
    refresh_close(follow->refresh);
    follow->refresh = NULL;
    return refresh_open(follow->run, follow->routes, follow->rereading, &follow->refresh, error);
}

/* Before what came is applied. Where changes have other columns than the plan knows, or the feed
 * tells that tables were defined anew, the source is asked: a session that is opened anew takes
 * what it says. If it says nothing new, the changes are of before. */
static enum status look_at_differences(struct follow *follow, bool *overtaken, struct error *error)
{
    struct follow_difference difference;
    struct follow_table_event event;
    *overtaken = false;
    while (follow_translator_differs(follow->translator, &difference)) {
        follow->looks = true;
    }
    follow->looks |= follow_translator_has_events(follow->translator);
    if (follow->looks) {
        bool same;
        if (source_now_is_same(follow->session, follow->routes->tables, follow->routes->table_count,
                               &same, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *overtaken = !same;
        follow->looks = false;
    }
    enum status status = STATUS_OK;
    while (!*overtaken && status == STATUS_OK &&
           follow_translator_event(follow->translator, &event)) {
        status = event.operation != RECORD_REDEFINED ? read_again(follow, event.table, error)
                                                     : STATUS_OK;
    }
    return *overtaken || status != STATUS_OK
               ? status
               : unfollowed_note(follow->run, follow->translator, error);
}

static enum status note_health(struct follow *follow, struct error *error)
{
    struct feed_health health;
    feeder_health(follow->feeder, &health);
    follow_figures_tick(follow->counts, follow->applied);
    follow_figures_clock(follow->counts, health.clock_us);
    /* A feed that does not tell in its order that tables were defined anew says so beside it. */
    follow->looks |= health.definitions != 0 && health.definitions != follow->definitions;
    follow->definitions = health.definitions != 0 ? health.definitions : follow->definitions;
    return retention_note(&follow->retention, &health, error);
}

/* ---- after the feed was lost */

static enum status take_mended(void *context, struct followed_set *set, uint64_t *refused,
                               struct error *error)
{
    struct follow *follow = context;
    uint64_t unmade = set->reject_count;
    uint64_t before = follow_rejects_count(follow->rejects);
    follow->group[follow->group_count++] = set;
    enum status status = apply_group(follow, error);
    status = status == STATUS_OK ? wait_for_lanes(follow, error) : status;
    *refused += follow_rejects_count(follow->rejects) - before - unmade;
    return status;
}

/* Before anything is followed: of tables that were made again no row is known any more. */
static enum status empty_replaced(struct follow *follow, struct error *error)
{
    struct column_list tables;
    enum status status = name_list_get(follow->run, adopt_empty_intent, &tables, error);
    if (status != STATUS_OK || tables.count == 0) {
        return status;
    }
    struct arena *arena = arena_create(0);
    struct followed_set *set = followed_set_create(follow_form(follow->translator), arena);
    const char *bytes = arena_copy(arena, follow->applied.bytes, follow->applied.length);
    set->set.begin = set->set.end =
        (struct position){(const uint8_t *)bytes, follow->applied.length};
    for (uint32_t i = 0; i < tables.count && status == STATUS_OK; i++) {
        status = follow_translator_empty(follow->translator, tables.names[i], set, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    uint64_t refused = 0; /* they are kept as rejects */
    status = take_mended(follow, set, &refused, error);
    status = status == STATUS_OK ? unfollowed_note(follow->run, follow->translator, error) : status;
    return status == STATUS_OK
               ? name_list_put(follow->run, adopt_empty_intent, (struct column_list){0}, error)
               : status;
}

/* Before anything is followed: what the comparison found. */
static enum status end_resync(struct follow *follow, struct error *error)
{
    if (follow->session->options.command != RUN_RESYNC_END || follow->resynced) {
        return STATUS_OK;
    }
    enum status status = whole_note_all(follow->run, error);
    if (status != STATUS_OK) {
        return status;
    }
    /* The comparison looked at both sides as they are now: a record of it that is refused is
     * missing, not ahead. */
    bool ahead = follow->ahead.is_so;
    follow->ahead.is_so = false;
    status = resync_finish(follow->run, follow_form(follow->translator), follow->applied,
                           take_mended, follow, error);
    follow->ahead.is_so = ahead;
    status =
        status == STATUS_OK ? unfollowed_forget(follow->run, follow->translator, error) : status;
    status = status == STATUS_OK
                 ? unfollowed_refused(follow->run, follow->routes, follow->translator, error)
                 : status;
    follow->resynced = status == STATUS_OK;
    return status;
}

/* Between transactions: what is noted of tables without a key. */
static enum status read_whole(struct follow *follow, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char *bytes = arena_copy(arena, follow->applied.bytes, follow->applied.length);
    const struct position at = {(const uint8_t *)bytes, follow->applied.length};
    enum status status =
        whole_read(follow->run, follow->translator, at, take_mended, follow, error);
    status = status == STATUS_OK ? unfollowed_note(follow->run, follow->translator, error) : status;
    follow->reads_whole = follow->reads_whole && status != STATUS_OK;
    arena_destroy(arena);
    return status;
}

/* Records that nobody has any more become rejects. Their entries of the book go with a commit,
 * which need not come by itself. */
static enum status pass_absent(struct follow *follow, struct error *error)
{
    uint64_t before = follow_rejects_count(follow->rejects);
    enum status status =
        absent_records_pass(follow->absent, follow->applied, follow->rejects, error);
    if (status != STATUS_OK || follow->inside || follow_rejects_count(follow->rejects) == before) {
        return status;
    }
    struct followed_set *set =
        followed_set_create(follow_form(follow->translator), arena_create(0));
    place_set(follow, set);
    return lanes_commit_notes(follow->lanes, set, error);
}

/* Applies what came, and does what is due besides. */
static enum status apply_some(struct follow *follow, struct error *error)
{
    bool idle = follow->group_count == 0;
    enum status status = STATUS_OK;
    if (!idle) {
        status = reread(follow, error);
        status = status == STATUS_OK ? apply_group(follow, error) : status;
    }
    status = status == STATUS_OK ? lanes_tick(follow->lanes, idle, error) : status;
    if (status == STATUS_OK) {
        note_position(follow);
        status = pass_absent(follow, error);
        status = status == STATUS_OK ? pass_copy(follow, error) : status;
    }
    if (status == STATUS_OK && follow->reads_whole && !follow->inside) {
        status = wait_for_lanes(follow, error);
        status = status == STATUS_OK ? read_whole(follow, error) : status;
    }
    status = status == STATUS_OK ? refresh_some(follow, error) : status;
    return status == STATUS_OK ? note_health(follow, error) : status;
}

/* A copy that was resumed is of several moments: what its foreign keys lack may have come since. */
static enum status look_at_references(struct follow *follow, struct error *error)
{
    struct run *run = follow->run;
    if (follow->looked_at_references || run->status.broken_references == 0 || follow->inside ||
        follow->ahead.is_so || follow->refresh != NULL || follow->reads_whole ||
        run_command_cuts_over(follow->session->options.command)) {
        return STATUS_OK;
    }
    enum status status = wait_for_lanes(follow, error);
    status = status == STATUS_OK ? run_look_at_references(run, error) : status;
    if (status == STATUS_FAILED && error->code == ERROR_INTERRUPTED) {
        error_clear(error);
        return STATUS_OK;
    }
    if (status == STATUS_FAILED && error->class != ERROR_CLASS_RETRY &&
        error->code != ERROR_RUN_FENCED) {
        log_write(LOG_WARNING, "the target's foreign keys could not be looked at again: %s: %s",
                  error->object, error->message);
        error_clear(error);
        status = STATUS_OK;
    }
    follow->looked_at_references = status == STATUS_OK;
    return status;
}

static enum follow_end apply_all(struct follow *follow, struct error *error)
{
    bool last_look = false; /* what was altered before the head need not be in any change */
    for (;;) {
        bool overtaken = false;
        bool head = is_caught_up(follow) && last_look;
        bool idle = follow->group_count == 0 && atomic_load(&figures(follow)->idle);
        if ((head || idle) && look_at_references(follow, error) != STATUS_OK) {
            return FOLLOW_FAILED;
        }
        if (head) {
            return FOLLOW_HEAD;
        }
        last_look = is_caught_up(follow);
        follow->looks |= last_look;
        if (signals_stop_level() > (follow->inside ? 1 : 0)) {
            return FOLLOW_STOPPED;
        }
        if (gather(follow, error) != STATUS_OK ||
            look_at_differences(follow, &overtaken, error) != STATUS_OK) {
            return FOLLOW_FAILED;
        }
        if (overtaken) {
            return FOLLOW_OVERTAKEN;
        }
        if (apply_some(follow, error) != STATUS_OK) {
            return FOLLOW_FAILED;
        }
        state_tick(follow->run);
    }
}

static enum follow_end go_on(struct follow *follow, struct error *error)
{
    enum follow_end end = apply_all(follow, error);
    if (end != FOLLOW_FAILED && signals_stop_level() < 2 &&
        wait_for_lanes(follow, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    return end;
}

/* Where the source is. A feed that was opened again may be another server's, behind the same name,
 * which need not have all that the former one had: what was waited for might never come then. */
static enum status find_heads(struct follow *follow, struct error *error)
{
    struct database *source = follow->session->source;
    struct ahead *ahead = &follow->ahead;
    struct position now = {0};
    bool waits = follow->head.length > 0 || ahead->until.length > 0;
    absent_records_reopen(follow->absent);
    if (waits && source->connector->feed->head(source, follow->arena, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool lacks_head = follow->head.length > 0 && !position_covers(follow, now, follow->head);
    bool lacks_copied = ahead->until.length > 0 && !position_covers(follow, now, ahead->until);
    if (lacks_head || lacks_copied) {
        error_set(error, ERROR_FEED_LOST, follow->run->header.feed,
                  "the source lacks transactions that it had %s, as another server does, or one "
                  "that was restored: nothing says that all of them are in the target",
                  lacks_copied ? "when the copy was made" : "when this began");
        return error_hint(error, "%s",
                          lacks_copied
                              ? "`transhume follow --resync` makes both sides the same again"
                              : "is it the right server? The same command takes it as it is now; "
                                "`transhume validate` compares");
    }
    if (follow->to_head && follow->head.length == 0 &&
        source->connector->feed->head(source, follow->arena, &follow->head, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ahead_look(ahead, follow->arena, error);
}

/* Opens both sides, and does what is done once before changes are applied. */
static enum status following_begin(struct follow *follow, struct error *error)
{
    enum status status = follow->is_quiet ? STATUS_OK : quiet_begin(follow->run, error);
    follow->is_quiet = status == STATUS_OK;
    status = status == STATUS_OK ? open_both(follow, error) : status;
    status = status == STATUS_OK ? find_heads(follow, error) : status;
    status = status == STATUS_OK ? empty_replaced(follow, error) : status;
    status = status == STATUS_OK ? end_resync(follow, error) : status;
    return status == STATUS_OK ? read_whole(follow, error) : status;
}

/* A reading failed, perhaps since a table was dropped or altered. */
static enum follow_end fail_or_overtaken(struct follow *follow, struct error *error)
{
    if (source_now_causes(follow->session, follow->routes->tables, follow->routes->table_count,
                          error)) {
        error_clear(error);
        return FOLLOW_OVERTAKEN;
    }
    return FOLLOW_FAILED;
}

/* A server that is away comes back: both sides are opened again, at what is in the target. */
enum follow_end follow_loop(struct follow *follow, struct error *error)
{
    enum follow_end end;
    for (;;) {
        end = following_begin(follow, error) == STATUS_OK ? go_on(follow, error) : FOLLOW_FAILED;
        follow_close(follow);
        end = end == FOLLOW_FAILED ? fail_or_overtaken(follow, error) : end;
        if (end != FOLLOW_FAILED || !retry_wait(&follow->retry, error)) {
            break;
        }
        log_event(LOG_WARNING, EVENT_OF(EVENT_RETRY, .code = error_describe(error->code)->name),
                  "following is tried again: %s: %s", error->object, error->message);
    }
    if (end == FOLLOW_FAILED && error->code == ERROR_FEED_FULL) {
        retention_end(follow->run, error);
    }
    return end == FOLLOW_FAILED && signals_stop_level() > 0 && error->class == ERROR_CLASS_RETRY
               ? FOLLOW_STOPPED
               : end;
}

/* For a cut-over: up to what the source has now. */
enum follow_end follow_drain(void *context, bool fenced, struct error *error)
{
    struct follow *follow = context;
    struct retry patience = follow->retry;
    follow->head.length = 0;
    follow->to_head = true;
    if (fenced) {
        retry_init(&follow->retry, FENCED_PATIENCE_MS);
        follow->retry.stop_level = 1;
    }
    enum follow_end end = follow_loop(follow, error);
    follow->retry = patience;
    return end;
}
