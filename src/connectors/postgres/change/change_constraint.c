/* Constraints: what rows break is found before it shuts anybody out, then it is added for new rows,
 * and shown to hold for the others. */
#include "connectors/postgres/change/change.h"
#include <string.h>
#include <strings.h>

static const char *place_of(struct compiler *compiler, const struct altered_table *table)
{
    return change_sql(compiler, "%n.%n", compiler->schema, table->old);
}

/* Adds it for what is written from now on, and shows that it holds for what is there. */
static void add_validated(struct compiler *compiler, const struct altered_table *table,
                          const char *name, const char *body)
{
    const char *place = place_of(compiler, table);
    change_statement(
        compiler, CHANGE_PROVE, ALTER_LOCK_ALL,
        arena_format(compiler->arena, "constraint %s of %s", name, table->name),
        change_sql(compiler, "ALTER TABLE %s ADD CONSTRAINT %n %s NOT VALID", place, name, body),
        change_sql(compiler, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %n", place, name));
    struct change_step *step = change_statement(
        compiler, CHANGE_PROVE, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "constraint %s of %s holds", name, table->name),
        change_sql(compiler, "ALTER TABLE %s VALIDATE CONSTRAINT %n", place, name), NULL);
    step->rewrites = true;
}

/* Does the server take the constraint or index of the new version's columns? */
static enum status try_text(struct compiler *compiler, const struct altered_table *table,
                            const char *statement, struct error *error)
{
    const char *problem;
    if (change_try(compiler, table, statement, &problem, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return problem == NULL ? STATUS_OK : change_invalid(compiler, NULL, error, "%s", problem);
}

enum status change_add_check(struct compiler *compiler, struct altered_table *table,
                             const char *name, const char *expression, bool no_inherit,
                             struct error *error)
{
    const char *carried = change_carried(compiler, table, expression);
    const char *check =
        arena_format(compiler->arena, "CHECK (%s\n)%s", carried, no_inherit ? " NO INHERIT" : "");
    if (try_text(
            compiler, table,
            arena_format(compiler->arena, "ALTER TABLE pg_temp._transhume_scratch ADD %s", check),
            error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&table->holds, " AND (%s\n) IS NOT FALSE", carried);
    add_validated(compiler, table, name, check);
    return STATUS_OK;
}

void change_add_not_null(struct compiler *compiler, struct altered_table *table,
                         struct altered_column *column)
{
    if (column->checked) {
        return;
    }
    const char *place = place_of(compiler, table);
    const char *check =
        change_short_name(compiler, POSTGRES_CHANGE_CHECK,
                          arena_format(compiler->arena, "%s_%s", table->old, column->name));
    column->checked = true;
    column->not_null = true;
    postgres_append(&table->holds, " AND %n IS NOT NULL", column->carrier);
    add_validated(compiler, table, check,
                  change_sql(compiler, "CHECK (%n IS NOT NULL)", column->carrier));
    postgres_append(&table->contract,
                    "ALTER TABLE %s ALTER COLUMN %n SET NOT NULL;\nALTER TABLE %s DROP CONSTRAINT "
                    "%n;\n",
                    place, column->carrier, place, check);
}

void change_add_unique(struct compiler *compiler, struct altered_table *table, const char *name,
                       const char *columns, const char *kind, const char *tail,
                       const char *deferrable)
{
    bool fresh = table->oid == NULL;
    const char *text =
        change_sql(compiler, "CREATE UNIQUE INDEX %s%n ON %n.%n (%s)%s",
                   fresh ? "" : "CONCURRENTLY ", name, compiler->schema, table->old, columns, tail);
    change_index_step(compiler,
                      arena_format(compiler->arena, "unique index %s of %s", name, table->name),
                      name, text, fresh);
    postgres_append(&table->late, "ALTER TABLE %n.%n ADD CONSTRAINT %n %s USING INDEX %n%s;\n",
                    compiler->schema, table->old, name, kind, name, deferrable);
}

enum status change_add_reference(struct compiler *compiler, struct altered_table *table,
                                 const char *name, const char *columns,
                                 const struct change_value *references, const char *deferrable,
                                 struct error *error)
{
    struct buffer body = {0};
    if (table->partitioned) {
        return change_refused(compiler, error,
                              "a foreign key of the partitioned table %s can't be proved beside "
                              "running writers",
                              table->name);
    }
    buffer_format(&body, "FOREIGN KEY (%s)", columns);
    enum status status = change_append_reference(compiler, references, &body, error);
    buffer_append_string(&body, deferrable);
    const char *text = change_text_of(compiler, &body);
    if (status == STATUS_OK) {
        add_validated(compiler, table, name, text);
    }
    return status;
}

/* ---------------------------------------------------------------- create_constraint */

/* The columns as their carriers, and second ones where `up` and `down` say more than themselves. */
static enum status prepare_columns(struct compiler *compiler, const struct change_value *value,
                                   struct altered_table *table, const char **columns,
                                   struct error *error)
{
    const struct change_value *list = change_get(value, "columns");
    const struct change_value *ups = change_get(value, "up");
    const struct change_value *downs = change_get(value, "down");
    struct buffer names = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; list != NULL && i < list->count && status == STATUS_OK; i++) {
        struct altered_column *column;
        const char *name = list->items[i].text;
        status = change_find_column(compiler, table, &list->items[i], name, &column, error);
        if (status == STATUS_OK) {
            status = change_dual_if(compiler, table, column, change_get(ups, name),
                                    change_get(downs, name), error);
        }
        if (status == STATUS_OK) {
            postgres_append(&names, "%s%n", i > 0 ? ", " : "", column->carrier);
        }
    }
    *columns = change_text_of(compiler, &names);
    return status;
}

static const char *deferrable_of(const struct change_value *value)
{
    return change_is_true(value, "initially_deferred") ? " DEFERRABLE INITIALLY DEFERRED"
           : change_is_true(value, "deferrable")       ? " DEFERRABLE"
                                                       : "";
}

/* An option that is not carried is refused, not passed over. */
static enum status check_options(struct compiler *compiler, const struct change_value *value,
                                 struct error *error)
{
    enum { VERSION_NOT_DISTINCT = 150000 };
    if (change_get(value, "index_parameters") != NULL) {
        change_refused(compiler, error, "index_parameters are not carried to the index");
        return error_hint(error, "Make a unique index by create_index instead.");
    }
    if (change_is_true(value, "nulls_not_distinct") &&
        compiler->session->database->server_version < VERSION_NOT_DISTINCT) {
        return change_refused(compiler, error, "NULLS NOT DISTINCT needs PostgreSQL 15 or later");
    }
    const struct change_value *columns = change_get(value, "columns");
    return change_check_keys(compiler, change_get(value, "up"), columns, error) == STATUS_OK
               ? change_check_keys(compiler, change_get(value, "down"), columns, error)
               : STATUS_FAILED;
}

static enum status add_primary_key(struct compiler *compiler, const struct change_value *value,
                                   struct altered_table *table, const char *columns,
                                   struct error *error)
{
    const struct change_value *list = change_get(value, "columns");
    for (uint32_t i = 0; i < list->count; i++) {
        struct altered_column *column = change_column_named(table, list->items[i].text);
        if (column == NULL) {
            return change_invalid(compiler, value, error, "%s has no column %s", table->name,
                                  list->items[i].text);
        }
        if (!column->not_null) {
            change_add_not_null(compiler, table, column);
        }
    }
    change_add_unique(compiler, table, change_text(value, "name"), columns, "PRIMARY KEY", "",
                      deferrable_of(value));
    return STATUS_OK;
}

enum status change_create_constraint(struct compiler *compiler, const struct change_value *value,
                                     struct error *error)
{
    struct altered_table *table;
    const char *columns;
    const char *name = change_text(value, "name");
    const char *type = change_text(value, "type");
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        check_options(compiler, value, error) != STATUS_OK ||
        prepare_columns(compiler, value, table, &columns, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->touched = true;
    table->operation = compiler->number;
    change_way_add(compiler, "proved beside running writers, in place", NULL);
    if (strcasecmp(type, "check") == 0) {
        if (change_text(value, "check") == NULL) {
            return change_invalid(compiler, value, error, "a check needs 'check'");
        }
        return change_add_check(compiler, table, name, change_text(value, "check"),
                                change_is_true(value, "no_inherit"), error);
    }
    if (strcasecmp(type, "exclude") == 0) {
        return change_refused(compiler, error,
                              "an exclusion constraint locks the table while its index is built");
    }
    if (columns[0] == '\0') {
        return change_invalid(compiler, value, error, "it needs 'columns'");
    }
    if (strcasecmp(type, "foreign_key") == 0) {
        const struct change_value *references = change_get(value, "references");
        return references == NULL ? change_invalid(compiler, value, error, "it needs 'references'")
                                  : change_add_reference(compiler, table, name, columns, references,
                                                         deferrable_of(value), error);
    }
    if (table->partitioned) {
        return change_refused(compiler, error,
                              "the index of a partitioned table can't be built beside writers");
    }
    if (strcasecmp(type, "primary_key") == 0) {
        return add_primary_key(compiler, value, table, columns, error);
    }
    change_add_unique(compiler, table, name, columns, "UNIQUE",
                      change_is_true(value, "nulls_not_distinct") ? " NULLS NOT DISTINCT" : "",
                      deferrable_of(value));
    return STATUS_OK;
}

/* ---------------------------------------------------------------- drop, rename */

/* The columns of a constraint of the table; count 0: there is no such one. */
static enum status columns_of(struct compiler *compiler, const struct altered_table *table,
                              const char *name, PGresult **result, struct error *error)
{
    const char *const values[] = {table->oid, name};
    return change_query(compiler,
                        "SELECT a.attname, k.contype FROM pg_catalog.pg_constraint k LEFT JOIN "
                        "pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY "
                        "(k.conkey) WHERE k.conrelid = $1::pg_catalog.oid AND k.conname = $2 "
                        "ORDER BY a.attnum",
                        values, 2, result, error);
}

/* `up` and `down` of one column: a text, or a map by column. */
static const struct change_value *of_column(const struct change_value *value, const char *name)
{
    return value == NULL || value->kind == CHANGE_TEXT ? value : change_get(value, name);
}

static struct altered_column *column_of_old(const struct altered_table *table, const char *old)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->columns[i].old != NULL && strcmp(table->columns[i].old, old) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

/* `up` and `down` by column name columns of the constraint only. */
static enum status check_maps(struct compiler *compiler, const struct change_value *value,
                              const struct altered_table *table, PGresult *result,
                              struct error *error)
{
    uint32_t count = (uint32_t)PQntuples(result);
    struct change_value *items = arena_allocate_zeroed(compiler->arena, count + 1, sizeof(*items));
    for (uint32_t i = 0; i < count; i++) {
        const struct altered_column *column = column_of_old(table, PQgetvalue(result, (int)i, 0));
        items[i] = (struct change_value){.kind = CHANGE_TEXT,
                                         .text = column != NULL ? column->name : NULL};
    }
    const struct change_value list = {.kind = CHANGE_LIST, .items = items, .count = count};
    return change_check_keys(compiler, change_get(value, "up"), &list, error) == STATUS_OK
               ? change_check_keys(compiler, change_get(value, "down"), &list, error)
               : STATUS_FAILED;
}

enum status change_drop_constraint(struct compiler *compiler, const struct change_value *value,
                                   struct error *error)
{
    struct altered_table *table;
    PGresult *result = NULL;
    const char *name = change_text(value, "name");
    bool links = false;
    bool dual = false;
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        columns_of(compiler, table, name, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = PQntuples(result) > 0
                             ? STATUS_OK
                             : change_invalid(compiler, change_get(value, "name"), error,
                                              "%s has no constraint %s", table->name, name);
    if (status == STATUS_OK) {
        status = check_maps(compiler, value, table, result, error);
    }
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        struct altered_column *column = column_of_old(table, PQgetvalue(result, row, 0));
        links = PQgetvalue(result, row, 1)[0] == 'f';
        if (column != NULL) {
            status = change_dual_if(compiler, table, column,
                                    of_column(change_get(value, "up"), column->name),
                                    of_column(change_get(value, "down"), column->name), error);
            dual = dual || column->dual;
        }
    }
    PQclear(result);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(links ? &table->unlinks : &table->contract,
                    "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %n;\n", place_of(compiler, table),
                    name);
    change_note_gone(compiler, name);
    table->touched = table->touched || dual;
    table->operation = compiler->number;
    change_way_add(compiler,
                   dual ? "a second column without it, kept equal by a trigger both ways"
                        : "dropped at the end: until then it holds for both versions",
                   NULL);
    return STATUS_OK;
}

/* Will it have given up its name by then? */
static bool is_renamed(const struct compiler *compiler, const struct altered_table *table,
                       const char *name)
{
    bool renamed = false;
    for (uint32_t i = 0; i < compiler->number && !renamed; i++) {
        const struct change_operation *operation = &compiler->change->operations[i];
        const char *from = change_text(&operation->value, "from");
        const char *of = change_text(&operation->value, "table");
        renamed = strcmp(operation->kind, "rename_constraint") == 0 && from != NULL && of != NULL &&
                  strcmp(from, name) == 0 &&
                  (strcmp(of, table->name) == 0 || strcmp(of, table->old) == 0);
    }
    return renamed;
}

enum status change_rename_constraint(struct compiler *compiler, const struct change_value *value,
                                     struct error *error)
{
    struct altered_table *table;
    PGresult *result = NULL;
    PGresult *taken = NULL;
    const char *from = change_text(value, "from");
    const char *to = change_text(value, "to");
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        columns_of(compiler, table, from, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool there = PQntuples(result) > 0;
    PQclear(result);
    if (!there) {
        return change_invalid(compiler, change_get(value, "from"), error, "%s has no constraint %s",
                              table->name, from);
    }
    if (columns_of(compiler, table, to, &taken, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_free =
        PQntuples(taken) == 0 || change_is_gone(compiler, to) || is_renamed(compiler, table, to);
    PQclear(taken);
    if (!is_free) {
        return change_invalid(compiler, change_get(value, "to"), error,
                              "%s has a constraint %s already", table->name, to);
    }
    postgres_append(&table->contract, "ALTER TABLE %s RENAME CONSTRAINT %n TO %n;\n",
                    place_of(compiler, table), from, to);
    table->operation = compiler->number;
    change_way_add(compiler, "at the end", NULL);
    return STATUS_OK;
}
