/*
 * A table's new form beside it: what the server would only make by copying under a lock.
 *
 * shadow   the new form. Triggers on the table write each change into it, within the writer's own
 *          transaction, so that both hold the same rows whenever one looks, and one RENAME is all
 *          that leads applications over.
 * queue    keys of rows whose change did not fit the shadow. The writer is not failed by that:
 *          the row is copied again later, and if it still does not fit, the change stops.
 * mode     one row: 'lenient', or from the switch on 'strict': then what does not fit the new form
 *          fails its writer, as it will from now on. It is read under a lock, so that a change of
 * it waits for all writers that were lenient. back     the queue of the other direction: once
 * renamed, the old table is written by triggers of the new one, so that the change can still be
 * taken back.
 *
 * Both triggers would answer each other: @_transhume_at holds the time of the statement (NOW(6),
 * the same all through it) while one of them writes. A value that is left behind by a transaction
 * that was rolled back is of another time, and shuts nothing out.
 */
#include "connectors/mysql/change/change_shadow.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- columns */

static bool is_dropped(const struct mysql_shadow *self, const char *name)
{
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        if (value->old != NULL && value->column == NULL && strcasecmp(value->old, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The value that is said for the column `name` of the new form; NULL: none. */
static const struct mysql_change_value *value_of(const struct mysql_shadow *self, const char *name)
{
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        if (value->column != NULL && strcasecmp(value->column, name) == 0) {
            return value;
        }
    }
    return NULL;
}

static void pair_columns(struct mysql_shadow *self)
{
    struct arena *arena = self->plan->arena;
    self->pairs = arena_allocate_zeroed(arena, self->after->column_count + 1, sizeof *self->pairs);
    self->carried =
        arena_allocate_zeroed(arena, self->after->column_count + 1, sizeof *self->carried);
    self->back = arena_allocate_zeroed(
        arena, self->table->column_count + self->after->column_count + 1, sizeof *self->back);
    for (uint32_t i = 0; i < self->after->column_count; i++) {
        const struct mysql_change_column *to = &self->after->columns[i];
        const struct mysql_change_value *value = value_of(self, to->name);
        const char *old = value != NULL && value->old != NULL ? value->old : to->name;
        bool fresh = (value != NULL && value->old == NULL) || is_dropped(self, old);
        struct mysql_change_pair pair = {.from = fresh && (value == NULL || value->old == NULL)
                                                     ? NULL
                                                     : mysql_change_column_of(self->table, old),
                                         .to = to,
                                         .up = value != NULL ? value->up : NULL,
                                         .down = value != NULL ? value->down : NULL};
        bool carries = pair.from != NULL || pair.up != NULL;
        if (carries && !to->generated) {
            self->pairs[self->pair_count++] = pair;
        }
        if (pair.from != NULL && pair.up == NULL) {
            self->carried[self->carried_count++] = pair;
        }
        if (pair.from != NULL && !pair.from->generated) {
            self->back[self->back_count++] = pair;
        }
    }
    /* columns that are dropped, with a way back */
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        const struct mysql_change_column *from =
            value->column == NULL && value->down != NULL
                ? mysql_change_column_of(self->table, value->old)
                : NULL;
        if (from != NULL && !from->generated) {
            self->back[self->back_count++] =
                (struct mysql_change_pair){.from = from, .down = value->down};
        }
    }
}

/* ---------------------------------------------------------------- what is refused */

/* Rows that such a key writes or deletes no trigger sees. */
static const char *cascade_of_itself(const struct mysql_shadow *self)
{
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        const char *clause = reference->clause != NULL ? reference->clause : " CASCADE";
        if (strcasecmp(reference->parent, self->table->name) == 0 &&
            (strstr(clause, " CASCADE") != NULL || strstr(clause, " SET NULL") != NULL)) {
            return reference->name;
        }
    }
    return NULL;
}

static enum status change_shadow_check(const struct mysql_shadow *self, struct error *error)
{
    const struct mysql_change_table *table = self->table;
    struct buffer names = {0};
    if (strcmp(table->kind, "BASE TABLE") != 0 || strcasecmp(table->engine, "InnoDB") != 0) {
        return mysql_change_refuse(self->set, error,
                                   "the table has to be copied, and is %s%s: only plain tables of "
                                   "InnoDB are copied while they are written",
                                   strcmp(table->kind, "BASE TABLE") != 0 ? table->kind : "of ",
                                   strcmp(table->kind, "BASE TABLE") != 0 ? "" : table->engine);
    }
    for (uint32_t i = 0; i < table->trigger_count; i++) {
        buffer_format(&names, "%s%s", i > 0 ? ", " : "", table->triggers[i]);
    }
    if (table->trigger_count > 0) {
        mysql_change_refuse(self->set, error,
                            "the table has to be copied, and has triggers, which would be missing "
                            "for a moment at the switch: %.300s",
                            buffer_string(&names));
        buffer_free(&names);
        return error_hint(error, "drop them ahead of the change and make them again behind it");
    }
    buffer_free(&names);
    if (cascade_of_itself(self) != NULL) {
        return mysql_change_refuse(self->set, error,
                                   "the table has to be copied, and its foreign key %s refers to "
                                   "itself and writes or deletes rows that no trigger sees",
                                   cascade_of_itself(self));
    }
    for (uint32_t i = 0; i < table->inward_count; i++) {
        if (table->inward[i].clause == NULL) {
            return mysql_change_refuse(self->set, error,
                                       "the foreign key %s of %s refers to it from another "
                                       "database, and can't be led over",
                                       table->inward[i].name, table->inward[i].table);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

static enum status ask_zone(struct mysql_shadow *self, struct error *error)
{
    struct sql_shadow_rows rows;
    enum status status =
        mysql_change_query(&self->plan->session->base, mysql_sql("SELECT @@session.time_zone"),
                           self->plan->arena, &rows, error);
    self->time_zone = status == STATUS_OK && rows.count > 0 ? rows.cells[0][0] : "SYSTEM";
    return status;
}

static enum status look_ahead(struct mysql_shadow *self, struct error *error)
{
    const char *const names[] = {self->shadow, self->old, self->queue, self->back_queue,
                                 self->mode};
    const char *triggers[MYSQL_SHADOW_EVENT_COUNT];
    for (int i = 0; i < MYSQL_SHADOW_EVENT_COUNT; i++) {
        triggers[i] =
            mysql_change_name(self->plan, mysql_shadow_forward_roles[i], self->table->name);
    }
    enum status status =
        mysql_change_check_names(self->plan, self->set, names, sizeof names / sizeof *names, error);
    if (status == STATUS_OK) {
        status =
            mysql_change_check_references(self->plan, self->set, self->table, self->after, error);
    }
    return status == STATUS_OK
               ? mysql_change_watch_form(self->plan, self->table->name,
                                         mysql_shadow_settings(self, true), triggers,
                                         MYSQL_SHADOW_EVENT_COUNT, &self->form, error)
               : status;
}

enum status mysql_change_plan_shadow(struct mysql_change_plan *plan,
                                     const struct mysql_change_set *set,
                                     const struct mysql_change_table *table,
                                     const struct mysql_change_trial *trial, struct error *error)
{
    struct mysql_shadow self = {.plan = plan,
                                .set = set,
                                .table = table,
                                .after = &trial->after,
                                .new_form = trial->stands,
                                .shadow = mysql_change_name(plan, "new", table->name),
                                .old = mysql_change_name(plan, "old", table->name),
                                .queue = mysql_change_name(plan, "queue", table->name),
                                .back_queue = mysql_change_name(plan, "back", table->name),
                                .mode = mysql_change_name(plan, "mode", table->name)};
    enum status status = change_shadow_check(&self, error);
    if (status == STATUS_OK) {
        pair_columns(&self);
        status = mysql_shadow_choose_key(&self, error);
    }
    status = status == STATUS_OK ? ask_zone(&self, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    self.settings = mysql_shadow_settings(&self, false);
    if (look_ahead(&self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_shadow_add_tables(&self);
    mysql_shadow_add_triggers(&self, false);
    mysql_shadow_add_batches(&self, CHANGE_FILL, SQL_SHADOW_COPY, "copy the rows that are there");
    mysql_shadow_add_indexes(&self);
    mysql_shadow_add_batches(&self, CHANGE_FILL, SQL_SHADOW_DRAIN,
                             "rows that did not fit, once more");
    mysql_shadow_add_statement(&self, CHANGE_FILL, "statistics of the new form",
                               mysql_sql("ANALYZE TABLE %n", self.shadow), NULL, NULL);
    mysql_shadow_add_batches(&self, CHANGE_PROVE, SQL_SHADOW_PROVE,
                             "compare both forms row by row");
    mysql_shadow_add_switch(&self);
    mysql_shadow_add_contract(&self);
    mysql_change_tell(plan, set->operation,
                      arena_format(plan->arena,
                                   "a shadow table, fed by triggers, copied by %s, one RENAME",
                                   self.key->name),
                      trial->refusal);
    return STATUS_OK;
}
