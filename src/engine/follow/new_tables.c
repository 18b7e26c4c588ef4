/* Tables that the source got while its changes were followed. */
#include "engine/follow/new_tables.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/unfollowed.h"
#include "engine/session/numbering.h"
#include "engine/state/run_state.h"
#include <string.h>

struct making {
    struct run *run;
    const struct follow_routes *routes;
    struct follow_translator *translator;
    struct column_list tables;
};

/* NULL: none of the tables fills it. */
static const char *filled_by(const struct making *making, uint32_t table)
{
    const struct plan *plan = making->run->session->plan;
    const char *found = NULL;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const char *from = plan->streams[plan->entities[i].stream].request.table;
        if (plan->entities[i].table == table && column_list_holds(making->tables, from)) {
            found = from;
        }
    }
    return found;
}

/* Else it was followed already, and its columns are other ones now. */
static bool is_new(const struct making *making, const char *from)
{
    const struct plan *plan = making->run->session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        if (numbering_is_new(making->run, plan->entities[i].table) &&
            strcmp(plan->streams[plan->entities[i].stream].request.table, from) == 0) {
            return true;
        }
    }
    return false;
}

/* Another failure than one that passes is a matter of this table alone. */
static enum status table_leave(struct making *making, const char *from, struct error *error)
{
    if (error->class == ERROR_CLASS_RETRY || error->code == ERROR_RUN_FENCED ||
        error->code == ERROR_INTERRUPTED) {
        return STATUS_FAILED;
    }
    const char *reason =
        arena_format(making->run->arena, "%s, and can't be followed: %s: %s",
                     is_new(making, from) ? "it is new" : "its columns have changed", error->object,
                     error->message);
    error_clear(error);
    return unfollowed_for(making->run, making->routes, making->translator, NULL, from, reason,
                          error);
}

static enum status note_created(struct run *run, const struct target_table *table,
                                struct error *error)
{
    pthread_mutex_lock(&run->state_mutex);
    if (!ledger_status_is_created(&run->status, table->name)) {
        ledger_status_add_created(&run->status, table->name);
    }
    pthread_mutex_unlock(&run->state_mutex);
    return run_put_status(run, error);
}

static enum status refuse_there(const struct target_table *table, struct error *error)
{
    error_set(error, ERROR_TARGET_NOT_EMPTY, table->name,
              "the target has a table of this name, which the run did not make");
    return error_hint(error, "rename or drop it");
}

/* As a copy makes it. */
static enum status make_table(struct run *run, uint32_t number, struct error *error)
{
    struct database *target = run->session->target;
    const struct target_functions *functions = target->connector->target;
    struct target_table *table = &run->tables[number];
    const struct prepare_request preparing = {.tables = table, .table_count = 1};
    bool made = ledger_status_is_created(&run->status, table->name);
    bool exists = false;
    bool filled = false;
    if (!made && (functions->inspect(target, table, 1, &exists, &filled, error) != STATUS_OK ||
                  (exists && filled && refuse_there(table, error) != STATUS_OK))) {
        return STATUS_FAILED;
    }
    enum status status = failpoint_hit("follow.before_make", error);
    status = status == STATUS_OK ? functions->prepare(target, &preparing, error) : status;
    if (status == STATUS_OK && !table->created && !made) {
        return refuse_there(table, error);
    }
    table->created = true;
    status = status == STATUS_OK ? note_created(run, table, error) : status;
    return status == STATUS_OK ? failpoint_hit("follow.after_make", error) : status;
}

/* They may refer to each other. */
static enum status finish_tables(struct making *making, const struct target_table *made,
                                 uint32_t count, struct error *error)
{
    struct database *target = making->run->session->target;
    struct after_load_request request = {.tables = made, .table_count = count};
    return count > 0 ? target->connector->target->after_load(target, &request, error) : STATUS_OK;
}

static enum status extend_feed(struct making *making, struct error *error)
{
    struct run *run = making->run;
    struct database *source = run->session->source;
    const struct feed_functions *feed = source->connector->feed;
    uint32_t count;
    struct followed_table *tables =
        follow_routes_there(making->routes, run->session, run->arena, &count);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; feed->extend != NULL && i < count && status == STATUS_OK; i++) {
        if (column_list_holds(making->tables, tables[i].name)) {
            status = feed->extend(source, run->header.feed, &tables[i], 1, error);
            status = status == STATUS_OK ? STATUS_OK : table_leave(making, tables[i].name, error);
        }
    }
    return status;
}

enum status new_tables_make(struct run *run, const struct follow_routes *routes,
                            struct follow_translator *translator, struct column_list tables,
                            struct error *error)
{
    struct making making = {run, routes, translator, tables};
    enum status status = STATUS_OK;
    struct target_table *made =
        arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof *made);
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->table_count && status == STATUS_OK; i++) {
        const char *from = filled_by(&making, i);
        if (from == NULL || !numbering_is_new(run, i)) {
            continue;
        }
        status = make_table(run, i, error);
        if (status == STATUS_OK) {
            made[count++] = run->tables[i];
            log_write(LOG_INFO,
                      "%s is new in the source: it is made in the target, read and followed", from);
        } else {
            status = table_leave(&making, from, error);
        }
    }
    status = status == STATUS_OK ? finish_tables(&making, made, count, error) : status;
    return status == STATUS_OK ? extend_feed(&making, error) : status;
}
