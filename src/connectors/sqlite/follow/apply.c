/*
 * Applying change sets to a SQLite file: what sql/apply.h wants of it, over a connection of its own
 * that takes the writer's turn.
 *
 * Parameters are calls of transhume_cell(NUMBER), which gives the value as the column keeps it, by
 * the rules of the writer (writer_value.c).
 */
#include "connectors/sql/apply.h"
#include "connectors/sqlite/writer_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELL_FUNCTION "transhume_cell"
#define REFUSE_FUNCTION "transhume_refuse_key"

struct sqlite_apply {
    struct apply head;
    struct sqlite_database *database;
    sqlite3 *connection;
    bool turn; /* taken */
    struct arena *scratch;
    struct writer_view view; /* what a value is refused for, of the statement that runs: */
    const struct sql_apply_statement *statement;
    const struct record_change *change;
};

/* The kept parts of a statement. */
struct prepared {
    sqlite3_stmt *statement;
    struct writer_column *parameters; /* a column each */
    struct writer_insert
        told; /* of those that are fields of `after`, for the reason of a refusal */
};

static struct sqlite_apply *own(struct apply *apply)
{
    return (struct sqlite_apply *)apply;
}

/* ---------------------------------------------------------------- values */

static void give_cell(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct sqlite_apply *apply = sqlite3_user_data(context);
    uint32_t number = (uint32_t)sqlite3_value_int64(values[0]);
    (void)count;
    if (apply->statement == NULL || number >= apply->statement->parameter_count) {
        sqlite3_result_error(context, "a function of transhume's own", -1);
        return;
    }
    const struct sql_apply_parameter *parameter = &apply->statement->parameters[number];
    const struct prepared *prepared = apply->statement->prepared;
    const struct cell *cell = parameter->of_key ? &apply->change->key[parameter->at]
                                                : &apply->change->after[parameter->at];
    (void)writer_value_give(&apply->view, &prepared->parameters[number], cell, context);
}

static void append_parameter(const struct sql_apply_table *table, uint32_t column, uint32_t number,
                             struct buffer *sql)
{
    (void)table;
    (void)column;
    buffer_format(sql, CELL_FUNCTION "(%u)", number);
}

/* By bytes; numbers by what they are, whatever they are kept as. */
static void append_is(const struct sql_apply_table *table, uint32_t column, const char *name,
                      uint32_t number, struct buffer *sql)
{
    (void)table;
    (void)column;
    buffer_format(sql, "%s COLLATE BINARY IS " CELL_FUNCTION "(%u)", name, number);
}

static void append_same(const struct sql_apply_table *table, uint32_t column, const char *left,
                        const char *right, struct buffer *sql)
{
    (void)table;
    (void)column;
    buffer_format(sql, "%s COLLATE BINARY IS %s", left, right);
}

/* Where another record is under a key. */
static void refuse_key(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct sqlite_apply *apply = sqlite3_user_data(context);
    (void)count;
    (void)values;
    if (!apply->view.refusal.set) {
        apply->view.refusal = (struct writer_refusal){
            .set = true,
            .code = ERROR_REJECT_KEY_DUPLICATE,
            .reason = "another record has its key, as the table compares it"};
    }
    sqlite3_result_error_code(context, SQLITE_CONSTRAINT_VTAB);
}

/* ---------------------------------------------------------------- statements */

static enum status sqlite_apply_describe(struct apply *apply, struct sql_apply_table *table,
                                         struct error *error)
{
    struct sqlite_target_table *facts = arena_allocate_zeroed(apply->arena, 1, sizeof *facts);
    enum status status = sqlite_target_describe(own(apply)->database, own(apply)->connection,
                                                table->plan->name, apply->arena, facts, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (facts->is_view || facts->is_virtual) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                         "this is a %s and takes no records",
                         facts->is_view ? "view" : "virtual table");
    }
    struct sql_apply_column *columns =
        arena_allocate_zeroed(apply->arena, facts->column_count, sizeof *columns);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        columns[i] = (struct sql_apply_column){.name = facts->columns[i].name,
                                               .made = facts->columns[i].generated};
    }
    table->row_name = sqlite_target_rowid_name(facts);
    if (table->plan->key.count == 0 && table->row_name == NULL) {
        error_set(error, ERROR_TARGET_SCHEMA, facts->name,
                  "it has no key by which changes could find their records, and its columns take "
                  "all names of SQLite's row number (rowid, _rowid_, oid)");
        return error_hint(error, "rename one of these columns, or leave the table out");
    }
    table->name = facts->name;
    table->columns = columns;
    table->column_count = facts->column_count;
    table->facts = facts;
    return STATUS_OK;
}

static struct writer_column column_of(const struct sqlite_target_table *facts,
                                      const struct sql_apply_parameter *parameter)
{
    const struct sqlite_target_column *column = &facts->columns[parameter->column];
    return (struct writer_column){.field = parameter->at,
                                  .affinity = column->affinity,
                                  .row_key = column->row_key,
                                  .column = column};
}

static enum status apply_prepare(struct sqlite_apply *apply, struct sql_apply_statement *statement,
                                 struct error *error)
{
    const struct sqlite_target_table *facts = statement->table->facts;
    size_t count = statement->parameter_count + 1u;
    struct prepared *prepared = arena_allocate_zeroed(statement->arena, 1, sizeof *prepared);
    struct writer_column *told =
        arena_allocate_zeroed(statement->arena, count, sizeof *prepared->parameters);
    prepared->parameters =
        arena_allocate_zeroed(statement->arena, count, sizeof *prepared->parameters);
    prepared->told.columns = prepared->told.view.columns = told;
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        prepared->parameters[i] = column_of(facts, &statement->parameters[i]);
        if (!statement->parameters[i].of_key) {
            told[prepared->told.view.column_count++] = prepared->parameters[i];
        }
    }
    enum status status = sqlite_target_prepare(apply->database, apply->connection, statement->sql,
                                               &prepared->statement, error);
    if (status != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_SCHEMA);
    }
    statement->prepared = prepared;
    return STATUS_OK;
}

static void sqlite_apply_forget(struct apply *apply, struct sql_apply_statement *statement)
{
    struct prepared *prepared = statement->prepared;
    (void)apply;
    sqlite3_finalize(prepared->statement);
}

/* The reason as a writer's would be, of a batch of one. */
static void describe_refusal(const struct writer_failure *failure,
                             struct sql_apply_statement *statement,
                             const struct record_change *change, struct sql_apply_refused *refused)
{
    struct prepared *prepared = statement->prepared;
    struct batch batch = {.cells = (struct cell *)change->after, .row_count = 1};
    struct writer_table table = {.plan = statement->table->plan};
    struct record_outcome outcome;
    prepared->told.view.batch = &batch;
    writer_failure_describe(failure, &prepared->told, &table, 0, refused->arena, &outcome);
    prepared->told.view.batch = NULL;
    refused->code = outcome.code;
    refused->reason = outcome.reason;
}

static enum status run_failed(struct sqlite_apply *apply, struct sql_apply_statement *statement,
                              const struct record_change *change, struct sql_apply_refused *refused,
                              struct error *error)
{
    struct writer_failure failure = {.result = sqlite3_extended_errcode(apply->connection),
                                     .refusal = apply->view.refusal};
    snprintf(failure.message, sizeof failure.message, "%s", sqlite3_errmsg(apply->connection));
    if (!writer_failure_is_of_record(&failure, &apply->view)) {
        return apply->view.large_error.code != ERROR_NONE
                   ? error_copy(error, &apply->view.large_error)
                   : sqlite_target_error(apply->database, apply->connection, failure.result,
                                         ERROR_TARGET_WRITE, failure.message, error);
    }
    if (sqlite3_get_autocommit(apply->connection)) {
        error_set(error, ERROR_TARGET_WRITE, statement->table->name,
                  "a trigger or constraint of the table rolled the whole transaction back: %s",
                  failure.message);
        error_hint(error,
                   "change its RAISE(ROLLBACK) or ON CONFLICT ROLLBACK to ABORT for the load");
        return STATUS_FAILED;
    }
    describe_refusal(&failure, statement, change, refused);
    return STATUS_AGAIN;
}

static enum status sqlite_apply_run(struct apply *head, struct sql_apply_statement *statement,
                                    const struct record_change *change,
                                    struct sql_apply_refused *refused, struct error *error)
{
    struct sqlite_apply *apply = own(head);
    if (statement->prepared == NULL && apply_prepare(apply, statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct prepared *prepared = statement->prepared;
    apply->statement = statement;
    apply->change = change;
    apply->view.refusal.set = false;
    apply->view.large_error.code = ERROR_NONE;
    int result = sqlite3_step(prepared->statement);
    enum status status =
        result == SQLITE_DONE ? STATUS_OK : run_failed(apply, statement, change, refused, error);
    uint64_t rows = (uint64_t)sqlite3_changes64(apply->connection);
    if (status == STATUS_OK && head->counts) {
        head->changed += rows;
    }
    if (status == STATUS_OK && statement->finds) {
        sql_apply_changed(head, change, rows);
    }
    sqlite3_reset(prepared->statement);
    apply->statement = NULL;
    arena_reset(apply->scratch);
    return status;
}

/* ---------------------------------------------------------------- transactions */

static enum status sqlite_apply_begin(struct apply *head, struct error *error)
{
    struct sqlite_apply *apply = own(head);
    if (sqlite_turn_take(apply->database, SQLITE_TURN_WRITER, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    apply->turn = true;
    enum status status = sqlite_target_execute(apply->database, apply->connection,
                                               "BEGIN IMMEDIATE", ERROR_TARGET_WRITE, error);
    if (status != STATUS_OK) {
        apply->turn = false;
        sqlite_turn_give(apply->database);
    }
    return status;
}

static enum status sqlite_apply_ask(struct apply *head, const char *sql,
                                    const struct store_value *parameter, sql_store_row *row,
                                    void *context, uint64_t *changed, struct error *error)
{
    enum { FIELDS_MAX = SQL_STORE_FIELDS_MAX };
    struct sqlite_apply *apply = own(head);
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare(apply->database, apply->connection, sql, &statement, error);
    if (status == STATUS_OK && parameter != NULL) {
        sqlite3_bind_text64(statement, 1, parameter->text, parameter->length, SQLITE_STATIC,
                            SQLITE_UTF8);
    }
    while (status == STATUS_OK &&
           (status = sqlite_step(apply->database, statement, error)) == STATUS_OK) {
        const char *fields[FIELDS_MAX];
        size_t lengths[FIELDS_MAX];
        int count = sqlite3_column_count(statement);
        for (int i = 0; i < count && i < FIELDS_MAX; i++) {
            fields[i] = sqlite_text_of(statement, i);
            lengths[i] = (size_t)sqlite3_column_bytes(statement, i);
        }
        status = row != NULL ? row(context, fields, lengths, error) : STATUS_OK;
    }
    status = status == STATUS_END ? STATUS_OK : status;
    if (changed != NULL) {
        *changed = status == STATUS_OK ? (uint64_t)sqlite3_changes64(apply->connection) : 0;
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status note_row(void *context, const char *const *fields, const size_t *lengths,
                            struct error *error)
{
    (void)fields;
    (void)lengths;
    (void)error;
    *(bool *)context = true;
    return STATUS_OK;
}

/* The last statement before COMMIT; the write lock is held by then. */
static enum status check_claim(struct apply *head, struct error *error)
{
    const struct sql_database *self = &own(head)->database->sql;
    struct buffer sql = {0};
    bool stands = false;
    if (self->run_id == NULL || self->guard_key == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT 1");
    sql_store_append_guard(head->store, self->guard_key, self->guard_version, &sql);
    enum status status =
        sqlite_apply_ask(head, buffer_string(&sql), NULL, note_row, &stands, NULL, error);
    buffer_free(&sql);
    return status == STATUS_OK && !stands ? sql_run_fenced(self->shown, error) : status;
}

static enum status sqlite_apply_end(struct apply *head, bool commit, struct error *error)
{
    struct sqlite_apply *apply = own(head);
    enum status status = commit ? check_claim(head, error) : STATUS_OK;
    if (commit && status == STATUS_OK) {
        status = sqlite_target_execute(apply->database, apply->connection, "COMMIT",
                                       ERROR_TARGET_WRITE, error);
    }
    if (!sqlite3_get_autocommit(apply->connection)) {
        sqlite3_exec(apply->connection, "ROLLBACK", NULL, NULL, NULL);
    }
    if (apply->turn) {
        apply->turn = false;
        sqlite_turn_give(apply->database);
    }
    return status;
}

static enum status savepoint(struct apply *head, enum sql_apply_savepoint act, struct error *error)
{
    static const char *const statements[] = {
        [SQL_APPLY_SET] = "SAVEPOINT transhume_change",
        [SQL_APPLY_BACK] = "ROLLBACK TO transhume_change; RELEASE transhume_change",
        [SQL_APPLY_RELEASE] = "RELEASE transhume_change",
    };
    return sqlite_target_execute(own(head)->database, own(head)->connection, statements[act],
                                 ERROR_TARGET_WRITE, error);
}

static const struct sql_apply_dialect dialect = {
    .insert = "INSERT OR ABORT INTO ",
    .between = " VALUES ",
    .bytes_before = "x'",
    .hex_before = "hex(",
    .hex_behind = ")",
    .update = "UPDATE OR ABORT ",
    .refuses_alone = true,
    .describe = sqlite_apply_describe,
    .append_parameter = append_parameter,
    .append_is = append_is,
    .append_same = append_same,
    .no_key = REFUSE_FUNCTION "()",
    .begin = sqlite_apply_begin,
    .end = sqlite_apply_end,
    .savepoint = savepoint,
    .run = sqlite_apply_run,
    .ask = sqlite_apply_ask,
    .forget = sqlite_apply_forget,
};

/* ---------------------------------------------------------------- handles */

static void apply_close(struct apply *head)
{
    if (head != NULL) {
        struct sqlite_apply *apply = own(head);
        sql_apply_free(head);
        sqlite_connection_close(apply->connection);
        arena_destroy(apply->scratch);
        free(apply);
    }
}

static enum status set_up(struct sqlite_apply *apply, struct error *error)
{
    struct sqlite_database *self = apply->database;
    sqlite3_stmt *statement = NULL;
    if (sqlite_connection_open(self->path, CONNECTION_CREATE, self->timeout_ms, &apply->connection,
                               error) != STATUS_OK ||
        sqlite_target_set_up(self, apply->connection, error) != STATUS_OK ||
        sqlite_target_execute(self, apply->connection,
                              "PRAGMA cache_spill=ON; PRAGMA cache_size=-8192", ERROR_TARGET_WRITE,
                              error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_triggers_set(apply->connection, !self->sql.base.triggers_off);
    int result = sqlite3_create_function_v2(apply->connection, CELL_FUNCTION, 1,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                            apply, give_cell, NULL, NULL, NULL);
    result = result == SQLITE_OK ? sqlite3_create_function_v2(apply->connection, REFUSE_FUNCTION, 0,
                                                              SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                                              apply, refuse_key, NULL, NULL, NULL)
                                 : result;
    if (result != SQLITE_OK) {
        return sqlite_target_error(self, apply->connection, result, ERROR_INTERNAL,
                                   "a function can't be given to it", error);
    }
    enum status status =
        sqlite_target_prepare(self, apply->connection, "PRAGMA main.encoding", &statement, error);
    status = status == STATUS_OK ? sqlite_step(self, statement, error) : status;
    if (status == STATUS_OK) {
        apply->view.utf16 = strncmp(sqlite_text_of(statement, 0), "UTF-16", 6) == 0;
    }
    sqlite3_finalize(statement);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static enum status apply_open(struct database *database, const struct apply_request *request,
                              struct apply **out, struct error *error)
{
    struct sqlite_apply *apply = memory_allocate_zeroed(1, sizeof *apply);
    apply->head.dialect = &dialect;
    apply->database = sqlite_database_of(database);
    apply->scratch = arena_create(0);
    apply->view.scratch = apply->scratch;
    apply->view.started = true;
    enum status status = set_up(apply, error);
    status = status == STATUS_OK ? sql_apply_open(&apply->head, database, request, error) : status;
    if (status != STATUS_OK) {
        apply_close(&apply->head);
        apply = NULL;
    }
    *out = apply != NULL ? &apply->head : NULL;
    return status;
}

static enum status may_write(struct database *database, const struct target_table *tables,
                             uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    const struct sqlite_database *self = sqlite_database_of(database);
    (void)tables;
    (void)table_count;
    if (euidaccess(self->path, W_OK) == 0) {
        return STATUS_OK;
    }
    error_set_errno(error, ERROR_PERMISSION, errno, self->sql.shown, "the file can't be written");
    error_hint(error, "give write permission on it");
    return lacks_take(lacks, STATUS_FAILED, error);
}

const struct apply_functions sqlite_apply = {
    .takes_whole_records = true,
    .tells_absent = true,
    .moves_records = true,
    .may_write = may_write,
    .open = apply_open,
    .close = apply_close,
    .position = sql_apply_position,
    .apply_sets = sql_apply_sets,
    .list = sql_apply_list,
    .find = sql_apply_find,
};
