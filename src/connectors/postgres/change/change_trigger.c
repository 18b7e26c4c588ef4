/*
 * The trigger that keeps both versions equal, one for each table, which fires behind all others.
 *
 * Whose write it is the row says first: exactly one side of a pair was written, and the other one
 * follows it. Where the row says nothing (an INSERT without either, or a change of a column that
 * both versions have) the session does: by its setting transhume.version, or by what the table's
 * plain name is to it. Until the views of the new version are there, all sessions are the old
 * one's.
 */
#include "connectors/postgres/change/change.h"
#include <inttypes.h>
#include <string.h>

/* A column whose values follow others, one way or both. */
static bool is_pair(const struct altered_column *column)
{
    return column->up.text != NULL || (column->hidden && column->down.text != NULL) ||
           column->down.text != NULL;
}

static bool has_pairs(const struct altered_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (is_pair(&table->columns[i]) || table->columns[i].moved) {
            return true;
        }
    }
    return false;
}

static const char *function_name(struct compiler *compiler, const struct altered_table *table)
{
    return change_short_name(compiler, "_transhume_sync_", table->old);
}

/* ---------------------------------------------------------------- what was written */

/* "NEW.a IS DISTINCT FROM OLD.a" */
static void append_differs(struct compiler *compiler, struct buffer *sql, const char *name)
{
    buffer_append_string(sql,
                         change_compare(compiler, NULL, false, change_sql(compiler, "NEW.%n", name),
                                        change_sql(compiler, "OLD.%n", name)));
}

/* Is what the expression reads another value than before? */
static void append_inputs(struct compiler *compiler, const struct altered_table *table,
                          const struct altered_expression *expression, bool up, struct buffer *sql)
{
    const char * or = "";
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; expression->uses != NULL && i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        const char *name = up && column->old != NULL ? column->old : column->carrier;
        if (expression->uses[i]) {
            buffer_append_string(sql, or);
            append_differs(compiler, sql, name);
            or = " OR ";
        }
    }
    buffer_append_string(sql, or [0] == '\0' ? "false)" : ")");
}

static const char *old_of(const struct altered_column *column)
{
    return column->dual || column->hidden ? column->old : NULL;
}

static const char *new_of(const struct altered_column *column)
{
    return column->hidden ? NULL : column->carrier;
}

/* Was a side written by an INSERT: is it another value than its default? NULL default: NULL. */
static void append_inserted(struct compiler *compiler, const struct altered_column *column,
                            bool old, struct buffer *sql)
{
    const char *name = old ? old_of(column) : new_of(column);
    const char *default_sql = old ? column->old_default : column->default_sql;
    if (name == NULL || (default_sql != NULL && !column->constant) || column->identity) {
        buffer_append_string(sql, "false");
    } else if (default_sql == NULL) {
        postgres_append(sql, "NEW.%n IS NOT NULL", name);
    } else {
        buffer_append_string(
            sql, change_compare(compiler, NULL, false, change_sql(compiler, "NEW.%n", name),
                                arena_format(compiler->arena, "CAST((%s) AS %s)", default_sql,
                                             old ? column->old_type : column->type)));
    }
}

/* Sets up_N and down_N. */
static void append_direction(struct compiler *compiler, const struct altered_table *table,
                             uint32_t number, struct buffer *sql)
{
    const struct altered_column *column = &table->columns[number];
    const char *old = old_of(column);
    const char *new = new_of(column);
    bool up = column->up.text != NULL;
    bool down = column->down.text != NULL && old != NULL;
    buffer_append_string(sql, "  IF TG_OP = 'INSERT' THEN\n    was_old := ");
    append_inserted(compiler, column, true, sql);
    buffer_append_string(sql, ";\n    was_new := ");
    append_inserted(compiler, column, false, sql);
    buffer_append_string(sql, ";\n    changes_up := true;\n    changes_down := true;\n  ELSE\n"
                              "    was_old := ");
    if (old != NULL) {
        append_differs(compiler, sql, old);
    } else {
        buffer_append_string(sql, "false");
    }
    buffer_append_string(sql, ";\n    was_new := ");
    if (new != NULL) {
        append_differs(compiler, sql, new);
    } else {
        buffer_append_string(sql, "false");
    }
    buffer_append_string(sql, ";\n    changes_up := NOT opened OR ");
    append_inputs(compiler, table, &column->up, true, sql);
    buffer_append_string(sql, ";\n    changes_down := ");
    append_inputs(compiler, table, &column->down, false, sql);
    buffer_append_string(sql, ";\n  END IF;\n");
    buffer_format(
        sql, "  up_%" PRIu32 " := %s;\n", number,
        up ? "(was_old AND NOT was_new) OR (was_old = was_new AND NOT newer AND changes_up)"
             " OR (NOT opened AND NOT (was_new AND NOT was_old))"
           : "false");
    buffer_format(sql, "  down_%" PRIu32 " := %s;\n", number,
                  down ? "(was_new AND NOT was_old) OR (was_old = was_new AND newer AND "
                         "changes_down)"
                       : "false");
}

/* ---------------------------------------------------------------- what follows */

/* The columns that an expression reads, as variables under the names that it uses. */
static void append_variables(const struct altered_table *table,
                             const struct altered_expression *expression, bool up,
                             struct buffer *sql)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!expression->uses[i]) {
            continue;
        }
        bool old = up && column->old != NULL;
        const char *name = old ? column->old : column->name;
        const char *from = old ? column->old : column->carrier;
        const char *collation = old || !column->dual ? column->collation : NULL;
        postgres_append(sql, "      %n %s%s%s := NEW.%n;\n", name,
                        old ? column->old_type : column->type, collation != NULL ? " COLLATE " : "",
                        collation != NULL ? collation : "", from);
    }
}

static void append_assignment(struct compiler *compiler, const struct altered_table *table,
                              uint32_t number, bool up, struct buffer *sql)
{
    const struct altered_column *column = &table->columns[number];
    const struct altered_expression *expression = up ? &column->up : &column->down;
    const char *into = up ? column->carrier : column->old;
    const char *type = up ? column->assigned : column->old_assigned;
    if (expression->text == NULL || into == NULL || (!up && old_of(column) == NULL)) {
        return;
    }
    buffer_format(sql, "  IF %s_%" PRIu32 " THEN\n", up ? "up" : "down", number);
    if (expression->looks_out) {
        postgres_append(sql, "    PERFORM pg_catalog.set_config('search_path', %q, true);\n",
                        compiler->path);
    }
    postgres_append(sql, "    <<%n>>\n    DECLARE\n", up ? table->old : table->name);
    append_variables(table, expression, up, sql);
    postgres_append(sql, "    BEGIN\n      NEW.%n := CAST((%s\n      ) AS %s);\n    END;\n", into,
                    expression->text, type);
    if (expression->looks_out) {
        buffer_append_string(sql,
                             "    PERFORM pg_catalog.set_config('search_path', path, true);\n");
    }
    buffer_append_string(sql, "  END IF;\n");
}

/* A row that goes to another partition is deleted there and inserted here: nobody wrote it. */
static void append_moved_row(const struct altered_table *table, bool leaves, struct buffer *sql)
{
    if (!table->partitioned) {
        return;
    }
    buffer_append_string(
        sql, leaves ? "  IF TG_OP = 'UPDATE' THEN\n    PERFORM "
                      "pg_catalog.set_config('transhume.row', "
                      "pg_catalog.md5(pg_catalog.to_jsonb(NEW)::text), true);\n  END IF;\n"
                    : "  IF TG_OP = 'INSERT' AND pg_catalog.current_setting('transhume.row', true) "
                      "=\n    pg_catalog.md5(pg_catalog.to_jsonb(NEW)::text) THEN\n    RETURN "
                      "NEW;\n  END IF;\n");
}

/* The new version does not know of columns that another table has: it gave them no default. */
static void append_no_defaults(const struct altered_table *table, struct buffer *sql)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->moved && column->old_default != NULL) {
            postgres_append(sql,
                            "  IF TG_OP = 'INSERT' AND newer THEN\n    NEW.%n := NULL;\n  END "
                            "IF;\n",
                            column->old);
        }
    }
}

/* The view is looked up in the catalogue, which needs no privilege on its schema. */
static void append_body(struct compiler *compiler, const struct altered_table *table,
                        struct buffer *sql)
{
    postgres_append(sql,
                    "#variable_conflict use_column\nDECLARE\n"
                    "  view_oid oid := (SELECT c.oid FROM pg_catalog.pg_class c JOIN "
                    "pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
                    "    WHERE n.nspname = %q AND c.relname = %q);\n"
                    "  opened boolean := view_oid IS NOT NULL;\n  newer boolean := false;\n"
                    "  was_old boolean;\n  was_new boolean;\n  changes_up boolean;\n"
                    "  changes_down boolean;\n"
                    "  path text := pg_catalog.current_setting('search_path');\n",
                    compiler->new_schema, table->name);
    for (uint32_t i = 0; i < table->count; i++) {
        if (is_pair(&table->columns[i])) {
            buffer_format(sql, "  up_%" PRIu32 " boolean;\n  down_%" PRIu32 " boolean;\n", i, i);
        }
    }
    buffer_append_string(sql, "BEGIN\n");
    append_moved_row(table, false, sql);
    postgres_append(sql,
                    "  IF opened THEN\n    newer := coalesce(nullif("
                    "pg_catalog.current_setting('transhume.version', true), '') = %q,\n      "
                    "pg_catalog.to_regclass(%q)::oid = view_oid, false);\n  END IF;\n",
                    compiler->change->version, change_sql(compiler, "%n", table->name));
    append_no_defaults(table, sql);
    for (uint32_t i = 0; i < table->count; i++) {
        if (is_pair(&table->columns[i])) {
            append_direction(compiler, table, i, sql);
        }
    }
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < table->count; i++) {
            if (is_pair(&table->columns[i])) {
                append_assignment(compiler, table, i, pass == 1, sql);
            }
        }
    }
    append_moved_row(table, true, sql);
    buffer_append_string(sql, "  RETURN NEW;\nEND");
}

/* ---------------------------------------------------------------- the trigger */

/* Where an expression gives what the session is set to, all sessions' writes get what the rows got
 * that were filled. */
static const char *session_settings(const struct altered_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->columns[i].up.by_session || table->columns[i].down.by_session) {
            return " SET timezone FROM CURRENT SET datestyle FROM CURRENT SET intervalstyle FROM "
                   "CURRENT SET extra_float_digits FROM CURRENT SET bytea_output FROM CURRENT SET "
                   "xmloption FROM CURRENT SET lc_monetary FROM CURRENT SET lc_numeric FROM "
                   "CURRENT SET lc_time FROM CURRENT SET default_text_search_config FROM CURRENT";
        }
    }
    return "";
}

static void change_trigger_emit(struct compiler *compiler, struct altered_table *table)
{
    const char *function = function_name(compiler, table);
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    const char *undo_trigger =
        change_sql(compiler, "DROP TRIGGER IF EXISTS %n ON %s", table->trigger, place);
    const char *undo_function =
        change_sql(compiler, "DROP FUNCTION IF EXISTS %n.%n()", compiler->schema, function);
    struct buffer body = {0};
    append_body(compiler, table, &body);
    const char *text = change_text_of(compiler, &body);
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
                     arena_format(compiler->arena, "function that keeps %s equal", table->name),
                     change_sql(compiler,
                                "CREATE OR REPLACE FUNCTION %n.%n() RETURNS trigger LANGUAGE "
                                "plpgsql%s AS %q; ALTER FUNCTION %n.%n() OWNER TO CURRENT_USER",
                                compiler->schema, function, session_settings(table), text,
                                compiler->schema, function),
                     undo_function);
    struct change_step *step = change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_WRITES,
        arena_format(compiler->arena, "trigger that keeps %s equal", table->name),
        change_sql(compiler,
                   "CREATE TRIGGER %n BEFORE INSERT OR UPDATE ON %s FOR EACH ROW WHEN "
                   "(pg_catalog.current_setting('transhume.fill', true) IS DISTINCT FROM %q) "
                   "EXECUTE FUNCTION %n.%n(); ALTER TABLE %s ENABLE ALWAYS TRIGGER %n",
                   table->trigger, place, compiler->change->version, compiler->schema, function,
                   place, table->trigger),
        undo_trigger);
    step->joined = true;
}

void change_emit_triggers(struct compiler *compiler)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        struct altered_table *table = compiler->tables[i];
        if (!table->dropped && has_pairs(table)) {
            compiler->number = table->operation;
            change_trigger_emit(compiler, table);
        }
    }
}

bool change_has_trigger(const struct altered_table *table)
{
    return !table->dropped && has_pairs(table);
}

const char *change_function_name(struct compiler *compiler, const struct altered_table *table)
{
    return function_name(compiler, table);
}
