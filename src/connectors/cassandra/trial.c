/* A connection that only encodes, for check: also records of a table that is not there yet. */
#include "connectors/cassandra/target.h"

#include <string.h>

static bool is_key(const struct target_table *table, const char *name)
{
    return column_list_holds(table->key, name);
}

/* The column as CREATE TABLE would declare it. STATUS_END: it is not among the plan's columns, or
 * no type of Cassandra holds it, which check_table says. */
static enum status imagine_column(const struct target_table *table, const char *name,
                                  enum cassandra_part part, struct arena *arena,
                                  struct cassandra_column *made)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (strcmp(table->columns[at].name, name) == 0) {
            *made = (struct cassandra_column){
                .name = name,
                .type = cassandra_new_type(table, &table->columns[at], arena),
                .type_text = "",
                .part = part};
            return made->type != NULL ? STATUS_OK : STATUS_END;
        }
    }
    return STATUS_END;
}

static uint32_t partition_count(const struct target_table *table)
{
    uint32_t count = table->key_shape.partition_count;
    return count > 0 && count <= table->key.count ? count : table->key.count;
}

static enum status imagine_columns(const struct target_table *table, struct arena *arena,
                                   struct cassandra_table *made)
{
    struct cassandra_column *columns =
        arena_allocate_zeroed(arena, table->column_count + 1u, sizeof(*columns));
    enum status status = STATUS_OK;
    made->columns = columns;
    for (uint32_t at = 0; at < table->key.count && status == STATUS_OK; at++) {
        status = imagine_column(table, table->key.names[at],
                                at < made->partition_count ? CASSANDRA_PARTITION
                                                           : CASSANDRA_CLUSTERING,
                                arena, &columns[made->column_count++]);
    }
    for (uint32_t at = 0; at < table->column_count && status == STATUS_OK; at++) {
        const char *name = table->columns[at].name;
        bool is_static = column_list_holds(table->key_shape.static_columns, name);
        if (!is_key(table, name)) {
            struct cassandra_column *column = &columns[made->column_count++];
            status =
                imagine_column(table, name, is_static ? CASSANDRA_STATIC : CASSANDRA_REGULAR, arena,
                               column);
            made->counter =
                made->counter || (status == STATUS_OK && column->type->kind == CQL_TYPE_COUNTER);
        }
    }
    return status;
}

static enum status imagine_layout(const struct target_table *table, struct arena *arena,
                                  const struct cassandra_layout **made)
{
    struct cassandra_layout *layout = arena_allocate_zeroed(arena, 1, sizeof(*layout));
    struct cassandra_table *there = arena_allocate_zeroed(arena, 1, sizeof(*there));
    int32_t *key = arena_allocate_zeroed(arena, table->key.count + 1u, sizeof(*key));
    *there = (struct cassandra_table){.name = table->name,
                                      .id = "",
                                      .partition_count = partition_count(table),
                                      .key = table->key};
    there->clustering_count = table->key.count - there->partition_count;
    if (table->key.count == 0 || imagine_columns(table, arena, there) != STATUS_OK) {
        return STATUS_END;
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        key[at] = (int32_t)at;
    }
    *layout = (struct cassandra_layout){
        .name = table->name, .table = there, .key_count = table->key.count, .key = key};
    for (uint32_t at = 0; at < there->column_count; at++) {
        layout->shares_lists |= cassandra_is_shared_list(&there->columns[at]);
    }
    *made = layout;
    return STATUS_OK;
}

enum status cassandra_try_connect(struct database *database, const struct target_table *table,
                                  struct keyed_connection **connection, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    if (cassandra_connection_make(self, table, table->created ? 0 : 1, connection, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!table->created) {
        return STATUS_OK;
    }
    enum status status =
        imagine_layout(table, (*connection)->arena, &(*connection)->layouts[0]);
    (*connection)->layout_count = status == STATUS_OK ? 1 : 0;
    if (status != STATUS_OK) {
        cassandra_connection_free(*connection);
    }
    return status;
}
