/* Taking a run back: what the engine calls. */
#include "connectors/mysql/rollback.h"
#include "connectors/mysql/copy/later.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/sql/rollback.h"
#include <string.h>
#include <strings.h>

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    enum { OWN_COLUMNS = 4 };
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct mysql_table facts;
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = mysql_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, MYSQL_COLUMNS_MAX - OWN_COLUMNS, strcasecmp)
                : NULL;
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

const struct rollback_functions mysql_rollback_functions = {
    .can_undo = can_undo,
    .undo = sql_undo,
    .loosen = sql_later_loosen,
    .undo_deleted = sql_undo_deleted,
    .sum_columns = sql_sum_columns,
    .find_foreign = sql_find_foreign,
    .was_made = sql_was_made,
    .can_remove = mysql_can_remove,
    .remove_table = mysql_remove_table,
    .remove_objects = mysql_remove_objects,
};
