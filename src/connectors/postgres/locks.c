/*
 * Waiting for locks. Whoever wants a table queues behind a statement that waits for a strong lock
 * on it, readers too: so such a wait is short, and tried again. Who holds what a statement waits
 * for is asked by way of another connection (PostgreSQL's manual, pg_blocking_pids).
 */
#include "connectors/postgres/locks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* Longer than deadlock_timeout, after which the server ends an autovacuum that is in the way. */
enum { BRIEF_MS = 2000, LOOK_STEP_MAX_MS = 30000, SAID_AFTER_MS = 3000 };

int64_t postgres_brief_ms(const struct postgres_database *self)
{
    int64_t most = self->timeout_ms * 2 / 3; /* before the wait for the answer is over */
    return most < 1 ? 1 : most < BRIEF_MS ? most : BRIEF_MS;
}

/* ---------------------------------------------------------------- who holds it */

static const char holders[] =
    "SELECT b.pid, a.application_name, a.usename, a.state, pg_catalog.floor(extract(epoch FROM "
    "pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.state_change))), "
    "pg_catalog.left(a.query, 200) FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int)) AS "
    "b (pid) LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid ORDER BY a.xact_start "
    "NULLS LAST";

/* "session 123 (psql, user app, idle in transaction for 12 s: UPDATE t …) and 2 others" */
static void describe(const PGresult *rows, char *holder, size_t capacity)
{
    char application[48];
    char user[48];
    char query[72];
    char since[32] = "";
    char others[32] = "";
    const char *state = PQgetvalue(rows, 0, 3);
    const char *seconds = PQgetvalue(rows, 0, 4);
    if (strcmp(PQgetvalue(rows, 0, 0), "0") == 0) {
        snprintf(holder, capacity, "a prepared transaction (pg_prepared_xacts)");
        return;
    }
    text_printable(PQgetvalue(rows, 0, 1), strlen(PQgetvalue(rows, 0, 1)), application,
                   sizeof application);
    text_printable(PQgetvalue(rows, 0, 2), strlen(PQgetvalue(rows, 0, 2)), user, sizeof user);
    text_printable(PQgetvalue(rows, 0, 5), strlen(PQgetvalue(rows, 0, 5)), query, sizeof query);
    if (seconds[0] != '\0') {
        snprintf(since, sizeof since, " for %.20s s", seconds);
    }
    if (PQntuples(rows) > 1) {
        snprintf(others, sizeof others, " and %d more", PQntuples(rows) - 1);
    }
    snprintf(holder, capacity, "session %s (%s%suser %s, %s%s%s%s)%s", PQgetvalue(rows, 0, 0),
             application, application[0] != '\0' ? ", " : "", user,
             state[0] != '\0' ? state : "at work", since, query[0] != '\0' ? ": " : "", query,
             others);
}

/* "": nobody, or that is not known. */
static void ask_holder(struct postgres_database *self, PGconn *connection, char *holder,
                       size_t capacity)
{
    PGconn *other = NULL;
    PGresult *rows = NULL;
    char pid[24];
    struct error ignored;
    const struct postgres_parameter parameter = {.text = pid};
    holder[0] = '\0';
    snprintf(pid, sizeof pid, "%d", PQbackendPID(connection));
    if (postgres_reach(self, &other, &ignored) == STATUS_OK &&
        postgres_query(self, other, holders, &parameter, 1, POSTGRES_PROBE, ERROR_NETWORK, &rows,
                       &ignored) == STATUS_OK &&
        PQntuples(rows) > 0) {
        describe(rows, holder, capacity);
    }
    PQclear(rows);
    postgres_disconnect(other);
}

/* ---------------------------------------------------------------- looking */

void postgres_lock_watch_begin(const struct postgres_database *self,
                               struct postgres_lock_watch *watch)
{
    *watch = (struct postgres_lock_watch){.began_ms = clock_monotonic_ms(),
                                          .look_ms = postgres_brief_ms(self) / 2};
}

void postgres_lock_watch_look(struct postgres_database *self, PGconn *connection,
                              struct postgres_lock_watch *watch)
{
    char holder[sizeof watch->holder];
    int64_t waited_ms = clock_monotonic_ms() - watch->began_ms;
    /* a pooler's sessions have other numbers */
    if (waited_ms < watch->look_ms || self->pooled || atomic_load(&self->base.hurried)) {
        return;
    }
    ask_holder(self, connection, holder, sizeof holder);
    watch->look_ms = waited_ms + (waited_ms < LOOK_STEP_MAX_MS ? waited_ms : LOOK_STEP_MAX_MS);
    if (holder[0] != '\0' && waited_ms >= SAID_AFTER_MS) {
        log_write(LOG_WARNING, "%s: waiting for a lock for %lld s; %s holds it", self->shown,
                  (long long)(waited_ms / 1000), holder);
    }
    if (holder[0] != '\0') {
        memcpy(watch->holder, holder, sizeof holder);
    }
}

void postgres_lock_watch_tell(const struct postgres_lock_watch *watch, struct error *error)
{
    static const char lock_not_available[] = "55P03";
    char words[sizeof error->message];
    if (error == NULL || watch->holder[0] == '\0' ||
        strcmp(error->native_state, lock_not_available) != 0) {
        return;
    }
    memcpy(words, error->message, sizeof words);
    snprintf(error->message, sizeof error->message, "%.400s; %s holds it", words, watch->holder);
    error_hint(error, "wait until that transaction ends, or end it (pg_terminate_backend), then "
                      "`transhume resume`");
}

/* ---------------------------------------------------------------- asking for strong ones */

enum status postgres_set_lock_timeout(struct postgres_database *self, PGconn *connection,
                                      const char *how, int64_t wait_ms, struct error *error)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SET %s lock_timeout = %lld", how, (long long)wait_ms);
    return postgres_execute(self, connection, sql, POSTGRES_SHORT, ERROR_NETWORK, error);
}

enum status postgres_begin_brief(struct postgres_database *self, PGconn **connection,
                                 struct error *error)
{
    struct error ignored;
    if (postgres_begin(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        postgres_set_lock_timeout(self, *connection, "LOCAL", postgres_brief_ms(self), error);
    return status == STATUS_OK ? STATUS_OK : postgres_end(self, *connection, status, &ignored);
}

enum status postgres_alter(struct postgres_database *self, PGconn *connection, const char *sql,
                           enum postgres_patience patience, enum error_code otherwise,
                           struct error *error)
{
    struct error ignored;
    bool within = PQtransactionStatus(connection) != PQTRANS_IDLE;
    enum status status = postgres_set_lock_timeout(self, connection, within ? "LOCAL" : "SESSION",
                                                   postgres_brief_ms(self), error);
    if (status != STATUS_OK) {
        return status;
    }
    status = postgres_query(self, connection, sql, NULL, 0, patience, otherwise, NULL, error);
    if (within || PQstatus(connection) != CONNECTION_OK) {
        return status; /* it ends with the transaction, or the session */
    }
    bool good = status == STATUS_OK;
    enum status back = postgres_execute(self, connection, "RESET lock_timeout", POSTGRES_SHORT,
                                        ERROR_NETWORK, good ? error : &ignored);
    return good ? back : status;
}
