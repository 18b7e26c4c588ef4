/* The switch from a table to its new form, the way back, and what is removed at the end. */
#include "connectors/mysql/change/change_shadow.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- the switch */

/* There is no table of that name any more, and one of the other. */
static const char *gone_stands(const struct mysql_shadow *self, const char *gone, const char *there)
{
    const char *schema = self->plan->session->database->sql.schema;
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %q "
                 "AND table_name = %q) = 0 AND (SELECT count(*) FROM information_schema.tables "
                 "WHERE table_schema = %q AND table_name = %q) = 1",
                 schema, gone, schema, there);
    return mysql_change_text(self->plan, &sql);
}

/* A step that does nothing; what it stands for is its way back. */
static void add_undo(struct mysql_shadow *self, const char *title, const char *undo)
{
    mysql_change_add(self->plan, &(struct change_step){.phase = CHANGE_SWITCH_WRITES,
                                                       .operation = self->set->operation,
                                                       .title = title,
                                                       .text = "DO 0",
                                                       .undo = undo,
                                                       .settings = self->settings,
                                                       .prepares = true});
}

/* Rows whose last change did not fit the old form leave it. */
static const char *take_queued_out(const struct mysql_shadow *self)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DELETE s FROM %n AS s JOIN %n AS q ON ", self->old, self->back_queue);
    for (uint32_t i = 0; i < self->key->count; i++) {
        mysql_append(&sql, "%ss.%n = ", i > 0 ? " AND " : "", self->key_pairs[i]->from->name);
        mysql_change_append_value(&sql, self->after, self->key_pairs[i], "q.", true,
                                  self->time_zone);
    }
    return mysql_change_text(self->plan, &sql);
}

/* And come back as they are now, if they are still there and no trigger brought them meanwhile. A
 * value that does not fit, or a key of another row, makes the statement fail. */
static const char *bring_queued_back(const struct mysql_shadow *self)
{
    struct buffer sql = {0};
    mysql_append(&sql, "INSERT INTO %n (", self->old);
    mysql_shadow_append_columns(&sql, self->back, self->back_count, true);
    buffer_append_string(&sql, ") SELECT ");
    mysql_shadow_append_values(&sql, self, true, "t.");
    buffer_append_string(&sql, " FROM (SELECT DISTINCT ");
    for (uint32_t i = 0; i < self->key->count; i++) {
        mysql_append(&sql, "%s%n", i > 0 ? ", " : "", self->key_pairs[i]->to->name);
    }
    mysql_append(&sql, " FROM %n) AS q JOIN %n AS t", self->back_queue, self->table->name);
    for (uint32_t i = 0; i < self->key->count; i++) {
        mysql_append(&sql, "%st.%n = q.%n", i > 0 ? " AND " : " ON ", self->key_pairs[i]->to->name,
                     self->key_pairs[i]->to->name);
    }
    mysql_append(&sql, " WHERE NOT EXISTS (SELECT 1 FROM %n AS s WHERE ", self->old);
    for (uint32_t i = 0; i < self->key->count; i++) {
        mysql_append(&sql, "%ss.%n = ", i > 0 ? " AND " : "", self->key_pairs[i]->from->name);
        mysql_change_append_value(&sql, self->after, self->key_pairs[i], "t.", true,
                                  self->time_zone);
    }
    buffer_append_string(&sql, ") LOCK IN SHARE MODE");
    return mysql_change_text(self->plan, &sql);
}

/* Fails where the condition is not true: two rows are no value. A SELECT sees all tables as of one
 * moment; what a SET reads it reads as the tables are by then, one after the other. */
static const char *demand(const struct mysql_shadow *self, const char *condition)
{
    return arena_format(self->plan->arena,
                        "SELECT (SELECT 1 UNION ALL (SELECT 2 FROM (SELECT 1 AS n) AS one WHERE "
                        "NOT (%s)))",
                        condition);
}

static const char *same_counts(const struct mysql_shadow *self)
{
    return mysql_change_text(self->plan,
                             mysql_sql("(SELECT count(*) FROM %n) = (SELECT count(*) FROM %n)",
                                       self->table->name, self->old));
}

/* Ahead of the names' way back, the last one first: rows that the old form did not take are tried
 * again. What it can't hold ends the abort there, and fails no writer. Then writes have to fit the
 * old form, and those rows follow that were written until then. What was done past the triggers
 * keeps the tables from being renamed back. */
static void add_way_back(struct mysql_shadow *self)
{
    const char *out = "rows that the old form did not take leave it, ahead of an abort";
    const char *back = arena_format(self->plan->arena,
                                    "rows that the old form did not take, whose keys are in %s, "
                                    "are copied into it",
                                    self->back_queue);
    add_undo(self,
             arena_format(self->plan->arena,
                          "an abort needs as many rows in %s as in %s (else: more than 1 row)",
                          self->old, self->table->name),
             demand(self, same_counts(self)));
    add_undo(self, back, bring_queued_back(self));
    add_undo(self, out, take_queued_out(self));
    add_undo(self, "writes have to fit the old form, from an abort on",
             mysql_shadow_set_mode(self, "back"));
    add_undo(self, back, bring_queued_back(self));
    add_undo(self, out, take_queued_out(self));
    if (self->new_form != NULL) {
        add_undo(self,
                 arena_format(self->plan->arena,
                              "an abort needs %s in the form that the change gave it (else: more "
                              "than 1 row)",
                              self->table->name),
                 demand(self, arena_format(self->plan->arena, "(%s)", self->new_form)));
    }
}

/* All that can fail is tried while no writer feels it. */
void mysql_shadow_add_switch(struct mysql_shadow *self)
{
    mysql_shadow_add_triggers(self, true);
    mysql_shadow_add_batches(self, CHANGE_SWITCH_WRITES, SQL_SHADOW_DRAIN,
                             "rows that did not fit, once more");
    mysql_shadow_add_batches(self, CHANGE_SWITCH_WRITES, SQL_SHADOW_PROVE,
                             "compare both forms row by row, once more");
    mysql_shadow_add_batches(self, CHANGE_SWITCH_WRITES, SQL_SHADOW_CLOSE,
                             "from now on writes have to fit the new form");
    mysql_shadow_add_statement(
        self, CHANGE_SWITCH_WRITES, "both tables change their names",
        mysql_sql("RENAME TABLE %n TO %n, %n TO %n", self->table->name, self->old, self->shadow,
                  self->table->name),
        mysql_change_text(self->plan,
                          mysql_sql("RENAME TABLE %n TO %n, %n TO %n", self->table->name,
                                    self->shadow, self->old, self->table->name)),
        gone_stands(self, self->shadow, self->old));
    add_way_back(self);
}

/* ---------------------------------------------------------------- the end */

/* Foreign keys that referred to the old table, or stood by another name, as one ALTER of their
 * table that looks at no rows. */
static void add_reference_swap(struct mysql_shadow *self, const char *table,
                               const struct mysql_change_reference *reference, const char *drop)
{
    struct buffer sql = {0};
    const char *schema = self->plan->session->database->sql.schema;
    const char *spare = mysql_change_name(self->plan, "fk2", reference->name);
    bool renames = drop != NULL && strcmp(drop, reference->name) == 0;
    const char *name = renames ? spare : reference->name;
    mysql_append(&sql, "ALTER TABLE %n ", table);
    if (drop != NULL) {
        mysql_append(&sql, "DROP FOREIGN KEY %n, ", drop);
    }
    buffer_append_string(&sql, "ADD ");
    mysql_shadow_append_reference(&sql, self, reference, name);
    buffer_append_string(&sql, ", ALGORITHM=INPLACE, LOCK=NONE");
    mysql_shadow_add_statement(
        self, CHANGE_CONTRACT,
        arena_format(self->plan->arena, "the foreign key %s of %s", reference->name, table), &sql,
        NULL,
        mysql_change_text(
            self->plan,
            mysql_sql("SELECT count(*) FROM information_schema.referential_constraints WHERE "
                      "constraint_schema = %q AND table_name = %q AND constraint_name = %q",
                      schema, table, name)));
    if (renames) { /* back to its own name */
        struct mysql_change_reference own = *reference;
        add_reference_swap(self, table, &own, spare);
    }
}

void mysql_shadow_add_contract(struct mysql_shadow *self)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < self->table->inward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->inward[i];
        add_reference_swap(self, reference->table, reference, reference->name);
    }
    for (int i = 0; i < MYSQL_SHADOW_EVENT_COUNT; i++) {
        buffer_append_string(&sql,
                             mysql_shadow_drop_trigger(
                                 self, mysql_change_name(self->plan, mysql_shadow_back_roles[i],
                                                         self->table->name)));
        mysql_shadow_add_statement(
            self, CHANGE_CONTRACT,
            arena_format(self->plan->arena, "drop the trigger on %s", mysql_shadow_event_names[i]),
            &sql, NULL, NULL);
    }
    const char *const tables[] = {self->old, self->queue, self->back_queue, self->mode};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        buffer_append_string(&sql, mysql_shadow_drop_table(self, tables[i]));
        mysql_shadow_add_statement(self, CHANGE_CONTRACT,
                                   arena_format(self->plan->arena, "drop %s", tables[i]), &sql,
                                   NULL, NULL);
    }
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        const char *now = mysql_shadow_is_of_itself(self, reference)
                              ? NULL
                              : mysql_shadow_reference_name(self, reference);
        if (reference->clause != NULL && !mysql_change_is_unlinked(self->set, reference->name) &&
            (now == NULL || !mysql_shadow_names_itself(reference, self->table->name))) {
            add_reference_swap(self, self->table->name, reference, now);
        }
    }
}
