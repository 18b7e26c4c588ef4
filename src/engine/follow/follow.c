/* Following: what is taken up before changes are applied, and the command that is to be done. */
#include "engine/follow/follow_internal.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/follow/adopt.h"
#include "engine/follow/apply/follow_rejects.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/apply/target_ahead.h"
#include "engine/follow/cutover/cutover.h"
#include "engine/follow/feed/retention.h"
#include "engine/follow/follow_figures.h"
#include "engine/follow/grow.h"
#include "engine/follow/refresh.h"
#include "engine/follow/reread.h"
#include "engine/follow/resync.h"
#include "engine/follow/translate/absent.h"
#include "engine/follow/translate/whole.h"
#include "engine/follow/unfollowed.h"
#include <stdlib.h>
#include <string.h>

/* ---- a feed that is made again */

/* The position of a feed that was made again, whatever stood there. */
static enum status put_position(struct follow *follow, struct position position,
                                struct error *error)
{
    enum status status = follow_open_lanes(follow, &position, error);
    follow_close(follow);
    return status;
}

/* Refuses a table that a new feed could not tell of, unless all that reads it is left already. */
static enum status table_refuse(struct follow *follow, const struct lack *lack, struct error *error)
{
    const struct follow_routes *routes = follow->routes;
    bool followed = false;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        if (!follow_routes_read(routes, i, lack->object) || routes->refused[i] != NULL) {
            continue;
        }
        followed = followed || follow_translator_left(follow->translator, i) == NULL;
        if (!followed) {
            routes->refused[i] = arena_copy_string(routes->arena, lack->text);
        }
    }
    if (!followed) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FOLLOW, follow->run->header.feed, "%s", lack->text);
    return lack->remedy != NULL ? error_hint(error, "%s", lack->remedy) : STATUS_FAILED;
}

/* Asked before the feed goes: what is left, and what a new feed could not tell of either, stays
 * left; for any other table the resync is refused, and nothing was touched. */
static enum status refuse_untold(struct follow *follow, struct error *error)
{
    struct database *source = follow->session->source;
    const struct feed_functions *feed = source->connector->feed;
    uint32_t count;
    const struct followed_table *tables =
        follow_routes_there(follow->routes, follow->session, follow->arena, &count);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && feed->foresee != NULL && status == STATUS_OK; i++) {
        struct feed_forecast forecast = {.lacks = {.arena = follow->arena}};
        status = feed->foresee(source, follow->run->header.feed, &tables[i], 1, NULL, follow->arena,
                               &forecast, error);
        for (uint32_t k = 0; k < forecast.lacks.count && status == STATUS_OK; k++) {
            const struct lack *lack = &forecast.lacks.items[k];
            if (lack->object != NULL && strcmp(lack->object, tables[i].name) == 0) {
                status = table_refuse(follow, lack, error);
            }
        }
    }
    return status == STATUS_OK
               ? unfollowed_refused(follow->run, follow->routes, follow->translator, error)
               : status;
}

static enum follow_end begin_resync(struct follow *follow, struct error *error)
{
    struct run *run = follow->run;
    struct database *source = follow->session->source;
    struct feed_start start = {0};
    enum status status = resync_note(run, false, error);
    status =
        status == STATUS_OK ? grow_left(run, follow->routes, follow->translator, error) : status;
    status = status == STATUS_OK ? source->connector->feed->drop(source, run->header.feed, error)
                                 : status;
    status = status == STATUS_OK ? failpoint_hit("follow.before_feed", error) : status;
    status = status == STATUS_OK ? follow_make_feed(follow->session, follow->routes,
                                                    run->header.feed, follow->arena, &start, error)
                                 : status;
    status = status == STATUS_OK ? failpoint_hit("follow.after_feed", error) : status;
    status = status == STATUS_OK ? put_position(follow, start.position, error) : status;
    status = status == STATUS_OK ? ahead_begin(run, error) : status;
    if (status != STATUS_OK || resync_note(run, true, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    log_write(LOG_INFO, "resync: the feed %s is made again; both sides are compared",
              run->header.feed);
    return FOLLOW_STEPPED;
}

/* ---- the command */

/* Behind a cut-over nothing is applied any more, whatever becomes of the source. */
static bool may_follow(const struct run_session *session)
{
    return session->options.command != RUN_CUT_OVER_END &&
           session->options.command != RUN_CUT_OVER_REVERSE;
}

/* The way back is open whatever has become of the source's tables. */
static enum follow_end take_back(struct run *run, struct error *error)
{
    bool abandons = run->session->options.command == RUN_ABANDON;
    enum status status = abandons ? cutover_abandon(run, error) : cutover_back(run, error);
    return status != STATUS_OK ? FOLLOW_FAILED : abandons ? FOLLOW_OVER : FOLLOW_STEPPED;
}

/* There is nothing to go over to, and nothing to compare with. */
static enum status refuse_log(const struct run *run, enum error_code code, struct error *error)
{
    error_set(error, code, run->session->target_uri->shown,
              "it keeps a log of changes, and no tables as they are now");
    return code == ERROR_CUT_OVER
               ? error_hint(error, "`transhume follow --catch-up` applies what is left, "
                                   "`transhume cutover --abandon --confirm` ends following")
               : error_hint(error, "end following (`transhume cutover --abandon --confirm`), and "
                                   "begin a new run in another folder");
}

/* May the run be followed as it stands, cut over or compared, as the options ask? */
static enum status check_steps(const struct follow *follow, struct error *error)
{
    struct run *run = follow->run;
    const struct run_options *options = &follow->session->options;
    bool cuts_over = run_command_cuts_over(options->command);
    if (follow->functions->keeps_log && (cuts_over || run_command_resyncs(options->command))) {
        return refuse_log(run, cuts_over ? ERROR_CUT_OVER : ERROR_FOLLOW, error);
    }
    return resync_check(run, options->command, error);
}

static enum follow_end make_ready(struct follow *follow, struct error *error)
{
    uint32_t count;
    const struct followed_table *there =
        follow_routes_there(follow->routes, follow->session, follow->arena, &count);
    const char **tables = arena_allocate_zeroed(follow->arena, count + 1u, sizeof *tables);
    for (uint32_t i = 0; i < count; i++) {
        tables[i] = there[i].name;
    }
    const struct cutover_drain steps = {follow_drain, follow, tables, count};
    return cutover_make_ready(follow->run, &steps, error);
}

static enum follow_end take_steps(struct follow *follow, struct error *error)
{
    struct run *run = follow->run;
    const struct run_options *options = &follow->session->options;
    if (check_steps(follow, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    switch (options->command) {
    case RUN_RESYNC:
        return cutover_settle(run, error) == STATUS_OK ? begin_resync(follow, error)
                                                       : FOLLOW_FAILED;
    case RUN_CUT_OVER:
        return make_ready(follow, error);
    case RUN_CUT_OVER_REVERSE:
        return cutover_reverse(run, error) == STATUS_OK ? FOLLOW_STEPPED : FOLLOW_FAILED;
    case RUN_CUT_OVER_END:
        return cutover_end(run, error) == STATUS_OK ? FOLLOW_OVER : FOLLOW_FAILED;
    case RUN_BEGIN:
    case RUN_RESUME:
    case RUN_RESYNC_END:
    case RUN_CUT_OVER_BACK: /* these two come by take_back */
    case RUN_ABANDON:
        break;
    }
    if (cutover_settle(run, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    follow->to_head = options->follow.catch_up;
    return follow_loop(follow, error);
}

/* Tells the feed what is followed: what is left may never have come to be told by it. */
static void tell_followed(const struct follow *follow)
{
    uint32_t count = follow->routes->stream_count;
    bool *left = arena_allocate_zeroed(follow->arena, count + 1u, sizeof *left);
    /* a resync takes up again what was left, and its feed is made of all of it */
    bool takes_all = run_command_resyncs(follow->session->options.command);
    for (uint32_t i = 0; i < count && !takes_all; i++) {
        left[i] = follow_translator_left(follow->translator, i) != NULL;
    }
    follow_routes_tell(follow->routes, left, follow->session);
}

/* Takes up notes of earlier processes, and makes in the target what the source's schema has more by
 * now.
 */
static enum status take_up(struct follow *follow, struct error *error)
{
    struct run *run = follow->run;
    const struct run_options *options = &follow->session->options;
    enum status status = unfollowed_take(run, follow->translator, error);
    status = status == STATUS_OK
                 ? unfollowed_refused(run, follow->routes, follow->translator, error)
                 : status;
    status = status == STATUS_OK ? ahead_open(run, follow->arena, &follow->ahead, error) : status;
    if (status == STATUS_OK && may_follow(follow->session)) {
        status = adopt_changes(run, follow->routes, follow->translator, error);
    }
    if (status == STATUS_OK && run_command_resyncs(options->command)) {
        status = refuse_untold(follow, error);
    }
    tell_followed(follow);
    status = status == STATUS_OK ? whole_or_refresh_note(run, options->follow.refresh,
                                                         options->follow.refresh_count, error)
                                 : status;
    return status == STATUS_OK
               ? refresh_open(run, follow->routes, follow->rereading, &follow->refresh, error)
               : status;
}

/* Each of its parts is found done where it was. */
static enum status take_up_with_retries(struct follow *follow, struct error *error)
{
    enum status status;
    while ((status = take_up(follow, error)) != STATUS_OK && retry_wait(&follow->retry, error)) {
        log_event(LOG_WARNING, EVENT_OF(EVENT_RETRY, .code = error_describe(error->code)->name),
                  "following is tried again: %s: %s", error->object, error->message);
    }
    return status;
}

static enum follow_end follow_loudly(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    struct follow follow = {
        .run = run, .session = session, .functions = session->target->connector->apply};
    enum follow_end end = FOLLOW_FAILED;
    progress_enter(&session->progress, PROGRESS_FOLLOW);
    if (run_command_gives_up(session->options.command)) {
        return take_back(run, error);
    }
    if (follow_check(session, NULL, error) != STATUS_OK ||
        follow_routes_make(session, &follow.routes, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    follow_routes_tell(follow.routes, NULL, session);
    progress_follow_begin(&session->progress.follow);
    retention_init(&follow.retention, run);
    follow.rejects = follow_rejects_open(run);
    follow.arena = arena_create(0);
    follow.group = memory_allocate_zeroed(GROUP_SETS_MAX, sizeof(struct followed_set *));
    follow.translator = follow_translator_create(run, follow.routes);
    follow.counts = follow_figures_create(run, follow.translator);
    follow.touched = touched_roots_create(follow.routes);
    follow.absent = absent_records_create(session, follow.routes, follow.translator);
    follow.rereading = rereading_create(session, follow.routes,
                                        (struct follow_lister){follow_list_in_target, &follow});
    retry_init(&follow.retry, follow_patience_ms(&session->options));
    follow.retry.stop_level = 1;
    if (take_up_with_retries(&follow, error) == STATUS_OK) {
        end = take_steps(&follow, error);
    }
    if (end == FOLLOW_FAILED && signals_stop_level() > 0 && error->class == ERROR_CLASS_RETRY) {
        end = FOLLOW_STOPPED;
    }
    follow_rejects_close(follow.rejects);
    refresh_close(follow.refresh);
    rereading_destroy(follow.rereading);
    absent_records_destroy(follow.absent);
    touched_roots_destroy(follow.touched);
    follow_figures_destroy(follow.counts);
    follow_translator_destroy(follow.translator);
    follow_routes_free(follow.routes);
    free(follow.group);
    arena_destroy(follow.arena);
    return end;
}

enum follow_end follow_run(struct run *run, struct error *error)
{
    enum follow_end end = follow_loudly(run, error);
    enum status status = end == FOLLOW_FAILED ? STATUS_FAILED : STATUS_OK;
    return quiet_end(run, status, error) == STATUS_OK ? end : FOLLOW_FAILED;
}
