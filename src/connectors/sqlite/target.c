/* SQLite as a target: what the engine calls, looking at its tables, counting. */
#include "connectors/sql/check.h"
#include "connectors/sql/orphans.h"
#include "connectors/sqlite/target_internal.h"
#include "connectors/sqlite/writer_internal.h"
#include "model/field_hash.h"
#include <errno.h>
#include <unistd.h>

/* ---------------------------------------------------------------- looking */

/* Runs `SELECT EXISTS(SELECT 1 FROM …)` or a count: one number. */
static enum status number_of(struct sqlite_database *self, const char *before, const char *table,
                             const char *after, int64_t *number, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_FAILED;

    sqlite_append(&sql, "%s%n%s", before, table, after);
    if (sqlite_target_prepare_buffer(self, self->control, &sql, &statement, error) != STATUS_OK) {
        goto out;
    }
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW) {
        sqlite_target_error(self, self->control, result, ERROR_TARGET_INVALID,
                            "a table of the target can't be read", error);
        goto out;
    }
    *number = sqlite3_column_int64(statement, 0);
    status = STATUS_OK;
out:
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

static enum status inspect_one(struct sqlite_database *self, const char *name, bool *table_exists,
                               bool *record_exists, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct sqlite_target_table table;
    int64_t any = 0;

    *table_exists = *record_exists = false;
    enum status status = sqlite_target_describe(self, self->control, name, arena, &table, error);
    if (status != STATUS_OK) {
        status = status == STATUS_END ? STATUS_OK : STATUS_FAILED;
        goto out;
    }
    *table_exists = true;
    status = number_of(self, "SELECT EXISTS(SELECT 1 FROM main.", table.name, ")", &any, error);
    *record_exists = any != 0;
out:
    arena_destroy(arena);
    return status;
}

static enum status target_inspect(struct database *database, const struct target_table *tables,
                                  uint32_t table_count, bool *table_exists, bool *record_exists,
                                  struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    enum status status = sqlite_control_begin(self, false, error);

    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = inspect_one(self, tables[i].name, &table_exists[i], &record_exists[i], error);
    }
    return sqlite_control_end(self, status, error);
}

static enum status target_count(struct database *database, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    int64_t number = 0;

    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        number_of(self, "SELECT count(*) FROM main.", table->name, "", &number, error);
    *count = (uint64_t)number;
    return sqlite_control_end(self, status, error);
}

/* ---------------------------------------------------------------- normal form */

static enum status add_value(struct field_hasher *hasher, uint64_t seed, const struct cell *cell,
                             struct error *error)
{
    struct cell normal;
    enum status status;
    switch ((enum value_kind)cell->kind) {
    case VALUE_INT64:
    case VALUE_NULL:
    case VALUE_TEXT:
    case VALUE_BYTES:
        return field_hash_add_cell(hasher, seed, cell, error);
    default:
        status = sqlite_target_normal_form(NULL, cell, hasher->arena, &normal, error);
        return status == STATUS_OK ? field_hash_add_cell(hasher, seed, &normal, error) : status;
    }
}

static enum status hash_normal(struct database *database, const uint64_t *seeds,
                               const struct cell *cells, uint32_t count,
                               struct field_hasher *hasher, uint32_t *hashed, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t i = 0;
    (void)database;
    for (; i < count && cells[i].kind != VALUE_LARGE; i++) {
        status = add_value(hasher, seeds[i], &cells[i], error);
        if (status != STATUS_OK) {
            break;
        }
    }
    *hashed = i;
    return status;
}

const struct target_functions sqlite_target = {
    .claimed = sql_claimed,
    .released = sql_released,
    .forget_run = sqlite_target_forget_run,
    .tidy = sqlite_target_tidy,
    .empty = sql_empty,
    .names = sql_names,
    .inspect = target_inspect,
    .check_table = sqlite_target_check_table,
    .prepare = sqlite_target_prepare_tables,
    .writer_open = sqlite_writer_open,
    .writer_close = sqlite_writer_close,
    .chunk_begin = sqlite_writer_chunk_begin,
    .submit = sqlite_writer_submit,
    .poll = sqlite_writer_poll,
    .commit = sqlite_writer_commit,
    .chunk_abandon = sqlite_writer_chunk_abandon,
    .after_load = sqlite_target_after_load,
    .fetch = sql_fetch,
    .delete_records = sql_delete_records,
    .count = target_count,
    .normal_form = sqlite_target_normal_form,
    .hash_normal = hash_normal,
};

const struct sql_target_functions sqlite_sql_target_functions = {
    .rules = {.defaults = true, .names_shared = true, .text_times = true, .float_decimals = true},
    .check_objects = sqlite_target_check_objects,
    .chunk_run = sqlite_writer_run,
    .partnerless = sqlite_tell_partnerless,
    .highest_key = sql_highest_key,
    .orphans = sql_orphans_tell,
};

const struct column_functions sqlite_column_functions = {
    .type = sqlite_column_type,
    .add = sqlite_target_add_columns,
    .alter = sqlite_target_alter_columns,
    .value_class = sqlite_target_column_class,
    .normal_form = sqlite_target_normal_form_in_column,
};

const struct forecast_functions sqlite_forecast_functions = {
    .script = sqlite_script,
};

const struct express_functions sqlite_express_functions = {
    .accepts = sqlite_express_accepts,
    .chunk = sqlite_express_chunk,
};
