/* How hard the server is at work: the statements of others, and how far its replicas are behind.
 * Views and columns: PostgreSQL's manual, "The Cumulative Statistics System". */
#include "connectors/contract/load.h"
#include "base/memory.h"
#include "connectors/postgres/postgres_internal.h"
#include <stdlib.h>

struct load_watch {
    struct postgres_database *self;
    PGconn *connection; /* NULL: broke */
};

/* A primary's replicas report their lag, and none while they have nothing to replay. Who waits for
 * us, by way of others too, would only wait longer if we paused. */
static const char sql[] =
    "WITH RECURSIVE waits AS (SELECT pid, pg_catalog.pg_blocking_pids(pid) AS holders"
    " FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock'),"
    " ours AS (SELECT pid FROM pg_catalog.pg_stat_activity"
    " WHERE application_name = pg_catalog.current_setting('application_name')"
    " UNION SELECT waits.pid FROM waits JOIN ours ON ours.pid = ANY (waits.holders))"
    " SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN CASE"
    " WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0"
    " ELSE extract(epoch FROM pg_catalog.clock_timestamp()"
    " - pg_catalog.pg_last_xact_replay_timestamp()) END"
    " WHEN told THEN (SELECT max(coalesce(extract(epoch FROM replay_lag), 0))"
    " FROM pg_catalog.pg_stat_replication WHERE state IN ('streaming', 'catchup')) END,"
    " CASE WHEN told THEN running END, CASE WHEN told THEN longest END, told"
    " FROM (SELECT count(*) AS running, coalesce(max(extract(epoch FROM"
    " pg_catalog.clock_timestamp() - query_start)), 0) AS longest"
    " FROM pg_catalog.pg_stat_activity WHERE state = 'active'"
    " AND backend_type = 'client backend'"
    " AND pid NOT IN (SELECT pid FROM ours WHERE pid IS NOT NULL)) AS others,"
    " (SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS told) AS role";

static void load_close(struct load_watch *watch)
{
    if (watch != NULL) {
        postgres_disconnect(watch->connection);
        free(watch);
    }
}

static enum status load_open(struct database *database, struct load_watch **watch,
                             struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    *watch = memory_allocate_zeroed(1, sizeof **watch);
    (*watch)->self = self;
    if (postgres_connect(self, &(*watch)->connection, error) != STATUS_OK) {
        load_close(*watch);
        *watch = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static double number_or_unknown(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? -1 : strtod(PQgetvalue(result, 0, column), NULL);
}

static enum status load_ask(struct load_watch *watch, struct database_load *load,
                            struct error *error)
{
    struct postgres_database *self = watch->self;
    PGresult *result = NULL;
    *load = (struct database_load){.lag_s = -1, .running = -1, .statement_s = -1};
    enum status status =
        watch->connection != NULL ? STATUS_OK : postgres_connect(self, &watch->connection, error);
    if (status == STATUS_OK) {
        status = postgres_catalog_query(self, watch->connection, sql, NULL, 0, SQL_SHORT,
                                        ERROR_NETWORK, &result, error);
    }
    if (status != STATUS_OK) {
        postgres_disconnect(watch->connection);
        watch->connection = NULL;
        return STATUS_FAILED;
    }
    load->lag_s = number_or_unknown(result, 0);
    load->running = (int64_t)number_or_unknown(result, 1);
    load->statement_s = number_or_unknown(result, 2);
    load->grant = PQgetvalue(result, 0, 3)[0] == 't' ? NULL : "GRANT pg_read_all_stats TO the role";
    PQclear(result);
    return STATUS_OK;
}

enum status postgres_caveats(struct database *database, struct buffer *out, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    (void)error;
    buffer_append_string(out, POSTGRES_STAYS_OPEN "\n");
    if (self->standby) {
        buffer_append_string(out,
                             "the source is a standby: it may cancel what reads for longer than "
                             "max_standby_streaming_delay\n");
    }
    return STATUS_OK;
}

const struct load_functions postgres_load_functions = {
    .open = load_open,
    .ask = load_ask,
    .close = load_close,
};
