/* Which chunks go as prepared INSERTs of many rows, and their statements made ready. */
#include "base/log.h"
#include "connectors/mysql/copy/writer_internal.h"
#include "mysql_sql.h"
#include <string.h>

/* The server keeps some ten KiB for each, and all users have a limit. */
enum { STATEMENTS_MAX = 16 };

/*
 * In bulk the server counts what triggers do among the records (10.11), and one that inserts takes
 * the records' values for its own (10.2). Into a table that others made they go so only if it is
 * sure that it has none.
 */
static enum status may_have_triggers(struct writer *writer, const struct writer_plan *plan,
                                     bool *found, struct error *error)
{
    struct mysql_database *self = writer->database;
    MYSQL_RES *result = NULL;
    *found = false;
    if (writer->tables[plan->table].plan->created) {
        return STATUS_OK;
    }
    if (mysql_run_buffer(self, writer->connection,
                         mysql_filled(sql_triggers, self->sql.schema, plan->facts->schema->name),
                         SQL_SHORT, ERROR_TARGET_INVALID, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    *found = row == NULL || row[0] == NULL || row[1] == NULL || strcmp(row[0], "0") == 0 ||
             strcmp(row[1], "0") != 0;
    mysql_free_result(result);
    return STATUS_OK;
}

/* Closes the statements of other plans, of which no segment is under way; they are prepared again
 * when needed. */
static void make_room(struct writer *writer)
{
    struct writer_plan *plan = writer->statement_count < STATEMENTS_MAX ? NULL : writer->plans;
    for (; plan != NULL; plan = plan->next) {
        if (plan->bulk != NULL && plan->bulk->statement != NULL) {
            writer_bulk_statement_close(writer, plan->bulk);
            plan->bulk->tried = false;
        }
    }
}

static void leave_bulk(struct writer *writer, const struct writer_plan *plan, const char *why)
{
    log_write(LOG_DEBUG, "%s: records do not go in bulk: %s", plan->facts->schema->name, why);
    writer_bulk_statement_close(writer, plan->bulk);
}

enum status writer_bulk_prepare(struct writer *writer, const struct writer_plan *plan,
                                struct error *error)
{
    bool refused = false;
    bool triggers = false;
    if (!writer_bulk_serves(writer, plan) || plan->bulk->tried) {
        return STATUS_OK;
    }
    if (writer_await_load(writer, -1, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    make_room(writer);
    if (may_have_triggers(writer, plan, &triggers, error) != STATUS_OK ||
        (!triggers && writer_bulk_statement_prepare(writer, plan, &refused, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    plan->bulk->tried = true;
    if (triggers) {
        leave_bulk(writer, plan, "it has triggers, or may have some that the account may not see");
    } else if (refused) {
        leave_bulk(writer, plan, mysql_stmt_error(plan->bulk->statement));
    }
    return STATUS_OK;
}
