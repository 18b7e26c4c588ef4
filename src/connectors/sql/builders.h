/* What a server still builds on a run's tables for a process that is gone: it goes on with a
 * statement whose client was killed, and the next process would make the same beside it. */
#ifndef TRANSHUME_CONNECTORS_SQL_BUILDERS_H
#define TRANSHUME_CONNECTORS_SQL_BUILDERS_H

#include "connectors/connector.h"

/* Sets `*built` to a table of the run's that another session builds on right now; NULL: none. */
typedef enum status (*sql_find_built)(void *context, const struct target_table **built,
                                      struct error *error);

/* Is anything built on the table that the run makes too? */
bool sql_run_builds_on(const struct target_table *table);
/* Waits until `find` finds none, and says what for: a server that can't get the locks for such a
 * statement ends it, so that this ends. The first request to stop does, too. */
enum status sql_await_builders(sql_find_built find, void *context, const char *shown,
                               void (*progress)(const char *what), struct error *error) MUST_USE;

#endif
