/* Would a record be written? Its values are put into vectors as the writer does, and left there. */
#include "base/memory.h"
#include "connectors/duckdb/target.h"
#include <stdlib.h>

struct target_trial {
    struct duckdb_database *self;
    struct arena *arena;
    struct arena *scratch;
    struct schema_table schema;
    struct duckdb_form *forms;
    struct duckdb_column *vectors;
    struct duckdb_handle *chunk; /* one row, written over by each record */
    bool has_checks;             /* a temporary table takes each record that is tried by them */
};

#define TRIAL_TABLE "_transhume_trial"

/* "SELECT NULL::INTEGER AS id, …": columns of the types that the table would have. */
static void append_imagined(struct buffer *sql, const struct target_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", NULL::" : "SELECT NULL::");
        duckdb_append_column_type(sql, table, &table->columns[i]);
        duckdb_append(sql, " AS %n", table->columns[i].name);
    }
    buffer_append_string(sql, " LIMIT 0");
}

static void note_columns(struct target_trial *trial, const struct target_table *table,
                         const struct duckdb_table *there, struct duckdb_rows *rows)
{
    uint32_t count = 0;
    trial->forms = duckdb_forms_of(rows, trial->arena, &count);
    struct schema_column *columns =
        arena_allocate_zeroed(trial->arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = there != NULL ? there->schema->columns[i] : table->columns[i];
        columns[i].not_null =
            columns[i].not_null || (there == NULL && duckdb_is_in_key(table, columns[i].name));
    }
    trial->schema =
        (struct schema_table){.name = table->name, .columns = columns, .column_count = count};
}

static enum status make_vectors(struct target_trial *trial, struct duckdb_rows *rows,
                                struct error *error)
{
    const struct duckdb_library *library = trial->self->library;
    uint32_t count = trial->schema.column_count;
    struct duckdb_handle **types = memory_allocate_zeroed((size_t)count + 1, sizeof(void *));
    for (uint32_t i = 0; i < count; i++) {
        types[i] = library->column_logical_type(&rows->result, i);
    }
    trial->chunk = library->create_data_chunk(types, count);
    for (uint32_t i = 0; i < count; i++) {
        library->destroy_logical_type(&types[i]);
    }
    free(types);
    if (trial->chunk == NULL) {
        return error_set(error, ERROR_TARGET_INVALID, trial->schema.name,
                         "DuckDB makes no chunk of its columns");
    }
    trial->vectors = arena_allocate_zeroed(trial->arena, (size_t)count + 1, sizeof *trial->vectors);
    return STATUS_OK;
}

static enum status open_trial(struct target_trial *trial, const struct target_table *table,
                              const struct duckdb_table *there, struct error *error)
{
    struct duckdb_rows rows = {0};
    struct buffer sql = {0};
    if (there != NULL) {
        duckdb_append(&sql, "SELECT * FROM %t LIMIT 0", &trial->self->sql, table->name);
    } else {
        append_imagined(&sql, table);
    }
    enum status status = duckdb_rows_open(&rows, trial->self, trial->self->control,
                                          buffer_string(&sql), NULL, ERROR_TARGET_INVALID, error);
    if (status == STATUS_OK) {
        note_columns(trial, table, there, &rows);
        status = make_vectors(trial, &rows, error);
    } else if (there == NULL) { /* it names a type that is to be made yet */
        error_clear(error);
        status = STATUS_END;
    }
    duckdb_rows_close(&rows);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- CHECKs */

static enum status query_run(struct target_trial *trial, struct buffer *sql, struct error *error)
{
    struct duckdb_rows rows = {0};
    enum status status = duckdb_rows_open(&rows, trial->self, trial->self->control,
                                          buffer_string(sql), NULL, ERROR_TARGET_INVALID, error);
    duckdb_rows_close(&rows);
    buffer_free(sql);
    return status;
}

/* A table of the same columns that takes any record. */
static enum status empty_trial_table(struct target_trial *trial, struct error *error)
{
    return query_run(trial,
                     duckdb_sql("CREATE OR REPLACE TEMP TABLE " TRIAL_TABLE
                                " AS SELECT * FROM %t LIMIT 0",
                                &trial->self->sql, trial->schema.name),
                     error);
}

static enum status find_broken(struct target_trial *trial, int64_t *broken, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT CASE");
    for (uint32_t i = 0; i < trial->schema.check_count; i++) {
        buffer_format(&sql, " WHEN (%s) IS NOT DISTINCT FROM false THEN %u",
                      trial->schema.checks[i], i + 1);
    }
    buffer_append_string(&sql, " ELSE 0 END FROM temp." TRIAL_TABLE);
    return duckdb_ask_number(trial->self, trial->self->control, &sql, ERROR_TARGET_INVALID, broken,
                             error);
}

static enum status try_checks(struct target_trial *trial, struct error *error)
{
    const struct duckdb_library *library = trial->self->library;
    struct duckdb_handle *appender = NULL;
    struct error unknown = {0};
    int64_t broken = 0;
    if (empty_trial_table(trial, &unknown) != STATUS_OK) {
        return STATUS_OK;
    }
    library->data_chunk_set_size(trial->chunk, 1);
    bool put = library->appender_create(trial->self->control, NULL, TRIAL_TABLE, &appender) ==
                   DUCKDB_SUCCESS &&
               library->append_data_chunk(appender, trial->chunk) == DUCKDB_SUCCESS &&
               library->appender_flush(appender) == DUCKDB_SUCCESS;
    (void)library->appender_destroy(&appender);
    if (!put || find_broken(trial, &broken, &unknown) != STATUS_OK) {
        return STATUS_OK; /* what the copy does not take is not known before */
    }
    return broken == 0
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_CONSTRAINT, NULL, "a CHECK of the table refuses it");
}

static void trial_close(struct target_trial *trial)
{
    if (trial->chunk != NULL) {
        trial->self->library->destroy_data_chunk(&trial->chunk);
    }
    arena_destroy(trial->arena);
    arena_destroy(trial->scratch);
    free(trial);
}

static enum status trial_open(struct database *database, const struct target_table *table,
                              struct target_trial **trial, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct duckdb_table there;
    struct target_trial *made = memory_allocate_zeroed(1, sizeof *made);
    made->self = self;
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    enum status status = STATUS_OK;
    if (!table->created) {
        status =
            duckdb_target_describe(self, self->control, table->name, made->arena, &there, error);
    } else if (table->column_count == 0) {
        status = STATUS_END;
    }
    status = status == STATUS_OK ? open_trial(made, table, table->created ? NULL : &there, error)
                                 : status;
    if (status == STATUS_OK && !table->created) {
        made->schema.checks = there.schema->checks;
        made->schema.check_count = there.schema->check_count;
        made->has_checks = there.schema->check_count > 0;
    }
    if (status != STATUS_OK) {
        trial_close(made);
        return status;
    }
    *trial = made;
    return STATUS_OK;
}

/* Vectors are other ones after a reset. */
static void begin_row(struct target_trial *trial)
{
    static const struct cell nothing = {.kind = VALUE_NULL};
    const struct duckdb_library *library = trial->self->library;
    struct error ignored;
    library->data_chunk_reset(trial->chunk);
    for (uint32_t i = 0; i < trial->schema.column_count; i++) {
        trial->vectors[i] = duckdb_column_of(library, &trial->forms[i],
                                             library->data_chunk_get_vector(trial->chunk, i));
        if (trial->has_checks) { /* what no field fills */
            (void)!duckdb_write(library, &trial->vectors[i], 0, &nothing, trial->scratch, &ignored);
        }
    }
    arena_reset(trial->scratch);
}

static enum status trial_record(struct target_trial *trial, const struct shape *shape,
                                const struct cell *cells, const bool *passed, struct error *error)
{
    const struct duckdb_table table = {.schema = &trial->schema};
    bool whole = true;
    begin_row(trial);
    for (uint32_t i = 0; shape != NULL && i < shape->field_count; i++) {
        int32_t at = duckdb_find_column(&table, shape->fields[i].name);
        whole = whole && (passed == NULL || !passed[i]);
        if (at < 0 || (passed != NULL && passed[i]) ||
            trial->schema.columns[at].generated != GENERATED_NO) {
            continue;
        }
        if (duckdb_put_value(trial->self->library, &trial->schema.columns[at], &trial->vectors[at],
                             0, &cells[i], trial->scratch, error) != STATUS_OK) {
            return error_name_object(error, shape->fields[i].name);
        }
    }
    return trial->has_checks && whole && shape != NULL ? try_checks(trial, error) : STATUS_OK;
}

const struct trial_functions duckdb_trial = {
    .open = trial_open,
    .record = trial_record,
    .close = trial_close,
};
