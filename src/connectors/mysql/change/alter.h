/* Declarations that the files that change a MySQL or MariaDB schema share. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_CHANGE_ALTER_H
#define TRANSHUME_CONNECTORS_MYSQL_CHANGE_ALTER_H

#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/history.h"

enum { MYSQL_ALTER_LOCK_BYTES = 48 };

/*
 * The session's lock is a user lock (GET_LOCK) of this same connection: a server goes on with an
 * ALTER TABLE whose client is gone, and gives the lock back when that has ended.
 */
struct mysql_alter {
    struct alter_session base;
    struct mysql_database *database;
    MYSQL *connection;
    char *history_schema;              /* where the history is */
    bool history_seen;                 /* what has its name there is ours */
    bool makes_schema;                 /* and it may have to be made */
    char lock[MYSQL_ALTER_LOCK_BYTES]; /* its name, as SQL */
    bool locked;
    bool within;     /* between begin and end */
    int64_t lock_ms; /* what the session waits for locks; -1: as it did at first */
    struct arena *arena;
    struct mysql_alter_variable *variables; /* as they were at the opening */
    uint32_t variable_count;
};

static inline struct mysql_alter *mysql_alter_of(struct alter_session *session)
{
    return (struct mysql_alter *)session;
}

/* alter_history.c; the second one is of servers whose times have no fractions. */
extern const struct sql_history_dialect mysql_history;
extern const struct sql_history_dialect mysql_history_old;

/* alter_failure.c: a failure after which nobody knows what became of the statement, if the session
 * is lost. */
enum status mysql_alter_lost(struct mysql_alter *session, enum status status, struct error *error);

/* ---------------------------------------------------------------- alter_variables.c */

/* Notes what the session's settings are, and puts them back. */
enum status mysql_alter_note_variables(struct mysql_alter *session, struct error *error) MUST_USE;
enum status mysql_alter_put_back(struct mysql_alter *session, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- alter_run.c */

enum status mysql_alter_begin(struct alter_session *session, struct error *error);
enum status mysql_alter_end(struct alter_session *session, enum status status, struct error *error);
enum status mysql_alter_run(struct alter_session *session, const struct alter_request *request,
                            struct alter_answer *answer, struct error *error);
enum status mysql_alter_ask(struct alter_session *session, const char *sql, struct arena *arena,
                            const char **text, struct error *error);

/* ---------------------------------------------------------------- alter_settle.c */

enum status mysql_alter_witness(struct alter_session *session, const struct alter_object *objects,
                                uint32_t count, struct arena *arena, const char **text,
                                struct error *error);
enum status mysql_alter_settle(struct alter_session *session, const struct alter_request *request,
                               const struct alter_object *objects, uint32_t count,
                               const char *before, enum alter_settled *settled,
                               struct error *error);

#endif
