/* Foreign keys whose partners come later: what is MySQL's own of it. */
#include "connectors/mysql/copy/later.h"
#include "connectors/mysql/store.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct mysql_database *server_of(const struct sql_filling *filling)
{
    return mysql_database_of(&filling->self->base);
}

static MYSQL *connection_of(const struct sql_filling *filling)
{
    return server_of(filling)->control;
}

static const char *values_name(const struct sql_database *self, const char *table,
                               struct arena *arena)
{
    char name[SQL_OWN_NAME_BYTES];
    mysql_own_name((const struct mysql_database *)self, MYSQL_OWN_LATER, table, name);
    return arena_copy_string(arena, name);
}

void mysql_append_later_table(struct buffer *sql, const struct mysql_database *self,
                              const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    mysql_own_name(self, MYSQL_OWN_LATER, table, name);
    mysql_append_table(sql, self, name);
}

void mysql_append_reference(struct buffer *sql, const struct target_later *later)
{
    struct buffer text = {0};
    sql_later_append_columns(&text, later);
    buffer_format(sql, "%" PRIu64, sql_name_hash(buffer_string(&text)));
    buffer_free(&text);
}

/* ---------------------------------------------------------------- statements */

static enum status statement_run(struct sql_filling *filling, struct buffer *sql, uint64_t *changed)
{
    enum status status = mysql_run_buffer(server_of(filling), connection_of(filling), sql,
                                          SQL_BUILD, ERROR_TARGET_WRITE, NULL, filling->error);
    if (status == STATUS_OK && changed != NULL) {
        *changed = mysql_affected_rows(connection_of(filling));
    }
    return status;
}

static enum status row_ask(struct sql_filling *filling, struct buffer *sql, const char **texts,
                           uint32_t count)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(server_of(filling), connection_of(filling), sql,
                                          SQL_BUILD, ERROR_TARGET_WRITE, &result, filling->error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    for (uint32_t i = 0; row != NULL && i < count; i++) {
        texts[i] = row[i] != NULL ? arena_copy_string(filling->arena, row[i]) : NULL;
    }
    mysql_free_result(result);
    return status;
}

static void append_equal(const struct sql_filling *filling, struct buffer *sql, const char *column,
                         const char *left, const char *right)
{
    (void)filling;
    (void)column;
    buffer_format(sql, "%s = %s", left, right);
}

static void append_image(const struct sql_filling *filling, struct buffer *sql, const char *column)
{
    (void)filling;
    mysql_append(sql, "%n", column);
}

static void append_hash(const struct sql_filling *filling, struct buffer *sql)
{
    const struct mysql_table *facts = mysql_facts_of(&filling->facts);
    mysql_undo_append_hash(sql, server_of(filling), facts->columns, facts->schema->column_count,
                           "t");
}

/* ---------------------------------------------------------------- preparing */

static enum status values_make(struct sql_filling *filling)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %t (" SQL_LATER_REFERENCE
                 " BIGINT UNSIGNED NOT NULL, " MYSQL_NUMBER
                 " BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE, " SQL_LATER_REFUSED
                 " TEXT CHARACTER SET utf8mb4, PRIMARY KEY (",
                 filling->self, filling->values);
    mysql_append_names(&sql, NULL, filling->table->key);
    buffer_append_string(&sql, ", " SQL_LATER_REFERENCE ")) ENGINE=InnoDB AS SELECT ");
    mysql_append_names(&sql, NULL, filling->table->key);
    sql_later_append_emptied(filling, &sql, "");
    mysql_append(&sql, ", CAST(0 AS UNSIGNED) AS " SQL_LATER_REFERENCE " FROM %t LIMIT 0",
                 filling->self, filling->table->name);
    enum status status = mysql_run_buffer(server_of(filling), connection_of(filling), &sql,
                                          SQL_LONG, ERROR_TARGET_SCHEMA, NULL, filling->error);
    return status == STATUS_OK ? mysql_check_own(server_of(filling), connection_of(filling),
                                                 filling->values, filling->error)
                               : status;
}

/* ---------------------------------------------------------------- filling */

/* Joined, since the server does not let a table that is updated be asked by a subquery. */
#define JOINED "$L JOIN $T ON $M JOIN $P ON $N"

/* ", t.at = t.at" */
static void append_times(const struct sql_filling *filling, struct buffer *sql)
{
    const struct mysql_table *facts = mysql_facts_of(&filling->facts);
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct mysql_column *column = &facts->columns[i];
        if (mysql_is_time(column) && !mysql_is_in(filling->later->emptied, column->name)) {
            mysql_append(sql, ", t.%n = t.%n", column->name, column->name);
        }
    }
}

/* The values of these numbers. STATUS_AGAIN: the table does not take all of them, and nothing was
 * done. */
static enum status update_range(struct sql_filling *filling, uint64_t first, uint64_t last)
{
    struct sql_filling trying = *filling;
    struct error problem = {0};
    struct buffer sql = {0};
    enum error_code code;
    trying.error = &problem;
    sql_later_append(filling, &sql, "UPDATE " JOINED " SET ");
    sql_later_append_pairs(filling, &sql, "t.", false);
    append_times(filling, &sql);
    sql_later_append(filling, &sql, " WHERE $W");
    buffer_format(&sql, " AND l." MYSQL_NUMBER " BETWEEN %" PRIu64 " AND %" PRIu64, first, last);
    if (sql_later_run(&trying, &sql, NULL) == STATUS_OK) {
        return STATUS_OK;
    }
    return mysql_is_of_record(mysql_errno(connection_of(filling)),
                              mysql_error(connection_of(filling)), &code)
               ? STATUS_AGAIN
               : error_copy(filling->error, &problem);
}

/* The refusal is what the server said last. */
static enum status refusal_note(struct sql_filling *filling, uint64_t number)
{
    struct buffer sql = {0};
    mysql_append(&sql, "UPDATE %t SET " SQL_LATER_REFUSED " = %q", filling->self, filling->values,
                 mysql_error(connection_of(filling)));
    buffer_format(&sql, " WHERE " MYSQL_NUMBER " = %" PRIu64, number);
    return sql_later_run(filling, &sql, NULL);
}

/* By halves, down to the one that is refused. */
static enum status update_halves(struct sql_filling *filling, uint64_t first, uint64_t last)
{
    enum status status = update_range(filling, first, last);
    if (status != STATUS_AGAIN) {
        return status;
    }
    if (first == last) {
        return refusal_note(filling, first);
    }
    uint64_t middle = first + (last - first) / 2;
    status = update_halves(filling, first, middle);
    return status == STATUS_OK ? update_halves(filling, middle + 1, last) : status;
}

static enum status values_update(struct sql_filling *filling)
{
    const char *highest = NULL;
    struct buffer sql = {0};
    mysql_append(&sql, "SELECT max(" MYSQL_NUMBER ") FROM %t", filling->self, filling->values);
    enum status status = row_ask(filling, &sql, &highest, 1);
    uint64_t last = highest != NULL ? strtoull(highest, NULL, 10) : 0;
    return status == STATUS_OK && last > 0 ? update_halves(filling, 1, last) : status;
}

/* ---------------------------------------------------------------- taking back */

/* _transhume_fate, within the transaction: rollback_keys.c has others. */
#define IS_LOOSENED " WHERE u._transhume_fate = 100"

static enum status filling_loosen(struct sql_filling *filling)
{
    struct buffer choose = {0};
    struct buffer empty = {0};
    struct buffer note = {0};
    sql_later_append(filling, &choose,
                     "UPDATE $U JOIN $T ON $V SET u._transhume_fate = 100 WHERE u._transhume_found "
                     "= 0 AND u._transhume_hash = $H AND ");
    sql_later_append_held(filling, &choose);
    enum status status = statement_run(filling, &choose, NULL);
    if (status == STATUS_OK) {
        sql_later_append(filling, &empty, "UPDATE $U JOIN $T ON $V SET ");
        sql_later_append_pairs(filling, &empty, "t.", true);
        append_times(filling, &empty);
        buffer_append_string(&empty, IS_LOOSENED);
        status = statement_run(filling, &empty, NULL);
    }
    if (status == STATUS_OK) {
        sql_later_append(filling, &note,
                         "UPDATE $U JOIN $T ON $V SET u._transhume_fate = NULL, u._transhume_hash "
                         "= $H" IS_LOOSENED);
        status = statement_run(filling, &note, NULL);
    }
    return status;
}

const struct sql_later_dialect mysql_later = {
    .concat = "CONCAT(",
    .join = "CONCAT_WS(', '",
    .left = "LEFT(",
    .note_undo = "UPDATE " JOINED " JOIN $U ON $V SET u._transhume_hash = $H WHERE $W",
    .forget_filled = "DELETE l FROM " JOINED " WHERE $W",
    .forget_gone = "DELETE l FROM $L WHERE NOT EXISTS (SELECT 1 FROM $T WHERE $M)",
    .values_name = values_name,
    .append_reference = mysql_append_reference,
    .append_equal = append_equal,
    .append_image = append_image,
    .append_hash = append_hash,
    .make = values_make,
    .run = statement_run,
    .ask = row_ask,
    .update = values_update,
    .loosen = filling_loosen,
};
