/* Taking a run back: its tables, its records key by key, its views and triggers. */
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/sqlite/ledger_internal.h"
#include <stdio.h>
#include <string.h>

/* The columns that a table may have. */
enum { COLUMNS_MAX = 2000 };

/* ---------------------------------------------------------------- what can be undone */

static enum status key_is_unique(struct sqlite_database *self,
                                 const struct sqlite_target_table *facts,
                                 const struct target_table *table, bool *unique,
                                 struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;

    *unique = table->key.count == 1 && facts->column_count > 0 &&
              sqlite_target_find_column(facts, table->key.names[0]) != NULL &&
              sqlite_target_find_column(facts, table->key.names[0])->row_key;
    if (*unique) {
        return STATUS_OK;
    }
    /* an index over just these columns, without a WHERE and without expressions */
    buffer_append_string(
        &sql, "SELECT 1 FROM pragma_index_list(?1, 'main') AS i WHERE i.\"unique\" AND NOT "
              "i.partial AND (SELECT count(*) FROM pragma_index_info(i.name, 'main')) = ?2 AND "
              "NOT EXISTS (SELECT 1 FROM pragma_index_info(i.name, 'main') WHERE name IS NULL");
    for (uint32_t i = 0; i < table->key.count; i++) {
        buffer_format(&sql, "%s?%u COLLATE NOCASE", i == 0 ? " OR name NOT IN (" : ", ", i + 3);
    }
    buffer_append_string(&sql, "))");
    enum status status = sqlite_target_prepare_buffer(self, self->control, &sql, &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, facts->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, table->key.count);
        for (uint32_t i = 0; i < table->key.count; i++) {
            const struct sqlite_target_column *column =
                sqlite_target_find_column(facts, table->key.names[i]);
            sqlite3_bind_text(statement, (int)i + 3,
                              column != NULL ? column->name : table->key.names[i], -1,
                              SQLITE_STATIC);
        }
        *unique = sqlite3_step(statement) == SQLITE_ROW;
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

static enum status judge_table(struct sqlite_database *self, const struct target_table *table,
                               struct arena *arena, struct buffer *why, struct error *error)
{
    struct sqlite_target_table facts;
    bool unique = false;
    enum status status =
        sqlite_target_describe(self, self->control, table->name, arena, &facts, error);

    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED; /* it will be made with its key */
    }
    if (key_is_unique(self, &facts, table, &unique, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!unique) {
        buffer_append_string(why, "its key is not unique in the target");
        return STATUS_END;
    }
    if (facts.column_count + table->key.count + 2 > COLUMNS_MAX) {
        buffer_append_string(why, "it has too many columns to keep what is overwritten");
        return STATUS_END;
    }
    return STATUS_OK;
}

static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);

    if (arena == NULL || sqlite_control_begin(self, false, error) != STATUS_OK) {
        arena_destroy(arena);
        return arena == NULL
                   ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                   : STATUS_FAILED;
    }
    enum status status = judge_table(self, table, arena, why, error);
    bool no = status == STATUS_END;
    status = sqlite_control_end(self, no ? STATUS_OK : status, error);
    arena_destroy(arena);
    return status == STATUS_OK && no ? STATUS_END : status;
}

/* ---------------------------------------------------------------- key by key */

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

/* How many keys of the undo table: `found` 0, 1 or -1 (any); ours, changed, or gone. */
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
    buffer_append(&sql, undoing->match.data, undoing->match.length);
    buffer_append_string(&sql, " WHERE u.hash IS NOT NULL");
    if (found >= 0) {
        buffer_format(&sql, " AND u.found = %d", found);
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
    buffer_append(sql, undoing->match.data, undoing->match.length);
    buffer_format(sql, " AND u.found = %d AND u.hash = ", found);
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

static enum status drop_undo(struct undoing *undoing, struct error *error)
{
    struct buffer sql = {0};

    buffer_append_string(&sql, "DROP TABLE main.");
    sqlite_append_name(&sql, undoing->undo_name);
    enum status status = sqlite_target_execute(undoing->self, undoing->self->control,
                                               buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

static enum status undo_keys(struct undoing *undoing, bool dry_run, struct undo_counts *counts,
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

static enum status undo_within(struct sqlite_database *self, const struct target_table *table,
                               bool dry_run, struct arena *arena, struct undo_counts *counts,
                               struct error *error)
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
    status = status == STATUS_OK ? undo_keys(&undoing, dry_run, counts, error) : status;
    buffer_free(&undoing.match);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.before_undo", error) : status;
}

static enum status undo(struct database *database, const struct target_table *table,
                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);

    (void)ended_us;
    *counts = (struct undo_counts){0};
    if (arena == NULL || sqlite_control_begin(self, !dry_run, error) != STATUS_OK) {
        arena_destroy(arena);
        return arena == NULL
                   ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                   : STATUS_FAILED;
    }
    enum status status =
        sqlite_control_end(self, undo_within(self, table, dry_run, arena, counts, error), error);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.after_undo", error) : status;
}

/* ---------------------------------------------------------------- whole tables */

static enum status remove_within(struct sqlite_database *self, const struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct sqlite_target_table facts;
    struct buffer sql = {0};
    bool made = false;
    enum status status = sqlite_ledger_check_claim(self, error);

    if (status != STATUS_OK ||
        sqlite_ledger_was_made(self, table->name, &made, error) != STATUS_OK ||
        table->created != made) {
        return status; /* dropped already: what has its name now is not the run's */
    }
    status = sqlite_target_describe(self, self->control, table->name, arena, &facts, error);
    if (status == STATUS_OK) {
        buffer_append_string(&sql, made ? "DROP TABLE main." : "DELETE FROM main.");
        sqlite_append_name(&sql, facts.name);
        status = sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE,
                                       error);
        buffer_free(&sql);
    }
    if (status == STATUS_FAILED ||
        (made && sqlite_ledger_forget_made(self, table->name, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return failpoint_hit("sqlite.before_remove_table", error);
}

static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);

    if (arena == NULL || sqlite_control_begin(self, true, error) != STATUS_OK) {
        arena_destroy(arena);
        return arena == NULL
                   ? error_set(error, ERROR_MEMORY, table->name, "no memory to look at it")
                   : STATUS_FAILED;
    }
    enum status status = sqlite_control_end(self, remove_within(self, table, arena, error), error);
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_remove_table", error) : status;
}

/* ---------------------------------------------------------------- views, triggers … */

static enum status drop_object(struct sqlite_database *self, const char *type, const char *name,
                               struct error *error)
{
    struct buffer sql = {0};

    if (strcmp(type, "virtual table") == 0) {
        return sqlite_target_remove_virtual_table(self, name, error);
    }
    buffer_append_string(&sql, strcmp(type, "view") == 0      ? "DROP VIEW main."
                               : strcmp(type, "trigger") == 0 ? "DROP TRIGGER main."
                                                              : "DROP INDEX main.");
    sqlite_append_name(&sql, name);
    enum status status =
        sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

/* One that has other words by now is somebody else's. */
static enum status remove_object(struct sqlite_database *self, const char *type, const char *name,
                                 const char *sql, bool dry_run, struct arena *arena,
                                 struct buffer *what, struct error *error)
{
    const char *now = NULL;
    const char *found_as = strcmp(type, "virtual table") == 0 ? "table" : type;
    enum status status = sqlite_schema_find(self, found_as, name, arena, &now, error);

    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    char printable[128];
    bool same = now != NULL && strcmp(now, sql) == 0;
    text_printable(name, strlen(name), printable, sizeof printable);
    buffer_format(what, "%s %s%s\n", type, printable,
                  same ? "" : ": changed since the run made it, so it stays");
    return same && !dry_run ? drop_object(self, type, name, error) : STATUS_OK;
}

static enum status remove_all_objects(struct sqlite_database *self, bool dry_run,
                                      struct arena *arena, struct buffer *what, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int64_t there = 0;
    enum status status = sqlite_ledger_check_claim(self, error);

    if (status != STATUS_OK ||
        sqlite_ledger_ask(
            self, "SELECT count(*) FROM main.sqlite_schema WHERE name = '_transhume_object'", NULL,
            NULL, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (there == 0) {
        return STATUS_OK;
    }
    /* triggers before the views that they may stand on; read whole, since dropping changes it */
    status = sqlite_ledger_prepare(self,
                                   "SELECT type, name, sql FROM main._transhume_object WHERE run = "
                                   "?1 ORDER BY type = 'trigger' DESC, type, name",
                                   &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, self->target->run_id, -1, SQLITE_STATIC);
    }
    struct entry {
        struct entry *next;
        const char *texts[3];
    } *first = NULL, **last = &first;
    while (status == STATUS_OK && sqlite3_step(statement) == SQLITE_ROW) {
        struct entry *entry = arena_allocate_zeroed(arena, 1, sizeof *entry);
        for (int i = 0; entry != NULL && i < 3; i++) {
            entry->texts[i] =
                arena_copy_string(arena, (const char *)sqlite3_column_text(statement, i));
        }
        if (entry == NULL || entry->texts[0] == NULL || entry->texts[1] == NULL ||
            entry->texts[2] == NULL) {
            status = error_set(error, ERROR_MEMORY, self->shown, "no memory for its objects");
            break;
        }
        *last = entry;
        last = &entry->next;
    }
    sqlite3_finalize(statement);
    for (struct entry *entry = first; entry != NULL && status == STATUS_OK; entry = entry->next) {
        status = remove_object(self, entry->texts[0], entry->texts[1], entry->texts[2], dry_run,
                               arena, what, error);
    }
    return status == STATUS_OK && first != NULL && !dry_run
               ? failpoint_hit("sqlite.before_remove_objects", error)
               : status;
}

static enum status remove_objects(struct database *database, bool dry_run, struct buffer *what,
                                  struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct arena *arena = arena_create(0);

    if (arena == NULL || sqlite_control_begin(self, !dry_run, error) != STATUS_OK) {
        arena_destroy(arena);
        return arena == NULL
                   ? error_set(error, ERROR_MEMORY, self->shown, "no memory for its objects")
                   : STATUS_FAILED;
    }
    enum status status =
        sqlite_control_end(self, remove_all_objects(self, dry_run, arena, what, error), error);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.after_remove_objects", error)
                                           : status;
}

const struct rollback_functions sqlite_rollback = {
    .can_undo = can_undo,
    .undo = undo,
    .remove_table = remove_table,
    .remove_objects = remove_objects,
};
