/* Columns that go from one table to another one: what split_table, merge_table, move_column and
 * create_junction share. Texts are in the compiler's arena. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_CHANGE_CHANGE_CHOSEN_H
#define TRANSHUME_CONNECTORS_POSTGRES_CHANGE_CHANGE_CHOSEN_H

#include "connectors/postgres/change/change.h"

struct change_chosen {
    struct altered_column *items[64];
    uint32_t count;
};

/* The columns of the table that the list names. ERROR_CHANGE_INVALID: one is not there, or they are
 * too many; ERROR_CHANGE_REFUSED: one can't go. */
enum status change_chosen_pick(struct compiler *compiler, struct altered_table *table,
                               const struct change_value *list, struct change_chosen *chosen,
                               struct error *error) MUST_USE;
/* May the column go to another table? ERROR_CHANGE_REFUSED. */
enum status change_check_leaves(struct compiler *compiler, const struct altered_table *table,
                                const struct altered_column *column, struct error *error) MUST_USE;
/* ERROR_CHANGE_REFUSED: the table's key has more than one column, or none. */
enum status change_need_single_key(const struct compiler *compiler,
                                   const struct altered_table *table, struct error *error) MUST_USE;

/* "a.c1, a.c2"; without an alias "c1, c2" */
const char *change_chosen_list(struct compiler *compiler, const struct change_chosen *chosen,
                               const char *alias);
/* "c1 = a.c1, c2 = a.c2"; NULL: "c1 = NULL, …" */
const char *change_chosen_set(struct compiler *compiler, const struct change_chosen *chosen,
                              const char *alias);
/* "a.c1 IS NOT NULL OR …" */
const char *change_chosen_any(struct compiler *compiler, const struct change_chosen *chosen,
                              const char *alias);
/* "a.c1 IS NOT DISTINCT FROM b.c1 AND …" */
const char *change_chosen_equal(struct compiler *compiler, const struct change_chosen *chosen,
                                const char *left, const char *right);

/* Steps: rows that the new version inserts have none of these columns. */
void change_chosen_let_null(struct compiler *compiler, const struct altered_table *table,
                            const struct change_chosen *chosen);
/* The constraints and indexes on the columns that leave, refused where they can't come along;
 * parameters as of change_carry_attached. */
enum status change_chosen_carry(struct compiler *compiler, const struct altered_table *table,
                                const struct change_chosen *chosen, const char *part,
                                const char *ignored, struct buffer *sql,
                                struct error *error) MUST_USE;
/* Takes them out of the new version's table. */
void change_chosen_hide(const struct change_chosen *chosen, uint32_t operation);

#endif
