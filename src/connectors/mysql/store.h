/* The ledger's table: the store's handles, and what other transactions of the target do with it. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_STORE_H
#define TRANSHUME_CONNECTORS_MYSQL_STORE_H

#include "connectors/mysql/target.h"
#include "connectors/sql/store.h"

/* ours.c: ERROR_NOT_OURS: what has the name of a table of ours in `schema` is none, or carries what
 * ours never do. */
enum status mysql_check_ours(struct mysql_database *self, MYSQL *connection, const char *schema,
                             struct error *error) MUST_USE;
/* The same of a table of a run, whose columns are those of the run's: is it one, and does it carry
 * no trigger? Behind CREATE TABLE IF NOT EXISTS. */
enum status mysql_check_own(struct mysql_database *self, MYSQL *connection, const char *name,
                            struct error *error) MUST_USE;
/* STATUS_END: there is no table. STATUS_FAILED also for a ledger of an older format. */
enum status mysql_store_exists(struct mysql_database *self, MYSQL *connection,
                               struct error *error) MUST_USE;
/* Makes it, unless it is there. Commits what came before it. */
enum status mysql_store_make(struct mysql_database *self, MYSQL *connection,
                             struct error *error) MUST_USE;
/* A statement of the store over another connection, as sql_store_dialect.run does it. */
enum status mysql_store_run(struct mysql_database *self, MYSQL *connection, const char *sql,
                            const struct store_value *parameter, sql_store_row *row, void *context,
                            uint64_t *changed, struct error *error) MUST_USE;
/* Adds a key that has to be absent to the connection's transaction. STATUS_AGAIN: it is there. */
enum status mysql_store_add(struct mysql_database *self, MYSQL *connection, const char *key,
                            const char *text, struct error *error) MUST_USE;
/* Does the claim's guard have its version still? Its row is locked to the transaction's end. */
enum status mysql_store_check_guard(struct mysql_database *self, MYSQL *connection, bool *stands,
                                    struct error *error) MUST_USE;

/* The ledger's table is made, and what no run is left for is dropped, by one process at a time. */
enum status mysql_lock_creating(struct mysql_database *self, MYSQL *connection,
                                struct error *error) MUST_USE;
void mysql_unlock_creating(struct mysql_database *self, MYSQL *connection);

#endif
