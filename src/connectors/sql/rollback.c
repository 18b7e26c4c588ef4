/* Taking a run back, table by table, and what stands in columns that it does not fill. */
#include "connectors/sql/rollback.h"
#include "base/text.h"
#include "connectors/sql/undo_keys.h"
#include <string.h>

/* ---------------------------------------------------------------- what can't be taken back */

enum status sql_refuse_altered(const char *table, const char *column, struct error *error)
{
    char printable[128] = "one of its columns";
    if (column != NULL) {
        memcpy(printable, "its column ", sizeof "its column ");
        text_printable(column, strlen(column), printable + strlen("its column "),
                       sizeof printable - strlen("its column "));
    }
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "%s is gone, so the run's records can't be told from others", printable);
    error_hint(error, "give the column back, or take the run's records out by hand");
    return STATUS_FAILED;
}

enum status sql_refuse_retyped(const char *table, const char *column, struct error *error)
{
    char printable[128];
    text_printable(column, strlen(column), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "its column %s has another type since, so the run's records can't be told from "
              "those that others changed",
              printable);
    error_hint(error, "give the column its type back, or take the run's records out by hand");
    return STATUS_FAILED;
}

/* A column that was added since may hold the values of others, and nothing tells them from its own
 * default. */
static enum status refuse_untold(const char *table, const char *column, struct error *error)
{
    char printable[128];
    text_printable(column, strlen(column), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "its column %s was added since, and what others put there can't be told from what it "
              "gives by itself",
              printable);
    error_hint(error, "drop the column, or let it be NULL and have no default: records of the run "
                      "that hold something in it then stay");
    return STATUS_FAILED;
}

enum status sql_refuse_left(struct sql_database *self, const char *table, struct buffer *query,
                            struct error *error)
{
    const char *found = NULL;
    struct arena *arena = arena_create(0);
    enum status status = self->dialect->ask(self, query, arena, &found, error);
    if (status == STATUS_OK && found != NULL) {
        status = error_set(error, ERROR_ROLLBACK_REFUSED, table,
                           "its records are there after they were deleted: a trigger or a rule of "
                           "the table does something else instead");
        error_hint(error, "disable it while the run is rolled back, then say it again; nothing of "
                          "this table was changed");
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- columns */

enum sql_given sql_column_gives(const struct schema_column *column)
{
    if (column->identity) {
        return SQL_GIVES_ANY;
    }
    switch (column->default_kind) {
    case SCHEMA_DEFAULT_NONE: /* where NULL can't stand, MySQL puts '' or 0 */
        return column->not_null ? SQL_GIVES_ANY : SQL_GIVES_NULL;
    case SCHEMA_DEFAULT_VALUE:
        return SQL_GIVES_DEFAULT;
    default:
        return SQL_GIVES_ANY;
    }
}

/* Does a record of the table hold something in the column that the table did not put there? */
static enum status ask_held(struct sql_database *self, const struct sql_table *table,
                            uint32_t column, bool *found, struct error *error)
{
    const char *text = NULL;
    struct buffer sql = {0};
    struct arena *arena = arena_create(0);
    buffer_append_string(&sql, "SELECT 1 FROM ");
    self->dialect->quoting->append_table(&sql, self, table->schema->name);
    buffer_append_string(&sql, " AS t WHERE ");
    self->dialect->append_held(&sql, table, column, "t");
    buffer_append_string(&sql, " LIMIT 1");
    enum status status = self->dialect->ask(self, &sql, arena, &text, error);
    *found = text != NULL;
    arena_destroy(arena);
    return status;
}

static bool is_added(const struct sql_database *self, const struct sql_table *table,
                     const struct sql_table *undo, uint32_t column)
{
    return table->schema->columns[column].generated == GENERATED_NO &&
           !self->dialect->keeps(undo, table, column);
}

void sql_append_added(const struct sql_database *self, const struct sql_table *table,
                      const struct sql_table *undo, const char *alias, struct buffer *held)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (is_added(self, table, undo, i) &&
            sql_column_gives(&table->schema->columns[i]) != SQL_GIVES_ANY) {
            buffer_append_string(held, held->length > 0 ? " OR " : "");
            self->dialect->append_held(held, table, i, alias);
        }
    }
}

enum status sql_check_added(struct sql_database *self, const struct sql_table *table,
                            const struct sql_table *undo, struct error *error)
{
    const struct schema_table *schema = table->schema;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        bool found = false;
        if (!is_added(self, table, undo, i) ||
            sql_column_gives(&schema->columns[i]) != SQL_GIVES_ANY) {
            continue;
        }
        if (ask_held(self, table, i, &found, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (found) {
            return refuse_untold(schema->name, schema->columns[i].name, error);
        }
    }
    return STATUS_OK;
}

/* Begins a transaction that looks at the table; STATUS_FAILED: there is none to be ended. */
static enum status begin_looking(struct sql_database *self, const char *name, struct arena *arena,
                                 struct sql_table *table, struct error *error)
{
    if (self->dialect->begin(self, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = self->dialect->describe(self, name, arena, table, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_TARGET_SCHEMA, name, "the table is gone");
    }
    return status == STATUS_OK ? STATUS_OK : self->dialect->end(self, status, error);
}

enum status sql_sum_columns(struct database *database, const struct target_table *table,
                            struct column_list columns, struct arena *arena, const char **sum,
                            struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table facts;
    uint32_t count = 0;
    if (begin_looking(self, table->name, arena, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t *summed =
        arena_allocate_zeroed(arena, facts.schema->column_count + 1u, sizeof *summed);
    for (uint32_t i = 0; i < facts.schema->column_count; i++) {
        const char *name = facts.schema->columns[i].name;
        if (sql_is_listed(self, columns, name) || sql_is_listed(self, table->key, name)) {
            summed[count++] = i;
        }
    }
    return self->dialect->end(
        self, self->dialect->sum(self, &facts, summed, count, arena, sum, error), error);
}

enum status sql_find_foreign(struct database *database, const struct target_table *table,
                             struct column_list columns, bool trusts, struct arena *arena,
                             const char **column, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table facts;
    *column = NULL;
    if (begin_looking(self, table->name, arena, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && *column == NULL && i < facts.schema->column_count;
         i++) {
        const struct schema_column *schema = &facts.schema->columns[i];
        bool found = false;
        if (!sql_is_listed(self, columns, schema->name) ||
            (trusts && sql_column_gives(schema) == SQL_GIVES_ANY)) {
            continue;
        }
        status = ask_held(self, &facts, i, &found, error);
        *column = found ? schema->name : NULL;
    }
    return self->dialect->end(self, status, error);
}

/* ---------------------------------------------------------------- records and tables */

enum status sql_undo(struct database *database, const struct target_table *table, int64_t ended_us,
                     bool dry_run, struct undo_counts *counts, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    (void)ended_us;
    *counts = (struct undo_counts){0};
    return sql_undo_table(self, table, false, dry_run, counts, error);
}

enum status sql_undo_deleted(struct database *database, const struct target_table *table,
                             bool dry_run, struct undo_counts *counts, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    *counts = (struct undo_counts){0};
    return sql_undo_table(self, table, true, dry_run, counts, error);
}

enum status sql_was_made(struct database *database, const struct target_table *table, bool *made,
                         struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    if (self->dialect->begin(self, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->dialect->end(self, self->dialect->is_made(self, table->name, made, error), error);
}

static enum status remove_within(struct sql_database *self, const struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct sql_table facts;
    bool made = false;
    enum status status = self->dialect->check_claim(self, error);
    status = status == STATUS_OK ? self->dialect->is_made(self, table->name, &made, error) : status;
    if (status != STATUS_OK || table->created != made) {
        return status; /* dropped already: what has its name now is not the run's */
    }
    status = self->dialect->describe(self, table->name, arena, &facts, error);
    if (status == STATUS_OK) {
        status = self->dialect->remove(self, &facts, made, error);
    }
    if (status == STATUS_FAILED ||
        (made && self->dialect->forget_made(self, table->name, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return sql_failpoint(self, "before_remove_table", error);
}

enum status sql_remove_table(struct database *database, const struct target_table *table,
                             struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    if (self->dialect->begin(self, table->created ? SQL_ALTERS : SQL_WRITES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    enum status status = sql_end_between(self, NULL, "after_remove_table",
                                         remove_within(self, table, arena, error), error);
    arena_destroy(arena);
    return status;
}
