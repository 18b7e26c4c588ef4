/* The words of an INSERT of a plan. */
#include "connectors/mysql/copy/writer_internal.h"

void writer_append_destination(const struct writer *writer, const struct writer_plan *plan,
                               struct buffer *sql)
{
    mysql_append_table(sql, writer->database,
                       plan->staged ? plan->stage_name : plan->facts->schema->name);
}

void writer_plan_append_insert(const struct writer *writer, const struct writer_plan *plan,
                               struct buffer *sql)
{
    buffer_append_string(sql, "INSERT INTO ");
    writer_append_destination(writer, plan, sql);
    buffer_append_string(sql, plan->staged ? " (_transhume_row" : " (");
    for (uint32_t i = 0; i < plan->column_count; i++) {
        mysql_append(sql, "%s%n", i > 0 || plan->staged ? ", " : "", plan->columns[i].column->name);
    }
    buffer_append_string(sql, ") VALUES ");
}
