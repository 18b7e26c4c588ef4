/* Taking a run back: what the engine calls. */
#include "connectors/postgres/undo/rollback.h"
#include "connectors/postgres/copy/later.h"
#include "connectors/sql/rollback.h"
#include <string.h>

/* ---------------------------------------------------------------- what can be undone */

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_table facts;
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, POSTGRES_COLUMNS_MAX - 2, strcmp)
                : NULL;
        bool may_temp = true;
        if (status == STATUS_OK && reason == NULL) {
            status = postgres_may_temp(self, connection, &may_temp, error);
        }
        reason = may_temp ? reason : "the role may not make temporary tables";
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

const struct rollback_functions postgres_rollback_functions = {
    .can_undo = can_undo,
    .undo = sql_undo,
    .loosen = sql_later_loosen,
    .undo_deleted = sql_undo_deleted,
    .sum_columns = sql_sum_columns,
    .find_foreign = sql_find_foreign,
    .was_made = sql_was_made,
    .remove_table = sql_remove_table,
    .remove_objects = postgres_remove_objects,
};
