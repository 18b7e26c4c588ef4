/* Whether a plan's table fits SQLite and what is in the target already: one line for each fault. */
#include "connectors/sql/check.h"
#include "connectors/sqlite/writer_internal.h"
#include "model/json_writer.h"
#include <string.h>
#include <strings.h>

enum { COLUMNS_MAX = 2000 };

static void check_name(const struct target_table *table, struct buffer *out)
{
    if (table->name[0] == '\0') {
        buffer_append_string(out, "the table has no name\n");
    }
    if (strncasecmp(table->name, "sqlite_", 7) == 0) {
        buffer_append_string(out, "names that begin with sqlite_ are SQLite's own\n");
    }
    if (strncasecmp(table->name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the ledger's\n");
    }
}

static void check_columns(const struct target_table *table, struct buffer *out)
{
    char name[SQL_SHOWN_BYTES];

    if (table->column_count == 0 && table->same_engine == NULL) {
        buffer_append_string(out, "a table needs at least one column\n");
    }
    if (table->column_count > COLUMNS_MAX) {
        buffer_format(out, "it has %u columns; SQLite takes %d\n", table->column_count,
                      COLUMNS_MAX);
        return; /* nothing more to know of them, and to compare so many takes long */
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        for (uint32_t j = i + 1; j < table->column_count; j++) {
            if (sqlite_same_name(table->columns[i].name, table->columns[j].name)) {
                buffer_format(
                    out, "column %s: SQLite takes two names that differ in case only for one\n",
                    sql_show_name(table->columns[j].name, name));
            }
        }
    }
    sql_check_key_columns(table, sqlite3_stricmp, out);
}

static void check_shape(const struct target_table *table, const struct shape *shape,
                        struct buffer *out)
{
    char name[SQL_SHOWN_BYTES];

    for (uint32_t i = 0; i < shape->field_count && table->column_count > 0; i++) {
        if (!sql_has_column(table, shape->fields[i].name, sqlite3_stricmp)) {
            buffer_format(out, "the field %s is no column of the table\n",
                          sql_show_name(shape->fields[i].name, name));
        }
    }
}

/* The store of a virtual table can't be merged with another one's. */
static enum status check_store(struct sqlite_database *self, const struct target_table *table,
                               struct arena *arena, struct buffer *out, struct error *error)
{
    const char *owner = table->same_engine != NULL ? table->same_engine->belongs_to : NULL;
    const char *known = NULL;
    char name[SQL_SHOWN_BYTES];
    if (owner == NULL) {
        return STATUS_OK;
    }
    enum status status = sqlite_schema_find(self, "table", owner, arena, &known, error);
    if (status == STATUS_OK) {
        buffer_format(out,
                      "it is the store of the virtual table %s, and the target has a table of that "
                      "name: drop it there, or leave it out with --exclude\n",
                      sql_show_name(owner, name));
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A table that is there is filled as it is. */
static void check_present(const struct check_request *request,
                          const struct sqlite_target_table *facts, struct buffer *out)
{
    char name[SQL_SHOWN_BYTES];
    const struct shape *const *shapes = request->shapes;

    if (facts->is_view || facts->is_virtual) {
        buffer_format(out, "the target has a %s of this name, which takes no records\n",
                      facts->is_view ? "view" : "virtual table");
        return;
    }
    for (uint32_t s = 0; s < request->shape_count; s++) {
        for (uint32_t i = 0; i < shapes[s]->field_count; i++) {
            const char *field = shapes[s]->fields[i].name;
            const struct sqlite_target_column *column = sqlite_target_find_column(facts, field);
            if (column == NULL) {
                sql_tell_no_column(request, s, i, out);
            } else if (column->generated) {
                sql_check_generated(request->table, field, sqlite3_stricmp, out);
            }
        }
        for (uint32_t i = 0; i < facts->column_count; i++) {
            const struct sqlite_target_column *column = &facts->columns[i];
            if (column->not_null && column->default_text == NULL && !column->generated &&
                !column->row_key && !sql_shape_has(shapes[s], column->name, sqlite3_stricmp)) {
                buffer_format(
                    out,
                    "the column %s in the target is NOT NULL, has no default, and the plan "
                    "does not fill it\n",
                    sql_show_name(column->name, name));
            }
        }
    }
}

/* ON CONFLICT needs a unique index over exactly the key's columns. */
static enum status check_key(struct sqlite_database *self, const struct target_table *table,
                             const struct sqlite_target_table *facts, struct buffer *out,
                             struct error *error)
{
    static const char sql[] =
        "SELECT EXISTS(SELECT 1 FROM pragma_index_list(?1, 'main') l WHERE l.\"unique\" AND NOT l.partial "
        "AND (SELECT count(*) FROM pragma_index_xinfo(l.name, 'main') WHERE key) = ?2 "
        "AND (SELECT count(*) FROM pragma_index_xinfo(l.name, 'main') x JOIN json_each(?3) j "
        "ON x.name = j.value COLLATE NOCASE WHERE x.key) = ?2)";
    struct buffer names = {0};
    sqlite3_stmt *statement = NULL;

    if (table->existing == EXISTING_REFUSE || table->existing == EXISTING_APPEND) {
        return STATUS_OK;
    }
    if (table->key.count == 0) {
        buffer_append_string(out, "upsert, replace and skip need a key in the plan\n");
        return STATUS_OK;
    }
    if (facts == NULL) {
        return STATUS_OK;
    }
    const struct sqlite_target_column *first =
        sqlite_target_find_column(facts, table->key.names[0]);
    if (table->key.count == 1 && first != NULL && first->row_key) {
        return STATUS_OK;
    }
    enum status status = sqlite_target_prepare(self, self->control, sql, &statement, error);
    if (status == STATUS_OK) {
        for (uint32_t i = 0; i < table->key.count; i++) {
            buffer_append_byte(&names, i == 0 ? '[' : ',');
            json_append_string(&names, table->key.names[i], strlen(table->key.names[i]));
        }
        buffer_append_byte(&names, ']');
        sqlite3_bind_text(statement, 1, facts->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, table->key.count);
        sqlite3_bind_text(statement, 3, buffer_string(&names), -1, SQLITE_STATIC);
        status = sqlite_step(self, statement, error);
        if (status == STATUS_OK && sqlite3_column_int(statement, 0) == 0) {
            buffer_append_string(
                out, "the table in the target has no primary key or unique index over the "
                     "plan's key, which upsert, replace and skip need\n");
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&names);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Indexes, tables, views and triggers share their names: is one of those that will be made there?
 */
static enum status check_index_name(struct sqlite_database *self, const char *index,
                                    struct buffer *out, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char name[SQL_SHOWN_BYTES];
    char table[SQL_SHOWN_BYTES];
    enum status status = sqlite_target_prepare(
        self, self->control,
        "SELECT type, tbl_name FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE", &statement,
        error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, index, -1, SQLITE_STATIC);
        status = sqlite_step(self, statement, error);
        if (status == STATUS_OK) {
            const char *type = (const char *)sqlite3_column_text(statement, 0);
            const char *owner = (const char *)sqlite3_column_text(statement, 1);
            bool is_index = type != NULL && strcmp(type, "index") == 0;
            buffer_format(out, "its index %s can't be made: the target has %s of this name%s%s\n",
                          sql_show_name(index, name),
                          is_index ? "an index" : "a table, view or trigger",
                          is_index ? ", of table " : "",
                          is_index && owner != NULL ? sql_show_name(owner, table) : "");
        }
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status check_index_names(struct sqlite_database *self, const struct target_table *table,
                                     struct buffer *out, struct error *error)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->index_count; i++) {
        if (!same->indexes[i].implied && same->indexes[i].native_sql != NULL) {
            status = check_index_name(self, same->indexes[i].name, out, error);
        }
    }
    for (uint32_t i = 0; same == NULL && status == STATUS_OK && i < table->index_count; i++) {
        status = check_index_name(self, table->indexes[i].name, out, error);
    }
    return status;
}

enum status sqlite_target_check_table(struct database *database,
                                      const struct check_request *request, struct buffer *out,
                                      struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct target_table *table = request->table;
    struct arena *arena = arena_create(0);
    struct sqlite_target_table facts;

    check_name(table, out);
    check_columns(table, out);
    for (uint32_t i = 0; i < request->shape_count && table->column_count <= COLUMNS_MAX; i++) {
        check_shape(table, request->shapes[i], out);
    }
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    enum status status =
        sqlite_target_describe(self, self->control, table->name, arena, &facts, error);
    if (status == STATUS_OK) {
        check_present(request, &facts, out);
    } else if (status == STATUS_END && check_index_names(self, table, out, error) != STATUS_OK) {
        status = STATUS_FAILED;
    }
    if (status != STATUS_FAILED && check_store(self, table, arena, out, error) != STATUS_OK) {
        status = STATUS_FAILED;
    }
    if (status != STATUS_FAILED) {
        status = check_key(self, table, status == STATUS_OK ? &facts : NULL, out, error);
    }
    arena_destroy(arena);
    return sqlite_control_end(self, status, error);
}

/* A view or trigger that is there with the same words is the one that will be asked for. */
static enum status check_object(struct sqlite_database *self, const struct schema_object *object,
                                const char *type, struct buffer *out, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char name[SQL_SHOWN_BYTES];
    enum status status =
        sqlite_target_prepare(self, self->control,
                              "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE "
                              "AND (type IS NOT ?2 OR sql IS NOT ?3)",
                              &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, object->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, type, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, object->native_sql, -1, SQLITE_STATIC);
        status = sqlite_step(self, statement, error);
        if (status == STATUS_OK) {
            const char *other = (const char *)sqlite3_column_text(statement, 0);
            buffer_format(
                out,
                "%s: the %s can't be made: the target has another %s of this name: drop or rename it\n",
                sql_show_name(object->name, name), type, other != NULL ? other : "object");
        }
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sqlite_target_check_objects(struct database *database, const struct schema *objects,
                                        struct buffer *out, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    enum status status = sqlite_control_begin(self, false, error);

    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        const char *type = object->kind == SCHEMA_OBJECT_VIEW      ? "view"
                           : object->kind == SCHEMA_OBJECT_TRIGGER ? "trigger"
                                                                   : NULL;
        if (type != NULL && object->native_sql != NULL) {
            status = check_object(self, object, type, out, error);
        }
    }
    return sqlite_control_end(self, status, error);
}
