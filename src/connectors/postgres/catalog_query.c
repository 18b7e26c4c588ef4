/*
 * Queries of the catalogue and of our own tables, in which no name means what another role made.
 *
 * A role that may CREATE in a schema of the search_path can make an operator or a function there
 * whose arguments fit better than those of pg_catalog, and the server takes it (CVE-2018-1058). So
 * the query is analysed and planned with an empty search_path, where there is pg_catalog alone.
 * What it tells has to be as ever, though: pg_get_viewdef, format_type and others leave out the
 * schemas of the path. So the query itself puts the path back, as the first thing that it does:
 *
 *     SELECT set_config('transhume.path', <the path>, true), set_config('search_path', '', true);
 *     SELECT * FROM (<the query>) AS _asked
 *      WHERE (SELECT set_config('search_path', <the path>, true)) IS NOT NULL;
 *     SELECT set_config('search_path', <the path>, true);       -- in a transaction that goes on
 *
 * The condition has no column and nothing volatile outside of its subquery, so that the planner
 * makes a one-time filter of it, ahead of all else. All is sent at once, as a pipeline: one
 * transaction, if none is open.
 */
#include "connectors/postgres/locks.h"
#include "connectors/postgres/postgres_internal.h"
#include <stdio.h>

#define CLOSE_PATH                                                                               \
    "SELECT pg_catalog.set_config('transhume.path', pg_catalog.current_setting('search_path'), " \
    "true), pg_catalog.set_config('search_path', '', true)"
#define OPEN_PATH                                                                                \
    "SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('transhume.path'), " \
    "true)"

/* The place of what is asked among the statements of the pipeline. */
enum { PLACE_OF_QUERY = 1 };

void postgres_append_path_closed(struct buffer *sql)
{
    buffer_append_string(sql, CLOSE_PATH "; ");
}

void postgres_append_path_opened(struct buffer *sql)
{
    buffer_append_string(sql, "; " OPEN_PATH);
}

static bool send_query(PGconn *connection, const char *sql)
{
    return PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0) != 0;
}

/* Puts `sql` between those that close and open the path. */
static bool send_first(PGconn *connection, bool *within)
{
    *within = PQtransactionStatus(connection) != PQTRANS_IDLE;
    return PQenterPipelineMode(connection) != 0 && send_query(connection, CLOSE_PATH);
}

static bool send_last(PGconn *connection, bool within)
{
    return (!within || send_query(connection, OPEN_PATH)) && PQpipelineSync(connection) != 0;
}

/* A statement before that was read row by row has libpq read the first of a pipeline so, too. */
static bool is_fine(ExecStatusType state)
{
    return state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK || state == PGRES_SINGLE_TUPLE;
}

/* Takes all results up to the end of the pipeline: that of the query if it is wanted, and the first
 * bad one as the failure. */
static enum status results_collect(struct postgres_database *self, PGconn *connection,
                                   enum sql_patience patience, enum error_code otherwise,
                                   PGresult **wanted, struct error *error)
{
    enum status status = STATUS_OK;
    struct postgres_lock_watch watch;
    bool watches = self->mode == OPEN_TARGET && patience != SQL_PROBE;
    bool ends = false;
    int place = 0;

    postgres_lock_watch_begin(self, &watch);
    while (!ends) {
        PGresult *result = NULL;
        struct error later = {0};
        if (postgres_next_watched(self, connection, patience, watches ? &watch : NULL, &result,
                                  status == STATUS_OK ? error : &later) != STATUS_OK) {
            return STATUS_FAILED;
        }
        ExecStatusType state = PQresultStatus(result);
        ends = state == PGRES_PIPELINE_SYNC || PQstatus(connection) != CONNECTION_OK;
        if (result == NULL) {
            place++;
        } else if (state == PGRES_TUPLES_OK && place == PLACE_OF_QUERY && wanted != NULL) {
            *wanted = result;
            continue;
        } else if (!is_fine(state) && state != PGRES_PIPELINE_SYNC &&
                   state != PGRES_PIPELINE_ABORTED && status == STATUS_OK) {
            status = postgres_failure(self, connection, result, otherwise, error);
            postgres_lock_watch_tell(&watch, error);
        }
        PQclear(result);
    }
    bool left = PQstatus(connection) == CONNECTION_OK && PQexitPipelineMode(connection) != 0;
    return left || status != STATUS_OK
               ? status
               : postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
}

static enum status pipeline_end(struct postgres_database *self, PGconn *connection, bool sent,
                                enum sql_patience patience, enum error_code otherwise,
                                PGresult **result, struct error *error)
{
    PGresult *found = NULL;
    enum status status = sent ? results_collect(self, connection, patience, otherwise,
                                                result != NULL ? &found : NULL, error)
                              : postgres_failure(self, connection, NULL, ERROR_NETWORK, error);
    if (status != STATUS_OK) {
        PQclear(found);
        found = NULL;
    }
    if (result != NULL) {
        *result = found;
    }
    return status;
}

static void append_asked(struct buffer *out, const char *sql)
{
    buffer_format(out, "SELECT * FROM (%s\n) AS _asked WHERE " POSTGRES_PATH_OPENS, sql);
}

static enum status pipeline_run(struct postgres_database *self, PGconn *connection, const char *sql,
                                const struct postgres_parameter *parameters, int count,
                                enum sql_patience patience, enum error_code otherwise,
                                PGresult **result, struct error *error)
{
    const char *values[POSTGRES_CATALOG_PARAMETERS_MAX];
    bool within = false;
    if (result != NULL) {
        *result = NULL;
    }
    if (count > POSTGRES_CATALOG_PARAMETERS_MAX) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown, "too many parameters");
    }
    for (int i = 0; i < count; i++) {
        values[i] = parameters[i].text;
    }
    bool sent = send_first(connection, &within) &&
                PQsendQueryParams(connection, sql, count, NULL, values, NULL, NULL, 0) != 0 &&
                send_last(connection, within);
    return pipeline_end(self, connection, sent, patience, otherwise, result, error);
}

enum status postgres_catalog_query(struct postgres_database *self, PGconn *connection,
                                   const char *sql, const struct postgres_parameter *parameters,
                                   int parameter_count, enum sql_patience patience,
                                   enum error_code otherwise, PGresult **result,
                                   struct error *error)
{
    struct buffer asked = {0};
    append_asked(&asked, sql);
    enum status status = pipeline_run(self, connection, buffer_string(&asked), parameters,
                                      parameter_count, patience, otherwise, result, error);
    buffer_free(&asked);
    return status;
}

enum status postgres_catalog_query_buffer(struct postgres_database *self, PGconn *connection,
                                          struct buffer *sql,
                                          const struct postgres_parameter *parameters,
                                          int parameter_count, enum sql_patience patience,
                                          enum error_code otherwise, PGresult **result,
                                          struct error *error)
{
    enum status status =
        postgres_catalog_query(self, connection, buffer_string(sql), parameters, parameter_count,
                               patience, otherwise, result, error);
    buffer_free(sql);
    return status;
}

enum status postgres_catalog_change(struct postgres_database *self, PGconn *connection,
                                    struct buffer *sql, const struct postgres_parameter *parameters,
                                    int parameter_count, enum sql_patience patience,
                                    enum error_code otherwise, PGresult **result,
                                    struct error *error)
{
    enum status status = pipeline_run(self, connection, buffer_string(sql), parameters,
                                      parameter_count, patience, otherwise, result, error);
    buffer_free(sql);
    return status;
}

static enum status prepare_kept(struct postgres_database *self, PGconn *connection, uint32_t number,
                                const char *name, const char *sql, enum sql_patience patience,
                                enum error_code otherwise, struct error *error)
{
    bool within = false;
    bool sent = send_first(connection, &within) &&
                PQsendPrepare(connection, name, sql, 0, NULL) != 0 && send_last(connection, within);
    enum status status = pipeline_end(self, connection, sent, patience, otherwise, NULL, error);
    if (status == STATUS_OK) {
        postgres_identity_keep(connection, number);
    }
    return status;
}

enum status postgres_catalog_query_kept(struct postgres_database *self, PGconn *connection,
                                        uint32_t number, struct buffer *sql,
                                        enum sql_patience patience, enum error_code otherwise,
                                        PGresult **result, struct error *error)
{
    /* a pooler's sessions are others' as well */
    enum postgres_kept kept =
        self->pooled ? POSTGRES_KEPT_NEVER : postgres_identity_kept(connection, number);
    struct buffer asked = {0};
    enum status status = STATUS_OK;
    bool within = false;
    char name[32];
    *result = NULL;
    if (kept == POSTGRES_KEPT_NEVER) {
        return postgres_catalog_query_buffer(self, connection, sql, NULL, 0, patience, otherwise,
                                             result, error);
    }
    snprintf(name, sizeof name, "transhume_%u", number);
    append_asked(&asked, buffer_string(sql));
    buffer_free(sql);
    if (kept == POSTGRES_KEPT_NOT_YET) {
        status = prepare_kept(self, connection, number, name, buffer_string(&asked), patience,
                              otherwise, error);
    }
    buffer_free(&asked);
    if (status != STATUS_OK) {
        return status;
    }
    bool sent = send_first(connection, &within) &&
                PQsendQueryPrepared(connection, name, 0, NULL, NULL, NULL, 0) != 0 &&
                send_last(connection, within);
    return pipeline_end(self, connection, sent, patience, otherwise, result, error);
}
