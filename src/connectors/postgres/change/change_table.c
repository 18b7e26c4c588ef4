/* Whole tables: made, dropped, given another name. */
#include "connectors/postgres/change/change.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- columns of a new table */

enum status change_refuse_referred(struct compiler *compiler, const struct altered_table *table,
                                   const struct altered_column *column, struct error *error)
{
    change_refused(compiler, error,
                   "%s.%s gets its new values in a second column, which has no unique constraint "
                   "before the change is completed: a foreign key of the same change can't refer "
                   "to it",
                   table->name, column->name);
    return error_hint(error, "Three files, each completed before the next one: drop_constraint of "
                             "the foreign keys; alter_column of both sides; create_constraint.");
}

/* The column of a key that the change makes anew. */
static struct altered_column *find_dual_key(const struct altered_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct altered_column *column = &table->columns[i];
        for (uint32_t j = 0; column->dual && column->old != NULL && j < table->key_count; j++) {
            if (strcmp(column->old, table->keys[j]) == 0) {
                return column;
            }
        }
    }
    return NULL;
}

enum status change_append_reference(struct compiler *compiler,
                                    const struct change_value *references, struct buffer *sql,
                                    struct error *error)
{
    static const char *const actions[][2] = {{"on_delete", " ON DELETE "},
                                             {"on_update", " ON UPDATE "}};
    struct altered_table *target;
    const char *name = change_text(references, "table");
    const struct change_value *columns = change_get(references, "columns");
    const char *column = change_text(references, "column");
    if (change_find_table(compiler, references, name, &target, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(sql, " REFERENCES %n.%n", compiler->schema, target->old);
    uint32_t count = columns != NULL ? columns->count : column != NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct altered_column *found;
        const char *text = columns != NULL ? columns->items[i].text : column;
        if (change_find_column(compiler, target, references, text, &found, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (found->dual && target->oid != NULL) {
            return change_refuse_referred(compiler, target, found, error);
        }
        found->referred = true;
        postgres_append(sql, "%s%n", i == 0 ? " (" : ", ", found->carrier);
    }
    const struct altered_column *key = count == 0 ? find_dual_key(target) : NULL;
    if (key != NULL) {
        return change_refuse_referred(compiler, target, key, error);
    }
    buffer_append_string(sql, count > 0 ? ")" : "");
    if (change_text(references, "match_type") != NULL) {
        buffer_format(sql, " MATCH %s", change_text(references, "match_type"));
    }
    for (size_t i = 0; i < 2; i++) {
        const char *action = change_text(references, actions[i][0]);
        if (action != NULL) {
            buffer_format(sql, "%s%s", actions[i][1], action);
        }
    }
    buffer_format(sql, "%s%s", change_is_true(references, "deferrable") ? " DEFERRABLE" : "",
                  change_is_true(references, "initially_deferred") ? " INITIALLY DEFERRED" : "");
    return STATUS_OK;
}

static void append_generated(const struct change_value *generated, struct buffer *sql)
{
    const struct change_value *identity = change_get(generated, "identity");
    const char *expression = change_text(generated, "expression");
    if (expression != NULL) {
        buffer_format(sql, " GENERATED ALWAYS AS (%s) STORED", expression);
    } else if (identity != NULL) {
        const char *values = change_text(identity, "user_specified_values");
        buffer_format(sql, " GENERATED %s AS IDENTITY", values != NULL ? values : "BY DEFAULT");
    }
}

static enum status append_column(struct compiler *compiler, const struct change_value *value,
                                 struct buffer *sql, struct error *error)
{
    const struct change_value *check = change_get(value, "check");
    const struct change_value *references = change_get(value, "references");
    const char *name = change_text(value, "name");
    const struct change_value *unique = change_get(value, "unique");
    postgres_append(sql, "%n %s", name, change_text(value, "type"));
    append_generated(change_get(value, "generated"), sql);
    if (change_text(value, "default") != NULL) {
        buffer_format(sql, " DEFAULT %s", change_text(value, "default"));
    }
    buffer_append_string(sql, change_is_true(value, "nullable") ? "" : " NOT NULL");
    if (change_text(unique, "name") != NULL) {
        postgres_append(sql, " CONSTRAINT %n", change_text(unique, "name"));
    }
    bool is_unique =
        unique != NULL && (unique->kind == CHANGE_MAP || change_is_true(value, "unique"));
    buffer_append_string(sql, is_unique ? " UNIQUE" : "");
    if (check != NULL) {
        const char *named = change_text(check, "name");
        buffer_append_string(sql, named != NULL ? " CONSTRAINT " : "");
        if (named != NULL) {
            postgres_append_name(sql, named);
        }
        buffer_format(sql, " CHECK (%s)", change_text(check, "constraint"));
    }
    if (references == NULL) {
        return STATUS_OK;
    }
    if (change_text(references, "name") != NULL) {
        postgres_append(sql, " CONSTRAINT %n", change_text(references, "name"));
    }
    return change_append_reference(compiler, references, sql, error);
}

static void append_names(const struct change_value *list, struct buffer *sql)
{
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        postgres_append(sql, "%s%n", i == 0 ? "(" : ", ", list->items[i].text);
    }
    buffer_append_string(sql, list != NULL ? ")" : "");
}

/* ---------------------------------------------------------------- constraints of one */

static void append_parameters(const struct change_value *parameters, struct buffer *sql)
{
    const struct change_value *include = change_get(parameters, "include_columns");
    if (include != NULL) {
        buffer_append_string(sql, " INCLUDE ");
        append_names(include, sql);
    }
    if (change_text(parameters, "storage_parameters") != NULL) {
        buffer_format(sql, " WITH (%s)", change_text(parameters, "storage_parameters"));
    }
    if (change_text(parameters, "tablespace") != NULL) {
        postgres_append(sql, " USING INDEX TABLESPACE %n", change_text(parameters, "tablespace"));
    }
}

static enum status append_constraint(struct compiler *compiler, const struct change_value *value,
                                     struct buffer *sql, struct error *error)
{
    const char *type = change_text(value, "type");
    const struct change_value *exclude = change_get(value, "exclude");
    enum status status = STATUS_OK;
    postgres_append(sql, "CONSTRAINT %n ", change_text(value, "name"));
    if (strcasecmp(type, "check") == 0) {
        buffer_format(sql, "CHECK (%s)%s", change_text(value, "check"),
                      change_is_true(value, "no_inherit") ? " NO INHERIT" : "");
        return change_text(value, "check") != NULL
                   ? STATUS_OK
                   : change_invalid(compiler, value, error, "a check needs 'check'");
    }
    if (strcasecmp(type, "exclude") == 0) {
        if (exclude == NULL) {
            return change_invalid(compiler, value, error, "an exclusion needs 'exclude'");
        }
        const char *method = change_text(exclude, "index_method");
        buffer_format(sql, "EXCLUDE USING %s (%s)", method != NULL ? method : "gist",
                      change_text(exclude, "elements"));
        append_parameters(change_get(value, "index_parameters"), sql);
        if (change_text(exclude, "predicate") != NULL) {
            buffer_format(sql, " WHERE (%s)", change_text(exclude, "predicate"));
        }
    } else {
        bool unique = strcasecmp(type, "unique") == 0;
        bool foreign = strcasecmp(type, "foreign_key") == 0;
        if (change_get(value, "columns") == NULL ||
            (foreign && change_get(value, "references") == NULL)) {
            return change_invalid(compiler, value, error, "it needs 'columns'%s",
                                  foreign ? " and 'references'" : "");
        }
        buffer_format(sql, "%s%s",
                      foreign  ? "FOREIGN KEY "
                      : unique ? "UNIQUE "
                               : "PRIMARY KEY ",
                      change_is_true(value, "nulls_not_distinct") ? "NULLS NOT DISTINCT " : "");
        append_names(change_get(value, "columns"), sql);
        if (foreign) {
            status = change_append_reference(compiler, change_get(value, "references"), sql, error);
        } else {
            append_parameters(change_get(value, "index_parameters"), sql);
        }
    }
    buffer_format(sql, "%s%s", change_is_true(value, "deferrable") ? " DEFERRABLE" : "",
                  change_is_true(value, "initially_deferred") ? " INITIALLY DEFERRED" : "");
    return status;
}

/* ---------------------------------------------------------------- making one */

/* The primary key of the columns that say `pk`. */
static void append_key(const struct change_value *columns, struct buffer *sql)
{
    bool any = false;
    for (uint32_t i = 0; i < columns->count; i++) {
        if (change_is_true(&columns->items[i], "pk")) {
            postgres_append(sql, "%s%n", any ? ", " : ", PRIMARY KEY (",
                            change_text(&columns->items[i], "name"));
            any = true;
        }
    }
    buffer_append_string(sql, any ? ")" : "");
}

static void append_comments(const struct compiler *compiler, const struct change_value *value,
                            struct buffer *sql)
{
    const struct change_value *columns = change_get(value, "columns");
    const char *name = change_text(value, "name");
    if (change_text(value, "comment") != NULL) {
        postgres_append(sql, "; COMMENT ON TABLE %n.%n IS %q", compiler->schema, name,
                        change_text(value, "comment"));
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *comment = change_text(&columns->items[i], "comment");
        if (comment != NULL) {
            postgres_append(sql, "; COMMENT ON COLUMN %n.%n.%n IS %q", compiler->schema, name,
                            change_text(&columns->items[i], "name"), comment);
        }
    }
}

static void append_options(const struct change_value *value, struct buffer *sql)
{
    const struct change_value *options = change_get(value, "options");
    if (options == NULL) {
        return;
    }
    buffer_format(sql, " WITH (%s", options->kind == CHANGE_TEXT ? options->text : "");
    for (uint32_t i = 0; options->kind == CHANGE_MAP && i < options->count; i++) {
        buffer_format(sql, "%s%s = %s", i > 0 ? ", " : "", options->keys[i],
                      options->items[i].text != NULL ? options->items[i].text : "");
    }
    buffer_append_byte(sql, ')');
}

static void note_columns(struct compiler *compiler, struct altered_table *table,
                         const struct change_value *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct change_value *value = &columns->items[i];
        struct altered_column *column = change_add_column(compiler, table);
        column->name = column->carrier = column->old = change_text(value, "name");
        column->type = column->old_type = change_text(value, "type");
        column->not_null = column->old_not_null = !change_is_true(value, "nullable");
        column->generated = change_get(value, "generated") != NULL;
    }
}

/* Does the table that has the name give it up with the same change? */
static bool is_given_up(const struct compiler *compiler, const char *name)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *table = compiler->tables[i];
        if (table->oid != NULL && strcmp(table->old, name) == 0) {
            return table->dropped || strcmp(table->name, name) != 0;
        }
    }
    return false;
}

/* `last`: the name is needed at the end only. */
static enum status check_free(struct compiler *compiler, const struct change_value *at,
                              const char *name, bool last, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->schema, name};
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *table = compiler->tables[i];
        if (strcmp(table->name, name) == 0 && !table->dropped) {
            return change_invalid(compiler, at, error, "%s is there already", name);
        }
    }
    if (last && is_given_up(compiler, name)) {
        return STATUS_OK;
    }
    if (change_query(compiler,
                     "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid "
                     "= c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
                     values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool taken = PQntuples(result) > 0;
    PQclear(result);
    return taken ? change_invalid(compiler, at, error, "%s is there already", name) : STATUS_OK;
}

/* The server tries it, before anything is made. */
enum status change_try_out(struct compiler *compiler, const char *text, struct error *error)
{
    struct error inner = {0};
    struct buffer sql = {0};
    buffer_append_string(&sql, "SAVEPOINT transhume_scratch");
    if (postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, text);
    enum status tried =
        postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, &inner);
    buffer_append_string(&sql, "ROLLBACK TO SAVEPOINT transhume_scratch");
    if (postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return tried == STATUS_OK ? STATUS_OK
                              : change_invalid(compiler, NULL, error, "%s", inner.message);
}

/* Do the statements refer to tables that are made by the change itself, too? */
static bool refers_to_made(const struct compiler *compiler, const struct change_value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct change_value *item = &value->items[i];
        const char *target = value->kind == CHANGE_MAP && strcmp(value->keys[i], "references") == 0
                                 ? change_text(item, "table")
                                 : NULL;
        for (uint32_t j = 0; target != NULL && j < compiler->table_count; j++) {
            const struct altered_table *table = compiler->tables[j];
            if (table->oid == NULL && strcmp(table->name, target) == 0) {
                return true;
            }
        }
        if (refers_to_made(compiler, item)) {
            return true;
        }
    }
    return false;
}

enum status change_create_table(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    const char *name = change_text(value, "name");
    const struct change_value *columns = change_get(value, "columns");
    const struct change_value *constraints = change_get(value, "constraints");
    struct buffer sql = {0};
    enum status status = check_free(compiler, value, name, false, error);
    postgres_append(&sql, "CREATE TABLE %n.%n (", compiler->schema, name);
    for (uint32_t i = 0; i < columns->count && status == STATUS_OK; i++) {
        buffer_append_string(&sql, i > 0 ? ", " : "");
        status = append_column(compiler, &columns->items[i], &sql, error);
    }
    append_key(columns, &sql);
    for (uint32_t i = 0; constraints != NULL && i < constraints->count && status == STATUS_OK;
         i++) {
        buffer_append_string(&sql, ", ");
        status = append_constraint(compiler, &constraints->items[i], &sql, error);
    }
    buffer_append_byte(&sql, ')');
    if (change_text(value, "partition_by") != NULL) {
        buffer_format(&sql, " PARTITION BY %s", change_text(value, "partition_by"));
    }
    append_options(value, &sql);
    append_comments(compiler, value, &sql);
    const char *text = change_text_of(compiler, &sql);
    if (status == STATUS_OK && !refers_to_made(compiler, value)) {
        status = change_try_out(compiler, text, error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct altered_table *table = change_add_table(compiler);
    table->name = table->old = name;
    note_columns(compiler, table, columns);
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
                     arena_format(compiler->arena, "create table %s", name), text,
                     change_sql(compiler, "DROP TABLE IF EXISTS %n.%n", compiler->schema, name));
    change_way_add(compiler, "at once; an abort drops it with what was written there", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- dropping, renaming */

enum status change_check_referrers(struct compiler *compiler, const struct altered_table *table,
                                   struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, compiler->old_views};
    if (table->oid == NULL) {
        return STATUS_OK;
    }
    if (change_query(
            compiler,
            "SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) FROM "
            "pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = "
            "'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid LEFT JOIN "
            "pg_catalog.pg_class v ON v.oid = r.ev_class LEFT JOIN pg_catalog.pg_constraint k ON "
            "d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid WHERE "
            "d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = "
            "$1::pg_catalog.oid AND d.deptype = 'n' AND ((k.oid IS NOT NULL AND k.conrelid <> "
            "d.refobjid) OR (v.oid IS NOT NULL AND v.relnamespace NOT IN (SELECT n.oid FROM "
            "pg_catalog.pg_namespace n WHERE n.nspname = ANY ($2::text[])))) LIMIT 1",
            values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = PQntuples(result) == 0
                             ? STATUS_OK
                             : change_refused(compiler, error, "%s stands on %s: drop it first",
                                              PQgetvalue(result, 0, 0), table->name);
    PQclear(result);
    return status;
}

enum status change_drop_table(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    struct altered_table *table;
    if (change_find_table(compiler, value, change_text(value, "name"), &table, error) !=
            STATUS_OK ||
        change_check_referrers(compiler, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->dropped = true;
    table->touched = true;
    change_way_add(compiler, "hidden from the new version, dropped at the end",
                   "its rows are gone with `complete`");
    postgres_append(&table->late, "DROP TABLE %n.%n;\n", compiler->schema, table->old);
    table->operation = compiler->number;
    return STATUS_OK;
}

enum status change_rename_table(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    struct altered_table *table;
    const char *to = change_text(value, "to");
    if (change_find_table(compiler, value, change_text(value, "from"), &table, error) !=
            STATUS_OK ||
        check_free(compiler, value, to, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->name = to;
    table->touched = true;
    table->operation = compiler->number;
    change_way_add(compiler, "a view has the new name, the table gets it at the end", NULL);
    return STATUS_OK;
}

/* Over a table that has nothing to lock. */
static enum status try_options(struct compiler *compiler, const struct altered_table *table,
                               const char *options, struct error *error)
{
    return change_try_out(compiler,
                          arena_format(compiler->arena,
                                       "CREATE TEMP TABLE _transhume_scratch (k int)%s; ALTER "
                                       "TABLE pg_temp._transhume_scratch SET%s",
                                       table->partitioned ? " PARTITION BY LIST (k)" : "", options),
                          error);
}

enum status change_set_table(struct compiler *compiler, const struct change_value *value,
                             struct error *error)
{
    struct altered_table *table;
    const struct change_value *comment = change_get(value, "comment");
    struct buffer options = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    append_options(value, &options);
    enum status status = STATUS_OK;
    if (options.length > 0) {
        const char *set = buffer_string(&options) + strlen(" WITH");
        status = try_options(compiler, table, set, error);
        postgres_append(&table->contract, "ALTER TABLE %n.%n SET%s;\n", compiler->schema,
                        table->old, set);
    }
    buffer_free(&options);
    if (comment != NULL && comment->kind == CHANGE_TEXT) {
        postgres_append(&table->contract, "COMMENT ON TABLE %n.%n IS %q;\n", compiler->schema,
                        table->old, comment->text);
    } else if (comment != NULL) {
        postgres_append(&table->contract, "COMMENT ON TABLE %n.%n IS NULL;\n", compiler->schema,
                        table->old);
    }
    table->operation = compiler->number;
    change_way_add(compiler, "in place, at the end", NULL);
    return status;
}
