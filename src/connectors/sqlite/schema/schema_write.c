/* DDL: tables and indexes of a plan as CREATE statements, and statements of a source run under
 * guard. */
#include "base/text.h"
#include "connectors/sql/reference.h"
#include "connectors/sqlite/target_internal.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TYPE_TEXT_MAX = 255 };

/* ---------------------------------------------------------------- column types */

static const char *type_of_kind(enum value_kind kind)
{
    switch (kind) {
    case VALUE_BOOL:
        return "BOOLEAN";
    case VALUE_INT64:
        return "INTEGER";
    case VALUE_UINT64:
    case VALUE_DECIMAL:
        return "NUMERIC";
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return "REAL";
    case VALUE_TEXT:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        return "TEXT";
    case VALUE_BYTES:
        return "BLOB";
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return "TEXT";
    default:
        return "";
    }
}

/* Words that would end the type and begin a constraint. */
static bool is_constraint_word(const char *word, size_t length)
{
    static const char *const words[] = {
        "CONSTRAINT", "PRIMARY", "NOT",        "NULL",      "UNIQUE", "CHECK",        "DEFAULT",
        "COLLATE",    "AS",      "REFERENCES", "GENERATED", "KEY",    "AUTOINCREMENT"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == length && strncasecmp(words[i], word, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Words, then perhaps "(10)" or "(10, 2)": what a declared type may be without quoting. */
static bool type_is_plain(const char *type)
{
    const char *at = type;

    if (strlen(type) > TYPE_TEXT_MAX || !isalpha((unsigned char)*at)) {
        return false;
    }
    while (isalnum((unsigned char)*at) || *at == '_' || *at == ' ') {
        size_t length =
            strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (length > 0 && (is_constraint_word(at, length) || isdigit((unsigned char)*at))) {
            return false;
        }
        at += length > 0 ? length : 1;
    }
    if (*at == '\0') {
        return true;
    }
    size_t inside = *at == '(' ? strspn(at + 1, "0123456789") : 0;
    if (inside == 0) {
        return false;
    }
    at += 1 + inside;
    if (*at == ',') {
        at += 1 + strspn(at + 1, " ");
        inside = strspn(at, "0123456789");
        at += inside;
    }
    return inside > 0 && strcmp(at, ")") == 0;
}

/* Does a column of that affinity keep values of the kind as they are? */
static bool affinity_keeps(enum sqlite_affinity affinity, enum value_kind kind)
{
    switch (kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
        return affinity == SQLITE_AFFINITY_INTEGER || affinity == SQLITE_AFFINITY_NUMERIC ||
               affinity == SQLITE_AFFINITY_NONE;
    case VALUE_DECIMAL:
        return affinity == SQLITE_AFFINITY_NUMERIC || affinity == SQLITE_AFFINITY_TEXT;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return affinity == SQLITE_AFFINITY_REAL || affinity == SQLITE_AFFINITY_NUMERIC ||
               affinity == SQLITE_AFFINITY_NONE;
    case VALUE_TEXT:
    case VALUE_JSON:
        return affinity == SQLITE_AFFINITY_TEXT || affinity == SQLITE_AFFINITY_NONE;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_UUID:
        return affinity != SQLITE_AFFINITY_REAL;
    case VALUE_BYTES:
        return affinity == SQLITE_AFFINITY_NONE;
    default:
        return true;
    }
}

void sqlite_schema_append_type(const struct schema_column *column, struct buffer *out)
{
    const struct value_type *type = &column->type;
    const char *native = type->native;

    /* A dynamic column may hold any class, and its declared type decided which: it stays. */
    if (native != NULL && type_is_plain(native) &&
        (type->dynamic || affinity_keeps(sqlite_affinity_of(native), type->kind))) {
        buffer_append_string(out, native);
    } else if (type->dynamic) {
        return;
    } else if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        buffer_format(out, "NUMERIC(%d,%d)", type->precision, type->scale);
    } else {
        buffer_append_string(out, type_of_kind(type->kind));
    }
}

static void append_type(const struct schema_column *column, struct buffer *out)
{
    struct buffer words = {0};
    sqlite_schema_append_type(column, &words);
    if (words.length > 0) {
        buffer_format(out, " %s", buffer_string(&words));
    }
    buffer_free(&words);
}

/* ---------------------------------------------------------------- columns */

/* Another database's default is taken only if it is a default here, and nothing more. */
static bool default_is_usable(const char *text)
{
    struct buffer sql = {0};
    sqlite3 *trial = NULL;
    bool usable = false;
    const char *tail = NULL;
    sqlite3_stmt *statement = NULL;

    buffer_format(&sql, "CREATE TABLE trial(value DEFAULT (%s\n))", text);
    if (sqlite3_open_v2(":memory:", &trial, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        usable =
            sqlite3_prepare_v2(trial, buffer_string(&sql), -1, &statement, &tail) == SQLITE_OK &&
            tail[0] == '\0' && sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_finalize(statement);
        usable = usable && sqlite3_exec(trial, "INSERT INTO trial DEFAULT VALUES", NULL, NULL,
                                        NULL) == SQLITE_OK;
    }
    sqlite_check_memory(sqlite3_errcode(trial));
    sqlite3_close(trial);
    buffer_free(&sql);
    return usable;
}

/* The default of another engine: a number as it is, all else in the text that its values arrive in.
 */
static void append_default(const struct schema_column *column, struct buffer *out)
{
    bool zoned = column->type.zoned;
    switch (column->default_kind) {
    case SCHEMA_DEFAULT_VALUE:
        buffer_append_string(out, " DEFAULT ");
        if (column->type.kind == VALUE_BOOL) {
            buffer_append_string(out, strcmp(column->default_value, "true") == 0 ? "1" : "0");
        } else if (value_kind_is_number(column->type.kind) && !column->type.dynamic &&
                   strspn(column->default_value, "+-.0123456789eE") ==
                       strlen(column->default_value)) {
            buffer_format(out, "(%s)", column->default_value);
        } else {
            sqlite_append_text(out, column->default_value);
        }
        break;
    case SCHEMA_DEFAULT_NOW:
        buffer_format(out, " DEFAULT (strftime('%%Y-%%m-%%dT%%H:%%M:%%f%s', 'now'))",
                      zoned ? "Z" : "");
        break;
    case SCHEMA_DEFAULT_TODAY:
        buffer_append_string(out, " DEFAULT CURRENT_DATE");
        break;
    default:
        break;
    }
}

static bool collation_is_known(const char *collation)
{
    return collation != NULL &&
           (strcasecmp(collation, "NOCASE") == 0 || strcasecmp(collation, "RTRIM") == 0);
}

static bool is_row_key(const struct target_table *table, const struct schema_column *column)
{
    struct buffer type = {0};

    if (table->key.count != 1 || !sqlite_same_name(table->key.names[0], column->name)) {
        return false;
    }
    append_type(column, &type);
    bool integer = sqlite_same_name(buffer_string(&type), " INTEGER");
    buffer_free(&type);
    return integer;
}

static void append_column(const struct target_table *table, const struct schema_column *column,
                          bool counts, struct buffer *out)
{
    sqlite_append_name(out, column->name);
    append_type(column, out);
    if (is_row_key(table, column)) {
        /* which numbers itself already */
        buffer_append_string(out, counts ? " PRIMARY KEY AUTOINCREMENT" : " PRIMARY KEY");
    }
    if (column->not_null) {
        buffer_append_string(out, " NOT NULL");
    }
    if (collation_is_known(column->collation)) {
        buffer_format(out, " COLLATE %s", column->collation);
    }
    if (column->default_text != NULL && default_is_usable(column->default_text)) {
        buffer_format(out, " DEFAULT (%s\n)", column->default_text);
    } else if (column->default_text == NULL) {
        append_default(column, out);
    }
}

void sqlite_schema_append_column(const struct target_table *table,
                                 const struct schema_column *column, struct buffer *out)
{
    append_column(table, column, false, out);
}

static void append_names(struct column_list columns, struct buffer *out)
{
    buffer_append_byte(out, '(');
    for (uint32_t i = 0; i < columns.count; i++) {
        sqlite_append(out, "%s%n", i == 0 ? "" : ", ", columns.names[i]);
    }
    buffer_append_byte(out, ')');
}

void sqlite_schema_append_table(const struct target_table *table, bool counts, struct buffer *out)
{
    bool has_row_key = false;

    sqlite_append(out, "CREATE TABLE %n (", table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i == 0 ? "\n    " : ",\n    ");
        append_column(table, &table->columns[i], counts, out);
        has_row_key = has_row_key || is_row_key(table, &table->columns[i]);
    }
    if (table->key.count > 0 && !has_row_key) {
        buffer_append_string(out, ",\n    PRIMARY KEY ");
        append_names(table->key, out);
    }
    for (uint32_t i = 0; i < table->reference_count; i++) {
        const struct target_reference *reference = &table->references[i];
        buffer_append_string(out, ",\n    FOREIGN KEY ");
        append_names(reference->columns, out);
        sqlite_append(out, " REFERENCES %n", reference->table);
        if (reference->referenced_columns.count > 0) {
            buffer_append_byte(out, ' ');
            append_names(reference->referenced_columns, out);
        }
        sql_append_actions(out, reference->on_delete, reference->on_update);
    }
    buffer_append_string(out, "\n)");
}

void sqlite_schema_append_index(const struct target_table *table, const struct target_index *index,
                                struct buffer *out)
{
    sqlite_append(out, "%s%n ON %n ", index->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ",
                  index->name, table->name);
    append_names(index->columns, out);
}

/* ---------------------------------------------------------------- statements of a source */

struct guard {
    int create;       /* the one action that may create an object */
    const char *name; /* of this object */
    uint32_t created;
};

/* A statement from another file may say more than CREATE: only what making that object needs
 * passes. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *schema, const char *trigger)
{
    struct guard *guard = context;

    (void)second;
    (void)trigger;
    if (action == guard->create && first != NULL && sqlite_same_name(first, guard->name)) {
        bool allowed = schema == NULL || strcmp(schema, "main") == 0;
        guard->created += allowed;
        return allowed ? SQLITE_OK : SQLITE_DENY;
    }
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return first != NULL && strncmp(first, "sqlite_", 7) == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_CREATE_INDEX: /* of a constraint */
        return first != NULL && strncmp(first, "sqlite_autoindex_", 17) == 0 ? SQLITE_OK
                                                                             : SQLITE_DENY;
    case SQLITE_CREATE_TABLE:
        return first != NULL && strcmp(first, "sqlite_sequence") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_READ:
    case SQLITE_SELECT:
    case SQLITE_FUNCTION:
    case SQLITE_REINDEX:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static int create_action(const char *type)
{
    return strcmp(type, "table") == 0           ? SQLITE_CREATE_TABLE
           : strcmp(type, "virtual table") == 0 ? SQLITE_CREATE_VTABLE
           : strcmp(type, "index") == 0         ? SQLITE_CREATE_INDEX
           : strcmp(type, "view") == 0          ? SQLITE_CREATE_VIEW
                                                : SQLITE_CREATE_TRIGGER;
}

static enum status schema_write_refuse(struct sqlite_database *self, const char *type,
                                       const char *name, int result, struct error *error)
{
    char printable[128];
    char doing[192];

    text_printable(name, strlen(name), printable, sizeof printable);
    snprintf(doing, sizeof doing, "the %s %s can't be created", type, printable);
    if ((result & 0xff) != SQLITE_AUTH) {
        return sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA, doing, error);
    }
    error_set(error, ERROR_TARGET_SCHEMA, self->sql.shown,
              "%s: its statement does something else, or more", doing);
    error_hint(error,
               "look at its text in the source's sqlite_schema, or leave it out with --exclude");
    return STATUS_FAILED;
}

/* Runs the statement under guard, or only lets SQLite look at it. */
static enum status schema_write_create(struct sqlite_database *self, const char *type,
                                       const char *name, const char *sql, bool run,
                                       struct error *error)
{
    struct guard guard = {.create = create_action(type), .name = name};
    sqlite3_stmt *statement = NULL;
    const char *tail = "";
    enum status status = STATUS_FAILED;

    sqlite3_set_authorizer(self->control, authorize, &guard);
    int result = sqlite3_prepare_v2(self->control, sql, -1, &statement, &tail);
    if (result == SQLITE_OK && (guard.created != 1 || tail[strspn(tail, " \t\r\n;")] != '\0')) {
        result = SQLITE_AUTH;
    }
    /* A schema that changed since makes step prepare anew, under the same guard. */
    if (result == SQLITE_OK) {
        result = run ? sqlite3_step(statement) : SQLITE_DONE;
    }
    if (result != SQLITE_DONE) {
        schema_write_refuse(self, type, name, result, error);
        goto out;
    }
    status = STATUS_OK;
out:
    sqlite3_finalize(statement);
    sqlite3_set_authorizer(self->control, NULL, NULL);
    return status;
}

enum status sqlite_schema_create(struct sqlite_database *self, const char *type, const char *name,
                                 const char *sql, struct error *error)
{
    return schema_write_create(self, type, name, sql, true, error);
}

enum status sqlite_schema_check(struct sqlite_database *self, const char *type, const char *name,
                                const char *sql, struct error *error)
{
    return schema_write_create(self, type, name, sql, false, error);
}

enum status sqlite_schema_find(struct sqlite_database *self, const char *type, const char *name,
                               struct arena *arena, const char **sql, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        self, self->control,
        "SELECT sql FROM main.sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE",
        &statement, error);

    *sql = NULL;
    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, type, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    if (result == SQLITE_DONE) {
        status = STATUS_END;
    } else if (result != SQLITE_ROW) {
        status = sqlite_target_error(self, self->control, result, ERROR_TARGET_INVALID,
                                     "its catalogue can't be read", error);
    } else if (sqlite3_column_type(statement, 0) == SQLITE_TEXT) {
        sqlite_copy_text(statement, 0, arena, sql);
    }
out:
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_column_type(struct database *database, const struct target_table *table,
                               const struct schema_column *column, struct buffer *out,
                               struct error *error)
{
    (void)database;
    (void)table;
    (void)error;
    sqlite_schema_append_type(column, out);
    return STATUS_OK;
}
