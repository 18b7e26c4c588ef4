/* The end: what only the old version needs goes, and columns and tables get their last names. All
 * of a table, and of tables that follow each other, is one transaction, so that nobody sees it in
 * between. */
#include "connectors/postgres/change/change.h"
#include <string.h>

/* The last steps of all tables that follow each other: nobody sees one of them without the others.
 */
struct contracting {
    struct compiler *compiler;
    const struct altered_table *table;
    bool begun;
};

static void change_contract_add(struct contracting *contracting, const char *title,
                                const char *text)
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
        change_contract_add(
            contracting,
            arena_format(compiler->arena, "last changes of %s", contracting->table->name),
            arena_copy(compiler->arena, buffer->data, buffer->length - strlen(";\n")));
    }
}

static void drop_trigger(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    if (change_has_trigger(table)) {
        change_contract_add(
            contracting, arena_format(compiler->arena, "trigger and function of %s", table->name),
            change_sql(compiler, "DROP TRIGGER %n ON %s; DROP FUNCTION %n.%n()", table->trigger,
                       place, compiler->schema, change_function_name(compiler, table)));
    }
}

static void drop_columns(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->old != NULL && (column->dual || column->hidden)) {
            change_contract_add(
                contracting,
                arena_format(compiler->arena, "drop the old column %s.%s", table->name,
                             column->old),
                change_sql(compiler, "ALTER TABLE %s DROP COLUMN %n", place, column->old));
        }
    }
}

static void rename_column(struct contracting *contracting, const char *place, const char *from,
                          const char *to)
{
    struct compiler *compiler = contracting->compiler;
    change_contract_add(
        contracting,
        arena_format(compiler->arena, "last name of %s.%s", contracting->table->name, from),
        change_sql(compiler, "ALTER TABLE %s RENAME COLUMN %n TO %n", place, from, to));
}

/* Does another column have the name as yet? */
static bool is_taken(const struct altered_table *table, const struct altered_column *column)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *other = &table->columns[i];
        if (other != column && !other->hidden && strcmp(other->carrier, column->name) == 0) {
            return true;
        }
    }
    return false;
}

static void rename_columns(struct contracting *contracting, const char *place)
{
    struct compiler *compiler = contracting->compiler;
    const struct altered_table *table = contracting->table;
    for (int pass = 0; pass < 2; pass++) { /* names that others have come last */
        for (uint32_t i = 0; i < table->count; i++) {
            const struct altered_column *column = &table->columns[i];
            const char *between =
                change_short_name(compiler, POSTGRES_CHANGE_PREFIX "_", column->carrier);
            if (column->hidden || strcmp(column->carrier, column->name) == 0) {
                continue;
            }
            bool taken = is_taken(table, column);
            if (pass == 0) {
                rename_column(contracting, place, column->carrier, taken ? between : column->name);
            } else if (taken) {
                rename_column(contracting, place, between, column->name);
            }
        }
    }
}

/* Has another table of the change the name as yet? */
static bool is_had(const struct compiler *compiler, const struct altered_table *table)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *other = compiler->tables[i];
        if (other != table && other->oid != NULL && strcmp(other->old, table->name) == 0) {
            return true;
        }
    }
    return false;
}

/* The name of a table until the other one has given up the name that it gets. */
static const char *name_between(struct compiler *compiler, const struct altered_table *table)
{
    return change_short_name(compiler, POSTGRES_CHANGE_PREFIX "_", table->old);
}

static void contract(struct contracting *contracting, const struct altered_table *table)
{
    struct compiler *compiler = contracting->compiler;
    contracting->table = table;
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    compiler->number = table->operation;
    if (table->dropped) {
        add_statements(contracting, &table->contract);
        add_statements(contracting, &table->late);
        return;
    }
    drop_trigger(contracting, place);
    add_statements(contracting, &table->contract);
    drop_columns(contracting, place);
    rename_columns(contracting, place);
    add_statements(contracting, &table->late);
    if (strcmp(table->name, table->old) != 0) {
        change_contract_add(
            contracting, arena_format(compiler->arena, "last name of %s", table->name),
            change_sql(compiler, "ALTER TABLE %s RENAME TO %n", place,
                       is_had(compiler, table) ? name_between(compiler, table) : table->name));
    }
}

/* Names that other tables had, in one transaction. */
static void take_names(struct compiler *compiler)
{
    struct contracting contracting = {.compiler = compiler};
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *table = compiler->tables[i];
        if (!table->dropped && strcmp(table->name, table->old) != 0 && is_had(compiler, table)) {
            compiler->number = table->operation;
            contracting.table = table;
            change_contract_add(
                &contracting,
                arena_format(compiler->arena, "name %s, which another table had", table->name),
                change_sql(compiler, "ALTER TABLE %n.%n RENAME TO %n", compiler->schema,
                           name_between(compiler, table), table->name));
        }
    }
}

/* The tables of a group, once for its first one. */
static void contract_group(struct compiler *compiler, uint32_t first)
{
    struct contracting contracting = {.compiler = compiler};
    uint32_t group = compiler->tables[first]->group;
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        if (compiler->tables[i]->group == group) {
            if (i < first) {
                return;
            }
            contract(&contracting, compiler->tables[i]);
        }
    }
}

/* Foreign keys that go stand on columns of other tables, which may go as well. */
static void drop_links(struct compiler *compiler, const struct altered_table *table)
{
    struct contracting contracting = {.compiler = compiler, .table = table};
    if (table->unlinks.length > 0) {
        compiler->number = table->operation;
        change_contract_add(
            &contracting, arena_format(compiler->arena, "foreign keys of %s that go", table->name),
            arena_copy(compiler->arena, table->unlinks.data,
                       table->unlinks.length - strlen(";\n")));
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
        drop_links(compiler, compiler->tables[i]);
    }
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        contract_group(compiler, i);
    }
    take_names(compiler);
    change_emit_detached(compiler);
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        buffer_free(&compiler->tables[i]->unlinks);
        buffer_free(&compiler->tables[i]->contract);
        buffer_free(&compiler->tables[i]->late);
        buffer_free(&compiler->tables[i]->holds);
    }
    /* The operations' own steps come last: indexes that go, statements of people. */
    for (uint32_t i = 0; i < own.count; i++) {
        struct change_step *step = change_step_add(compiler, CHANGE_CONTRACT, own.items[i].title);
        *step = own.items[i];
    }
    return STATUS_OK;
}
