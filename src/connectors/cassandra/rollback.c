/* Taking a run back: the tables that it made. */
#include "connectors/cassandra/target.h"

#include "base/failpoint.h"
#include <string.h>

/* Of a table that was asked for and never noted it is not known which one it is: only an empty one
 * goes. */
static enum status is_ours(struct cassandra *self, const struct target_table *table,
                           enum keyed_made made, const char *made_id,
                           const struct cassandra_table *there, bool *ours, struct error *error)
{
    bool exists = false;
    bool filled = true;
    if (made == KEYED_MADE_DONE) {
        *ours = strcmp(made_id, there->id) == 0;
        return STATUS_OK;
    }
    enum status status = cassandra_inspect(&self->keyed.base, table, 1, &exists, &filled, error);
    *ours = exists && !filled;
    return status;
}

static enum status drop_table(struct cassandra *self, const char *table, struct error *error)
{
    struct buffer text = {0};
    buffer_append_string(&text, "DROP TABLE IF EXISTS ");
    cassandra_append_table(self, table, &text);
    enum status status = cassandra_define(self, buffer_string(&text), error);
    buffer_free(&text);
    return status == STATUS_OK ? failpoint_hit("cassandra.table_deleted", error) : status;
}

static enum status drop_made(struct cassandra *self, const struct target_table *table,
                             struct arena *arena, struct error *error)
{
    const struct cassandra_table *there = NULL;
    enum keyed_made made = KEYED_MADE_NOT;
    const char *made_id = NULL;
    bool ours = false;
    if (keyed_made_read(&self->keyed.room, table->name, arena, &made, &made_id, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == KEYED_MADE_NOT) {
        return STATUS_OK; /* dropped already, or never asked for */
    }
    enum status status = cassandra_table_read(self, table->name, arena, &there, error);
    if (status == STATUS_OK) {
        status = is_ours(self, table, made, made_id, there, &ours, error);
    }
    if (status == STATUS_OK && ours) {
        status = drop_table(self, table->name, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED
                                   : keyed_made_forget(&self->keyed.room, table->name, error);
}

static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct arena *arena = arena_create(0);
    enum status status = failpoint_hit("cassandra.before_remove_table", error);
    if (status == STATUS_OK) {
        status = table->created ? drop_made(self, table, arena, error)
                                : cassandra_truncate(self, table->name, error);
    }
    if (status == STATUS_OK && table->created) {
        status = cassandra_types_drop(self, arena, error);
    }
    cassandra_layouts_forget(self);
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("cassandra.after_remove_table", error) : status;
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
