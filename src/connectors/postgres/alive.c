/* Does the server still work on a statement, or is the connection dead without either end knowing?
 */
#include "connectors/postgres/postgres_internal.h"
#include <stdio.h>
#include <string.h>

/* PQping: whether anybody answers at all; who has no connection left for us answers too. */
static bool is_reached(const struct postgres_database *self)
{
    const char *keywords[POSTGRES_SETTINGS_MAX + 2];
    const char *values[POSTGRES_SETTINGS_MAX + 2];
    char seconds[24];
    uint32_t count = self->setting_count;
    memcpy(keywords, self->keywords, count * sizeof(*keywords));
    memcpy(values, self->values, count * sizeof(*values));
    snprintf(seconds, sizeof seconds, "%lld", (long long)((self->timeout_ms + 999) / 1000));
    keywords[count] = "connect_timeout";
    values[count] = seconds;
    keywords[count + 1] = NULL;
    values[count + 1] = NULL;
    return PQpingParams(keywords, values, 0) != PQPING_NO_RESPONSE;
}

/*
 * A session that waits for its client, or that is gone, is one whose messages do not get through
 * (pg_stat_activity: PostgreSQL's manual, "Monitoring Database Activity").
 */
static enum sql_life life_of_session(struct postgres_database *self, PGconn *other, int pid)
{
    char text[24];
    PGresult *result = NULL;
    struct error ignored;
    const struct postgres_parameter parameter = {.text = text};
    snprintf(text, sizeof text, "%d", pid);
    if (postgres_query(
            self, other,
            "SELECT CASE WHEN state IS NULL OR state = 'disabled' THEN 'w' WHEN state <> "
            "'active' THEN 'i' WHEN wait_event_type IS DISTINCT FROM 'Client' THEN 'w' "
            "WHEN wait_event = 'ClientRead' THEN 'r' ELSE 'i' END "
            "FROM pg_catalog.pg_stat_activity WHERE pid = $1::int",
            &parameter, 1, POSTGRES_PROBE, ERROR_NETWORK, &result, &ignored) != STATUS_OK) {
        return SQL_WORKS; /* not known */
    }
    char seen = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0)[0] : 'i';
    PQclear(result);
    return seen == 'w' ? SQL_WORKS : seen == 'r' ? SQL_READS : SQL_IDLES;
}

static void cancel(PGconn *connection)
{
    char ignored[256];
    PGcancel *handle = PQgetCancel(connection);
    if (handle != NULL) {
        (void)!PQcancel(handle, ignored, sizeof ignored);
        PQfreeCancel(handle);
    }
}

bool postgres_signal_session(struct postgres_database *self, PGconn *connection,
                             enum postgres_signal signal)
{
    PGconn *other = NULL;
    char sql[64];
    struct error ignored;
    bool reached = !self->pooled && postgres_reach(self, &other, &ignored) == STATUS_OK;
    if (reached) {
        snprintf(sql, sizeof sql, "SELECT pg_catalog.%s(%d)",
                 signal == POSTGRES_END_SESSION ? "pg_terminate_backend" : "pg_cancel_backend",
                 PQbackendPID(connection));
        (void)!postgres_execute(self, other, sql, POSTGRES_PROBE, ERROR_NETWORK, &ignored);
    } else if (is_reached(self)) { /* a pooler's sessions have other numbers */
        cancel(connection);
        reached = true;
    }
    postgres_disconnect(other);
    return reached;
}

enum sql_life postgres_life_of(struct postgres_database *self, PGconn *connection)
{
    PGconn *other = NULL;
    struct error ignored;
    if (!is_reached(self)) {
        return SQL_SILENT;
    }
    if (self->pooled || postgres_reach(self, &other, &ignored) != STATUS_OK) {
        return SQL_WORKS; /* a pooler's sessions have other numbers */
    }
    enum sql_life life = life_of_session(self, other, PQbackendPID(connection));
    postgres_disconnect(other);
    return life;
}
