/* Following, before there is a ledger: can it be done, and the feed's beginning. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/retry.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/follow.h"
#include "engine/follow/translate/routes.h"
#include "engine/follow/translate/target_cascades.h"
#include "engine/ledger/learnt.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { PATIENCE_MS = 15 * 60 * 1000 };

int64_t follow_patience_ms(const struct run_options *options)
{
    int64_t patience_ms = RETRY_PATIENCE_TIMEOUTS * options->limits.timeout_ms;
    return patience_ms > PATIENCE_MS ? patience_ms : PATIENCE_MS;
}

static enum status check_tables(const struct run_session *session, struct lack_list *lacks,
                                struct error *error)
{
    const struct apply_functions *apply = session->target->connector->apply;
    const struct plan *plan = session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->table_count && apply->check != NULL && status == STATUS_OK;
         i++) {
        status =
            lacks_take(lacks, apply->check(session->target, &plan->tables[i].target, error), error);
    }
    return status;
}

/* Lanes may be put back to where the last of them is, and do again what they have done. A run that
 * was followed leaves such a table (routes.h). */
static enum status check_lanes(const struct run_session *session,
                               const struct follow_routes *routes, struct error *error)
{
    bool asks = session->options.follow.lanes > 1 && !session->kept.follows;
    for (uint32_t i = 0; i < routes->stream_count && asks; i++) {
        const struct plan_stream *stream = routes->streams[i].stream;
        if (routes->streams[i].whole) {
            error_set(error, ERROR_FOLLOW, stream->name,
                      "its table has no key, so that changes of it may not be applied twice, as "
                      "several lanes would after a stop");
            return error_hint(error, "leave out --lanes, or leave the table out (--exclude)");
        }
    }
    return STATUS_OK;
}

/* The name of a table of the target whose foreign keys are obeyed; NULL: there is none. */
static const char *find_referring(const struct run_session *session)
{
    for (uint32_t i = 0; i < session->plan->table_count; i++) {
        const struct target_table *table = &session->plan->tables[i].target;
        const struct schema_table *there =
            session->there != NULL ? schema_find_table(session->there, table->name) : NULL;
        if (table->reference_count > 0 || (there != NULL && there->foreign_key_count > 0)) {
            return table->name;
        }
    }
    return NULL;
}

/* A record may come before its partner where changes are in order within a key only. */
static enum status check_order(const struct run_session *session, struct error *error)
{
    const char *table =
        session->source->connector->feed->order == FEED_ORDER_KEYS ? find_referring(session) : NULL;
    if (table == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FOLLOW, table,
              "its foreign keys want a record's partner first, and the changes of %s are in order "
              "within a key only",
              session->source->connector->title);
    return error_hint(error, "drop the foreign keys for as long as changes are followed");
}

enum status follow_check(const struct run_session *session, struct lack_list *lacks,
                         struct error *error)
{
    const struct database *source = session->source;
    const struct database *target = session->target;
    struct follow_routes *routes;
    if (source->connector->feed == NULL) {
        error_set(error, ERROR_FOLLOW, session->source_uri->shown,
                  "the changes of %s can't be followed", source->connector->title);
        return error_hint(error, "migrate without --follow copies what is there now");
    }
    if (target->connector->apply == NULL) {
        error_set(error, ERROR_FOLLOW, session->target_uri->shown, "changes can't be applied to %s",
                  target->connector->title);
        return error_hint(error, "migrate without --follow copies what is there now");
    }
    if (lacks_take(lacks, check_order(session, error), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (target->connector->apply->keeps_log && session->options.follow.lanes > 1) {
        error_set(error, ERROR_FOLLOW, session->target_uri->shown,
                  "it keeps one log of changes, in their order");
        return error_hint(error, "leave out --lanes");
    }
    enum status status = lacks == NULL ? follow_routes_make(session, &routes, error)
                                       : follow_routes_foresee(session, NULL, &routes, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = lacks_take(lacks, check_lanes(session, routes, error), error);
    follow_routes_free(routes);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    return check_tables(session, lacks, error) == STATUS_OK
               ? lacks_take(lacks, target_cascades_check(session, lacks, error), error)
               : STATUS_FAILED;
}

const char *follow_feed_name(const struct run_session *session, struct arena *arena)
{
    struct buffer text = {0};
    buffer_append_string(&text, session->source_identity);
    buffer_append_byte(&text, '\n');
    char here[4096];
    if (session->target_uri->host == NULL && getcwd(here, sizeof here) != NULL) {
        buffer_append_string(&text,
                             here); /* a path that is not absolute is another one elsewhere */
        buffer_append_byte(&text, '\n');
    }
    buffer_append_string(&text, session->target_uri->shown);
    buffer_append_byte(&text, '\n');
    buffer_append_string(&text, session->plan->mapping_hash);
    uint64_t hash = XXH3_64bits(text.data, text.length);
    buffer_free(&text);
    return arena_format(arena, "transhume_%016" PRIx64, hash);
}

enum status follow_make_feed(const struct run_session *session, const struct follow_routes *routes,
                             const char *name, struct arena *arena, struct feed_start *start,
                             struct error *error)
{
    uint32_t count;
    const struct followed_table *tables = follow_routes_there(routes, session, arena, &count);
    return session->source->connector->feed->create(session->source, name, tables, count, arena,
                                                    start, error);
}

enum status follow_allowed(const struct run_session *session, struct error *error)
{
    return follow_check(session, NULL, error) == STATUS_OK
               ? quiet_foresee(session, NULL, NULL, error)
               : STATUS_FAILED;
}

enum status follow_begin(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    struct follow_routes *routes;
    struct feed_start start = {0};
    if (follow_allowed(session, error) != STATUS_OK ||
        follow_routes_make(session, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *name = follow_feed_name(session, run->arena);
    enum status status = failpoint_hit("follow.before_feed", error);
    status = status == STATUS_OK
                 ? follow_make_feed(session, routes, name, run->arena, &start, error)
                 : status;
    follow_routes_free(routes);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->header.feed = name;
    run->header.feed_start = start.position;
    session->source->moment = start.snapshot;
    log_write(LOG_INFO, "the feed %s is made: changes from now on are kept for the target", name);
    return failpoint_hit("follow.after_feed", error);
}

void follow_abandon(struct run *run)
{
    struct error error = {0};
    struct database *source = run->session->source;
    if (run->header.feed != NULL &&
        source->connector->feed->drop(source, run->header.feed, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "the feed %s stays behind in the source: %s", run->header.feed,
                  error.message);
    }
    run->header.feed = NULL;
}
