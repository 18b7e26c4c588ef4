/* Running the statements of a migration, one at a time. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/mysql/change/alter.h"
#include "connectors/mysql/locks.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 100, TELL_EACH_MS = 1000, STATEMENT_KILLED = 1317, LOST_MID_QUERY = 2013 };

/* ---------------------------------------------------------------- transactions */

enum status mysql_alter_begin(struct alter_session *base, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    enum status status = mysql_run(session->database, session->connection, "START TRANSACTION",
                                   SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
    session->within = status == STATUS_OK;
    return mysql_alter_lost(session, status, error);
}

enum status mysql_alter_end(struct alter_session *base, enum status status, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    struct error ignored;
    bool commits = status == STATUS_OK;
    if (commits) {
        status = failpoint_hit("mysql.before_alter", error);
    }
    if (status == STATUS_OK) {
        status = mysql_run(session->database, session->connection, "COMMIT", SQL_LONG,
                           ERROR_TARGET_WRITE, NULL, error);
        status = mysql_alter_lost(session, status, error);
    }
    if (status != STATUS_OK && mysql_is_alive(session->connection)) {
        (void)!mysql_run(session->database, session->connection, "ROLLBACK", SQL_LONG,
                         ERROR_TARGET_WRITE, NULL, &ignored);
    }
    session->within = false;
    /* A failure behind the COMMIT is one of which the history says what it committed. */
    if (status == STATUS_OK && failpoint_hit("mysql.after_alter", error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
    }
    return status;
}

/* ---------------------------------------------------------------- waiting */

struct running {
    struct mysql_alter *session;
    const struct alter_request *request;
    struct alter_answer *answer;
    MYSQL *beside;  /* asks how far it is */
    int64_t end_ms; /* 0: none */
    int64_t tell_ms;
    bool ended; /* the statement, by us */
    bool late;  /* since it took too long */
};

/* MariaDB tells the part that is done, and both the state. */
static void ask_progress(struct running *running)
{
    struct mysql_database *self = running->session->database;
    const struct alter_request *request = running->request;
    struct buffer sql = {0};
    struct error ignored;
    MYSQL_RES *result = NULL;
    if (running->beside == NULL && mysql_reach(self, &running->beside, &ignored) != STATUS_OK) {
        request->progress(request->context, -1, NULL);
        return;
    }
    buffer_format(&sql, "SELECT state, %s FROM information_schema.processlist WHERE id = %lu",
                  self->mariadb ? "CASE WHEN max_stage > 0 THEN (stage - 1 + progress / 100) / "
                                  "max_stage ELSE -1 END"
                                : "-1",
                  mysql_thread_id(running->session->connection));
    enum status status =
        mysql_run_buffer(self, running->beside, &sql, SQL_PROBE, ERROR_NETWORK, &result, &ignored);
    MYSQL_ROW row = status == STATUS_OK && result != NULL ? mysql_fetch_row(result) : NULL;
    double done = row != NULL && row[1] != NULL ? strtod(row[1], NULL) : -1;
    request->progress(request->context, done,
                      row != NULL && row[0] != NULL && row[0][0] != '\0' ? row[0] : NULL);
    mysql_free_result(result);
}

static enum status look_around(struct running *running, struct sql_vigil *vigil,
                               struct error *error)
{
    struct mysql_database *self = running->session->database;
    MYSQL *connection = running->session->connection;
    int64_t now_ms = clock_monotonic_ms();
    bool late = running->end_ms > 0 && now_ms >= running->end_ms;
    if (!running->ended && (late || signals_stop_level() >= 2)) {
        mysql_kill_statement(self, connection);
        running->ended = true;
        running->late = late;
    }
    if (running->request->progress != NULL && now_ms >= running->tell_ms) {
        ask_progress(running);
        running->tell_ms = clock_monotonic_ms() + TELL_EACH_MS;
    }
    return sql_vigil_is_due(vigil) ? mysql_keep_vigil(self, connection, vigil, error) : STATUS_OK;
}

static enum status await(struct running *running, struct error *error)
{
    MYSQL *connection = running->session->connection;
    struct pollfd waiting = {.fd = mysql_get_socket(connection), .events = POLLIN};
    struct sql_vigil vigil;
    sql_vigil_begin(&vigil, running->session->database->timeout_ms);
    while (poll(&waiting, 1, WAIT_MS) <= 0) {
        if (look_around(running, &vigil, error) != STATUS_OK) {
            (void)!mysql_read_query_result(connection); /* notes that the connection is over */
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- failures */

/* "… near 'SELEKT 1' at line 3": where that stands in the text. Of the server's own making are the
 * quotes alone. */
static size_t place_of(const struct alter_request *request, const char *words)
{
    const char *near = strstr(words, " near '");
    const char *end = near != NULL ? strstr(near, "' at line ") : NULL;
    long line = 1;
    if (end == NULL) {
        return SIZE_MAX;
    }
    near += strlen(" near '");
    line = strtol(end + strlen("' at line "), NULL, 10);
    size_t from = 0;
    while (line > 1 && from < request->length) {
        line -= request->text[from++] == '\n';
    }
    size_t length = (size_t)(end - near);
    const char *found =
        length > 0 ? memmem(request->text + from, request->length - from, near, length) : NULL;
    return found != NULL ? (size_t)(found - request->text) : length == 0 ? request->length : from;
}

static enum status alter_run_fail(struct running *running, struct error *error)
{
    struct mysql_alter *session = running->session;
    struct alter_answer *answer = running->answer;
    unsigned number = mysql_errno(session->connection);
    snprintf(answer->state, sizeof answer->state, "%u", number % 1000000);
    answer->fault = place_of(running->request, mysql_error(session->connection));
    mysql_failure(session->database, session->connection, ERROR_TARGET_WRITE, error);
    if (running->late && number == STATEMENT_KILLED) {
        error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                  "the statement was ended after %" PRId64 " ms", running->request->time_ms);
        error_hint(error, "give it more time with --statement-timeout");
    }
    return mysql_alter_lost(session, STATUS_FAILED, error);
}

/* ---------------------------------------------------------------- results */

static enum status take_result(struct running *running, struct error *error)
{
    MYSQL *connection = running->session->connection;
    MYSQL_RES *result = mysql_use_result(connection);
    struct alter_answer *answer = running->answer;
    uint64_t rows = 0;
    if (result == NULL && mysql_field_count(connection) > 0) {
        return alter_run_fail(running, error);
    }
    if (result == NULL) {
        answer->counts = true;
        answer->rows = mysql_affected_rows(connection);
        return STATUS_OK;
    }
    while (mysql_fetch_row(result) != NULL) {
        rows++;
    }
    bool broken = mysql_errno(connection) != 0;
    mysql_free_result(result);
    answer->counts = true;
    answer->rows = rows;
    return broken ? alter_run_fail(running, error) : STATUS_OK;
}

/* A procedure brings several. */
static enum status take_all(struct running *running, struct error *error)
{
    MYSQL *connection = running->session->connection;
    enum status status = await(running, error);
    if (status == STATUS_OK && mysql_read_query_result(connection) != 0) {
        status = alter_run_fail(running, error);
    }
    status = status == STATUS_OK ? take_result(running, error) : status;
    while (status == STATUS_OK && mysql_more_results(connection)) {
        status = mysql_next_result(connection) > 0 ? alter_run_fail(running, error)
                                                   : take_result(running, error);
    }
    return status;
}

/* Whole seconds are all that the servers know. */
static enum status set_patience(struct mysql_alter *session, int64_t lock_ms, struct error *error)
{
    enum { MS_A_SECOND = 1000 };
    struct buffer sql = {0};
    if (session->lock_ms == lock_ms || (lock_ms == 0 && session->lock_ms < 0)) {
        return STATUS_OK;
    }
    if (lock_ms == 0) {
        buffer_append_string(&sql, "SET SESSION lock_wait_timeout = DEFAULT, "
                                   "innodb_lock_wait_timeout = DEFAULT");
    } else {
        int64_t seconds = (lock_ms + MS_A_SECOND - 1) / MS_A_SECOND;
        buffer_format(&sql,
                      "SET SESSION lock_wait_timeout = %" PRId64
                      ", innodb_lock_wait_timeout = %" PRId64,
                      seconds, seconds);
    }
    session->lock_ms = lock_ms;
    return mysql_run_buffer(session->database, session->connection, &sql, SQL_SHORT,
                            ERROR_TARGET_WRITE, NULL, error);
}

static enum status statement_run(struct running *running, struct error *error)
{
    struct mysql_alter *session = running->session;
    const struct alter_request *request = running->request;
    if (set_patience(session, request->lock_ms, error) != STATUS_OK) {
        return mysql_alter_lost(session, STATUS_FAILED, error);
    }
    if (mysql_send_query(session->connection, request->text, (unsigned long)request->length) != 0) {
        return alter_run_fail(running, error);
    }
    return mysql_alter_lost(session, take_all(running, error), error);
}

enum status mysql_alter_run(struct alter_session *base, const struct alter_request *request,
                            struct alter_answer *answer, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    int64_t now_ms = clock_monotonic_ms();
    struct running running = {.session = session,
                              .request = request,
                              .answer = answer,
                              .end_ms = request->time_ms > 0 ? now_ms + request->time_ms : 0,
                              .tell_ms = now_ms + TELL_EACH_MS};
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_SQL || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, base->shown,
                         "%s takes SQL alone, and no lines behind COPY",
                         session->database->mariadb ? "MariaDB" : "MySQL");
    }
    enum status status = session->within ? STATUS_OK : failpoint_hit("mysql.before_alter", error);
    status = status == STATUS_OK ? statement_run(&running, error) : status;
    mysql_disconnect(running.beside);
    return status == STATUS_OK && !session->within ? failpoint_hit("mysql.after_alter", error)
                                                   : status;
}

enum status mysql_alter_ask(struct alter_session *base, const char *sql, struct arena *arena,
                            const char **text, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    MYSQL_RES *result = NULL;
    *text = NULL;
    enum status status = mysql_run(session->database, session->connection, sql, SQL_LONG,
                                   ERROR_TARGET_WRITE, &result, error);
    MYSQL_ROW row = status == STATUS_OK && result != NULL ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        *text = arena_copy_string(arena, row[0]);
    }
    mysql_free_result(result);
    return mysql_alter_lost(session, status, error);
}
