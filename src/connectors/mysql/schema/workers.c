/* Several connections at work on a list of things to do: what syncs once for each, as making a
 * table does, is done for some of them at once. */
#include "connectors/mysql/schema/workers.h"
#include "base/log.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/builders.h"
#include <stdlib.h>
#include <string.h>

struct worker;

struct work {
    struct mysql_workers *crew;
    mysql_task task;
    void *context;
    uint32_t count;
    _Atomic uint32_t next;
    const struct worker *failed; /* the first that did: others may have ended for its sake */
};

struct worker {
    struct work *work;
    MYSQL **connection;
    struct arena *arena;
    pthread_t thread;
    bool started;
    enum status status;
    struct error error;
};

static enum status connect_worker(struct mysql_workers *crew, MYSQL **connection,
                                  struct error *error)
{
    if (*connection != NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_join(crew->self, connection, error);
    if (status == STATUS_OK && crew->keys_silent) {
        status = mysql_silence_keys(crew->self, *connection, true, error);
    }
    return status;
}

static void work_on(struct worker *worker)
{
    struct work *work = worker->work;
    while (worker->status == STATUS_OK && !atomic_load(&work->crew->failed)) {
        uint32_t number = atomic_fetch_add(&work->next, 1);
        if (number >= work->count) {
            return;
        }
        arena_reset(worker->arena);
        worker->status =
            work->task(work->context, *worker->connection, worker->arena, number, &worker->error);
    }
    if (worker->status != STATUS_OK && !atomic_exchange(&work->crew->failed, true)) {
        work->failed = worker;
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    if (connect_worker(worker->work->crew, worker->connection, &worker->error) == STATUS_OK) {
        work_on(worker);
    } else {
        /* the others do its part */
        log_write(LOG_DEBUG, "one connection fewer is at work: %s", worker->error.message);
        mysql_disconnect(*worker->connection);
        *worker->connection = NULL;
    }
    return NULL;
}

enum status mysql_workers_run(struct mysql_workers *crew, MYSQL *control, uint32_t count,
                              mysql_task task, void *context, struct error *error)
{
    struct work work = {.crew = crew, .task = task, .context = context, .count = count};
    struct worker workers[MYSQL_CREW_MAX] = {0};
    uint32_t worker_count = count < MYSQL_CREW_MAX ? count : MYSQL_CREW_MAX;

    atomic_store(&crew->failed, false);
    for (uint32_t i = 0; i < worker_count; i++) {
        workers[i] = (struct worker){.work = &work,
                                     .connection = i > 0 ? &crew->connections[i] : &control,
                                     .arena = arena_create(0),
                                     .status = STATUS_OK};
        workers[i].started =
            i > 0 && pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0;
    }
    if (worker_count > 0) {
        work_on(&workers[0]);
    }
    for (uint32_t i = 0; i < worker_count; i++) {
        if (workers[i].started) {
            pthread_join(workers[i].thread, NULL);
        }
        arena_destroy(workers[i].arena);
    }
    if (work.failed != NULL) {
        error_copy(error, &work.failed->error);
    }
    return work.failed != NULL ? work.failed->status : STATUS_OK;
}

void mysql_workers_close(struct mysql_workers *crew)
{
    for (uint32_t i = 0; i < MYSQL_CREW_MAX; i++) {
        mysql_disconnect(crew->connections[i]);
        crew->connections[i] = NULL;
    }
}

/* ---------------------------------------------------------------- who builds on a run's tables */

struct looking {
    struct mysql_database *self;
    MYSQL *connection;
    const struct after_load_request *request;
};

/* As this connector words it: others' ALTER TABLE is waited for as any lock is. */
static bool is_on(const struct looking *looking, const struct target_table *table,
                  const char *statement)
{
    struct buffer begin = {0};
    mysql_append(&begin, "ALTER TABLE %t ", &looking->self->sql, table->name);
    bool same = strncmp(statement, buffer_string(&begin), begin.length) == 0;
    buffer_free(&begin);
    return same;
}

static enum status worker_find(void *context, struct sql_built *built, struct error *error)
{
    const struct looking *looking = context;
    MYSQL_RES *rows = NULL;
    MYSQL_ROW row = NULL;
    enum status status = mysql_run(
        looking->self, looking->connection,
        "SELECT info, id FROM information_schema.processlist WHERE id <> connection_id() AND command = "
        "'Query' AND info LIKE 'ALTER TABLE %'",
        SQL_SHORT, ERROR_TARGET_INVALID, &rows, error);
    *built = (struct sql_built){0};
    while (status == STATUS_OK && built->table == NULL && (row = mysql_fetch_row(rows)) != NULL) {
        for (uint32_t i = 0; built->table == NULL && i < looking->request->table_count; i++) {
            const struct target_table *table = &looking->request->tables[i];
            built->table =
                sql_run_builds_on(looking->request, table) && is_on(looking, table, row[0]) ? table
                                                                                            : NULL;
        }
        status = text_to_uint64(row[1], strlen(row[1]), &built->session);
    }
    mysql_free_result(rows);
    return status;
}

enum status mysql_await_builders(struct mysql_database *self, MYSQL *connection,
                                 const struct after_load_request *request, struct error *error)
{
    struct looking looking = {self, connection, request};
    return sql_await_builders(worker_find, &looking, self->sql.shown, request->progress, error);
}
