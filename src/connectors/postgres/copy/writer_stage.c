/* From the temporary table into the plan's: what to do about records that are there. */
#include "base/text.h"
#include "connectors/postgres/copy/writer_internal.h"
#include <string.h>

/* A cast that is written out cuts, rounds and pads. */
static enum status take_out_unfit(struct stage_pass *pass)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < pass->plan->column_count; i++) {
        const struct postgres_column *column = pass->plan->columns[i].column;
        struct buffer condition = {0};
        if (column->type.format == POSTGRES_AS_CAST) {
            struct buffer name = {0};
            postgres_append_name(&name, column->name);
            postgres_append_unfit(&condition, column, buffer_string(&name));
            buffer_free(&name);
        }
        if (!buffer_is_empty(&condition)) {
            const char *reason =
                arena_format(pass->writer->sql.scratch, "%s: the value does not fit %s exactly",
                             column->name, column->type.type.native);
            status = writer_stage_take_out(pass, pass->plan->stage_name, NULL, &condition,
                                           (struct sql_taken){.kind = OUTCOME_REJECTED,
                                                              .code = ERROR_REJECT_TYPE,
                                                              .reason = reason});
        }
        buffer_free(&condition);
    }
    return status;
}

static enum status take_out_repeat(struct stage_pass *pass, const struct buffer *with,
                                   const struct buffer *condition)
{
    return pass->plan->distinct ? writer_distinct_lay_aside(pass, with, condition)
                                : writer_stage_take_out(pass, pass->plan->stage_name, with,
                                                        condition, sql_taken_of_run);
}

/* Records of this run under keys that it has written: the first stays. */
static enum status take_out_repeats(struct stage_pass *pass)
{
    struct buffer condition = {0};
    struct buffer names = {0};
    struct buffer staged = {0};
    struct writer *writer = pass->writer;

    writer_stage_append_later(&condition, pass->plan, pass->key);
    enum status status = take_out_repeat(pass, NULL, &condition);
    buffer_clear(&condition);
    if (status == STATUS_OK) {
        struct buffer table = {0};
        postgres_append_own_table(&table, writer->database, POSTGRES_OWN_KEYS,
                                  pass->plan->relation);
        postgres_append_names(&names, NULL, pass->key);
        writer_stage_append_key(&staged, pass->plan, pass->key);
        /* of two writers the second waits for the first here, and then finds the key taken */
        buffer_format(&condition,
                      "WITH i AS (INSERT INTO %s SELECT %s FROM %s ORDER BY %s ON "
                      "CONFLICT DO NOTHING RETURNING %s)",
                      buffer_string(&table), buffer_string(&staged), pass->plan->stage_name,
                      buffer_string(&staged), buffer_string(&names));
        struct buffer missing = {0};
        buffer_append_string(&missing, "NOT EXISTS (SELECT 1 FROM i WHERE ");
        writer_stage_append_match(&missing, pass->plan, pass->key, "i");
        buffer_append_byte(&missing, ')');
        status = take_out_repeat(pass, &condition, &missing);
        buffer_free(&missing);
        buffer_free(&table);
    }
    buffer_free(&names);
    buffer_free(&staged);
    buffer_free(&condition);
    return status;
}

/* `before`: only those that the run did not write itself, whose repeats are no others. */
static enum status take_out_present(struct stage_pass *pass, bool before)
{
    struct buffer condition = {0};
    writer_stage_append_present(&condition, pass);
    buffer_append_byte(&condition, ')');
    if (before) {
        buffer_append_string(&condition, " AND NOT EXISTS (SELECT 1 FROM ");
        postgres_append_own_table(&condition, pass->writer->database, POSTGRES_OWN_KEYS,
                                  pass->plan->relation);
        buffer_append_string(&condition, " AS k WHERE ");
        writer_stage_append_match(&condition, pass->plan, pass->key, "k");
        buffer_append_byte(&condition, ')');
    }
    enum status status =
        writer_stage_take_out(pass, pass->plan->stage_name, NULL, &condition, sql_taken_present);
    buffer_free(&condition);
    return status;
}

/* The table's key does not hold for the records of those that inherit it: nothing would refuse
 * another one. */
static enum status take_out_inherited(struct stage_pass *pass)
{
    struct buffer condition = {0};
    writer_stage_append_present(&condition, pass);
    buffer_format(&condition, " AND t.tableoid <> %u)", pass->plan->facts->oid);
    enum status status =
        writer_stage_take_out(pass, pass->plan->stage_name, NULL, &condition, sql_taken_refused);
    buffer_free(&condition);
    return status;
}

/* A key that is checked late is so with the INSERT: what comes behind it takes each key for one
 * record's. */
static enum status check_key_at_once(struct stage_pass *pass)
{
    const struct schema_table *schema = pass->plan->facts->schema;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < schema->index_count && status == STATUS_OK; i++) {
        const struct schema_index *index = &schema->indexes[i];
        PGresult *result = NULL;
        if (!index->deferrable || !postgres_is_key_index(index, pass->key)) {
            continue;
        }
        status = writer_ask(
            pass->writer,
            postgres_sql("SET CONSTRAINTS %t IMMEDIATE", &pass->writer->database->sql, index->name),
            &result, pass->failure, pass->error);
        PQclear(result);
    }
    return status;
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
 * puts the others back to their defaults. False: there is none to set. */
static bool append_update(struct buffer *sql, const struct stage_pass *pass)
{
    const struct postgres_table *facts = pass->plan->facts;
    const struct target_table *table = pass->writer->tables[pass->plan->table].plan;
    bool begun = false;
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct postgres_column *column = &facts->columns[i];
        bool planned = in_plan(pass->plan, column->name);
        bool cleared = !planned && target_table_clears(table, column->name, strcmp);
        if (column_list_holds(pass->key, column->name) || column->generated ||
            (!planned && !cleared && pass->plan->existing != EXISTING_REPLACE)) {
            continue;
        }
        postgres_append(sql, "%s%n = ", begun ? ", " : " DO UPDATE SET ", column->name);
        if (planned) {
            postgres_append(sql, "excluded.%n", column->name);
        } else {
            buffer_append_string(sql, cleared ? "NULL" : "DEFAULT");
        }
        begun = true;
    }
    buffer_append_string(sql, begun ? "" : " DO NOTHING");
    return begun;
}

/* A number of the temporary table; `sql` is freed. */
static enum status ask_number(struct stage_pass *pass, struct buffer *sql, uint64_t *number)
{
    PGresult *result = NULL;
    enum status status = writer_ask(pass->writer, sql, &result, pass->failure, pass->error);
    if (status == STATUS_OK) {
        const char *digits = PQgetvalue(result, 0, 0);
        status = text_to_uint64(digits, strlen(digits), number);
    }
    PQclear(result);
    return status;
}

/* All that is still in the temporary table was to be written: it is counted where that is less than
 * what was sent. */
static enum status look_for_left_out(struct stage_pass *pass, uint64_t written)
{
    uint64_t staged = 0;
    if (written >= pass->count) {
        return STATUS_OK;
    }
    enum status status =
        ask_number(pass, postgres_sql("SELECT count(*) FROM %s", pass->plan->stage_name), &staged);
    if (status != STATUS_OK) {
        return status;
    }
    status =
        writer_look_for_left_out(pass->writer, pass->plan->facts, staged, written, pass->error);
    return writer_undo_refused(pass->writer, status, pass->error);
}

static enum status insert_rest(struct stage_pass *pass)
{
    const struct writer_plan *plan = pass->plan;
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint64_t written = 0;
    bool may_leave = false; /* those whose key is all that they have, and is there */

    postgres_append(&sql, "INSERT INTO %t (", &pass->writer->database->sql, plan->relation);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        postgres_append(&sql, "%s%n", i > 0 ? ", " : "", plan->columns[i].column->name);
    }
    buffer_append_string(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct postgres_column *column = plan->columns[i].column;
        buffer_append_string(&sql, i > 0 ? ", " : "");
        writer_stage_append_value(&sql, plan, column->name, "");
    }
    buffer_format(&sql, " FROM %s ORDER BY _transhume_row", plan->stage_name);
    if (plan->existing == EXISTING_UPSERT || plan->existing == EXISTING_REPLACE) {
        postgres_append(&sql, " ON CONFLICT (%l)", pass->key);
        may_leave = !append_update(&sql, pass);
    }
    enum status status = writer_ask(pass->writer, &sql, &result, pass->failure, pass->error);
    if (status == STATUS_OK && !may_leave) {
        status = postgres_rows_changed(result, &written);
    }
    PQclear(result);
    return status == STATUS_OK && !may_leave ? look_for_left_out(pass, written) : status;
}

static enum status first_number(struct stage_pass *pass)
{
    return ask_number(
        pass,
        postgres_sql("SELECT coalesce(min(_transhume_row), 1) FROM %s", pass->plan->stage_name),
        &pass->first);
}

static enum status empty_stage(struct stage_pass *pass)
{
    PGresult *result = NULL;
    enum status status =
        writer_ask(pass->writer, postgres_sql("DELETE FROM %s", pass->plan->stage_name), &result,
                   pass->failure, pass->error);
    PQclear(result);
    return status;
}

enum status writer_stage_apply(struct writer *writer, uint32_t count, PGresult **failure,
                               struct error *error)
{
    struct stage_pass pass = {.writer = writer,
                              .plan = writer->plan,
                              .key = writer->tables[writer->plan->table].plan->key,
                              .count = count,
                              .failure = failure,
                              .error = error};
    bool tracked = target_table_tracks(writer->tables[writer->plan->table].plan);
    enum status status = first_number(&pass);
    status = status == STATUS_OK ? take_out_unfit(&pass) : status;
    status = status == STATUS_OK && pass.plan->distinct ? writer_distinct_lock(&pass) : status;
    if (status == STATUS_OK && pass.plan->distinct && pass.plan->existing == EXISTING_SKIP) {
        status = take_out_present(&pass, true);
    }
    if (status == STATUS_OK && tracked) {
        status = take_out_repeats(&pass);
    } else if (status == STATUS_OK && pass.plan->distinct) {
        status = writer_distinct_part(&pass);
    }
    if (status == STATUS_OK && writer->plan->existing == EXISTING_SKIP) {
        status = take_out_present(&pass, false);
    }
    bool undo = writer_keeps_undo(&writer->tables[writer->plan->table]);
    bool overwrites =
        writer->plan->existing == EXISTING_UPSERT || writer->plan->existing == EXISTING_REPLACE;
    if (status == STATUS_OK && pass.plan->facts->inherited && (undo || overwrites)) {
        status = take_out_inherited(&pass);
    }
    status = status == STATUS_OK ? writer_later_lay_aside(&pass) : status;
    if (status == STATUS_OK && undo) {
        status = check_key_at_once(&pass);
    }
    if (status == STATUS_OK && undo && overwrites) {
        status = writer_undo_before(writer, pass.plan, failure, error);
    }
    status = status == STATUS_OK ? insert_rest(&pass) : status;
    if (status == STATUS_OK && undo) {
        status = writer_undo_after(writer, pass.plan, failure, error);
    }
    status = status == STATUS_OK ? writer_distinct_settle(&pass) : status;
    return status == STATUS_OK ? empty_stage(&pass) : status;
}
