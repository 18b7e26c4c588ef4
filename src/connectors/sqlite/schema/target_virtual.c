/*
 * Virtual tables of a plain copy. What they hold is in tables named after them (their store), which
 * are loaded like any other; then the virtual table itself is written into sqlite_schema, as VACUUM
 * and the shell's .dump do it. Its module is not asked: it would make the store anew and empty. So
 * a module that this SQLite does not have is carried too.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/sqlite/writer_internal.h"
#include <stdio.h>
#include <string.h>

static bool is_virtual_table(const struct schema_object *object)
{
    return object->kind == SCHEMA_OBJECT_OTHER && object->native_sql != NULL;
}

static const char *shown(const char *name, char *printable, size_t capacity)
{
    text_printable(name, strlen(name), printable, capacity);
    return printable;
}

static enum status write_entry(struct sqlite_database *self, const struct schema_object *object,
                               struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare(self, self->control,
                              "INSERT INTO main.sqlite_schema(type, name, tbl_name, rootpage, sql) "
                              "VALUES ('table', ?1, ?1, 0, ?2)",
                              &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, object->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, object->native_sql, -1, SQLITE_STATIC);
        int result = sqlite_target_step(statement);
        status = result == SQLITE_DONE
                     ? STATUS_OK
                     : sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA,
                                           "a virtual table can't be made", error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* STATUS_OK with *wanted false: it is there already, with the same words. */
static enum status check_entry(struct sqlite_database *self, const struct schema_object *object,
                               struct arena *arena, bool *wanted, struct error *error)
{
    const char *known = NULL;
    enum status status = sqlite_schema_find(self, "table", object->name, arena, &known, error);

    *wanted = status == STATUS_END;
    if (status == STATUS_END) {
        return sqlite_schema_check(self, "virtual table", object->name, object->native_sql, error);
    }
    if (status == STATUS_OK && (known == NULL || strcmp(known, object->native_sql) != 0)) {
        error_set(error, ERROR_TARGET_SCHEMA, object->name,
                  "the target has another table of this name");
        error_hint(error, "drop or rename it in the target, then `transhume resume`");
        return STATUS_FAILED;
    }
    return status;
}

static enum status write_entries(struct sqlite_database *self, const struct schema *objects,
                                 struct arena *arena, bool *changed, struct error *error)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < objects->object_count; i++) {
        bool wanted = false;
        if (!is_virtual_table(&objects->objects[i])) {
            continue;
        }
        status = check_entry(self, &objects->objects[i], arena, &wanted, error);
        if (status == STATUS_OK && wanted) {
            status = write_entry(self, &objects->objects[i], error);
            status =
                status == STATUS_OK
                    ? sqlite_ledger_note_object(self, "virtual table", objects->objects[i].name,
                                                objects->objects[i].native_sql, error)
                    : status;
            *changed = true;
        }
    }
    return status;
}

/* Other connections read the schema anew when its version is another; this one does so now. */
static enum status reload_schema(struct sqlite_database *self, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char sql[96];
    enum status status =
        sqlite_target_prepare(self, self->control, "PRAGMA main.schema_version", &statement, error);
    snprintf(sql, sizeof sql, "PRAGMA main.schema_version");
    if (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        snprintf(sql, sizeof sql, "PRAGMA main.schema_version=%lld",
                 (sqlite3_column_int64(statement, 0) + 1) & INT32_MAX);
    }
    sqlite3_finalize(statement);
    status = status == STATUS_END ? STATUS_OK : status;
    if (status == STATUS_OK) {
        status = sqlite_target_execute(self, self->control, sql, ERROR_TARGET_SCHEMA, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_target_execute(self, self->control,
                                       "PRAGMA writable_schema=RESET; "
                                       "SELECT count(*) FROM main.sqlite_schema",
                                       ERROR_TARGET_SCHEMA, error);
    }
    return status;
}

/* Only here may this connection write to sqlite_schema. */
static enum status write_unguarded(struct sqlite_database *self, const struct schema *objects,
                                   struct arena *arena, struct error *error)
{
    bool changed = false;
    enum status status = STATUS_FAILED;

    if (sqlite3_db_config(self->control, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL) != SQLITE_OK) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown, "SQLite keeps its schema locked");
    }
    if (sqlite_target_execute(self, self->control, "PRAGMA writable_schema=ON", ERROR_TARGET_SCHEMA,
                              error) == STATUS_OK) {
        status = write_entries(self, objects, arena, &changed, error);
    }
    if (status == STATUS_OK && changed) {
        status = reload_schema(self, error);
    }
    sqlite3_exec(self->control, "PRAGMA writable_schema=OFF", NULL, NULL, NULL);
    sqlite3_db_config(self->control, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return status == STATUS_OK ? failpoint_hit("sqlite.before_virtual", error) : status;
}

static enum status remove_entry(struct sqlite_database *self, const char *name, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        self, self->control,
        "DELETE FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 AND rootpage = 0",
        &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        int result = sqlite_target_step(statement);
        status = result == SQLITE_DONE
                     ? STATUS_OK
                     : sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA,
                                           "a virtual table can't be removed", error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_target_remove_virtual_table(struct sqlite_database *self, const char *name,
                                               struct error *error)
{
    enum status status = STATUS_FAILED;

    if (sqlite3_db_config(self->control, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL) != SQLITE_OK) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown, "SQLite keeps its schema locked");
    }
    if (sqlite_target_execute(self, self->control, "PRAGMA writable_schema=ON", ERROR_TARGET_SCHEMA,
                              error) == STATUS_OK) {
        status = remove_entry(self, name, error);
        status = status == STATUS_OK ? reload_schema(self, error) : status;
    }
    sqlite3_exec(self->control, "PRAGMA writable_schema=OFF", NULL, NULL, NULL);
    sqlite3_db_config(self->control, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return status;
}

/* Its store is there, byte for byte; whether this SQLite can use it is another matter. */
static void say_unusable(struct sqlite_database *self, const struct schema_object *object)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    char name[128];

    sqlite_append(&sql, "SELECT 1 FROM main.%n", object->name);
    if (sqlite3_prepare_v2(self->control, buffer_string(&sql), -1, &statement, NULL) != SQLITE_OK) {
        log_write(LOG_WARNING,
                  "virtual table %s is carried with its store, but can't be used or tried here: %s",
                  shown(object->name, name, sizeof name), sqlite3_errmsg(self->control));
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
}

enum status sqlite_target_carry_virtual_tables(struct sqlite_database *self,
                                               const struct schema *objects, struct arena *arena,
                                               struct error *error)
{
    bool any = false;

    for (uint32_t i = 0; objects != NULL && i < objects->object_count; i++) {
        any |= is_virtual_table(&objects->objects[i]);
    }
    if (!any) {
        return STATUS_OK;
    }
    if (sqlite_control_begin(self, true, error) != STATUS_OK ||
        sqlite_control_end(self, write_unguarded(self, objects, arena, error), error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < objects->object_count; i++) {
        if (is_virtual_table(&objects->objects[i])) {
            say_unusable(self, &objects->objects[i]);
        }
    }
    return failpoint_hit("sqlite.after_virtual", error);
}
