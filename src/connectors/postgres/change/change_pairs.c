/* create_junction: a column that refers to a row becomes a table of pairs. */
#include "connectors/postgres/change/change_chosen.h"
#include <string.h>

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
    const char *const spaces[] = {change_space(pairs->table, pairs->table->keys[0]),
                                  pairs->column->space};
    for (int i = 0; i < 2; i++) {
        struct altered_column *column = change_add_column(compiler, pairs->pairs);
        column->name = column->old = column->carrier = names[i];
        column->type = column->old_type = types[i];
        column->space = spaces[i];
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
    const char *same_key = change_equals(compiler, pairs->table, key);
    const char *same = change_equals(compiler, pairs->table, column);
    change_sync(
        compiler, pairs->table, pairs->pairs,
        change_sql(compiler,
                   "  IF TG_OP = 'UPDATE' AND %s THEN\n"
                   "    DELETE FROM %s AS p WHERE p.%n %s OLD.%n AND p.%n %s OLD.%n;\n  END IF;\n"
                   "  IF TG_OP <> 'DELETE' AND NEW.%n IS NOT NULL THEN\n"
                   "    INSERT INTO %s (%n, %n) VALUES (NEW.%n, NEW.%n) ON CONFLICT DO NOTHING;\n"
                   "  END IF;\n",
                   change_compare(compiler, NULL, false, change_sql(compiler, "OLD.%n", column),
                                  change_sql(compiler, "NEW.%n", column)),
                   pair_place, pairs->left, same_key, key, pairs->right, same, column, column,
                   pair_place, pairs->left, pairs->right, key, column));
    change_sync(
        compiler, pairs->pairs, pairs->table,
        change_sql(
            compiler,
            "  IF TG_OP <> 'INSERT' THEN\n    UPDATE %s AS t SET %n = (SELECT p.%n FROM %s "
            "AS p WHERE p.%n %s OLD.%n ORDER BY p.%n LIMIT 1) WHERE t.%n %s OLD.%n AND t.%n %s "
            "OLD.%n;\n  END IF;\n  IF TG_OP <> 'DELETE' THEN\n    UPDATE %s AS t SET %n = "
            "NEW.%n WHERE t.%n %s NEW.%n AND t.%n IS NULL;\n  END IF;\n",
            place, column, pairs->right, pair_place, pairs->left, same_key, pairs->left,
            pairs->right, key, same_key, pairs->left, column, same, pairs->right, place, column,
            pairs->right, key, same_key, pairs->left, column));
}

enum status change_create_junction(struct compiler *compiler, const struct change_value *value,
                                   struct error *error)
{
    struct pairs pairs = {.compiler = compiler,
                          .left = change_text(value, "left"),
                          .right = change_text(value, "right")};
    const struct change_value *references = change_get(value, "references");
    struct change_chosen chosen = {.count = 1};
    struct buffer ignored = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &pairs.table, error) !=
            STATUS_OK ||
        change_find_table(compiler, references, change_text(references, "table"), &pairs.other,
                          error) != STATUS_OK ||
        change_need_single_key(compiler, pairs.table, error) != STATUS_OK ||
        change_need_single_key(compiler, pairs.other, error) != STATUS_OK ||
        change_find_column(compiler, pairs.table, change_get(value, "column"),
                           change_text(value, "column"), &pairs.column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pairs.key = change_text(references, "column") != NULL ? change_text(references, "column")
                                                          : pairs.other->keys[0];
    chosen.items[0] = pairs.column;
    if (change_check_leaves(compiler, pairs.table, pairs.column, error) != STATUS_OK ||
        change_chosen_carry(compiler, pairs.table, &chosen, NULL, "fi", &ignored, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (make_pairs(&pairs, change_text(value, "name"), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    change_chosen_let_null(compiler, pairs.table, &chosen);
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
    const char *same_key = change_equals(compiler, pairs.table, pairs.table->keys[0]);
    change_prove(compiler, CHANGE_PROVE, pairs.table,
                 arena_format(compiler->arena, "prove that %s has what %s had", pairs.pairs->name,
                              pairs.table->name),
                 change_sql(compiler,
                            "CASE WHEN %s.%n IS NULL THEN NOT EXISTS (SELECT 1 FROM %s AS p WHERE "
                            "p.%n %s %s.%n) ELSE EXISTS (SELECT 1 FROM %s AS p WHERE p.%n %s %s.%n "
                            "AND p.%n %s %s.%n) END",
                            self, column, change_place(compiler, pairs.pairs), pairs.left, same_key,
                            self, pairs.table->keys[0], change_place(compiler, pairs.pairs),
                            pairs.left, same_key, self, pairs.table->keys[0], pairs.right,
                            change_equals(compiler, pairs.table, column), self, column),
                 true);
    change_chosen_hide(&chosen, compiler->number);
    pairs.table->touched = true;
    pairs.table->operation = pairs.pairs->operation = compiler->number;
    change_way_add(compiler,
                   "a table of pairs that triggers keep equal both ways, filled in batches; the "
                   "old version sees one of a row's pairs",
                   NULL);
    return STATUS_OK;
}
