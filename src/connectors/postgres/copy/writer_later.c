/* Records whose partners come later go into the table without the reference, whose value is laid
 * aside. */
#include "connectors/postgres/copy/later.h"
#include "connectors/postgres/copy/writer_internal.h"
#include <string.h>

static bool fills(const struct writer_plan *plan, struct column_list columns)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        found += column_list_holds(columns, plan->columns[i].column->name);
    }
    return found == columns.count;
}

/* NULL: the table has none of that name. */
static const struct postgres_column *column_of(const struct writer_plan *plan, const char *name)
{
    int32_t at = postgres_find_column(plan->facts, name);
    return at >= 0 ? &plan->facts->columns[at] : NULL;
}

/* "p.id = s.owner AND …" */
static void append_partner(struct buffer *sql, const struct writer_plan *plan,
                           const struct target_later *later)
{
    for (uint32_t i = 0; i < later->columns.count; i++) {
        const struct postgres_column *column = column_of(plan, later->columns.names[i]);
        const char *labels = column != NULL ? postgres_labels(column) : "";
        postgres_append(sql, "%sp.%n%s", i > 0 ? " AND " : "", later->referenced_columns.names[i],
                        labels);
        postgres_append_operator(sql, column, "=");
        writer_stage_append_value(sql, plan, later->columns.names[i], "s.");
        buffer_append_string(sql, labels);
    }
}

/* Records of the temporary table, called s, whose partner is neither in the table nor among them.
 */
static void append_missing(struct buffer *sql, const struct stage_pass *pass,
                           const struct target_later *later)
{
    const struct writer_plan *plan = pass->plan;
    for (uint32_t i = 0; i < later->columns.count; i++) {
        postgres_append(sql, "s.%n IS NOT NULL AND ", later->columns.names[i]);
    }
    postgres_append(sql, "NOT EXISTS (SELECT 1 FROM %t AS p WHERE ", &pass->writer->database->sql,
                    later->table);
    append_partner(sql, plan, later);
    buffer_append_byte(sql, ')');
    if (strcmp(later->table, plan->relation) != 0 || !fills(plan, later->referenced_columns)) {
        return;
    }
    buffer_format(sql, " AND NOT EXISTS (SELECT 1 FROM %s AS q WHERE ", plan->stage_name);
    for (uint32_t i = 0; i < later->columns.count; i++) {
        const struct postgres_column *column = column_of(plan, later->columns.names[i]);
        const char *labels = column != NULL ? postgres_labels(column) : "";
        buffer_append_string(sql, i > 0 ? " AND " : "");
        writer_stage_append_value(sql, plan, later->referenced_columns.names[i], "q.");
        buffer_append_string(sql, labels);
        postgres_append_operator(sql, column, "=");
        writer_stage_append_value(sql, plan, later->columns.names[i], "s.");
        buffer_append_string(sql, labels);
    }
    buffer_append_byte(sql, ')');
}

static void append_values(struct buffer *sql, const struct writer_plan *plan,
                          struct column_list names, const char *separator)
{
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(sql, separator);
        writer_stage_append_value(sql, plan, names.names[i], "s.");
        separator = ", ";
    }
}

static enum status lay_aside(struct stage_pass *pass, const struct target_later *later)
{
    const struct writer_plan *plan = pass->plan;
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_format(&sql, "WITH n AS (SELECT s._transhume_row AS row FROM %s AS s WHERE ",
                  plan->stage_name);
    append_missing(&sql, pass, later);
    buffer_append_string(&sql, "), k AS (INSERT INTO ");
    postgres_append_later_table(&sql, pass->writer->database, plan->relation);
    buffer_append_string(&sql, " (");
    postgres_append_names(&sql, NULL, pass->key);
    buffer_append_string(&sql, ", ");
    postgres_append_names(&sql, NULL, later->emptied);
    buffer_append_string(&sql, ", " SQL_LATER_REFERENCE ") SELECT ");
    append_values(&sql, plan, pass->key, "");
    append_values(&sql, plan, later->emptied, ", ");
    buffer_append_string(&sql, ", ");
    postgres_append_reference(&sql, later);
    buffer_format(&sql, " FROM %s AS s JOIN n ON n.row = s._transhume_row) UPDATE %s AS u SET ",
                  plan->stage_name, plan->stage_name);
    for (uint32_t i = 0; i < later->emptied.count; i++) {
        postgres_append(&sql, "%s%n = NULL", i > 0 ? ", " : "", later->emptied.names[i]);
    }
    buffer_append_string(&sql, " FROM n WHERE u._transhume_row = n.row");
    enum status status = writer_ask(pass->writer, &sql, &result, pass->failure, pass->error);
    PQclear(result);
    return status;
}

enum status writer_later_lay_aside(struct stage_pass *pass)
{
    const struct target_table *table = pass->writer->tables[pass->plan->table].plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < target_table_later_count(table); i++) {
        status = fills(pass->plan, table->later[i].columns) && fills(pass->plan, pass->key)
                     ? lay_aside(pass, &table->later[i])
                     : STATUS_OK;
    }
    return status;
}
