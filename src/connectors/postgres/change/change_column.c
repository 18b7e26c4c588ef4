/* Columns: added, dropped, renamed, altered. */
#include "connectors/postgres/change/change.h"
#include "postgres_sql.h"
#include <string.h>
#include <strings.h>

static enum status find_both(struct compiler *compiler, const struct change_value *value,
                             const char *key, struct altered_table **table,
                             struct altered_column **column, struct error *error)
{
    if (change_find_table(compiler, value, change_text(value, "table"), table, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return change_find_column(compiler, *table, change_get(value, key), change_text(value, key),
                              column, error);
}

static void touch(struct compiler *compiler, struct altered_table *table)
{
    table->touched = true;
    table->operation = compiler->number;
}

/* ---------------------------------------------------------------- constraints of a column */

static const char *chosen_name(struct compiler *compiler, const struct change_value *map,
                               const char *kind, const struct altered_table *table,
                               const struct altered_column *column)
{
    const char *name = change_text(map, "name");
    return name != NULL ? name
                        : change_short_name(compiler, "",
                                            arena_format(compiler->arena, "%s_%s_%s", table->name,
                                                         column->name, kind));
}

/* check, unique and references of a column that is added or altered. */
static enum status add_constraints(struct compiler *compiler, const struct change_value *value,
                                   struct altered_table *table, struct altered_column *column,
                                   struct error *error)
{
    const struct change_value *check = change_get(value, "check");
    const struct change_value *unique = change_get(value, "unique");
    const struct change_value *references = change_get(value, "references");
    const char *columns = change_sql(compiler, "%n", column->carrier);
    if (check != NULL) {
        if (change_add_check(compiler, table, chosen_name(compiler, check, "check", table, column),
                             change_text(check, "constraint"), change_is_true(check, "no_inherit"),
                             error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (unique != NULL && (unique->kind == CHANGE_MAP || change_is_true(value, "unique"))) {
        change_add_unique(compiler, table, chosen_name(compiler, unique, "key", table, column),
                          columns, "UNIQUE", "", "");
    }
    return references == NULL
               ? STATUS_OK
               : change_add_reference(compiler, table,
                                      chosen_name(compiler, references, "fkey", table, column),
                                      columns, references, "", error);
}

/* ---------------------------------------------------------------- adding */

static const char *serial_type(const char *type)
{
    static const char *const types[][2] = {{"serial", "integer"},       {"serial4", "integer"},
                                           {"bigserial", "bigint"},     {"serial8", "bigint"},
                                           {"smallserial", "smallint"}, {"serial2", "smallint"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(type, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return NULL;
}

static enum status check_added(struct compiler *compiler, const struct change_value *value,
                               struct altered_table *table, struct error *error)
{
    const struct change_value *column = change_get(value, "column");
    const char *name = change_text(column, "name");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *known = &table->columns[i];
        if (strcmp(known->name, name) == 0 ||
            (known->old != NULL && strcmp(known->old, name) == 0)) {
            return change_invalid(compiler, column, error, "%s has a column %s", table->name, name);
        }
    }
    if (change_is_true(column, "pk")) {
        return change_refused(compiler, error,
                              "a primary key is added by create_constraint, once its column is "
                              "filled");
    }
    if (serial_type(change_text(column, "type")) != NULL ||
        change_get(change_get(column, "generated"), "identity") != NULL) {
        return change_refused(compiler, error,
                              "numbers that count up can't be added beside running writers; add "
                              "%s as a plain type with a default of nextval",
                              name);
    }
    if (change_text(change_get(column, "generated"), "expression") != NULL) {
        return change_refused(compiler, error,
                              "a stored generated column rewrites the table; add %s as a plain "
                              "column with `up`",
                              name);
    }
    return STATUS_OK;
}

/* The default as the server will keep it: does it give another value for each row? */
static enum status read_default(struct compiler *compiler, struct altered_table *table,
                                const struct change_value *at, struct altered_column *column,
                                bool *is_volatile, struct error *error)
{
    struct altered_expression expression;
    *is_volatile = false;
    if (column->default_sql == NULL) {
        return STATUS_OK;
    }
    if (change_read_expression(compiler, table, at, column->default_sql, column->type, true,
                               &expression, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *is_volatile = expression.is_volatile;
    column->constant = !expression.is_volatile && !expression.looks_out;
    return STATUS_OK;
}

static void make_column(struct compiler *compiler, const struct altered_table *table,
                        const struct altered_column *column, bool by_default, bool not_null)
{
    const char *title =
        arena_format(compiler->arena, "add column %s.%s", table->name, column->name);
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    struct buffer sql = {0};
    postgres_append(&sql, "ALTER TABLE %s ADD COLUMN %n %s%s", place, column->carrier, column->type,
                    not_null ? " NOT NULL" : "");
    if (column->default_sql != NULL) {
        if (by_default) {
            postgres_append(&sql, " DEFAULT %s", column->default_sql);
        } else {
            postgres_append(&sql, "; ALTER TABLE %s ALTER COLUMN %n SET DEFAULT %s", place,
                            column->carrier, column->default_sql);
        }
    }
    if (column->comment != NULL) {
        postgres_append(&sql, "; COMMENT ON COLUMN %s.%n IS %q", place, column->carrier,
                        column->comment);
    }
    change_statement(
        compiler, CHANGE_EXPAND, ALTER_LOCK_ALL, title, change_text_of(compiler, &sql),
        change_sql(compiler, "ALTER TABLE %s DROP COLUMN IF EXISTS %n", place, column->carrier));
}

/* The type as the server spells it. */
static enum status canonical_type(struct compiler *compiler, const struct change_value *at,
                                  const char *type, const char **found, struct error *error)
{
    struct error inner = {0};
    PGresult *result = NULL;
    struct buffer sql = {0};
    buffer_append_string(&sql, "SAVEPOINT transhume_scratch");
    if (postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text =
        arena_format(compiler->arena, "SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM "
                                      "pg_catalog.pg_attribute a WHERE a.attrelid = "
                                      "'pg_temp._transhume_scratch'::pg_catalog.regclass AND "
                                      "a.attnum = 1");
    buffer_format(&sql, "CREATE TEMP TABLE _transhume_scratch (x %s)", type);
    enum status status =
        postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, &inner);
    if (status == STATUS_OK) {
        status = change_query(compiler, text, NULL, 0, &result, &inner);
        *found = status == STATUS_OK ? change_cell(compiler, result, 0, 0) : type;
        PQclear(result);
    }
    buffer_append_string(&sql, "ROLLBACK TO SAVEPOINT transhume_scratch");
    if (postgres_execute_buffer(compiler->session->database, compiler->session->connection, &sql,
                                SQL_LONG, ERROR_TARGET_SCHEMA, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return status == STATUS_OK ? STATUS_OK
                               : change_invalid(compiler, at, error, "%s", inner.message);
}

enum status change_add_column_op(struct compiler *compiler, const struct change_value *value,
                                 struct error *error)
{
    struct altered_table *table;
    const struct change_value *at = change_get(value, "column");
    const struct change_value *up = change_get(value, "up");
    bool is_volatile;
    if (change_find_table(compiler, value, change_text(value, "table"), &table, error) !=
            STATUS_OK ||
        check_added(compiler, value, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct altered_column made = {.operation = compiler->number,
                                  .name = change_text(at, "name"),
                                  .carrier = change_text(at, "name"),
                                  .type = change_text(at, "type"),
                                  .default_sql = change_text(at, "default"),
                                  .comment = change_text(at, "comment"),
                                  .not_null = !change_is_true(at, "nullable"),
                                  .constant = true,
                                  .made = true};
    const char *collation = NULL;
    if (canonical_type(compiler, at, made.type, &made.type, error) != STATUS_OK ||
        change_check_domain(compiler, table, at, made.type, error) != STATUS_OK ||
        change_read_type(compiler, &made, made.type, &collation, error) != STATUS_OK ||
        read_default(compiler, table, at, &made, &is_volatile, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text = up != NULL ? up->text : is_volatile ? made.default_sql : NULL;
    if (text != NULL && change_read_expression(compiler, table, up != NULL ? up : at, text,
                                               made.type, true, &made.up, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made.not_null && made.default_sql == NULL && text == NULL && table->oid != NULL) {
        return change_invalid(compiler, at, error,
                              "%s is NOT NULL, and has neither a default nor `up`", made.name);
    }
    made.fills = text != NULL;
    touch(compiler, table);
    struct altered_column *column = change_add_column(compiler, table);
    *column = made;
    make_column(compiler, table, column, !is_volatile, made.not_null && !made.fills);
    change_way_add(compiler,
                   made.fills ? "added without a value, kept by a trigger, filled in batches"
                              : "added with its default, which no row has to be written for",
                   NULL);
    if (made.fills && made.not_null) {
        change_add_not_null(compiler, table, column);
    }
    return add_constraints(compiler, at, table, column, error);
}

/* ---------------------------------------------------------------- dropping, renaming */

/* The constraints and indexes of a column, which go with it. */
static enum status list_attached(struct compiler *compiler, const struct altered_table *table,
                                 const struct altered_column *column, const char **warning,
                                 struct error *error)
{
    PGresult *result = NULL;
    struct buffer text = {0};
    const char *number = arena_format(compiler->arena, "%d", column->number);
    const char *const values[] = {table->oid, number, compiler->old_views};
    if (change_query(compiler, sql_change_attached, values, 3, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&text, "its values are gone with `complete`");
    for (int row = 0; row < PQntuples(result); row++) {
        buffer_format(&text, "%s%s", row > 0 ? ", " : ", and so are ", PQgetvalue(result, row, 1));
    }
    PQclear(result);
    *warning = change_text_of(compiler, &text);
    return STATUS_OK;
}

enum status change_drop_column(struct compiler *compiler, const struct change_value *value,
                               struct error *error)
{
    struct altered_table *table;
    struct altered_column *column;
    const char *warning;
    const struct change_value *down = change_get(value, "down");
    if (find_both(compiler, value, "column", &table, &column, error) != STATUS_OK ||
        change_check_attached(compiler, table, column, error) != STATUS_OK ||
        list_attached(compiler, table, column, &warning, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column->dual || column->made) {
        return change_invalid(compiler, change_get(value, "column"), error,
                              "%s is changed by the same change", column->name);
    }
    bool lacks = column->not_null && column->default_sql == NULL && !column->identity;
    if (lacks && down == NULL) {
        error->hint[0] = '\0';
        change_refused(compiler, error,
                       "%s.%s is NOT NULL without a default: rows that the new version inserts "
                       "need `down`",
                       table->name, column->name);
        return error_hint(error, "Say what the old version reads there: `down: \"''\"`.");
    }
    column->hidden = true;
    if (down != NULL && change_read_expression(compiler, table, down, down->text, column->old_type,
                                               false, &column->down, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    touch(compiler, table);
    column->operation = compiler->number;
    change_way_add(compiler, "hidden from the new version, dropped at the end", warning);
    return STATUS_OK;
}

enum status change_rename_column(struct compiler *compiler, const struct change_value *value,
                                 struct error *error)
{
    struct altered_table *table;
    struct altered_column *column;
    const char *to = change_text(value, "to");
    if (find_both(compiler, value, "from", &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (change_column_named(table, to) != NULL) {
        return change_invalid(compiler, change_get(value, "to"), error, "%s has a column %s",
                              table->name, to);
    }
    if (strspn(to, "abcdefghijklmnopqrstuvwxyz") == strlen(to) &&
        strstr(" tableoid ctid xmin cmin xmax cmax ", arena_format(compiler->arena, " %s ", to)) !=
            NULL) {
        return change_invalid(compiler, change_get(value, "to"), error,
                              "%s is the name of a system column", to);
    }
    column->name = to;
    column->operation = compiler->number;
    touch(compiler, table);
    change_way_add(compiler, "a view has the new name, the column gets it at the end", NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- altering */

/* An expression that gives the column's own value says nothing. */
static bool is_itself(struct compiler *compiler, const char *text, const char *name)
{
    if (text == NULL) {
        return true;
    }
    const char *quoted = change_sql(compiler, "%n", name);
    size_t length = strcspn(text, " \t\r\n");
    return (strncmp(text, name, length) == 0 && strlen(name) == length) ||
                   (strncmp(text, quoted, length) == 0 && strlen(quoted) == length)
               ? text[length + strspn(text + length, " \t\r\n")] == '\0'
               : false;
}

struct second {
    const struct change_value *at;
    const struct change_value *up;
    const struct change_value *down;
    const char *type;
};

/* Both expressions, with casts where nothing is said, and the second column. */
static enum status make_dual(struct compiler *compiler, const struct second *second,
                             struct altered_table *table, struct altered_column *column,
                             struct error *error)
{
    const char *old_type = column->old_type;
    const char *type = second->type;
    if (column->made || column->dual) {
        return change_invalid(compiler, second->at, error,
                              "%s is changed by the same change already", column->name);
    }
    if (column->referred) {
        return change_refuse_referred(compiler, table, column, error);
    }
    /* Nothing said: the value itself, which is cast where it is assigned. */
    const char *up =
        second->up != NULL ? second->up->text : change_sql(compiler, "%n", column->old);
    const char *down =
        second->down != NULL ? second->down->text : change_sql(compiler, "%n", column->name);
    struct altered_expression read;
    const struct change_value *up_at = second->up != NULL ? second->up : second->at;
    const struct change_value *down_at = second->down != NULL ? second->down : second->at;
    if (change_read_expression(compiler, table, up_at, up, type, true, &read, error) != STATUS_OK ||
        change_make_dual(compiler, table, column, type, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    column->up = read;
    column->fills = true;
    return change_read_expression(compiler, table, down_at, down, old_type, false, &column->down,
                                  error);
}

enum status change_dual_if(struct compiler *compiler, struct altered_table *table,
                           struct altered_column *column, const struct change_value *up,
                           const struct change_value *down, struct error *error)
{
    const struct second second = {&compiler->operation->value, up, down, column->type};
    bool same = is_itself(compiler, up != NULL ? up->text : NULL, column->name) &&
                is_itself(compiler, down != NULL ? down->text : NULL, column->name);
    if (same || table->oid == NULL) {
        return STATUS_OK;
    }
    column->operation = compiler->number;
    touch(compiler, table);
    return make_dual(compiler, &second, table, column, error);
}

static enum status alter_null(struct compiler *compiler, const struct change_value *value,
                              struct altered_table *table, struct altered_column *column,
                              struct error *error)
{
    if (change_get(value, "nullable") == NULL) {
        return STATUS_OK;
    }
    bool nullable = change_is_true(value, "nullable");
    if (nullable && column->not_null && !column->dual) {
        change_refused(compiler, error,
                       "the old version can't read NULL in %s.%s: `down` has to say what it reads "
                       "instead",
                       table->name, column->name);
        return error_hint(error, "For example `down: \"coalesce(%s, '')\"`.", column->name);
    }
    if (!nullable && (!column->not_null || column->dual)) {
        change_add_not_null(compiler, table, column);
    }
    column->not_null = !nullable;
    return STATUS_OK;
}

/* The default may use what a statement of the file makes ahead of it. */
static bool may_be_made(const struct compiler *compiler)
{
    bool made = false;
    for (uint32_t i = 0; i < compiler->number && !made; i++) {
        made = strcmp(compiler->change->operations[i].kind, "sql") == 0;
    }
    return made;
}

static enum status check_default(struct compiler *compiler, const struct change_value *at,
                                 const struct altered_table *table,
                                 const struct altered_column *column, struct error *error)
{
    const char *problem = NULL;
    if (column->identity || column->generated) {
        return change_invalid(compiler, at, error, "%s.%s is %s column, which has no default",
                              table->name, column->name,
                              column->identity ? "an identity" : "a generated");
    }
    if (at->kind != CHANGE_TEXT || may_be_made(compiler)) {
        return STATUS_OK;
    }
    const char *statement = change_sql(
        compiler, "ALTER TABLE pg_temp._transhume_scratch ALTER COLUMN %n SET DEFAULT %s",
        column->carrier, at->text);
    if (change_try(compiler, table, statement, &problem, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return problem == NULL ? STATUS_OK : change_invalid(compiler, at, error, "%s", problem);
}

static enum status alter_default(struct compiler *compiler, const struct change_value *value,
                                 struct altered_table *table, struct altered_column *column,
                                 struct error *error)
{
    const struct change_value *given = change_get(value, "default");
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, table->old);
    if (given == NULL) {
        return STATUS_OK;
    }
    if (check_default(compiler, given, table, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    column->default_sql = given->kind == CHANGE_TEXT ? given->text : NULL;
    if (column->dual) {
        change_statement(
            compiler, CHANGE_EXPAND, ALTER_LOCK_ALL,
            arena_format(compiler->arena, "default of %s.%s", table->name, column->name),
            column->default_sql != NULL
                ? change_sql(compiler, "ALTER TABLE %s ALTER COLUMN %n SET DEFAULT %s", place,
                             column->carrier, column->default_sql)
                : change_sql(compiler, "ALTER TABLE %s ALTER COLUMN %n DROP DEFAULT", place,
                             column->carrier),
            NULL);
        return STATUS_OK;
    }
    column->view_default = true;
    if (column->default_sql != NULL) {
        postgres_append(&table->contract, "ALTER TABLE %s ALTER COLUMN %n SET DEFAULT %s;\n", place,
                        column->carrier, column->default_sql);
    } else {
        postgres_append(&table->contract, "ALTER TABLE %s ALTER COLUMN %n DROP DEFAULT;\n", place,
                        column->carrier);
    }
    return STATUS_OK;
}

static void alter_comment(struct compiler *compiler, const struct change_value *value,
                          struct altered_table *table, struct altered_column *column)
{
    const struct change_value *given = change_get(value, "comment");
    if (given == NULL) {
        return;
    }
    column->comment = given->kind == CHANGE_TEXT ? given->text : NULL;
    postgres_append(&table->contract, "COMMENT ON COLUMN %n.%n.%n IS ", compiler->schema,
                    table->old, column->carrier);
    if (column->comment != NULL) {
        postgres_append(&table->contract, "%q;\n", column->comment);
    } else {
        buffer_append_string(&table->contract, "NULL;\n");
    }
}

enum status change_alter_column(struct compiler *compiler, const struct change_value *value,
                                struct error *error)
{
    struct altered_table *table;
    struct altered_column *column;
    const char *given = change_text(value, "type");
    const char *type;
    if (find_both(compiler, value, "column", &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    type = column->type;
    if (given != NULL && serial_type(given) != NULL) {
        return change_refused(compiler, error,
                              "numbers that count up can't be added beside running "
                              "writers; say %s, and a default of nextval",
                              serial_type(given));
    }
    if (given != NULL &&
        canonical_type(compiler, change_get(value, "type"), given, &type, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool dual = strcmp(type, column->type) != 0 ||
                !is_itself(compiler, change_text(value, "up"), column->name) ||
                !is_itself(compiler, change_text(value, "down"), column->name) ||
                (change_is_true(value, "nullable") && column->not_null &&
                 change_text(value, "down") != NULL);
    if (change_text(value, "name") != NULL) {
        column->name = change_text(value, "name");
    }
    column->operation = compiler->number;
    touch(compiler, table);
    if (dual && change_is_true(value, "nullable")) {
        column->not_null = false; /* the second one does not get it */
    }
    const struct second second = {value, change_get(value, "up"), change_get(value, "down"), type};
    if (dual && make_dual(compiler, &second, table, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    column->lossless = change_is_true(value, "lossless");
    change_way_add(compiler,
                   dual ? "a second column, kept equal by a trigger both ways, filled in batches"
                        : "in place: what it has to hold is proved first",
                   dual ? "it is the table's last column then: INSERT has to name its columns"
                        : NULL);
    alter_comment(compiler, value, table, column);
    if (alter_default(compiler, value, table, column, error) != STATUS_OK ||
        alter_null(compiler, value, table, column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return add_constraints(compiler, value, table, column, error);
}
