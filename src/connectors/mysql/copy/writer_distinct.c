/* `distinct`: of equal records under one key one is written, the others are skipped, and one that
 * differs is refused. How is said in sql/outcomes.h. */
#include "connectors/common/store_key.h"
#include "connectors/mysql/copy/writer_internal.h"
#include "connectors/mysql/locks.h"
#include "connectors/sql/locks.h"
#include "connectors/sql/store.h"

enum status writer_distinct_lay_aside(struct stage_pass *pass, struct buffer *from)
{
    struct mysql_database *self = pass->writer->database;
    struct buffer move = {0};
    mysql_append(&move, "INSERT INTO %t SELECT s.* FROM %b", &self->sql, pass->plan->repeats_name,
                 from);
    buffer_free(from);
    enum status status =
        writer_run_statement(pass->writer, &move, NULL, pass->refusal, pass->error);
    if (status != STATUS_OK || mysql_affected_rows(pass->writer->connection) == 0) {
        return status;
    }
    pass->repeats = true;
    return writer_run_statement(
        pass->writer,
        mysql_sql("DELETE s FROM %t AS s JOIN %t AS r ON r._transhume_row = s._transhume_row",
                  &self->sql, pass->plan->stage_name, &self->sql, pass->plan->repeats_name),
        NULL, pass->refusal, pass->error);
}

static enum status set_patience(struct stage_pass *pass, long long seconds)
{
    return mysql_run_buffer(
        pass->writer->database, pass->writer->connection,
        mysql_sql("SET SESSION innodb_lock_wait_timeout = %D", (int64_t)seconds), SQL_SHORT,
        ERROR_TARGET_WRITE, NULL, pass->error);
}

/* The key of the ledger's row that is locked. */
static void find_row(const struct writer *writer, char key[STORE_KEY_BYTES])
{
    store_note_key(key, writer->sql.run_id, "lock", "distinct");
}

enum status writer_distinct_note(struct writer *writer, struct error *error)
{
    char key[STORE_KEY_BYTES];
    bool distinct = false;
    for (uint32_t i = 0; i < writer->table_count; i++) {
        distinct |= writer->tables[i].plan->distinct;
    }
    if (!distinct || writer->sql.run_id[0] == '\0') {
        return STATUS_OK;
    }
    find_row(writer, key);
    return mysql_run_buffer(
        writer->database, writer->connection,
        mysql_sql("INSERT IGNORE INTO %t (name, version, value) VALUES ('%s', 1, "
                  "'{\"format\":2}')",
                  &writer->database->sql, SQL_STORE_TABLE, key),
        SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
}

static enum status lock_row(struct stage_pass *pass)
{
    struct writer *writer = pass->writer;
    MYSQL_RES *result = NULL;
    char key[STORE_KEY_BYTES];
    find_row(writer, key);
    enum status status =
        writer_run_statement(writer,
                             mysql_sql("SELECT 1 FROM %t WHERE name = '%s' FOR UPDATE",
                                       &writer->database->sql, SQL_STORE_TABLE, key),
                             &result, pass->refusal, pass->error);
    mysql_free_result(result);
    return status;
}

static enum status lay_aside_present(struct stage_pass *pass)
{
    struct mysql_database *self = pass->writer->database;
    struct buffer from = {0};
    mysql_append(&from, "%t AS s JOIN %t AS t ON ", &self->sql, pass->plan->stage_name, &self->sql,
                 pass->plan->facts->schema->name);
    mysql_append_match(&from, pass->key, "s", "t");
    return writer_distinct_lay_aside(pass, &from);
}

static enum status lay_aside_later(struct stage_pass *pass)
{
    struct mysql_database *self = pass->writer->database;
    struct buffer from = {0};
    if (!mysql_has_windows(self)) {
        return STATUS_OK; /* a key that stands twice in a pass halves it */
    }
    buffer_append_string(&from, "(SELECT _transhume_row, ");
    writer_stage_append_columns(pass->plan, "", &from);
    mysql_append(&from,
                 " FROM (SELECT n.*, ROW_NUMBER() OVER (PARTITION BY %l ORDER BY _transhume_row) "
                 "AS _transhume_place FROM %t AS n) AS d WHERE _transhume_place > 1) AS s",
                 pass->key, &self->sql, pass->plan->stage_name);
    return writer_distinct_lay_aside(pass, &from);
}

/* Another writer may take long over its chunk, as a slow source or a limit has it; the server sees
 * a circle of waits by itself. */
enum status writer_distinct_lock(struct stage_pass *pass)
{
    enum { AS_LONG_AS_IT_TAKES_S = 100000000 };
    if (pass->writer->sql.run_id[0] == '\0') {
        return STATUS_OK;
    }
    enum status status = set_patience(pass, AS_LONG_AS_IT_TAKES_S);
    status = status == STATUS_OK ? lock_row(pass) : status;
    enum status back = STATUS_OK;
    if (status != STATUS_FAILED) {
        int64_t wait_ms = sql_long_lock_ms(pass->writer->database->timeout_ms);
        back = set_patience(pass, mysql_lock_seconds(wait_ms));
    }
    return back == STATUS_OK ? status : back;
}

enum status writer_distinct_part(struct stage_pass *pass)
{
    enum status status = lay_aside_present(pass);
    return status == STATUS_OK ? lay_aside_later(pass) : status;
}

/* Collations know equal texts that differ, and a CAST is nothing beyond max_allowed_packet. */
static void append_value(struct buffer *sql, const struct mysql_column *column, const char *alias)
{
    bool text = column->type.type.kind == VALUE_TEXT || column->type.format == MYSQL_AS_JSON;
    mysql_append(sql, "%s%s%n%s", text ? "CONVERT(" : "", alias, column->name,
                 text ? " USING binary)" : "");
}

static void append_same(struct buffer *sql, const struct writer_plan *plan)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct mysql_column *column = plan->columns[i].column;
        buffer_append_string(sql, " AND ");
        append_value(sql, column, "t.");
        buffer_append_string(sql, " <=> ");
        append_value(sql, column, "r.");
    }
}

enum status writer_distinct_settle(struct stage_pass *pass)
{
    struct mysql_database *self = pass->writer->database;
    const struct writer_plan *plan = pass->plan;
    const struct target_table *target = pass->writer->tables[plan->table].plan;
    struct buffer list = {0};
    if (!pass->repeats) {
        return STATUS_OK;
    }
    mysql_append(&list, "SELECT r._transhume_row FROM %t AS r JOIN %t AS t ON ", &self->sql,
                 plan->repeats_name, &self->sql, plan->facts->schema->name);
    mysql_append_match(&list, pass->key, "r", "t");
    append_same(&list, plan);
    /* in the server's log of statements, a plain read would be as old as the transaction */
    buffer_append_string(&list, " LOCK IN SHARE MODE");
    enum status status = writer_stage_take_out(pass, plan->repeats_name, &list, sql_taken_equal);
    if (status != STATUS_OK) {
        return status;
    }
    mysql_append(&list, "SELECT _transhume_row FROM %t", &self->sql, plan->repeats_name);
    return writer_stage_take_out(pass, plan->repeats_name, &list,
                                 target->created ? sql_taken_of_run : sql_taken_refused);
}
