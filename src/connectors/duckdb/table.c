/* Tables of the target: making them before the load, and their indexes after it. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/duckdb/target.h"
#include "connectors/sql/reference.h"
#include <string.h>
#include <strings.h>

enum status duckdb_target_describe(struct duckdb_database *self, struct duckdb_handle *connection,
                                   const char *name, struct arena *arena,
                                   struct duckdb_table *table, struct error *error)
{
    struct duckdb_catalog catalog;
    if (duckdb_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.schema->table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

bool duckdb_takes_values(const struct duckdb_form *form)
{
    return !form->as_text && form->id != DUCKDB_BIGNUM && form->id != DUCKDB_BIT &&
           form->id != DUCKDB_UNION && form->id != DUCKDB_SQLNULL;
}

/* ---------------------------------------------------------------- declarations */

/* Can values of a type in DuckDB's words be written? Texts in quotes are labels and names. */
static bool is_written(const char *native)
{
    static const char *const others[] = {"UNION(", "BIT",      "BIGNUM",
                                         "VARINT", "GEOMETRY", "VARIANT"};
    char quote = '\0';
    for (const char *at = native; *at != '\0'; at++) {
        bool begins = quote == '\0' && (at == native || strchr("(, ", at[-1]) != NULL);
        for (size_t i = 0; begins && i < sizeof others / sizeof others[0]; i++) {
            if (strncmp(at, others[i], strlen(others[i])) == 0) {
                return false;
            }
        }
        if (*at == '\'' || *at == '"') {
            quote = quote == '\0' ? *at : *at == quote ? '\0' : quote;
        }
    }
    return true;
}

static bool is_among(struct column_list columns, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; i < columns.count; i++) {
        found = found || strcasecmp(columns.names[i], name) == 0;
    }
    return found;
}

bool duckdb_is_in_key(const struct target_table *table, const char *name)
{
    return is_among(table->key, name);
}

/* In a key or an index, which takes no intervals, lists or structs? */
static bool is_indexed(const struct target_table *table, const char *name)
{
    bool found = is_among(table->key, name);
    for (uint32_t i = 0; !found && i < table->index_count; i++) {
        found = is_among(table->indexes[i].columns, name);
    }
    return found;
}

static bool is_nested(const struct value_type *type)
{
    return type->kind == VALUE_LIST || type->kind == VALUE_SET || type->kind == VALUE_MAP;
}

void duckdb_append_column_type(struct buffer *sql, const struct target_table *table,
                               const struct schema_column *column)
{
    if (table->same_engine != NULL && column->type.native != NULL &&
        (column->generated != GENERATED_NO || is_written(column->type.native))) {
        buffer_append_string(sql, column->type.native);
    } else if (column->type.kind == VALUE_INTERVAL && is_indexed(table, column->name)) {
        buffer_append_string(sql, "VARCHAR");
    } else if (is_nested(&column->type) && is_indexed(table, column->name)) {
        buffer_append_string(sql, "JSON");
    } else {
        duckdb_append_type(sql, &column->type);
    }
}

static void append_column(struct buffer *sql, const struct target_table *table,
                          const struct schema_column *column)
{
    bool same = table->same_engine != NULL;
    duckdb_append(sql, "%n ", column->name);
    duckdb_append_column_type(sql, table, column);
    if (same && column->generated != GENERATED_NO) {
        buffer_format(sql, " GENERATED ALWAYS AS (%s)",
                      column->default_text != NULL ? column->default_text : "NULL");
        return;
    }
    buffer_append_string(sql, column->not_null ? " NOT NULL" : "");
    /* what counts up is a sequence, which is not copied */
    if (same && column->default_text != NULL && column->default_kind != SCHEMA_DEFAULT_COUNTER) {
        buffer_format(sql, " DEFAULT (%s)", column->default_text);
    }
}

static void append_same_engine(struct buffer *sql, const struct schema_table *same)
{
    if (same->primary_key.count > 0) {
        duckdb_append(sql, ", PRIMARY KEY (%l)", same->primary_key);
    }
    for (uint32_t i = 0; i < same->index_count; i++) {
        if (same->indexes[i].implied && !schema_is_primary_index(same, &same->indexes[i])) {
            duckdb_append(sql, ", UNIQUE (%l)", same->indexes[i].columns);
        }
    }
    for (uint32_t i = 0; i < same->check_count; i++) {
        buffer_format(sql, ", CHECK (%s)", same->checks[i]);
    }
}

static void append_comments(struct buffer *sql, const struct sql_database *self,
                            const struct target_table *table)
{
    const struct schema_table *same = table->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->columns;
    uint32_t count = same != NULL ? same->column_count : table->column_count;
    const char *comment = same != NULL ? same->comment : table->comment;
    if (comment != NULL) {
        duckdb_append(sql, "; COMMENT ON TABLE %t IS %q", self, table->name, comment);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i].comment != NULL) {
            duckdb_append(sql, "; COMMENT ON COLUMN %t.%n IS %q", self, table->name,
                          columns[i].name, columns[i].comment);
        }
    }
}

void duckdb_append_create(struct buffer *sql, const struct sql_database *self,
                          const struct target_table *table, const struct buffer *more)
{
    const struct schema_table *same = table->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->columns;
    uint32_t count = same != NULL ? same->column_count : table->column_count;
    duckdb_append(sql, "CREATE TABLE %t (", self, table->name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_column(sql, table, &columns[i]);
    }
    if (same != NULL) {
        append_same_engine(sql, same);
    } else if (table->key.count > 0) {
        duckdb_append(sql, ", PRIMARY KEY (%l)", table->key);
    }
    duckdb_append(sql, "%b)", more);
    append_comments(sql, self, table);
}

/* As the source's own text says it, from behind the name of the table. */
static void append_same_index(struct buffer *sql, const struct sql_database *self,
                              const struct target_table *table, const struct schema_index *index)
{
    const char *text = index->native_sql != NULL ? strstr(index->native_sql, " ON ") : NULL;
    const char *columns = text != NULL ? strchr(text, '(') : NULL;
    size_t length = columns != NULL ? strcspn(columns, ";") : 0;
    duckdb_append(sql, "CREATE %sINDEX IF NOT EXISTS %n ON %t ", index->unique ? "UNIQUE " : "",
                  index->name, self, table->name);
    buffer_append(sql, columns, length);
}

/* The index number `number` that is made before the load, or after it. False: it is the other's, or
 * has no text; `*name` NULL: there are no more. */
static bool append_index(struct buffer *sql, const struct sql_database *self,
                         const struct target_table *table, uint32_t number, bool before,
                         const char **name)
{
    const struct schema_table *same = table->same_engine;
    uint32_t count = same != NULL ? same->index_count : table->index_count;
    *name = NULL;
    if (number >= count) {
        return false;
    }
    bool unique = same != NULL ? same->indexes[number].unique : table->indexes[number].unique;
    *name = same != NULL ? same->indexes[number].name : table->indexes[number].name;
    *name = *name != NULL ? *name : "";
    if (same != NULL) {
        if (same->indexes[number].implied || same->indexes[number].native_sql == NULL ||
            unique != before) {
            return false;
        }
        append_same_index(sql, self, table, &same->indexes[number]);
        return true;
    }
    if (unique != before) {
        return false;
    }
    duckdb_append(sql, "CREATE %sINDEX IF NOT EXISTS %n ON %t (%l)",
                  table->indexes[number].unique ? "UNIQUE " : "", table->indexes[number].name, self,
                  table->name, table->indexes[number].columns);
    return true;
}

/* ---------------------------------------------------------------- before the load */

static enum status run_schema(struct duckdb_database *self, struct buffer *sql, const char *table,
                              struct error *error)
{
    enum status status =
        duckdb_run_buffer(self, self->control, sql, ERROR_TARGET_SCHEMA, NULL, error);
    return status == STATUS_OK ? STATUS_OK : error_context(error, "%s: ", table);
}

static enum status duckdb_table_create(struct duckdb_database *self,
                                       const struct target_table *table, struct error *error)
{
    const struct buffer none = {0};
    struct buffer sql = {0};
    const char *name = NULL;
    duckdb_append_create(&sql, &self->sql, table, &none);
    enum status status = run_schema(self, &sql, table->name, error);
    for (uint32_t i = 0; status == STATUS_OK; i++) {
        if (append_index(&sql, &self->sql, table, i, true, &name)) {
            status = run_schema(self, &sql, table->name, error);
        } else if (name == NULL) {
            break;
        }
    }
    return status;
}

static enum status prepare_table(struct duckdb_database *self, struct target_table *table,
                                 struct arena *arena, struct error *error)
{
    struct duckdb_table facts;
    bool made = false;
    if (duckdb_is_made(&self->sql, table->name, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        duckdb_target_describe(self, self->control, table->name, arena, &facts, error);
    table->created = made;
    if (status != STATUS_END) {
        return status;
    }
    if (made) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name,
                  "this run made the table and it is gone, while its chunks are marked as done");
        return error_hint(error, "start a new run with an empty target");
    }
    table->created = true;
    status = duckdb_table_create(self, table, error);
    return status == STATUS_OK ? duckdb_note_made(self, table->name, error) : status;
}

enum status duckdb_prepare(struct database *database, const struct prepare_request *request,
                           struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    if (duckdb_dialect.begin(&self->sql, SQL_ALTERS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    enum status status = duckdb_check_claim(self, self->control, error);
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        status = prepare_table(self, &request->tables[i], arena, error);
    }
    arena_destroy(arena);
    return sql_end_between(&self->sql, "before_schema", "after_schema", status, error);
}

enum status duckdb_add_columns(struct database *database, const struct target_table *table,
                               struct column_list columns, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    enum status status = duckdb_dialect.begin(&self->sql, SQL_ALTERS, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < columns.count; i++) {
        const struct schema_column column = target_table_added_column(table, columns.names[i]);
        struct buffer sql = {0};
        duckdb_append(&sql, "ALTER TABLE %t ADD COLUMN ", &self->sql, table->name);
        append_column(&sql, table, &column);
        status = run_schema(self, &sql, table->name, error);
    }
    return duckdb_dialect.end(&self->sql, status, error);
}

/* DuckDB refuses it where an index depends on the table. */
enum status duckdb_alter_columns(struct database *database, const struct target_table *table,
                                 struct column_list columns, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    enum status status = duckdb_dialect.begin(&self->sql, SQL_ALTERS, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < columns.count; i++) {
        const struct schema_column column = target_table_column(table, columns.names[i]);
        struct buffer sql = {0};
        duckdb_append(&sql, "ALTER TABLE %t ALTER COLUMN %n SET DATA TYPE ", &self->sql,
                      table->name, column.name);
        duckdb_append_column_type(&sql, table, &column);
        status = run_schema(self, &sql, table->name, error);
        if (status == STATUS_OK && !column.not_null &&
            !column_list_holds(table->key, column.name)) {
            status = run_schema(self,
                                duckdb_sql("ALTER TABLE %t ALTER COLUMN %n DROP NOT NULL",
                                           &self->sql, table->name, column.name),
                                table->name, error);
        }
    }
    return duckdb_dialect.end(&self->sql, status, error);
}

/* ---------------------------------------------------------------- after the load */

static enum status make_indexes(struct duckdb_database *self, const struct target_table *table,
                                bool unique, void (*progress)(const char *what),
                                struct error *error)
{
    enum status status = STATUS_OK;
    const char *name = NULL;
    for (uint32_t i = 0; status == STATUS_OK; i++) {
        struct buffer sql = {0};
        if (!append_index(&sql, &self->sql, table, i, unique, &name)) {
            if (name == NULL) {
                break;
            }
            continue;
        }
        if (progress != NULL) {
            progress(name);
        }
        status = sql_failpoint(&self->sql, "before_index", error);
        if (status == STATUS_OK) {
            status = run_schema(self, &sql, table->name, error);
        }
        buffer_free(&sql);
        status = status == STATUS_OK ? sql_failpoint(&self->sql, "after_index", error) : status;
    }
    return status;
}

enum status duckdb_after_load(struct database *database, struct after_load_request *request,
                              struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    enum status status = duckdb_make_references(self, request, error);
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        if (table->created) {
            /* those that are unique went with a table that was made again */
            status = make_indexes(self, table, true, NULL, error);
            status = status == STATUS_OK
                         ? make_indexes(self, table, false, request->progress, error)
                         : status;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- what is said of it */

enum status duckdb_script(struct database *database, const struct script_request *request,
                          struct script *script, struct error *error)
{
    struct duckdb_database shown = *duckdb_database_of(database);
    const struct sql_database *self = &shown.sql;
    const struct buffer none = {0};
    (void)error;
    shown.name = NULL; /* which the file would have under another name, too */
    for (int after = 0; after < 2; after++) {
        for (uint32_t i = 0; i < request->table_count; i++) {
            const struct target_table *table = &request->tables[i];
            struct buffer sql = {0};
            const char *name = NULL;
            if (!request->missing[i]) {
                continue;
            }
            if (after == 0) {
                duckdb_append_create(&sql, self, table, &none);
                script_add(script, SCRIPT_BEFORE_LOAD, "table", table->name, &sql);
            }
            for (uint32_t number = 0;; number++) {
                if (append_index(&sql, self, table, number, after == 0, &name)) {
                    script_add(script, after == 0 ? SCRIPT_BEFORE_LOAD : SCRIPT_AFTER_LOAD, "index",
                               name, &sql);
                } else if (name == NULL) {
                    break;
                }
            }
        }
    }
    return STATUS_OK;
}

enum status duckdb_column_type(struct database *database, const struct target_table *table,
                               const struct schema_column *column, struct buffer *out,
                               struct error *error)
{
    (void)database;
    (void)error;
    duckdb_append_column_type(out, table, column);
    return STATUS_OK;
}

enum status duckdb_tell_changed(struct database *database, const struct target_table *tables,
                                uint32_t table_count, const struct schema *objects,
                                struct buffer *out, struct error *error)
{
    (void)database;
    (void)objects;
    (void)error;
    for (uint32_t i = 0; i < table_count; i++) {
        const struct schema_table *same = tables[i].same_engine;
        for (uint32_t j = 0; same != NULL && j < same->column_count; j++) {
            const struct schema_column *column = &same->columns[j];
            bool other = column->type.native != NULL && column->generated == GENERATED_NO &&
                         !is_written(column->type.native);
            if (other) {
                buffer_format(out,
                              "\t%s: its column %s is %s, a type that is not written: it becomes ",
                              tables[i].name, column->name, column->type.native);
                duckdb_append_type(out, &column->type);
                buffer_append_byte(out, '\n');
            }
        }
        duckdb_tell_actions(&tables[i], out);
    }
    return STATUS_OK;
}
