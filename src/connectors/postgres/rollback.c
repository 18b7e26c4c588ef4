/* Taking a run back, table by table. What is asked of undo tables stands
 * in target.h. */
#include "connectors/postgres/rollback.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/later.h"
#include "connectors/sql/rollback.h"
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
            return sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
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
            return sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
        }
        postgres_append(&undoing->match, "%s%n%s", i > 0 ? " AND t." : "t.", column->name,
                        postgres_labels(column));
        postgres_append_operator(&undoing->match, column, "=");
        postgres_append(&undoing->match, "u.%s%s", name, postgres_labels(column));
        undoing->key = column->name;
    }
    return undoing->key != NULL
               ? STATUS_OK
               : sql_refuse_altered(undoing->facts.schema->name, NULL, undoing->error);
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
    undoing->undo_name = sql_undo_name(arena, self->sql.run_id, table->name);
    status = postgres_target_describe(self, undoing->connection, undoing->undo_name, arena, &undo,
                                      undoing->error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* nothing written, or undone */
    }
    status = find_columns(undoing, &undo, arena);
    if (status == STATUS_OK && !deleted) {
        const struct sql_table facts = postgres_table_of(&undoing->facts);
        const struct sql_table kept = postgres_table_of(&undo);
        status = sql_find_added(&self->sql, &facts, &kept, "t", &undoing->foreign, undoing->error);
    }
    if (status == STATUS_OK) {
        status = deleted ? postgres_undo_deleted(undoing, dry_run, counts)
                         : postgres_undo_keys(undoing, table->takes_out, dry_run, counts);
    }
    return status == STATUS_OK && !dry_run ? failpoint_hit("postgres.before_undo", undoing->error)
                                           : status;
}

enum status postgres_undo_table(struct sql_database *database, const struct target_table *table,
                                bool deleted, bool dry_run, struct undo_counts *counts,
                                struct error *error)
{
    struct postgres_undoing undoing = {.self = postgres_database_of(&database->base),
                                       .error = error};
    struct arena *arena = arena_create(0);

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

const struct rollback_functions postgres_rollback_functions = {
    .can_undo = can_undo,
    .undo = sql_undo,
    .loosen = postgres_later_loosen,
    .undo_deleted = sql_undo_deleted,
    .sum_columns = sql_sum_columns,
    .find_foreign = sql_find_foreign,
    .was_made = sql_was_made,
    .remove_table = sql_remove_table,
    .remove_objects = postgres_remove_objects,
};
