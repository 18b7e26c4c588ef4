/* libpq's pipeline: statements that are sent without waiting for the answers to those before. */
#include "connectors/postgres/follow/apply.h"
#include <stdio.h>
#include <string.h>

/* A statement would write a record twice, as of two keys that are one to the server. */
#define TWICE "21000"

enum {
    FLUSH_EACH = 256,       /* statements, after which the server sends what it has to say */
    OUTSTANDING_MAX = 4096, /* statements without an answer */
};

void postgres_pipeline_expect(struct postgres_apply *apply, uint32_t rows,
                              const struct record_change *change)
{
    const struct apply_expected expected = {apply->answered + apply->outstanding, rows, change};
    buffer_append(&apply->expected, &expected, sizeof expected);
}

/* The rows of a statement that is to find all of them. */
static void check_rows(struct postgres_apply *apply, PGresult *result)
{
    struct apply_expected expected;
    uint64_t rows = 0;
    if (apply->expected.length - apply->expected_used < sizeof expected) {
        return;
    }
    memcpy(&expected, apply->expected.data + apply->expected_used, sizeof expected);
    if (expected.number != apply->answered) {
        return;
    }
    apply->expected_used += sizeof expected;
    bool counted = postgres_rows_changed(result, &rows) == STATUS_OK;
    if (counted && expected.change != NULL) {
        sql_apply_changed(&apply->head, expected.change, rows);
        return;
    }
    if ((!counted || rows != expected.rows) && !apply->failed) {
        apply->failed = true;
        apply->code = ERROR_REJECT_CONSTRAINT;
        apply->singly = true;
        error_set(&apply->failure, ERROR_REJECT_CONSTRAINT, NULL, "not all records are there");
    }
}

/* The answer to the next statement that was sent to be prepared, if this is it. */
static void take_prepared(struct postgres_apply *apply, ExecStatusType state)
{
    if (apply->made_answered < apply->made_count &&
        apply->made[apply->made_answered]->number == apply->answered) {
        struct apply_named *made = apply->made[apply->made_answered++];
        made->state = state == PGRES_COMMAND_OK ? APPLY_NAMED_THERE : APPLY_NAMED_ABSENT;
    }
}

static void count_changed(struct postgres_apply *apply, PGresult *result)
{
    uint64_t rows = 0;
    if (apply->head.counts && postgres_rows_changed(result, &rows) == STATUS_OK) {
        apply->head.changed += rows;
    }
}

static void take_answer(struct postgres_apply *apply, PGresult *result)
{
    ExecStatusType state = PQresultStatus(result);
    take_prepared(apply, state);
    if (state == PGRES_COMMAND_OK) {
        check_rows(apply, result);
        count_changed(apply, result);
    }
    if (apply->failed || state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK ||
        state == PGRES_PIPELINE_SYNC || state == PGRES_PIPELINE_ABORTED) {
        return;
    }
    apply->failed = true;
    apply->code = ERROR_NONE;
    postgres_failure(apply->self, apply->connection, result, ERROR_TARGET_WRITE, &apply->failure);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate != NULL && strcmp(sqlstate, TWICE) == 0) {
        apply->code = ERROR_REJECT_KEY_DUPLICATE;
        apply->singly = true;
        error_set(&apply->failure, ERROR_REJECT_KEY_DUPLICATE, NULL,
                  "another record has its key, as the table compares it");
    }
    (void)postgres_is_of_record(result, &apply->code);
}

/* Answers that are here already. */
static enum status take_answers(struct postgres_apply *apply, struct error *error)
{
    if (PQconsumeInput(apply->connection) == 0) {
        return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
    }
    while (apply->outstanding > 0 && PQisBusy(apply->connection) == 0) {
        PGresult *result = PQgetResult(apply->connection);
        if (result == NULL) { /* ends the answers to one statement */
            apply->outstanding--;
            apply->answered++;
            continue;
        }
        take_answer(apply, result);
        PQclear(result);
    }
    return STATUS_OK;
}

/* Sends what libpq holds and takes answers in, until no more than `most` are to come. */
static enum status apply_pipeline_drain(struct postgres_apply *apply, uint32_t most,
                                        struct error *error)
{
    struct sql_vigil vigil = {0};
    for (;;) {
        int left = PQflush(apply->connection);
        if (left < 0) {
            return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
        }
        if (take_answers(apply, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (left == 0 && apply->outstanding <= most) {
            return STATUS_OK;
        }
        if (left > 0) {
            (void)postgres_wait(apply->self, apply->connection, true, 100);
        } else if (postgres_await_data(apply->self, apply->connection, &vigil, error) !=
                   STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

enum status postgres_pipeline_sent(struct postgres_apply *apply, int sent, struct error *error)
{
    if (sent == 0) {
        return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
    }
    apply->outstanding++;
    if (++apply->sent < FLUSH_EACH) {
        return STATUS_OK;
    }
    apply->sent = 0;
    if (PQsendFlushRequest(apply->connection) == 0) {
        return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
    }
    return apply_pipeline_drain(apply, OUTSTANDING_MAX, error);
}

enum status postgres_pipeline_enter(struct postgres_apply *apply, struct error *error)
{
    return PQpipelineStatus(apply->connection) != PQ_PIPELINE_OFF ||
                   PQenterPipelineMode(apply->connection) == 1
               ? STATUS_OK
               : postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
}

/* A statement that the server did not answer is not prepared. */
static void settle_made(struct postgres_apply *apply)
{
    for (uint32_t i = apply->made_answered; i < apply->made_count; i++) {
        apply->made[i]->state = APPLY_NAMED_ABSENT;
    }
    apply->made_count = 0;
    apply->made_answered = 0;
    apply->answered = 0;
    buffer_clear(&apply->expected);
    apply->expected_used = 0;
}

/* Waits for all that was sent. */
enum status postgres_pipeline_leave(struct postgres_apply *apply, struct error *error)
{
    PGresult *result = NULL;
    if (PQpipelineStatus(apply->connection) == PQ_PIPELINE_OFF) {
        return STATUS_OK;
    }
    apply->sent = 0;
    if (PQpipelineSync(apply->connection) == 0) {
        return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
    }
    if (apply_pipeline_drain(apply, 0, error) != STATUS_OK ||
        postgres_next_result(apply->self, apply->connection, SQL_LONG, &result, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    settle_made(apply);
    return synced && PQexitPipelineMode(apply->connection) == 1
               ? STATUS_OK
               : postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
}

enum status postgres_pipeline_prepare(struct postgres_apply *apply, struct apply_named *named,
                                      const char *sql, int count, const Oid *types,
                                      struct error *error)
{
    if (named->state != APPLY_NAMED_ABSENT || apply->failed) {
        return STATUS_OK;
    }
    if (apply->made_count == APPLY_NEW_MAX &&
        (postgres_pipeline_leave(apply, error) != STATUS_OK ||
         postgres_pipeline_enter(apply, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (apply->failed) {
        return STATUS_OK;
    }
    snprintf(named->name, sizeof named->name, "transhume_apply_%u", apply->numbers++);
    named->number = apply->answered + apply->outstanding;
    named->state = APPLY_NAMED_SENT;
    apply->made[apply->made_count++] = named;
    return postgres_pipeline_sent(
        apply, PQsendPrepare(apply->connection, named->name, sql, types != NULL ? count : 0, types),
        error);
}
