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
 * (pg_stat_activity: PostgreSQL's manual, "Monitoring Database Activity"); so is one that the
 * server does not know, which may be another than the one it was made to.
 */
static enum sql_life life_of_session(struct postgres_database *self, PGconn *other,
                                     const PGconn *connection)
{
    char pid[24];
    char name[POSTGRES_SESSION_BYTES];
    PGresult *result = NULL;
    struct error ignored;
    const struct postgres_parameter parameters[] = {
        {.text = pid}, {.text = postgres_identity_name(connection, name) ? name : NULL}};
    snprintf(pid, sizeof pid, "%d", PQbackendPID(connection));
    if (postgres_catalog_query(
            self, other,
            "SELECT CASE WHEN state IS NULL OR state = 'disabled' THEN 'w' WHEN state <> "
            "'active' THEN 'i' WHEN wait_event_type IS DISTINCT FROM 'Client' THEN 'w' "
            "WHEN wait_event = 'ClientRead' THEN 'r' ELSE 'i' END "
            "FROM pg_catalog.pg_stat_activity AS a WHERE pid = $1::int AND ($2::text IS NULL OR "
            "$2::text = " POSTGRES_SESSION_NAME ")",
            parameters, 2, SQL_PROBE, ERROR_NETWORK, &result, &ignored) != STATUS_OK) {
        return SQL_WORKS; /* not known */
    }
    char seen = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0)[0] : 'i';
    PQclear(result);
    return seen == 'w' ? SQL_WORKS : seen == 'r' ? SQL_READS : SQL_IDLES;
}

static void statement_cancel(PGconn *connection)
{
    char ignored[256];
    PGcancel *handle = PQgetCancel(connection);
    if (handle != NULL) {
        (void)!PQcancel(handle, ignored, sizeof ignored);
        PQfreeCancel(handle);
    }
}

static void signal_by_number(struct postgres_database *self, PGconn *other, PGconn *connection,
                             enum postgres_signal signal)
{
    char pid[24];
    char name[POSTGRES_SESSION_BYTES];
    struct error ignored;
    const struct postgres_parameter parameters[] = {{.text = pid}, {.text = name}};
    if (!postgres_identity_name(connection, name)) {
        statement_cancel(connection); /* its key is a secret of the session's */
        return;
    }
    snprintf(pid, sizeof pid, "%d", PQbackendPID(connection));
    (void)!postgres_catalog_query_buffer(
        self, other,
        postgres_sql("SELECT pg_catalog.%s(a.pid) FROM pg_catalog.pg_stat_activity AS a WHERE "
                     "a.pid = $1::int AND $2::text = " POSTGRES_SESSION_NAME,
                     signal == POSTGRES_END_SESSION ? "pg_terminate_backend" : "pg_cancel_backend"),
        parameters, 2, SQL_PROBE, ERROR_NETWORK, NULL, &ignored);
}

bool postgres_signal_session(struct postgres_database *self, PGconn *connection,
                             enum postgres_signal signal)
{
    PGconn *other = NULL;
    struct error ignored;
    bool reached = !self->pooled && postgres_reach(self, &other, &ignored) == STATUS_OK;
    if (reached) {
        signal_by_number(self, other, connection, signal);
    } else if (is_reached(self)) { /* a pooler's sessions have other numbers */
        statement_cancel(connection);
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
    enum sql_life life = life_of_session(self, other, connection);
    postgres_disconnect(other);
    return life;
}
