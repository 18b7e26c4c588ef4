/* Operations that are not clauses of one ALTER TABLE: whole tables, partitions, and SQL of the
 * user's.
 */
#include "connectors/mysql/change/change.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- operations of no one table */

static const char *format_sql(struct mysql_change_plan *plan, const char *format, const char *first,
                              const char *second)
{
    return mysql_change_text(plan, mysql_sql(format, first, second));
}

static enum status plan_create(struct mysql_change_plan *plan, uint32_t operation,
                               struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *name = change_text(value, "name");
    struct mysql_change_table table;
    enum status status = mysql_change_read(plan->session, name, plan->arena, &table, error);
    struct buffer sql = {0};
    if (status == STATUS_OK) {
        error_set(error, ERROR_CHANGE_INVALID, name, "line %u: there is such a table already",
                  value->line);
        return STATUS_FAILED;
    }
    if (status != STATUS_END) {
        return status;
    }
    mysql_change_append_create(&sql, value);
    mysql_change_add(plan, &(struct change_step){
                               .phase = CHANGE_EXPAND,
                               .operation = operation,
                               .title = arena_format(plan->arena, "create table %s", name),
                               .text = mysql_change_text(plan, &sql),
                               .undo = format_sql(plan, "DROP TABLE IF EXISTS %n", name, NULL)});
    mysql_change_tell(plan, operation, "made at once", "an abort drops it with its rows");
    return STATUS_OK;
}

/* Does an operation ahead of that one make a table of the name? `maybe`: or SQL, which may. */
static bool is_made_before(const struct mysql_change_plan *plan, uint32_t operation,
                           const char *name, bool maybe)
{
    for (uint32_t i = 0; i < operation; i++) {
        const struct change_operation *other = &plan->change->operations[i];
        const char *made =
            strcmp(other->kind, "create_table") == 0   ? change_text(&other->value, "name")
            : strcmp(other->kind, "rename_table") == 0 ? change_text(&other->value, "to")
                                                       : NULL;
        if ((maybe && strcmp(other->kind, "sql") == 0) ||
            (made != NULL && strcmp(made, name) == 0)) {
            return true;
        }
    }
    return false;
}

/* "BASE TABLE", "VIEW"; NULL: there is none of the name. */
static enum status ask_kind(struct mysql_change_plan *plan, const char *name, const char **kind,
                            struct error *error)
{
    struct sql_shadow_rows rows;
    enum status status = mysql_change_query(
        &plan->session->base,
        mysql_sql("SELECT table_type FROM information_schema.tables WHERE table_schema = %q "
                  "AND table_name = %q",
                  plan->session->database->sql.schema, name),
        plan->arena, &rows, error);
    *kind = status == STATUS_OK && rows.count > 0 ? rows.cells[0][0] : NULL;
    return status;
}

/* ERROR_CHANGE_INVALID: neither is there a table of the name, nor does the change make it. */
static enum status need_table(struct mysql_change_plan *plan, uint32_t operation, const char *name,
                              struct error *error)
{
    const char *kind = NULL;
    if (ask_kind(plan, name, &kind, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if ((kind == NULL && !is_made_before(plan, operation, name, true)) ||
        (kind != NULL && strcmp(kind, "VIEW") == 0)) {
        return error_set(error, ERROR_CHANGE_INVALID, name, "line %u: %s",
                         plan->change->operations[operation].value.line,
                         kind == NULL ? "there is no such table" : "it is a view, no table");
    }
    return STATUS_OK;
}

/* Is the foreign key, or its table, gone by then? */
static bool drops_before(const struct mysql_change_plan *plan, uint32_t operation,
                         const char *table, const char *reference)
{
    for (uint32_t i = 0; i < operation; i++) {
        const struct change_operation *other = &plan->change->operations[i];
        const char *name = change_text(&other->value, "name");
        const char *of = change_text(&other->value, "table");
        if ((strcmp(other->kind, "drop_table") == 0 && name != NULL && strcmp(name, table) == 0) ||
            (strcmp(other->kind, "drop_constraint") == 0 && name != NULL && of != NULL &&
             strcmp(name, reference) == 0 && strcmp(of, table) == 0)) {
            return true;
        }
    }
    return false;
}

/* A table that others refer to could not be dropped at the end. */
static enum status check_unreferenced(struct mysql_change_plan *plan, uint32_t operation,
                                      const char *name, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT constraint_name, table_name FROM "
                 "information_schema.referential_constraints WHERE unique_constraint_schema = %q "
                 "AND referenced_table_name = %q AND table_name <> referenced_table_name",
                 plan->session->database->sql.schema, name);
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        const char **row = rows.cells[i];
        if (!drops_before(plan, operation, row[1], row[0])) {
            error_set(error, ERROR_CHANGE_REFUSED, name,
                      "line %u: the foreign key %s of %s refers to it",
                      plan->change->operations[operation].value.line, row[0], row[1]);
            return error_hint(error, "drop that ahead of it, by drop_constraint or drop_table");
        }
    }
    return STATUS_OK;
}

static enum status plan_drop(struct mysql_change_plan *plan, uint32_t operation,
                             struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *name = change_text(value, "name");
    if (need_table(plan, operation, name, error) != STATUS_OK ||
        check_unreferenced(plan, operation, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_change_add(
        plan, &(struct change_step){.phase = CHANGE_CONTRACT,
                                    .operation = operation,
                                    .title = arena_format(plan->arena, "drop table %s", name),
                                    .text = format_sql(plan, "DROP TABLE IF EXISTS %n", name, NULL),
                                    .lock = ALTER_LOCK_ALL});
    mysql_change_tell(plan, operation, "dropped when the change is completed", NULL);
    return STATUS_OK;
}

/* The view that a rename makes, and no other one of its name. */
static const char *view_stands(struct mysql_change_plan *plan, const char *name, const char *of)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT count(*) FROM information_schema.views WHERE table_schema = %q AND "
                 "table_name = %q AND instr(view_definition, concat(' from `', replace(%q, '`', "
                 "'``'), '`.`', replace(%q, '`', '``'), '`')) > 0",
                 plan->session->database->sql.schema, name, plan->session->database->sql.schema,
                 of);
    return mysql_change_text(plan, &sql);
}

static const char *table_stands(struct mysql_change_plan *plan, const char *name)
{
    return mysql_change_text(
        plan,
        mysql_sql("SELECT count(*) FROM information_schema.tables WHERE table_schema = %q AND "
                  "table_name = %q AND table_type <> 'VIEW'",
                  plan->session->database->sql.schema, name));
}

/* Until the change is completed the new name is a view, which can be written as the table can. */
static enum status plan_rename(struct mysql_change_plan *plan, uint32_t operation,
                               struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *from = change_text(value, "from");
    const char *to = change_text(value, "to");
    const char *spare = mysql_change_name(plan, "view", to);
    const char *taken = NULL;
    struct buffer sql = {0};
    if (need_table(plan, operation, from, error) != STATUS_OK ||
        ask_kind(plan, to, &taken, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (taken != NULL || is_made_before(plan, operation, to, false)) {
        taken = taken != NULL ? taken : "table";
        return error_set(error, ERROR_CHANGE_INVALID, to, "line %u: there is a %s of this name",
                         value->line, strcmp(taken, "VIEW") == 0 ? "view" : "table");
    }
    mysql_change_add(plan,
                     &(struct change_step){
                         .phase = CHANGE_OPEN,
                         .operation = operation,
                         .title = arena_format(plan->arena, "view %s of %s", to, from),
                         .text = format_sql(plan, "CREATE VIEW %n AS SELECT * FROM %n", to, from),
                         .undo = format_sql(plan, "DROP VIEW IF EXISTS %n", to, NULL),
                         .stands = view_stands(plan, to, from)});
    mysql_append(&sql, "RENAME TABLE %n TO %n, %n TO %n", to, spare, from, to);
    mysql_change_add(
        plan,
        &(struct change_step){.phase = CHANGE_CONTRACT,
                              .operation = operation,
                              .title = arena_format(plan->arena, "rename table %s to %s", from, to),
                              .text = mysql_change_text(plan, &sql),
                              .stands = table_stands(plan, to),
                              .lock = ALTER_LOCK_ALL});
    mysql_change_add(plan, &(struct change_step){
                               .phase = CHANGE_CONTRACT,
                               .operation = operation,
                               .title = "drop the view",
                               .text = format_sql(plan, "DROP VIEW IF EXISTS %n", spare, NULL)});
    mysql_change_tell(plan, operation,
                      "a view has the new name until the change is completed, then a RENAME", NULL);
    return STATUS_OK;
}

/* Does it only write rows? Then it can be one transaction with its note. */
static bool writes_rows(const char *text)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH"};
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, SQL_MYSQL, text, strlen(text), NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sql_token_is_word(&token, words[i])) {
            return true;
        }
    }
    return false;
}

/* ERROR_CHANGE_INVALID: its syntax is wrong. What it names may not be there yet. */
static enum status check_syntax(struct mysql_change_plan *plan, uint32_t operation,
                                const char *text, struct error *error)
{
    enum { PARSE_ERROR = 1064 };
    struct buffer sql = {0};
    struct error words = {0};
    uint64_t changed;
    if (text == NULL || text[0] == '\0') {
        return STATUS_OK;
    }
    mysql_append(&sql, "PREPARE _transhume_try FROM %q", text);
    if (mysql_change_run(&plan->session->base, &sql, &changed, &words) == STATUS_OK) {
        buffer_append_string(&sql, "DEALLOCATE PREPARE _transhume_try");
        return mysql_change_run(&plan->session->base, &sql, &changed, error);
    }
    return words.native_code != PARSE_ERROR
               ? STATUS_OK
               : error_set(error, ERROR_CHANGE_INVALID, NULL, "line %u: %.800s",
                           plan->change->operations[operation].value.line, words.message);
}

static enum status plan_sql(struct mysql_change_plan *plan, uint32_t operation, struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *up = change_text(value, "up");
    const char *lock = change_text(value, "lock");
    const char *down = change_text(value, "down");
    const char *late = change_text(value, "on_complete");
    bool completes = late != NULL && strcasecmp(late, "true") == 0;
    if (!completes && down == NULL) {
        error_set(error, ERROR_CHANGE_INVALID, NULL, "line %u: sql needs `down`, its way back",
                  value->line);
        return error_hint(error, "`down: \"\"` says that nothing has to be taken back; "
                                 "`on_complete: true` runs it at the end");
    }
    if (check_syntax(plan, operation, up, error) != STATUS_OK ||
        check_syntax(plan, operation, down, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool rows = up != NULL && writes_rows(up);
    mysql_change_add(plan, &(struct change_step){
                               .phase = completes ? CHANGE_CONTRACT : CHANGE_EXPAND,
                               .operation = operation,
                               .title = "SQL",
                               .text = up,
                               .undo = !completes && down != NULL && down[0] != '\0' ? down : NULL,
                               .with_note = rows,
                               .lock = lock == NULL || strcmp(lock, "all") == 0 ? ALTER_LOCK_ALL
                                       : strcmp(lock, "writes") == 0            ? ALTER_LOCK_WRITES
                                                                                : ALTER_LOCK_NONE});
    mysql_change_tell(plan, operation, "as it is written",
                      rows ? NULL
                           : "after a crash in the middle it is run again: write it so that that "
                             "does no harm (IF NOT EXISTS)");
    return STATUS_OK;
}

static const char *partition_stands(struct mysql_change_plan *plan, const char *table,
                                    const char *name, const char *count)
{
    return mysql_change_text(
        plan,
        mysql_sql("SELECT count(*) %s FROM information_schema.partitions WHERE table_schema = "
                  "%q AND table_name = %q AND partition_name = %q",
                  count, plan->session->database->sql.schema, table, name));
}

static enum status check_partition(struct mysql_change_plan *plan, uint32_t operation, bool adds,
                                   struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *table = change_text(value, "table");
    const char *name = change_text(value, "name");
    struct sql_shadow_rows rows;
    if (need_table(plan, operation, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (mysql_change_query(
            &plan->session->base,
            mysql_sql("%s", partition_stands(plan, table, name, adds ? "= 0" : "> 0")), plan->arena,
            &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool fits = rows.count > 0 && strcmp(rows.cells[0][0], "1") == 0;
    return fits || is_made_before(plan, operation, table, true)
               ? STATUS_OK
               : error_set(error, ERROR_CHANGE_INVALID, table, "line %u: there is %s partition %s",
                           value->line, adds ? "a" : "no", name);
}

/* A variable can't be set to two rows: rows that applications wrote keep the partition. */
static void keep_rows(struct mysql_change_plan *plan, uint32_t operation, const char *table,
                      const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SET @_transhume_rows = (SELECT 1 UNION ALL (SELECT 2 FROM %n PARTITION (%n) "
                 "LIMIT 1))",
                 table, name);
    mysql_change_add(plan, &(struct change_step){
                               .phase = CHANGE_EXPAND,
                               .operation = operation,
                               .title = arena_format(plan->arena,
                                                     "an abort drops partition %s of %s only if it "
                                                     "is empty (else: more than 1 row)",
                                                     name, table),
                               .text = "DO 0",
                               .undo = mysql_change_text(plan, &sql),
                               .prepares = true});
}

static enum status plan_partition(struct mysql_change_plan *plan, uint32_t operation,
                                  struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    bool adds = strcmp(plan->change->operations[operation].kind, "add_partition") == 0;
    const char *table = change_text(value, "table");
    const char *name = change_text(value, "name");
    struct buffer sql = {0};
    if (check_partition(plan, operation, adds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "ALTER TABLE %n %s PARTITION ", table, adds ? "ADD" : "DROP");
    mysql_append(&sql, adds ? "(PARTITION %n VALUES %s)" : "%n", name,
                 change_text(value, "values"));
    mysql_change_add(
        plan,
        &(struct change_step){
            .phase = adds ? CHANGE_EXPAND : CHANGE_CONTRACT,
            .operation = operation,
            .title = arena_format(plan->arena, "%s partition %s of %s", adds ? "add" : "drop", name,
                                  table),
            .text = mysql_change_text(plan, &sql),
            .undo = adds ? format_sql(plan, "ALTER TABLE %n DROP PARTITION %n", table, name) : NULL,
            .stands = partition_stands(plan, table, name, adds ? "> 0" : "= 0"),
            .lock = ALTER_LOCK_ALL});
    if (adds) {
        keep_rows(plan, operation, table, name);
    }
    mysql_change_tell(plan, operation,
                      adds ? "made at once" : "dropped when the change is completed", NULL);
    return STATUS_OK;
}

static const struct {
    const char *kind;
    enum status (*plan)(struct mysql_change_plan *plan, uint32_t operation, struct error *error);
} planners[] = {{"create_table", plan_create},     {"drop_table", plan_drop},
                {"rename_table", plan_rename},     {"sql", plan_sql},
                {"add_partition", plan_partition}, {"drop_partition", plan_partition}};

enum status mysql_change_plan_other(struct mysql_change_plan *plan, uint32_t operation,
                                    struct error *error)
{
    const struct change_operation *item = &plan->change->operations[operation];
    for (size_t i = 0; i < sizeof planners / sizeof *planners; i++) {
        if (strcmp(planners[i].kind, item->kind) == 0) {
            return planners[i].plan(plan, operation, error);
        }
    }
    error_set(error, ERROR_CHANGE_REFUSED, NULL, "line %u: %s is not made by this connector",
              item->value.line, item->kind);
    return error_hint(error, "make the new table with create_table, and fill and feed it with sql; "
                             "docs/change.md says what each database can do");
}
