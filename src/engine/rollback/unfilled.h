/*
 * Columns of SQL tables that a run does not fill. What they hold is the table's own (a default, a
 * number, what a trigger puts there) as the run ends, and the ledger keeps a sum of it for tables
 * that are taken back as a whole: what is there later may be of others.
 */
#ifndef TRANSHUME_ENGINE_UNFILLED_H
#define TRANSHUME_ENGINE_UNFILLED_H

#include "engine/session/session.h"

/* The unfilled columns of a table as the target describes it, but for generated ones. Names are the
 * schema's. */
void unfilled_list(const struct ledger_table *table, const struct schema_table *there,
                   struct arena *arena, struct column_list *columns);
/* Notes them, and what they hold, in the run's status, for all of its tables. Control thread, once
 * all else is done; repeatable. */
enum status unfilled_note(struct run *run, struct error *error) MUST_USE;

#endif
