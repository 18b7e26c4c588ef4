/* Statements that wait for a lock: for how long, and who holds what they wait for, which is asked
 * by way of another connection (PostgreSQL's manual, pg_blocking_pids). */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include <stdio.h>
#include <string.h>

enum { LOOK_STEP_MAX_MS = 30000, SAID_AFTER_MS = 3000 };

static const char holders[] =
    "SELECT b.pid, a.application_name, a.usename, a.state, pg_catalog.floor(extract(epoch FROM "
    "pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.state_change))), "
    "pg_catalog.left(a.query, 200) FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int)) AS "
    "b (pid) LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid ORDER BY a.xact_start "
    "NULLS LAST";

int64_t postgres_brief_lock_ms(const struct postgres_database *self)
{
    enum { PAST_IT_MS = 500 };
    int64_t brief_ms = sql_brief_lock_ms(self->timeout_ms);
    int64_t long_ms = sql_long_lock_ms(self->timeout_ms);
    int64_t past_ms = self->deadlock_ms + PAST_IT_MS;
    /* a wait that can't outlast it would keep the table's readers queued for nothing */
    return past_ms > brief_ms && past_ms <= long_ms ? past_ms : brief_ms;
}

static void postgres_locks_describe(const PGresult *rows, char holder[SQL_HOLDER_BYTES])
{
    const struct sql_session session = {.number = PQgetvalue(rows, 0, 0),
                                        .application = PQgetvalue(rows, 0, 1),
                                        .user = PQgetvalue(rows, 0, 2),
                                        .state = PQgetvalue(rows, 0, 3),
                                        .seconds = PQgetvalue(rows, 0, 4),
                                        .query = PQgetvalue(rows, 0, 5),
                                        .more = PQntuples(rows) - 1};
    if (strcmp(session.number, "0") == 0) {
        snprintf(holder, SQL_HOLDER_BYTES, "a prepared transaction (pg_prepared_xacts)");
    } else {
        sql_session_describe(&session, holder);
    }
}

/* "": nobody, or that is not known. */
static void ask_holder(struct postgres_database *self, PGconn *connection,
                       char holder[SQL_HOLDER_BYTES])
{
    PGconn *other = NULL;
    PGresult *rows = NULL;
    char pid[24];
    struct error ignored;
    const struct postgres_parameter parameter = {.text = pid};
    holder[0] = '\0';
    snprintf(pid, sizeof pid, "%d", PQbackendPID(connection));
    if (postgres_reach(self, &other, &ignored) == STATUS_OK &&
        postgres_catalog_query(self, other, holders, &parameter, 1, SQL_PROBE, ERROR_NETWORK, &rows,
                               &ignored) == STATUS_OK &&
        PQntuples(rows) > 0) {
        postgres_locks_describe(rows, holder);
    }
    PQclear(rows);
    postgres_disconnect(other);
}

bool postgres_lock_is_missed(const struct error *error)
{
    static const char lock_not_available[] = "55P03";
    return strcmp(error->native_state, lock_not_available) == 0;
}

void postgres_lock_watch_begin(const struct postgres_database *self,
                               struct postgres_lock_watch *watch)
{
    *watch = (struct postgres_lock_watch){.began_ms = clock_monotonic_ms(),
                                          .look_ms = postgres_brief_lock_ms(self) / 4};
}

void postgres_lock_watch_look(struct postgres_database *self, PGconn *connection,
                              struct postgres_lock_watch *watch)
{
    char holder[sizeof watch->holder];
    int64_t waited_ms = clock_monotonic_ms() - watch->began_ms;
    /* a pooler's sessions have other numbers */
    if (waited_ms < watch->look_ms || self->pooled || atomic_load(&self->sql.base.hurried)) {
        return;
    }
    ask_holder(self, connection, holder);
    watch->look_ms = waited_ms + (waited_ms < LOOK_STEP_MAX_MS ? waited_ms : LOOK_STEP_MAX_MS);
    if (holder[0] != '\0' && waited_ms >= SAID_AFTER_MS) {
        log_write(LOG_WARNING, "%s: waiting for a lock for %lld s; %s holds it", self->sql.shown,
                  (long long)(waited_ms / 1000), holder);
    }
    /* one whose wait has just ended waits for nobody, and its end is to be told; after longer it is
     * another lock's */
    bool long_ago = waited_ms - watch->seen_ms > 2 * postgres_brief_lock_ms(self);
    if (holder[0] != '\0' || long_ago) {
        memcpy(watch->holder, holder, sizeof holder);
        watch->seen_ms = waited_ms;
    }
}

void postgres_lock_watch_tell(const struct postgres_lock_watch *watch, struct error *error)
{
    if (error != NULL && watch->holder[0] != '\0' && postgres_lock_is_missed(error)) {
        sql_lock_tell(error, watch->holder, "holds it", "pg_terminate_backend");
    }
}
