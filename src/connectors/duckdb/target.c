/* DuckDB as a target: looking at tables, counting, checks, and the descriptor. */
#include "connectors/duckdb/target.h"
#include "connectors/sql/check.h"
#include "connectors/sql/rollback.h"
#include <string.h>
#include <strings.h>

static enum status inspect_one(struct duckdb_database *self, const char *name, bool *table_exists,
                               bool *record_exists, struct error *error)
{
    struct duckdb_table facts;
    int64_t found = 0;
    struct arena *arena = arena_create(0);
    enum status status = duckdb_target_describe(self, self->control, name, arena, &facts, error);
    *table_exists = status == STATUS_OK;
    *record_exists = false;
    if (*table_exists) {
        struct buffer sql = {0};
        duckdb_append(&sql, "SELECT EXISTS (SELECT 1 FROM %t)", &self->sql, name);
        status = duckdb_ask_number(self, self->control, &sql, ERROR_TARGET_INVALID, &found, error);
        *record_exists = found != 0;
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status target_inspect(struct database *database, const struct target_table *tables,
                                  uint32_t table_count, bool *table_exists, bool *record_exists,
                                  struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = inspect_one(self, tables[i].name, &table_exists[i], &record_exists[i], error);
    }
    return status;
}

static enum status target_count(struct database *database, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    int64_t number = 0;
    struct buffer sql = {0};
    duckdb_append(&sql, "SELECT count(*) FROM %t", &self->sql, table->name);
    enum status status =
        duckdb_ask_number(self, self->control, &sql, ERROR_TARGET_INVALID, &number, error);
    *count = (uint64_t)number;
    return status;
}

static enum status target_normal_form(struct database *database, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return sql_normal_form(&duckdb_rules, cell, arena, normal, error);
}

static enum status target_hash_normal(struct database *database, const uint64_t *seeds,
                                      const struct cell *cells, uint32_t count,
                                      struct field_hasher *hasher, uint32_t *hashed,
                                      struct error *error)
{
    (void)database;
    return sql_hash_normal(&duckdb_rules, seeds, cells, count, hasher, hashed, error);
}

/* ---------------------------------------------------------------- checks */

static void check_columns(const struct target_table *table, struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    char other[SQL_SHOWN_BYTES];
    if (table->column_count == 0) {
        buffer_append_string(out, "a table needs at least one column that records fill\n");
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        if (!text_is_utf8(name, strlen(name))) {
            buffer_format(out, "column %s: the name is not UTF-8\n", sql_show_name(name, shown));
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcasecmp(table->columns[j].name, name) == 0) {
                buffer_format(out, "the columns %s and %s are one to DuckDB: rename one\n",
                              sql_show_name(table->columns[j].name, other),
                              sql_show_name(name, shown));
            }
        }
    }
    sql_check_key_columns(table, strcasecmp, out);
}

/* Columns that are there, of types that no record can be put into. */
static void check_forms(const struct check_request *request, const struct duckdb_table *facts,
                        struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        const struct schema_column *column = &facts->schema->columns[i];
        bool filled = false;
        for (uint32_t s = 0; s < request->shape_count; s++) {
            filled = filled || sql_shape_has(request->shapes[s], column->name, strcasecmp);
        }
        if (filled && !duckdb_takes_values(&facts->forms[i])) {
            buffer_format(out,
                          "the column %s in the target is %s, a type that is not written: leave it "
                          "out in the plan (%s: { drop: true })\n",
                          sql_show_name(column->name, shown), column->type.native, shown);
        }
    }
}

static enum status target_check_table(struct database *database,
                                      const struct check_request *request, struct buffer *out,
                                      struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    const struct target_table *table = request->table;
    struct duckdb_table facts;
    struct arena *arena = arena_create(0);
    if (strncasecmp(table->name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the ledger's\n");
    }
    if (!text_is_utf8(table->name, strlen(table->name)) || table->name[0] == '\0') {
        buffer_append_string(out, "the table's name is empty, or not UTF-8\n");
    }
    check_columns(table, out);
    enum status status =
        duckdb_target_describe(self, self->control, table->name, arena, &facts, error);
    bool found = status == STATUS_OK;
    if (found && facts.schema->kind != SCHEMA_TABLE) {
        buffer_append_string(out, "the target has a view of this name, which is not written to\n");
    } else if (status != STATUS_FAILED) {
        for (uint32_t i = 0; found && i < request->shape_count; i++) {
            sql_check_shape(request, i, facts.schema, strcasecmp, out);
        }
        if (found) {
            check_forms(request, &facts, out);
        }
        sql_check_key(table, found ? facts.schema : NULL, strcasecmp, "primary key or unique index",
                      out);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- taking a run back */

/* Images of what is overwritten are the engine's, and put back record by record. */
static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct duckdb_table facts;
    struct arena *arena = arena_create(0);
    enum status status =
        duckdb_target_describe(self, self->control, table->name, arena, &facts, error);
    bool there = status == STATUS_OK;
    if (there && !sql_has_key(facts.schema, table->key, strcasecmp)) {
        buffer_append_string(why, "its key is not unique in the target");
    }
    for (uint32_t i = 0; there && why->length == 0 && i < facts.schema->column_count; i++) {
        if (facts.schema->columns[i].generated == GENERATED_NO &&
            !duckdb_takes_values(&facts.forms[i])) {
            buffer_append_string(why, "it has a column of a type that is not written");
        }
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : why->length > 0 ? STATUS_END : STATUS_OK;
}

const struct rollback_functions duckdb_rollback_functions = {
    .can_undo = can_undo,
    .was_made = sql_was_made,
    .remove_table = sql_remove_table,
};

const struct target_functions duckdb_target_functions = {
    .claimed = sql_claimed,
    .released = sql_released,
    .forget_run = duckdb_forget_run,
    .tidy = duckdb_tidy,
    .empty = sql_empty,
    .names = sql_names,
    .inspect = target_inspect,
    .check_table = target_check_table,
    .prepare = duckdb_prepare,
    .writer_open = duckdb_writer_open,
    .writer_close = duckdb_writer_close,
    .chunk_begin = duckdb_writer_chunk_begin,
    .submit = duckdb_writer_submit,
    .poll = duckdb_writer_poll,
    .commit = duckdb_writer_commit,
    .chunk_abandon = duckdb_writer_chunk_abandon,
    .after_load = duckdb_after_load,
    .fetch = duckdb_fetch,
    .restore = duckdb_restore,
    .delete_records = sql_delete_records,
    .count = target_count,
    .normal_form = target_normal_form,
    .hash_normal = target_hash_normal,
};

const struct sql_target_functions duckdb_sql_target_functions = {
    .rules = {.names_shared = true},
    .unfit_references = duckdb_tell_unfit_references,
    .chunk_run = duckdb_writer_run,
    .highest_key = sql_highest_key,
};

const struct column_functions duckdb_column_functions = {
    .type = duckdb_column_type,
    .add = duckdb_add_columns,
    .alter = duckdb_alter_columns,
};

const struct forecast_functions duckdb_forecast_functions = {
    .differences = duckdb_tell_changed,
    .script = duckdb_script,
};
