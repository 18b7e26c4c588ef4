/* Changing a PostgreSQL schema: the session, its settings, and the functions of the contract. */
#include "connectors/postgres/change/alter.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A migration runs with the settings of the server, the database and the role, as it would in psql.
 * These alone are ours: a session that is idle while the program looks at files is not ended, and
 * one whose client's machine vanished gives its locks back within half a minute.
 */
static const char settings[] =
    "SET client_encoding = 'UTF8'; SET idle_in_transaction_session_timeout = 0; "
    "SET client_min_messages = 'error'; SET exit_on_error = off; SET tcp_keepalives_idle = 10; "
    "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/* Whatever a file did to the session but the advisory lock. */
static const char back_to_defaults[] =
    "RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; ";

/* ---------------------------------------------------------------- settings */

static void append_settings(const struct postgres_alter *session, struct buffer *sql)
{
    const char *schema = session->database->sql.schema;
    int version = session->database->server_version;
    buffer_format(sql, "%s%s", settings, version >= 140000 ? "; SET idle_session_timeout = 0" : "");
    if (session->program != NULL) {
        postgres_append(sql, "; SET application_name = %q", session->program);
    }
    postgres_append(sql,
                    "; SELECT pg_catalog.set_config('search_path', CASE WHEN "
                    "pg_catalog.current_schema() OPERATOR(pg_catalog.=) %q AND NOT "
                    "(" POSTGRES_PATH_HAS_CATALOG ") THEN pg_catalog.current_setting("
                    "'search_path') ELSE " POSTGRES_PATH_LIST("%q") " END, false)",
                    schema, schema);
}

static enum status set_up(struct postgres_alter *session, const char *before, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    append_settings(session, &sql);
    memset(session->lock_ms, 0, sizeof session->lock_ms);
    memset(session->time_ms, 0, sizeof session->time_ms);
    return postgres_execute_buffer(session->database, session->connection, &sql, SQL_LONG,
                                   ERROR_NETWORK, error);
}

static enum status settle_session(struct alter_session *base, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    if (PQtransactionStatus(session->connection) != PQTRANS_IDLE &&
        postgres_execute(session->database, session->connection, "ROLLBACK", SQL_LONG,
                         ERROR_NETWORK, error) != STATUS_OK) {
        return postgres_alter_lost(session, STATUS_FAILED, error);
    }
    enum status status =
        postgres_alter_lost(session, set_up(session, back_to_defaults, error), error);
    return status == STATUS_OK && session->locked ? postgres_alter_lock_again(session, error)
                                                  : status;
}

/* ---------------------------------------------------------------- opening */

static void alter_close(struct alter_session *base)
{
    struct postgres_alter *session = postgres_alter_of(base);
    if (base == NULL) {
        return;
    }
    postgres_disconnect(session->connection);
    free(session->program);
    free(session->history_schema);
    buffer_free(&session->first);
    buffer_free(&session->last);
    free(session);
}

/* Has somebody chosen the name under which the sessions are listed? */
static bool is_named(const struct postgres_database *self)
{
    bool named = getenv("PGAPPNAME") != NULL;
    for (uint32_t i = 0; i < self->setting_count; i++) {
        named = named || strcmp(self->keywords[i], "application_name") == 0;
    }
    return named;
}

/* "transhume schema up", without what it was called with. */
static char *first_words(const char *program)
{
    enum { WORDS = 3 };
    size_t length = 0;
    for (int i = 0; i < WORDS && program[length] != '\0'; i++) {
        length += i > 0;
        length += strcspn(program + length, " ");
    }
    return memory_format("%.*s", (int)length, program);
}

/* The control connection, where nothing is done with it yet: a connection costs some milliseconds.
 * Who needs it later has it made anew. */
static enum status postgres_alter_connect(struct postgres_alter *session, bool beside,
                                          const char **before, struct error *error)
{
    struct postgres_database *self = session->database;
    *before = "";
    if (!beside && self->control != NULL && self->sql.run_id == NULL && !self->pooled &&
        atomic_load(&self->control_store) == NULL && PQstatus(self->control) == CONNECTION_OK &&
        PQtransactionStatus(self->control) == PQTRANS_IDLE) {
        session->connection = self->control;
        self->control = NULL;
        *before = "RESET ALL; ";
        return STATUS_OK;
    }
    enum status status = postgres_reach(self, &session->connection, error);
    return status == STATUS_OK ? postgres_identity_add(self, session->connection, error) : status;
}

static void choose_lock(struct postgres_alter *session)
{
    char *name = memory_format("transhume schema %s", session->history_schema);
    session->lock_key = (int64_t)sql_name_hash(name);
    free(name);
}

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_alter *session = memory_allocate_zeroed(1, sizeof *session);
    const char *before = "";
    *opened = NULL;
    session->database = self;
    session->base.history = &postgres_history;
    session->base.shown = self->sql.shown;
    session->makes_schema = options->history_schema != NULL;
    session->history_schema = memory_copy_string(
        options->history_schema != NULL ? options->history_schema : self->sql.schema);
    session->program =
        options->program != NULL && !is_named(self) ? first_words(options->program) : NULL;
    choose_lock(session);
    enum status status = postgres_alter_connect(session, options->beside, &before, error);
    status = status == STATUS_OK ? set_up(session, before, error) : status;
    if (status != STATUS_OK) {
        alter_close(&session->base);
        return STATUS_FAILED;
    }
    *opened = &session->base;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the history */

static enum status make_schema(struct postgres_alter *session, struct error *error)
{
    const struct postgres_parameter parameter = {.text = session->history_schema};
    PGresult *found = NULL;
    enum status status =
        postgres_catalog_query(session->database, session->connection,
                               "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                               &parameter, 1, SQL_SHORT, ERROR_TARGET_WRITE, &found, error);
    bool there = status == STATUS_OK && PQntuples(found) > 0;
    PQclear(found);
    if (status != STATUS_OK || there) {
        return status;
    }
    return postgres_execute_buffer(
        session->database, session->connection,
        postgres_sql("CREATE SCHEMA IF NOT EXISTS %n", session->history_schema), SQL_LONG,
        ERROR_TARGET_WRITE, error);
}

static enum status history_make(struct alter_session *base, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    enum status status = session->makes_schema ? make_schema(session, error) : STATUS_OK;
    return status == STATUS_OK ? sql_history_make(base, error) : status;
}

/* ---------------------------------------------------------------- the server's log */

/* A role that may not run a function may not even name it in a branch that is never taken. */
static enum status may_name_points(struct postgres_alter *session, bool *may, struct error *error)
{
    PGresult *result = NULL;
    enum status status =
        postgres_query(session->database, session->connection,
                       "SELECT pg_catalog.has_function_privilege("
                       "'pg_catalog.pg_create_restore_point(text)', 'execute') AND "
                       "pg_catalog.current_setting('wal_level') <> 'minimal'",
                       NULL, 0, SQL_SHORT, ERROR_TARGET_WRITE, &result, error);
    *may = status == STATUS_OK && PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

static enum status restore_point(struct alter_session *base, const char *name, struct arena *arena,
                                 const char **position, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    const struct postgres_parameter parameter = {.text = name};
    PGresult *result = NULL;
    bool may = false;
    *position = NULL;
    enum status status = may_name_points(session, &may, error);
    if (status == STATUS_OK) {
        status = postgres_query(
            session->database, session->connection,
            may ? "SELECT pg_catalog.pg_create_restore_point(pg_catalog.left($1, 60))"
                : "SELECT pg_catalog.pg_current_wal_lsn()",
            &parameter, may ? 1 : 0, SQL_SHORT, ERROR_TARGET_WRITE, &result, error);
    }
    if (status == STATUS_OK && PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0) {
        *position = arena_copy_string(arena, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

static void set_durable(struct alter_session *base, bool durable)
{
    postgres_alter_of(base)->lazy = !durable;
}

const struct alter_functions postgres_alter_functions = {
    .languages = 1u << ALTER_SQL,
    .sql = SQL_POSTGRES,
    .takes_back_ddl = true,
    .open = alter_open,
    .close = alter_close,
    .lock = postgres_alter_lock,
    .end_holder = postgres_alter_end_holder,
    .begin = postgres_alter_begin,
    .end = postgres_alter_end,
    .set_durable = set_durable,
    .run = postgres_alter_run,
    .ask = postgres_alter_ask,
    .settle_session = settle_session,
    .history_make = history_make,
    .history_read = sql_history_read,
    .history_read_steps = sql_history_read_steps,
    .history_down_text = sql_history_down_text,
    .history_claim_read = sql_history_claim_read,
    .history_claim = sql_history_claim,
    .history_put = sql_history_put,
    .history_put_step = sql_history_put_step,
    .witness = postgres_alter_witness,
    .settle = postgres_alter_settle,
    .restore_point = restore_point,
};
