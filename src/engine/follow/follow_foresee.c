/* Asks the plan, both sides and the feed, before anything is made. */
#include "engine/follow/follow_foresee.h"

#include "engine/follow/follow.h"
#include "engine/follow/quiet.h"
#include "engine/follow/routes.h"
#include <string.h>

static void refuse(struct check_follow *found, struct arena *arena, const struct error *error)
{
    found->refusal = arena_format(arena, "%s: %s", error->object, error->message);
    found->refusal_hint = error->hint[0] != '\0' ? arena_copy_string(arena, error->hint) : NULL;
    found->refused = error_exit_status(error);
}

/* A server that is away is no answer. */
static bool is_answer(const struct error *error)
{
    return error->class != ERROR_CLASS_RETRY && error->code != ERROR_MEMORY &&
           error->code != ERROR_INTERNAL;
}

/* Every table goes over as it is, under its own name. */
static bool is_plain(const struct plan *plan)
{
    bool plain = true;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_stream *stream = &plan->streams[plan->entities[i].stream];
        const char *table = plan->tables[plan->entities[i].table].target.name;
        plain = plain && stream->identity && stream->request.table != NULL &&
                strcmp(stream->request.table, table) == 0;
    }
    return plain;
}

static enum status ask_feed(const struct run_session *session, const struct follow_routes *routes,
                            struct arena *arena, struct check_follow *found, struct error *error)
{
    struct database *source = session->source;
    struct feed_forecast forecast = {0};
    const struct feed_functions *feed = source->connector->feed;
    if (feed->foresee == NULL) {
        return STATUS_OK;
    }
    enum status status =
        feed->foresee(source, follow_feed_name(session, arena), routes->followed,
                      routes->table_count, session->target, arena, &forecast, error);
    found->statements = (struct check_list){forecast.statements, forecast.statement_count};
    found->costs = (struct check_list){forecast.costs, forecast.cost_count};
    if (is_plain(session->plan)) {
        found->native = (struct check_list){forecast.native, forecast.native_count};
        found->native_lacks =
            (struct check_list){forecast.native_lacks, forecast.native_lack_count};
    }
    return status;
}

/* What will be taken out of the target's tables while changes are applied. */
static enum status ask_target(const struct run_session *session, struct arena *arena,
                              struct check_follow *found, struct error *error)
{
    struct buffer lines = {0};
    enum status status = quiet_foresee(session, &lines, error);
    uint32_t count = 0;
    for (size_t i = 0; i < lines.length; i++) {
        count += lines.data[i] == '\n';
    }
    const char **texts = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *texts);
    const char *at = arena_copy(arena, buffer_string(&lines), lines.length);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = (size_t)(strchr(at, '\n') - at);
        texts[i] = arena_format(arena, "%.*s", (int)length, at);
        at += length + 1;
    }
    found->silenced = (struct check_list){texts, count};
    buffer_free(&lines);
    return status;
}

enum status follow_foresee(const struct run_session *session, struct arena *arena,
                           struct check_follow *found, struct error *error)
{
    struct follow_routes *routes = NULL;
    struct error problem = {0};
    *found = (struct check_follow){.asked = true};
    enum status status = follow_check(session, &problem);
    status = status == STATUS_OK ? ask_target(session, arena, found, &problem) : status;
    status = status == STATUS_OK ? follow_routes_make(session, &routes, &problem) : status;
    status = status == STATUS_OK ? ask_feed(session, routes, arena, found, &problem) : status;
    follow_routes_free(routes);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (!is_answer(&problem)) {
        return error_copy(error, &problem);
    }
    refuse(found, arena, &problem);
    return STATUS_OK;
}
