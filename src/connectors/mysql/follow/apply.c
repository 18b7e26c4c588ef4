/*
 * Change sets into MySQL and MariaDB: statements with their values in them, many of them sent at
 * once, in one transaction with the position (connectors/sql/apply.h). The server stops at the
 * first one that it refuses, and `settle` learns of it; then the shared room starts the transaction
 * over with savepoints.
 *
 * A parameter in a statement's text is \001, its number, \002: a name could hold these only between
 * its quotes.
 */
#include "connectors/sql/apply.h"
#include "base/memory.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/store.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SENT_BYTES_MAX = 128 << 10, /* of statements that go at once */
    SENT_COUNT_MAX = 256,
    PACKET_SPARE = 1024,
    TWO_ROWS = 1242, /* as sql/apply.h's on_duplicate_key has it */
    PARAMETER_BEGIN = '\001',
    PARAMETER_END = '\002'
};

struct mysql_apply {
    struct apply head;
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *scratch;
    struct buffer filled;                                /* one statement */
    struct buffer sent;                                  /* those that go at once: */
    const struct record_change *finding[SENT_COUNT_MAX]; /* NULL: it need not find a record */
    uint32_t count;
    bool failed; /* one of those that went: */
    enum error_code code;
    struct error failure;
};

static struct mysql_apply *own(struct apply *apply)
{
    return (struct mysql_apply *)apply;
}

/* ---------------------------------------------------------------- statements that are sent */

static void note_failure(struct mysql_apply *apply, const struct error *problem)
{
    unsigned number = mysql_errno(apply->connection);
    enum error_code code = ERROR_NONE;
    if (apply->failed) {
        return;
    }
    apply->failed = true;
    apply->failure = *problem;
    apply->code = ERROR_NONE;
    if (number == TWO_ROWS) {
        apply->code = ERROR_REJECT_KEY_DUPLICATE;
        error_set(&apply->failure, ERROR_REJECT_KEY_DUPLICATE, problem->object,
                  "another record has its value of a unique key");
    } else if (mysql_is_of_record(number, mysql_error(apply->connection), &code)) {
        apply->code = code;
    }
}

/* The answer to a statement: the records that it found (CLIENT_FOUND_ROWS). */
static void note_answer(struct mysql_apply *apply, uint32_t number)
{
    uint64_t rows = (uint64_t)mysql_affected_rows(apply->connection);
    if (apply->head.counts) {
        apply->head.changed += rows;
    }
    if (number < apply->count && apply->finding[number] != NULL) {
        sql_apply_changed(&apply->head, apply->finding[number], rows);
    }
}

/* Behind the first answer the others are waited for by the library, within its own timeout. */
static enum status read_others(struct mysql_apply *apply, struct error *error)
{
    note_answer(apply, 0);
    for (uint32_t number = 1; mysql_more_results(apply->connection); number++) {
        if (mysql_next_result(apply->connection) > 0) {
            return mysql_failure(apply->self, apply->connection, ERROR_TARGET_WRITE, error);
        }
        note_answer(apply, number);
        mysql_free_result(mysql_store_result(apply->connection));
    }
    return STATUS_OK;
}

/* A failed change is noted; STATUS_FAILED: the connection failed. */
static enum status apply_flush(struct mysql_apply *apply, struct error *error)
{
    struct error problem = {0};
    if (apply->count == 0) {
        return STATUS_OK;
    }
    enum status status = mysql_send(apply->self, apply->connection, apply->sent.data,
                                    apply->sent.length, SQL_LONG, ERROR_TARGET_WRITE, &problem);
    status = status == STATUS_OK ? read_others(apply, &problem) : status;
    apply->count = 0;
    buffer_clear(&apply->sent);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    note_failure(apply, &problem);
    if (apply->code == ERROR_NONE) {
        apply->failed = false;
        return error_copy(error, &problem);
    }
    return STATUS_OK;
}

static enum status apply_execute(struct mysql_apply *apply, const char *sql, struct error *error)
{
    return mysql_run(apply->self, apply->connection, sql, SQL_SHORT, ERROR_TARGET_WRITE, NULL,
                     error);
}

/* ---------------------------------------------------------------- texts */

static enum status apply_describe(struct apply *head, struct sql_apply_table *table,
                                  struct error *error)
{
    struct mysql_apply *apply = own(head);
    struct mysql_table *facts = arena_allocate_zeroed(head->arena, 1, sizeof *facts);
    enum status status = apply_flush(apply, error);
    status = status == STATUS_OK
                 ? mysql_target_describe(apply->self, apply->connection, table->plan->name,
                                         head->arena, facts, error)
                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t count = facts->schema->column_count;
    struct sql_apply_column *columns =
        arena_allocate_zeroed(head->arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct sql_apply_column){.name = facts->columns[i].name,
                                               .made = facts->columns[i].generated};
    }
    table->name = facts->schema->name;
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
    buffer_format(sql, "%c%u%c", PARAMETER_BEGIN, number, PARAMETER_END);
}

/* Texts by their bytes, whatever the column's collation takes for equal. Blanks at the end of a
 * char are not kept, and count for nothing. */
static void append_same(const struct sql_apply_table *table, uint32_t column, const char *left,
                        const char *right, struct buffer *sql)
{
    const struct mysql_table *facts = table->facts;
    const struct mysql_column *of = &facts->columns[column];
    const char *words = of->type.type.native;
    bool padded = words != NULL && strncasecmp(words, "char", 4) == 0;
    if (of->charset != NULL && padded) {
        buffer_format(sql,
                      "CONVERT(%s USING utf8mb4) COLLATE utf8mb4_bin <=> CONVERT(%s USING utf8mb4) "
                      "COLLATE utf8mb4_bin",
                      left, right);
    } else if (of->charset != NULL || of->type.format == MYSQL_AS_LABEL) {
        buffer_format(sql,
                      "CAST(CONVERT(%s USING utf8mb4) AS BINARY) <=> CAST(CONVERT(%s USING "
                      "utf8mb4) AS BINARY)",
                      left, right);
    } else if (of->type.format == MYSQL_AS_JSON) {
        buffer_format(sql, "%s <=> CAST(%s AS JSON)", left, right);
    } else {
        buffer_format(sql, "%s <=> %s", left, right);
    }
}

static void append_is(const struct sql_apply_table *table, uint32_t column, const char *name,
                      uint32_t number, struct buffer *sql)
{
    struct buffer parameter = {0};
    append_parameter(table, column, number, &parameter);
    append_same(table, column, name, buffer_string(&parameter), sql);
    buffer_free(&parameter);
}

static enum status whole_value(const struct large_value *large, struct arena *scratch,
                               struct cell *cell, struct error *error)
{
    enum { WHOLE_BYTES_MAX = 1 << 30 };
    struct large_value *read = (struct large_value *)(uintptr_t)large;
    if (large->length >= WHOLE_BYTES_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "the value has %llu bytes",
                         (unsigned long long)large->length);
    }
    char *bytes = arena_try_allocate(scratch, large->length + 1);
    if (bytes == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a large value");
    }
    *cell = (struct cell){
        .kind = (uint8_t)large->kind, .length = (uint32_t)large->length, .text = bytes};
    return large->read(read, 0, bytes, large->length, error);
}

static enum status fill_one(struct mysql_apply *apply, const struct sql_apply_statement *statement,
                            const struct record_change *change, uint32_t number,
                            struct error *error)
{
    const struct mysql_table *facts = statement->table->facts;
    const struct sql_apply_parameter *parameter = &statement->parameters[number];
    const struct mysql_column *column = &facts->columns[parameter->column];
    struct cell cell =
        parameter->of_key ? change->key[parameter->at] : change->after[parameter->at];
    if (cell.kind == VALUE_LARGE &&
        whole_value(cell.large, apply->scratch, &cell, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (parameter->of_key && column->type.format == MYSQL_AS_FLOAT &&
        (cell.kind == VALUE_FLOAT32 || cell.kind == VALUE_FLOAT64) &&
        isfinite((double)(float)cell.f64)) {
        /* all digits of what the column holds, with which it is compared as a double */
        buffer_format(&apply->filled, "%.17e", (double)(float)cell.f64);
        return STATUS_OK;
    }
    enum status status =
        mysql_encode(column, &cell, MYSQL_IN_STATEMENT, apply->scratch, &apply->filled, error);
    if (status != STATUS_OK && error->object[0] == '\0') {
        snprintf(error->object, sizeof error->object, "%s", column->name);
    }
    return status;
}

static enum status apply_fill(struct mysql_apply *apply,
                              const struct sql_apply_statement *statement,
                              const struct record_change *change, struct error *error)
{
    const char *at = statement->sql;
    const char *begin = at;
    bool quoted = false;
    enum status status = STATUS_OK;
    buffer_clear(&apply->filled);
    while (*at != '\0' && status == STATUS_OK) {
        quoted ^= *at == '`';
        if (quoted || *at != PARAMETER_BEGIN) {
            at++;
            continue;
        }
        char *behind = NULL;
        buffer_append(&apply->filled, begin, (size_t)(at - begin));
        status = fill_one(apply, statement, change, (uint32_t)strtoul(at + 1, &behind, 10), error);
        begin = at = behind + 1;
    }
    buffer_append(&apply->filled, begin, (size_t)(at - begin));
    return status;
}

static enum status mysql_apply_refuse(struct sql_apply_refused *refused,
                                      const struct error *problem)
{
    refused->code = problem->code;
    refused->reason =
        problem->object[0] != '\0'
            ? arena_format(refused->arena, "%s: %s", problem->object, problem->message)
            : arena_copy_string(refused->arena, problem->message);
    return STATUS_AGAIN;
}

static enum status apply_run(struct apply *head, struct sql_apply_statement *statement,
                             const struct record_change *change, struct sql_apply_refused *refused,
                             struct error *error)
{
    struct mysql_apply *apply = own(head);
    struct error problem = {0};
    uint64_t most = apply->self->packet_bytes_max - PACKET_SPARE;
    enum status status = apply_fill(apply, statement, change, &problem);
    arena_reset(apply->scratch);
    if (status == STATUS_OK && apply->filled.length > most) {
        status = error_set(&problem, ERROR_REJECT_TOO_LARGE, NULL,
                           "the record takes %zu bytes, too many for a statement of this server "
                           "(max_allowed_packet %llu)",
                           apply->filled.length, (unsigned long long)apply->self->packet_bytes_max);
    }
    if (status != STATUS_OK) {
        return problem.class == ERROR_CLASS_REJECT ? mysql_apply_refuse(refused, &problem)
                                                   : error_copy(error, &problem);
    }
    if (apply->failed) {
        return STATUS_OK; /* settle tells */
    }
    most = most < SENT_BYTES_MAX ? most : SENT_BYTES_MAX;
    if (apply->sent.length + apply->filled.length + 1 > most || apply->count == SENT_COUNT_MAX) {
        status = apply_flush(apply, error);
    }
    if (status == STATUS_OK && !apply->failed) {
        mysql_append(&apply->sent, "%s%b", apply->count > 0 ? ";" : "", &apply->filled);
        apply->finding[apply->count++] = statement->finds ? change : NULL;
    }
    if (apply->filled.capacity > 2 * SENT_BYTES_MAX) {
        buffer_free(&apply->filled);
    }
    return status;
}

static enum status apply_settle(struct apply *head, struct sql_apply_refused *refused,
                                struct error *error)
{
    struct mysql_apply *apply = own(head);
    if (apply_flush(apply, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!apply->failed) {
        return STATUS_OK;
    }
    apply->failed = false;
    refused->code = apply->code;
    refused->reason = arena_copy_string(refused->arena, apply->failure.message);
    return STATUS_AGAIN;
}

/* ---------------------------------------------------------------- transactions */

/* Statements that were not sent by now are of no use any more. */
static void drop_unsent(struct mysql_apply *apply)
{
    apply->count = 0;
    apply->failed = false;
    buffer_clear(&apply->sent);
}

static enum status apply_begin(struct apply *head, struct error *error)
{
    struct mysql_apply *apply = own(head);
    drop_unsent(apply);
    return apply_execute(apply, "START TRANSACTION", error);
}

static enum status apply_end(struct apply *head, bool commit, struct error *error)
{
    struct mysql_apply *apply = own(head);
    if (!commit) {
        drop_unsent(apply);
        return apply_execute(apply, "ROLLBACK", error);
    }
    enum status status = mysql_check_claim(apply->self, apply->connection, error);
    return status == STATUS_OK ? apply_execute(apply, "COMMIT", error) : status;
}

static enum status savepoint(struct apply *head, enum sql_apply_savepoint act, struct error *error)
{
    struct mysql_apply *apply = own(head);
    enum status status = STATUS_OK;
    if (act == SQL_APPLY_BACK) {
        drop_unsent(apply);
        status = apply_execute(apply, "ROLLBACK TO SAVEPOINT transhume_change", error);
    } else {
        status = apply_flush(apply, error);
    }
    return status != STATUS_OK ? status
           : act == SQL_APPLY_SET
               ? apply_execute(apply, "SAVEPOINT transhume_change", error)
               : apply_execute(apply, "RELEASE SAVEPOINT transhume_change", error);
}

static enum status apply_ask(struct apply *head, const char *sql,
                             const struct store_value *parameter, sql_store_row *row, void *context,
                             uint64_t *changed, struct error *error)
{
    struct mysql_apply *apply = own(head);
    return apply_flush(apply, error) == STATUS_OK
               ? mysql_store_run(apply->self, apply->connection, sql, parameter, row, context,
                                 changed, error)
               : STATUS_FAILED;
}

static void apply_forget(struct apply *apply, struct sql_apply_statement *statement)
{
    (void)apply;
    (void)statement;
}

static const struct sql_apply_dialect dialect = {
    .insert = "INSERT INTO ",
    .between = " VALUES ",
    .bytes_before = "x'",
    .hex_before = "HEX(",
    .hex_behind = ")",
    .update = "UPDATE ",
    .on_duplicate_key = true,
    .describe = apply_describe,
    .append_parameter = append_parameter,
    .append_is = append_is,
    .append_same = append_same,
    .no_key = "(SELECT 1 UNION ALL SELECT 2)",
    .begin = apply_begin,
    .end = apply_end,
    .savepoint = savepoint,
    .run = apply_run,
    .settle = apply_settle,
    .ask = apply_ask,
    .forget = apply_forget,
};

/* ---------------------------------------------------------------- handles */

/* Where foreign keys answer, may a record that is deleted take others along? */
static enum status look_for_cascades(struct mysql_apply *apply, struct error *error)
{
    int64_t count = 0;
    enum status status = mysql_ask_number(
        apply->self, apply->connection,
        mysql_sql("SELECT COUNT(*) FROM information_schema.referential_constraints WHERE "
                  "delete_rule NOT IN ('RESTRICT', 'NO ACTION') AND constraint_schema = %q",
                  apply->self->sql.schema),
        SQL_SHORT, ERROR_TARGET_INVALID, 0, &count, error);
    apply->head.cascades = count > 0;
    return status;
}

static enum status set_up(struct mysql_apply *apply, struct error *error)
{
    struct mysql_database *self = apply->self;
    if (mysql_join(self, &apply->connection, error) != STATUS_OK ||
        mysql_run(self, apply->connection, "SET " MYSQL_APPLIES " = 1", SQL_SHORT,
                  ERROR_TARGET_WRITE, NULL, error) != STATUS_OK ||
        (self->sql.base.triggers_off ? mysql_silence_keys(self, apply->connection, true, error)
                                     : look_for_cascades(apply, error)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return mysql_set_server_option(apply->connection, MYSQL_OPTION_MULTI_STATEMENTS_ON) == 0
               ? STATUS_OK
               : mysql_failure(self, apply->connection, ERROR_NETWORK, error);
}

static void apply_close(struct apply *head)
{
    if (head != NULL) {
        struct mysql_apply *apply = own(head);
        sql_apply_free(head);
        mysql_disconnect(apply->connection);
        buffer_free(&apply->filled);
        buffer_free(&apply->sent);
        arena_destroy(apply->scratch);
        free(apply);
    }
}

static enum status apply_open(struct database *database, const struct apply_request *request,
                              struct apply **out, struct error *error)
{
    struct mysql_apply *apply = memory_allocate_zeroed(1, sizeof *apply);
    apply->head.dialect = &dialect;
    apply->self = mysql_database_of(database);
    apply->scratch = arena_create(0);
    enum status status = set_up(apply, error);
    status = status == STATUS_OK ? sql_apply_open(&apply->head, database, request, error) : status;
    if (status != STATUS_OK) {
        apply_close(&apply->head);
        *out = NULL;
        return STATUS_FAILED;
    }
    *out = &apply->head;
    return STATUS_OK;
}

const struct apply_functions mysql_apply_functions = {
    .takes_whole_records = true,
    .tells_absent = true,
    .moves_records = true,
    .foresee = mysql_quiet_foresee,
    .silence = mysql_quiet_silence,
    .restore = mysql_quiet_restore,
    .taken_out = mysql_quiet_taken_out,
    .may_write = mysql_may_write,
    .open = apply_open,
    .close = apply_close,
    .position = sql_apply_position,
    .apply_sets = sql_apply_sets,
    .list = sql_apply_list,
    .find = sql_apply_find,
};
