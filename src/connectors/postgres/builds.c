/* Statements that build something large, several at once on connections of their own. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/postgres/keys.h"
#include "connectors/postgres/locks.h"
#include "connectors/report.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILDERS_MAX = 8, WAIT_MS = 100 };

struct builder {
    PGconn *connection;
    struct postgres_build *build; /* under way; NULL: none */
    PGresult *failure;
    struct retry retry; /* of the build */
    int64_t again_ms;   /* monotonic: it begins again then; 0: it is under way */
    struct postgres_lock_watch watch;
    struct sql_vigil vigil;
};

struct builds {
    struct postgres_database *self;
    struct postgres_build *builds;
    uint32_t count;
    uint32_t next; /* all before it are begun */
    struct builder builders[BUILDERS_MAX];
    uint32_t builder_count;
    void (*progress)(const char *what);
    struct error *error;
};

static int compare_builds(const void *left, const void *right)
{
    int64_t a = ((const struct postgres_build *)left)->weight;
    int64_t b = ((const struct postgres_build *)right)->weight;
    return a > b ? -1 : a < b;
}

static void say(const struct builds *builds, const struct postgres_build *build)
{
    char printable[160];
    char line[200];
    if (builds->progress != NULL) {
        text_printable(build->name, strlen(build->name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", build->what, printable);
        builds->progress(line);
    }
}

static enum status hit(const char *failpoint, struct error *error)
{
    return failpoint != NULL ? failpoint_hit(failpoint, error) : STATUS_OK;
}

/* What may pass is tried again later: STATUS_OK. The patience is spent but once. */
static enum status postpone(struct builds *builds, struct builder *builder, struct error *error)
{
    if (error->class != ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    if (retry_plan(&builder->retry, error, &builder->again_ms)) {
        report_waiting(&builds->self->base, builder->again_ms);
        return STATUS_OK;
    }
    error->class = signals_stop_level() > 0 ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
    return STATUS_FAILED;
}

/* Beside the statistics of a table up to this size a count by one process ends before they do, and
 * others would only take processors from them. */
static const int64_t COUNTED_ALONE_BYTES = (int64_t)512 << 20;

static enum status prepare_counting(struct builds *builds, struct builder *builder)
{
    bool alone = builder->build->weight <= COUNTED_ALONE_BYTES;
    return postgres_execute(builds->self, builder->connection,
                            alone ? "SET SESSION max_parallel_workers_per_gather = 0"
                                  : "RESET max_parallel_workers_per_gather",
                            POSTGRES_SHORT, ERROR_NETWORK, builds->error);
}

static enum status start(struct builds *builds, struct builder *builder,
                         struct postgres_build *build)
{
    struct postgres_database *self = builds->self;
    builder->build = build;
    builder->again_ms = 0;
    say(builds, build);
    if (hit(build->failpoints[0], builds->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (builder->connection == NULL &&
        postgres_join(self, &builder->connection, builds->error) != STATUS_OK) {
        return postpone(builds, builder, builds->error);
    }
    if (postgres_set_lock_timeout(
            self, builder->connection, "SESSION",
            build->shuts_out == POSTGRES_SHUTS_NOBODY ? 0 : postgres_brief_lock_ms(self),
            builds->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (build->counted != NULL && prepare_counting(builds, builder) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_lock_watch_begin(self, &builder->watch);
    /* the extended protocol takes one statement only, whatever stands in it */
    if (PQsendQueryParams(builder->connection, build->sql, 0, NULL, NULL, NULL, NULL, 0) == 0) {
        return postgres_failure(self, builder->connection, NULL, ERROR_NETWORK, builds->error);
    }
    sql_vigil_begin(&builder->vigil, self->timeout_ms);
    return postgres_flush(self, builder->connection, builds->error);
}

static bool is_state(const struct builder *builder, const char *wanted)
{
    const char *state = PQresultErrorField(builder->failure, PG_DIAG_SQLSTATE);
    return state != NULL && strcmp(state, wanted) == 0;
}

/* Two that make one name at the same time. */
static bool is_of_catalog(const struct builder *builder)
{
    const char *schema = PQresultErrorField(builder->failure, PG_DIAG_SCHEMA_NAME);
    return is_state(builder, "23505") && schema != NULL && strcmp(schema, "pg_catalog") == 0;
}

/* A server goes on with the statement of a client that was killed, and was done with it while this
 * one waited: there is a relation of that name now, or the catalogue's own key says so. */
static bool is_made(const struct builder *builder)
{
    return builder->build->skips_made && (is_state(builder, "42P07") || is_of_catalog(builder));
}

static bool is_key_conflict(const struct builder *builder)
{
    return is_state(builder, "23505") && !is_of_catalog(builder) &&
           builder->build->columns.count > 0 && !builder->build->tried;
}

/* Nothing that another attempt would change: values too long for an index, types that it does not
 * order, functions that are not there. */
static bool is_impossible(const struct builder *builder)
{
    static const char *const states[] = {"54", "0A", "22", "42"};
    const char *state = PQresultErrorField(builder->failure, PG_DIAG_SQLSTATE);
    bool impossible = false;
    for (size_t i = 0; state != NULL && i < sizeof states / sizeof states[0]; i++) {
        impossible = impossible || strncmp(state, states[i], 2) == 0;
    }
    return impossible && !is_state(builder, "42501") && !is_state(builder, "42P07");
}

/* A plain index only makes reading faster; what a unique one promises must not go without a word.
 */
static enum status give_up(struct builds *builds, struct builder *builder)
{
    const struct postgres_build *build = builder->build;
    struct error problem = {0};
    enum status status = postgres_failure(builds->self, builder->connection, builder->failure,
                                          ERROR_TARGET_SCHEMA, &problem);
    if (build->optional && is_impossible(builder)) {
        log_write(LOG_WARNING, "%s: the index %s is not made: %s", build->table->name, build->name,
                  problem.message);
        return STATUS_OK;
    }
    if (build->remedy != NULL && is_impossible(builder)) {
        error_hint(&problem, "%s", build->remedy);
    }
    postgres_lock_watch_tell(&builder->watch, &problem);
    error_copy(builds->error, &problem);
    error_context(builds->error, "%s: ", build->name);
    /* what is left of one that is made concurrently has to be looked for, as after a crash; so has
     * what became of one whose session broke */
    return build->leaves_some || PQstatus(builder->connection) != CONNECTION_OK
               ? status
               : postpone(builds, builder, builds->error);
}

/* The statement has ended. */
static enum status finish(struct builds *builds, struct builder *builder)
{
    struct postgres_build *build = builder->build;
    enum status status = STATUS_OK;
    if (builder->failure != NULL && is_made(builder)) {
        PQclear(builder->failure);
        builder->failure = NULL;
    }
    if (builder->failure != NULL && is_key_conflict(builder)) {
        PQclear(builder->failure);
        builder->failure = NULL;
        builder->build = NULL;
        build->tried = true;
        status = postgres_lost_move(builds->self, build->table, build->columns, build->order,
                                    builds->error);
        return status == STATUS_OK ? start(builds, builder, build) : status;
    }
    if (builder->failure != NULL) {
        status = give_up(builds, builder);
    }
    PQclear(builder->failure);
    builder->failure = NULL;
    if (builder->again_ms > 0) {
        return status;
    }
    builder->build = NULL;
    return status == STATUS_OK ? hit(build->failpoints[1], builds->error) : status;
}

static void take_count(const struct postgres_build *build, const PGresult *result)
{
    struct target_count count = {.known = true};
    if (build->counted != NULL && PQresultStatus(result) == PGRES_TUPLES_OK &&
        PQntuples(result) == 1 &&
        text_to_uint64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0),
                       &count.records) == STATUS_OK) {
        *build->counted = count;
    }
}

/* Takes what has come; sets `*ended` when that was all. */
static enum status take(struct builds *builds, struct builder *builder, bool *ended)
{
    *ended = false;
    if (PQconsumeInput(builder->connection) == 0) {
        return postgres_failure(builds->self, builder->connection, NULL, ERROR_NETWORK,
                                builds->error);
    }
    while (PQisBusy(builder->connection) == 0) {
        PGresult *result = PQgetResult(builder->connection);
        if (result == NULL) {
            *ended = true;
            return STATUS_OK;
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && builder->failure == NULL) {
            builder->failure = result;
        } else {
            take_count(builder->build, result);
            PQclear(result);
        }
    }
    return STATUS_OK;
}

static bool is_under_way(const struct builder *builder)
{
    return builder->build != NULL && builder->again_ms == 0 && builder->connection != NULL;
}

static void cancel_all(struct builds *builds)
{
    bool reached = true;
    for (uint32_t i = 0; reached && i < builds->builder_count; i++) {
        const struct builder *builder = &builds->builders[i];
        if (is_under_way(builder) && PQstatus(builder->connection) == CONNECTION_OK) {
            reached = postgres_signal_session(builds->self, builder->connection,
                                              POSTGRES_CANCEL_STATEMENT);
        }
    }
}

static enum status look_after(struct builds *builds, struct builder *builder)
{
    postgres_lock_watch_look(builds->self, builder->connection, &builder->watch);
    return postgres_keep_vigil(builds->self, builder->connection, &builder->vigil, builds->error);
}

static bool is_busy(const struct builds *builds)
{
    bool busy = false;
    for (uint32_t i = 0; i < builds->builder_count; i++) {
        busy = busy || builds->builders[i].build != NULL;
    }
    return busy;
}

static enum status wait_and_take(struct builds *builds)
{
    struct pollfd waiting[BUILDERS_MAX];
    enum status status = STATUS_OK;
    nfds_t count = 0;
    if (!is_busy(builds)) {
        return STATUS_OK; /* the last one has ended: there is nothing to wait for */
    }
    for (uint32_t i = 0; i < builds->builder_count; i++) {
        if (is_under_way(&builds->builders[i])) {
            waiting[count++] =
                (struct pollfd){.fd = PQsocket(builds->builders[i].connection), .events = POLLIN};
        }
    }
    (void)!poll(waiting, count, WAIT_MS);
    for (uint32_t i = 0; status == STATUS_OK && i < builds->builder_count; i++) {
        struct builder *builder = &builds->builders[i];
        bool ended = false;
        if (builder->build != NULL && builder->again_ms > 0) {
            status = clock_monotonic_ms() >= builder->again_ms
                         ? start(builds, builder, builder->build)
                         : STATUS_OK;
        } else if (builder->build != NULL) {
            status = take(builds, builder, &ended);
            status = status == STATUS_OK && !ended ? look_after(builds, builder) : status;
        }
        if (status == STATUS_OK && ended) {
            status = finish(builds, builder);
        }
    }
    return status;
}

/* Would it wait for one that is under way, or that one for it? No lock of the run's own is worth
 * giving up for: it may be held for hours. */
static bool is_shut_out(const struct builds *builds, const struct postgres_build *build)
{
    bool shut = false;
    for (uint32_t i = 0; !shut && i < builds->builder_count; i++) {
        const struct postgres_build *other = builds->builders[i].build;
        shut = other != NULL && other->owner != NULL && build->owner != NULL &&
               strcmp(other->owner, build->owner) == 0 &&
               (other->shuts_out == POSTGRES_SHUTS_ALL || build->shuts_out == POSTGRES_SHUTS_ALL);
    }
    return shut;
}

/* NULL: there is none for now. */
static struct postgres_build *next_build(struct builds *builds)
{
    while (builds->next < builds->count && builds->builds[builds->next].begun) {
        builds->next++;
    }
    for (uint32_t i = builds->next; i < builds->count; i++) {
        struct postgres_build *build = &builds->builds[i];
        if (!build->begun && !is_shut_out(builds, build)) {
            return build;
        }
    }
    return NULL;
}

static enum status start_next(struct builds *builds, struct builder *builder)
{
    struct postgres_build *build = next_build(builds);
    if (build == NULL) {
        return STATUS_OK;
    }
    build->begun = true;
    retry_init(&builder->retry, RETRY_PATIENCE_TIMEOUTS * builds->self->timeout_ms);
    return start(builds, builder, build);
}

static enum status run_all(struct builds *builds)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (builds->next < builds->count || is_busy(builds))) {
        for (uint32_t i = 0; status == STATUS_OK && i < builds->builder_count; i++) {
            if (builds->builders[i].build == NULL) {
                status = start_next(builds, &builds->builders[i]);
            }
        }
        if (status == STATUS_OK && signals_stop_level() >= 1) {
            status = error_set(builds->error, ERROR_INTERRUPTED, builds->self->shown,
                               "stopped on request while indexes were built");
        }
        status = status == STATUS_OK ? wait_and_take(builds) : status;
    }
    return status;
}

enum status postgres_builds_run(struct postgres_database *self, struct postgres_build *list,
                                uint32_t count, uint32_t at_once, void (*progress)(const char *),
                                struct error *error)
{
    struct builds builds = {
        .self = self, .builds = list, .count = count, .progress = progress, .error = error};
    if (count == 0) {
        return STATUS_OK;
    }
    qsort(list, count, sizeof *list, compare_builds);
    builds.builder_count = at_once < count ? at_once : count;
    builds.builder_count =
        builds.builder_count < BUILDERS_MAX ? builds.builder_count : BUILDERS_MAX;
    enum status status = run_all(&builds);
    if (status != STATUS_OK) {
        cancel_all(&builds);
    }
    for (uint32_t i = 0; i < builds.builder_count; i++) {
        PQclear(builds.builders[i].failure);
        postgres_disconnect(builds.builders[i].connection);
    }
    return status;
}
