/*
 * Records that something in the target may be in the way of: they go into a temporary table first,
 * numbered; those that can't go on are taken out of it by statements that tell their numbers, and
 * the rest goes into the table by one. So no statement fails, which would take the chunk along.
 */
#include "connectors/duckdb/writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STAGE_NUMBER "_transhume_n"

static const struct sql_taken taken_partnerless = {.kind = OUTCOME_REJECTED,
                                                   .code = ERROR_REJECT_CONSTRAINT,
                                                   .reason = "a foreign key of the table finds no "
                                                             "partner for it"};
static const struct sql_taken taken_check = {.kind = OUTCOME_REJECTED,
                                             .code = ERROR_REJECT_CONSTRAINT,
                                             .reason = "a CHECK of the table refuses it"};

/* ---------------------------------------------------------------- pieces of SQL */

static const char *column_name(const struct duckdb_plan *plan, uint32_t column)
{
    return plan->facts.schema->columns[plan->columns[column]].name;
}

static void append_columns(struct buffer *sql, const struct duckdb_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        duckdb_append(sql, "%s%n", i > 0 ? ", " : "", column_name(plan, i));
    }
}

static bool is_filled(const struct duckdb_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (strcasecmp(column_name(plan, i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Are all of the columns filled? Else what is in them is the table's own affair. */
static bool are_filled(const struct duckdb_plan *plan, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (!is_filled(plan, columns.names[i])) {
            return false;
        }
    }
    return columns.count > 0;
}

/* "left.a = right.a AND …" */
static void append_equal(struct buffer *sql, const char *left, struct column_list left_columns,
                         const char *right, struct column_list right_columns)
{
    for (uint32_t i = 0; i < left_columns.count; i++) {
        duckdb_append(sql, "%s%s.%n = %s.%n", i > 0 ? " AND " : "", left, left_columns.names[i],
                      right, right_columns.names[i]);
    }
}

/* ---------------------------------------------------------------- taking records out */

static enum status stage_note(struct writer *writer, uint64_t number, struct sql_taken one,
                              struct error *error)
{
    const struct duckdb_staged *staged = (const struct duckdb_staged *)(void *)writer->staged.data;
    size_t count = writer->staged.length / sizeof *staged;
    while (count > 0 && staged[count - 1].first > number) {
        count--;
    }
    if (count == 0 ||
        number - staged[count - 1].first >= staged[count - 1].held->batch->row_count) {
        return error_set(error, ERROR_INTERNAL, writer->base.shown,
                         "a row of the staging table that was not sent");
    }
    return sql_held_refuse(staged[count - 1].held, (uint32_t)(number - staged[count - 1].first),
                           one.kind, one.code, one.reason, error);
}

/* Deletes those of the stage `s` that meet the condition, which is freed. */
static enum status take_out(struct writer *writer, struct duckdb_plan *plan,
                            struct buffer *condition, struct sql_taken one, struct error *error)
{
    struct duckdb_table_of_cells found;
    struct arena *arena = arena_create(0);
    enum status status = duckdb_read_all(
        writer->database, writer->connection,
        duckdb_sql("DELETE FROM %n AS s WHERE %b RETURNING " STAGE_NUMBER, plan->stage, condition),
        ERROR_TARGET_WRITE, arena, &found, error);
    for (uint32_t i = 0; status == STATUS_OK && i < found.count; i++) {
        status = stage_note(writer, (uint64_t)found.cells[i].i64, one, error);
    }
    arena_destroy(arena);
    buffer_free(condition);
    return status;
}

static enum status take_partnerless(struct writer *writer, struct duckdb_plan *plan,
                                    struct error *error)
{
    const struct schema_table *schema = plan->facts.schema;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < schema->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &schema->foreign_keys[i];
        struct buffer sql = {0};
        if (!are_filled(plan, key->columns) || strcasecmp(key->references, schema->name) == 0) {
            continue;
        }
        for (uint32_t j = 0; j < key->columns.count; j++) {
            duckdb_append(&sql, "s.%n IS NOT NULL AND ", key->columns.names[j]);
        }
        duckdb_append(&sql, "NOT EXISTS (SELECT 1 FROM %t AS p WHERE ", &writer->database->sql,
                      key->references);
        append_equal(&sql, "p", key->referenced_columns, "s", key->columns);
        buffer_append_byte(&sql, ')');
        status = take_out(writer, plan, &sql, taken_partnerless, error);
    }
    return status;
}

static enum status take_checked(struct writer *writer, struct duckdb_plan *plan,
                                struct error *error)
{
    const struct schema_table *schema = plan->facts.schema;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < schema->check_count; i++) {
        if (!are_filled(plan, plan->facts.check_columns[i])) {
            continue; /* what the table itself puts there is its own affair */
        }
        status =
            take_out(writer, plan, duckdb_sql("(%s) IS NOT DISTINCT FROM false", schema->checks[i]),
                     taken_check, error);
    }
    return status;
}

/* The first of several rows that are equal in the columns stays. `whole`: in all that they fill. */
static enum status take_repeated(struct writer *writer, struct duckdb_plan *plan,
                                 struct column_list columns, bool whole, struct sql_taken one,
                                 struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "s." STAGE_NUMBER " IN (SELECT " STAGE_NUMBER
                               " FROM (SELECT " STAGE_NUMBER ", row_number() OVER (PARTITION BY ");
    if (whole) {
        append_columns(&sql, plan);
    } else {
        sql_append_names(&sql, &duckdb_quoting, NULL, columns);
    }
    duckdb_append(&sql, " ORDER BY " STAGE_NUMBER ") AS r FROM %n WHERE ", plan->stage);
    for (uint32_t i = 0; i < columns.count; i++) {
        duckdb_append(&sql, "%s%n IS NOT NULL", i > 0 ? " AND " : "", columns.names[i]);
    }
    buffer_append_string(&sql, ") WHERE r > 1)");
    return take_out(writer, plan, &sql, one, error);
}

/* Takes out the rows whose columns are those of a record of the table. `key`: unless that has their
 * key; `whole`: and if it is equal in all that they fill. */
static enum status take_present(struct writer *writer, struct duckdb_plan *plan,
                                struct column_list columns, const struct column_list *key,
                                bool whole, struct sql_taken one, struct error *error)
{
    struct buffer sql = {0};
    duckdb_append(&sql, "EXISTS (SELECT 1 FROM %t AS t WHERE ", &writer->database->sql,
                  plan->facts.schema->name);
    append_equal(&sql, "t", columns, "s", columns);
    for (uint32_t i = 0; whole && i < plan->count; i++) {
        duckdb_append(&sql, " AND t.%n IS NOT DISTINCT FROM s.%n", column_name(plan, i),
                      column_name(plan, i));
    }
    if (key != NULL) {
        buffer_append_string(&sql, " AND NOT (");
        append_equal(&sql, "t", *key, "s", *key);
        buffer_append_byte(&sql, ')');
    }
    buffer_append_byte(&sql, ')');
    return take_out(writer, plan, &sql, one, error);
}

/* Takes out the rows whose key the run has written already. */
static enum status take_tracked(struct writer *writer, struct duckdb_plan *plan,
                                struct error *error)
{
    struct buffer sql = {0};
    if (plan->keys[0] == '\0') {
        return STATUS_OK;
    }
    duckdb_append(&sql, "EXISTS (SELECT 1 FROM %t AS k WHERE ", &writer->database->sql, plan->keys);
    append_equal(&sql, "k", plan->table->key, "s", plan->table->key);
    buffer_append_byte(&sql, ')');
    return take_out(writer, plan, &sql, sql_taken_of_run, error);
}

/* ---------------------------------------------------------------- unique columns */

static bool is_same(struct column_list left, struct column_list right)
{
    bool same = left.count == right.count;
    for (uint32_t i = 0; same && i < left.count; i++) {
        same = strcasecmp(left.names[i], right.names[i]) == 0;
    }
    return same;
}

static bool has_expression(struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (columns.names[i][0] == '\0') {
            return true;
        }
    }
    return false;
}

/* The policy decides which rows with equal columns of a unique index are taken out. */
static enum status take_of_index(struct writer *writer, struct duckdb_plan *plan,
                                 struct column_list columns, struct error *error)
{
    const struct target_table *table = plan->table;
    enum existing_policy policy = target_table_policy(table);
    bool is_key = is_same(columns, table->key);
    bool overwrites = policy == EXISTING_UPSERT || policy == EXISTING_REPLACE;
    struct sql_taken present = is_key && policy == EXISTING_SKIP ? sql_taken_present
                               : table->created                  ? sql_taken_of_run
                                                                 : sql_taken_refused;
    enum status status = STATUS_OK;
    if (table->distinct && is_key) {
        status = take_repeated(writer, plan, columns, true, sql_taken_equal, error);
        status = status == STATUS_OK
                     ? take_present(writer, plan, columns, NULL, true, sql_taken_equal, error)
                     : status;
    }
    if (status == STATUS_OK && !(is_key && table->may_repeat)) {
        status = take_repeated(writer, plan, columns, false, sql_taken_of_run, error);
    }
    if (status != STATUS_OK || (overwrites && is_key)) {
        return status;
    }
    return take_present(writer, plan, columns, overwrites ? &table->key : NULL, false, present,
                        error);
}

static enum status take_duplicates(struct writer *writer, struct duckdb_plan *plan,
                                   struct error *error)
{
    const struct schema_table *schema = plan->facts.schema;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < schema->index_count; i++) {
        const struct schema_index *index = &schema->indexes[i];
        if (index->unique && !has_expression(index->columns) && are_filled(plan, index->columns)) {
            status = take_of_index(writer, plan, index->columns, error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- writing the rest */

static void append_update(struct buffer *sql, const struct duckdb_plan *plan)
{
    const struct schema_table *schema = plan->facts.schema;
    bool any = false;
    duckdb_append(sql, " ON CONFLICT (%l) DO ", plan->table->key);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        const char *name = schema->columns[i].name;
        bool filled = is_filled(plan, name);
        bool clears = !filled && target_table_clears(plan->table, name, strcasecmp);
        bool in_key = false;
        for (uint32_t k = 0; k < plan->table->key.count; k++) {
            in_key = in_key || strcasecmp(plan->table->key.names[k], name) == 0;
        }
        if (in_key || !(filled || clears)) {
            continue;
        }
        duckdb_append(sql, clears ? "%s%n = NULL" : "%s%n = excluded.%n",
                      any ? ", " : "UPDATE SET ", name, name);
        any = true;
    }
    buffer_append_string(sql, any ? "" : "NOTHING");
}

static enum status stage_run(struct writer *writer, struct buffer *sql, struct error *error)
{
    return duckdb_run_buffer(writer->database, writer->connection, sql, ERROR_TARGET_WRITE, NULL,
                             error);
}

static enum status delete_present(struct writer *writer, struct duckdb_plan *plan,
                                  struct error *error)
{
    struct buffer sql = {0};
    duckdb_append(&sql, "DELETE FROM %t AS t USING %n AS s WHERE ", &writer->database->sql,
                  plan->facts.schema->name, plan->stage);
    append_equal(&sql, "t", plan->table->key, "s", plan->table->key);
    return stage_run(writer, &sql, error);
}

static enum status keep_keys(struct writer *writer, struct duckdb_plan *plan, struct error *error)
{
    if (plan->keys[0] == '\0') {
        return STATUS_OK;
    }
    return stage_run(writer,
                     duckdb_sql("INSERT INTO %t SELECT %l FROM %n", &writer->database->sql,
                                plan->keys, plan->table->key, plan->stage),
                     error);
}

static enum status stage_insert(struct writer *writer, struct duckdb_plan *plan,
                                struct error *error)
{
    enum existing_policy policy = target_table_policy(plan->table);
    bool keyed = plan->table->key.count > 0;
    struct buffer sql = {0};
    if (policy == EXISTING_REPLACE && keyed && delete_present(writer, plan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    duckdb_append(&sql, "INSERT INTO %t (", &writer->database->sql, plan->facts.schema->name);
    append_columns(&sql, plan);
    buffer_append_string(&sql, ") SELECT ");
    append_columns(&sql, plan);
    duckdb_append(&sql, " FROM %n ORDER BY " STAGE_NUMBER, plan->stage);
    if (policy == EXISTING_UPSERT && keyed) {
        append_update(&sql, plan);
    }
    return stage_run(writer, &sql, error);
}

/* ---------------------------------------------------------------- the stage */

static enum status make_keys(struct writer *writer, struct duckdb_plan *plan, struct error *error)
{
    if (plan->keys[0] == '\0') {
        return STATUS_OK;
    }
    return stage_run(writer,
                     duckdb_sql("CREATE TABLE IF NOT EXISTS %t AS SELECT %l FROM %t LIMIT 0",
                                &writer->database->sql, plan->keys, plan->table->key,
                                &writer->database->sql, plan->facts.schema->name),
                     error);
}

enum status duckdb_stage_make(struct writer *writer, struct duckdb_plan *plan, struct error *error)
{
    struct buffer sql = {0};
    if (plan->stage[0] != '\0') {
        return make_keys(writer, plan, error);
    }
    snprintf(plan->stage, sizeof plan->stage, "_transhume_stage_%" PRIu32, ++writer->stages);
    duckdb_append(
        &sql, "CREATE OR REPLACE TEMP TABLE %n AS SELECT CAST(0 AS BIGINT) AS " STAGE_NUMBER ", ",
        plan->stage);
    append_columns(&sql, plan);
    duckdb_append(&sql, " FROM %t LIMIT 0", &writer->database->sql, plan->facts.schema->name);
    if (stage_run(writer, &sql, error) != STATUS_OK) {
        plan->stage[0] = '\0';
        return STATUS_FAILED;
    }
    return make_keys(writer, plan, error);
}

static enum status stage_move(struct writer *writer, struct duckdb_plan *plan, struct error *error)
{
    if (duckdb_plan_end(writer, plan, true, error) != STATUS_OK ||
        take_tracked(writer, plan, error) != STATUS_OK ||
        take_partnerless(writer, plan, error) != STATUS_OK ||
        take_checked(writer, plan, error) != STATUS_OK ||
        take_duplicates(writer, plan, error) != STATUS_OK ||
        stage_insert(writer, plan, error) != STATUS_OK ||
        keep_keys(writer, plan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return stage_run(writer, duckdb_sql("DELETE FROM %n", plan->stage), error);
}

enum status duckdb_stage_empty(struct writer *writer, struct error *error)
{
    struct duckdb_plan *plan = writer->staging;
    if (plan == NULL) {
        return STATUS_OK;
    }
    if (stage_move(writer, plan, error) != STATUS_OK) {
        return error_context(error, "%s: ", plan->table->name);
    }
    sql_held_move(&writer->waiting, &writer->base.done);
    buffer_clear(&writer->staged);
    writer->staged_rows = 0;
    writer->staging = NULL;
    return STATUS_OK;
}
