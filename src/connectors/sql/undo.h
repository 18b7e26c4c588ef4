/* Tables of ours beside the data of a SQL target: what they are called, and which tables of the
 * plan can be taken back key by key. */
#ifndef TRANSHUME_CONNECTORS_SQL_UNDO_H
#define TRANSHUME_CONNECTORS_SQL_UNDO_H

#include "base/arena.h"
#include "connectors/contract/connector.h"
#include <stdint.h>

enum { SQL_OWN_NAME_BYTES = 64 };

/* The hash of a name that may be longer than what is to be made of it, or begin like another one.
 */
uint64_t sql_name_hash(const char *name);
/* `prefix` (up to 40 bytes) and the hash of a table's name. */
void sql_own_name(const char *prefix, const char *table, char name[SQL_OWN_NAME_BYTES]);
/* "_transhume_undo_RUN_": how the names of the tables with a run's undo records begin. */
void sql_undo_prefix(const char *run_id, char prefix[SQL_OWN_NAME_BYTES]);
/* One of them, in `arena`. */
const char *sql_undo_name(struct arena *arena, const char *run_id, const char *table);
/* Why the run's writes to a table that is there can't be undone key by key; NULL: they can.
 * `columns_max` says how many its undo table may have of the table's. */
const char *sql_undo_why_not(const struct schema_table *schema, const struct target_table *table,
                             uint32_t columns_max,
                             int (*compare_names)(const char *, const char *));

#endif
