/* Indexes: made and dropped beside running writers. */
#include "connectors/postgres/change/change.h"
#include <string.h>
#include <strings.h>

static enum status append_column(struct compiler *compiler, struct altered_table *table,
                                 const struct change_value *value, struct buffer *sql,
                                 struct error *error)
{
    const char *name = change_text(value, "column");
    const char *expression = change_text(value, "expression");
    const struct change_value *class = change_get(value, "opclass");
    struct altered_column *column;
    if ((name == NULL) == (expression == NULL)) {
        return change_invalid(compiler, value, error, "it is a 'column' or an 'expression'");
    }
    if (name != NULL) {
        if (change_find_column(compiler, table, value, name, &column, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        postgres_append_name(sql, column->carrier);
    } else {
        buffer_format(sql, "(%s)", change_carried(compiler, table, expression));
    }
    if (change_text(value, "collate") != NULL) {
        postgres_append(sql, " COLLATE %s", change_text(value, "collate"));
    }
    if (class != NULL) {
        const char *text = class->kind == CHANGE_TEXT ? class->text : change_text(class, "name");
        buffer_format(sql, " %s", text);
    }
    if (change_text(value, "sort") != NULL) {
        buffer_format(sql, " %s", change_text(value, "sort"));
    }
    if (change_text(value, "nulls") != NULL) {
        buffer_format(sql, " NULLS %s", change_text(value, "nulls"));
    }
    return STATUS_OK;
}

static enum status append_included(struct compiler *compiler, struct altered_table *table,
                                   const struct change_value *list, struct buffer *sql,
                                   struct error *error)
{
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        struct altered_column *column;
        if (change_find_column(compiler, table, &list->items[i], list->items[i].text, &column,
                               error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        postgres_append(sql, "%s%n", i == 0 ? " INCLUDE (" : ", ", column->carrier);
    }
    buffer_append_string(sql, list != NULL && list->count > 0 ? ")" : "");
    return STATUS_OK;
}

/* An index of that name, and the table that it is of; NULL: there is none. */
static enum status find_index(struct compiler *compiler, const char *name, const char **definition,
                              const char **constraint, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->schema, name};
    if (change_query(
            compiler,
            "SELECT pg_catalog.pg_get_indexdef(c.oid), (SELECT k.conname FROM "
            "pg_catalog.pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', "
            "'u', 'x')) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid "
            "= c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN "
            "('i', 'I')",
            values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool there = PQntuples(result) > 0;
    *definition = there ? change_cell(compiler, result, 0, 0) : NULL;
    *constraint = there ? change_cell(compiler, result, 0, 1) : NULL;
    PQclear(result);
    return STATUS_OK;
}

/* Does the server take its columns and its predicate? */
static enum status try_index(struct compiler *compiler, const struct altered_table *table,
                             const struct change_value *at, const char *text, struct error *error)
{
    const char *problem;
    const char *tried = strstr(text, " USING ");
    if (change_try(compiler, table,
                   arena_format(compiler->arena, "CREATE INDEX ON pg_temp._transhume_scratch%s",
                                tried != NULL ? tried : ""),
                   &problem, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return problem == NULL ? STATUS_OK : change_invalid(compiler, at, error, "%s", problem);
}

enum status change_create_index(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    struct altered_table *table;
    const struct change_value *columns = change_get(value, "columns");
    const char *name = change_text(value, "name");
    const char *definition;
    const char *constraint;
    struct buffer sql = {0};
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        find_index(compiler, name, &definition, &constraint, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (definition != NULL) {
        return change_invalid(compiler, change_get(value, "name"), error,
                              "there is an index %s already", name);
    }
    if (table->partitioned) {
        return change_refused(compiler, error,
                              "the index of a partitioned table can't be built beside writers");
    }
    bool fresh = table->oid == NULL;
    const char *method = change_text(value, "method");
    postgres_append(&sql, "CREATE %sINDEX %s%n ON %n.%n USING %s (",
                    change_is_true(value, "unique") ? "UNIQUE " : "", fresh ? "" : "CONCURRENTLY ",
                    name, compiler->schema, table->old, method != NULL ? method : "btree");
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < columns->count && status == STATUS_OK; i++) {
        buffer_append_string(&sql, i > 0 ? ", " : "");
        status = append_column(compiler, table, &columns->items[i], &sql, error);
    }
    buffer_append_byte(&sql, ')');
    if (status == STATUS_OK) {
        status = append_included(compiler, table, change_get(value, "include"), &sql, error);
    }
    if (change_text(value, "storage_parameters") != NULL) {
        buffer_format(&sql, " WITH (%s)", change_text(value, "storage_parameters"));
    }
    if (change_text(value, "predicate") != NULL) {
        buffer_format(&sql, " WHERE (%s)",
                      change_carried(compiler, table, change_text(value, "predicate")));
    }
    const char *text = change_text_of(compiler, &sql);
    if (status == STATUS_OK) {
        status = try_index(compiler, table, value, text, error);
    }
    if (status == STATUS_OK) {
        change_index_step(compiler, arena_format(compiler->arena, "index %s", name), name, text,
                          fresh);
        change_way_add(compiler, "built beside running writers", NULL);
    }
    return status;
}

enum status change_drop_index(struct compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    const char *name = change_text(value, "name");
    const char *definition;
    const char *constraint;
    if (find_index(compiler, name, &definition, &constraint, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (definition == NULL) {
        return change_invalid(compiler, change_get(value, "name"), error, "there is no index %s",
                              name);
    }
    if (constraint != NULL) {
        return change_invalid(compiler, change_get(value, "name"), error,
                              "%s is of the constraint %s: drop_constraint drops both", name,
                              constraint);
    }
    struct change_step *step = change_statement(
        compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "drop index %s", name),
        change_sql(compiler, "DROP INDEX CONCURRENTLY IF EXISTS %n.%n", compiler->schema, name),
        NULL);
    step->alone = true;
    change_note_gone(compiler, name);
    change_way_add(compiler, "dropped at the end, beside running writers", NULL);
    return STATUS_OK;
}
