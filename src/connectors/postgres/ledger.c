/*
 * The ledger in the target's own tables: making a run, who may write, and what starts again.
 *
 * A claim is an advisory lock in a transaction that stays open on a connection of its own: it goes
 * with the process, however that ends. Who holds it stands in the run's row. The epoch in that row
 * is what fences: each commit reads it with FOR SHARE, which a claim's update waits for. Who takes
 * over first ends the sessions that work on the run under the old epoch (sessions.c).
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/ledger_checksum.h"
#include "connectors/postgres/keys.h"
#include "connectors/sql/claim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * _transhume_run    a row a run; `number` orders them. `epoch` is the attempt that may commit.
 *                   `checksum` is over the header and all chunks: they never change. `holder` says
 *                   for people who claimed it last.
 * _transhume_chunk  the spans, complete from the first moment
 * _transhume_done   done marks, written in the transaction of their chunk's records
 * _transhume_made   tables that a run made, written in the transaction that made them
 */
static const char *const table_names[] = {"_transhume_run", "_transhume_chunk", "_transhume_done",
                                          "_transhume_made"};
static const char *const table_columns[] = {
    "(number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, "
    "format integer NOT NULL, epoch bigint NOT NULL, header text NOT NULL, status text NOT NULL, "
    "chunk_count bigint NOT NULL, checksum text NOT NULL, created_at text NOT NULL, holder text)",
    "(run text NOT NULL, number bigint NOT NULL, stream bigint NOT NULL, printable text, "
    "bounds bytea, row_estimate bigint NOT NULL, last_id text, PRIMARY KEY (run, number))",
    "(run text NOT NULL, chunk bigint NOT NULL, epoch bigint NOT NULL, mark text NOT NULL, "
    "PRIMARY KEY (run, chunk))",
    "(run text NOT NULL, name text NOT NULL, PRIMARY KEY (run, name))",
};

enum { CLAIM_WAIT_MS = 1500, CLAIM_STEP_MS = 20, LOCK_CLASS = 0x7472616e /* "tran" */ };

static int32_t lock_number(const struct postgres_database *self)
{
    uint32_t hash = 2166136261u;
    for (const char *at = self->schema; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    return (int32_t)hash;
}

/* `sql` with the ledger's table in place of the one "%s". */
static enum status run_on(struct postgres_database *self, PGconn *connection, const char *before,
                          const char *table, const char *after,
                          const struct postgres_parameter *parameters, int count, PGresult **result,
                          struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    postgres_append_table(&sql, self, table);
    buffer_append_string(&sql, after);
    return postgres_query_buffer(self, connection, &sql, parameters, count, POSTGRES_SHORT,
                                 ERROR_LEDGER_INVALID, result, error);
}

/* ---------------------------------------------------------------- create */

static enum status make_tables(struct postgres_database *self, PGconn *connection,
                               struct error *error)
{
    struct buffer sql = {0};
    for (size_t i = 0; i < sizeof table_names / sizeof table_names[0]; i++) {
        buffer_append_string(&sql, "CREATE TABLE ");
        postgres_append_table(&sql, self, table_names[i]);
        buffer_format(&sql, " %s;", table_columns[i]);
    }
    return postgres_execute_buffer(self, connection, &sql, POSTGRES_SHORT, ERROR_TARGET_SCHEMA,
                                   error);
}

static enum status insert_run(struct postgres_database *self, PGconn *connection,
                              const char *run_id, const char *header, const char *run_status,
                              const struct ledger_chunk *chunks, uint64_t count,
                              struct error *error)
{
    char stamp[32];
    char hex[33];
    char numbers[2][24];
    if (ledger_checksum(header, chunks, count, hex, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    clock_format_utc(clock_utc_us(), stamp, sizeof stamp);
    snprintf(numbers[0], sizeof numbers[0], "%d", POSTGRES_LEDGER_FORMAT);
    snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)count);
    const struct postgres_parameter parameters[] = {
        {.text = run_id},     {.text = numbers[0]}, {.text = header}, {.text = run_status},
        {.text = numbers[1]}, {.text = hex},        {.text = stamp}};
    return run_on(self, connection, "INSERT INTO ", "_transhume_run",
                  " (id, format, epoch, header, status, chunk_count, checksum, created_at) "
                  "VALUES ($1, $2, 0, $3, $4, $5, $6, $7)",
                  parameters, 7, NULL, error);
}

static void append_row_value(struct buffer *sql, const char *text)
{
    if (text == NULL) {
        buffer_append_string(sql, "NULL");
    } else {
        postgres_append_text(sql, text, strlen(text));
    }
}

/* Several rows a statement: a run may have many thousands. */
static enum status insert_chunks(struct postgres_database *self, PGconn *connection,
                                 const char *run_id, const struct ledger_chunk *chunks,
                                 uint64_t count, struct error *error)
{
    enum { ROWS_EACH = 500 };
    enum status status = STATUS_OK;
    for (uint64_t first = 0; status == STATUS_OK && first < count; first += ROWS_EACH) {
        struct buffer sql = {0};
        buffer_append_string(&sql, "INSERT INTO ");
        postgres_append_table(&sql, self, "_transhume_chunk");
        buffer_append_string(
            &sql, " (run, number, stream, printable, bounds, row_estimate, last_id) VALUES ");
        for (uint64_t i = first; i < count && i < first + ROWS_EACH; i++) {
            const struct span *span = &chunks[i].span;
            buffer_append_string(&sql, i > first ? ", (" : "(");
            append_row_value(&sql, run_id);
            buffer_format(&sql, ", %llu, %u, ", (unsigned long long)chunks[i].number,
                          chunks[i].stream);
            append_row_value(&sql, span->printable);
            buffer_append_string(&sql, ", '\\x");
            buffer_append_hex(&sql, span->bounds, span->bounds_length);
            buffer_format(&sql, "', %lld, ", (long long)span->row_estimate);
            append_row_value(&sql, span->last_id);
            buffer_append_byte(&sql, ')');
        }
        status = postgres_execute_buffer(self, connection, &sql, POSTGRES_LONG, ERROR_TARGET_WRITE,
                                         error);
    }
    return status;
}

static enum status create_rows(struct postgres_database *self, PGconn *connection,
                               const char *run_id, const char *header, const char *run_status,
                               const struct ledger_chunk *chunks, uint64_t count,
                               struct error *error)
{
    struct buffer lock = {0};
    PGresult *result = NULL;

    /* two that begin at once go one after the other */
    buffer_format(&lock, "SELECT pg_catalog.pg_advisory_xact_lock(%d, %d)", LOCK_CLASS + 1,
                  lock_number(self));
    enum status status = postgres_execute_buffer(self, connection, &lock, POSTGRES_SHORT,
                                                 ERROR_TARGET_LOCKED, error);
    status = status == STATUS_OK ? postgres_ledger_check(self, connection, error) : status;
    if (status == STATUS_END) {
        status = make_tables(self, connection, error);
    }
    if (status == STATUS_OK) {
        status = run_on(self, connection, "SELECT 1 FROM ", "_transhume_run",
                        " WHERE status !~ '\"phase\": ?\"completed\"'", NULL, 0, &result, error);
    }
    bool unfinished = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    if (unfinished) {
        return STATUS_AGAIN;
    }
    status = status == STATUS_OK ? postgres_drop_key_tables(self, connection, error) : status;
    status = status == STATUS_OK ? postgres_lost_drop(self, connection, error) : status;
    status = status == STATUS_OK
                 ? insert_run(self, connection, run_id, header, run_status, chunks, count, error)
                 : status;
    status = status == STATUS_OK ? insert_chunks(self, connection, run_id, chunks, count, error)
                                 : status;
    return status == STATUS_OK ? failpoint_hit("postgres.before_ledger_create", error) : status;
}

static enum status ledger_create(struct database *database, const char *run_id, const char *header,
                                 const char *run_status, const struct ledger_chunk *chunks,
                                 uint64_t count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;

    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_end(
        self, connection,
        create_rows(self, connection, run_id, header, run_status, chunks, count, error), error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_ledger_create", error) : status;
}

/* ---------------------------------------------------------------- who may write */

static void unlock(struct postgres_database *self)
{
    postgres_disconnect(self->lock);
    self->lock = NULL;
}

/* The server needs a moment to see that a killed process is gone. STATUS_AGAIN: somebody has it. */
static enum status take_lock(struct postgres_database *self, int64_t wait_ms, struct error *error)
{
    char sql[160];
    PGresult *result = NULL;
    int64_t end = clock_monotonic_ms() + wait_ms;
    enum status status = STATUS_AGAIN;

    if (self->lock != NULL && PQstatus(self->lock) == CONNECTION_OK) {
        return STATUS_OK;
    }
    unlock(self);
    if (postgres_connect(self, &self->lock, error) != STATUS_OK ||
        postgres_execute(self, self->lock, "BEGIN", POSTGRES_SHORT, ERROR_TARGET_LOCKED, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_xact_lock(%d, %d)", LOCK_CLASS,
             lock_number(self));
    while (status == STATUS_AGAIN) {
        status = postgres_query(self, self->lock, sql, NULL, 0, POSTGRES_SHORT, ERROR_TARGET_LOCKED,
                                &result, error);
        if (status == STATUS_OK && PQgetvalue(result, 0, 0)[0] != 't') {
            status = STATUS_AGAIN;
        }
        PQclear(result);
        result = NULL;
        if (status == STATUS_AGAIN && clock_monotonic_ms() >= end) {
            break;
        }
        if (status == STATUS_AGAIN) {
            clock_sleep_ms(CLAIM_STEP_MS);
        }
    }
    /* the last query's portal would keep its snapshot as long as the claim lasts: VACUUM could
     * remove nothing, and CREATE INDEX CONCURRENTLY would wait for it */
    return status == STATUS_OK ? postgres_execute(self, self->lock, "SELECT 1", POSTGRES_SHORT,
                                                  ERROR_TARGET_LOCKED, error)
                               : status;
}

/* The one claim is of all runs: it is known by the sessions which of them is at work. */
static void tell_holder(struct postgres_database *self, PGconn *connection, const char *run_id,
                        struct ledger_holder *found)
{
    const struct postgres_parameter parameter = {.text = run_id};
    struct error ignored = {0};
    PGresult *runs = NULL;
    bool read =
        run_on(self, connection, "SELECT id, epoch, holder FROM ", "_transhume_run",
               " ORDER BY id = $1 DESC, number DESC", &parameter, 1, &runs, &ignored) == STATUS_OK;
    int count = read ? PQntuples(runs) : 0;
    int row = 0;
    while (row < count && !postgres_is_at_work(self, connection, PQgetvalue(runs, row, 0),
                                               strtoull(PQgetvalue(runs, row, 1), NULL, 10))) {
        row++;
    }
    row = row < count ? row : 0; /* it has the claim, and no mark yet */
    sql_tell_holder(row < count ? PQgetvalue(runs, row, 0) : run_id, run_id,
                    row < count ? PQgetvalue(runs, row, 2) : "", found);
    PQclear(runs);
}

/* STATUS_AGAIN: the run is at another epoch. `lock`: words that lock the run's row. */
static enum status check_epoch(struct postgres_database *self, PGconn *connection,
                               const char *run_id, uint64_t epoch, const char *lock,
                               struct ledger_holder *found, struct error *error)
{
    const struct postgres_parameter parameter = {.text = run_id};
    char where[64];
    int64_t now = -1;
    PGresult *result = NULL;

    snprintf(where, sizeof where, " WHERE id = $1%s", lock);
    enum status status = postgres_ledger_check(self, connection, error);
    if (status == STATUS_OK) {
        status = run_on(self, connection, "SELECT epoch FROM ", "_transhume_run", where, &parameter,
                        1, &result, error);
    }
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status = text_to_int64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &now);
    }
    PQclear(result);
    return status == STATUS_OK || status == STATUS_END
               ? sql_check_epoch(self->shown, "database", run_id, now, epoch, found, error)
               : status;
}

static enum status move_epoch(struct postgres_database *self, PGconn *connection,
                              const char *run_id, uint64_t old_epoch, struct ledger_holder *found,
                              struct error *error)
{
    char holder[SQL_PROCESS_BYTES];

    sql_name_process(holder);
    const struct postgres_parameter parameters[] = {{.text = run_id}, {.text = holder}};
    enum status status =
        check_epoch(self, connection, run_id, old_epoch, " FOR UPDATE", found, error);
    if (status == STATUS_OK) {
        status =
            run_on(self, connection, "UPDATE ", "_transhume_run",
                   " SET epoch = epoch + 1, holder = $2 WHERE id = $1", parameters, 2, NULL, error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_claim", error) : status;
}

/* What the one before has locked, the run's row too, would be waited for; its claim goes along. */
static enum status end_holder(struct postgres_database *self, PGconn *connection,
                              const char *run_id, uint64_t epoch, struct ledger_holder *found,
                              struct error *error)
{
    enum status status = check_epoch(self, connection, run_id, epoch, "", found, error);
    status = status == STATUS_OK ? postgres_sessions_end(self, connection, run_id, epoch, error)
                                 : status;
    if (status == STATUS_OK) {
        unlock(self);
        status = take_lock(self, CLAIM_WAIT_MS, error);
    }
    return status;
}

static enum status begin_and_move(struct postgres_database *self, const char *run_id,
                                  uint64_t old_epoch, struct ledger_holder *found,
                                  struct error *error)
{
    PGconn *connection = NULL;
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_end(self, connection,
                        move_epoch(self, connection, run_id, old_epoch, found, error), error);
}

/* Those that the old one opened until the epoch was raised are ended, too. */
static enum status mark_own(struct postgres_database *self, bool took_over, struct error *error)
{
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK && took_over) {
        status = postgres_sessions_end(self, connection, self->run_id, self->epoch - 1, error);
    }
    status = status == STATUS_OK ? postgres_session_mark(self, connection, error) : status;
    return status == STATUS_OK ? postgres_session_mark(self, self->lock, error) : status;
}

static enum status ledger_claim(struct database *database, const char *run_id, uint64_t old_epoch,
                                const struct ledger_holder *replaces, struct ledger_holder *found,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    char *copy = strdup(run_id);

    /* `replaces` may be `found` itself */
    bool takes_over = replaces != NULL;
    *found = (struct ledger_holder){0};
    enum status status = copy != NULL
                             ? postgres_control(self, &connection, error)
                             : error_set(error, ERROR_MEMORY, self->shown, "no memory for a claim");
    status = status == STATUS_OK ? take_lock(self, takes_over ? 0 : CLAIM_WAIT_MS, error) : status;
    if (status == STATUS_AGAIN) {
        tell_holder(self, connection, run_id, found);
    }
    if (status == STATUS_AGAIN && takes_over) {
        status = end_holder(self, connection, run_id, old_epoch, found, error);
    } else {
        takes_over = false;
    }
    status = status == STATUS_OK ? begin_and_move(self, run_id, old_epoch, found, error) : status;
    if (status == STATUS_OK) {
        free(self->run_id);
        self->run_id = copy;
        copy = NULL;
        self->epoch = old_epoch + 1;
        status = mark_own(self, takes_over, error);
    }
    free(copy);
    if (status != STATUS_OK) {
        unlock(self);
        return status;
    }
    return failpoint_hit("postgres.after_claim", error);
}

static enum status replace_status(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, uint64_t epoch, const char *text,
                                  struct error *error)
{
    char number[24];
    PGresult *result = NULL;
    snprintf(number, sizeof number, "%llu", (unsigned long long)epoch);
    const struct postgres_parameter parameters[] = {
        {.text = text}, {.text = run_id}, {.text = number}};
    enum status status =
        run_on(self, connection, "UPDATE ", "_transhume_run",
               " SET status = $1 WHERE id = $2 AND epoch = $3", parameters, 3, &result, error);
    bool changed = status == STATUS_OK && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (status == STATUS_OK && !changed) {
        return sql_run_fenced(self->shown, error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_status", error) : status;
}

static enum status ledger_set_status(struct database *database, const char *run_id, uint64_t epoch,
                                     const char *text, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_end(self, connection,
                        replace_status(self, connection, run_id, epoch, text, error), error);
}

static enum status ledger_release(struct database *database, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    (void)epoch;
    (void)error;
    unlock(self);
    if (self->run_id != NULL && strcmp(self->run_id, run_id) == 0) {
        free(self->run_id);
        self->run_id = NULL;
    }
    return STATUS_OK;
}

enum status postgres_ledger_check_epoch(struct postgres_database *self, PGconn *connection,
                                        const char *run_id, uint64_t epoch, struct error *error)
{
    char number[24];
    PGresult *result = NULL;
    snprintf(number, sizeof number, "%llu", (unsigned long long)epoch);
    const struct postgres_parameter parameters[] = {{.text = run_id}, {.text = number}};
    enum status status =
        run_on(self, connection, "SELECT 1 FROM ", "_transhume_run",
               " WHERE id = $1 AND epoch = $2 FOR SHARE", parameters, 2, &result, error);
    bool ours = status == STATUS_OK && PQntuples(result) == 1;
    PQclear(result);
    return status == STATUS_OK && !ours ? sql_run_fenced(self->shown, error) : status;
}

enum status postgres_ledger_check_claim(struct postgres_database *self, PGconn *connection,
                                        struct error *error)
{
    return self->run_id == NULL
               ? STATUS_OK
               : postgres_ledger_check_epoch(self, connection, self->run_id, self->epoch, error);
}

/* ---------------------------------------------------------------- streams that start again */

static enum status empty_table(struct postgres_database *self, PGconn *connection,
                               const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    bool made = false;
    if (postgres_ledger_was_made(self, connection, table->name, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!made) {
        return error_set(error, ERROR_TARGET_NOT_EMPTY, table->name,
                         "this run did not make the table, so it will not empty it");
    }
    buffer_append_string(&sql, "DELETE FROM ");
    postgres_append_table(&sql, self, table->name);
    return postgres_execute_buffer(self, connection, &sql, POSTGRES_LONG, ERROR_TARGET_WRITE,
                                   error);
}

static enum status reopen_all(struct postgres_database *self, PGconn *connection,
                              const char *run_id, uint64_t epoch, const uint64_t *chunks,
                              uint64_t chunk_count, const struct target_table *const *tables,
                              uint32_t table_count, struct error *error)
{
    enum status status = postgres_ledger_check_epoch(self, connection, run_id, epoch, error);
    for (uint64_t i = 0; status == STATUS_OK && i < chunk_count; i++) {
        char chunk[24];
        snprintf(chunk, sizeof chunk, "%llu", (unsigned long long)chunks[i]);
        const struct postgres_parameter one[] = {{.text = run_id}, {.text = chunk}};
        status = run_on(self, connection, "DELETE FROM ", "_transhume_done",
                        " WHERE run = $1 AND chunk = $2", one, 2, NULL, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = empty_table(self, connection, tables[i], error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_reopen", error) : status;
}

static enum status ledger_reopen(struct database *database, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_end(self, connection,
                        reopen_all(self, connection, run_id, epoch, chunks, chunk_count, tables,
                                   table_count, error),
                        error);
}

const struct ledger_functions postgres_ledger_functions = {
    .create = ledger_create,
    .load = postgres_ledger_load,
    .claim = ledger_claim,
    .set_status = ledger_set_status,
    .done = postgres_ledger_done,
    .reopen = ledger_reopen,
    .release = ledger_release,
    .list = postgres_ledger_list,
    .forget = postgres_ledger_forget,
};
