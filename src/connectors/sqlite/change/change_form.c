/* The new form of a table: the operations on it carried out in a scratch file, without rows. */
#include "connectors/sqlite/change/change.h"
#include "sql/statement.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool sqlite_change_is_of_table(const char *kind)
{
    static const char *const kinds[] = {"add_column",        "drop_column",     "rename_column",
                                        "alter_column",      "create_index",    "drop_index",
                                        "create_constraint", "drop_constraint", "alter"};
    bool found = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        found = found || strcmp(kinds[i], kind) == 0;
    }
    return found;
}

/* ---------------------------------------------------------------- the scratch file */

static enum status change_form_execute(struct sqlite_change_form *form, const char *sql,
                                       struct error *error)
{
    if (sqlite3_exec(form->scratch, sql, NULL, NULL, NULL) == SQLITE_OK) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_INVALID, form->table, "SQLite refuses it: %.600s",
              sqlite3_errmsg(form->scratch));
    return error_hint(error, "it was tried on an empty copy of the table; nothing was touched");
}

static enum status execute_buffer(struct sqlite_change_form *form, struct buffer *sql,
                                  struct error *error)
{
    enum status status = change_form_execute(form, buffer_string(sql), error);
    buffer_free(sql);
    *sql = (struct buffer){0};
    return status;
}

enum status sqlite_change_form_ask(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                                   const char *sql, struct sql_shadow_rows *rows,
                                   struct error *error)
{
    struct sqlite_alter beside = *plan->session;
    beside.connection = form->scratch;
    return sqlite_change_query(&beside.base, sqlite_sql("%s", sql), plan->arena, rows, error);
}

enum status sqlite_change_form_open(struct sqlite_change_plan *plan, const char *table,
                                    struct sqlite_change_form *form, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    *form = (struct sqlite_change_form){.table = table};
    sqlite_append(
        &sql,
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = %q COLLATE NOCASE AND type IN "
        "('table', 'index') AND sql IS NOT NULL ORDER BY type = 'index', rowid",
        table);
    if (sqlite_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rows.count == 0) {
        return error_set(error, ERROR_CHANGE_INVALID, table, "there is no such table");
    }
    sqlite_check_memory(sqlite3_open_v2(":memory:", &form->scratch,
                                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < rows.count && status == STATUS_OK; i++) {
        status = change_form_execute(form, rows.cells[i][0], error);
    }
    return status;
}

void sqlite_change_form_close(struct sqlite_change_form *form)
{
    sqlite3_close(form->scratch);
}

/* ---------------------------------------------------------------- pieces */

static void append_names(struct buffer *sql, const struct change_value *names)
{
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        sqlite_append(sql, "%s%n", i > 0 ? ", " : "", names->items[i].text);
    }
}

static void append_reference(struct buffer *sql, const struct change_value *reference)
{
    const char *column = change_text(reference, "column");
    const char *const actions[][2] = {{"on_delete", "DELETE"}, {"on_update", "UPDATE"}};
    sqlite_append(sql, " REFERENCES %n", change_text(reference, "table"));
    if (column != NULL) {
        sqlite_append(sql, " (%n)", column);
    } else if (change_get(reference, "columns") != NULL) {
        buffer_append_string(sql, " (");
        append_names(sql, change_get(reference, "columns"));
        buffer_append_byte(sql, ')');
    }
    for (size_t i = 0; i < 2; i++) {
        const char *action = change_text(reference, actions[i][0]);
        if (action != NULL) {
            buffer_format(sql, " ON %s %s", actions[i][1], action);
        }
    }
}

void sqlite_change_append_column(struct buffer *sql, const struct change_value *column)
{
    const struct change_value *generated = change_get(column, "generated");
    const char *expression = change_text(generated, "expression");
    const char *set = change_text(column, "default");
    const struct change_value *check = change_get(column, "check");
    sqlite_append(sql, "%n %s%s%s", change_text(column, "name"), change_text(column, "type"),
                  change_is_true(column, "pk") ? " PRIMARY KEY" : "",
                  !change_is_true(column, "nullable") ? " NOT NULL" : "");
    if (change_get(column, "unique") != NULL &&
        (change_is_true(column, "unique") || change_get(column, "unique")->kind == CHANGE_MAP)) {
        buffer_append_string(sql, " UNIQUE");
    }
    if (set != NULL) {
        buffer_format(sql, " DEFAULT (%s)", set);
    }
    if (check != NULL) {
        buffer_format(sql, " CHECK (%s)", change_text(check, "constraint"));
    }
    if (expression != NULL) {
        buffer_format(sql, " GENERATED ALWAYS AS (%s) VIRTUAL", expression);
    }
    if (change_get(column, "references") != NULL) {
        append_reference(sql, change_get(column, "references"));
    }
}

static void append_constraint(struct buffer *sql, const struct change_value *value)
{
    const char *type = change_text(value, "type");
    sqlite_append(sql, "CONSTRAINT %n ", change_text(value, "name"));
    if (strcmp(type, "check") == 0) {
        buffer_format(sql, "CHECK (%s)", change_text(value, "check"));
        return;
    }
    buffer_append_string(sql, strcmp(type, "unique") == 0        ? "UNIQUE ("
                              : strcmp(type, "primary_key") == 0 ? "PRIMARY KEY ("
                                                                 : "FOREIGN KEY (");
    append_names(sql, change_get(value, "columns"));
    buffer_append_byte(sql, ')');
    if (change_get(value, "references") != NULL) {
        append_reference(sql, change_get(value, "references"));
    }
}

void sqlite_change_append_create(struct buffer *sql, const struct change_value *value)
{
    const struct change_value *columns = change_get(value, "columns");
    const struct change_value *constraints = change_get(value, "constraints");
    sqlite_append(sql, "CREATE TABLE %n (", change_text(value, "name"));
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        sqlite_change_append_column(sql, &columns->items[i]);
    }
    for (uint32_t i = 0; constraints != NULL && i < constraints->count; i++) {
        buffer_append_string(sql, ", ");
        append_constraint(sql, &constraints->items[i]);
    }
    buffer_append_byte(sql, ')');
}

void sqlite_change_append_index(struct buffer *sql, const struct change_value *value)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *predicate = change_text(value, "predicate");
    sqlite_append(sql, "CREATE %sINDEX %n ON %n (",
                  change_is_true(value, "unique") ? "UNIQUE " : "", change_text(value, "name"),
                  change_text(value, "table"));
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        const char *expression = change_text(column, "expression");
        const char *collate = change_text(column, "collate");
        const char *sort = change_text(column, "sort");
        buffer_append_string(sql, i > 0 ? ", " : "");
        if (expression != NULL) {
            buffer_format(sql, "(%s)", expression);
        } else {
            sqlite_append(sql, "%n", change_text(column, "column"));
        }
        buffer_format(sql, "%s%s%s%s", collate != NULL ? " COLLATE " : "",
                      collate != NULL ? collate : "", sort != NULL ? " " : "",
                      sort != NULL ? sort : "");
    }
    buffer_append_byte(sql, ')');
    if (predicate != NULL) {
        buffer_format(sql, " WHERE %s", predicate);
    }
}

/* ---------------------------------------------------------------- a definition made anew */

static enum status read_table(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                              const char **text, struct sql_statement *statement,
                              struct sql_shadow_rows *indexes, struct error *error)
{
    struct sql_shadow_rows rows;
    enum status status = sqlite_change_form_ask(
        plan, form,
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'", &rows,
        error);
    if (status != STATUS_OK) {
        return status;
    }
    *text = rows.cells[0][0];
    const struct sql_piece piece = {.text = *text,
                                    .length = strlen(*text),
                                    .run = *text,
                                    .run_length = strlen(*text),
                                    .run_place = {0, 1, 1},
                                    .place = {0, 1, 1}};
    sql_statement_read(SQL_SQLITE, &piece, plan->arena, statement);
    return sqlite_change_form_ask(
        plan, form, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
        indexes, error);
}

/* `text` with the bytes of `span` replaced, in the place of the table that is there. */
static enum status change_form_replace(struct sqlite_change_form *form, const char *text,
                                       const struct sql_span *span, struct buffer *with,
                                       const struct sql_shadow_rows *indexes, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "DROP TABLE %n;%S%b%s", form->table, text, (size_t)(span->text - text),
                  with, span->text + span->length);
    buffer_free(with);
    enum status status = execute_buffer(form, &sql, error);
    for (uint32_t i = 0; i < indexes->count && status == STATUS_OK; i++) {
        status = change_form_execute(form, indexes->cells[i][0], error);
    }
    return status;
}

static void add_value(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                      const char *column, const char *old, const char *up)
{
    form->values = arena_make_room(plan->arena, form->values, form->value_count,
                                   &form->value_capacity, sizeof *form->values);
    form->values[form->value_count++] =
        (struct sqlite_change_value){.column = column, .old = old, .up = up};
}

/* All that the column has, but for what is said anew. */
static void append_changed(struct buffer *sql, const struct change_value *value,
                           const struct sql_column_named *column)
{
    const char *name = change_text(value, "name");
    const char *type = change_text(value, "type");
    const char *nullable = change_text(value, "nullable");
    const struct change_value *set = change_get(value, "default");
    const struct change_value *check = change_get(value, "check");
    sqlite_append(sql, "%n ", name != NULL ? name : column->name.name);
    if (type != NULL) {
        buffer_append_string(sql, type);
    } else {
        buffer_append(sql, column->type.span.text, column->type.span.length);
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        const struct sql_constraint *part = &column->constraints[i];
        bool null = part->kind == SQL_CONSTRAINT_NOT_NULL || part->kind == SQL_CONSTRAINT_NULL;
        if ((null && nullable != NULL) || (part->kind == SQL_CONSTRAINT_DEFAULT && set != NULL)) {
            continue;
        }
        sqlite_append(sql, " %S", part->span.text, part->span.length);
    }
    if (nullable != NULL && strcasecmp(nullable, "false") == 0) {
        buffer_append_string(sql, " NOT NULL");
    }
    if (set != NULL && set->kind == CHANGE_TEXT) {
        buffer_format(sql, " DEFAULT (%s)", set->text);
    }
    if (check != NULL) {
        buffer_format(sql, " CHECK (%s)", change_text(check, "constraint"));
    }
    if (change_get(value, "unique") != NULL) {
        buffer_append_string(sql, " UNIQUE");
    }
    if (change_get(value, "references") != NULL) {
        append_reference(sql, change_get(value, "references"));
    }
}

/* From the column's name to its last constraint. */
static struct sql_span column_span(const struct sql_column_named *column)
{
    struct sql_span span = column->name.span;
    const char *end = span.text + span.length;
    if (column->type.span.text != NULL) {
        end = column->type.span.text + column->type.span.length;
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        const struct sql_span *part = &column->constraints[i].span;
        end = part->text + part->length > end ? part->text + part->length : end;
    }
    span.length = (size_t)(end - span.text);
    return span;
}

static enum status alter_column(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                                const struct change_value *value, struct error *error)
{
    const char *name = change_text(value, "column");
    const char *then = change_text(value, "name");
    const char *text = NULL;
    struct sql_statement statement;
    struct sql_shadow_rows indexes;
    struct buffer column = {0};
    if (read_table(plan, form, &text, &statement, &indexes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < statement.column_count; i++) {
        if (strcasecmp(statement.columns[i].name.name, name) == 0) {
            struct sql_span span = column_span(&statement.columns[i]);
            append_changed(&column, value, &statement.columns[i]);
            add_value(plan, form, then != NULL ? then : name, name, change_text(value, "up"));
            return change_form_replace(form, text, &span, &column, &indexes, error);
        }
    }
    return sqlite_change_invalid(value, form->table, "there is no such column", error);
}

static enum status create_constraint(struct sqlite_change_plan *plan,
                                     struct sqlite_change_form *form,
                                     const struct change_value *value, struct error *error)
{
    const char *text = NULL;
    struct sql_statement statement;
    struct sql_shadow_rows indexes;
    struct buffer with = {0};
    const struct change_value *up = change_get(value, "up");
    if (read_table(plan, form, &text, &statement, &indexes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *end = statement.options.text != NULL ? statement.options.text : text + strlen(text);
    while (end > text && *end != ')') {
        end--;
    }
    const struct sql_span span = {.text = end, .length = 0};
    buffer_append_string(&with, ", ");
    append_constraint(&with, value);
    for (uint32_t i = 0; up != NULL && up->kind == CHANGE_MAP && i < up->count; i++) {
        add_value(plan, form, up->keys[i], up->keys[i], up->items[i].text);
    }
    return change_form_replace(form, text, &span, &with, &indexes, error);
}

static enum status drop_constraint(struct sqlite_change_plan *plan, struct sqlite_change_form *form,
                                   const struct change_value *value, struct error *error)
{
    const char *text = NULL;
    const char *name = change_text(value, "name");
    struct sql_statement statement;
    struct sql_shadow_rows indexes;
    struct buffer nothing = {0};
    if (read_table(plan, form, &text, &statement, &indexes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < statement.constraint_count; i++) {
        const struct sql_constraint *constraint = &statement.constraints[i];
        if (constraint->name.name != NULL && strcasecmp(constraint->name.name, name) == 0) {
            struct sql_span span = constraint->span;
            while (span.text > text && *span.text != ',') {
                span.text--;
                span.length++;
            }
            return change_form_replace(form, text, &span, &nothing, &indexes, error);
        }
    }
    return sqlite_change_invalid(value, form->table, "there is no such constraint of the table",
                                 error);
}

/* ---------------------------------------------------------------- operations */

enum status sqlite_change_form_apply(struct sqlite_change_plan *plan,
                                     struct sqlite_change_form *form,
                                     const struct change_operation *operation, struct error *error)
{
    const struct change_value *value = &operation->value;
    const char *kind = operation->kind;
    const char *column = change_text(value, "column");
    struct buffer sql = {0};
    if (strcmp(kind, "alter_column") == 0) {
        return alter_column(plan, form, value, error);
    }
    if (strcmp(kind, "create_constraint") == 0) {
        return create_constraint(plan, form, value, error);
    }
    if (strcmp(kind, "drop_constraint") == 0) {
        return drop_constraint(plan, form, value, error);
    }
    if (strcmp(kind, "add_column") == 0) {
        const struct change_value *added = change_get(value, "column");
        sqlite_append(&sql, "ALTER TABLE %n ADD COLUMN ", form->table);
        sqlite_change_append_column(&sql, added);
        add_value(plan, form, change_text(added, "name"), NULL, change_text(value, "up"));
    } else if (strcmp(kind, "drop_column") == 0) {
        sqlite_append(&sql, "ALTER TABLE %n DROP COLUMN %n", form->table, column);
    } else if (strcmp(kind, "rename_column") == 0) {
        sqlite_append(&sql, "ALTER TABLE %n RENAME COLUMN %n TO %n", form->table,
                      change_text(value, "from"), change_text(value, "to"));
        add_value(plan, form, change_text(value, "to"), change_text(value, "from"), NULL);
    } else if (strcmp(kind, "create_index") == 0) {
        sqlite_change_append_index(&sql, value);
    } else if (strcmp(kind, "drop_index") == 0) {
        sqlite_append(&sql, "DROP INDEX %n", change_text(value, "name"));
    } else {
        return sqlite_change_invalid(
            value, form->table, "clauses of ALTER TABLE are one operation each in SQLite", error);
    }
    return execute_buffer(form, &sql, error);
}
