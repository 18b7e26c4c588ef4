/* Waiting for locks that others hold: for how long, and who they are. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_LOCKS_H
#define TRANSHUME_CONNECTORS_MYSQL_LOCKS_H

#include "base/retry.h"
#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/locks.h"

/* From now on the session waits briefly for definitions: everybody queues behind its wait. */
enum status mysql_wait_briefly(struct mysql_database *self, MYSQL *connection,
                               struct error *error) MUST_USE;
/* After a failure of a lock on a table, or anything else of that name: adds who is in the way, as
 * far as the server tells. */
void mysql_tell_holder(struct mysql_database *self, MYSQL *connection, const char *table,
                       struct error *error);
/* mysql_run_buffer of what takes a table for itself alone: everybody queues behind its wait, so
 * that is brief, but for SQL_BUILD. A failure of the lock names who is in the way, as far as the
 * server tells; `table` NULL: the caller does. */
enum status mysql_alter(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                        const char *table, enum sql_patience patience, enum error_code otherwise,
                        struct error *error) MUST_USE;
/* The same, again and again while others hold it, with all that was done before as it is; the
 * table is the failure's context. `cancelled` ends the waiting. */
enum status mysql_alter_persistently(struct mysql_database *self, MYSQL *connection,
                                     struct buffer *sql, const char *table,
                                     enum sql_patience patience, enum error_code otherwise,
                                     const _Atomic bool *cancelled, struct error *error) MUST_USE;
/* Four timeouts from the first failure on; threads that wait at once show but one of their waits.
 */
void mysql_retry_begin(struct mysql_database *self, struct retry *retry);
/* After a failure that may pass: waits, and true. What is given up is so for good, since the
 * patience is spent: the error is of class STOP then, but for a stop on request. */
bool mysql_tries_again(struct retry *retry, enum status status, struct error *error);

#endif
