/* Taking a run back: its tables, its views and triggers. */
#include "connectors/sql/rollback.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/sqlite/ledger_internal.h"
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
        status = sqlite_step(self, statement, error);
        *unique = status == STATUS_OK;
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status == STATUS_END ? STATUS_OK : status;
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

    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    enum status status = judge_table(self, table, arena, why, error);
    bool no = status == STATUS_END;
    status = sqlite_control_end(self, no ? STATUS_OK : status, error);
    arena_destroy(arena);
    return status == STATUS_OK && no ? STATUS_END : status;
}

/* ---------------------------------------------------------------- whole tables */

enum status sqlite_remove(struct sql_database *database, const struct sql_table *table, bool made,
                          struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(&database->base);
    struct buffer sql = {0};
    buffer_append_string(&sql, made ? "DROP TABLE main." : "DELETE FROM main.");
    sqlite_append_name(&sql, table->schema->name);
    enum status status =
        sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE, error);
    buffer_clear(&sql);
    sqlite_append(&sql, "SELECT 1 FROM main.%n LIMIT 1", table->schema->name);
    if (status == STATUS_OK && !made) {
        return sql_refuse_left(database, table->schema->name, &sql, error);
    }
    buffer_free(&sql);
    return status;
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
    bool there = false;
    enum status status = sqlite_claim_check(self, error);

    if (status == STATUS_OK) {
        status = sqlite_ledger_has_table(self, "_transhume_object", &there, error);
    }
    if (status != STATUS_OK || !there) {
        return status;
    }
    /* triggers before the views that they may stand on; read whole, since dropping changes it */
    status = sqlite_ledger_prepare(self,
                                   "SELECT type, name, sql FROM main._transhume_object WHERE run = "
                                   "?1 ORDER BY type = 'trigger' DESC, type, name",
                                   &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, self->sql.run_id, -1, SQLITE_STATIC);
    }
    struct entry {
        struct entry *next;
        const char *texts[3];
    } *first = NULL, **last = &first;
    while (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        struct entry *entry = arena_allocate_zeroed(arena, 1, sizeof *entry);
        for (int i = 0; i < 3; i++) {
            sqlite_copy_text(statement, i, arena, &entry->texts[i]);
        }
        if (entry->texts[0] == NULL || entry->texts[1] == NULL || entry->texts[2] == NULL) {
            status = sqlite_ledger_invalid(self, "an object of its run", error);
            break;
        }
        *last = entry;
        last = &entry->next;
    }
    sqlite3_finalize(statement);
    status = status == STATUS_END ? STATUS_OK : status;
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

    if (sqlite_control_begin(self, !dry_run, error) != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    enum status status =
        sqlite_control_end(self, remove_all_objects(self, dry_run, arena, what, error), error);
    arena_destroy(arena);
    return status == STATUS_OK && !dry_run ? failpoint_hit("sqlite.after_remove_objects", error)
                                           : status;
}

const struct rollback_functions sqlite_rollback = {
    .can_undo = can_undo,
    .undo = sql_undo,
    .undo_deleted = sql_undo_deleted,
    .sum_columns = sql_sum_columns,
    .find_foreign = sql_find_foreign,
    .was_made = sql_was_made,
    .find_referrer = sqlite_find_referrer,
    .remove_table = sql_remove_table,
    .remove_objects = remove_objects,
};
