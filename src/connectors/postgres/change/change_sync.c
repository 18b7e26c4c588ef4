/*
 * Tables that are kept equal by triggers on both: what a row's write means for the other table is
 * done in the same transaction. A write that a trigger makes does not come back, which the setting
 * transhume.sync says while it is made.
 */
#include "connectors/postgres/change/change.h"
#include <string.h>

const char *change_place(struct compiler *compiler, const struct altered_table *table)
{
    return change_sql(compiler, "%n.%n", compiler->schema, table->old);
}

const char *change_space(const struct altered_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->dual && strcmp(column->carrier, name) == 0) {
            return column->new_space;
        }
        if (strcmp(column->carrier, name) == 0 ||
            (column->old != NULL && strcmp(column->old, name) == 0)) {
            return column->space;
        }
    }
    return NULL;
}

const char *change_equals(struct compiler *compiler, const struct altered_table *table,
                          const char *name)
{
    const char *space = change_space(table, name);
    return arena_format(compiler->arena, "OPERATOR(%s.=)", space != NULL ? space : "pg_catalog");
}

/* "a.k = b.k AND …" */
const char *change_match(struct compiler *compiler, const struct altered_table *table,
                         const char *left, const char *right)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < table->key_count; i++) {
        postgres_append(&sql, "%s%s.%n %s %s.%n", i > 0 ? " AND " : "", left, table->keys[i],
                        change_equals(compiler, table, table->keys[i]), right, table->keys[i]);
    }
    return change_text_of(compiler, &sql);
}

enum status change_need_key(const struct compiler *compiler, const struct altered_table *table,
                            struct error *error)
{
    return table->key_count > 0
               ? STATUS_OK
               : change_refused(compiler, error,
                                "%s has no primary key, by which rows are told apart", table->name);
}

/* One of them does not contract without the other one. */
static void join_groups(struct compiler *compiler, const struct altered_table *table,
                        const struct altered_table *other)
{
    uint32_t from = other->group;
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        if (compiler->tables[i]->group == from) {
            compiler->tables[i]->group = table->group;
        }
    }
}

/* The way back of a table that the change makes: it goes together with the trigger by which it
 * follows, so that nobody writes a row that only it has, and nobody's write fails for its lack. */
static const char *drop_with_table(struct compiler *compiler, const struct altered_table *table,
                                   const struct altered_table *other)
{
    const char *trigger =
        change_short_name(compiler, "~_transhume_follow_",
                          arena_format(compiler->arena, "%s_%s", table->old, other->old));
    return change_sql(compiler, "DROP TRIGGER IF EXISTS %n ON %s; DROP TABLE IF EXISTS %s", trigger,
                      change_place(compiler, other), change_place(compiler, table));
}

void change_sync(struct compiler *compiler, struct altered_table *table,
                 struct altered_table *other, const char *body)
{
    const char *to = other->old;
    const char *place = change_place(compiler, table);
    const char *name = change_short_name(compiler, "_transhume_follow_",
                                         arena_format(compiler->arena, "%s_%s", to, table->old));
    const char *trigger = change_short_name(compiler, "~_transhume_follow_",
                                            arena_format(compiler->arena, "%s_%s", to, table->old));
    const char *version = compiler->change->version;
    /* Who may write the one table need not be allowed to write the other one. */
    const char *path = compiler->path[0] != '\0' ? compiler->path : "pg_catalog";
    join_groups(compiler, table, other);
    const char *text = change_sql(
        compiler,
        "BEGIN\n  PERFORM pg_catalog.set_config('transhume.sync', %q, true);\n%s"
        "  PERFORM pg_catalog.set_config('transhume.sync', '', true);\n  RETURN NULL;\nEND",
        version, body);
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "function by which %s follows %s", to, table->name),
        change_sql(compiler,
                   "CREATE OR REPLACE FUNCTION %n.%n() RETURNS trigger LANGUAGE "
                   "plpgsql SECURITY DEFINER SET search_path = %s, pg_temp AS %q; ALTER FUNCTION "
                   "%n.%n() OWNER TO CURRENT_USER",
                   compiler->schema, name, path, text, compiler->schema, name),
        change_sql(compiler, "DROP FUNCTION IF EXISTS %n.%n()", compiler->schema, name));
    struct change_step *step = change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_WRITES,
        arena_format(compiler->arena, "trigger by which %s follows %s", to, table->name),
        change_sql(compiler,
                   "CREATE TRIGGER %n AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN "
                   "(pg_catalog.current_setting('transhume.sync', true) IS DISTINCT FROM %q) "
                   "EXECUTE FUNCTION %n.%n(); ALTER TABLE %s ENABLE ALWAYS TRIGGER %n",
                   trigger, place, version, compiler->schema, name, place, trigger),
        table->oid != NULL ? change_sql(compiler, "DROP TRIGGER IF EXISTS %n ON %s", trigger, place)
                           : drop_with_table(compiler, table, other));
    step->joined = true;
    postgres_append(&table->contract, "DROP TRIGGER %n ON %s;\nDROP FUNCTION %n.%n();\n", trigger,
                    place, compiler->schema, name);
}

/* ---------------------------------------------------------------- columns in lists */

static const char *expression_of(const struct change_value *map, const char *name)
{
    return change_text(map, name);
}

/* The expressions that the second table's columns are made of, in its order; NULL: the column is
 * the server's. */
static const char *value_of(struct compiler *compiler, const struct change_value *map,
                            const struct altered_column *column)
{
    const char *text = expression_of(map, column->name);
    return text != NULL ? text : change_sql(compiler, "%n", column->name);
}

struct copy {
    struct compiler *compiler;
    struct altered_table *first;
    struct altered_table *second;
    const struct change_value *columns;
    const struct change_value *back;
};

static void append_names(const struct altered_table *table, struct buffer *sql)
{
    const char *comma = "";
    for (uint32_t i = 0; i < table->count; i++) {
        if (!table->columns[i].generated) {
            postgres_append(sql, "%s%n", comma, table->columns[i].name);
            comma = ", ";
        }
    }
}

static void append_values(struct compiler *compiler, const struct altered_table *table,
                          const struct change_value *map, struct buffer *sql)
{
    const char *comma = "";
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->generated) {
            buffer_format(sql, "%sCAST((%s\n) AS %s)", comma, value_of(compiler, map, column),
                          column->assigned != NULL ? column->assigned : column->type);
            comma = ", ";
        }
    }
}

static void append_set(const struct altered_table *table, struct buffer *sql)
{
    const char *comma = "";
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->generated && !column->identity) {
            postgres_append(sql, "%s%n = excluded.%n", comma, column->name, column->name);
            comma = ", ";
        }
    }
}

static void append_keys(const struct altered_table *table, struct buffer *sql)
{
    for (uint32_t i = 0; i < table->key_count; i++) {
        postgres_append(sql, "%s%n", i > 0 ? ", " : "", table->keys[i]);
    }
}

/* "INSERT … SELECT … FROM source ON CONFLICT (key) DO UPDATE SET …" */
static void append_upsert(struct compiler *compiler, const struct altered_table *into,
                          const struct change_value *map, struct buffer *sql)
{
    postgres_append(sql, "    INSERT INTO %s (", change_place(compiler, into));
    append_names(into, sql);
    buffer_append_string(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    append_values(compiler, into, map, sql);
    buffer_append_string(sql, " FROM (SELECT NEW.*) AS written ON CONFLICT (");
    append_keys(into, sql);
    buffer_append_string(sql, ") DO UPDATE SET ");
    append_set(into, sql);
    buffer_append_string(sql, ";\n");
}

static void follow(const struct copy *copy, struct altered_table *from, struct altered_table *into,
                   const struct change_value *map)
{
    struct compiler *compiler = copy->compiler;
    struct buffer body = {0};
    const char *into_place = change_place(compiler, into);
    const char *moved = change_match(compiler, from, "OLD", "NEW");
    buffer_format(&body,
                  "  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND NOT (%s)) THEN\n"
                  "    DELETE FROM %s AS t WHERE %s;\n  END IF;\n  IF TG_OP <> 'DELETE' THEN\n",
                  moved, into_place, change_match(compiler, from, "t", "OLD"));
    append_upsert(compiler, into, map, &body);
    buffer_append_string(&body, "  END IF;\n");
    change_sync(compiler, from, into, change_text_of(compiler, &body));
}

/* ---------------------------------------------------------------- copy_table */

/* On the second table while it is empty. */
static enum status append_foreign_keys(const struct copy *copy, const char *second,
                                       struct buffer *sql, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {copy->first->oid};
    if (change_query(copy->compiler,
                     "SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid) FROM "
                     "pg_catalog.pg_constraint k WHERE k.conrelid = $1::pg_catalog.oid AND "
                     "k.contype = 'f' ORDER BY 1",
                     values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (!change_is_gone(copy->compiler, PQgetvalue(result, row, 0))) {
            postgres_append(sql, "ALTER TABLE %s ADD CONSTRAINT %n %s; ", second,
                            PQgetvalue(result, row, 0), PQgetvalue(result, row, 1));
        }
    }
    PQclear(result);
    return STATUS_OK;
}

static void append_owner(const char *first, const char *second, struct buffer *sql)
{
    postgres_append(sql,
                    "DO $transhume$ DECLARE o record; BEGIN FOR o IN SELECT "
                    "pg_catalog.pg_get_userbyid(c.relowner) AS name FROM pg_catalog.pg_class c "
                    "WHERE c.oid = pg_catalog.to_regclass(%q) AND "
                    "pg_catalog.pg_get_userbyid(c.relowner) <> current_user LOOP EXECUTE "
                    "pg_catalog.format('ALTER TABLE %%s OWNER TO %%I', %q, o.name); END LOOP; END "
                    "$transhume$; ",
                    first, second);
}

static enum status make_second(struct copy *copy, const struct change_value *value,
                               struct error *error)
{
    struct compiler *compiler = copy->compiler;
    const struct change_value *types = change_get(value, "types");
    const char *name = change_text(value, "to");
    const char *first = change_place(compiler, copy->first);
    struct buffer sql = {0};
    const char *second = change_sql(compiler, "%n.%n", compiler->schema, name);
    postgres_append(&sql, "CREATE TABLE %s (LIKE %s INCLUDING ALL)", second, first);
    copy->second = change_add_table(compiler);
    copy->second->name = copy->second->old = name;
    for (uint32_t i = 0; i < copy->first->count; i++) {
        struct altered_column *column = change_add_column(compiler, copy->second);
        *column = copy->first->columns[i];
    }
    for (uint32_t i = 0; types != NULL && i < types->count; i++) {
        struct altered_column *column = change_column_named(copy->second, types->keys[i]);
        const char *type = types->items[i].text;
        if (column == NULL) {
            column = change_add_column(compiler, copy->second);
            column->name = column->carrier = column->old = types->keys[i];
            postgres_append(&sql, "; ALTER TABLE %s ADD COLUMN %n %s", second, column->name, type);
        } else {
            postgres_append(&sql,
                            "; ALTER TABLE %s ALTER COLUMN %n DROP DEFAULT, ALTER COLUMN %n TYPE "
                            "%s USING NULL",
                            second, column->name, column->name, type);
        }
        const char *collation = NULL;
        column->type = column->old_type = type;
        if (change_read_type(compiler, column, type, &collation, error) != STATUS_OK) {
            buffer_free(&sql);
            return STATUS_FAILED;
        }
    }
    buffer_append_string(&sql, "; ");
    if (append_foreign_keys(copy, second, &sql, error) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    append_owner(first, second, &sql);
    change_append_grants(first, second, NULL, &sql);
    copy->second->keys = copy->first->keys;
    copy->second->key_types = copy->first->key_types;
    copy->second->key_count = copy->first->key_count;
    const char *text = change_text_of(compiler, &sql);
    if (change_try_out(compiler, text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
                     arena_format(compiler->arena, "second table %s", name), text,
                     change_sql(compiler, "DROP TABLE IF EXISTS %s", second));
    return STATUS_OK;
}

/* Equal rows on both sides, by the first one's key. */
static void prove_copy(const struct copy *copy, enum change_phase phase)
{
    struct compiler *compiler = copy->compiler;
    struct buffer holds = {0};
    postgres_append(
        &holds, "EXISTS (SELECT 1 FROM %s AS s WHERE %s", change_place(compiler, copy->second),
        change_match(compiler, copy->first, "s", change_sql(compiler, "%n", copy->first->old)));
    for (uint32_t i = 0; i < copy->second->count; i++) {
        const struct altered_column *column = &copy->second->columns[i];
        if (column->generated) {
            continue;
        }
        const char *text = expression_of(copy->columns, column->name);
        const char *first = copy->first->old;
        /* Its names are the first table's, and the second one's come before them. */
        const char *value = text != NULL ? change_sql(compiler,
                                                      "CAST((SELECT %s\n FROM (SELECT %n.*) AS "
                                                      "%n) AS %s)",
                                                      text, first, first, column->type)
                                         : change_sql(compiler, "CAST((%n.%n) AS %s)", first,
                                                      column->name, column->type);
        postgres_append(&holds, " AND %s",
                        change_compare(compiler, NULL, true,
                                       change_sql(compiler, "s.%n", column->name), value));
    }
    buffer_append_byte(&holds, ')');
    change_prove(
        compiler, phase, copy->first,
        arena_format(compiler->arena, "prove that %s is %s", copy->second->name, copy->first->name),
        change_text_of(compiler, &holds), false);
    postgres_append(
        &holds, "EXISTS (SELECT 1 FROM %s AS s WHERE %s)", change_place(compiler, copy->first),
        change_match(compiler, copy->first, "s", change_sql(compiler, "%n", copy->second->old)));
    change_prove(compiler, phase, copy->second,
                 arena_format(compiler->arena, "prove that %s has no more rows than %s",
                              copy->second->name, copy->first->name),
                 change_text_of(compiler, &holds), false);
}

/* From here on only the second one is written; the first one follows it, for the way back. */
static void change_sync_fence(const struct copy *copy)
{
    struct compiler *compiler = copy->compiler;
    const char *place = change_place(compiler, copy->first);
    const char *name = change_short_name(compiler, "_transhume_fence_", copy->first->old);
    const char *body = change_sql(
        compiler,
        "BEGIN RAISE EXCEPTION 'writes to %%.%% were led over to %%.%%', TG_TABLE_SCHEMA, "
        "TG_TABLE_NAME, %q, %q USING ERRCODE = 'object_not_in_prerequisite_state'; END",
        compiler->schema, copy->second->old);
    change_statement(
        compiler, CHANGE_SWITCH_WRITES, ALTER_LOCK_WRITES,
        arena_format(compiler->arena, "writes go to %s", copy->second->name),
        change_sql(
            compiler,
            "CREATE OR REPLACE FUNCTION %n.%n() RETURNS trigger LANGUAGE plpgsql AS %q; "
            "ALTER FUNCTION %n.%n() OWNER TO CURRENT_USER; CREATE TRIGGER %n BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN "
            "(pg_catalog.current_setting('transhume.sync', true) IS DISTINCT FROM %q) "
            "EXECUTE FUNCTION %n.%n()",
            compiler->schema, name, body, compiler->schema, name, name, place,
            compiler->change->version, compiler->schema, name),
        change_sql(compiler, "DROP TRIGGER IF EXISTS %n ON %s; DROP FUNCTION IF EXISTS %n.%n()",
                   name, place, compiler->schema, name));
    postgres_append(&copy->first->contract, "DROP TRIGGER %n ON %s;\nDROP FUNCTION %n.%n();\n",
                    name, place, compiler->schema, name);
}

static void fill_copy(const struct copy *copy)
{
    struct compiler *compiler = copy->compiler;
    struct buffer names = {0};
    struct buffer values = {0};
    struct buffer keys = {0};
    append_names(copy->second, &names);
    append_values(compiler, copy->second, copy->columns, &values);
    append_keys(copy->first, &keys);
    const struct change_insertion insertion = {.from = copy->first,
                                               .into = copy->second,
                                               .columns = change_text_of(compiler, &names),
                                               .values = change_text_of(compiler, &values),
                                               .condition = "true",
                                               .conflict = change_text_of(compiler, &keys)};
    change_fill_insert(compiler, &insertion);
}

/* Each column of both tables has a value that the server can make of the other one's. */
static enum status check_values(struct copy *copy, struct altered_table *from,
                                struct altered_table *into, const struct change_value *map,
                                struct error *error)
{
    struct compiler *compiler = copy->compiler;
    for (uint32_t i = 0; map != NULL && map->kind == CHANGE_MAP && i < map->count; i++) {
        if (change_column_named(into, map->keys[i]) == NULL) {
            return change_invalid(compiler, &map->items[i], error, "%s has no column %s",
                                  into->name, map->keys[i]);
        }
    }
    for (uint32_t i = 0; i < into->count; i++) {
        const struct altered_column *column = &into->columns[i];
        struct altered_expression expression;
        const struct change_value *at = change_get(map, column->name);
        if (!column->generated &&
            change_read_expression(compiler, from, at, value_of(compiler, map, column),
                                   column->type, true, &expression, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Sequences of the first one's columns would go with it. */
static void take_sequences(const struct copy *copy)
{
    for (uint32_t i = 0; i < copy->first->count; i++) {
        const struct altered_column *column = &copy->first->columns[i];
        if (column->sequences != NULL) {
            postgres_append(&copy->second->late, "ALTER SEQUENCE %s OWNED BY %s.%n;\n",
                            column->sequences, change_place(copy->compiler, copy->second),
                            column->name);
        }
    }
}

enum status change_copy_table(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    struct copy copy = {.compiler = compiler,
                        .columns = change_get(value, "columns"),
                        .back = change_get(value, "back")};
    if (change_find_table(compiler, value, change_text(value, "table"), &copy.first, error) !=
            STATUS_OK ||
        change_need_key(compiler, copy.first, error) != STATUS_OK ||
        (change_is_true(value, "drop") &&
         change_check_referrers(compiler, copy.first, error) != STATUS_OK) ||
        change_check_copy(compiler, copy.first, change_is_true(value, "drop"), error) !=
            STATUS_OK ||
        make_second(&copy, value, error) != STATUS_OK ||
        check_values(&copy, copy.first, copy.second, copy.columns, error) != STATUS_OK ||
        check_values(&copy, copy.second, copy.first, copy.back, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    follow(&copy, copy.first, copy.second, copy.columns);
    follow(&copy, copy.second, copy.first, copy.back);
    fill_copy(&copy);
    prove_copy(&copy, CHANGE_PROVE);
    prove_copy(&copy, CHANGE_SWITCH_READS);
    change_sync_fence(&copy);
    copy.first->operation = copy.second->operation = compiler->number;
    if (change_is_true(value, "drop")) {
        copy.first->replacement = copy.second;
        take_sequences(&copy);
        postgres_append(&copy.second->late, "DROP TABLE %s;\nALTER TABLE %s RENAME TO %n;\n",
                        change_place(compiler, copy.first), change_place(compiler, copy.second),
                        copy.first->old);
    }
    change_way_add(
        compiler,
        "a second table that triggers keep equal both ways, filled in batches; reads and "
        "writes are led over by `switch`",
        NULL);
    return STATUS_OK;
}
