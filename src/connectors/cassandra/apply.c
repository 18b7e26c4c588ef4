/*
 * Changes of a source, record by record (keyed/apply.c). Nothing is compared before it is written:
 * the order is that of the timestamps, which rise with the source's, so that a request which is
 * late, or made twice, changes nothing.
 *
 *   a whole record      INSERT of all columns; a NULL leaves a tombstone of its cell
 *   a part of one       INSERT of those that were sent
 *   a record that goes  DELETE of its row
 *
 * What a row shares with others, and what can only be added to, has no such order.
 */
#include "connectors/cassandra/target.h"

#include <string.h>

static enum status apply_refuse(const struct target_table *table, const char *column,
                                const char *what, struct error *error)
{
    error_set(error, ERROR_FOLLOW, table->name, "its column %s is %s", column, what);
    return error_hint(error, "leave the column out of the plan, or the table with --exclude");
}

static enum status refuse_counter(const struct target_table *table, const char *column,
                                  struct error *error)
{
    return apply_refuse(
        table, column,
        "a counter, which can only be added to: a change that is applied again after a "
        "crash would be added twice",
        error);
}

static enum status refuse_static(const struct target_table *table, const char *column,
                                 struct error *error)
{
    return apply_refuse(
        table, column,
        "static: rows of a partition share it, and none of them says what it is when "
        "another one changes or goes",
        error);
}

static enum status check_wanted(const struct target_table *table, struct arena *arena,
                                struct error *error)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct cql_type *type = cassandra_new_type(table, &table->columns[at], arena);
        if (type != NULL && type->kind == CQL_TYPE_COUNTER) {
            return refuse_counter(table, table->columns[at].name, error);
        }
    }
    return table->key_shape.static_columns.count == 0
               ? STATUS_OK
               : refuse_static(table, table->key_shape.static_columns.names[0], error);
}

static enum status check_there(const struct target_table *table,
                               const struct cassandra_table *there, struct error *error)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        int32_t place = cassandra_column_find(there, name, strlen(name));
        if (place < 0) {
            continue;
        }
        if (there->columns[place].part == CASSANDRA_STATIC) {
            return refuse_static(table, name, error);
        }
        if (there->columns[place].type->kind == CQL_TYPE_COUNTER) {
            return refuse_counter(table, name, error);
        }
    }
    return STATUS_OK;
}

static enum status apply_check(struct database *self, const struct target_table *table,
                               struct error *error)
{
    struct arena *arena = arena_create(0);
    const struct cassandra_table *there = NULL;
    enum status status =
        cassandra_table_read(cassandra_of(self), table->name, arena, &there, error);
    if (status != STATUS_FAILED) {
        status = status == STATUS_OK ? check_there(table, there, error)
                                     : check_wanted(table, arena, error);
    }
    arena_destroy(arena);
    return status;
}

/* The node's clock may have moved since the run was claimed. */
static enum status apply_open(struct database *self, const struct apply_request *request,
                              struct apply **apply, struct error *error)
{
    int64_t ignored;
    *apply = NULL;
    return cassandra_read_clock(cassandra_of(self), &ignored, error) == STATUS_OK
               ? keyed_apply_open(self, request, apply, error)
               : STATUS_FAILED;
}

const struct apply_functions cassandra_apply = {
    .check = apply_check,
    .open = apply_open,
    .close = keyed_apply_close,
    .position = keyed_apply_position,
    .apply_sets = keyed_apply_sets,
};
