/* split_table: columns of a table become one of their own. */
#include "connectors/postgres/change/change_chosen.h"
#include <string.h>

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
                             const struct change_chosen *chosen, const char *name,
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
        column->space = change_space(table, table->keys[i]);
        postgres_append(&sql, "%n %s, ", column->name, column->type);
    }
    for (uint32_t i = 0; i < chosen->count; i++) {
        struct altered_column *column = change_add_column(compiler, *part);
        const struct altered_column *from = chosen->items[i];
        column->name = column->old = column->carrier = from->name;
        column->type = column->old_type = from->type;
        column->space = from->space;
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
    if (change_chosen_carry(compiler, table, chosen, place, "", &sql, error) != STATUS_OK) {
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
                         struct altered_table *part, const struct change_chosen *chosen)
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
            change_chosen_equal(compiler, chosen, "NEW", "OLD"),
            change_chosen_any(compiler, chosen, "NEW"), part_place, keys(compiler, table, ""),
            change_chosen_list(compiler, chosen, ""), keys(compiler, table, "NEW"),
            change_chosen_list(compiler, chosen, "NEW"), keys(compiler, table, ""),
            change_chosen_set(compiler, chosen, "excluded"), part_place,
            change_match(compiler, table, "t", "NEW")));
    change_sync(compiler, part, table,
                change_sql(compiler,
                           "  IF TG_OP = 'DELETE' THEN\n    UPDATE %s AS t SET %s WHERE %s;\n  "
                           "ELSE\n    UPDATE %s AS t SET %s WHERE %s;\n  END IF;\n",
                           place, change_chosen_set(compiler, chosen, NULL),
                           change_match(compiler, table, "t", "OLD"), place,
                           change_chosen_set(compiler, chosen, "NEW"),
                           change_match(compiler, table, "t", "NEW")));
}

enum status change_split_table(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *table;
    struct altered_table *part;
    struct change_chosen chosen;
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        change_need_key(compiler, table, error) != STATUS_OK ||
        change_chosen_pick(compiler, table, change_get(value, "columns"), &chosen, error) !=
            STATUS_OK ||
        make_part(compiler, table, &chosen, change_text(value, "into"), &part, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    change_chosen_let_null(compiler, table, &chosen);
    follow_split(compiler, table, part, &chosen);
    const char *self = change_sql(compiler, "%n", table->old);
    const struct change_insertion insertion = {
        .from = table,
        .into = part,
        .columns = arena_format(compiler->arena, "%s, %s", keys(compiler, table, ""),
                                change_chosen_list(compiler, &chosen, "")),
        .values = arena_format(compiler->arena, "%s, %s", keys(compiler, table, ""),
                               change_chosen_list(compiler, &chosen, "")),
        .condition = change_chosen_any(compiler, &chosen, ""),
        .conflict = keys(compiler, table, "")};
    change_fill_insert(compiler, &insertion);
    change_prove(
        compiler, CHANGE_PROVE, table,
        arena_format(compiler->arena, "prove that %s has what %s had", part->name, table->name),
        change_sql(compiler,
                   "CASE WHEN %s THEN EXISTS (SELECT 1 FROM %s AS p WHERE %s AND %s) ELSE "
                   "NOT EXISTS (SELECT 1 FROM %s AS p WHERE %s) END",
                   change_chosen_any(compiler, &chosen, self), change_place(compiler, part),
                   change_match(compiler, table, "p", self),
                   change_chosen_equal(compiler, &chosen, "p", self), change_place(compiler, part),
                   change_match(compiler, table, "p", self)),
        true);
    change_chosen_hide(&chosen, compiler->number);
    table->touched = true;
    table->operation = part->operation = compiler->number;
    change_way_add(compiler,
                   "a new table that triggers keep equal both ways, filled in batches; a row "
                   "without any of the values has none there",
                   NULL);
    return STATUS_OK;
}
