/*
 * The contract: changing a schema in place.
 *
 * `transhume schema` and `transhume change` work through a session: one connection that holds the
 * lock, runs the statements and writes the history, so that all three end together. A server goes
 * on with a long statement after its client was killed; the lock that goes with that same session
 * is then still held, and nobody starts the statement a second time beside it.
 *
 * All functions are called on the control thread, one session at a time.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_ALTER_H
#define TRANSHUME_CONNECTORS_CONTRACT_ALTER_H

#include "connectors/contract/history.h"
#include "sql/language.h"

/* The access of others that a statement shuts out while it runs. */
enum alter_lock {
    ALTER_LOCK_NONE,   /* reads and writes go on */
    ALTER_LOCK_WRITES, /* reads go on */
    ALTER_LOCK_ALL
};

/* ---------------------------------------------------------------- sessions */

/* One connection. What it was opened from outlives it. */
struct alter_session;

/* The language that a step is written in. */
enum alter_language { ALTER_SQL, ALTER_CQL, ALTER_DYNAMODB, ALTER_HTTP, ALTER_MONGO };
enum { ALTER_LANGUAGE_COUNT = ALTER_MONGO + 1 };

struct alter_open {
    const char *program;        /* "transhume schema up", for the server's list of sessions */
    const char *history_schema; /* where the history is; NULL: in the schema that is changed */
    bool beside;                /* the database is read or written meanwhile, and keeps its own
                                   connections */
    bool only_looks;            /* nothing is made or written; `lock` is not called */
};

/* One statement, without a delimiter behind it. */
struct alter_request {
    enum alter_language language;
    const char *text; /* `length` bytes; more may follow */
    size_t length;
    const char *data; /* the lines behind COPY … FROM stdin, without the last one; NULL: none */
    size_t data_length;
    int64_t lock_ms; /* waits at most so long for locks of the server; 0: as the server does */
    int64_t time_ms; /* runs at most so long; 0: no limit */
    /* may be NULL; gets the part that is done, 0 to 1, or below 0 where it is not known, and what
     * the server says it is doing (NULL: nothing) */
    void (*progress)(void *context, double done, const char *doing);
    void *context;
};

struct alter_answer {
    bool counts; /* `rows` is what it changed or, of a query, returned */
    uint64_t rows;
    size_t fault;  /* of a failure: where in the text, in bytes; SIZE_MAX: not told */
    char state[8]; /* the server's own code, "42P01", "1064"; "": none */
};

/* An object that a statement makes, changes or drops, as sql/classify.h finds it. */
struct alter_object {
    const char *kind;   /* "table", "index", "view", "trigger", "routine", "type", … */
    const char *schema; /* NULL: not said */
    const char *name;
    const char *table; /* of an index, a trigger; NULL: not said */
};

/* The outcome of a statement that was under way when its session was lost. */
enum alter_settled {
    ALTER_UNKNOWN, /* it can't be told */
    ALTER_ABSENT,  /* nothing of it stands: run it */
    ALTER_APPLIED,
    ALTER_HALF /* something stands that `settle` could not remove; the error says what */
};

struct alter_functions {
    uint32_t languages;    /* 1 << ALTER_SQL | …: what `run` understands */
    enum sql_language sql; /* of ALTER_SQL */
    bool takes_back_ddl;   /* `end` with a failure undoes schema changes, too; else only rows */

    /* Connects. A server behind a pooler that gives statements of one client to several sessions is
     * refused: neither a lock nor a setting would hold. */
    enum status (*open)(struct database *self, const struct alter_open *options,
                        struct alter_session **session, struct error *error);
    void (*close)(struct alter_session *session); /* takes NULL; gives the lock back */

    /* ---- the lock: one process changes a schema at a time */

    /*
     * Tries once, and does not wait. STATUS_AGAIN: another one has it, and `found` says who. Called
     * again: is it still ours? ERROR_RUN_FENCED: no. It goes with the session, or is a lease
     * (database.lease_ms > 0) that `lock` renews, and must be called within each third of; while
     * `run` waits for the server, it renews by itself.
     */
    enum status (*lock)(struct alter_session *session, const struct ledger_holder *self,
                        struct ledger_holder *found, struct error *error);
    /* Ends the session that has it, as `lock` found it, and waits until it is gone: what it runs is
     * cancelled. Optional. */
    enum status (*end_holder)(struct alter_session *session, struct error *error);

    /* ---- statements */

    /* Optional, both. `end` commits if `status` is OK, else rolls back, and passes it through.
     * ERROR_TARGET_UNKNOWN_OUTCOME: the history, read in a new session, says what became of it. Who
     * can't look at foreign keys while a transaction is open (SQLite) does it in `end`, and fails
     * rather than commit rows without a partner. */
    enum status (*begin)(struct alter_session *session, struct error *error);
    enum status (*end)(struct alter_session *session, enum status status, struct error *error);
    /* Optional: transactions that `begin` opens from now on need not be durable before a later one
     * is that has to be, as all have to unless this was called. */
    void (*set_durable)(struct alter_session *session, bool durable);
    /*
     * Runs one statement, in the open transaction if there is one. `answer` is filled also where it
     * fails: ERROR_TARGET_LOCKED, class RETRY: it waited lock_ms, and nothing was changed;
     * the open transaction is over but for its `end`, and may be begun again.
     * ERROR_TARGET_UNKNOWN_OUTCOME: the session was lost. What a statement did to the session
     * (settings, roles, the schema that is looked in) stays until `settle_session`.
     */
    enum status (*run)(struct alter_session *session, const struct alter_request *request,
                       struct alter_answer *answer, struct error *error);
    /* The first value of a query in the arena; NULL: it is NULL, or there is no row. */
    enum status (*ask)(struct alter_session *session, const char *sql, struct arena *arena,
                       const char **text, struct error *error);
    /* Puts the session's settings back to those of its opening; the lock stays. Between files. */
    enum status (*settle_session)(struct alter_session *session, struct error *error);

    /* ---- the history (history.h); in the open transaction, else durable at return */

    /* Makes its tables, unless they are there. Not called where only_looks. */
    enum status (*history_make)(struct alter_session *session, struct error *error);
    /* Visits the acts in their order, without their down_text; no tables: none. The session has to
     * be as it was opened, or settled. ERROR_FORMAT_NEWER. */
    enum status (*history_read)(struct alter_session *session, history_visit *visit, void *context,
                                struct error *error);
    enum status (*history_read_steps)(struct alter_session *session, uint64_t number,
                                      history_step_visit *visit, void *context,
                                      struct error *error);
    /* The down_text of an act in the arena. */
    enum status (*history_down_text)(struct alter_session *session, uint64_t number,
                                     struct arena *arena, const char **text, struct error *error);
    /* Reads who claimed last. */
    enum status (*history_claim_read)(struct alter_session *session, struct arena *arena,
                                      struct history_claim *claim, struct error *error);
    /* Claims under epoch `seen` + 1, which every later write of this session is checked against.
     * STATUS_AGAIN: the epoch is another one. */
    enum status (*history_claim)(struct alter_session *session, uint64_t seen,
                                 const struct ledger_holder *self, struct error *error);
    /*
     * Puts an act, or replaces the one of that number. ERROR_RUN_FENCED: the epoch moved, and
     * nothing was written. As the last write of a transaction it keeps all of it from being
     * committed by who lost the claim, which may be seen as late as by `end`. Times that are 0 are
     * set by the database's clock: `begun_us` when the act is put first (or its transaction began),
     * `ended_us` where the state is not HISTORY_RUNNING. A down_text or restore_point that is NULL
     * leaves that of the act as it is.
     */
    enum status (*history_put)(struct alter_session *session, const struct history_row *row,
                               struct error *error);
    /* Likewise of a step. `session` NULL: this one; of a step that is done, `witness` and `session`
     * stay as its intent had them where they are NULL. */
    enum status (*history_put_step)(struct alter_session *session, const struct history_step *step,
                                    struct error *error);

    /* ---- optional: what became of statements without a transaction */

    /* A text that is another one once a statement on these objects was carried out, in the arena.
     * Short: a digest. An object that is not there counts as such. */
    enum status (*witness)(struct alter_session *session, const struct alter_object *objects,
                           uint32_t count, struct arena *arena, const char **text,
                           struct error *error);
    /*
     * Tells whether a statement was carried out that was begun in a session that is gone. An object
     * that it left half done, and that may be dropped without loss (an invalid index), is dropped.
     * `before` is its witness, NULL: none.
     */
    enum status (*settle)(struct alter_session *session, const struct alter_request *request,
                          const struct alter_object *objects, uint32_t count, const char *before,
                          enum alter_settled *settled, struct error *error);
    /* Waits until every node knows the schema. */
    enum status (*agree)(struct alter_session *session, struct error *error);
    /* Names the present in the server's own log, as far as it can; the position in the arena. */
    enum status (*restore_point)(struct alter_session *session, const char *name,
                                 struct arena *arena, const char **position, struct error *error);
};

#endif
