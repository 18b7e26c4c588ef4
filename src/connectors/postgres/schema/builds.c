/* Statements that build something large, several at once on connections of their own. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/contract/report.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/sql/builders.h"
#include "postgres_sql.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection that stood idle for longer may have been cut off on the way without a word. */
enum { WAIT_MS = 100, KEPT_MS = 5000 };

struct builder {
    PGconn *connection;
    struct postgres_build *build; /* under way; NULL: none */
    PGresult *failure;
    struct retry retry; /* of the build */
    int64_t again_ms;   /* monotonic: it begins again then; 0: it is under way */
    struct postgres_lock_watch watch;
    struct sql_vigil vigil;
    bool sorted; /* its session has more memory than usual */
};

struct builds {
    struct postgres_database *self;
    struct postgres_build *builds;
    uint32_t count;
    uint32_t next; /* all before it are begun */
    struct builder builders[POSTGRES_BUILDERS_MAX];
    uint32_t builder_count;
    uint32_t sorting_count;                  /* of those under way at most so many sort much */
    const struct postgres_errand *meanwhile; /* not done yet; NULL: nothing */
    void (*progress)(const char *what);
    struct error *error;
};

static int compare_builds(const void *left, const void *right)
{
    int64_t a = ((const struct postgres_build *)left)->weight;
    int64_t b = ((const struct postgres_build *)right)->weight;
    return a > b ? -1 : a < b;
}

static void builds_say(const struct builds *builds, const struct postgres_build *build)
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

/* A build is tried again later after a failure that may pass: STATUS_OK. The patience is spent but
 * once. */
static enum status postpone(struct builds *builds, struct builder *builder, struct error *error)
{
    if (error->class != ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    if (retry_plan(&builder->retry, error, &builder->again_ms)) {
        report_waiting(&builds->self->sql.base, builder->again_ms);
        return STATUS_OK;
    }
    error->class = signals_stop_level() > 0 ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- connections */

static PGconn *take_kept(struct postgres_database *self)
{
    while (self->builder_count > 0) {
        const struct postgres_kept_builder *kept = &self->builders[--self->builder_count];
        if (clock_monotonic_ms() - kept->idle_since_ms <= KEPT_MS &&
            PQstatus(kept->connection) == CONNECTION_OK) {
            return kept->connection;
        }
        postgres_disconnect(kept->connection);
    }
    return NULL;
}

static bool may_be_kept(struct postgres_database *self, const struct builder *builder)
{
    struct error ignored;
    return self->keeps_builders && self->builder_count < POSTGRES_BUILDERS_MAX &&
           builder->connection != NULL &&
           PQtransactionStatus(builder->connection) == PQTRANS_IDLE &&
           (!builder->sorted ||
            postgres_execute(self, builder->connection,
                             "RESET maintenance_work_mem; RESET max_parallel_maintenance_workers",
                             SQL_SHORT, ERROR_NETWORK, &ignored) == STATUS_OK);
}

static void builds_leave(struct postgres_database *self, const struct builder *builder, bool good)
{
    if (good && may_be_kept(self, builder)) {
        self->builders[self->builder_count++] = (struct postgres_kept_builder){
            .connection = builder->connection, .idle_since_ms = clock_monotonic_ms()};
    } else {
        postgres_disconnect(builder->connection);
    }
}

void postgres_builders_keep(struct postgres_database *self)
{
    self->keeps_builders = true;
}

void postgres_builders_end(struct postgres_database *self)
{
    self->keeps_builders = false;
    while (self->builder_count > 0) {
        postgres_disconnect(self->builders[--self->builder_count].connection);
    }
}

/* ---------------------------------------------------------------- one build */

/* Smaller tables' keys are sorted in the 64 MiB that servers have for it by themselves. */
static const int64_t SORTED_BYTES_MIN = (int64_t)64 << 20;

static bool sorts_much(const struct postgres_build *build)
{
    return build->sorts && build->weight >= SORTED_BYTES_MIN;
}

/*
 * Four builds have 256 MiB by default: as much for the large ones that there are, unless somebody
 * chose how much it is to be, so that what fits is sorted in memory. With that much the server
 * would take two processes beside its own, which make it slower where no processor is free for
 * them: one, as without it, or as many as make up the run's jobs.
 */
static enum status prepare_sorting(struct builds *builds, struct builder *builder)
{
    enum { MEMORY_KIB = 256 << 10, WORKERS_WITHOUT = 1, WORKERS_MAX = 1024 };
    uint32_t jobs = builds->self->sql.base.jobs;
    struct buffer sql = {0};
    buffer_format(&sql,
                  "SELECT pg_catalog.set_config(name, CASE name WHEN 'maintenance_work_mem' THEN "
                  "GREATEST(setting::int, %u)::text || 'kB' ELSE LEAST(setting::int, %u)::text "
                  "END, false) FROM pg_catalog.pg_settings WHERE source = 'default' AND name IN "
                  "('maintenance_work_mem', 'max_parallel_maintenance_workers')",
                  MEMORY_KIB / builds->sorting_count,
                  jobs == 0                    ? WORKERS_MAX
                  : jobs - 1 < WORKERS_WITHOUT ? WORKERS_WITHOUT
                                               : jobs - 1);
    builder->sorted = true;
    return postgres_query_buffer(builds->self, builder->connection, &sql, NULL, 0, SQL_SHORT,
                                 ERROR_NETWORK, NULL, builds->error);
}

static enum status prepare_session(struct builds *builds, struct builder *builder)
{
    const struct postgres_build *build = builder->build;
    bool shuts_out = build->shuts_out != POSTGRES_SHUTS_NOBODY;
    struct buffer sql = {0};
    buffer_format(&sql, "SET SESSION lock_timeout = %lld",
                  (long long)(shuts_out ? postgres_brief_lock_ms(builds->self) : 0));
    if (build->settings != NULL) {
        buffer_format(&sql, "; %s", build->settings);
    }
    enum status status = postgres_execute_buffer(builds->self, builder->connection, &sql, SQL_SHORT,
                                                 ERROR_NETWORK, builds->error);
    return status == STATUS_OK && sorts_much(build) ? prepare_sorting(builds, builder) : status;
}

/* One that was kept may have been ended meanwhile, by a process that took the run over or by the
 * server: a new one finds out. */
static bool take_prepared(struct builds *builds, struct builder *builder)
{
    builder->connection = take_kept(builds->self);
    if (builder->connection == NULL) {
        return false;
    }
    if (prepare_session(builds, builder) == STATUS_OK) {
        return true;
    }
    postgres_disconnect(builder->connection);
    builder->connection = NULL;
    error_clear(builds->error);
    return false;
}

static enum status builds_start(struct builds *builds, struct builder *builder,
                                struct postgres_build *build)
{
    struct postgres_database *self = builds->self;
    builder->build = build;
    builder->again_ms = 0;
    builds_say(builds, build);
    if (hit(build->failpoints[0], builds->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool prepared = builder->connection == NULL && take_prepared(builds, builder);
    if (builder->connection == NULL &&
        postgres_join(self, &builder->connection, builds->error) != STATUS_OK) {
        return postpone(builds, builder, builds->error);
    }
    if (!prepared && prepare_session(builds, builder) != STATUS_OK) {
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
static enum status builds_finish(struct builds *builds, struct builder *builder)
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
        status = postgres_set_aside_move(builds->self, build->table, build->columns, build->order,
                                         builds->error);
        return status == STATUS_OK ? builds_start(builds, builder, build) : status;
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
static enum status builds_take(struct builds *builds, struct builder *builder, bool *ended)
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
    struct pollfd waiting[POSTGRES_BUILDERS_MAX];
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
                         ? builds_start(builds, builder, builder->build)
                         : STATUS_OK;
        } else if (builder->build != NULL) {
            status = builds_take(builds, builder, &ended);
            status = status == STATUS_OK && !ended ? look_after(builds, builder) : status;
        }
        if (status == STATUS_OK && ended) {
            status = builds_finish(builds, builder);
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
    return builds_start(builds, builder, build);
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
            status = error_set(builds->error, ERROR_INTERRUPTED, builds->self->sql.shown,
                               "stopped on request while indexes were built");
        }
        if (status == STATUS_OK && builds->meanwhile != NULL) {
            status = builds->meanwhile->run(builds->meanwhile->context, builds->error);
            builds->meanwhile = NULL;
        }
        status = status == STATUS_OK ? wait_and_take(builds) : status;
    }
    return status;
}

void postgres_builds_sort(struct postgres_build *builds, uint32_t count)
{
    if (count > 0) {
        qsort(builds, count, sizeof *builds, compare_builds);
    }
}

enum status postgres_builds_run(struct postgres_database *self, struct postgres_build *list,
                                uint32_t count, uint32_t at_once,
                                const struct postgres_errand *meanwhile,
                                void (*progress)(const char *), struct error *error)
{
    struct builds builds = {.self = self,
                            .builds = list,
                            .count = count,
                            .meanwhile = meanwhile,
                            .progress = progress,
                            .error = error};
    if (count == 0) {
        return meanwhile != NULL ? meanwhile->run(meanwhile->context, error) : STATUS_OK;
    }
    postgres_builds_sort(list, count);
    builds.builder_count = at_once < count ? at_once : count;
    builds.builder_count =
        builds.builder_count < POSTGRES_BUILDERS_MAX ? builds.builder_count : POSTGRES_BUILDERS_MAX;
    for (uint32_t i = 0; i < count && builds.sorting_count < builds.builder_count; i++) {
        builds.sorting_count += sorts_much(&list[i]);
    }
    enum status status = run_all(&builds);
    if (status != STATUS_OK) {
        cancel_all(&builds);
    }
    for (uint32_t i = 0; i < builds.builder_count; i++) {
        PQclear(builds.builders[i].failure);
        builds_leave(self, &builds.builders[i], status == STATUS_OK);
    }
    return status;
}

/* ---------------------------------------------------------------- who builds on a run's tables */

struct looking {
    struct postgres_database *self;
    PGconn *connection;
    const struct after_load_request *request;
};

static enum status builds_find(void *context, struct sql_built *built, struct error *error)
{
    const struct looking *looking = context;
    const struct postgres_parameter spaces = {.text = looking->self->spaces};
    PGresult *rows = NULL;
    enum status status =
        postgres_catalog_query(looking->self, looking->connection, sql_builders, &spaces, 1,
                               SQL_SHORT, ERROR_TARGET_INVALID, &rows, error);
    *built = (struct sql_built){0};
    for (int row = 0; status == STATUS_OK && built->table == NULL && row < PQntuples(rows); row++) {
        const char *name = PQgetvalue(rows, row, 0);
        const char *session = PQgetvalue(rows, row, 1);
        for (uint32_t i = 0; built->table == NULL && i < looking->request->table_count; i++) {
            const struct target_table *table = &looking->request->tables[i];
            built->table =
                sql_run_builds_on(looking->request, table) && strcmp(name, table->name) == 0 ? table
                                                                                             : NULL;
        }
        status = text_to_uint64(session, strlen(session), &built->session);
    }
    PQclear(rows);
    return status;
}

enum status postgres_await_builders(struct postgres_database *self, PGconn *connection,
                                    const struct after_load_request *request, struct error *error)
{
    struct looking looking = {self, connection, request};
    return sql_await_builders(builds_find, &looking, self->sql.shown, request->progress, error);
}
