/* DuckDB's own way of doing what SQL databases do alike. */
#include "base/log.h"
#include "connectors/duckdb/target.h"
#include <strings.h>

const struct sql_rules duckdb_rules = {.truth_is_number = false};

/* ---------------------------------------------------------------- the source */

static enum status catalog(struct sql_database *self, const struct schema **schema,
                           struct error *error)
{
    const struct duckdb_catalog *read = NULL;
    enum status status = duckdb_catalog_get(duckdb_database_of(&self->base), &read, error);
    *schema = status == STATUS_OK ? read->schema : NULL;
    return status;
}

static enum status duckdb_dialect_find(struct sql_database *self, const char *name,
                                       struct sql_table *table)
{
    const struct duckdb_table *found =
        duckdb_catalog_find(duckdb_database_of(&self->base)->catalog, name);
    if (found != NULL) {
        *table = duckdb_table_of(found);
    }
    return found != NULL ? STATUS_OK : STATUS_END;
}

static bool append_exception(struct buffer *sql, const char *column, enum value_test test)
{
    static const char *const conditions[] = {
        [VALUES_TRUTH] = "%n NOT IN (0, 1)",
        [VALUES_INT64] = "%n > 9223372036854775807 OR %n < -9223372036854775808 OR %n <> trunc(%n)",
    };
    if (test > VALUES_INT64 || conditions[test] == NULL) {
        return false;
    }
    duckdb_append(sql, conditions[test], column, column, column, column);
    return true;
}

static struct digest_type digest_type(const struct sql_database *self,
                                      const struct sql_table *table, uint32_t column)
{
    (void)self;
    (void)table;
    (void)column;
    return (struct digest_type){.form = DIGEST_NONE};
}

/* ---------------------------------------------------------------- statements */

static enum status duckdb_dialect_begin(struct sql_database *database, enum sql_access access,
                                        struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    (void)access;
    return duckdb_run(self, self->control, "BEGIN TRANSACTION", ERROR_TARGET_WRITE, NULL, error);
}

static enum status duckdb_dialect_end(struct sql_database *database, enum status status,
                                      struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return duckdb_run(self, self->control, "COMMIT", ERROR_TARGET_WRITE, NULL, error);
    }
    if (duckdb_run(self, self->control, "ROLLBACK", ERROR_TARGET_WRITE, NULL, &ignored) !=
        STATUS_OK) {
        log_write(LOG_DEBUG, "%s: a transaction was not rolled back: %s", self->sql.shown,
                  ignored.message);
    }
    return status;
}

static enum status duckdb_dialect_run(struct sql_database *database, struct buffer *sql,
                                      uint64_t *changed, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    return duckdb_run_buffer(self, self->control, sql, ERROR_TARGET_WRITE, changed, error);
}

/* Any value as its text. */
static const char *shown_text(const struct cell *cell, struct arena *arena)
{
    struct buffer text = {0};
    struct error ignored = {0};
    if (cell->kind == VALUE_NULL ||
        sql_append_value_text(&duckdb_rules, cell, &text, &ignored) != STATUS_OK) {
        buffer_free(&text);
        return NULL;
    }
    const char *copy = arena_copy(arena, text.data != NULL ? text.data : "", text.length);
    buffer_free(&text);
    return copy;
}

static enum status duckdb_dialect_list(struct sql_database *database, struct buffer *sql,
                                       struct arena *arena, struct column_list *texts,
                                       struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    struct duckdb_table_of_cells found;
    enum status status =
        duckdb_read_all(self, self->control, sql, ERROR_TARGET_INVALID, arena, &found, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **copies = arena_allocate_zeroed(arena, (size_t)found.count + 1, sizeof *copies);
    for (uint32_t i = 0; i < found.count; i++) {
        copies[i] = shown_text(&found.cells[(size_t)i * found.width], arena);
    }
    *texts = (struct column_list){copies, found.count};
    return STATUS_OK;
}

static enum status duckdb_dialect_ask(struct sql_database *database, struct buffer *sql,
                                      struct arena *arena, const char **text, struct error *error)
{
    struct column_list texts = {0};
    enum status status = duckdb_dialect_list(database, sql, arena, &texts, error);
    *text = status == STATUS_OK && texts.count > 0 ? texts.names[0] : NULL;
    return status;
}

/* ---------------------------------------------------------------- the target */

static void append_names_query(struct buffer *sql, struct sql_database *self)
{
    duckdb_append(
        sql,
        "SELECT table_name FROM system.information_schema.tables WHERE table_catalog = " DUCKDB_HERE
        " AND table_schema = %q",
        self->schema);
}

static enum status duckdb_dialect_describe(struct sql_database *database, const char *name,
                                           struct arena *arena, struct sql_table *table,
                                           struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    struct duckdb_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    enum status status = duckdb_target_describe(self, self->control, name, arena, facts, error);
    if (status == STATUS_OK) {
        *table = duckdb_table_of(facts);
    }
    return status;
}

static enum status make_place(struct sql_database *database, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    return duckdb_store_make(self, self->control, error);
}

static enum status check_claim(struct sql_database *database, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    return duckdb_check_claim(self, self->control, error);
}

/* DuckDB has no triggers. */
static enum status silence(struct sql_database *database, bool off, struct error *error)
{
    (void)database;
    (void)off;
    (void)error;
    return STATUS_OK;
}

const struct sql_dialect duckdb_dialect = {
    .name = "duckdb",
    .container = "schema",
    .compare_names = strcasecmp,
    .quoting = &duckdb_quoting,
    .catalog = catalog,
    .find = duckdb_dialect_find,
    .look_at_stream = duckdb_look_at_stream,
    .count = duckdb_count_source,
    .digest_type = digest_type,
    .append_exception = append_exception,
    .begin = duckdb_dialect_begin,
    .end = duckdb_dialect_end,
    .run = duckdb_dialect_run,
    .ask = duckdb_dialect_ask,
    .list = duckdb_dialect_list,
    .append_names_query = append_names_query,
    .describe = duckdb_dialect_describe,
    .make_place = make_place,
    .check_claim = check_claim,
    .silence = silence,
    .delete_all = duckdb_delete_all,
    .read_records = duckdb_read_records,
    .is_made = duckdb_is_made,
    .forget_made = duckdb_forget_made,
    .remove = duckdb_remove,
};
