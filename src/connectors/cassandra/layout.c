/* Target tables as the writers know them, and keys as bytes. */
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

static enum status make_layout(struct cassandra *self, const struct target_table *table,
                               struct cassandra_layout **made, struct error *error)
{
    struct cassandra_layout *layout = arena_allocate_zeroed(self->keyed.arena, 1, sizeof(*layout));
    enum status status =
        cassandra_table_read(self, table->name, self->keyed.arena, &layout->table, error);
    if (status != STATUS_OK) {
        return status == STATUS_END
                   ? error_set(error, ERROR_TARGET_SCHEMA, table->name, "the table is not there")
                   : STATUS_FAILED;
    }
    layout->key =
        arena_allocate_zeroed(self->keyed.arena, table->key.count + 1u, sizeof(*layout->key));
    for (uint32_t at = 0; at < table->key.count; at++) {
        const char *name = table->key.names[at];
        layout->key[at] = cassandra_column_find(layout->table, name, strlen(name));
        if (layout->key[at] < 0) {
            return error_set(error, ERROR_TARGET_SCHEMA, table->name, "it has no column %s", name);
        }
    }
    for (uint32_t at = 0; at < layout->table->column_count; at++) {
        layout->shares_lists |= cassandra_is_shared_list(&layout->table->columns[at]);
    }
    layout->name = layout->table->name;
    layout->key_count = table->key.count;
    *made = layout;
    return STATUS_OK;
}

enum status cassandra_layout_find(struct cassandra *self, const struct target_table *table,
                                  const struct cassandra_layout **layout, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.mutex);
    struct cassandra_layout *found = self->layouts;
    while (found != NULL &&
           (found->key_count != table->key.count || strcmp(found->name, table->name) != 0)) {
        found = found->next;
    }
    if (found == NULL) {
        status = make_layout(self, table, &found, error);
        if (status == STATUS_OK) {
            found->next = self->layouts;
            self->layouts = found;
        }
    }
    *layout = found;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

void cassandra_layouts_forget(struct cassandra *self)
{
    pthread_mutex_lock(&self->keyed.mutex);
    self->layouts = NULL; /* what they were made of stays in the arena */
    pthread_mutex_unlock(&self->keyed.mutex);
}

/* ---------------------------------------------------------------- keys as bytes */

enum status cassandra_append_table_key(const struct cassandra_layout *layout,
                                       const struct target_table *table, const struct cell *key,
                                       struct buffer *out, struct error *error)
{
    struct cell ordered[KEYED_KEY_COLUMNS_MAX];
    uint32_t count = layout->table->key.count;
    if (count > KEYED_KEY_COLUMNS_MAX) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                         "its key has more than %d columns", KEYED_KEY_COLUMNS_MAX);
    }
    for (uint32_t place = 0; place < count; place++) {
        ordered[place] = cell_null();
        for (uint32_t at = 0; at < table->key.count; at++) {
            if (layout->key[at] == (int32_t)place) {
                ordered[place] = key[at];
            }
        }
    }
    return cassandra_key_encode(layout->table, ordered, out, NULL, error);
}

/* Are some values of the type equal to the server's order, though their bytes differ? Decimals are,
 * whatever their scale, and all NaNs; so is what they are in. */
static bool has_equals(const struct cql_type *type)
{
    bool any = type->kind == CQL_TYPE_DECIMAL || type->kind == CQL_TYPE_DOUBLE ||
               type->kind == CQL_TYPE_FLOAT;
    for (uint32_t at = 0; at < type->part_count && !any; at++) {
        any = has_equals(type->parts[at]);
    }
    return any;
}

/* Columns of the partition's key are compared by their bytes. */
static bool is_ordered_by_value(const struct cassandra_column *column)
{
    return column->part == CASSANDRA_CLUSTERING && has_equals(column->type);
}

static enum status append_by_value(const struct cassandra_column *column, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    struct cell plain = cell_null();
    struct arena *arena = arena_create(1024);
    enum status status = cassandra_normal_in(column->type, cell, arena, &plain, error);
    if (status == STATUS_OK) {
        cassandra_choose_equal(column->type, &plain, arena);
        status = cassandra_value_encode(column->type, &plain, out, error);
    }
    arena_destroy(arena);
    return status;
}

/* [value] of each column, as the table has its type. */
enum status cassandra_append_key(struct database *self, const struct target_table *table,
                                 const struct cell *key, struct buffer *out, struct error *error)
{
    const struct cassandra_layout *layout = NULL;
    if (cassandra_layout_find(cassandra_of(self), table, &layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cassandra_column *column = &layout->table->columns[layout->key[at]];
        enum status status = is_ordered_by_value(column)
                                 ? append_by_value(column, &key[at], out, error)
                                 : cassandra_value_encode(column->type, &key[at], out, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

bool cassandra_read_key(struct database *self, const struct target_table *table,
                        const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key)
{
    const struct cassandra_layout *layout = NULL;
    struct error ignored;
    const uint8_t *copy = (const uint8_t *)arena_copy(arena, bytes, length);
    struct cql_reader reader = cql_reader_of(copy, length);
    if (cassandra_layout_find(cassandra_of(self), table, &layout, &ignored) != STATUS_OK) {
        return false;
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cassandra_column *column = &layout->table->columns[layout->key[at]];
        struct cql_value value = cql_read_value(&reader);
        /* a partition of static values without rows has nulls for its clustering columns */
        bool null = value.length == CQL_NULL && column->part == CASSANDRA_CLUSTERING;
        if (reader.failed || (value.length < 0 && !null) ||
            cql_value_decode(column->type, value, arena, &key[at], &ignored) != STATUS_OK) {
            return false;
        }
    }
    return cql_reader_left(&reader) == 0;
}

bool cassandra_is_shared_list(const struct cassandra_column *column)
{
    return column->part == CASSANDRA_STATIC && column->type->kind == CQL_TYPE_LIST &&
           !column->type->frozen;
}
