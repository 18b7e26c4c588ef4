/* SQLite as a target: opening, looking at its tables, counting, the normal form of values. */
#include "base/clock.h"
#include "connectors/sql/check.h"
#include "connectors/sql/orphans.h"
#include "connectors/sqlite/target_internal.h"
#include "connectors/sqlite/writer_internal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/field_hash.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum status sqlite_target_error(struct sqlite_database *database, sqlite3 *connection, int result,
                                enum error_code otherwise, const char *doing, struct error *error)
{
    return sqlite_error(connection, result, OPEN_TARGET, otherwise, database->sql.shown, doing,
                        error);
}

enum status sqlite_target_execute(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, enum error_code otherwise, struct error *error)
{
    int result = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    if (result != SQLITE_OK) {
        return sqlite_target_error(database, connection, result, otherwise, "a statement failed",
                                   error);
    }
    return STATUS_OK;
}

enum status sqlite_target_prepare(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, sqlite3_stmt **statement, struct error *error)
{
    int result =
        sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (result != SQLITE_OK) {
        return sqlite_target_error(database, connection, result, ERROR_TARGET_WRITE,
                                   "a statement can't be prepared", error);
    }
    return STATUS_OK;
}

enum status sqlite_target_prepare_buffer(struct sqlite_database *database, sqlite3 *connection,
                                         struct buffer *sql, sqlite3_stmt **statement,
                                         struct error *error)
{
    return sqlite_target_prepare(database, connection, buffer_string(sql), statement, error);
}

bool sqlite_same_name(const char *left, const char *right)
{
    return sqlite3_stricmp(left, right) == 0;
}

/* ---------------------------------------------------------------- opening */

/* Only after the first read is it known that this is a database at all. */
static enum status look_at_file(struct sqlite_database *self, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_FAILED;

    int result = sqlite3_prepare_v2(self->control, "PRAGMA page_count", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    if (result != SQLITE_ROW) {
        sqlite_target_error(self, self->control, result, ERROR_TARGET_INVALID, "it can't be read",
                            error);
        goto out;
    }
    self->target->fresh = sqlite3_column_int64(statement, 0) == 0;
    status = STATUS_OK;
out:
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_target_check_place(const struct sqlite_database *self, struct error *error)
{
    const char *slash = strrchr(self->path, '/');
    char folder[4096];
    int length = slash == NULL || slash == self->path ? 1 : (int)(slash - self->path);

    snprintf(folder, sizeof folder, "%.*s", length, slash == NULL ? "." : self->path);
    if (euidaccess(folder, W_OK) != 0) {
        error_set_errno(
            error, ERROR_PERMISSION, errno, self->sql.shown,
            "SQLite can't make a file in the folder of the target, as it has to for each "
            "transaction");
        error_hint(error, "give write permission on the folder, or another target");
        return STATUS_FAILED;
    }
    if (!self->created_file && euidaccess(self->path, W_OK) != 0) {
        error_set_errno(error, ERROR_PERMISSION, errno, self->sql.shown,
                        "the target can't be written");
        error_hint(error, "change its mode, or give another target");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status check_writable(struct sqlite_database *self, struct error *error)
{
    if (sqlite3_db_readonly(self->control, "main") == 1) {
        error_set(error, ERROR_PERMISSION, self->sql.shown, "SQLite can only read the target");
        error_hint(error, "change its mode, or give another target");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status sqlite_target_set_up(struct sqlite_database *self, sqlite3 *connection,
                                 struct error *error)
{
    return sqlite_target_execute(
        self, connection,
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=OFF",
        ERROR_TARGET_WRITE, error);
}

void sqlite_triggers_set(sqlite3 *connection, bool fire)
{
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, fire ? 1 : 0, NULL);
}

enum status sqlite_target_opened(struct sqlite_database *self, struct error *error)
{
    struct sqlite_target_state *state = memory_allocate_zeroed(1, sizeof *state);

    pthread_mutex_init(&state->mutex, NULL);
    condition_init(&state->freed);
    state->lock_descriptor = -1;
    self->target = state;
    self->sql.base.limits.writers_max = 1;
    self->sql.base.limits.chunks_open_max = 1;
    if (look_at_file(self, error) != STATUS_OK ||
        (!self->read_only && check_writable(self, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return sqlite_target_set_up(self, self->control, error);
}

/*
 * Looking at a target that is not there must not leave an empty file behind. Only the file that
 * this process made, and while it alone holds it: another one may have opened it to write; if that
 * one begins later, it finds that its file is gone (sqlite_target_file_moved).
 */
static void remove_unused_file(struct sqlite_database *self)
{
    struct stat facts;

    if (!self->made_file || self->control == NULL) {
        return;
    }
    sqlite3_busy_timeout(self->control, 0);
    if (sqlite3_exec(self->control, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) {
        return;
    }
    if (lstat(self->path, &facts) == 0 && facts.st_size == 0 &&
        (uint64_t)facts.st_ino == self->made_inode && (uint64_t)facts.st_dev == self->made_device) {
        unlink(self->path);
    }
    sqlite3_exec(self->control, "ROLLBACK", NULL, NULL, NULL);
}

bool sqlite_target_file_moved(struct sqlite_database *self)
{
    int moved = 0;
    return self->target->fresh &&
           sqlite3_file_control(self->control, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
               SQLITE_OK &&
           moved != 0;
}

enum status sqlite_target_renew(struct sqlite_database *self, struct error *error)
{
    sqlite3 *renewed = NULL;

    if (sqlite_make_private_file(self, error) != STATUS_OK ||
        sqlite_connection_open(self->path, CONNECTION_CREATE, self->timeout_ms, &renewed, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_connection_close(self->control);
    self->control = renewed;
    return sqlite_target_set_up(self, self->control, error);
}

void sqlite_target_closing(struct sqlite_database *self)
{
    struct sqlite_target_state *state = self->target;

    remove_unused_file(self);
    if (state == NULL) {
        return;
    }
    sqlite_claim_unlock(self);
    sql_released(&self->sql.base);
    pthread_cond_destroy(&state->freed);
    pthread_mutex_destroy(&state->mutex);
    free(state);
    self->target = NULL;
}

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

static struct cell normal_text(struct buffer *text, struct arena *arena)
{
    struct cell normal = cell_text(arena_copy(arena, text->data, text->length), text->length);
    buffer_free(text);
    return normal;
}

/* REAL and INTEGER hold one number: whole ones compare as whole numbers, -0.0 as 0. */
static struct cell normal_double(double value)
{
    if (value >= -9007199254740992.0 && value <= 9007199254740992.0 &&
        value == (double)(int64_t)value) {
        return cell_int64((int64_t)value);
    }
    return cell_float64(value);
}

static struct cell normal_decimal(const struct cell *cell, struct arena *arena)
{
    struct buffer text = {0};
    struct cell back;
    int64_t whole;

    if (decimal_to_int64(cell, &whole) == STATUS_OK) {
        return cell_int64(whole);
    }
    double nearest = decimal_to_double(cell);
    if (decimal_from_double(nearest, arena, &back) == STATUS_OK &&
        decimal_compare(cell, &back) == 0 && nearest == nearest) {
        return normal_double(nearest);
    }
    decimal_append_normal(cell, &text);
    return normal_text(&text, arena);
}

enum status sqlite_target_normal_form(struct database *database, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    enum status status;

    (void)database;
    *normal = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_BOOL:
        *normal = cell_int64(cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        if (cell->u64 <= INT64_MAX) {
            *normal = cell_int64((int64_t)cell->u64);
            return STATUS_OK;
        }
        buffer_append_uint64(&text, cell->u64);
        *normal = normal_text(&text, arena);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        *normal = normal_double(cell->f64);
        return STATUS_OK;
    case VALUE_DECIMAL:
        *normal = normal_decimal(cell, arena);
        return STATUS_OK;
    case VALUE_TEXT:
        normal->flags = 0;
        return STATUS_OK;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        status = convert_append_text(cell, false, &text, error);
        break;
    case VALUE_JSON:
        *normal = cell_text(cell->text, cell->length);
        return STATUS_OK;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        status = convert_append_json(cell, &text, error);
        break;
    default:
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        *normal = normal_text(&text, arena);
    }
    buffer_free(&text);
    return status;
}

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
