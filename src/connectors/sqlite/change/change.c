/*
 * Declared changes of a SQLite file. What SQLite does to a table by its schema alone is done so, in
 * a short transaction. All else is a second table of the new form: triggers note the keys of rows
 * that change, small transactions copy, and one transaction copies what was noted last, drops the
 * old table, and gives the new one its name. Nobody else can write in between.
 *
 * The new form is made in a scratch file in memory, by SQLite's own ALTER TABLE where it has it.
 */
#include "connectors/sqlite/change/change.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- operations of no one table */

static enum status plan_create(struct sqlite_change_plan *plan, uint32_t operation,
                               struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *name = change_text(value, "name");
    struct buffer sql = {0};
    (void)error;
    sqlite_change_append_create(&sql, value);
    sqlite_change_add(plan, &(struct change_step){
                                .phase = CHANGE_EXPAND,
                                .operation = operation,
                                .title = arena_format(plan->arena, "create table %s", name),
                                .text = sqlite_change_text(plan, &sql),
                                .undo = sqlite_change_format(plan, "DROP TABLE %n", name, NULL)});
    sqlite_change_tell(plan, operation, "made at once", NULL);
    return STATUS_OK;
}

static enum status plan_late(struct sqlite_change_plan *plan, uint32_t operation,
                             struct error *error)
{
    const struct change_operation *item = &plan->change->operations[operation];
    bool drops = strcmp(item->kind, "drop_table") == 0;
    (void)error;
    sqlite_change_add(
        plan, &(struct change_step){
                  .phase = CHANGE_CONTRACT,
                  .operation = operation,
                  .title = drops ? "drop the table" : "rename the table",
                  .text = drops ? sqlite_change_format(plan, "DROP TABLE %n",
                                                       change_text(&item->value, "name"), NULL)
                                : sqlite_change_format(plan, "ALTER TABLE %n RENAME TO %n",
                                                       change_text(&item->value, "from"),
                                                       change_text(&item->value, "to")),
                  .lock = ALTER_LOCK_WRITES});
    sqlite_change_tell(plan, operation, "when the change is completed", NULL);
    return STATUS_OK;
}

static enum status plan_sql(struct sqlite_change_plan *plan, uint32_t operation,
                            struct error *error)
{
    const struct change_value *value = &plan->change->operations[operation].value;
    const char *down = change_text(value, "down");
    const char *late = change_text(value, "on_complete");
    bool completes = late != NULL && strcasecmp(late, "true") == 0;
    (void)error;
    sqlite_change_add(plan, &(struct change_step){
                                .phase = completes ? CHANGE_CONTRACT : CHANGE_EXPAND,
                                .operation = operation,
                                .title = "SQL",
                                .text = change_text(value, "up"),
                                .undo = !completes && down != NULL && down[0] != '\0' ? down : NULL,
                                .lock = ALTER_LOCK_WRITES});
    sqlite_change_tell(plan, operation, "as it is written", NULL);
    return STATUS_OK;
}

static enum status plan_other(struct sqlite_change_plan *plan, uint32_t operation,
                              struct error *error)
{
    const struct change_operation *item = &plan->change->operations[operation];
    if (strcmp(item->kind, "create_table") == 0) {
        return plan_create(plan, operation, error);
    }
    if (strcmp(item->kind, "drop_table") == 0 || strcmp(item->kind, "rename_table") == 0) {
        return plan_late(plan, operation, error);
    }
    if (strcmp(item->kind, "sql") == 0) {
        return plan_sql(plan, operation, error);
    }
    error_set(error, ERROR_CHANGE_REFUSED, NULL, "line %u: %s is not made by this connector",
              item->value.line, item->kind);
    return error_hint(error, "docs/change.md says what each database can do");
}

/* ---------------------------------------------------------------- tables */

static const char *table_of(const struct change_operation *operation)
{
    return sqlite_change_is_of_table(operation->kind) ? change_text(&operation->value, "table")
                                                      : NULL;
}

static bool is_first_of_table(const struct change *change, uint32_t number)
{
    const char *table = table_of(&change->operations[number]);
    for (uint32_t i = 0; table != NULL && i < number; i++) {
        const char *other = table_of(&change->operations[i]);
        if (other != NULL && strcasecmp(other, table) == 0) {
            return false;
        }
    }
    return true;
}

/* By phase, and within one in the order that they were found in. */
static void sort_steps(struct sqlite_change_plan *plan)
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
    struct sqlite_change_plan plan = {
        .session = sqlite_alter_of(session), .change = change, .arena = arena};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < change->count && status == STATUS_OK; i++) {
        if (!sqlite_change_is_of_table(change->operations[i].kind)) {
            status = plan_other(&plan, i, error);
        } else if (is_first_of_table(change, i)) {
            status = sqlite_change_plan_table(&plan, i, error);
        }
    }
    sort_steps(&plan);
    *compiled = (struct change_plan){
        .steps = plan.steps, .count = plan.count, .ways = plan.ways, .way_count = plan.way_count};
    return status;
}

/* ---------------------------------------------------------------- batches */

static const struct sql_shadow_dialect dialect = {.query = sqlite_change_query,
                                                  .run = sqlite_change_run};

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
    if (status == STATUS_OK && words.kind != SQL_SHADOW_DRAIN) {
        status = sqlite_change_query(session, sqlite_sql("SELECT count(*) FROM %s", words.table),
                                     arena, &found, error);
        if (status == STATUS_OK && found.count > 0 && found.cells[0][0] != NULL) {
            *rows = strtoull(found.cells[0][0], NULL, 10);
        }
    }
    arena_destroy(arena);
    return status;
}

const struct change_functions sqlite_change = {
    .compile = compile, .batch = batch, .estimate = estimate};
