/* Waiting for locks that others hold: for how long, and who they are. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_LOCKS_H
#define TRANSHUME_CONNECTORS_POSTGRES_LOCKS_H

#include "connectors/postgres/target.h"
#include "connectors/sql/locks.h"

/* ---------------------------------------------------------------- lock_watch.c */

/* sql_brief_lock_ms, and longer than deadlock_timeout if that can be: after it, and only within one
 * wait, the server ends an autovacuum that is in the way. */
int64_t postgres_brief_lock_ms(const struct postgres_database *self);

/* Who holds what a statement waits for, as it was seen last. */
struct postgres_lock_watch {
    int64_t began_ms;              /* monotonic */
    int64_t look_ms;               /* when to look next, counted from then */
    int64_t seen_ms;               /* when it was seen, counted so too */
    char holder[SQL_HOLDER_BYTES]; /* for messages; "": nobody was seen */
};
void postgres_lock_watch_begin(const struct postgres_database *self,
                               struct postgres_lock_watch *watch);
/* To be called now and then while the statement gives no answer: looks if it is time to, by way of
 * another connection, and says who it is once it takes long. */
void postgres_lock_watch_look(struct postgres_database *self, PGconn *connection,
                              struct postgres_lock_watch *watch);
/* Names the holder in the failure, if that is of a lock. */
void postgres_lock_watch_tell(const struct postgres_lock_watch *watch, struct error *error);

/* Did it end because others hold a lock? */
bool postgres_lock_is_missed(const struct error *error);

/* ---------------------------------------------------------------- locks.c */

/* `how`: "LOCAL" to the transaction, or of the "SESSION"; 0: for ever. */
enum status postgres_set_lock_timeout(struct postgres_database *self, PGconn *connection,
                                      const char *how, int64_t wait_ms,
                                      struct error *error) MUST_USE;
/* postgres_begin of what takes such locks; the transaction's waits are all brief. */
enum status postgres_begin_brief(struct postgres_database *self, PGconn **connection,
                                 struct error *error) MUST_USE;
/* One statement that takes such locks, whatever stands in it; within a transaction all that follow
 * wait as briefly. */
enum status postgres_alter(struct postgres_database *self, PGconn *connection, const char *sql,
                           enum sql_patience patience, enum error_code otherwise,
                           struct error *error) MUST_USE;
/* One that shuts nobody out, so that it may wait longer: for `wait_ms`, or as long as others like
 * (0). Not within a transaction. */
enum status postgres_alter_beside(struct postgres_database *self, PGconn *connection,
                                  const char *sql, int64_t wait_ms, enum error_code otherwise,
                                  struct error *error) MUST_USE;

#endif
