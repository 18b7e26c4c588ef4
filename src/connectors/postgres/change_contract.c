/* The end: what only the old version needs goes, and columns and tables get their last names. All
 * of a table is one transaction, so that nobody sees it in between. */
#include "connectors/postgres/change.h"
#include <string.h>

struct contracting {
    struct compiler *compiler;
    const struct altered_table *table;
    bool begun;
};

static void add(struct contracting *contracting, const char *title, const char *text)
{
    struct change_step *step =
        change_statement(contracting->compiler, CHANGE_CONTRACT, ALTER_LOCK_ALL, title, text, NULL);
    step->joined = contracting->begun;
    contracting->begun = true;
}

/* Statements of a buffer, each ended by ";\n". */
static void add_statements(struct contracting *contracting, const struct buffer *buffer)
{
    struct compiler *compiler = contracting->compiler;
    if (buffer->length > 0) {
        add(contracting,
            arena_format(compiler->arena, "last changes of %s", contracting->table->name),
            arena_copy(compiler->arena, buffer->data, buffer->length - strlen(";\n")));
    }
}

static void drop_trigger(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    if (change_has_trigger(table)) {
        add(contracting, arena_format(compiler->arena, "trigger and function of %s", table->name),
            change_sql(compiler, "DROP TRIGGER %n ON %s; DROP FUNCTION %n.%n()",
                       table->trigger, place, compiler->schema,
                       change_function_name(compiler, table)));
    }
}

static void drop_columns(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->old != NULL && (column->dual || column->hidden)) {
            add(contracting,
                arena_format(compiler->arena, "drop the old column %s.%s", table->name,
                             column->old),
                change_sql(compiler, "ALTER TABLE %s DROP COLUMN %n", place, column->old));
        }
    }
}

static void rename_columns(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->hidden && strcmp(column->carrier, column->name) != 0) {
            add(contracting,
                arena_format(compiler->arena, "last name of %s.%s", table->name, column->name),
                change_sql(compiler, "ALTER TABLE %s RENAME COLUMN %n TO %n", place,
                           column->carrier, column->name));
        }
    }
}

static void contract(struct compiler *compiler, const struct altered_table *table)
{
    struct contracting contracting = {.compiler = compiler, .table = table};
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    compiler->number = table->operation;
    if (table->dropped) {
        add_statements(&contracting, &table->late);
        return;
    }
    drop_trigger(&contracting, place);
    add_statements(&contracting, &table->contract);
    drop_columns(&contracting, place);
    rename_columns(&contracting, place);
    add_statements(&contracting, &table->late);
    if (strcmp(table->name, table->old) != 0) {
        add(&contracting, arena_format(compiler->arena, "last name of %s", table->name),
            change_sql(compiler, "ALTER TABLE %s RENAME TO %n", place, table->name));
    }
}

/* Views of versions before this one stand on what is about to go. */
static enum status drop_former(struct compiler *compiler, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->old_views};
    compiler->number = UINT32_MAX;
    if (change_query(compiler, "SELECT pg_catalog.unnest($1::text[])", values, 1, &result, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        const char *schema = change_cell(compiler, result, row, 0);
        change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
                         arena_format(compiler->arena, "views of the old version in %s", schema),
                         change_drop_views(compiler, schema), NULL);
        struct change_step *step =
            change_statement(compiler, CHANGE_CONTRACT, ALTER_LOCK_NONE,
                             arena_format(compiler->arena, "schema %s of the old version", schema),
                             change_sql(compiler, "DROP SCHEMA IF EXISTS %n", schema), NULL);
        step->joined = true;
    }
    PQclear(result);
    return STATUS_OK;
}

enum status change_emit_contract(struct compiler *compiler, struct error *error)
{
    struct change_steps own = compiler->steps[CHANGE_CONTRACT];
    compiler->steps[CHANGE_CONTRACT] = (struct change_steps){0};
    if (drop_former(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        contract(compiler, compiler->tables[i]);
        buffer_free(&compiler->tables[i]->contract);
        buffer_free(&compiler->tables[i]->late);
        buffer_free(&compiler->tables[i]->holds);
    }
    /* What operations brought of their own comes last: indexes that go, statements of people. */
    for (uint32_t i = 0; i < own.count; i++) {
        struct change_step *step = change_step_add(compiler, CHANGE_CONTRACT, own.items[i].title);
        *step = own.items[i];
    }
    return STATUS_OK;
}
