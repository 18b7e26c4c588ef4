/* Running the statements of a migration, each in a message of its own. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/postgres/change/alter.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 100, COPY_PIECE_BYTES = 64 << 10 };

enum status postgres_alter_lost(struct postgres_alter *session, enum status status,
                                struct error *error)
{
    char words[sizeof error->message];
    if (status != STATUS_FAILED || error == NULL || error->code == ERROR_TARGET_UNKNOWN_OUTCOME ||
        !postgres_is_lost(session->connection, error->native_state)) {
        return status;
    }
    snprintf(words, sizeof words, "%s", error->message);
    error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, session->base.shown,
              "the session was lost: %.600s", words);
    error_hint(error, "run the command again: it finds out what became of the statement");
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- transactions */

/* The server is told with the first statement. */
enum status postgres_alter_begin(struct alter_session *base, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    (void)error;
    buffer_clear(&session->first);
    buffer_clear(&session->last);
    buffer_format(&session->first, "BEGIN; %s",
                  session->lazy ? "SET LOCAL synchronous_commit = off; " : "");
    session->within = true;
    session->begun = false;
    session->lock_ms[1] = session->lock_ms[0];
    session->time_ms[1] = session->time_ms[0];
    return STATUS_OK;
}

static enum status send_all(struct postgres_alter *session, struct buffer *sql, struct error *error)
{
    enum status status = postgres_execute(session->database, session->connection,
                                          buffer_string(sql), SQL_LONG, ERROR_TARGET_WRITE, error);
    buffer_clear(sql);
    return postgres_alter_lost(session, status, error);
}

enum status postgres_alter_catch_up(struct postgres_alter *session, struct error *error)
{
    enum status status = STATUS_OK;
    if (session->within && !session->begun) {
        status = send_all(session, &session->first, error);
        session->begun = status == STATUS_OK;
    }
    if (status == STATUS_OK && session->within && session->last.length > 0) {
        struct buffer sql = {0};
        /* a role that the migration took may not write the history */
        postgres_append(&sql, "RESET SESSION AUTHORIZATION; RESET ROLE; %b", &session->last);
        buffer_clear(&session->last);
        status = send_all(session, &sql, error);
        buffer_free(&sql);
    }
    return status;
}

/* A transaction in which a statement failed is rolled back by COMMIT, which says so in its tag. */
static enum status alter_run_commit(struct postgres_alter *session, struct error *error)
{
    struct buffer sql = {0};
    struct error inner = {0};
    if (session->begun && PQtransactionStatus(session->connection) != PQTRANS_INTRANS) {
        return error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                         "a statement of the migration ended its transaction");
    }
    if (failpoint_hit("postgres.before_alter", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_buffer(&sql, &session->first); /* nothing was run */
    if (session->last.length > 0) {
        postgres_append(&sql, "RESET SESSION AUTHORIZATION; RESET ROLE; %b", &session->last);
    }
    buffer_append_string(&sql, "COMMIT");
    enum status status = send_all(session, &sql, &inner);
    buffer_free(&sql);
    if (status == STATUS_FAILED && strcmp(inner.native_state, "23502") == 0 &&
        strstr(inner.message, "\"epoch\"") != NULL) {
        return sql_history_fenced(&session->base, error);
    }
    if (status != STATUS_OK) {
        return error_copy(error, &inner);
    }
    /* A failure behind the COMMIT is one of which the history says what it committed. */
    return failpoint_hit("postgres.after_alter", error) == STATUS_OK
               ? STATUS_OK
               : error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
}

enum status postgres_alter_end(struct alter_session *base, enum status status, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    struct error ignored;
    if (status == STATUS_OK) {
        status = alter_run_commit(session, error);
    }
    if (PQstatus(session->connection) == CONNECTION_OK &&
        PQtransactionStatus(session->connection) != PQTRANS_IDLE) {
        (void)!postgres_execute(session->database, session->connection, "ROLLBACK", SQL_LONG,
                                ERROR_TARGET_WRITE, &ignored);
    }
    buffer_clear(&session->first);
    buffer_clear(&session->last);
    session->within = session->begun = false;
    return status;
}

/* ---------------------------------------------------------------- limits */

static void append_limit(struct buffer *sql, const char *name, bool local, int64_t wanted_ms)
{
    buffer_format(sql, "SET %s %s = ", local ? "LOCAL" : "SESSION", name);
    if (wanted_ms > 0) {
        buffer_format(sql, "%" PRId64 "; ", wanted_ms);
    } else {
        buffer_append_string(sql, "DEFAULT; ");
    }
}

/* Only what is another one than before, so that what a file sets itself holds from there on. */
static void append_limits(struct postgres_alter *session, const struct alter_request *request,
                          struct buffer *sql)
{
    int of = session->within ? 1 : 0;
    if (session->lock_ms[of] != request->lock_ms) {
        append_limit(sql, "lock_timeout", session->within, request->lock_ms);
        session->lock_ms[of] = request->lock_ms;
    }
    if (session->time_ms[of] != request->time_ms) {
        append_limit(sql, "statement_timeout", session->within, request->time_ms);
        session->time_ms[of] = request->time_ms;
    }
}

/* ---------------------------------------------------------------- one statement */

struct running {
    struct postgres_alter *session;
    const struct alter_request *request;
    struct alter_answer *answer;
    size_t before; /* bytes of ours in front of the statement */
    struct postgres_alter_progress progress;
    struct sql_vigil vigil;
    bool stopped;
    uint64_t rows;
    bool fed;
};

static enum status look_around(struct running *running, struct error *error)
{
    struct postgres_alter *session = running->session;
    if (!running->stopped && signals_stop_level() >= 2) {
        postgres_signal_session(session->database, session->connection, POSTGRES_CANCEL_STATEMENT);
        running->stopped = true;
    }
    postgres_alter_progress_look(session, &running->progress, running->request);
    return postgres_keep_vigil(session->database, session->connection, &running->vigil, error);
}

static enum status alter_run_next(struct running *running, PGresult **result, struct error *error)
{
    struct postgres_alter *session = running->session;
    enum status status = postgres_flush(session->database, session->connection, error);
    sql_vigil_begin(&running->vigil, session->database->timeout_ms);
    *result = NULL;
    while (status == STATUS_OK && PQisBusy(session->connection) != 0) {
        status = look_around(running, error);
        if (status == STATUS_OK &&
            postgres_wait(session->database, session->connection, false, WAIT_MS) &&
            PQconsumeInput(session->connection) == 0) {
            status = postgres_failure(session->database, session->connection, NULL, ERROR_NETWORK,
                                      error);
        }
    }
    if (status == STATUS_OK) {
        *result = PQgetResult(session->connection);
    }
    return status;
}

/* The place in characters, from 1, of a text that begins with ours. */
static size_t byte_of(const struct running *running, const char *sql, const char *place)
{
    int64_t characters = 0;
    if (place == NULL || text_to_int64(place, strlen(place), &characters) != STATUS_OK ||
        characters < 1) {
        return SIZE_MAX;
    }
    size_t at = 0;
    for (int64_t i = 1; i < characters && sql[at] != '\0'; i++) {
        at++;
        while (((unsigned char)sql[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return at >= running->before ? at - running->before : SIZE_MAX;
}

static enum status postgres_alter_run_fail(struct running *running, const PGresult *result,
                                           const char *sql, struct error *error)
{
    struct postgres_alter *session = running->session;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    state = state != NULL ? state : "";
    snprintf(running->answer->state, sizeof running->answer->state, "%s", state);
    running->answer->fault =
        byte_of(running, sql, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION));
    postgres_failure(session->database, session->connection, result, ERROR_TARGET_WRITE, error);
    if (error != NULL && strcmp(state, "57014") == 0 && error->code == ERROR_NETWORK) {
        error_recode(error, ERROR_TARGET_WRITE);
        error_hint(error, "nothing of the statement stands; give it more time with "
                          "--statement-timeout");
    }
    return STATUS_FAILED;
}

/* ---- COPY */

static enum status feed(struct running *running, struct error *error)
{
    struct postgres_alter *session = running->session;
    const char *data = running->request->data;
    size_t left = data != NULL && !running->fed ? running->request->data_length : 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && left > 0) {
        int piece = left < COPY_PIECE_BYTES ? (int)left : COPY_PIECE_BYTES;
        int put = PQputCopyData(session->connection, data, piece);
        if (put < 0) {
            break; /* the server's answer says why */
        }
        data += put > 0 ? piece : 0;
        left -= put > 0 ? (size_t)piece : 0;
        status = postgres_flush(session->database, session->connection, error);
    }
    const char *why = data == NULL || running->fed ? "no lines follow this COPY" : NULL;
    running->fed = true;
    while (status == STATUS_OK && PQputCopyEnd(session->connection, why) == 0) {
        status = postgres_flush(session->database, session->connection, error);
    }
    return status;
}

static enum status alter_run_drain(struct running *running, struct error *error)
{
    struct postgres_alter *session = running->session;
    enum status status = STATUS_OK;
    char *line = NULL;
    int got;
    while (status == STATUS_OK && (got = PQgetCopyData(session->connection, &line, 1)) >= 0) {
        running->rows += got > 0;
        PQfreemem(line);
        line = NULL;
        status = got == 0 ? postgres_await_data(session->database, session->connection,
                                                &running->vigil, error)
                          : STATUS_OK;
    }
    return status;
}

/* ---- results */

static enum status alter_run_take(struct running *running, PGresult *result, const char *sql,
                                  struct error *error)
{
    struct alter_answer *answer = running->answer;
    uint64_t changed = 0;
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        running->rows++;
        return STATUS_OK;
    case PGRES_TUPLES_OK:
        answer->counts = true;
        answer->rows = running->rows;
        running->rows = 0;
        return STATUS_OK;
    case PGRES_COMMAND_OK:
        answer->counts = postgres_rows_changed(result, &changed) == STATUS_OK;
        answer->rows = changed;
        return STATUS_OK;
    case PGRES_EMPTY_QUERY:
        return STATUS_OK;
    case PGRES_COPY_IN:
        return feed(running, error);
    case PGRES_COPY_OUT:
        return alter_run_drain(running, error);
    default:
        return postgres_alter_run_fail(running, result, sql, error);
    }
}

/* The first failure is the statement's; what comes behind it is read all the same. */
static enum status take_all(struct running *running, const char *sql, struct error *error)
{
    struct postgres_alter *session = running->session;
    struct error later = {0};
    enum status status = STATUS_OK;
    for (;;) {
        PGresult *result = NULL;
        enum status got = alter_run_next(running, &result, status == STATUS_OK ? error : &later);
        if (got != STATUS_OK || result == NULL) {
            return got == STATUS_OK ? status : STATUS_FAILED;
        }
        got = alter_run_take(running, result, sql, status == STATUS_OK ? error : &later);
        PQclear(result);
        status = status == STATUS_OK ? got : status;
        if (status != STATUS_OK && PQstatus(session->connection) != CONNECTION_OK) {
            return status;
        }
    }
}

/* In a transaction what is ours goes in front of the statement, in the same message; outside none
 * may, since the server takes several in one message for a transaction. */
static enum status send_statement(struct running *running, struct buffer *sql, struct error *error)
{
    struct postgres_alter *session = running->session;
    enum status status = STATUS_OK;
    if (session->within) {
        if (session->last.length > 0) {
            status = postgres_alter_catch_up(session, error);
        }
        buffer_append_buffer(sql, &session->first);
        append_limits(session, running->request, sql);
    } else {
        append_limits(session, running->request, sql);
        status = sql->length > 0 ? send_all(session, sql, error) : STATUS_OK;
    }
    running->before = sql->length;
    buffer_append(sql, running->request->text, running->request->length);
    if (status == STATUS_OK && PQsendQuery(session->connection, buffer_string(sql)) == 0) {
        status =
            postgres_failure(session->database, session->connection, NULL, ERROR_NETWORK, error);
    }
    if (status == STATUS_OK) {
        (void)PQsetSingleRowMode(session->connection);
        session->begun = session->within;
        buffer_clear(&session->first);
    }
    return status;
}

static enum status check_transaction(const struct postgres_alter *session, struct error *error)
{
    if (!session->within || PQtransactionStatus(session->connection) == PQTRANS_INTRANS) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_WRITE, session->base.shown,
              "the statement ended the transaction that the file's statements are run in");
    error_hint(error, "leave COMMIT and ROLLBACK out of it; what stands before is committed, if "
                      "that was a COMMIT");
    return STATUS_FAILED;
}

enum status postgres_alter_run(struct alter_session *base, const struct alter_request *request,
                               struct alter_answer *answer, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    struct running running = {.session = session, .request = request, .answer = answer};
    struct buffer sql = {0};
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_SQL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, base->shown, "PostgreSQL takes SQL alone");
    }
    enum status status =
        session->within ? STATUS_OK : failpoint_hit("postgres.before_alter", error);
    status = status == STATUS_OK ? send_statement(&running, &sql, error) : status;
    status = status == STATUS_OK ? take_all(&running, buffer_string(&sql), error) : status;
    postgres_alter_progress_end(&running.progress);
    buffer_free(&sql);
    status = postgres_alter_lost(session, status, error);
    status = status == STATUS_OK ? check_transaction(session, error) : status;
    return status == STATUS_OK && !session->within ? failpoint_hit("postgres.after_alter", error)
                                                   : status;
}

enum status postgres_alter_ask(struct alter_session *base, const char *sql, struct arena *arena,
                               const char **text, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    PGresult *result = NULL;
    *text = NULL;
    enum status status = postgres_alter_catch_up(session, error);
    if (status == STATUS_OK) {
        status = postgres_query(session->database, session->connection, sql, NULL, 0, SQL_LONG,
                                ERROR_TARGET_WRITE, &result, error);
    }
    if (status == STATUS_OK && PQntuples(result) > 0 && PQnfields(result) > 0 &&
        PQgetisnull(result, 0, 0) == 0) {
        *text = arena_copy_string(arena, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return postgres_alter_lost(session, status, error);
}
