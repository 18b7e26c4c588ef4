/* merge_table and move_column: columns come to a table that is there. */
#include "connectors/postgres/change/change_chosen.h"
#include <string.h>

/* ---------------------------------------------------------------- columns that come */

/* "OLD.on and NEW.on differ" */
static const char *moves_by(struct compiler *compiler, const char *on)
{
    return change_compare(compiler, NULL, false, change_sql(compiler, "OLD.%n", on),
                          change_sql(compiler, "NEW.%n", on));
}

static void add_columns(struct compiler *compiler, struct altered_table *table,
                        const struct change_chosen *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct altered_column *column = change_add_column(compiler, table);
        column->name = column->carrier = from->items[i]->name;
        column->type = from->items[i]->type;
        column->space = from->items[i]->space;
        column->made = true;
        const char *place = change_place(compiler, table);
        change_statement(
            compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
            arena_format(compiler->arena, "add column %s.%s", table->name, column->name),
            change_sql(compiler, "ALTER TABLE %s ADD COLUMN %n %s%s%s", place, column->carrier,
                       column->type, from->items[i]->collation != NULL ? " COLLATE " : "",
                       from->items[i]->collation != NULL ? from->items[i]->collation : ""),
            change_sql(compiler, "ALTER TABLE %s DROP COLUMN IF EXISTS %n", place,
                       column->carrier));
    }
}

static enum status check_names(struct compiler *compiler, const struct altered_table *table,
                               const struct change_chosen *from, struct error *error)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct altered_column *column = from->items[i];
        if (change_column_named(table, column->name) != NULL) {
            return change_invalid(compiler, NULL, error, "%s has a column %s", table->name,
                                  column->name);
        }
        if (change_check_domain(compiler, table, NULL, column->type, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status need_unique(struct compiler *compiler, const struct altered_table *table,
                               const char *column, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid, column};
    if (change_query(compiler,
                     "SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON "
                     "a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = "
                     "$1::pg_catalog.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 "
                     "AND i.indpred IS NULL AND a.attname = $2",
                     values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool unique = PQntuples(result) > 0;
    PQclear(result);
    return unique ? STATUS_OK
                  : change_refused(compiler, error, "%s.%s is not unique: which row would be it?",
                                   table->name, column);
}

/* Values that the old version's table needs beside these, if the new version makes its rows. */
static enum status check_rest(struct compiler *compiler, const struct altered_table *table,
                              const struct change_chosen *chosen, const char *on,
                              struct error *error)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        bool given = strcmp(column->name, on) == 0;
        for (uint32_t j = 0; j < chosen->count; j++) {
            given = given || chosen->items[j] == column;
        }
        if (!given && column->not_null && column->default_sql == NULL && !column->identity) {
            return change_refused(compiler, error,
                                  "rows of %s that the new version makes need a value for %s",
                                  table->name, column->name);
        }
    }
    return STATUS_OK;
}

static void follow_merge(struct compiler *compiler, struct altered_table *table,
                         struct altered_table *from, const char *on,
                         const struct change_chosen *chosen)
{
    const char *place = change_place(compiler, table);
    const char *from_place = change_place(compiler, from);
    const char *key = table->keys[0];
    const char *same = change_equals(compiler, table, key);
    change_sync(
        compiler, from, table,
        change_sql(compiler,
                   "  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND %s) "
                   "THEN\n    UPDATE %s AS t SET %s WHERE t.%n %s OLD.%n;\n  END IF;\n"
                   "  IF TG_OP <> 'DELETE' THEN\n    UPDATE %s AS t SET %s WHERE t.%n %s NEW.%n;\n"
                   "  END IF;\n",
                   moves_by(compiler, on), place, change_chosen_set(compiler, chosen, NULL), key,
                   same, on, place, change_chosen_set(compiler, chosen, "NEW"), key, same, on));
    change_sync(
        compiler, table, from,
        change_sql(compiler,
                   "  IF TG_OP = 'DELETE' THEN\n    NULL;\n"
                   "  ELSIF %s THEN\n    UPDATE %s AS t SET %s WHERE t.%n %s NEW.%n;\n"
                   "    IF NOT FOUND THEN\n      INSERT INTO %s (%n, %s) VALUES (NEW.%n, %s);\n"
                   "    END IF;\n  ELSIF TG_OP = 'UPDATE' AND NOT (%s) THEN\n"
                   "    UPDATE %s AS t SET %s WHERE t.%n %s NEW.%n;\n  END IF;\n",
                   change_chosen_any(compiler, chosen, "NEW"), from_place,
                   change_chosen_set(compiler, chosen, "NEW"), on, same, key, from_place, on,
                   change_chosen_list(compiler, chosen, ""), key,
                   change_chosen_list(compiler, chosen, "NEW"),
                   change_chosen_equal(compiler, chosen, "NEW", "OLD"), from_place,
                   change_chosen_set(compiler, chosen, NULL), on, same, key));
}

enum status change_merge_table(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *table;
    struct altered_table *from;
    struct altered_column *on;
    struct change_chosen chosen;
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        change_find_table(compiler, value, change_text(value, "from"), &from, error) != STATUS_OK ||
        change_need_single_key(compiler, table, error) != STATUS_OK ||
        change_need_key(compiler, from, error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "on"), change_text(value, "on"), &on,
                           error) != STATUS_OK ||
        need_unique(compiler, from, on->old, error) != STATUS_OK ||
        change_chosen_pick(compiler, from, change_get(value, "columns"), &chosen, error) !=
            STATUS_OK ||
        check_names(compiler, table, &chosen, error) != STATUS_OK ||
        check_rest(compiler, from, &chosen, on->name, error) != STATUS_OK ||
        change_check_referrers(compiler, from, error) != STATUS_OK ||
        change_chosen_carry(compiler, from, &chosen, NULL, "", &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_columns(compiler, table, &chosen);
    change_chosen_let_null(compiler, from, &chosen);
    follow_merge(compiler, table, from, on->old, &chosen);
    const struct change_joining joining = {.into = table,
                                           .from = from,
                                           .on = on->old,
                                           .key = table->keys[0],
                                           .set = change_chosen_set(compiler, &chosen, "f"),
                                           .equal =
                                               change_chosen_equal(compiler, &chosen, "t", "f")};
    change_fill_join(compiler, &joining);
    const char *self = change_sql(compiler, "%n", from->old);
    change_prove(
        compiler, CHANGE_PROVE, from,
        arena_format(compiler->arena, "prove that %s has what %s had", table->name, from->name),
        change_sql(compiler, "EXISTS (SELECT 1 FROM %s AS t WHERE t.%n %s %s.%n AND %s)",
                   change_place(compiler, table), table->keys[0],
                   change_equals(compiler, table, table->keys[0]), self, on->old,
                   change_chosen_equal(compiler, &chosen, "t", self)),
        true);
    from->dropped = true;
    postgres_append(&from->late, "DROP TABLE %s;\n", change_place(compiler, from));
    table->touched = from->touched = true;
    table->operation = from->operation = compiler->number;
    change_way_add(compiler, "columns that triggers keep equal both ways, filled in batches",
                   "what else is in the table is gone with `complete`");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- move */

/* A row of the old version that gives no value of its own, or goes to another row, has the value
 * that is there already: its neighbours have it, too. */
static const char *adopts(struct compiler *compiler, const struct altered_column *column,
                          const struct altered_table *to, const char *on, const char *key)
{
    const char *name = column->name;
    if (column->old_default == NULL || !column->constant) {
        return change_sql(compiler, "NEW.%n IS NULL", name);
    }
    return change_sql(
        compiler,
        "NEW.%n IS NULL OR (%s AND EXISTS (SELECT 1 FROM %s AS t WHERE t.%n %s NEW.%n AND "
        "t.%n IS NOT NULL))",
        name,
        change_compare(compiler, NULL, true, change_sql(compiler, "NEW.%n", name),
                       arena_format(compiler->arena, "CAST((%s) AS %s)", column->old_default,
                                    column->old_type)),
        change_place(compiler, to), key, change_equals(compiler, to, key), on, name);
}

static void follow_move(struct compiler *compiler, struct altered_table *from,
                        struct altered_table *to, const char *on,
                        const struct change_chosen *chosen)
{
    const char *from_place = change_place(compiler, from);
    const char *to_place = change_place(compiler, to);
    const char *key = to->keys[0];
    const char *name = chosen->items[0]->name;
    const char *same = change_chosen_equal(compiler, chosen, "NEW", "OLD");
    const char *by_key = change_equals(compiler, to, key);
    struct buffer body = {0};
    postgres_append(&body,
                    "  IF TG_OP = 'DELETE' THEN\n    NULL;\n"
                    "  ELSIF (TG_OP = 'INSERT' AND (%s)) OR\n"
                    "    (TG_OP = 'UPDATE' AND %s AND %s) THEN\n"
                    "    UPDATE %s AS f SET %n = t.%n FROM %s AS t WHERE t.%n %s NEW.%n AND %s;\n"
                    "  ELSIF TG_OP = 'INSERT' OR NOT (%s) THEN\n"
                    "    UPDATE %s AS t SET %n = NEW.%n WHERE t.%n %s NEW.%n;\n"
                    "    UPDATE %s AS f SET %n = NEW.%n WHERE f.%n %s NEW.%n AND NOT (%s);\n"
                    "  END IF;\n",
                    adopts(compiler, chosen->items[0], to, on, key), same, moves_by(compiler, on),
                    from_place, name, name, to_place, key, by_key, on,
                    change_match(compiler, from, "f", "NEW"), same, to_place, name, name, key,
                    by_key, on, from_place, name, name, on, change_equals(compiler, from, on), on,
                    change_chosen_equal(compiler, chosen, "f", "NEW"));
    change_sync(compiler, from, to, change_text_of(compiler, &body));
    change_sync(compiler, to, from,
                change_sql(compiler,
                           "  IF TG_OP = 'UPDATE' AND NOT (%s) THEN\n"
                           "    UPDATE %s AS f SET %n = NEW.%n WHERE f.%n %s NEW.%n;\n  END IF;\n",
                           same, from_place, name, name, on, change_equals(compiler, from, on),
                           key));
}

enum status change_move_column(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *from;
    struct altered_table *to;
    struct altered_column *on;
    struct change_chosen chosen = {.count = 1};
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "from"), &from, error) != STATUS_OK ||
        change_find_table(compiler, value, change_text(value, "to"), &to, error) != STATUS_OK ||
        change_need_key(compiler, from, error) != STATUS_OK ||
        change_need_single_key(compiler, to, error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "on"), change_text(value, "on"), &on,
                           error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "column"),
                           change_text(value, "column"), &chosen.items[0], error) != STATUS_OK ||
        change_check_leaves(compiler, from, chosen.items[0], error) != STATUS_OK ||
        check_names(compiler, to, &chosen, error) != STATUS_OK ||
        change_chosen_carry(compiler, from, &chosen, NULL, "", &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_columns(compiler, to, &chosen);
    change_chosen_let_null(compiler, from, &chosen);
    follow_move(compiler, from, to, on->old, &chosen);
    const struct change_joining joining = {.into = to,
                                           .from = from,
                                           .on = on->old,
                                           .key = to->keys[0],
                                           .set = change_chosen_set(compiler, &chosen, "f"),
                                           .equal =
                                               change_chosen_equal(compiler, &chosen, "t", "f")};
    change_fill_join(compiler, &joining);
    const char *self = change_sql(compiler, "%n", from->old);
    change_prove(
        compiler, CHANGE_PROVE, from,
        arena_format(compiler->arena, "prove that %s has what %s had", to->name, from->name),
        change_sql(compiler,
                   "%s.%n IS NULL OR EXISTS (SELECT 1 FROM %s AS t WHERE t.%n %s %s.%n AND "
                   "%s)",
                   self, on->old, change_place(compiler, to), to->keys[0],
                   change_equals(compiler, to, to->keys[0]), self, on->old,
                   change_chosen_equal(compiler, &chosen, "t", self)),
        true);
    change_chosen_hide(&chosen, compiler->number);
    from->touched = to->touched = true;
    from->operation = to->operation = compiler->number;
    change_way_add(compiler, "a column that triggers keep equal both ways, filled in batches",
                   "rows that refer to one row have to agree: it is proved");
    return STATUS_OK;
}
