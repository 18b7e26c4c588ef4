/* Asks the plan, both sides and the feed, before anything is made. */
#include "engine/follow/follow_foresee.h"

#include "engine/follow/follow.h"
#include "engine/follow/routes.h"
#include <string.h>

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
                            struct lack_list *lacks, struct check_follow *found,
                            struct error *error)
{
    struct database *source = session->source;
    struct feed_forecast forecast = {0};
    struct arena *arena = lacks->arena;
    const struct feed_functions *feed = source->connector->feed;
    if (feed->foresee == NULL) {
        return STATUS_OK;
    }
    enum status status =
        feed->foresee(source, follow_feed_name(session, arena), routes->followed,
                      routes->table_count, session->target, arena, &forecast, error);
    for (uint32_t i = 0; i < forecast.lacks.count; i++) {
        lacks_add_lack(lacks, &forecast.lacks.items[i]);
    }
    found->statements = (struct check_list){forecast.statements, forecast.statement_count};
    found->costs = (struct check_list){forecast.costs, forecast.cost_count};
    if (is_plain(session->plan)) {
        found->native = (struct check_list){forecast.native, forecast.native_count};
        found->native_lacks =
            (struct check_list){forecast.native_lacks, forecast.native_lack_count};
    }
    return status;
}

enum status follow_foresee(const struct run_session *session, struct lack_list *lacks,
                           struct check_follow *found, struct error *error)
{
    struct follow_routes *routes = NULL;
    uint32_t before = lacks->count;
    *found = (struct check_follow){.asked = true};
    enum status status = lacks_take(lacks, follow_check(session, lacks, error), error);
    if (status != STATUS_OK || session->source->connector->feed == NULL ||
        session->target->connector->apply == NULL) {
        return status;
    }
    status = follow_routes_make(session, &routes, error);
    if (status != STATUS_OK) { /* follow_check has said so */
        return lacks->count > before ? STATUS_OK : lacks_take(lacks, status, error);
    }
    status = ask_feed(session, routes, lacks, found, error);
    follow_routes_free(routes);
    return status;
}
