/* The ledger's table: the store's handles, and what transactions on the data do with it. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_STORE_H
#define TRANSHUME_CONNECTORS_POSTGRES_STORE_H

#include "connectors/postgres/target.h"
#include "connectors/sql/store.h"

/* Makes the ledger's table unless it is there, also beside another process that does. Not within a
 * transaction. */
enum status postgres_store_make(struct postgres_database *self, PGconn *connection,
                                struct error *error) MUST_USE;
/* sql_store_dialect.run on a connection. */
enum status postgres_store_run(struct postgres_database *self, PGconn *connection, const char *sql,
                               const struct store_value *parameter, sql_store_row *row,
                               void *context, uint64_t *changed, struct error *error) MUST_USE;
/* Makes a table of ours that several runs share, likewise; `columns` in parentheses. Within a
 * transaction others who make one wait for its end. */
enum status postgres_make_shared(struct postgres_database *self, PGconn *connection,
                                 const char *table, const char *columns,
                                 struct error *error) MUST_USE;
/* Drops tables of ours at once: a list as of postgres_list_own, with its `status`; frees it. */
enum status postgres_drop_shared(struct postgres_database *self, PGconn *connection,
                                 PGresult *names, enum status status, struct error *error) MUST_USE;

/* As the last statement of a chunk's transaction: puts the mark, if it has a key, and checks the
 * claim. ERROR_RUN_FENCED also where the key is there already. */
enum status postgres_put_mark(struct postgres_database *self, PGconn *connection,
                              const struct done_mark *mark, struct error *error) MUST_USE;
/* Puts a note of a run within the caller's transaction; it may be there. */
enum status postgres_put_note(struct postgres_database *self, PGconn *connection, const char *key,
                              const char *text, struct error *error) MUST_USE;

#endif
