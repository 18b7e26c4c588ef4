/* The express lane of SQL servers. */
#ifndef TRANSHUME_CONNECTORS_SQL_PULL_H
#define TRANSHUME_CONNECTORS_SQL_PULL_H

#include "base/error.h"

/* After a call to the source within a pull. What failed there is no failure of the target:
 * STATUS_AGAIN, and the general path's readers ask the source again, or say what is the matter. */
enum status sql_leave_to_readers(const char *table, enum status status,
                                 struct error *error) MUST_USE;

#endif
