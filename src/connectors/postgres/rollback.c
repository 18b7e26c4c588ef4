/* Taking a run back, table by table. What is asked of undo tables stands
 * in target.h. */
#include "connectors/postgres/rollback.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/sql/unfilled.h"
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- what can be undone */

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_table facts;
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_target_describe(self, connection, table->name, arena, &facts, error);
        const char *reason =
            status == STATUS_OK
                ? sql_undo_why_not(facts.schema, table, POSTGRES_COLUMNS_MAX - 2, strcmp)
                : NULL;
        bool may_temp = true;
        if (status == STATUS_OK && reason == NULL) {
            status = postgres_may_temp(self, connection, &may_temp, error);
        }
        reason = may_temp ? reason : "the role may not make temporary tables";
        buffer_append_string(why, reason != NULL ? reason : "");
        /* one that is not there will be made with its key */
        status = status == STATUS_FAILED ? status : reason != NULL ? STATUS_END : STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- what is known */

static enum status altered(const struct postgres_undoing *undoing)
{
    error_set(undoing->error, ERROR_ROLLBACK_REFUSED, undoing->facts.schema->name,
              "one of its columns is gone, so the run's records can't be told from others");
    error_hint(undoing->error, "give the column back, or take the run's records out by hand");
    return STATUS_FAILED;
}

static const struct postgres_column *find_number(const struct postgres_table *facts, int64_t number)
{
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (facts->columns[i].number == number) {
            return &facts->columns[i];
        }
    }
    return NULL;
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct postgres_undoing *undoing, const struct postgres_table *undo,
                                struct arena *arena)
{
    uint32_t count = undo->schema->column_count;
    undoing->columns = arena_allocate_zeroed(arena, count + 1u, sizeof *undoing->columns);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = undo->columns[i].name;
        int64_t number = 0;
        if (name[0] != 'c' || text_to_int64(name + 1, strlen(name + 1), &number) != STATUS_OK) {
            continue; /* found, hash */
        }
        const struct postgres_column *column = find_number(&undoing->facts, number);
        if (column == NULL) {
            return altered(undoing);
        }
        if (column->type_oid != undo->columns[i].type_oid ||
            column->modifier != undo->columns[i].modifier) {
            undoing->retyped = column->name;
        }
        undoing->columns[undoing->column_count++] = *column;
    }
    for (uint32_t i = 0; i < undo->schema->primary_key.count; i++) {
        const char *name = undo->schema->primary_key.names[i];
        int64_t number = 0;
        bool numbered = text_to_int64(name + 1, strlen(name + 1), &number) == STATUS_OK;
        const struct postgres_column *column = find_number(&undoing->facts, number);
        if (!numbered || column == NULL) {
            return altered(undoing);
        }
        buffer_append_string(&undoing->match, i > 0 ? " AND t." : "t.");
        postgres_append_name(&undoing->match, column->name);
        buffer_format(&undoing->match, "%s = u.%s%s", postgres_labels(column), name,
                      postgres_labels(column));
        undoing->key = column->name;
    }
    return undoing->key != NULL ? STATUS_OK : altered(undoing);
}

/* A record that the run added is not its alone any more once others put something into a column
 * that they added. What it restores keeps that. */
static enum status find_added(struct postgres_undoing *undoing, const struct postgres_table *undo)
{
    const struct postgres_table *facts = &undoing->facts;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < facts->schema->column_count; i++) {
        char name[16];
        bool holds = false;
        snprintf(name, sizeof name, "c%d", facts->columns[i].number);
        if (facts->columns[i].generated || postgres_find_column(undo, name) >= 0) {
            continue;
        }
        if (sql_column_gives(&facts->schema->columns[i]) != SQL_GIVES_ANY) {
            postgres_rollback_append_foreign(&undoing->foreign, facts, i);
            continue;
        }
        status = postgres_rollback_holds_any(undoing->self, undoing->connection, facts, i, &holds,
                                             undoing->error);
        if (holds) {
            status = sql_refuse_untold(facts->schema->name, facts->columns[i].name, undoing->error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- a table */

static enum status undo_within(struct postgres_undoing *undoing, const struct target_table *table,
                               bool deleted, bool dry_run, struct arena *arena,
                               struct undo_counts *counts)
{
    struct postgres_database *self = undoing->self;
    struct postgres_table undo;
    enum status status =
        postgres_check_claim(self, undoing->connection, undoing->error) == STATUS_OK
            ? postgres_target_describe(self, undoing->connection, table->name, arena,
                                       &undoing->facts, undoing->error)
            : STATUS_FAILED;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* the table is gone */
    }
    undoing->undo_name = sql_undo_name(arena, self->run_id, table->name);
    status = postgres_target_describe(self, undoing->connection, undoing->undo_name, arena, &undo,
                                      undoing->error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* nothing written, or undone */
    }
    status = find_columns(undoing, &undo, arena);
    status = status == STATUS_OK && !deleted ? find_added(undoing, &undo) : status;
    if (status == STATUS_OK) {
        status = deleted ? postgres_undo_deleted(undoing, dry_run, counts)
                         : postgres_undo_keys(undoing, table->takes_out, dry_run, counts);
    }
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.before_undo", undoing->error)
                                           : status;
}

static enum status undo_table(struct database *database, const struct target_table *table,
                              bool deleted, bool dry_run, struct undo_counts *counts,
                              struct error *error)
{
    struct postgres_undoing undoing = {.self = postgres_database_of(database), .error = error};
    struct arena *arena = arena_create(0);

    *counts = (struct undo_counts){0};
    enum status status = postgres_begin(undoing.self, &undoing.connection, error);
    if (status == STATUS_OK) {
        status = postgres_end(undoing.self, undoing.connection,
                              undo_within(&undoing, table, deleted, dry_run, arena, counts), error);
    }
    buffer_free(&undoing.match);
    buffer_free(&undoing.foreign);
    buffer_free(&undoing.unreferenced);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.after_undo", error) : status;
}

static enum status undo(struct database *database, const struct target_table *table,
                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    (void)ended_us;
    return undo_table(database, table, false, dry_run, counts, error);
}

static enum status undo_deleted(struct database *database, const struct target_table *table,
                                bool dry_run, struct undo_counts *counts, struct error *error)
{
    return undo_table(database, table, true, dry_run, counts, error);
}

const struct rollback_functions postgres_rollback_functions = {
    .can_undo = can_undo,
    .undo = undo,
    .undo_deleted = undo_deleted,
    .sum_columns = postgres_sum_columns,
    .find_foreign = postgres_find_foreign,
    .was_made = postgres_was_made,
    .remove_table = postgres_remove_table,
    .remove_objects = postgres_remove_objects,
};
