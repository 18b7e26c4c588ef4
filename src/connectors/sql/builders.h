/* What a server still builds on a run's tables for a process that is gone: it goes on with a
 * statement whose client was killed, and the next process would make the same beside it. */
#ifndef TRANSHUME_CONNECTORS_SQL_BUILDERS_H
#define TRANSHUME_CONNECTORS_SQL_BUILDERS_H

#include "connectors/connector.h"

/* A table of the run's that another session builds on right now; zeroed: none. */
struct sql_built {
    const struct target_table *table;
    uint64_t session; /* as the server numbers them */
};
typedef enum status (*sql_find_built)(void *context, struct sql_built *built, struct error *error);

/* Is anything built on the table that the run makes too? */
bool sql_run_builds_on(const struct target_table *table);
/* Waits until `find` finds none, and says for which session: a statement of a run's gives up a lock
 * that it does not get, so that this ends; somebody else's may stand behind a lock for as long as
 * its holder likes. The first request to stop ends it, too. */
enum status sql_await_builders(sql_find_built find, void *context, const char *shown,
                               void (*progress)(const char *what), struct error *error) MUST_USE;

#endif
