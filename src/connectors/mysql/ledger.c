/*
 * The ledger in the target's own tables: making a run, who may write, and what starts again.
 *
 * A claim is a named lock (GET_LOCK) on a connection of its own: it goes with the process, however
 * that ends. Who holds it stands in the run's row. The epoch in that row is what fences: each
 * commit reads it with LOCK IN SHARE MODE, which a claim's update waits for. Who takes over first
 * ends the sessions that work on the run under the old epoch (ending.c).
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/ledger_checksum.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/claim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * _transhume_chunk  the spans, complete from the first moment
 * _transhume_done   done marks, written in the transaction of their chunk's records
 * _transhume_made   tables that a run made or is about to (enum maria_making), and without a name
 *                   the row that writers of distinct records lock
 * _transhume_run    a row a run; `number` orders them. `epoch` is the attempt that may commit.
 *                   `checksum` is over the header and all chunks: they never change. `holder` says
 *                   for people who claimed it last.
 * _transhume_object, _transhume_rebuild  made when a run needs them (objects_ledger.c, rebuild.c)
 */
static const char *const table_names[] = {"_transhume_chunk", "_transhume_done", "_transhume_made",
                                          "_transhume_run"};
static const char *const table_columns[] = {
    "(run varchar(64) NOT NULL, number bigint NOT NULL, stream bigint NOT NULL, printable longtext, "
    "bounds longblob, row_estimate bigint NOT NULL, last_id longtext, PRIMARY KEY (run, number))",
    "(run varchar(64) NOT NULL, chunk bigint NOT NULL, epoch bigint NOT NULL, mark longtext NOT "
    "NULL, PRIMARY KEY (run, chunk))",
    "(run varchar(64) NOT NULL, name varchar(64) NOT NULL, making int NOT NULL, PRIMARY KEY (run, "
    "name))",
    "(number bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, id varchar(64) NOT NULL UNIQUE, format int "
    "NOT NULL, epoch bigint NOT NULL, header longtext NOT NULL, status longtext NOT NULL, "
    "chunk_count bigint NOT NULL, checksum varchar(64) NOT NULL, created_at varchar(64) NOT NULL, "
    "holder varchar(255))",
};

enum { CLAIM_WAIT_MS = 1500, CLAIM_STEP_MS = 20 };

/* `before` ledger's table `after` */
static enum status run_on(struct maria_database *self, MYSQL *connection, const char *before,
                          const char *table, struct buffer *after, MYSQL_RES **result,
                          struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    maria_append_table(&sql, self, table);
    buffer_append_buffer(&sql, after);
    buffer_free(after);
    return maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, result,
                              error);
}

/* ---------------------------------------------------------------- create */

/* Each statement commits; all of them can be repeated. */
static enum status make_tables(struct maria_database *self, MYSQL *connection, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof table_names / sizeof table_names[0]; i++) {
        struct buffer sql = {0};
        buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
        maria_append_table(&sql, self, table_names[i]);
        buffer_format(&sql,
                      " %s ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin "
                      "ROW_FORMAT=DYNAMIC",
                      table_columns[i]);
        status = maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_SCHEMA, NULL,
                                    error);
    }
    return status;
}

static void append_row_value(struct buffer *sql, const char *text)
{
    buffer_append_string(sql, ", ");
    maria_append_string(sql, text);
}

static enum status insert_run(struct maria_database *self, MYSQL *connection, const char *run_id,
                              const char *header, const char *run_status,
                              const struct ledger_chunk *chunks, uint64_t count,
                              struct error *error)
{
    char stamp[32];
    char hex[33];
    struct buffer sql = {0};
    if (ledger_checksum(header, chunks, count, hex, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    clock_format_utc(clock_utc_us(), stamp, sizeof stamp);
    buffer_append_string(&sql, " (id, format, epoch, header, status, chunk_count, checksum, "
                               "created_at) VALUES (");
    maria_append_string(&sql, run_id);
    buffer_format(&sql, ", %d, 0", MARIA_LEDGER_FORMAT);
    append_row_value(&sql, header);
    append_row_value(&sql, run_status);
    buffer_format(&sql, ", %llu", (unsigned long long)count);
    append_row_value(&sql, hex);
    append_row_value(&sql, stamp);
    buffer_append_byte(&sql, ')');
    return run_on(self, connection, "INSERT INTO ", "_transhume_run", &sql, NULL, error);
}

/* Several rows a statement: a run may have many thousands. */
static enum status insert_chunks(struct maria_database *self, MYSQL *connection, const char *run_id,
                                 const struct ledger_chunk *chunks, uint64_t count,
                                 struct error *error)
{
    enum { ROWS_EACH = 500 };
    enum status status = STATUS_OK;
    for (uint64_t first = 0; status == STATUS_OK && first < count; first += ROWS_EACH) {
        struct buffer sql = {0};
        buffer_append_string(
            &sql, " (run, number, stream, printable, bounds, row_estimate, last_id) VALUES ");
        for (uint64_t i = first; i < count && i < first + ROWS_EACH; i++) {
            const struct span *span = &chunks[i].span;
            buffer_append_string(&sql, i > first ? ", (" : "(");
            maria_append_string(&sql, run_id);
            buffer_format(&sql, ", %llu, %u", (unsigned long long)chunks[i].number,
                          chunks[i].stream);
            append_row_value(&sql, span->printable);
            buffer_append_string(&sql, ", ");
            maria_append_bytes(&sql, span->bounds, span->bounds_length);
            buffer_format(&sql, ", %lld", (long long)span->row_estimate);
            append_row_value(&sql, span->last_id);
            buffer_append_byte(&sql, ')');
        }
        status = run_on(self, connection, "INSERT INTO ", "_transhume_chunk", &sql, NULL, error);
    }
    return status;
}

static enum status create_rows(struct maria_database *self, MYSQL *connection, const char *run_id,
                               const char *header, const char *run_status,
                               const struct ledger_chunk *chunks, uint64_t count,
                               struct error *error)
{
    struct buffer unfinished = {0};
    MYSQL_RES *result = NULL;
    buffer_append_string(&unfinished, " WHERE status NOT LIKE '%\"phase\":\"completed\"%' AND "
                                      "status NOT LIKE '%\"phase\": \"completed\"%' FOR UPDATE");
    enum status status =
        run_on(self, connection, "SELECT 1 FROM ", "_transhume_run", &unfinished, &result, error);
    bool found = status == STATUS_OK && mysql_num_rows(result) > 0;
    mysql_free_result(result);
    if (found) {
        return STATUS_AGAIN;
    }
    status = status == STATUS_OK
                 ? insert_run(self, connection, run_id, header, run_status, chunks, count, error)
                 : status;
    status = status == STATUS_OK ? insert_chunks(self, connection, run_id, chunks, count, error)
                                 : status;
    return status == STATUS_OK ? failpoint_hit("mysql.before_ledger_create", error) : status;
}

/* A name for GET_LOCK, which is the server's own and at most 64 characters. */
static void append_lock(struct buffer *sql, const struct maria_database *self, const char *what)
{
    buffer_format(sql, "'transhume %s %016llx'", what,
                  (unsigned long long)sql_name_hash(self->schema));
}

/* Two that begin at once go one after the other. */
enum status maria_lock_creating(struct maria_database *self, MYSQL *connection, struct error *error)
{
    struct buffer sql = {0};
    int64_t locked = 0;
    buffer_append_string(&sql, "SELECT GET_LOCK(");
    append_lock(&sql, self, "create");
    buffer_append_string(&sql, ", 10)");
    enum status status = maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_LOCKED,
                                          0, &locked, error);
    if (status == STATUS_OK && locked != 1) {
        return error_set(error, ERROR_TARGET_LOCKED, self->shown,
                         "another process makes a run here at this moment");
    }
    return status;
}

void maria_unlock_creating(struct maria_database *self, MYSQL *connection)
{
    struct buffer sql = {0};
    struct error ignored = {0};
    buffer_append_string(&sql, "DO RELEASE_LOCK(");
    append_lock(&sql, self, "create");
    buffer_append_byte(&sql, ')');
    (void)!maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_WRITE, NULL,
                              &ignored);
}

static enum status ledger_create(struct database *database, const char *run_id, const char *header,
                                 const char *run_status, const struct ledger_chunk *chunks,
                                 uint64_t count, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;

    if (maria_control(self, &connection, error) != STATUS_OK ||
        maria_lock_creating(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = maria_ledger_check(self, connection, error);
    status = status == STATUS_END ? make_tables(self, connection, error) : status;
    if (status == STATUS_OK) {
        status = maria_begin(self, &connection, error);
    }
    if (status == STATUS_OK) {
        status = maria_end(
            self, connection,
            create_rows(self, connection, run_id, header, run_status, chunks, count, error), error);
    }
    status = status == STATUS_OK ? maria_ledger_sweep(self, connection, error) : status;
    if (maria_is_alive(self->control)) {
        maria_unlock_creating(self, self->control);
    }
    status = status == STATUS_OK ? maria_drop_key_tables(self, self->control, error) : status;
    return status == STATUS_OK ? failpoint_hit("mysql.after_ledger_create", error) : status;
}

/* ---------------------------------------------------------------- who may write */

static void unlock(struct maria_database *self)
{
    maria_disconnect(self->lock);
    self->lock = NULL;
}

/* The server needs a moment to see that a killed process is gone. STATUS_AGAIN: somebody has it. */
static enum status take_lock(struct maria_database *self, int64_t wait_ms, struct error *error)
{
    int64_t end = clock_monotonic_ms() + wait_ms;
    enum status status = STATUS_AGAIN;

    if (maria_is_alive(self->lock)) {
        return STATUS_OK;
    }
    unlock(self);
    if (maria_connect(self, &self->lock, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (status == STATUS_AGAIN) {
        struct buffer sql = {0};
        int64_t locked = 0;
        buffer_append_string(&sql, "SELECT GET_LOCK(");
        append_lock(&sql, self, "claim");
        buffer_append_string(&sql, ", 0)");
        status = maria_ask_number(self, self->lock, &sql, MARIA_SHORT, ERROR_TARGET_LOCKED, 0,
                                  &locked, error);
        status = status == STATUS_OK && locked != 1 ? STATUS_AGAIN : status;
        if (status == STATUS_AGAIN && clock_monotonic_ms() >= end) {
            break;
        }
        if (status == STATUS_AGAIN) {
            clock_sleep_ms(CLAIM_STEP_MS);
        }
    }
    return status;
}

static void append_where(struct buffer *sql, const char *run_id)
{
    buffer_append_string(sql, " WHERE id = ");
    maria_append_string(sql, run_id);
}

/* The one claim is of all runs: it is known by the sessions which of them is at work. */
static void tell_holder(struct maria_database *self, MYSQL *connection, const char *run_id,
                        struct ledger_holder *found)
{
    struct error ignored = {0};
    struct buffer after = {0};
    MYSQL_RES *runs = NULL;
    buffer_append_string(&after, " ORDER BY id = ");
    maria_append_string(&after, run_id);
    buffer_append_string(&after, " DESC, number DESC");
    bool read = run_on(self, connection, "SELECT id, epoch, holder FROM ", "_transhume_run", &after,
                       &runs, &ignored) == STATUS_OK;
    MYSQL_ROW row = read ? mysql_fetch_row(runs) : NULL;
    while (row != NULL && !maria_is_at_work(self, connection, row[0], strtoull(row[1], NULL, 10))) {
        row = mysql_fetch_row(runs);
    }
    if (row == NULL && read && mysql_num_rows(runs) > 0) { /* it has the claim, and no mark yet */
        mysql_data_seek(runs, 0);
        row = mysql_fetch_row(runs);
    }
    sql_tell_holder(row != NULL ? row[0] : run_id, run_id,
                    row != NULL && row[2] != NULL ? row[2] : "", found);
    mysql_free_result(runs);
}

static enum status ask_epoch(struct maria_database *self, MYSQL *connection, const char *run_id,
                             const char *lock, int64_t *epoch, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT epoch FROM ");
    maria_append_table(&sql, self, "_transhume_run");
    append_where(&sql, run_id);
    buffer_append_string(&sql, lock);
    return maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, -1, epoch,
                            error);
}

/* STATUS_AGAIN: the run is at another epoch. `lock`: words that lock the run's row. */
static enum status check_epoch(struct maria_database *self, MYSQL *connection, const char *run_id,
                               uint64_t epoch, const char *lock, struct ledger_holder *found,
                               struct error *error)
{
    int64_t now = -1;
    enum status status = maria_ledger_check(self, connection, error);
    if (status == STATUS_OK) {
        status = ask_epoch(self, connection, run_id, lock, &now, error);
    }
    return status == STATUS_OK || status == STATUS_END
               ? sql_check_epoch(self->shown, "database", run_id, now, epoch, found, error)
               : status;
}

static enum status move_epoch(struct maria_database *self, MYSQL *connection, const char *run_id,
                              uint64_t old_epoch, struct ledger_holder *found, struct error *error)
{
    char holder[SQL_PROCESS_BYTES];
    struct buffer after = {0};

    enum status status =
        check_epoch(self, connection, run_id, old_epoch, " FOR UPDATE", found, error);
    if (status != STATUS_OK) {
        return status;
    }
    sql_name_process(holder);
    buffer_append_string(&after, " SET epoch = epoch + 1, holder = ");
    maria_append_string(&after, holder);
    append_where(&after, run_id);
    status = run_on(self, connection, "UPDATE ", "_transhume_run", &after, NULL, error);
    return status == STATUS_OK ? failpoint_hit("mysql.before_claim", error) : status;
}

/* What the one before has locked, the run's row too, would be waited for; its claim goes along. */
static enum status end_holder(struct maria_database *self, MYSQL *connection, const char *run_id,
                              uint64_t epoch, struct ledger_holder *found, struct error *error)
{
    enum status status = check_epoch(self, connection, run_id, epoch, "", found, error);
    status =
        status == STATUS_OK ? maria_sessions_end(self, connection, run_id, epoch, error) : status;
    if (status == STATUS_OK) {
        unlock(self);
        status = take_lock(self, CLAIM_WAIT_MS, error);
    }
    return status;
}

static enum status begin_and_move(struct maria_database *self, const char *run_id,
                                  uint64_t old_epoch, struct ledger_holder *found,
                                  struct error *error)
{
    MYSQL *connection = NULL;
    if (maria_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return maria_end(self, connection,
                     move_epoch(self, connection, run_id, old_epoch, found, error), error);
}

/* Those that the old one opened until the epoch was raised are ended, too. */
static enum status mark_own(struct maria_database *self, bool took_over, struct error *error)
{
    MYSQL *connection = NULL;
    enum status status = maria_control(self, &connection, error);
    if (status == STATUS_OK && took_over) {
        status = maria_sessions_end(self, connection, self->run_id, self->epoch - 1, error);
    }
    status = status == STATUS_OK ? maria_session_mark(self, connection, error) : status;
    return status == STATUS_OK ? maria_session_mark(self, self->lock, error) : status;
}

static enum status ledger_claim(struct database *database, const char *run_id, uint64_t old_epoch,
                                const struct ledger_holder *replaces, struct ledger_holder *found,
                                struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    char *copy = strdup(run_id);

    /* `replaces` may be `found` itself */
    bool takes_over = replaces != NULL;
    *found = (struct ledger_holder){0};
    enum status status = copy != NULL
                             ? maria_control(self, &connection, error)
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
    return failpoint_hit("mysql.after_claim", error);
}

enum status maria_ledger_check_epoch(struct maria_database *self, MYSQL *connection,
                                     const char *run_id, uint64_t epoch, struct error *error)
{
    int64_t found = -1;
    enum status status = ask_epoch(self, connection, run_id, " LOCK IN SHARE MODE", &found, error);
    return status == STATUS_OK && (found < 0 || (uint64_t)found != epoch)
               ? sql_run_fenced(self->shown, error)
               : status;
}

enum status maria_ledger_check_claim(struct maria_database *self, MYSQL *connection,
                                     struct error *error)
{
    return self->run_id == NULL
               ? STATUS_OK
               : maria_ledger_check_epoch(self, connection, self->run_id, self->epoch, error);
}

static enum status replace_status(struct maria_database *self, MYSQL *connection,
                                  const char *run_id, uint64_t epoch, const char *text,
                                  struct error *error)
{
    struct buffer after = {0};
    int64_t found = -1;
    enum status status = ask_epoch(self, connection, run_id, " FOR UPDATE", &found, error);
    if (status == STATUS_OK && (found < 0 || (uint64_t)found != epoch)) {
        return sql_run_fenced(self->shown, error);
    }
    buffer_append_string(&after, " SET status = ");
    maria_append_string(&after, text);
    append_where(&after, run_id);
    status = status == STATUS_OK
                 ? run_on(self, connection, "UPDATE ", "_transhume_run", &after, NULL, error)
                 : status;
    buffer_free(&after);
    return status == STATUS_OK ? failpoint_hit("mysql.before_status", error) : status;
}

static enum status ledger_set_status(struct database *database, const char *run_id, uint64_t epoch,
                                     const char *text, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    if (maria_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return maria_end(self, connection, replace_status(self, connection, run_id, epoch, text, error),
                     error);
}

static enum status ledger_release(struct database *database, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    (void)epoch;
    (void)error;
    unlock(self);
    if (self->run_id != NULL && strcmp(self->run_id, run_id) == 0) {
        free(self->run_id);
        self->run_id = NULL;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- streams that start again */

static enum status empty_table(struct maria_database *self, MYSQL *connection,
                               const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    enum maria_making making = MARIA_NOT_MADE;
    if (maria_ledger_making(self, connection, table->name, &making, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (making == MARIA_NOT_MADE) {
        return error_set(error, ERROR_TARGET_NOT_EMPTY, table->name,
                         "this run did not make the table, so it will not empty it");
    }
    buffer_append_string(&sql, "DELETE FROM ");
    maria_append_table(&sql, self, table->name);
    return maria_query_buffer(self, connection, &sql, MARIA_LONG, ERROR_TARGET_WRITE, NULL, error);
}

static enum status reopen_all(struct maria_database *self, MYSQL *connection, const char *run_id,
                              uint64_t epoch, const uint64_t *chunks, uint64_t chunk_count,
                              const struct target_table *const *tables, uint32_t table_count,
                              struct error *error)
{
    enum status status = maria_ledger_check_epoch(self, connection, run_id, epoch, error);
    for (uint64_t i = 0; status == STATUS_OK && i < chunk_count; i++) {
        struct buffer after = {0};
        buffer_append_string(&after, " WHERE run = ");
        maria_append_string(&after, run_id);
        buffer_format(&after, " AND chunk = %llu", (unsigned long long)chunks[i]);
        status = run_on(self, connection, "DELETE FROM ", "_transhume_done", &after, NULL, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = empty_table(self, connection, tables[i], error);
    }
    return status == STATUS_OK ? failpoint_hit("mysql.before_reopen", error) : status;
}

static enum status ledger_reopen(struct database *database, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    MYSQL *connection = NULL;
    if (maria_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return maria_end(self, connection,
                     reopen_all(self, connection, run_id, epoch, chunks, chunk_count, tables,
                                table_count, error),
                     error);
}

const struct ledger_functions maria_ledger_functions = {
    .create = ledger_create,
    .load = maria_ledger_load,
    .claim = ledger_claim,
    .set_status = ledger_set_status,
    .done = maria_ledger_done,
    .reopen = ledger_reopen,
    .release = ledger_release,
    .list = maria_ledger_list,
    .forget = maria_ledger_forget,
    .tidy = maria_ledger_tidy,
};
