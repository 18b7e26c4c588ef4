/* Records whose partners come later go into the table without the reference, whose value is laid
 * aside. */
#include "connectors/mysql/copy/later.h"
#include "connectors/mysql/copy/writer_internal.h"
#include <strings.h>

/* From here on a temporary table can be named twice in a statement (MariaDB's manual); MySQL's can
 * not. */
enum { NAMES_TWICE_MARIADB = 100201 };

static bool fills(const struct writer_plan *plan, struct column_list columns)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        found += mysql_is_in(columns, plan->columns[i].column->name);
    }
    return found == columns.count;
}

static void append_equal(struct buffer *sql, struct column_list left, const char *alias,
                         struct column_list right)
{
    for (uint32_t i = 0; i < right.count; i++) {
        mysql_append(sql, "%s%s.%n = s.%n", i > 0 ? " AND " : "", alias, left.names[i],
                     right.names[i]);
    }
}

/* Records of the temporary table, called s, whose partner is neither in the table nor among them,
 * and not behind them: the server looks for it row by row. */
static void append_missing(struct buffer *sql, const struct stage_pass *pass,
                           const struct target_later *later)
{
    const struct writer_plan *plan = pass->plan;
    const struct mysql_database *self = pass->writer->database;
    for (uint32_t i = 0; i < later->columns.count; i++) {
        mysql_append(sql, "s.%n IS NOT NULL AND ", later->columns.names[i]);
    }
    mysql_append(sql, "NOT EXISTS (SELECT 1 FROM %t AS p WHERE ", &self->sql, later->table);
    append_equal(sql, later->referenced_columns, "p", later->columns);
    buffer_append_byte(sql, ')');
    if (strcasecmp(later->table, plan->facts->schema->name) != 0 || !self->mariadb ||
        self->version < NAMES_TWICE_MARIADB || !fills(plan, later->referenced_columns)) {
        return;
    }
    mysql_append(sql, " AND NOT EXISTS (SELECT 1 FROM %t AS q WHERE ", &self->sql,
                 plan->stage_name);
    append_equal(sql, later->referenced_columns, "q", later->columns);
    buffer_append_string(sql, " AND q._transhume_row <= s._transhume_row)");
}

static void append_updates(struct buffer *sql, struct column_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        mysql_append(sql, "%s%n = VALUES(%n)", i > 0 ? ", " : " ON DUPLICATE KEY UPDATE ",
                     names.names[i], names.names[i]);
    }
}

static enum status writer_later_keep(struct stage_pass *pass, const struct target_later *later)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO ");
    mysql_append_later_table(&sql, pass->writer->database,
                             writer_plan_name(pass->writer, pass->plan));
    buffer_append_string(&sql, " (");
    mysql_append_names(&sql, NULL, pass->key);
    buffer_append_string(&sql, ", ");
    mysql_append_names(&sql, NULL, later->emptied);
    buffer_append_string(&sql, ", " SQL_LATER_REFERENCE ") SELECT ");
    mysql_append_names(&sql, "s", pass->key);
    buffer_append_string(&sql, ", ");
    mysql_append_names(&sql, "s", later->emptied);
    buffer_append_string(&sql, ", ");
    mysql_append_reference(&sql, later);
    mysql_append(&sql, " FROM %t AS s WHERE ", &pass->writer->database->sql,
                 pass->plan->stage_name);
    append_missing(&sql, pass, later);
    append_updates(&sql, later->emptied);
    return writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
}

/* The temporary table's columns are the table's, also in what an update does to times. */
static void append_times(struct buffer *sql, const struct writer_plan *plan,
                         struct column_list emptied)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct mysql_column *column = plan->columns[i].column;
        if (mysql_is_time(column) && !mysql_is_in(emptied, column->name)) {
            mysql_append(sql, ", s.%n = s.%n", column->name, column->name);
        }
    }
}

static enum status empty(struct stage_pass *pass, const struct target_later *later)
{
    struct buffer sql = {0};
    mysql_append(&sql, "UPDATE %t AS s JOIN ", &pass->writer->database->sql,
                 pass->plan->stage_name);
    mysql_append_later_table(&sql, pass->writer->database,
                             writer_plan_name(pass->writer, pass->plan));
    buffer_append_string(&sql, " AS l ON ");
    mysql_append_match(&sql, pass->key, "l", "s");
    for (uint32_t i = 0; i < later->emptied.count; i++) {
        mysql_append(&sql, "%ss.%n = NULL", i > 0 ? ", " : " SET ", later->emptied.names[i]);
    }
    append_times(&sql, pass->plan, later->emptied);
    buffer_append_string(&sql, " WHERE l." SQL_LATER_REFERENCE " = ");
    mysql_append_reference(&sql, later);
    return writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
}

enum status writer_later_lay_aside(struct stage_pass *pass)
{
    const struct target_table *table = pass->writer->tables[pass->plan->table].plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < target_table_later_count(table); i++) {
        const struct target_later *later = &table->later[i];
        if (fills(pass->plan, later->columns) && fills(pass->plan, pass->key)) {
            status = writer_later_keep(pass, later);
            status = status == STATUS_OK ? empty(pass, later) : status;
        }
    }
    return status;
}
