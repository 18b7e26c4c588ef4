/* Values as the target's columns keep them. */
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/protocol/cql_normal.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/sql/normal.h"
#include <string.h>

/* A column that is not known: its values are taken as a new table would keep them. */
enum { STORED_AS_SENT = UINT32_MAX };

static const struct sql_rules rules = {0};

/* Is it to become a text first? */
static bool becomes_text(const struct cql_type *type, const struct cell *cell)
{
    return type->kind == CQL_TYPE_TEXT && cell->kind != VALUE_TEXT && cell->kind != VALUE_NULL &&
           cell->kind != VALUE_MISSING && cell->kind != VALUE_LARGE && cell->kind != VALUE_BYTES &&
           cell->kind != VALUE_ESCAPE;
}

enum status cassandra_value_encode(const struct cql_type *type, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    if (!becomes_text(type, cell)) {
        return cql_value_encode(type, cell, out, error);
    }
    struct buffer text = {0};
    enum status status = sql_append_value_text(&rules, cell, &text, error);
    if (status == STATUS_OK) {
        const struct cell made = cell_text(buffer_string(&text), text.length);
        status = cql_value_encode(type, &made, out, error);
    }
    buffer_free(&text);
    return status;
}

/* As it would be in a column made for it. What is nested stays as it is: only a column says more.
 */
enum status cassandra_normal_form(struct database *database, const struct cell *cell,
                                  struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP) {
        *normal = *cell;
        return STATUS_OK;
    }
    return cql_normal_form_of_any(cell, arena, normal, error);
}

/* ---------------------------------------------------------------- columns that are there */

/* With the mutex held. */
static uint32_t class_of(struct cassandra *self, const struct cql_type *type)
{
    uint32_t count = atomic_load(&self->class_count);
    uint32_t number = 0;
    while (number < count && self->classes[number] != type) {
        number++;
    }
    if (number == CASSANDRA_CLASSES_MAX) {
        return STORED_AS_SENT;
    }
    if (number == count) {
        self->classes[number] = type;
        atomic_store(&self->class_count, count + 1);
    }
    return number;
}

uint32_t cassandra_column_class(struct database *database, const struct schema_table *table,
                                const struct schema_column *column)
{
    struct cassandra *self = cassandra_of(database);
    const struct target_table wanted = {.name = table->name};
    const struct cassandra_layout *layout = NULL;
    struct error ignored;
    uint32_t number = STORED_AS_SENT;
    if (cassandra_layout_find(self, &wanted, &layout, &ignored) != STATUS_OK) {
        return number;
    }
    int32_t at = cassandra_column_find(layout->table, column->name, strlen(column->name));
    if (at >= 0) {
        pthread_mutex_lock(&self->mutex);
        number = class_of(self, layout->table->columns[at].type);
        pthread_mutex_unlock(&self->mutex);
    }
    return number;
}

enum status cassandra_normal_form_in_column(struct database *database, uint32_t column_class,
                                            const struct cell *cell, struct arena *arena,
                                            struct cell *normal, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cql_type *type =
        column_class < atomic_load(&self->class_count) ? self->classes[column_class] : NULL;
    if (cell->kind == VALUE_MISSING) {
        *normal = cell_null();
        return STATUS_OK;
    }
    if (type == NULL) {
        return cassandra_normal_form(database, cell, arena, normal, error);
    }
    return becomes_text(type, cell) ? sql_text_in_column(&rules, cell, false, arena, normal, error)
                                    : cql_normal_form(type, cell, arena, normal, error);
}

/* ---------------------------------------------------------------- trials */

struct target_trial {
    const struct cassandra_table *table;
};

enum status cassandra_try_open(struct database *database, const char *table, struct arena *arena,
                               struct target_trial **trial, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    *trial = arena_allocate_zeroed(arena, 1, sizeof(**trial));
    return self->keyspace_there ? cassandra_table_read(self, table, arena, &(*trial)->table, error)
                                : STATUS_END;
}

enum status cassandra_try_value(struct target_trial *trial, const char *column,
                                const struct cell *cell, struct arena *scratch, struct error *error)
{
    int32_t at = cassandra_column_find(trial->table, column, strlen(column));
    struct buffer out = {0};
    (void)scratch;
    if (at < 0) {
        return STATUS_OK; /* check_table says so */
    }
    const struct cassandra_column *there = &trial->table->columns[at];
    if ((uint32_t)at < trial->table->key.count &&
        (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING)) {
        return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "key column %s is null", column);
    }
    enum status status = cassandra_value_encode(there->type, cell, &out, error);
    buffer_free(&out);
    return status;
}
