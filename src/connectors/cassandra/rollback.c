/* Taking a run back: the tables that it made. */
#include "connectors/cassandra/target.h"
#include "connectors/keyed/tables.h"

#include <string.h>

/* What it needed of types goes with it. */
static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = keyed_remove_table(database, table, error);
    if (status == STATUS_OK && table->created) {
        status = cassandra_types_drop(cassandra_of(database), arena, error);
    }
    cassandra_layouts_forget(cassandra_of(database));
    arena_destroy(arena);
    return status;
}

/* Does the run write that column? */
static bool is_written(const struct target_table *table, const char *name)
{
    bool written = table->existing == EXISTING_REPLACE;
    for (uint32_t at = 0; at < table->column_count && !written; at++) {
        written = strcmp(table->columns[at].name, name) == 0;
    }
    return written;
}

/* Key by key, by what the engine kept: images of rows, which say nothing of a partition's static
 * values that a new row changes, and which one of several rows would bring back for all. */
static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    const struct cassandra_table *there = NULL;
    const char *column =
        table->key_shape.static_columns.count > 0 ? table->key_shape.static_columns.names[0] : NULL;
    struct arena *arena = arena_create(0);
    enum status status =
        cassandra_table_read(cassandra_of(database), table->name, arena, &there, error);
    for (uint32_t at = 0; status == STATUS_OK && at < there->column_count; at++) {
        bool changes = there->columns[at].part == CASSANDRA_STATIC &&
                       is_written(table, there->columns[at].name);
        column = changes ? there->columns[at].name : column;
    }
    if (status != STATUS_FAILED && column != NULL) {
        buffer_format(why, "its static column %s can't be put back", column);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : column != NULL ? STATUS_END : STATUS_OK;
}

const struct rollback_functions cassandra_rollback = {.can_undo = can_undo,
                                                      .remove_table = remove_table};
