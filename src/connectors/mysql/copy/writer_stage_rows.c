/* Rows of the stage: its columns, and which are taken out. */
#include "connectors/mysql/copy/writer_internal.h"

enum status writer_stage_take_out(struct stage_pass *pass, const char *from, struct buffer *list,
                                  struct sql_taken one)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status =
        writer_run_statement(pass->writer, list, &result, pass->refusal, pass->error);
    mysql_append(&sql, "DELETE FROM %t", &pass->writer->database->sql, from);
    uint32_t found = 0;
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        status = sql_taken_add(&pass->writer->sql.taken, row[0], pass->first_number,
                               pass->end - pass->first, one, pass->plan->facts->schema->name,
                               pass->error);
        buffer_format(&sql, "%s%s", found++ == 0 ? " WHERE _transhume_row IN (" : ",", row[0]);
    }
    mysql_free_result(result);
    buffer_append_byte(&sql, ')');
    if (status != STATUS_OK || found == 0) {
        buffer_free(&sql);
        return status;
    }
    return writer_run_statement(pass->writer, &sql, NULL, pass->refusal, pass->error);
}

void writer_stage_append_columns(const struct writer_plan *plan, const char *alias,
                                 struct buffer *sql)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        mysql_append(sql, "%s%s%n", i > 0 ? ", " : "", alias, plan->columns[i].column->name);
    }
}
