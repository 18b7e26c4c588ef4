/* Changing a MySQL or MariaDB schema: the session, its lock, and the functions of the contract. */
#include "connectors/mysql/change/alter.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/mysql/change/change.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/locks.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRACTIONS_MYSQL = 50604, FRACTIONS_MARIADB = 50300 };

/* ---------------------------------------------------------------- opening */

static void alter_close(struct alter_session *base)
{
    struct mysql_alter *session = mysql_alter_of(base);
    if (base == NULL) {
        return;
    }
    mysql_disconnect(session->connection);
    free(session->history_schema);
    arena_destroy(session->arena);
    free(session);
}

/* The settings are the server's own, as a migration would find them in the mysql program. A session
 * whose client's machine vanished gives its lock back within two minutes. */
static enum status set_up(struct mysql_alter *session, struct error *error)
{
    struct mysql_database *self = session->database;
    MYSQL_RES *result = NULL;
    enum status status = mysql_run(self, session->connection,
                                   "SET NAMES utf8mb4, SESSION wait_timeout = 120, autocommit = 1",
                                   SQL_SHORT, ERROR_NETWORK, NULL, error);
    if (status == STATUS_OK) {
        status = mysql_run(self, session->connection,
                           "SELECT concat(connection_id(), ' ', unix_timestamp())", SQL_SHORT,
                           ERROR_NETWORK, &result, error);
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        snprintf(session->base.name, sizeof session->base.name, "%s", row[0]);
    }
    mysql_free_result(result);
    return status == STATUS_OK ? mysql_alter_note_variables(session, error) : status;
}

/* The numbers of this session, as it is told and as the server that answers has it. */
static enum status ask_session(struct mysql_alter *session, char numbers[64], bool *alike,
                               struct error *error)
{
    MYSQL_RES *result = NULL;
    if (mysql_run(session->database, session->connection,
                  "SELECT CONNECTION_ID(), @@session.pseudo_thread_id, @@global.server_id",
                  SQL_SHORT, ERROR_NETWORK, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    bool told = row != NULL && row[0] != NULL && row[1] != NULL && row[2] != NULL;
    snprintf(numbers, 64, "%s %s", told ? row[1] : "", told ? row[2] : "");
    *alike = !told || strcmp(row[0], row[1]) == 0;
    mysql_free_result(result);
    return STATUS_OK;
}

/*
 * A proxy that gives statements of one client to several sessions (ProxySQL, MaxScale) gives itself
 * away: it tells a number of its own, or another session or server answers within a transaction.
 */
static enum status refuse_pooler(struct mysql_alter *session, struct error *error)
{
    char before[64];
    char within[64];
    bool alike = true;
    bool still = true;
    if (session->database->trusts_pooler) {
        return STATUS_OK;
    }
    if (ask_session(session, before, &alike, error) != STATUS_OK ||
        mysql_run(session->database, session->connection, "START TRANSACTION", SQL_SHORT,
                  ERROR_NETWORK, NULL, error) != STATUS_OK ||
        ask_session(session, within, &still, error) != STATUS_OK ||
        mysql_run(session->database, session->connection, "COMMIT", SQL_SHORT, ERROR_NETWORK, NULL,
                  error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (alike && still && strcmp(before, within) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, session->base.shown,
              "a proxy (ProxySQL, MaxScale) stands before the server: neither a lock nor a setting "
              "would hold in its sessions");
    return error_hint(error, "Name the server itself; or, if the proxy keeps a session's "
                             "connection to its end, say so with ?pooler=session.");
}

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct mysql_alter *session = memory_allocate_zeroed(1, sizeof *session);
    bool fractions = self->version >= (self->mariadb ? FRACTIONS_MARIADB : FRACTIONS_MYSQL);
    *opened = NULL;
    session->database = self;
    session->arena = arena_create(0);
    session->lock_ms = -1;
    session->base.history = fractions ? &mysql_history : &mysql_history_old;
    session->base.shown = self->sql.shown;
    session->makes_schema = options->history_schema != NULL;
    session->history_schema = memory_copy_string(
        options->history_schema != NULL ? options->history_schema : self->sql.schema);
    snprintf(session->lock, sizeof session->lock, "'transhume schema %016" PRIx64 "'",
             sql_name_hash(session->history_schema));
    enum status status = mysql_reach_known(self, &session->connection, error);
    status = status == STATUS_OK ? set_up(session, error) : status;
    status = status == STATUS_OK ? refuse_pooler(session, error) : status;
    if (status != STATUS_OK) {
        alter_close(&session->base);
        return STATUS_FAILED;
    }
    *opened = &session->base;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the lock */

static enum status ask_number(struct mysql_alter *session, const char *format, int64_t *number,
                              struct error *error)
{
    struct buffer sql = {0};
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '?') {
            buffer_append_string(&sql, session->lock);
        } else {
            buffer_append_byte(&sql, *at);
        }
    }
    enum status status = mysql_ask_number(session->database, session->connection, &sql, SQL_SHORT,
                                          ERROR_TARGET_LOCKED, -1, number, error);
    return mysql_alter_lost(session, status, error);
}

static const char *value(MYSQL_ROW row, int column)
{
    return row[column] != NULL ? row[column] : "";
}

/* Who claimed the history in that same session says more of himself than the server knows. */
static void tell_claim(struct mysql_alter *session, const char *number, struct ledger_holder *found)
{
    struct arena *arena = arena_create(0);
    struct history_claim claim;
    struct error error = {0};
    size_t length = strlen(number);
    if (sql_history_claim_read(&session->base, arena, &claim, &error) == STATUS_OK &&
        claim.session != NULL && strncmp(claim.session, number, length) == 0 &&
        claim.session[length] == ' ') {
        *found = claim.holder;
        found->lease_ms = 0;
    }
    arena_destroy(arena);
}

static void mysql_alter_tell(struct mysql_alter *session, MYSQL_ROW row,
                             struct ledger_holder *found)
{
    char words[SQL_HOLDER_BYTES];
    struct buffer name = {0};
    bool idle = strcmp(value(row, 2), "Sleep") == 0;
    const struct sql_session holder = {.number = value(row, 0),
                                       .application = "",
                                       .user = value(row, 1),
                                       .state = idle ? "idle" : value(row, 5),
                                       .seconds = value(row, 3),
                                       .query = value(row, 4)};
    tell_claim(session, value(row, 0), found);
    sql_session_describe(&holder, words);
    buffer_format(&name, "%s%s%s", found->name, found->name[0] != '\0' ? ", " : "", words);
    name.length = text_clip(name.data, name.length, sizeof found->name - 1);
    snprintf(found->name, sizeof found->name, "%s", buffer_string(&name));
    buffer_free(&name);
}

static enum status find_holder(struct mysql_alter *session, struct ledger_holder *found,
                               struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *rows = NULL;
    buffer_format(&sql,
                  "SELECT p.id, concat(p.user, '@', p.host), p.command, p.time, left(p.info, 200), "
                  "p.state FROM information_schema.processlist AS p WHERE p.id = IS_USED_LOCK(%s)",
                  session->lock);
    enum status status = mysql_run_buffer(session->database, session->connection, &sql, SQL_SHORT,
                                          ERROR_TARGET_LOCKED, &rows, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(rows) : NULL;
    if (row != NULL) {
        mysql_alter_tell(session, row, found);
    } else if (status == STATUS_OK) {
        snprintf(found->name, sizeof found->name,
                 "a session that has just ended, or of another account");
    }
    mysql_free_result(rows);
    return status == STATUS_OK ? STATUS_AGAIN : mysql_alter_lost(session, status, error);
}

/* A migration may have given it up: RELEASE_ALL_LOCKS(), in old servers a second GET_LOCK. */
static enum status still_ours(struct mysql_alter *session, struct error *error)
{
    int64_t ours = 0;
    if (ask_number(session,
                   "SELECT IS_USED_LOCK(?) IN (CONNECTION_ID(), @@session.pseudo_thread_id)", &ours,
                   error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (ours != 1) {
        error_set(error, ERROR_RUN_FENCED, session->base.shown,
                  "this session does not hold the lock of the schema any more");
        error_hint(error, "a migration gave it up: leave RELEASE_LOCK and RELEASE_ALL_LOCKS, and "
                          "in servers older than MySQL 5.7 GET_LOCK, out of it");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* In a Galera cluster a user lock is of one node, if it is to be had at all. */
static void warn_of_cluster(struct mysql_alter *session)
{
    MYSQL_RES *rows = NULL;
    struct error ignored = {0};
    if (mysql_run(session->database, session->connection, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'",
                  SQL_SHORT, ERROR_TARGET_LOCKED, &rows, &ignored) != STATUS_OK) {
        return;
    }
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row != NULL && row[1] != NULL && strcasecmp(row[1], "ON") == 0) {
        log_write(
            LOG_WARNING,
            "%s: a node of a Galera cluster: the lock of the schema holds at this node alone; "
            "change the schema through one node",
            session->base.shown);
    }
    mysql_free_result(rows);
}

static enum status alter_lock(struct alter_session *base, const struct ledger_holder *self,
                              struct ledger_holder *found, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    int64_t got = 0;
    (void)self;
    if (session->locked) {
        return still_ours(session, error);
    }
    if (ask_number(session, "SELECT GET_LOCK(?, 0)", &got, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->locked = got == 1;
    *found = (struct ledger_holder){0};
    if (session->locked) {
        warn_of_cluster(session);
    }
    return session->locked ? STATUS_OK : find_holder(session, found, error);
}

/* Where a migration gave it up. */
static enum status lock_again(struct mysql_alter *session, struct error *error)
{
    struct ledger_holder found;
    struct error lost = {0};
    enum status status = still_ours(session, &lost);
    if (status == STATUS_OK || lost.code != ERROR_RUN_FENCED) {
        return status == STATUS_OK ? status : error_copy(error, &lost);
    }
    session->locked = false;
    status = alter_lock(&session->base, NULL, &found, error);
    if (status == STATUS_OK) {
        log_write(LOG_WARNING, "%s: a migration gave the lock of the schema up; it was taken again",
                  session->base.shown);
    }
    return status == STATUS_AGAIN ? error_copy(error, &lost) : status;
}

static enum status end_holder(struct alter_session *base, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    return mysql_holder_end(session->database, session->connection, session->lock, true, error);
}

/* ---------------------------------------------------------------- between files */

static enum status settle_session(struct alter_session *base, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    struct mysql_database *self = session->database;
    enum status status =
        mysql_run(self, session->connection, "ROLLBACK", SQL_LONG, ERROR_NETWORK, NULL, error);
    if (status == STATUS_OK) {
        status = mysql_run(self, session->connection, "UNLOCK TABLES", SQL_LONG, ERROR_NETWORK,
                           NULL, error);
    }
    if (status == STATUS_OK) {
        status = mysql_run_buffer(self, session->connection, mysql_sql("USE %n", self->sql.schema),
                                  SQL_SHORT, ERROR_NETWORK, NULL, error);
    }
    status = status == STATUS_OK ? mysql_alter_put_back(session, error) : status;
    if (status == STATUS_OK) {
        status = mysql_run(self, session->connection, "SET " MYSQL_CHANGE_COPIES " = NULL",
                           SQL_SHORT, ERROR_NETWORK, NULL, error);
    }
    status = mysql_alter_lost(session, status, error);
    return status == STATUS_OK && session->locked ? lock_again(session, error) : status;
}

/* ---------------------------------------------------------------- the history */

static enum status history_make(struct alter_session *base, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    struct buffer sql = {0};
    int64_t there = 1;
    enum status status = STATUS_OK;
    if (session->makes_schema) {
        mysql_append(&sql,
                     "SELECT count(*) FROM information_schema.schemata WHERE schema_name = %q",
                     session->history_schema);
        status = mysql_ask_number(session->database, session->connection, &sql, SQL_SHORT,
                                  ERROR_TARGET_WRITE, 0, &there, error);
    }
    if (status == STATUS_OK && there == 0) {
        mysql_append(&sql, "CREATE DATABASE IF NOT EXISTS %n", session->history_schema);
        status = mysql_run_buffer(session->database, session->connection, &sql, SQL_LONG,
                                  ERROR_TARGET_WRITE, NULL, error);
    }
    return status == STATUS_OK ? sql_history_make(base, error)
                               : mysql_alter_lost(session, status, error);
}

/* ---------------------------------------------------------------- the server's log */

/* "binlog.000012:1234"; none where the account may not ask, or there is no binary log. */
static enum status restore_point(struct alter_session *base, const char *name, struct arena *arena,
                                 const char **position, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    struct error ignored = {0};
    MYSQL_RES *result = NULL;
    bool renamed = !session->database->mariadb && session->database->version >= 80200;
    (void)name;
    *position = NULL;
    enum status status = mysql_run(session->database, session->connection,
                                   renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
                                   SQL_SHORT, ERROR_TARGET_WRITE, &result, &ignored);
    MYSQL_ROW row = status == STATUS_OK && result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL) {
        *position = arena_format(arena, "%s:%s", value(row, 0), value(row, 1));
    }
    mysql_free_result(result);
    if (status != STATUS_OK && !mysql_is_alive(session->connection)) {
        error_copy(error, &ignored);
        return mysql_alter_lost(session, status, error);
    }
    return STATUS_OK;
}

const struct alter_functions mysql_alter_functions = {
    .languages = 1u << ALTER_SQL,
    .sql = SQL_MYSQL,
    .open = alter_open,
    .close = alter_close,
    .lock = alter_lock,
    .end_holder = end_holder,
    .begin = mysql_alter_begin,
    .end = mysql_alter_end,
    .run = mysql_alter_run,
    .ask = mysql_alter_ask,
    .settle_session = settle_session,
    .history_make = history_make,
    .history_read = sql_history_read,
    .history_read_steps = sql_history_read_steps,
    .history_down_text = sql_history_down_text,
    .history_claim_read = sql_history_claim_read,
    .history_claim = sql_history_claim,
    .history_put = sql_history_put,
    .history_put_step = sql_history_put_step,
    .witness = mysql_alter_witness,
    .settle = mysql_alter_settle,
    .restore_point = restore_point,
};
