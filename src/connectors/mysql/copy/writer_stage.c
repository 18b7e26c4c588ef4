/* From the temporary table into the plan's: what to do about records that are there. */
#include "connectors/mysql/copy/writer_internal.h"
#include <string.h>
#include <strings.h>

/* Temporary tables go with their connection; making one does not end a transaction. */
static enum status mysql_writer_stage_make(struct writer *writer, const char *make_sql,
                                           const char *name, struct error *error)
{
    enum status status = mysql_run(writer->database, writer->connection, make_sql, SQL_SHORT,
                                   ERROR_TARGET_WRITE, NULL, error);
    if (status != STATUS_OK) {
        return status;
    }
    return mysql_run_buffer(writer->database, writer->connection,
                            mysql_sql("DELETE FROM %t", &writer->database->sql, name), SQL_SHORT,
                            ERROR_TARGET_WRITE, NULL, error);
}

enum status writer_stage_make(struct writer *writer, struct error *error)
{
    const struct writer_plan *plan = writer->sending->plan;
    enum status status = mysql_writer_stage_make(writer, plan->stage, plan->stage_name, error);
    return status == STATUS_OK && plan->distinct
               ? mysql_writer_stage_make(writer, plan->repeats, plan->repeats_name, error)
               : status;
}

static void append_stage(struct buffer *sql, const struct stage_pass *pass)
{
    mysql_append_table(sql, pass->writer->database, pass->plan->stage_name);
}

static void append_table(struct buffer *sql, const struct stage_pass *pass)
{
    mysql_append_table(sql, pass->writer->database, pass->plan->facts->schema->name);
}

/* Records of this run under keys that it has written: the first stays. Of two writers the second
 * waits here for the first, and then finds the key taken. */
static enum status take_out_repeats(struct stage_pass *pass)
{
    struct mysql_database *self = pass->writer->database;
    unsigned long long chunk = pass->writer->sql.chunk;
    const char *name = writer_plan_name(pass->writer, pass->plan);
    struct buffer sql = {0};

    buffer_append_string(&sql, "INSERT IGNORE INTO ");
    mysql_append_key_table(&sql, self, name);
    mysql_append(&sql,
                 " (%l, _transhume_chunk, _transhume_row) SELECT %l, %U, _transhume_row FROM ",
                 pass->key, pass->key, (uint64_t)chunk);
    append_stage(&sql, pass);
    buffer_append_string(&sql, " ORDER BY _transhume_row");
    enum status status = writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
    if (status != STATUS_OK) {
        return status;
    }
    buffer_append_string(&sql, pass->plan->distinct ? "" : "SELECT s._transhume_row FROM ");
    append_stage(&sql, pass);
    buffer_append_string(&sql, " AS s JOIN ");
    mysql_append_key_table(&sql, self, name);
    buffer_append_string(&sql, " AS k ON ");
    mysql_append_match(&sql, pass->key, "s", "k");
    buffer_format(&sql,
                  " WHERE k._transhume_chunk <> %llu OR k._transhume_row <> s._transhume_row "
                  "LOCK IN SHARE MODE",
                  chunk);
    return pass->plan->distinct
               ? writer_distinct_lay_aside(pass, &sql)
               : writer_stage_take_out(pass, pass->plan->stage_name, &sql, sql_taken_of_run);
}

/* `before`: only those that the run did not write itself, whose repeats are no others. */
static enum status take_out_present(struct stage_pass *pass, bool before)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT s._transhume_row FROM ");
    append_stage(&sql, pass);
    buffer_append_string(&sql, " AS s JOIN ");
    append_table(&sql, pass);
    buffer_append_string(&sql, " AS t ON ");
    mysql_append_match(&sql, pass->key, "s", "t");
    if (before) {
        buffer_append_string(&sql, " WHERE NOT EXISTS (SELECT 1 FROM ");
        mysql_append_key_table(&sql, pass->writer->database,
                               writer_plan_name(pass->writer, pass->plan));
        buffer_append_string(&sql, " AS k WHERE ");
        mysql_append_match(&sql, pass->key, "k", "s");
        buffer_append_byte(&sql, ')');
    }
    buffer_append_string(&sql, " LOCK IN SHARE MODE");
    return writer_stage_take_out(pass, pass->plan->stage_name, &sql, sql_taken_present);
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

/* Upsert sets the plan's columns, those of other entities to NULL if it clears them; replace also
 * puts the others back to their defaults. The default of a counter is 0 to the server: it stays. */
static enum status update_present(struct stage_pass *pass)
{
    const struct mysql_table *facts = pass->plan->facts;
    const struct target_table *table = pass->writer->tables[pass->plan->table].plan;
    struct buffer sql = {0};
    bool begun = false;
    buffer_append_string(&sql, "UPDATE ");
    append_table(&sql, pass);
    buffer_append_string(&sql, " AS t JOIN ");
    append_stage(&sql, pass);
    buffer_append_string(&sql, " AS s ON ");
    mysql_append_match(&sql, pass->key, "s", "t");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct mysql_column *column = &facts->columns[i];
        bool planned = in_plan(pass->plan, column->name);
        bool cleared = !planned && target_table_clears(table, column->name, strcasecmp);
        if (mysql_is_in(pass->key, column->name) || column->generated ||
            (!planned && column->counted) ||
            (!planned && !cleared &&
             (pass->plan->existing != EXISTING_REPLACE ||
              (column->not_null && !column->has_default)))) {
            continue;
        }
        mysql_append(&sql, "%s%n%s", begun ? ", t." : " SET t.", column->name,
                     planned   ? " = s."
                     : cleared ? " = NULL"
                               : " = DEFAULT");
        if (planned) {
            mysql_append_name(&sql, column->name);
        }
        begun = true;
    }
    if (!begun) {
        buffer_free(&sql);
        return STATUS_OK;
    }
    return writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
}

static bool overwrites(const struct writer_plan *plan)
{
    return plan->existing == EXISTING_UPSERT || plan->existing == EXISTING_REPLACE;
}

static enum status insert_rest(struct stage_pass *pass)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO ");
    append_table(&sql, pass);
    buffer_append_string(&sql, " (");
    writer_stage_append_columns(pass->plan, "", &sql);
    buffer_append_string(&sql, ") SELECT ");
    writer_stage_append_columns(pass->plan, "s.", &sql);
    buffer_append_string(&sql, " FROM ");
    append_stage(&sql, pass);
    buffer_append_string(&sql, " AS s");
    if (overwrites(pass->plan)) {
        buffer_append_string(&sql, " WHERE NOT EXISTS (SELECT 1 FROM ");
        append_table(&sql, pass);
        buffer_append_string(&sql, " AS t WHERE ");
        mysql_append_match(&sql, pass->key, "s", "t");
        buffer_append_byte(&sql, ')');
    }
    buffer_append_string(&sql, " ORDER BY s._transhume_row");
    return writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
}

/* Nothing undoes the pass any more. */
static enum status note_taken(const struct stage_pass *pass)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(pass->writer, &count);
    const struct sql_taken *taken = (const void *)pass->writer->sql.taken.data;
    size_t left = pass->writer->sql.taken.length / sizeof *taken;
    enum status status = STATUS_OK;
    for (; status == STATUS_OK && left > 0; left--, taken++) {
        const struct sent_row *at = &rows[pass->first + taken->place];
        status = sql_held_refuse(at->held, at->row, taken->kind, taken->code, taken->reason,
                                 pass->error);
    }
    return status;
}

enum status writer_stage_apply(struct writer *writer, uint32_t first, uint32_t end,
                               struct refusal *refusal, struct error *error)
{
    uint32_t count = 0;
    buffer_clear(&writer->sql.taken);
    (void)writer_rows(writer, &count);
    struct stage_pass pass = {.writer = writer,
                              .plan = writer->sending->plan,
                              .key = writer->tables[writer->sending->plan->table].plan->key,
                              .first = first,
                              .end = end,
                              .first_number = writer->sending->numbered - count + first,
                              .refusal = refusal,
                              .error = error};
    bool skips = writer->sending->plan->existing == EXISTING_SKIP;
    bool undo = writer_keeps_undo(&writer->tables[writer->sending->plan->table]);
    enum status status = pass.plan->distinct ? writer_distinct_lock(&pass) : STATUS_OK;
    if (status == STATUS_OK && pass.plan->distinct && skips) {
        status = take_out_present(&pass, true);
    }
    if (status == STATUS_OK && target_table_tracks(writer->tables[pass.plan->table].plan)) {
        status = take_out_repeats(&pass);
    } else if (status == STATUS_OK && pass.plan->distinct) {
        status = writer_distinct_part(&pass);
    }
    if (status == STATUS_OK && skips) {
        status = take_out_present(&pass, false);
    }
    status = status == STATUS_OK ? writer_later_lay_aside(&pass) : status;
    if (status == STATUS_OK && undo && overwrites(pass.plan)) {
        status = writer_undo_before(writer, pass.plan, refusal, error);
    }
    if (status == STATUS_OK && overwrites(pass.plan)) {
        status = update_present(&pass);
    }
    status = status == STATUS_OK ? insert_rest(&pass) : status;
    status =
        status == STATUS_OK && undo ? writer_undo_after(writer, pass.plan, refusal, error) : status;
    status = status == STATUS_OK ? writer_distinct_settle(&pass) : status;
    return status == STATUS_OK ? note_taken(&pass) : status;
}
