/* From the temporary table into the plan's: what to do about records that are there. */
#include "connectors/mysql/writer_internal.h"
#include <string.h>

struct apply {
    struct writer *writer;
    const struct writer_plan *plan;
    struct column_list key;
    uint32_t first; /* the window, among the segment's rows */
    uint32_t end;
    uint64_t first_number; /* _transhume_row of its first row */
    struct refusal *refusal;
    struct error *error;
};

/* A temporary table goes with its connection; making it does not end a transaction. */
enum status writer_stage_make(struct writer *writer, struct error *error)
{
    struct buffer sql = {0};
    enum status status =
        maria_query(writer->database, writer->connection, writer->sending->plan->stage, MARIA_SHORT,
                    ERROR_TARGET_WRITE, NULL, error);
    if (status != STATUS_OK) {
        return status;
    }
    buffer_append_string(&sql, "DELETE FROM ");
    maria_append_table(&sql, writer->database, writer->sending->plan->stage_name);
    return maria_query_buffer(writer->database, writer->connection, &sql, MARIA_SHORT,
                              ERROR_TARGET_WRITE, NULL, error);
}

static void append_stage(struct buffer *sql, const struct apply *apply)
{
    maria_append_table(sql, apply->writer->database, apply->plan->stage_name);
}

static void append_table(struct buffer *sql, const struct apply *apply)
{
    maria_append_table(sql, apply->writer->database, apply->plan->facts->schema->name);
}

/* Takes the rows that a statement lists by their numbers out of the temporary table. */
static enum status take_out(struct apply *apply, struct buffer *list, enum outcome_kind kind,
                            const char *reason)
{
    const struct sql_taken one = {
        .kind = kind, .code = ERROR_REJECT_KEY_DUPLICATE, .reason = reason};
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status =
        writer_run_statement(apply->writer, list, &result, apply->refusal, apply->error);
    buffer_append_string(&sql, "DELETE FROM ");
    append_stage(&sql, apply);
    uint32_t found = 0;
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        status = sql_taken_add(&apply->writer->taken, row[0], apply->first_number,
                               apply->end - apply->first, one, apply->plan->facts->schema->name,
                               apply->error);
        buffer_format(&sql, "%s%s", found++ == 0 ? " WHERE _transhume_row IN (" : ",", row[0]);
    }
    mysql_free_result(result);
    buffer_append_byte(&sql, ')');
    if (status != STATUS_OK || found == 0) {
        buffer_free(&sql);
        return status;
    }
    return writer_run_statement(apply->writer, &sql, NULL, apply->refusal, apply->error);
}

/* Records of this run under keys that it has written: the first stays. Of two writers the second
 * waits here for the first, and then finds the key taken. */
static enum status take_out_repeats(struct apply *apply)
{
    struct maria_database *self = apply->writer->database;
    unsigned long long chunk = apply->writer->chunk;
    const char *name = apply->plan->facts->schema->name;
    struct buffer sql = {0};

    buffer_append_string(&sql, "INSERT IGNORE INTO ");
    maria_append_key_table(&sql, self, name);
    buffer_append_string(&sql, " (");
    maria_append_names(&sql, NULL, apply->key);
    buffer_append_string(&sql, ", _transhume_chunk, _transhume_row) SELECT ");
    maria_append_names(&sql, NULL, apply->key);
    buffer_format(&sql, ", %llu, _transhume_row FROM ", chunk);
    append_stage(&sql, apply);
    buffer_append_string(&sql, " ORDER BY _transhume_row");
    enum status status =
        writer_run_statement(apply->writer, &sql, NULL, apply->refusal, apply->error);
    if (status != STATUS_OK) {
        return status;
    }
    buffer_append_string(&sql, "SELECT s._transhume_row FROM ");
    append_stage(&sql, apply);
    buffer_append_string(&sql, " AS s JOIN ");
    maria_append_key_table(&sql, self, name);
    buffer_append_string(&sql, " AS k ON ");
    maria_append_match(&sql, apply->key, "s", "k");
    buffer_format(&sql,
                  " WHERE k._transhume_chunk <> %llu OR k._transhume_row <> s._transhume_row "
                  "LOCK IN SHARE MODE",
                  chunk);
    return take_out(apply, &sql, OUTCOME_REJECTED, "another record of this run has this key");
}

static enum status take_out_present(struct apply *apply)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT s._transhume_row FROM ");
    append_stage(&sql, apply);
    buffer_append_string(&sql, " AS s JOIN ");
    append_table(&sql, apply);
    buffer_append_string(&sql, " AS t ON ");
    maria_append_match(&sql, apply->key, "s", "t");
    buffer_append_string(&sql, " LOCK IN SHARE MODE");
    return take_out(apply, &sql, OUTCOME_SKIPPED, "a record with this key is there");
}

static bool in_plan(const struct writer_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        if (strcmp(plan->columns[i].column->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Upsert sets the plan's columns; replace also puts the others back to their defaults. */
static enum status update_present(struct apply *apply)
{
    const struct maria_table *facts = apply->plan->facts;
    struct buffer sql = {0};
    bool begun = false;
    buffer_append_string(&sql, "UPDATE ");
    append_table(&sql, apply);
    buffer_append_string(&sql, " AS t JOIN ");
    append_stage(&sql, apply);
    buffer_append_string(&sql, " AS s ON ");
    maria_append_match(&sql, apply->key, "s", "t");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct maria_column *column = &facts->columns[i];
        bool planned = in_plan(apply->plan, column->name);
        if (maria_is_in(apply->key, column->name) || column->generated ||
            (!planned && (apply->plan->existing != EXISTING_REPLACE ||
                          (column->not_null && !column->has_default)))) {
            continue;
        }
        buffer_append_string(&sql, begun ? ", t." : " SET t.");
        maria_append_name(&sql, column->name);
        buffer_append_string(&sql, planned ? " = s." : " = DEFAULT");
        if (planned) {
            maria_append_name(&sql, column->name);
        }
        begun = true;
    }
    if (!begun) {
        buffer_free(&sql);
        return STATUS_OK;
    }
    return writer_run_statement(apply->writer, &sql, NULL, apply->refusal, apply->error);
}

static void append_columns(const struct writer_plan *plan, const char *alias, struct buffer *sql)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        buffer_append_string(sql, alias);
        maria_append_name(sql, plan->columns[i].column->name);
    }
}

static bool overwrites(const struct writer_plan *plan)
{
    return plan->existing == EXISTING_UPSERT || plan->existing == EXISTING_REPLACE;
}

static enum status insert_rest(struct apply *apply)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO ");
    append_table(&sql, apply);
    buffer_append_string(&sql, " (");
    append_columns(apply->plan, "", &sql);
    buffer_append_string(&sql, ") SELECT ");
    append_columns(apply->plan, "s.", &sql);
    buffer_append_string(&sql, " FROM ");
    append_stage(&sql, apply);
    buffer_append_string(&sql, " AS s");
    if (overwrites(apply->plan)) {
        buffer_append_string(&sql, " WHERE NOT EXISTS (SELECT 1 FROM ");
        append_table(&sql, apply);
        buffer_append_string(&sql, " AS t WHERE ");
        maria_append_match(&sql, apply->key, "s", "t");
        buffer_append_byte(&sql, ')');
    }
    buffer_append_string(&sql, " ORDER BY s._transhume_row");
    return writer_run_statement(apply->writer, &sql, NULL, apply->refusal, apply->error);
}

/* Nothing undoes the pass any more. */
static enum status note_taken(const struct apply *apply)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(apply->writer, &count);
    const struct sql_taken *taken = (const void *)apply->writer->taken.data;
    size_t left = apply->writer->taken.length / sizeof *taken;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && left > 0; left--, taken++) {
        const struct sent_row *at = &rows[apply->first + taken->place];
        status =
            writer_refuse(at->held, at->row, taken->kind, taken->code, taken->reason, apply->error);
    }
    return status;
}

enum status writer_stage_apply(struct writer *writer, uint32_t first, uint32_t end,
                               struct refusal *refusal, struct error *error)
{
    uint32_t count = 0;
    buffer_clear(&writer->taken);
    (void)writer_rows(writer, &count);
    struct apply apply = {.writer = writer,
                          .plan = writer->sending->plan,
                          .key = writer->tables[writer->sending->plan->table].plan->key,
                          .first = first,
                          .end = end,
                          .first_number = writer->sending->numbered - count + first,
                          .refusal = refusal,
                          .error = error};
    bool skips = writer->sending->plan->existing == EXISTING_SKIP;
    bool undo = writer_keeps_undo(&writer->tables[writer->sending->plan->table]);
    enum status status = STATUS_OK;
    if (skips || overwrites(apply.plan)) {
        status = take_out_repeats(&apply);
    }
    if (status == STATUS_OK && skips) {
        status = take_out_present(&apply);
    }
    if (status == STATUS_OK && undo && overwrites(apply.plan)) {
        status = writer_undo_before(writer, apply.plan, refusal, error);
    }
    if (status == STATUS_OK && overwrites(apply.plan)) {
        status = update_present(&apply);
    }
    status = status == STATUS_OK ? insert_rest(&apply) : status;
    status = status == STATUS_OK && undo ? writer_undo_after(writer, apply.plan, refusal, error)
                                         : status;
    return status == STATUS_OK ? note_taken(&apply) : status;
}

/* ---------------------------------------------------------------- distinct */

enum status writer_holds_row(struct writer *writer, const struct sent_row *at, bool *same,
                             struct error *error)
{
    const struct writer_plan *plan = writer->sending->plan;
    const struct cell *cells = batch_row(at->held->batch, at->row);
    struct cell *values =
        arena_allocate_zeroed(writer->load_scratch, (size_t)plan->column_count + 1, sizeof *values);
    const char **names =
        arena_allocate_zeroed(writer->load_scratch, (size_t)plan->column_count + 1, sizeof *names);
    struct buffer sql = {0};
    int64_t found = 0;

    *same = false;
    if (values == NULL || names == NULL) {
        return error_set(error, ERROR_MEMORY, writer->database->shown, "no memory for a record");
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        values[i] = cells[plan->columns[i].field];
        names[i] = plan->columns[i].column->name;
        if (values[i].kind == VALUE_LARGE) {
            return STATUS_OK; /* it is not known, so it counts as another one */
        }
    }
    buffer_append_string(&sql, "SELECT EXISTS (SELECT 1 FROM ");
    maria_append_table(&sql, writer->database, plan->facts->schema->name);
    enum status status =
        maria_append_condition(&sql, plan->facts, (struct column_list){names, plan->column_count},
                               values, writer->load_scratch, error);
    buffer_append_byte(&sql, ')');
    if (status != STATUS_OK) {
        buffer_free(&sql);
        return status;
    }
    status = maria_ask_number(writer->database, writer->connection, &sql, MARIA_LONG,
                              ERROR_TARGET_WRITE, 0, &found, error);
    *same = found != 0;
    return status;
}
