/* Foreign keys whose partners come later (target_table.later), as every SQL database has them. */
#ifndef TRANSHUME_CONNECTORS_SQL_LATER_H
#define TRANSHUME_CONNECTORS_SQL_LATER_H

#include "connectors/target.h"

/* Foreign keys may share columns: is it left NULL by one of the first `before`? */
bool sql_later_is_listed(const struct target_table *table, uint32_t before, const char *name);

#endif
