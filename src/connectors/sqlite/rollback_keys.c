/* Taking a run's records back key by key, by its undo records (undo.c). */
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/sqlite/ledger_internal.h"
#include <stdio.h>
#include <string.h>

struct undoing {
    struct sqlite_database *self;
    const char *undo_name;
    struct sqlite_target_table undo;
    struct sqlite_target_table facts;
    struct buffer match; /* t.key = u."+key" AND … */
};

static enum status altered(const struct undoing *undoing, const char *column, struct error *error)
{
    char printable[128];
    text_printable(column, strlen(column), printable, sizeof printable);
    error_set(error, ERROR_ROLLBACK_REFUSED, undoing->facts.name,
              "its column %s is gone, so the run's records can't be told from others", printable);
    error_hint(error, "give the column back, or take the run's records out by hand");
    return STATUS_FAILED;
}

/* Only columns that were there when the run wrote are compared and restored. */
static enum status find_columns(struct undoing *undoing, struct arena *arena, struct error *error)
{
    struct sqlite_target_table *facts = &undoing->facts;
    struct sqlite_target_column *columns =
        arena_allocate_zeroed(arena, undoing->undo.column_count + 1u, sizeof *columns);
    uint32_t count = 0;

    if (columns == NULL) {
        return error_set(error, ERROR_MEMORY, facts->name, "no memory to roll it back");
    }
    for (uint32_t i = 0; i < undoing->undo.column_count; i++) {
        const char *name = undoing->undo.columns[i].name;
        const struct sqlite_target_column *column =
            name[0] == '=' || name[0] == '+' ? sqlite_target_find_column(facts, name + 1) : NULL;
        if (column == NULL && (name[0] == '=' || name[0] == '+')) {
            return altered(undoing, name + 1, error);
        }
        if (name[0] == '+') {
            buffer_append_string(&undoing->match, undoing->match.length > 0 ? " AND t." : "t.");
            sqlite_append_name(&undoing->match, column->name);
            buffer_append_string(&undoing->match, " = u.");
            sqlite_undo_append_column(&undoing->match, '+', column->name);
        } else if (name[0] == '=') {
            columns[count++] = *column;
        }
    }
    facts->columns = columns;
    facts->column_count = count;
    return STATUS_OK;
}

/* Runs a statement made of parts; `number` (may be NULL) gets its one result, else the changes. */
static enum status run_sql(struct undoing *undoing, struct buffer *sql, uint64_t *number,
                           bool counts, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct sqlite_database *self = undoing->self;
    enum status status = sqlite_target_prepare_buffer(self, self->control, sql, &statement, error);

    if (status == STATUS_OK) {
        int result = sqlite3_step(statement);
        if (result != SQLITE_DONE && result != SQLITE_ROW) {
            status = sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                                         "the run's records can't be taken back", error);
        } else {
            *number = counts ? (uint64_t)sqlite3_column_int64(statement, 0)
                             : (uint64_t)sqlite3_changes64(self->control);
        }
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    return status;
}

/* How many keys of the undo table: `found` 0, 1 (or more) or -1 (any); ours, changed, or gone. */
enum kind { KIND_OURS, KIND_CHANGED, KIND_MISSING };
static enum status count_keys(struct undoing *undoing, int found, enum kind kind, uint64_t *number,
                              struct error *error)
{
    struct buffer sql = {0};

    buffer_append_string(&sql, "SELECT count(*) FROM main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_append_string(&sql, " AS u LEFT JOIN main.");
    sqlite_append_name(&sql, undoing->facts.name);
    buffer_append_string(&sql, " AS t ON ");
    buffer_append_buffer(&sql, &undoing->match);
    buffer_append_string(&sql, " WHERE u.hash IS NOT NULL");
    if (found >= 0) {
        buffer_append_string(&sql, found > 0 ? " AND u.found > 0" : " AND u.found = 0");
    }
    const struct sqlite_target_column *key =
        sqlite_target_find_column(&undoing->facts, undoing->undo.columns[0].name + 1);
    buffer_append_string(&sql, kind == KIND_MISSING ? " AND t." : " AND NOT t.");
    sqlite_append_name(&sql, key->name);
    buffer_append_string(&sql, " IS NULL");
    if (kind != KIND_MISSING) {
        buffer_append_string(&sql, kind == KIND_OURS ? " AND u.hash = " : " AND u.hash != ");
        sqlite_undo_append_hash(&undoing->facts, "t", &sql);
    }
    return run_sql(undoing, &sql, number, true, error);
}

static void append_ours(struct undoing *undoing, int found, struct buffer *sql)
{
    buffer_append_buffer(sql, &undoing->match);
    buffer_append_string(sql, found > 0 ? " AND u.found > 0" : " AND u.found = 0");
    buffer_append_string(sql, " AND u.hash = ");
    sqlite_undo_append_hash(&undoing->facts, "t", sql);
}

static enum status remove_ours(struct undoing *undoing, uint64_t *number, struct error *error)
{
    struct buffer sql = {0};

    buffer_append_string(&sql, "DELETE FROM main.");
    sqlite_append_name(&sql, undoing->facts.name);
    buffer_append_string(&sql, " AS t WHERE EXISTS (SELECT 1 FROM main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_append_string(&sql, " AS u WHERE ");
    append_ours(undoing, 0, &sql);
    buffer_append_string(&sql, ")");
    return run_sql(undoing, &sql, number, false, error);
}

/* A record that would break a constraint by now stays as the run wrote it. */
static enum status restore_ours(struct undoing *undoing, uint64_t *number, struct error *error)
{
    struct buffer sql = {0};

    buffer_append_string(&sql, "UPDATE OR IGNORE main.");
    sqlite_append_name(&sql, undoing->facts.name);
    buffer_append_string(&sql, " AS t SET ");
    for (uint32_t i = 0; i < undoing->facts.column_count; i++) {
        buffer_append_string(&sql, i == 0 ? "" : ", ");
        sqlite_append_name(&sql, undoing->facts.columns[i].name);
        buffer_append_string(&sql, " = u.");
        sqlite_undo_append_column(&sql, '=', undoing->facts.columns[i].name);
    }
    buffer_append_string(&sql, " FROM main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_append_string(&sql, " AS u WHERE ");
    append_ours(undoing, 1, &sql);
    return run_sql(undoing, &sql, number, false, error);
}

/* " WHERE" they are records that the run took out and did not write again. */
static const char deleted[] = " AS u WHERE u.found = 2 AND u.hash IS NULL";

/* What undo_deleted is to put back stays. */
static enum status drop_undo(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};
    uint64_t left = 0;

    buffer_append_string(&sql, "SELECT count(*) FROM main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_append_string(&sql, deleted);
    if (run_sql(undoing, &sql, &left, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, left > 0 ? "DELETE FROM main." : "DROP TABLE main.");
    sqlite_append_name(&sql, undoing->undo_name);
    buffer_append_string(&sql, left > 0 ? " WHERE found < 2 OR hash IS NOT NULL" : "");
    enum status status = sqlite_target_execute(undoing->self, undoing->self->control,
                                               buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

static enum status undo_all(struct undoing *undoing, bool dry_run, struct undo_counts *counts,
                            struct error *error)
{
    uint64_t removed = 0;
    uint64_t restored = 0;

    if (count_keys(undoing, -1, KIND_CHANGED, &counts->changed, error) != STATUS_OK ||
        count_keys(undoing, -1, KIND_MISSING, &counts->missing, error) != STATUS_OK ||
        count_keys(undoing, 0, KIND_OURS, &counts->removed, error) != STATUS_OK ||
        count_keys(undoing, 1, KIND_OURS, &counts->restored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    if (remove_ours(undoing, &removed, error) != STATUS_OK ||
        restore_ours(undoing, &restored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->changed += counts->restored - restored;
    counts->restored = restored;
    counts->removed = removed;
    return drop_undo(undoing, error);
}

/* ---------------------------------------------------------------- what was taken out */

/* With `there`: those under whose keys something stands by now. */
static void append_deleted(struct undoing *undoing, bool there, struct buffer *sql)
{
    buffer_append_string(sql, " FROM main.");
    sqlite_append_name(sql, undoing->undo_name);
    buffer_append_string(sql, deleted);
    buffer_append_string(sql, there ? " AND EXISTS" : " AND NOT EXISTS");
    buffer_append_string(sql, " (SELECT 1 FROM main.");
    sqlite_append_name(sql, undoing->facts.name);
    buffer_append_string(sql, " AS t WHERE ");
    buffer_append_buffer(sql, &undoing->match);
    buffer_append_string(sql, ")");
}

static enum status count_deleted(struct undoing *undoing, bool there, uint64_t *number,
                                 struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT count(*)");
    append_deleted(undoing, there, &sql);
    return run_sql(undoing, &sql, number, true, error);
}

/* A record that would break a constraint by now stays away. */
static enum status put_back(struct undoing *undoing, uint64_t *number, struct error *error)
{
    const struct sqlite_target_table *facts = &undoing->facts;
    struct buffer sql = {0};

    buffer_append_string(&sql, "INSERT OR IGNORE INTO main.");
    sqlite_append_name(&sql, facts->name);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        buffer_append_string(&sql, i == 0 ? " (" : ", ");
        sqlite_append_name(&sql, facts->columns[i].name);
    }
    buffer_append_string(&sql, ") SELECT ");
    for (uint32_t i = 0; i < facts->column_count; i++) {
        buffer_append_string(&sql, i == 0 ? "u." : ", u.");
        sqlite_undo_append_column(&sql, '=', facts->columns[i].name);
    }
    append_deleted(undoing, false, &sql);
    return run_sql(undoing, &sql, number, false, error);
}

static enum status undo_all_deleted(struct undoing *undoing, bool dry_run,
                                    struct undo_counts *counts, struct error *error)
{
    struct buffer sql = {0};
    uint64_t restored = 0;

    if (count_deleted(undoing, false, &counts->restored, error) != STATUS_OK ||
        count_deleted(undoing, true, &counts->changed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    if (put_back(undoing, &restored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    counts->changed += counts->restored - restored;
    counts->restored = restored;
    buffer_append_string(&sql, "DROP TABLE main.");
    sqlite_append_name(&sql, undoing->undo_name);
    enum status status = sqlite_target_execute(undoing->self, undoing->self->control,
                                               buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- a table */

typedef enum status undo_act(struct undoing *undoing, bool dry_run, struct undo_counts *counts,
                             struct error *error);

static enum status undo_within(struct sqlite_database *self, const struct target_table *table,
                               undo_act *act, bool dry_run, struct arena *arena,
                               struct undo_counts *counts, struct error *error)
{
    struct undoing undoing = {.self = self};
    enum status status = sqlite_ledger_check_claim(self, error);

    status = status == STATUS_OK ? sqlite_target_describe(self, self->control, table->name, arena,
                                                          &undoing.facts, error)
                                 : status;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* the table is gone */
    }
    undoing.undo_name = sqlite_undo_name(arena, self->target->run_id, undoing.facts.name);
    if (undoing.undo_name == NULL || sqlite_undo_register(self->control) != SQLITE_OK) {
        return error_set(error, ERROR_MEMORY, table->name, "no memory to roll it back");
    }
    status =
        sqlite_target_describe(self, self->control, undoing.undo_name, arena, &undoing.undo, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* nothing written, or undone */
    }
    status = find_columns(&undoing, arena, error);
    status = status == STATUS_OK ? act(&undoing, dry_run, counts, error) : status;
    buffer_free(&undoing.match);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.before_undo", error) : status;
}

static enum status undo(struct database *database, const struct target_table *table, undo_act *act,
                        bool dry_run, struct undo_counts *counts, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);

    *counts = (struct undo_counts){0};
    if (arena == NULL || sqlite_control_begin(self, !dry_run, error) != STATUS_OK) {
        arena_destroy(arena);
        return arena == NULL
                   ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                   : STATUS_FAILED;
    }
    enum status status = undo_within(self, table, act, dry_run, arena, counts, error);
    status = sqlite_control_end(self, status, error);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.after_undo", error) : status;
}

enum status sqlite_undo_keys(struct database *database, const struct target_table *table,
                             int64_t ended_us, bool dry_run, struct undo_counts *counts,
                             struct error *error)
{
    (void)ended_us;
    return undo(database, table, undo_all, dry_run, counts, error);
}

/* No trigger saw them go, none sees them come. */
enum status sqlite_undo_deleted(struct database *database, const struct target_table *table,
                                bool dry_run, struct undo_counts *counts, struct error *error)
{
    sqlite3 *control = sqlite_database_of(database)->control;
    sqlite_triggers_set(control, !table->triggers_off);
    enum status status = undo(database, table, undo_all_deleted, dry_run, counts, error);
    sqlite_triggers_set(control, true);
    return status;
}
