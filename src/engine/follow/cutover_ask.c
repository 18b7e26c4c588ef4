/* All that can be known of a cut-over before anybody is kept out. */
#include "engine/follow/cutover_ask.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/follow.h"
#include "engine/follow/left.h"
#include "engine/follow/reverse.h"

static enum status refuse_fence(const struct run_session *session, struct error *error)
{
    error_set(error, ERROR_CUT_OVER, session->source_uri->shown,
              "%s can't be kept from being written by this program",
              session->source->connector->title);
    return error_hint(error, "name commands that do it: --fence COMMAND --unfence COMMAND");
}

static enum status ask_fence(const struct run_session *session, struct lack_list *lacks,
                             struct error *error)
{
    const struct feed_functions *feed = session->source->connector->feed;
    struct follow_routes *routes;
    if (session->options.fence_command != NULL) {
        return STATUS_OK;
    }
    if (feed->fence == NULL) {
        return lacks_take(lacks, refuse_fence(session, error), error);
    }
    if (feed->may_fence == NULL || follow_routes_make(session, &routes, error) != STATUS_OK) {
        return feed->may_fence == NULL ? STATUS_OK : lacks_take(lacks, STATUS_FAILED, error);
    }
    enum status status =
        feed->may_fence(session->source, "", routes->tables, routes->table_count, lacks, error);
    follow_routes_free(routes);
    return status;
}

static enum status ask_target(const struct run_session *session, struct lack_list *lacks,
                              struct error *error)
{
    const struct plan *plan = session->plan;
    const struct apply_functions *apply = session->target->connector->apply;
    struct target_table *tables =
        arena_allocate_zeroed(session->arena, plan->table_count + (size_t)1, sizeof *tables);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        tables[i] = plan->tables[i].target;
    }
    return apply->may_write != NULL
               ? apply->may_write(session->target, tables, plan->table_count, lacks, error)
               : STATUS_OK;
}

/* What the run's book knows to be missing. */
static enum status ask_run(const struct run *run, struct lack_list *lacks, struct error *error)
{
    for (uint32_t i = 0; i < run->left_count; i++) {
        error_set(error, ERROR_CUT_OVER, run->left[i].name, "is not followed any more: %s",
                  run->left[i].reason);
        error_hint(error, "`transhume follow --resync` puts the target right");
        if (lacks_take(lacks, STATUS_FAILED, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status cutover_ask(struct run_session *session, const struct run *run, struct lack_list *lacks,
                        struct error *error)
{
    enum status status = failpoint_hit("cutover.before_ask", error);
    status = status == STATUS_OK ? ask_fence(session, lacks, error) : status;
    status = status == STATUS_OK ? ask_target(session, lacks, error) : status;
    if (status == STATUS_OK && session->options.reverse) {
        status = lacks_take(lacks, reverse_ask(session, run, lacks, error), error);
    }
    return status == STATUS_OK && run != NULL ? ask_run(run, lacks, error) : status;
}

enum status cutover_refuse(const struct lack_list *lacks, const char *object, struct error *error)
{
    if (lacks->count == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 1; i < lacks->count; i++) {
        const char *remedy = lacks->items[i].remedy;
        log_write(LOG_ERROR, "%s%s%s", lacks->items[i].text, remedy != NULL ? "; " : "",
                  remedy != NULL ? remedy : "");
    }
    error_set(error, ERROR_CUT_OVER, object, "%s", lacks->items[0].text);
    return lacks->items[0].remedy != NULL ? error_hint(error, "%s", lacks->items[0].remedy)
                                          : STATUS_FAILED;
}
