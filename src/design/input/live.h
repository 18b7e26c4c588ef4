/* Statements that a live database has counted itself. */
#ifndef TRANSHUME_DESIGN_INPUT_LIVE_H
#define TRANSHUME_DESIGN_INPUT_LIVE_H

#include "connectors/contract/connector.h"
#include "design/input/sql.h"

/*
 * Adds what pg_stat_statements or events_statements_summary_by_digest holds of the database's own
 * statements, those that ran most often first. `source` is open for reading and has no snapshot.
 * STATUS_END: the database keeps no such table, has nothing in it, or does not show it to the
 * account; `error` says why where something was refused.
 */
enum status input_live_read(struct database *source, enum sql_language language,
                            struct input_sql *input, struct error *error) MUST_USE;

#endif
