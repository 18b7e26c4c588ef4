/*
 * The contract: targets whose tables declare their columns. Each function is optional;
 * connector_columns gives a group without any for a connector that has none.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_COLUMNS_H
#define TRANSHUME_CONNECTORS_CONTRACT_COLUMNS_H

#include "connectors/contract/target.h"

struct column_functions {
    /* Appends the words by which `column` of `table` would be declared ("numeric(10,2)").
     * STATUS_END: the target gives its columns no types. Changes nothing. Control thread. */
    enum status (*type)(struct database *self, const struct target_table *table,
                        const struct schema_column *column, struct buffer *out,
                        struct error *error);
    /* Adds these of the table's columns to one that is there and does not have them. Records that
     * are there get the column's default, or NULL; without a default the column may be NULL,
     * whatever the plan says. Control thread. */
    enum status (*add)(struct database *self, const struct target_table *table,
                       struct column_list columns, struct error *error);
    /*
     * Gives these of the table's columns, in one that is there, the types that the table says, and
     * lets them be NULL where it says so. The values that are there are kept, as far as the new
     * types hold them. ERROR_TARGET_SCHEMA: that can't be done where they are, or is refused for
     * values that do not fit; nothing was changed. Repeatable. Control thread. NULL: it alters no
     * column, ever.
     */
    enum status (*alter)(struct database *self, const struct target_table *table,
                         struct column_list columns, struct error *error);
    /* Where columns are not altered: drops a table that the run made, and makes it again, empty, as
     * the table says by now. Repeatable, also by another process after a crash. Control thread,
     * while nothing is written. ERROR_TARGET_SCHEMA: the run did not make it. */
    enum status (*make_again)(struct database *self, const struct target_table *table,
                              struct error *error);
    /*
     * For a repair of tables with static columns: does the record, a MAP of `fields`, contradict
     * the records of its partition? `*why` (arena): so it does, in which column; NULL: no, or the
     * partition has none. `*records` (0: it has none): how many it has, if that `counts`, else 1.
     * Changes nothing. Control thread.
     */
    enum status (*static_conflict)(struct database *self, const struct target_table *table,
                                   const struct cell *fields, bool counts, struct arena *arena,
                                   uint64_t *records, const char **why, struct error *error);
    /*
     * Both or none: what a column makes of values (SQLite's affinities). value_class gives a number
     * for a column as the target's own catalogue describes it, for normal_form, which is
     * target_functions.normal_form for values of that column: what reading it back gives, with as
     * much told apart as the column keeps. NULL: target_functions.normal_form says it all. Any
     * thread.
     */
    uint32_t (*value_class)(struct database *self, const struct schema_table *table,
                            const struct schema_column *column);
    enum status (*normal_form)(struct database *self, uint32_t value_class, const struct cell *cell,
                               struct arena *arena, struct cell *normal, struct error *error);
    bool decides; /* also in tables that the run made */
};

#endif
