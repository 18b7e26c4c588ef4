/* Builds on a run's tables that a server still does for a process that is gone: it goes on with a
 * statement whose client was killed, and the next process would make the same beside it. */
#ifndef TRANSHUME_CONNECTORS_SQL_BUILDERS_H
#define TRANSHUME_CONNECTORS_SQL_BUILDERS_H

#include "base/error.h"
#include "connectors/contract/connector.h"
#include <stdbool.h>
#include <stdint.h>

/* A table of the run's that another session builds on right now; zeroed: none. */
struct sql_built {
    const struct target_table *table;
    uint64_t session; /* as the server numbers them */
};
typedef enum status (*sql_find_built)(void *context, struct sql_built *built, struct error *error);

/* Is anything built on the table that the run makes too? */
bool sql_run_builds_on(const struct after_load_request *request, const struct target_table *table);
/* Waits until `find` finds none, and says for which session: a statement of a run's gives up a lock
 * that it does not get, so that this ends; somebody else's may stand behind a lock for as long as
 * its holder likes. The first request to stop ends it, too. */
enum status sql_await_builders(sql_find_built find, void *context, const char *shown,
                               void (*progress)(const char *what), struct error *error) MUST_USE;

/* ---------------------------------------------------------------- things that may stand on each
 * other */

/*
 * Makes the thing `number`: STATUS_OK: there it is; STATUS_AGAIN: not now, perhaps after others;
 * STATUS_END: it is not wanted. `last`: nothing comes after it that could help, so that what is
 * wrong may be told.
 */
typedef enum status (*sql_attempt)(void *context, uint32_t number, bool last);

/* Tries all of them again and again, until none more is made; then, if `tells`, those that are left
 * once more as the last. */
enum status sql_make_in_rounds(uint32_t count, bool tells, sql_attempt attempt, void *context,
                               struct error *error) MUST_USE;

#endif
