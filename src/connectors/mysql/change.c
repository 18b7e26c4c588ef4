/*
 * Declared changes of MySQL and MariaDB: what an operation becomes.
 *
 * All that is done to one table is one ALTER TABLE, or one new table that takes its place. Of a
 * table that the server alters by itself, without shutting writers out, what only adds is made at
 * once and can be taken back; all else is made when the change is completed.
 */
#include "connectors/mysql/change.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- steps and names */

void mysql_change_add(struct mysql_change_plan *plan, const struct change_step *step)
{
    plan->steps = arena_make_room(plan->arena, plan->steps, plan->count, &plan->capacity,
                                  sizeof *plan->steps);
    plan->steps[plan->count++] = *step;
}

void mysql_change_tell(struct mysql_change_plan *plan, uint32_t operation, const char *text,
                       const char *warning)
{
    plan->ways = arena_make_room(plan->arena, plan->ways, plan->way_count, &plan->way_capacity,
                                 sizeof *plan->ways);
    plan->ways[plan->way_count++] =
        (struct change_way){.operation = operation, .text = text, .warning = warning};
}

const char *mysql_change_text(struct mysql_change_plan *plan, struct buffer *sql)
{
    const char *text = arena_copy_string(plan->arena, buffer_string(sql));
    buffer_free(sql);
    *sql = (struct buffer){0};
    return text;
}

const char *mysql_change_name(struct mysql_change_plan *plan, const char *role, const char *table)
{
    const char *version = plan->change->version != NULL ? plan->change->version : "0";
    const char *name = arena_format(plan->arena, "_transhume_%s_%s_%s", version, role, table);
    if (strlen(name) <= MYSQL_NAME_CHARACTERS_MAX) {
        return name;
    }
    return arena_format(plan->arena, "_transhume_%.20s_%s_%016" PRIx64, version, role,
                        sql_name_hash(table));
}

enum status mysql_change_refuse(const struct mysql_change_set *set, struct error *error,
                                const char *format, ...)
{
    char words[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(error, ERROR_CHANGE_REFUSED, set->table, "line %u: %s", set->line, words);
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- in place */

static bool has_down(const struct mysql_change_set *set)
{
    for (uint32_t i = 0; i < set->value_count; i++) {
        if (set->values[i].down != NULL) {
            return true;
        }
    }
    return false;
}

static void add_in_place(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                         const struct mysql_change_trial *trial)
{
    struct buffer sql = {0};
    struct buffer undo = {0};
    struct buffer settings = {0};
    const char *lock = strcmp(trial->algorithm, "INSTANT") == 0 ? "" : ", LOCK=NONE";
    bool expands = set->expands && trial->stands != NULL;
    mysql_append(&sql, "ALTER TABLE %n ", set->table);
    buffer_append_buffer(&sql, &set->clauses);
    buffer_format(&sql, ", ALGORITHM=%s%s", trial->algorithm, lock);
    mysql_append(&undo, "ALTER TABLE %n ", set->table);
    buffer_append_buffer(&undo, &set->undo);
    if (set->sql_mode != NULL) {
        mysql_append(&settings, "SET SESSION sql_mode = %q", set->sql_mode);
    }
    mysql_change_add(
        plan, &(struct change_step){
                  .phase = expands ? CHANGE_EXPAND : CHANGE_CONTRACT,
                  .operation = set->operation,
                  .title = arena_format(plan->arena, "alter %s in place (%s)", set->table,
                                        trial->algorithm),
                  .text = mysql_change_text(plan, &sql),
                  .undo = expands ? mysql_change_text(plan, &undo) : NULL,
                  .stands = trial->stands,
                  .settings = set->sql_mode != NULL ? mysql_change_text(plan, &settings) : NULL,
                  .lock = ALTER_LOCK_NONE,
                  .rewrites = trial->rewrites});
    buffer_free(&undo);
    mysql_change_tell(
        plan, set->operation,
        arena_format(plan->arena, "in place, %s%s", trial->algorithm,
                     expands ? "" : ", when the change is completed"),
        trial->rewrites ? "the server rebuilds the whole table, and replicas do so behind it: "
                          "way: shadow goes in small steps"
        : has_down(set) ? "`down` is not used: the table itself is altered, and an abort is "
                          "possible until then"
        : strcmp(trial->algorithm, "INSTANT") != 0
            ? "the server may read the whole table, and replicas do so behind it"
            : NULL);
}

/* A table with a default of 0000-00-00 is altered under a mode that lets it be. */
static enum status allow_zero_dates(struct mysql_change_plan *plan, struct mysql_change_set *set,
                                    const struct mysql_change_table *table, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    if (set->sql_mode != NULL || strstr(table->statement, "DEFAULT '0000-00-00") == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT replace(replace(@@session.sql_mode, 'NO_ZERO_IN_DATE', ''), "
                               "'NO_ZERO_DATE', '')");
    enum status status = mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error);
    set->sql_mode = status == STATUS_OK && rows.count > 0 ? rows.cells[0][0] : NULL;
    return status;
}

static enum status plan_set(struct mysql_change_plan *plan, struct mysql_change_set *set,
                            const struct mysql_change_table *table, struct error *error)
{
    struct mysql_change_trial trial;
    if (set->clauses.length == 0) {
        mysql_change_plan_links(plan, set);
        return STATUS_OK;
    }
    if (allow_zero_dates(plan, set, table, error) != STATUS_OK ||
        mysql_change_try(plan, set, table, &trial, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (trial.algorithm != NULL) {
        mysql_change_plan_links(plan, set);
        add_in_place(plan, set, &trial);
        return STATUS_OK;
    }
    if (set->way == MYSQL_WAY_IN_PLACE) {
        mysql_change_refuse(set, error, "the server can't do it in place: %.600s",
                            trial.refusal != NULL ? trial.refusal : "");
        return error_hint(error, "way: shadow, or none, copies the table beside its writers");
    }
    if (set->link_count > 0) {
        return mysql_change_refuse(set, error,
                                   "the table has to be copied: what adds a foreign key to it is a "
                                   "change of its own");
    }
    return mysql_change_plan_shadow(plan, set, table, &trial, error);
}

/* ---------------------------------------------------------------- operations of no one table */

static const char *format_sql(struct mysql_change_plan *plan, const char *format, const char *first,
                              const char *second)
{
    struct buffer sql = {0};
    mysql_append(&sql, format, first, second);
    return mysql_change_text(plan, &sql);
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

/* Does an operation ahead of that one make a table of the name, or may it? */
static bool is_made_before(const struct mysql_change_plan *plan, uint32_t operation,
                           const char *name)
{
    for (uint32_t i = 0; i < operation; i++) {
        const struct change_operation *other = &plan->change->operations[i];
        const char *made =
            strcmp(other->kind, "create_table") == 0   ? change_text(&other->value, "name")
            : strcmp(other->kind, "rename_table") == 0 ? change_text(&other->value, "to")
                                                       : NULL;
        if (strcmp(other->kind, "sql") == 0 || (made != NULL && strcmp(made, name) == 0)) {
            return true;
        }
    }
    return false;
}

/* "BASE TABLE", "VIEW"; NULL: there is none of the name. */
static enum status ask_kind(struct mysql_change_plan *plan, const char *name, const char **kind,
                            struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT table_type FROM information_schema.tables WHERE table_schema = %q AND "
                 "table_name = %q",
                 plan->session->database->sql.schema, name);
    enum status status = mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error);
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
    if ((kind == NULL && !is_made_before(plan, operation, name)) ||
        (kind != NULL && strcmp(kind, "VIEW") == 0)) {
        return error_set(error, ERROR_CHANGE_INVALID, name, "line %u: %s",
                         plan->change->operations[operation].value.line,
                         kind == NULL ? "there is no such table" : "it is a view, no table");
    }
    return STATUS_OK;
}

static enum status plan_drop(struct mysql_change_plan *plan, uint32_t operation,
                             struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *name = change_text(value, "name");
    if (need_table(plan, operation, name, error) != STATUS_OK) {
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
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT count(*) FROM information_schema.tables WHERE table_schema = %q AND "
                 "table_name = %q AND table_type <> 'VIEW'",
                 plan->session->database->sql.schema, name);
    return mysql_change_text(plan, &sql);
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
    if (taken != NULL || is_made_before(plan, operation, to)) {
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
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT count(*) %s FROM information_schema.partitions WHERE table_schema = %q "
                 "AND table_name = %q AND partition_name = %q",
                 count, plan->session->database->sql.schema, table, name);
    return mysql_change_text(plan, &sql);
}

static enum status check_partition(struct mysql_change_plan *plan, uint32_t operation, bool adds,
                                   struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *table = change_text(value, "table");
    const char *name = change_text(value, "name");
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    if (need_table(plan, operation, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, partition_stands(plan, table, name, adds ? "= 0" : "> 0"));
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool fits = rows.count > 0 && strcmp(rows.cells[0][0], "1") == 0;
    return fits || is_made_before(plan, operation, table)
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

static enum status plan_other(struct mysql_change_plan *plan, uint32_t operation,
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

/* ---------------------------------------------------------------- all of a table's operations */

static const char *table_of(const struct change_operation *operation)
{
    return mysql_change_is_clause(operation->kind) ? change_text(&operation->value, "table") : NULL;
}

/* From the operation on, which is the first one of its table. */
static enum status plan_table(struct mysql_change_plan *plan, uint32_t first, struct error *error)
{
    const struct change *change = plan->change;
    const struct change_value *value = &change->operations[first].value;
    struct mysql_change_table table;
    struct mysql_change_set set = {.table = table_of(&change->operations[first]),
                                   .operation = first,
                                   .expands = true,
                                   .line = value->line,
                                   .column = value->column};
    enum status status = mysql_change_read(plan->session, set.table, plan->arena, &table, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_CHANGE_INVALID, set.table, "line %u: there is no such table",
                  value->line);
        return STATUS_FAILED;
    }
    for (uint32_t i = first; i < change->count && status == STATUS_OK; i++) {
        const char *name = table_of(&change->operations[i]);
        if (name != NULL && strcmp(name, set.table) == 0) {
            status = mysql_change_add_clause(plan, &set, &table, &change->operations[i], error);
        }
    }
    if (status == STATUS_OK) {
        set.table = table.name;
        status = plan_set(plan, &set, &table, error);
    }
    buffer_free(&set.clauses);
    buffer_free(&set.undo);
    return status;
}

static bool is_first_of_table(const struct change *change, uint32_t number)
{
    const char *table = table_of(&change->operations[number]);
    for (uint32_t i = 0; i < number; i++) {
        const char *other = table_of(&change->operations[i]);
        if (other != NULL && strcmp(other, table) == 0) {
            return false;
        }
    }
    return true;
}

/* By phase, and within one in the order that they were found in. */
static void sort_steps(struct mysql_change_plan *plan)
{
    struct change_step *sorted =
        arena_allocate_zeroed(plan->arena, plan->count + 1, sizeof *sorted);
    uint32_t count = 0;
    for (int phase = 0; phase < CHANGE_PHASE_COUNT; phase++) {
        for (uint32_t i = 0; i < plan->count; i++) {
            if ((int)plan->steps[i].phase == phase) {
                sorted[count++] = plan->steps[i];
            }
        }
    }
    plan->steps = sorted;
}

static enum status compile(struct alter_session *session, const struct change *change,
                           struct arena *arena, struct change_plan *compiled, struct error *error)
{
    struct mysql_change_plan plan = {
        .session = mysql_alter_of(session), .change = change, .arena = arena};
    enum status status = mysql_change_begin_trials(&plan, error);
    for (uint32_t i = 0; i < change->count && status == STATUS_OK; i++) {
        const char *kind = change->operations[i].kind;
        if (!mysql_change_is_clause(kind)) {
            status = plan_other(&plan, i, error);
        } else if (table_of(&change->operations[i]) == NULL) {
            error_set(error, ERROR_CHANGE_INVALID, NULL, "line %u: %s needs a table",
                      change->operations[i].value.line, kind);
            status = STATUS_FAILED;
        } else if (is_first_of_table(change, i)) {
            status = plan_table(&plan, i, error);
        }
    }
    mysql_change_end_trials(&plan);
    sort_steps(&plan);
    *compiled = (struct change_plan){
        .steps = plan.steps, .count = plan.count, .ways = plan.ways, .way_count = plan.way_count};
    return status;
}

/* ---------------------------------------------------------------- batches */

static const struct sql_shadow_dialect dialect = {
    .joins_in_delete = true, .query = mysql_change_query, .run = mysql_change_run};

static enum status batch(struct alter_session *session, const struct change_step *step,
                         const char *position, uint64_t rows, struct arena *arena,
                         struct change_batch *out, struct error *error)
{
    struct sql_shadow words;
    if (sql_shadow_read(step->text, arena, &words, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sql_shadow_batch(&dialect, session, &words, position, rows, arena, out, error);
}

static enum status estimate(struct alter_session *session, const struct change_step *step,
                            uint64_t *rows, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct sql_shadow words;
    struct sql_shadow_rows found;
    struct buffer sql = {0};
    *rows = 0;
    enum status status = sql_shadow_read(step->text, arena, &words, error);
    if (status == STATUS_OK && words.kind != SQL_SHADOW_DRAIN && words.kind != SQL_SHADOW_CLOSE) {
        /* behind the column `rows` MySQL has `filtered` and Extra, MariaDB only the latter */
        bool mariadb = mysql_alter_of(session)->database->mariadb;
        uint32_t behind = mariadb ? 2 : 3;
        buffer_format(&sql, "EXPLAIN %sSELECT count(*) FROM %s",
                      mariadb ? "" : "FORMAT=TRADITIONAL ", words.table);
        status = mysql_change_query(session, &sql, arena, &found, error);
        if (status == STATUS_OK && found.count > 0 && found.columns > behind) {
            const char *text = found.cells[0][found.columns - behind];
            *rows = text != NULL ? strtoull(text, NULL, 10) : 0;
        }
    }
    arena_destroy(arena);
    return status;
}

const struct change_functions mysql_change_functions = {
    .compile = compile, .batch = batch, .estimate = estimate};
