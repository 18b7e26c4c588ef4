/* Values as the target's columns keep them. */
#include "connectors/cassandra/target.h"

#include "base/memory.h"
#include "connectors/cassandra/protocol/cql_normal.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

enum status cassandra_normal_form(struct database *database, const struct cell *cell,
                                  struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return cql_normal_form_of_any(cell, arena, normal, error);
}

/* ---------------------------------------------------------------- columns that are there */

/* The types that columns were asked about, by number; kept as long as the database. */
struct cassandra_class {
    struct cassandra_class *next;
    const struct cql_type *type;
    uint32_t number;
};

static const struct cassandra_class *class_of(struct cassandra *self, const struct cql_type *type)
{
    struct cassandra_class *known = self->classes;
    while (known != NULL && known->type != type) {
        known = known->next;
    }
    if (known == NULL) {
        known = arena_allocate_zeroed(self->arena, 1, sizeof(*known));
        known->type = type;
        known->number = self->classes != NULL ? self->classes->number + 1 : 1;
        known->next = self->classes;
        self->classes = known;
    }
    return known;
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
        number = class_of(self, layout->table->columns[at].type)->number;
        pthread_mutex_unlock(&self->mutex);
    }
    return number;
}

enum status cassandra_normal_form_in_column(struct database *database, uint32_t column_class,
                                            const struct cell *cell, struct arena *arena,
                                            struct cell *normal, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    pthread_mutex_lock(&self->mutex);
    const struct cassandra_class *known = self->classes;
    while (known != NULL && known->number != column_class) {
        known = known->next;
    }
    pthread_mutex_unlock(&self->mutex);
    return known != NULL ? cql_normal_form(known->type, cell, arena, normal, error)
                         : cql_normal_form_of_any(cell, arena, normal, error);
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
    enum status status = cql_value_encode(there->type, cell, &out, error);
    buffer_free(&out);
    return status;
}
