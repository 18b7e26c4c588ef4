/* Columns that go from one table to another: split, merge, move, and tables of pairs. */
#include "connectors/postgres/change.h"
#include <string.h>

/* ---------------------------------------------------------------- lists of columns */

struct chosen {
    struct altered_column *items[64];
    uint32_t count;
};

/* May the column go to another table? */
static enum status check_leaves(struct compiler *compiler, const struct altered_table *table,
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

static enum status choose(struct compiler *compiler, struct altered_table *table,
                          const struct change_value *list, struct chosen *chosen,
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
        if (check_leaves(compiler, table, column, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        chosen->items[chosen->count++] = column;
    }
    return STATUS_OK;
}

/* "a.c1, a.c2"; without an alias "c1, c2" */
static const char *list(struct compiler *compiler, const struct chosen *chosen, const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        postgres_append(&sql, "%s%s%s%n", i > 0 ? ", " : "", alias, alias[0] != '\0' ? "." : "",
                        chosen->items[i]->name);
    }
    return change_text_of(compiler, &sql);
}

/* "c1 = a.c1, c2 = a.c2"; NULL: "c1 = NULL, …" */
static const char *set(struct compiler *compiler, const struct chosen *chosen, const char *alias)
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
static const char *any(struct compiler *compiler, const struct chosen *chosen, const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        postgres_append(&sql, "%s%s%s%n IS NOT NULL", i > 0 ? " OR " : "", alias,
                        alias[0] != '\0' ? "." : "", chosen->items[i]->name);
    }
    return change_text_of(compiler, &sql);
}

/* "a.c1 IS NOT DISTINCT FROM b.c1 AND …" */
static const char *equal(struct compiler *compiler, const struct chosen *chosen, const char *left,
                         const char *right)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < chosen->count; i++) {
        const char *name = chosen->items[i]->name;
        postgres_append(&sql, "%s%s", i > 0 ? " AND " : "",
                        change_compare(compiler, chosen->items[i]->compares, true,
                                       change_sql(compiler, "%s.%n", left, name),
                                       change_sql(compiler, "%s.%n", right, name)));
    }
    return change_text_of(compiler, &sql);
}

static const char *keys(struct compiler *compiler, const struct altered_table *table,
                        const char *alias)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < table->key_count; i++) {
        postgres_append(&sql, "%s%s%s%n", i > 0 ? ", " : "", alias, alias[0] != '\0' ? "." : "",
                        table->keys[i]);
    }
    return change_text_of(compiler, &sql);
}

static enum status need_single_key(const struct compiler *compiler,
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
static void let_null(struct compiler *compiler, const struct altered_table *table,
                     const struct chosen *chosen)
{
    for (uint32_t i = 0; i < chosen->count; i++) {
        if (chosen->items[i]->old_not_null) {
            let_one_null(compiler, table, chosen->items[i]);
        }
    }
}

/* What lies on the columns that leave, which is refused where it can't come along. */
static enum status carry(struct compiler *compiler, const struct altered_table *table,
                         const struct chosen *chosen, const char *part, const char *ignored,
                         struct buffer *sql, struct error *error)
{
    const char *names[sizeof chosen->items / sizeof *chosen->items];
    for (uint32_t i = 0; i < chosen->count; i++) {
        names[i] = chosen->items[i]->old;
    }
    return change_carry_attached(compiler, table, names, chosen->count, part, ignored, sql, error);
}

static void hide(const struct chosen *chosen, uint32_t operation)
{
    for (uint32_t i = 0; i < chosen->count; i++) {
        chosen->items[i]->hidden = chosen->items[i]->moved = true;
        chosen->items[i]->operation = operation;
    }
}

/* ---------------------------------------------------------------- split */

/* Rows of VALUES: the part's columns have the names that they had. */
static const char *part_names(struct compiler *compiler, const struct altered_table *part)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < part->count; i++) {
        postgres_append(&sql, "%s(%q, %q)", i > 0 ? ", " : "", part->columns[i].name,
                        part->columns[i].name);
    }
    return change_text_of(compiler, &sql);
}

static enum status make_part(struct compiler *compiler, const struct altered_table *table,
                             const struct chosen *chosen, const char *name,
                             struct altered_table **part, struct error *error)
{
    struct buffer sql = {0};
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, name);
    *part = change_add_table(compiler);
    (*part)->name = (*part)->old = name;
    postgres_append(&sql, "CREATE TABLE %s (", place);
    for (uint32_t i = 0; i < table->key_count; i++) {
        struct altered_column *column = change_add_column(compiler, *part);
        column->name = column->old = column->carrier = table->keys[i];
        column->type = column->old_type = table->key_types[i];
        postgres_append(&sql, "%n %s, ", column->name, column->type);
    }
    for (uint32_t i = 0; i < chosen->count; i++) {
        struct altered_column *column = change_add_column(compiler, *part);
        const struct altered_column *from = chosen->items[i];
        column->name = column->old = column->carrier = from->name;
        column->type = column->old_type = from->type;
        column->compares = from->compares;
        postgres_append(&sql, "%n %s%s%s%s", column->name, column->type,
                        from->collation != NULL ? " COLLATE " : "",
                        from->collation != NULL ? from->collation : "",
                        from->old_not_null ? " NOT NULL" : "");
        if (from->old_default != NULL && from->sequences == NULL) {
            buffer_format(&sql, " DEFAULT %s", from->old_default);
        }
        buffer_append_string(&sql, ", ");
    }
    const char *key = keys(compiler, table, "");
    buffer_format(&sql,
                  "PRIMARY KEY (%s), FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE CASCADE ON "
                  "UPDATE CASCADE);\n",
                  key, key, change_place(compiler, table), key);
    if (carry(compiler, table, chosen, place, "", &sql, error) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    change_append_grants(change_place(compiler, table), place, part_names(compiler, *part), &sql);
    (*part)->keys = table->keys;
    (*part)->key_types = table->key_types;
    (*part)->key_count = table->key_count;
    const char *text = change_text_of(compiler, &sql);
    if (change_try_out(compiler, text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_WRITES,
                     arena_format(compiler->arena, "create table %s", name), text,
                     change_sql(compiler, "DROP TABLE IF EXISTS %s", place));
    return STATUS_OK;
}

static void follow_split(struct compiler *compiler, struct altered_table *table,
                         struct altered_table *part, const struct chosen *chosen)
{
    const char *place = change_place(compiler, table);
    const char *part_place = change_place(compiler, part);
    change_sync(
        compiler, table, part,
        change_sql(
            compiler,
            "  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NOT (%s)) THEN\n    IF %s THEN\n"
            "      INSERT INTO %s (%s, %s) VALUES (%s, %s) ON CONFLICT (%s) DO UPDATE SET %s;"
            "\n    ELSE\n      DELETE FROM %s AS t WHERE %s;\n    END IF;\n  END IF;\n",
            equal(compiler, chosen, "NEW", "OLD"), any(compiler, chosen, "NEW"), part_place,
            keys(compiler, table, ""), list(compiler, chosen, ""), keys(compiler, table, "NEW"),
            list(compiler, chosen, "NEW"), keys(compiler, table, ""),
            set(compiler, chosen, "excluded"), part_place,
            change_match(compiler, table, "t", "NEW")));
    change_sync(
        compiler, part, table,
        change_sql(compiler,
                   "  IF TG_OP = 'DELETE' THEN\n    UPDATE %s AS t SET %s WHERE %s;\n  "
                   "ELSE\n    UPDATE %s AS t SET %s WHERE %s;\n  END IF;\n",
                   place, set(compiler, chosen, NULL), change_match(compiler, table, "t", "OLD"),
                   place, set(compiler, chosen, "NEW"), change_match(compiler, table, "t", "NEW")));
}

enum status change_split_table(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *table;
    struct altered_table *part;
    struct chosen chosen;
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        change_need_key(compiler, table, error) != STATUS_OK ||
        choose(compiler, table, change_get(value, "columns"), &chosen, error) != STATUS_OK ||
        make_part(compiler, table, &chosen, change_text(value, "into"), &part, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    let_null(compiler, table, &chosen);
    follow_split(compiler, table, part, &chosen);
    const char *self = change_sql(compiler, "%n", table->old);
    const struct change_insertion insertion = {
        .from = table,
        .into = part,
        .columns = arena_format(compiler->arena, "%s, %s", keys(compiler, table, ""),
                                list(compiler, &chosen, "")),
        .values = arena_format(compiler->arena, "%s, %s", keys(compiler, table, ""),
                               list(compiler, &chosen, "")),
        .condition = any(compiler, &chosen, ""),
        .conflict = keys(compiler, table, "")};
    change_fill_insert(compiler, &insertion);
    change_prove(
        compiler, CHANGE_PROVE, table,
        arena_format(compiler->arena, "prove that %s has what %s had", part->name, table->name),
        change_sql(compiler,
                   "CASE WHEN %s THEN EXISTS (SELECT 1 FROM %s AS p WHERE %s AND %s) ELSE "
                   "NOT EXISTS (SELECT 1 FROM %s AS p WHERE %s) END",
                   any(compiler, &chosen, self), change_place(compiler, part),
                   change_match(compiler, table, "p", self), equal(compiler, &chosen, "p", self),
                   change_place(compiler, part), change_match(compiler, table, "p", self)),
        true);
    hide(&chosen, compiler->number);
    table->touched = true;
    table->operation = part->operation = compiler->number;
    change_way_add(compiler,
                   "a new table that triggers keep equal both ways, filled in batches; a row "
                   "without any of the values has none there",
                   NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns that come */

static void add_columns(struct compiler *compiler, struct altered_table *table,
                        const struct chosen *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct altered_column *column = change_add_column(compiler, table);
        column->name = column->carrier = from->items[i]->name;
        column->type = from->items[i]->type;
        column->compares = from->items[i]->compares;
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
                               const struct chosen *from, struct error *error)
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

/* What the old version's table needs beside these, if the new version makes its rows. */
static enum status check_rest(struct compiler *compiler, const struct altered_table *table,
                              const struct chosen *chosen, const char *on, struct error *error)
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
                         struct altered_table *from, const char *on, const struct chosen *chosen)
{
    const char *place = change_place(compiler, table);
    const char *from_place = change_place(compiler, from);
    const char *key = table->keys[0];
    change_sync(
        compiler, from, table,
        change_sql(compiler,
                   "  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.%n IS DISTINCT FROM NEW.%n) "
                   "THEN\n    UPDATE %s AS t SET %s WHERE t.%n = OLD.%n;\n  END IF;\n"
                   "  IF TG_OP <> 'DELETE' THEN\n    UPDATE %s AS t SET %s WHERE t.%n = NEW.%n;\n"
                   "  END IF;\n",
                   on, on, place, set(compiler, chosen, NULL), key, on, place,
                   set(compiler, chosen, "NEW"), key, on));
    change_sync(
        compiler, table, from,
        change_sql(compiler,
                   "  IF TG_OP = 'DELETE' THEN\n    NULL;\n"
                   "  ELSIF %s THEN\n    UPDATE %s AS t SET %s WHERE t.%n = NEW.%n;\n"
                   "    IF NOT FOUND THEN\n      INSERT INTO %s (%n, %s) VALUES (NEW.%n, %s);\n"
                   "    END IF;\n  ELSIF TG_OP = 'UPDATE' AND NOT (%s) THEN\n"
                   "    UPDATE %s AS t SET %s WHERE t.%n = NEW.%n;\n  END IF;\n",
                   any(compiler, chosen, "NEW"), from_place, set(compiler, chosen, "NEW"), on, key,
                   from_place, on, list(compiler, chosen, ""), key, list(compiler, chosen, "NEW"),
                   equal(compiler, chosen, "NEW", "OLD"), from_place, set(compiler, chosen, NULL),
                   on, key));
}

enum status change_merge_table(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *table;
    struct altered_table *from;
    struct altered_column *on;
    struct chosen chosen;
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        change_find_table(compiler, value, change_text(value, "from"), &from, error) != STATUS_OK ||
        need_single_key(compiler, table, error) != STATUS_OK ||
        change_need_key(compiler, from, error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "on"), change_text(value, "on"), &on,
                           error) != STATUS_OK ||
        need_unique(compiler, from, on->old, error) != STATUS_OK ||
        choose(compiler, from, change_get(value, "columns"), &chosen, error) != STATUS_OK ||
        check_names(compiler, table, &chosen, error) != STATUS_OK ||
        check_rest(compiler, from, &chosen, on->name, error) != STATUS_OK ||
        change_check_referrers(compiler, from, error) != STATUS_OK ||
        carry(compiler, from, &chosen, NULL, "", &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_columns(compiler, table, &chosen);
    let_null(compiler, from, &chosen);
    follow_merge(compiler, table, from, on->old, &chosen);
    const struct change_joining joining = {.into = table,
                                           .from = from,
                                           .on = on->old,
                                           .key = table->keys[0],
                                           .set = set(compiler, &chosen, "f"),
                                           .equal = equal(compiler, &chosen, "t", "f")};
    change_fill_join(compiler, &joining);
    const char *self = change_sql(compiler, "%n", from->old);
    change_prove(
        compiler, CHANGE_PROVE, from,
        arena_format(compiler->arena, "prove that %s has what %s had", table->name, from->name),
        change_sql(compiler, "EXISTS (SELECT 1 FROM %s AS t WHERE t.%n = %s.%n AND %s)",
                   change_place(compiler, table), table->keys[0], self, on->old,
                   equal(compiler, &chosen, "t", self)),
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
        "NEW.%n IS NULL OR (%s AND EXISTS (SELECT 1 FROM %s AS t WHERE t.%n = NEW.%n AND "
        "t.%n IS NOT NULL))",
        name,
        change_compare(compiler, column->compares, true, change_sql(compiler, "NEW.%n", name),
                       arena_format(compiler->arena, "CAST((%s) AS %s)", column->old_default,
                                    column->old_type)),
        change_place(compiler, to), key, on, name);
}

static void follow_move(struct compiler *compiler, struct altered_table *from,
                        struct altered_table *to, const char *on, const struct chosen *chosen)
{
    const char *from_place = change_place(compiler, from);
    const char *to_place = change_place(compiler, to);
    const char *key = to->keys[0];
    const char *name = chosen->items[0]->name;
    const char *same = equal(compiler, chosen, "NEW", "OLD");
    struct buffer body = {0};
    postgres_append(&body,
                    "  IF TG_OP = 'DELETE' THEN\n    NULL;\n"
                    "  ELSIF (TG_OP = 'INSERT' AND (%s)) OR\n    (TG_OP = 'UPDATE' AND %s AND "
                    "OLD.%n IS DISTINCT FROM NEW.%n) THEN\n"
                    "    UPDATE %s AS f SET %n = t.%n FROM %s AS t WHERE t.%n = NEW.%n AND %s;\n",
                    adopts(compiler, chosen->items[0], to, on, key), same, on, on, from_place, name,
                    name, to_place, key, on, change_match(compiler, from, "f", "NEW"));
    postgres_append(&body,
                    "  ELSIF TG_OP = 'INSERT' OR NOT (%s) THEN\n"
                    "    UPDATE %s AS t SET %n = NEW.%n WHERE t.%n = NEW.%n;\n"
                    "    UPDATE %s AS f SET %n = NEW.%n WHERE f.%n = NEW.%n AND NOT (%s);\n"
                    "  END IF;\n",
                    same, to_place, name, name, key, on, from_place, name, name, on, on,
                    equal(compiler, chosen, "f", "NEW"));
    change_sync(compiler, from, to, change_text_of(compiler, &body));
    change_sync(compiler, to, from,
                change_sql(compiler,
                           "  IF TG_OP = 'UPDATE' AND NOT (%s) THEN\n"
                           "    UPDATE %s AS f SET %n = NEW.%n WHERE f.%n = NEW.%n;\n  END IF;\n",
                           same, from_place, name, name, on, key));
}

enum status change_move_column(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *from;
    struct altered_table *to;
    struct altered_column *on;
    struct chosen chosen = {.count = 1};
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "from"), &from, error) != STATUS_OK ||
        change_find_table(compiler, value, change_text(value, "to"), &to, error) != STATUS_OK ||
        change_need_key(compiler, from, error) != STATUS_OK ||
        need_single_key(compiler, to, error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "on"), change_text(value, "on"), &on,
                           error) != STATUS_OK ||
        change_find_column(compiler, from, change_get(value, "column"),
                           change_text(value, "column"), &chosen.items[0], error) != STATUS_OK ||
        check_leaves(compiler, from, chosen.items[0], error) != STATUS_OK ||
        check_names(compiler, to, &chosen, error) != STATUS_OK ||
        carry(compiler, from, &chosen, NULL, "", &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_columns(compiler, to, &chosen);
    let_null(compiler, from, &chosen);
    follow_move(compiler, from, to, on->old, &chosen);
    const struct change_joining joining = {.into = to,
                                           .from = from,
                                           .on = on->old,
                                           .key = to->keys[0],
                                           .set = set(compiler, &chosen, "f"),
                                           .equal = equal(compiler, &chosen, "t", "f")};
    change_fill_join(compiler, &joining);
    const char *self = change_sql(compiler, "%n", from->old);
    change_prove(
        compiler, CHANGE_PROVE, from,
        arena_format(compiler->arena, "prove that %s has what %s had", to->name, from->name),
        change_sql(compiler,
                   "%s.%n IS NULL OR EXISTS (SELECT 1 FROM %s AS t WHERE t.%n = %s.%n AND "
                   "%s)",
                   self, on->old, change_place(compiler, to), to->keys[0], self, on->old,
                   equal(compiler, &chosen, "t", self)),
        true);
    hide(&chosen, compiler->number);
    from->touched = to->touched = true;
    from->operation = to->operation = compiler->number;
    change_way_add(compiler, "a column that triggers keep equal both ways, filled in batches",
                   "rows that refer to one row have to agree: it is proved");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- pairs */

struct pairs {
    struct compiler *compiler;
    struct altered_table *table;
    struct altered_table *other;
    struct altered_table *pairs;
    struct altered_column *column;
    const char *left;
    const char *right;
    const char *key; /* of the other one */
};

static enum status make_pairs(struct pairs *pairs, const char *name, struct error *error)
{
    struct compiler *compiler = pairs->compiler;
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, name);
    const char *text = change_sql(
        compiler,
        "CREATE TABLE %s (%n %s NOT NULL REFERENCES %s (%n) ON DELETE CASCADE, %n %s NOT NULL "
        "REFERENCES %s (%n) ON DELETE CASCADE, PRIMARY KEY (%n, %n)); CREATE INDEX ON %s (%n)",
        place, pairs->left, pairs->table->key_types[0], change_place(compiler, pairs->table),
        pairs->table->keys[0], pairs->right, pairs->column->type,
        change_place(compiler, pairs->other), pairs->key, pairs->left, pairs->right, place,
        pairs->right);
    struct buffer sql = {0};
    postgres_append(&sql, "%s; ", text);
    change_append_grants(change_place(compiler, pairs->table), place, "(NULL::text, NULL::text)",
                         &sql);
    text = change_text_of(compiler, &sql);
    if (change_try_out(compiler, text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pairs->pairs = change_add_table(compiler);
    pairs->pairs->name = pairs->pairs->old = name;
    const char *const names[] = {pairs->left, pairs->right};
    const char *const types[] = {pairs->table->key_types[0], pairs->column->type};
    for (int i = 0; i < 2; i++) {
        struct altered_column *column = change_add_column(compiler, pairs->pairs);
        column->name = column->old = column->carrier = names[i];
        column->type = column->old_type = types[i];
    }
    change_statement(compiler, CHANGE_EXPAND, ALTER_LOCK_WRITES,
                     arena_format(compiler->arena, "create table %s", name), text,
                     change_sql(compiler, "DROP TABLE IF EXISTS %s", place));
    return STATUS_OK;
}

static void follow_pairs(const struct pairs *pairs)
{
    struct compiler *compiler = pairs->compiler;
    const char *place = change_place(compiler, pairs->table);
    const char *pair_place = change_place(compiler, pairs->pairs);
    const char *key = pairs->table->keys[0];
    const char *column = pairs->column->old;
    change_sync(
        compiler, pairs->table, pairs->pairs,
        change_sql(compiler,
                   "  IF TG_OP = 'UPDATE' AND OLD.%n IS DISTINCT FROM NEW.%n THEN\n"
                   "    DELETE FROM %s AS p WHERE p.%n = OLD.%n AND p.%n = OLD.%n;\n  END IF;\n"
                   "  IF TG_OP <> 'DELETE' AND NEW.%n IS NOT NULL THEN\n"
                   "    INSERT INTO %s (%n, %n) VALUES (NEW.%n, NEW.%n) ON CONFLICT DO NOTHING;\n"
                   "  END IF;\n",
                   column, column, pair_place, pairs->left, key, pairs->right, column, column,
                   pair_place, pairs->left, pairs->right, key, column));
    change_sync(
        compiler, pairs->pairs, pairs->table,
        change_sql(compiler,
                   "  IF TG_OP <> 'INSERT' THEN\n    UPDATE %s AS t SET %n = (SELECT p.%n FROM %s "
                   "AS p WHERE p.%n = OLD.%n ORDER BY p.%n LIMIT 1) WHERE t.%n = OLD.%n AND t.%n = "
                   "OLD.%n;\n  END IF;\n  IF TG_OP <> 'DELETE' THEN\n    UPDATE %s AS t SET %n = "
                   "NEW.%n WHERE t.%n = NEW.%n AND t.%n IS NULL;\n  END IF;\n",
                   place, column, pairs->right, pair_place, pairs->left, pairs->left, pairs->right,
                   key, pairs->left, column, pairs->right, place, column, pairs->right, key,
                   pairs->left, column));
}

enum status change_create_junction(struct compiler *compiler, const struct change_value *value,
                                   struct error *error)
{
    struct pairs pairs = {.compiler = compiler,
                          .left = change_text(value, "left"),
                          .right = change_text(value, "right")};
    const struct change_value *references = change_get(value, "references");
    struct chosen chosen = {.count = 1};
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &pairs.table, error) !=
            STATUS_OK ||
        change_find_table(compiler, references, change_text(references, "table"), &pairs.other,
                          error) != STATUS_OK ||
        need_single_key(compiler, pairs.table, error) != STATUS_OK ||
        need_single_key(compiler, pairs.other, error) != STATUS_OK ||
        change_find_column(compiler, pairs.table, change_get(value, "column"),
                           change_text(value, "column"), &pairs.column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pairs.key = change_text(references, "column") != NULL ? change_text(references, "column")
                                                          : pairs.other->keys[0];
    chosen.items[0] = pairs.column;
    if (check_leaves(compiler, pairs.table, pairs.column, error) != STATUS_OK ||
        carry(compiler, pairs.table, &chosen, NULL, "fi", &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (make_pairs(&pairs, change_text(value, "name"), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    let_null(compiler, pairs.table, &chosen);
    follow_pairs(&pairs);
    const char *column = pairs.column->old;
    const struct change_insertion insertion = {
        .from = pairs.table,
        .into = pairs.pairs,
        .columns = change_sql(compiler, "%n, %n", pairs.left, pairs.right),
        .values = change_sql(compiler, "%n, %n", pairs.table->keys[0], column),
        .condition = change_sql(compiler, "%n IS NOT NULL", column),
        .conflict = change_sql(compiler, "%n, %n", pairs.left, pairs.right)};
    change_fill_insert(compiler, &insertion);
    const char *self = change_sql(compiler, "%n", pairs.table->old);
    change_prove(compiler, CHANGE_PROVE, pairs.table,
                 arena_format(compiler->arena, "prove that %s has what %s had", pairs.pairs->name,
                              pairs.table->name),
                 change_sql(compiler,
                            "CASE WHEN %s.%n IS NULL THEN NOT EXISTS (SELECT 1 FROM %s AS p WHERE "
                            "p.%n = %s.%n) ELSE EXISTS (SELECT 1 FROM %s AS p WHERE p.%n = %s.%n "
                            "AND p.%n = %s.%n) END",
                            self, column, change_place(compiler, pairs.pairs), pairs.left, self,
                            pairs.table->keys[0], change_place(compiler, pairs.pairs), pairs.left,
                            self, pairs.table->keys[0], pairs.right, self, column),
                 true);
    hide(&chosen, compiler->number);
    pairs.table->touched = true;
    pairs.table->operation = pairs.pairs->operation = compiler->number;
    change_way_add(compiler,
                   "a table of pairs that triggers keep equal both ways, filled in batches; the "
                   "old version sees one of a row's pairs",
                   NULL);
    return STATUS_OK;
}
