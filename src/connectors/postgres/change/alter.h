/* Declarations that the files that change a PostgreSQL schema share. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_CHANGE_ALTER_H
#define TRANSHUME_CONNECTORS_POSTGRES_CHANGE_ALTER_H

#include "connectors/postgres/postgres_internal.h"
#include "connectors/sql/history.h"

/*
 * The session's own lock is an advisory lock of this same connection. It is never waited for in the
 * server: a session that waits there has a snapshot, which CREATE INDEX CONCURRENTLY of the lock's
 * holder would wait for.
 */
struct postgres_alter {
    struct alter_session base;
    struct postgres_database *database;
    PGconn *connection;
    char *program;        /* for pg_stat_activity; NULL: it has a name already */
    char *history_schema; /* where the history is */
    bool makes_schema;    /* and it may have to be made */
    int64_t lock_key;
    bool locked;
    bool history_seen;   /* its tables are ours, or were not there */
    bool within;         /* between begin and end */
    bool begun;          /* and the server knows of it */
    bool lazy;           /* commits need not be durable at once */
    struct buffer first; /* what goes in front of the transaction's first statement */
    struct buffer last;  /* what goes in front of its COMMIT */
    int64_t lock_ms[2];  /* what the timeouts are set to: of the session, of the transaction */
    int64_t time_ms[2];
};

static inline struct postgres_alter *postgres_alter_of(struct alter_session *session)
{
    return (struct postgres_alter *)session;
}

extern const struct sql_history_dialect postgres_history; /* alter_history.c */

/* ---------------------------------------------------------------- alter_holder.c */

enum status postgres_alter_lock(struct alter_session *session, const struct ledger_holder *self,
                                struct ledger_holder *found, struct error *error);
/* Takes the lock again where a migration gave it up. ERROR_RUN_FENCED: another one has it by now.
 */
enum status postgres_alter_lock_again(struct postgres_alter *session, struct error *error) MUST_USE;
enum status postgres_alter_end_holder(struct alter_session *session, struct error *error);

/* ---------------------------------------------------------------- alter_run.c */

enum status postgres_alter_begin(struct alter_session *session, struct error *error);
enum status postgres_alter_end(struct alter_session *session, enum status status,
                               struct error *error);
enum status postgres_alter_run(struct alter_session *session, const struct alter_request *request,
                               struct alter_answer *answer, struct error *error);
enum status postgres_alter_ask(struct alter_session *session, const char *sql, struct arena *arena,
                               const char **text, struct error *error);
/* Sends what the open transaction has not been told yet: its beginning, an act of the history. */
enum status postgres_alter_catch_up(struct postgres_alter *session, struct error *error) MUST_USE;
/* A failure after which nobody knows what became of the statement, if the session is lost. */
enum status postgres_alter_lost(struct postgres_alter *session, enum status status,
                                struct error *error);

/* ---------------------------------------------------------------- alter_progress.c */

/* How far the session is, as far as the server tells, by way of another connection. */
struct postgres_alter_progress {
    PGconn *beside;
    int64_t look_ms;
};
void postgres_alter_progress_look(struct postgres_alter *session,
                                  struct postgres_alter_progress *progress,
                                  const struct alter_request *request);
void postgres_alter_progress_end(struct postgres_alter_progress *progress);

/* ---------------------------------------------------------------- alter_settle.c */

enum status postgres_alter_witness(struct alter_session *session,
                                   const struct alter_object *objects, uint32_t count,
                                   struct arena *arena, const char **text, struct error *error);
enum status postgres_alter_settle(struct alter_session *session,
                                  const struct alter_request *request,
                                  const struct alter_object *objects, uint32_t count,
                                  const char *before, enum alter_settled *settled,
                                  struct error *error);

#endif
