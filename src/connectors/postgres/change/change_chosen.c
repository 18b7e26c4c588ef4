/* Columns that go to another table: lists of them for SQL, and what their own table is without
 * them. */
#include "connectors/postgres/change/change_chosen.h"
#include <string.h>

/* ---------------------------------------------------------------- lists of columns */

/* May the column go to another table? */
enum status change_check_leaves(struct compiler *compiler, const struct altered_table *table,
                                const struct altered_column *column, struct error *error)
{
    if (column->made || column->generated || column->identity) {
        return change_refused(compiler, error, "%s.%s can't go to another table", table->name,
                              column->name);
    }
    if (column->old == NULL || strcmp(column->old, column->name) != 0) {
        return change_refused(compiler, error,
                              "%s.%s has another name in the old version: rename it in a change of "
                              "its own",
                              table->name, column->name);
    }
    return change_check_attached(compiler, table, column, error);
}

enum status change_chosen_pick(struct compiler *compiler, struct altered_table *table,
                               const struct change_value *list, struct change_chosen *chosen,
                               struct error *error)
{
    chosen->count = 0;
    if (list->count > sizeof chosen->items / sizeof *chosen->items) {
        return change_invalid(compiler, list, error, "more than 64 columns");
    }
    for (uint32_t i = 0; i < list->count; i++) {
        struct altered_column *column;
        if (change_find_column(compiler, table, &list->items[i], list->items[i].text, &column,
                               error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (change_check_leaves(compiler, table, column, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        chosen->items[chosen->count++] = column;
    }
    return STATUS_OK;
}

/* "a.c1, a.c2"; without an alias "c1, c2" */
const char *change_chosen_list(struct compiler *compiler, const struct change_chosen *chosen,
                               const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        postgres_append(&sql, "%s%s%s%n", i > 0 ? ", " : "", alias, alias[0] != '\0' ? "." : "",
                        chosen->items[i]->name);
    }
    return change_text_of(compiler, &sql);
}

/* "c1 = a.c1, c2 = a.c2"; NULL: "c1 = NULL, …" */
const char *change_chosen_set(struct compiler *compiler, const struct change_chosen *chosen,
                              const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        const char *name = chosen->items[i]->name;
        postgres_append(&sql, "%s%n = ", i > 0 ? ", " : "", name);
        if (alias != NULL) {
            postgres_append(&sql, "%s.%n", alias, name);
        } else {
            buffer_append_string(&sql, "NULL");
        }
    }
    return change_text_of(compiler, &sql);
}

/* "a.c1 IS NOT NULL OR …" */
const char *change_chosen_any(struct compiler *compiler, const struct change_chosen *chosen,
                              const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        postgres_append(&sql, "%s%s%s%n IS NOT NULL", i > 0 ? " OR " : "", alias,
                        alias[0] != '\0' ? "." : "", chosen->items[i]->name);
    }
    return change_text_of(compiler, &sql);
}

/* "a.c1 IS NOT DISTINCT FROM b.c1 AND …" */
const char *change_chosen_equal(struct compiler *compiler, const struct change_chosen *chosen,
                                const char *left, const char *right)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        const char *name = chosen->items[i]->name;
        postgres_append(&sql, "%s%s", i > 0 ? " AND " : "",
                        change_compare(compiler, NULL, true,
                                       change_sql(compiler, "%s.%n", left, name),
                                       change_sql(compiler, "%s.%n", right, name)));
    }
    return change_text_of(compiler, &sql);
}

enum status change_need_single_key(const struct compiler *compiler,
                                   const struct altered_table *table, struct error *error)
{
    return table->key_count == 1
               ? STATUS_OK
               : change_refused(compiler, error, "the key of %s has to be one column", table->name);
}

/* Without a default an abort can't give the old version a value: it stops while the triggers are
 * there, so that a value that a person gives reaches the new version's table, too. */
static void stop_at_null(struct compiler *compiler, const struct altered_table *table,
                         const struct altered_column *column)
{
    const char *place = change_place(compiler, table);
    const char *message = change_sql(
        compiler,
        "rows of %s that the new version inserted have no value for %n, which is NOT NULL in the "
        "old one: give them one, and abort again",
        place, column->old);
    change_statement(
        compiler, CHANGE_OPEN, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "%s.%s: an abort looks for NULL", table->name, column->name),
        "SELECT 1",
        change_sql(
            compiler,
            "DO $transhume$ BEGIN IF EXISTS (SELECT 1 FROM %s WHERE %n IS NULL) THEN RAISE "
            "EXCEPTION USING MESSAGE = %q, ERRCODE = 'object_not_in_prerequisite_state'; END "
            "IF; END $transhume$",
            place, column->old, message));
}

/* On the way back, when the triggers are gone: rows without a value get the default, and the last
 * step finds a check that shows there is no NULL, so that it has not to look itself. */
static void let_one_null(struct compiler *compiler, const struct altered_table *table,
                         const struct altered_column *column)
{
    const char *place = change_place(compiler, table);
    const char *check =
        change_short_name(compiler, POSTGRES_CHANGE_CHECK,
                          arena_format(compiler->arena, "%s_%s_back", table->old, column->old));
    const char *drop =
        change_sql(compiler, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %n", place, check);
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
        arena_format(compiler->arena, "%s.%s may be NULL", table->name, column->name),
        change_sql(compiler, "ALTER TABLE %s ALTER COLUMN %n DROP NOT NULL", place, column->old),
        change_sql(compiler, "ALTER TABLE %s ALTER COLUMN %n SET NOT NULL; %s", place, column->old,
                   drop));
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "%s.%s: an abort validates it", table->name, column->name),
        "SELECT 1", change_sql(compiler, "ALTER TABLE %s VALIDATE CONSTRAINT %n", place, check));
    const char *fill = column->old_default == NULL
                           ? ""
                           : change_sql(compiler, "; UPDATE %s SET %n = DEFAULT WHERE %n IS NULL",
                                        place, column->old, column->old);
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "%s.%s: an abort holds it NOT NULL", table->name,
                     column->name),
        "SELECT 1",
        change_sql(compiler,
                   "%s; ALTER TABLE %s ADD CONSTRAINT %n CHECK (%n IS NOT NULL) NOT VALID%s", drop,
                   place, check, column->old, fill));
    if (column->old_default == NULL) {
        stop_at_null(compiler, table, column);
    }
}

/* Rows that the new version inserts have none of these columns. */
void change_chosen_let_null(struct compiler *compiler, const struct altered_table *table,
                            const struct change_chosen *chosen)
{
    for (uint32_t i = 0; i < chosen->count; i++) {
        if (chosen->items[i]->old_not_null) {
            let_one_null(compiler, table, chosen->items[i]);
        }
    }
}

/* The constraints and indexes on the columns that leave, refused where they can't come along. */
enum status change_chosen_carry(struct compiler *compiler, const struct altered_table *table,
                                const struct change_chosen *chosen, const char *part,
                                const char *ignored, struct buffer *sql, struct error *error)
{
    const char *names[sizeof chosen->items / sizeof *chosen->items];
    for (uint32_t i = 0; i < chosen->count; i++) {
        names[i] = chosen->items[i]->old;
    }
    return change_carry_attached(compiler, table, names, chosen->count, part, ignored, sql, error);
}

void change_chosen_hide(const struct change_chosen *chosen, uint32_t operation)
{
    for (uint32_t i = 0; i < chosen->count; i++) {
        chosen->items[i]->hidden = chosen->items[i]->moved = true;
        chosen->items[i]->operation = operation;
    }
}
