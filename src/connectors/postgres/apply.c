/*
 * Change sets into PostgreSQL: prepared statements in libpq's pipeline mode, in one transaction
 * with the position (connectors/sql/apply.h). All changes of a call are sent without waiting for
 * answers; `settle` waits for them. What was refused is known only then, so that the shared room
 * starts the transaction over with savepoints.
 */
#include "connectors/sql/apply.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/postgres/store.h"
#include "connectors/postgres/target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_EACH = 256,       /* statements, after which the server sends what it has to say */
    OUTSTANDING_MAX = 4096, /* statements without an answer */
    ENCODED_BYTES_MAX = 1 << 20,
    NEW_MAX = 128, /* statements that are prepared in one pipeline */
    PARAMETERS_MAX = 2 * POSTGRES_COLUMNS_MAX,
};

/* What is kept of a statement. */
struct prepared {
    char name[32];
    uint32_t number;                        /* in the pipeline that prepared it */
    bool missing;                           /* the server skipped that, behind a failure */
    const struct postgres_column **columns; /* of the parameters */
};

struct postgres_apply {
    struct apply head;
    struct postgres_database *self;
    PGconn *connection;
    struct arena *scratch;
    struct buffer encoded; /* the parameters of one statement */
    uint32_t numbers;      /* of prepared statements, so far */
    struct buffer dropped; /* "DEALLOCATE …; " of those that are forgotten */
    bool defers;           /* constraints may be checked at the end of a transaction */
    uint32_t sent;         /* since the server was last asked to send what it has */
    uint32_t outstanding;  /* answers that are to come */
    uint32_t answered;     /* in this pipeline */
    bool failed;           /* one of them was a failure: */
    uint32_t failed_at;    /* the number of its statement in the pipeline */
    enum error_code code;  /* ERROR_NONE: it is no record's */
    struct error failure;
    struct prepared *made[NEW_MAX]; /* in this pipeline */
    uint32_t made_count;
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
};

static struct postgres_apply *own(struct apply *apply)
{
    return (struct postgres_apply *)apply;
}

/* ---------------------------------------------------------------- the pipeline */

static void take_failure(struct postgres_apply *apply, const PGresult *result)
{
    ExecStatusType state = PQresultStatus(result);
    if (apply->failed || state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK ||
        state == PGRES_PIPELINE_SYNC || state == PGRES_PIPELINE_ABORTED) {
        return;
    }
    apply->failed = true;
    apply->failed_at = apply->answered;
    apply->code = ERROR_NONE;
    postgres_failure(apply->self, apply->connection, result, ERROR_TARGET_WRITE, &apply->failure);
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
        take_failure(apply, result);
        PQclear(result);
    }
    return STATUS_OK;
}

/* Sends what libpq holds and takes answers in, until no more than `most` are to come. */
static enum status drain(struct postgres_apply *apply, uint32_t most, struct error *error)
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

static enum status sent_one(struct postgres_apply *apply, int sent, struct error *error)
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
    return drain(apply, OUTSTANDING_MAX, error);
}

static enum status enter(struct postgres_apply *apply, struct error *error)
{
    return PQpipelineStatus(apply->connection) != PQ_PIPELINE_OFF ||
                   PQenterPipelineMode(apply->connection) == 1
               ? STATUS_OK
               : postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
}

/* What was to be prepared behind a failure was not. */
static void settle_made(struct postgres_apply *apply)
{
    for (uint32_t i = 0; i < apply->made_count; i++) {
        struct prepared *made = apply->made[i];
        made->missing = apply->failed && made->number > apply->failed_at;
    }
    apply->made_count = 0;
    apply->answered = 0;
}

/* Waits for all that was sent. */
static enum status leave(struct postgres_apply *apply, struct error *error)
{
    PGresult *result = NULL;
    if (PQpipelineStatus(apply->connection) == PQ_PIPELINE_OFF) {
        return STATUS_OK;
    }
    apply->sent = 0;
    if (PQpipelineSync(apply->connection) == 0) {
        return postgres_failure(apply->self, apply->connection, NULL, ERROR_NETWORK, error);
    }
    if (drain(apply, 0, error) != STATUS_OK ||
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

/* ---------------------------------------------------------------- statements */

static enum status describe(struct apply *head, struct sql_apply_table *table, struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct postgres_table *facts = arena_allocate_zeroed(head->arena, 1, sizeof *facts);
    PGconn *connection = NULL;
    enum status status = leave(apply, error);
    if (status != STATUS_OK) {
        return status;
    }
    /* after a refusal nobody can ask anything there */
    bool aborted = PQtransactionStatus(apply->connection) == PQTRANS_INERROR;
    status = aborted ? postgres_connect(apply->self, &connection, error) : STATUS_OK;
    status = status == STATUS_OK
                 ? postgres_target_describe(apply->self, aborted ? connection : apply->connection,
                                            table->plan->name, head->arena, facts, error)
                 : status;
    postgres_disconnect(connection);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t count = facts->schema->column_count;
    struct sql_apply_column *columns =
        arena_allocate_zeroed(head->arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct sql_apply_column){.name = facts->columns[i].name,
                                               .made = facts->columns[i].generated,
                                               .fixed = facts->columns[i].always_identity};
    }
    table->name = table->plan->name;
    table->columns = columns;
    table->column_count = count;
    table->facts = facts;
    return STATUS_OK;
}

static void append_parameter(const struct sql_apply_table *table, uint32_t column, uint32_t number,
                             struct buffer *sql)
{
    (void)table;
    (void)column;
    buffer_format(sql, "$%u", number + 1);
}

static enum status make_prepared(struct sql_apply_statement *statement, struct error *error)
{
    const struct postgres_table *facts = statement->table->facts;
    struct prepared *prepared = arena_allocate_zeroed(statement->arena, 1, sizeof *prepared);
    if (statement->parameter_count > PARAMETERS_MAX) {
        return error_set(error, ERROR_TARGET_SCHEMA, statement->table->name, "too many columns");
    }
    prepared->columns = arena_allocate_zeroed(
        statement->arena, (size_t)statement->parameter_count + 1, sizeof(const void *));
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        prepared->columns[i] = &facts->columns[statement->parameters[i].column];
    }
    prepared->missing = true;
    statement->prepared = prepared;
    return STATUS_OK;
}

static enum status prepare(struct postgres_apply *apply, struct sql_apply_statement *statement,
                           struct error *error)
{
    if (statement->prepared == NULL && make_prepared(statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct prepared *prepared = statement->prepared;
    if (!prepared->missing) {
        return STATUS_OK;
    }
    if (apply->made_count == NEW_MAX &&
        (leave(apply, error) != STATUS_OK || enter(apply, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    snprintf(prepared->name, sizeof prepared->name, "transhume_apply_%u", apply->numbers++);
    prepared->number = apply->answered + apply->outstanding;
    prepared->missing = false;
    apply->made[apply->made_count++] = prepared;
    return sent_one(
        apply, PQsendPrepare(apply->connection, prepared->name, statement->sql, 0, NULL), error);
}

/* They go before the next transaction begins. */
static void forget(struct apply *head, struct sql_apply_statement *statement)
{
    struct postgres_apply *apply = own(head);
    const struct prepared *prepared = statement->prepared;
    struct error ignored;
    if (apply->made_count > 0) {
        (void)!leave(apply, &ignored); /* it may be one of them */
    }
    if (!prepared->missing) {
        buffer_format(&apply->dropped, "DEALLOCATE %s; ", prepared->name);
    }
}

/* The parameters' offsets in `encoded` become pointers once it has stopped growing. */
static enum status encode(struct postgres_apply *apply, const struct sql_apply_statement *statement,
                          const struct record_change *change, struct error *error)
{
    const struct prepared *prepared = statement->prepared;
    buffer_clear(&apply->encoded);
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        const struct sql_apply_parameter *parameter = &statement->parameters[i];
        const struct postgres_column *column = prepared->columns[i];
        const struct cell *cell =
            parameter->of_key ? &change->key[parameter->at] : &change->after[parameter->at];
        size_t begin = apply->encoded.length;
        if (postgres_encode(column, cell, apply->scratch, &apply->encoded, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        uint32_t size = 0;
        memcpy(&size, apply->encoded.data + begin, sizeof size);
        size = __builtin_bswap32(size);
        apply->formats[i] = column->type.format != POSTGRES_AS_CAST;
        apply->lengths[i] = size == UINT32_MAX ? -1 : (int)size;
        if (apply->formats[i] == 0) { /* a text ends with NUL */
            buffer_append_byte(&apply->encoded, '\0');
        }
    }
    const char *at = apply->encoded.data;
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        at += 4;
        apply->values[i] = apply->lengths[i] < 0 ? NULL : at;
        apply->lengths[i] = apply->lengths[i] < 0 ? 0 : apply->lengths[i];
        at += apply->lengths[i] + (apply->formats[i] == 0);
    }
    return STATUS_OK;
}

static enum status run(struct apply *head, struct sql_apply_statement *statement,
                       const struct record_change *change, struct sql_apply_refused *refused,
                       struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct error problem = {0};
    if (enter(apply, error) != STATUS_OK || prepare(apply, statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = encode(apply, statement, change, &problem);
    if (status != STATUS_OK) {
        arena_reset(apply->scratch);
        if (problem.class != ERROR_CLASS_REJECT) {
            error_copy(error, &problem);
            return STATUS_FAILED;
        }
        refused->code = problem.code;
        refused->reason = arena_format(refused->arena, "%s: %s", problem.object, problem.message);
        return STATUS_AGAIN;
    }
    const struct prepared *prepared = statement->prepared;
    status = sent_one(apply,
                      PQsendQueryPrepared(apply->connection, prepared->name,
                                          (int)statement->parameter_count, apply->values,
                                          apply->lengths, apply->formats, 0),
                      error);
    if (apply->encoded.capacity > ENCODED_BYTES_MAX) {
        buffer_free(&apply->encoded);
    }
    arena_reset(apply->scratch);
    return status;
}

static enum status check_constraints(struct postgres_apply *apply, struct error *error)
{
    static const char *const statements[] = {"SET CONSTRAINTS ALL IMMEDIATE",
                                             "SET CONSTRAINTS ALL DEFERRED"};
    enum status status = apply->defers ? enter(apply, error) : STATUS_OK;
    for (int i = 0; i < 2 && apply->defers && status == STATUS_OK; i++) {
        status = sent_one(
            apply,
            PQsendQueryParams(apply->connection, statements[i], 0, NULL, NULL, NULL, NULL, 0),
            error);
    }
    return status;
}

static enum status settle(struct apply *head, struct sql_apply_refused *refused,
                          struct error *error)
{
    struct postgres_apply *apply = own(head);
    enum status status = check_constraints(apply, error);
    status = status == STATUS_OK ? leave(apply, error) : status;
    if (status != STATUS_OK || !apply->failed) {
        return status;
    }
    apply->failed = false;
    if (apply->code == ERROR_NONE) {
        error_copy(error, &apply->failure);
        return STATUS_FAILED;
    }
    refused->code = apply->code;
    refused->reason = arena_copy_string(refused->arena, apply->failure.message);
    return STATUS_AGAIN;
}

/* ---------------------------------------------------------------- transactions */

static enum status execute(struct postgres_apply *apply, const char *sql, struct error *error)
{
    return postgres_execute(apply->self, apply->connection, sql, SQL_LONG, ERROR_TARGET_WRITE,
                            error);
}

static enum status begin(struct apply *head, struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct buffer sql = {0};
    buffer_append_buffer(&sql, &apply->dropped);
    buffer_clear(&apply->dropped);
    buffer_append_string(&sql, "BEGIN");
    buffer_append_string(&sql, apply->defers ? "; SET CONSTRAINTS ALL DEFERRED" : "");
    apply->failed = false;
    return postgres_execute_buffer(apply->self, apply->connection, &sql, SQL_SHORT,
                                   ERROR_TARGET_WRITE, error);
}

static enum status end(struct apply *head, bool commit, struct error *error)
{
    struct postgres_apply *apply = own(head);
    enum status status = leave(apply, error);
    apply->failed = false;
    if (commit) {
        status = status == STATUS_OK ? postgres_check_claim(apply->self, apply->connection, error)
                                     : status;
        return status == STATUS_OK ? postgres_end(apply->self, apply->connection, STATUS_OK, error)
                                   : status;
    }
    return status == STATUS_OK && PQtransactionStatus(apply->connection) != PQTRANS_IDLE
               ? execute(apply, "ROLLBACK", error)
               : status;
}

static enum status savepoint(struct apply *head, enum sql_apply_savepoint act, struct error *error)
{
    static const char *const statements[] = {
        [SQL_APPLY_SET] = "SAVEPOINT transhume_change",
        [SQL_APPLY_BACK] = "ROLLBACK TO transhume_change; RELEASE transhume_change",
        [SQL_APPLY_RELEASE] = "RELEASE transhume_change",
    };
    struct postgres_apply *apply = own(head);
    enum status status = leave(apply, error);
    apply->failed = false;
    return status == STATUS_OK ? execute(apply, statements[act], error) : status;
}

static enum status ask(struct apply *head, const char *sql, const struct store_value *parameter,
                       sql_store_row *row, void *context, uint64_t *changed, struct error *error)
{
    struct postgres_apply *apply = own(head);
    return leave(apply, error) == STATUS_OK
               ? postgres_store_run(apply->self, apply->connection, sql, parameter, row, context,
                                    changed, error)
               : STATUS_FAILED;
}

static const struct sql_apply_dialect dialect = {
    .insert = "INSERT INTO ",
    .between = " OVERRIDING SYSTEM VALUE VALUES ",
    .update = "UPDATE ",
    .describe = describe,
    .append_parameter = append_parameter,
    .begin = begin,
    .end = end,
    .savepoint = savepoint,
    .run = run,
    .settle = settle,
    .ask = ask,
    .forget = forget,
};

/* ---------------------------------------------------------------- handles */

/* So that a feed of this database can leave out what was applied to it. Who may not say so applies
 * all the same. */
static void mark_origin(struct postgres_apply *apply, const struct apply_request *request)
{
    struct buffer sql = {0};
    struct error problem = {0};
    char name[96];
    snprintf(name, sizeof name, "transhume_%.64s_%u", request->feed, request->lane);
    postgres_append(&sql,
                    "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_replication_origin WHERE "
                    "roname = ''%s'') THEN PERFORM pg_catalog.pg_replication_origin_create("
                    "''%s''); END IF; PERFORM pg_catalog.pg_replication_origin_session_setup("
                    "''%s''); END'",
                    name, name, name);
    if (postgres_execute_buffer(apply->self, apply->connection, &sql, SQL_SHORT, ERROR_TARGET_WRITE,
                                &problem) != STATUS_OK) {
        log_write(LOG_DEBUG, "%s: changes are applied without a mark of their origin: %s",
                  apply->self->sql.shown, problem.message);
    }
}

/* A plan that was made when a table was empty must not read all of it later. */
static enum status set_up(struct postgres_apply *apply, const struct apply_request *request,
                          struct error *error)
{
    struct postgres_database *self = apply->self;
    PGresult *result = NULL;
    if (postgres_join(self, &apply->connection, error) != STATUS_OK ||
        execute(apply, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan",
                error) != STATUS_OK ||
        (self->sql.base.triggers_off &&
         postgres_silence_triggers(self, apply->connection, true, error) != STATUS_OK) ||
        postgres_query(self, apply->connection,
                       "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE condeferrable)"
                       " AND pg_catalog.current_setting('session_replication_role') <> 'replica'",
                       NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    apply->defers = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    mark_origin(apply, request);
    return STATUS_OK;
}

static void apply_close(struct apply *head)
{
    if (head != NULL) {
        struct postgres_apply *apply = own(head);
        sql_apply_free(head);
        postgres_disconnect(apply->connection);
        buffer_free(&apply->encoded);
        buffer_free(&apply->dropped);
        arena_destroy(apply->scratch);
        free(apply);
    }
}

static enum status apply_open(struct database *database, const struct apply_request *request,
                              struct apply **out, struct error *error)
{
    struct postgres_apply *apply = memory_allocate_zeroed(1, sizeof *apply);
    apply->head.dialect = &dialect;
    apply->self = postgres_database_of(database);
    apply->scratch = arena_create(0);
    enum status status = set_up(apply, request, error);
    status = status == STATUS_OK ? sql_apply_open(&apply->head, database, request, error) : status;
    if (status != STATUS_OK) {
        apply_close(&apply->head);
        *out = NULL;
        return STATUS_FAILED;
    }
    *out = &apply->head;
    return STATUS_OK;
}

const struct apply_functions postgres_apply_functions = {
    .open = apply_open,
    .close = apply_close,
    .position = sql_apply_position,
    .apply_sets = sql_apply_sets,
};
