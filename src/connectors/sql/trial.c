/* Would a record be written? Each value is asked of its column, as it is or as it would be made. */
#include "connectors/sql/check.h"

#include "base/memory.h"
#include <stdlib.h>

struct target_trial {
    struct sql_database *self;
    const struct target_table *wanted;
    struct sql_table table;
    struct sql_checks *checks; /* NULL: there are none */
    struct arena *arena;       /* of the table */
    struct arena *scratch;     /* of one value, or one record */
};

static void trial_close(struct target_trial *trial)
{
    arena_destroy(trial->arena);
    arena_destroy(trial->scratch);
    free(trial);
}

static enum status trial_open(struct database *database, const struct target_table *table,
                              struct target_trial **trial, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    const struct sql_dialect *dialect = self->dialect;
    if (table->created && dialect->imagine == NULL) {
        return STATUS_END;
    }
    if (dialect->begin(self, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct target_trial *made = memory_allocate_zeroed(1, sizeof *made);
    made->self = self;
    made->wanted = table;
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    enum status status =
        table->created ? dialect->imagine(self, table, made->arena, &made->table, error)
                       : dialect->describe(self, table->name, made->arena, &made->table, error);
    bool unknown = status == STATUS_END;
    if (status == STATUS_OK && dialect->find_checks != NULL &&
        dialect->find_checks(self, &made->table, made->arena, &made->checks, error) ==
            STATUS_FAILED) {
        status = STATUS_FAILED;
    }
    status = dialect->end(self, unknown ? STATUS_OK : status, error);
    if (status != STATUS_OK || unknown) {
        trial_close(made);
        return status != STATUS_OK ? STATUS_FAILED : STATUS_END;
    }
    *trial = made;
    return STATUS_OK;
}

static bool fills_itself(const struct schema_column *column)
{
    return column->default_text != NULL || column->identity || column->generated != GENERATED_NO;
}

/* Is it a part of the key of a table that the run makes? */
static bool is_key(const struct target_trial *trial, const char *name)
{
    const struct column_list key = trial->wanted->key;
    bool found = false;
    for (uint32_t i = 0; trial->wanted->created && i < key.count; i++) {
        found = found || trial->self->dialect->compare_names(key.names[i], name) == 0;
    }
    return found;
}

/* In the words that the run's reject would have. */
static enum status refuse_null(const struct target_trial *trial, const struct schema_column *column,
                               struct error *error)
{
    const struct sql_dialect *dialect = trial->self->dialect;
    enum error_code code = is_key(trial, column->name) && dialect->names_null_keys
                               ? ERROR_REJECT_KEY_NULL
                               : ERROR_REJECT_CONSTRAINT;
    switch (dialect->null_words) {
    case SQL_NULL_VIOLATES:
        return error_set(error, code, NULL,
                         "null value in column \"%s\" of relation \"%s\" violates not-null "
                         "constraint",
                         column->name, trial->wanted->name);
    case SQL_NULL_FAILED:
        return error_set(error, code, NULL, "NOT NULL constraint failed: %s.%s",
                         trial->wanted->name, column->name);
    default:
        return error_set(error, code, column->name, "the value is null, the column is NOT NULL");
    }
}

static enum status try_value(struct target_trial *trial, const char *name, const struct cell *cell,
                             struct error *error)
{
    const struct sql_dialect *dialect = trial->self->dialect;
    const struct schema_table *schema = trial->table.schema;
    const struct schema_column *column = sql_find_column(schema, name, dialect->compare_names);
    bool missing = cell->kind == VALUE_MISSING;
    bool null = missing || cell->kind == VALUE_NULL;
    if (column == NULL || column->generated != GENERATED_NO) {
        return STATUS_OK;
    }
    if (!null && dialect->try_value != NULL) {
        arena_reset(trial->scratch);
        enum status status =
            dialect->try_value(trial->self, &trial->table, (uint32_t)(column - schema->columns),
                               cell, trial->scratch, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        null = status == STATUS_END;
    }
    bool refused =
        null && (column->not_null || is_key(trial, name)) && !(missing && fills_itself(column));
    return refused ? refuse_null(trial, column, error) : STATUS_OK;
}

static enum status trial_record(struct target_trial *trial, const struct shape *shape,
                                const struct cell *cells, const bool *passed, struct error *error)
{
    bool whole = true;
    for (uint32_t i = 0; shape != NULL && i < shape->field_count; i++) {
        const char *name = shape->fields[i].name;
        if (passed != NULL && passed[i]) {
            whole = false;
            continue;
        }
        if (try_value(trial, name, &cells[i], error) != STATUS_OK) {
            if (error->object[0] != '\0') {
                error_context(error, "%s: ", error->object);
            }
            return error_name_object(error, name);
        }
    }
    if (!whole || shape == NULL || trial->checks == NULL) {
        return STATUS_OK;
    }
    arena_reset(trial->scratch);
    return trial->self->dialect->try_checks(trial->self, &trial->table, trial->checks, shape, cells,
                                            trial->scratch, error);
}

const struct trial_functions sql_trial = {
    .open = trial_open,
    .record = trial_record,
    .close = trial_close,
};
