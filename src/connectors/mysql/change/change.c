/*
 * Declared changes of MySQL and MariaDB: what an operation becomes.
 *
 * All that is done to one table is one ALTER TABLE, or one new table that takes its place. Of a
 * table that the server alters by itself, without shutting writers out, what only adds is made at
 * once and can be taken back; all else is made when the change is completed.
 */
#include "connectors/mysql/change/change.h"
#include <stdlib.h>
#include <string.h>

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
    mysql_append(&sql, "ALTER TABLE %n %b, ALGORITHM=%s%s", set->table, &set->clauses,
                 trial->algorithm, lock);
    mysql_append(&undo, "ALTER TABLE %n %b", set->table, &set->undo);
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
    struct sql_shadow_rows rows;
    if (set->sql_mode != NULL || strstr(table->statement, "DEFAULT '0000-00-00") == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_change_query(
        &plan->session->base,
        mysql_sql("SELECT replace(replace(@@session.sql_mode, 'NO_ZERO_IN_DATE', ''), "
                  "'NO_ZERO_DATE', '')"),
        plan->arena, &rows, error);
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
            status = mysql_change_plan_other(&plan, i, error);
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
    *rows = 0;
    enum status status = sql_shadow_read(step->text, arena, &words, error);
    if (status == STATUS_OK && words.kind != SQL_SHADOW_DRAIN && words.kind != SQL_SHADOW_CLOSE) {
        /* behind the column `rows` MySQL has `filtered` and Extra, MariaDB only the latter */
        bool mariadb = mysql_alter_of(session)->database->mariadb;
        uint32_t behind = mariadb ? 2 : 3;
        status = mysql_change_query(session,
                                    mysql_sql("EXPLAIN %sSELECT count(*) FROM %s",
                                              mariadb ? "" : "FORMAT=TRADITIONAL ", words.table),
                                    arena, &found, error);
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
