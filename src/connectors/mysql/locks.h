/* Waiting for locks that others hold: for how long, and who they are. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_LOCKS_H
#define TRANSHUME_CONNECTORS_MYSQL_LOCKS_H

#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/locks.h"

/* As the servers count: whole seconds, and at least one. */
long long maria_lock_seconds(int64_t wait_ms);
/* From now on the session waits briefly for definitions: everybody queues behind its wait. */
enum status maria_wait_briefly(struct maria_database *self, MYSQL *connection,
                               struct error *error) MUST_USE;
/* After a failure of a lock on a table, or anything else of that name: adds who is in the way, as
 * far as the server tells. */
void maria_tell_holder(struct maria_database *self, MYSQL *connection, const char *table,
                       struct error *error);
/* maria_query_buffer of what takes a table for itself alone: everybody queues behind its wait, so
 * that is brief, but for MARIA_BUILD. A failure of the lock names who is in the way, as far as the
 * server tells; `table` NULL: the caller does. */
enum status maria_alter(struct maria_database *self, MYSQL *connection, struct buffer *sql,
                        const char *table, enum maria_patience patience, enum error_code otherwise,
                        struct error *error) MUST_USE;

#endif
