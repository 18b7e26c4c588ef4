/* Declarations that the files that apply change sets share. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_APPLY_H
#define TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_APPLY_H

#include "connectors/postgres/target.h"
#include "connectors/sql/apply.h"

enum {
    APPLY_NEW_MAX = 128, /* statements that are prepared in one pipeline */
    APPLY_PARAMETERS_MAX = 2 * POSTGRES_COLUMNS_MAX,
    APPLY_OPEN_MAX = 16 /* batches that are filled at a time */
};

struct apply_batch;

/* Is a statement prepared in the session? That it was sent to be prepared proves nothing: behind a
 * failure the server skips it. */
enum apply_named_state {
    APPLY_NAMED_ABSENT,
    APPLY_NAMED_SENT,  /* in this pipeline; the server has not answered yet */
    APPLY_NAMED_THERE, /* the server said so. It outlives the transaction, whatever its end */
};

/* A statement in the session, under its name. */
struct apply_named {
    char name[32];
    uint32_t number; /* in the pipeline that prepares it */
    enum apply_named_state state;
};

/* A column of a table beside its struct postgres_column: the type of arrays of it, and what it is
 * called without its limits. */
struct apply_array {
    uint32_t oid;
    const char *type;
    const char *exact; /* with its limits */
};

struct apply_facts {
    struct apply_facts *next;
    const struct target_table *plan;
    struct postgres_table table;
    const struct apply_array *arrays;
    bool triggers; /* some of it would fire */
};

/* The kept parts of a statement. */
struct apply_prepared {
    struct apply_named named;
    const struct postgres_column **columns; /* of the parameters */
    struct apply_batch *batches[2];         /* of inserts, and of others; NULL: none yet */
};

/* How many rows a statement has to change. */
struct apply_expected {
    uint32_t number;
    uint32_t rows;                      /* fewer are a failure, unless it is of one */
    const struct record_change *change; /* whose record it seeks: sql_apply_changed is told */
};

struct postgres_apply {
    struct apply head;
    struct postgres_database *self;
    PGconn *connection;
    struct arena *scratch;
    struct apply_facts *known; /* the tables that were described, of head.arena */
    struct buffer encoded;     /* the parameters of one statement */
    struct buffer key;         /* of the record that is added to a batch */
    uint32_t numbers;          /* of prepared statements, so far */
    struct buffer dropped;     /* "DEALLOCATE …; " of those that are forgotten */
    bool defers;               /* constraints may be checked at the end of a transaction */
    bool marked;               /* with an origin */
    bool silent;               /* no trigger fires */
    int64_t planned_ms;        /* monotonic: since when the plans are kept */
    uint32_t sent;             /* since the server was last asked to send what it has */
    uint32_t outstanding;      /* answers that are to come */
    uint32_t answered;         /* in this pipeline */
    bool failed;               /* one of them was a failure, and nothing more is sent until the */
                               /* transaction is rolled back: */
    enum error_code code;      /* ERROR_NONE: it is no record's */
    struct error failure;
    bool singly;            /* records go one by one until the next commit */
    struct buffer expected; /* struct apply_expected, in the order of the statements */
    size_t expected_used;
    struct apply_named *made[APPLY_NEW_MAX]; /* sent to be prepared, in this pipeline */
    uint32_t made_count;
    uint32_t made_answered; /* the first of them that the server has answered */
    struct apply_batch *open[APPLY_OPEN_MAX];
    uint32_t open_count;
    const char *values[APPLY_PARAMETERS_MAX];
    int lengths[APPLY_PARAMETERS_MAX];
    int formats[APPLY_PARAMETERS_MAX];
};

/* ---------------------------------------------------------------- apply_pipeline.c */

enum status postgres_pipeline_enter(struct postgres_apply *apply, struct error *error) MUST_USE;
/* Waits for all that was sent; `failed` says what became of it. */
enum status postgres_pipeline_leave(struct postgres_apply *apply, struct error *error) MUST_USE;
/* libpq's answer to sending a statement. */
enum status postgres_pipeline_sent(struct postgres_apply *apply, int sent,
                                   struct error *error) MUST_USE;
/* Prepares it, unless it is; `types` may be NULL. Does nothing behind a failure. */
enum status postgres_pipeline_prepare(struct postgres_apply *apply, struct apply_named *named,
                                      const char *sql, int count, const Oid *types,
                                      struct error *error) MUST_USE;
/* The next statement is to change so many rows: else the records go one by one. With a change it
 * may change none, of which sql_apply_changed is told. */
void postgres_pipeline_expect(struct postgres_apply *apply, uint32_t rows,
                              const struct record_change *change);

/* ---------------------------------------------------------------- apply_row.c */

/* Sends a statement for one change. STATUS_AGAIN: it is refused. */
enum status postgres_apply_one(struct postgres_apply *apply, struct sql_apply_statement *statement,
                               const struct record_change *change,
                               struct sql_apply_refused *refused, struct error *error) MUST_USE;
/* Types that cut a text where others refuse it. */
enum status postgres_apply_check(const struct postgres_column *column, const struct cell *cell,
                                 struct error *error) MUST_USE;
/* Puts the column's name into the error about a value that it does not take. STATUS_FAILED. */
enum status postgres_apply_name_column(const struct postgres_column *column, struct error *error);
/* The reject that an encoder's error is. */
enum status postgres_apply_refuse(const struct error *problem, struct sql_apply_refused *refused,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- apply_batch.c */

/*
 * Changes of one kind to records of a table that differ in their keys go as one statement, their
 * values as arrays. Batches of several tables, or kinds, are filled side by side: what is under
 * different keys may change places as long as no trigger sees it. Where that makes the server
 * refuse what it would take in the source's order, the records go one by one.
 *
 * STATUS_END: the change has to go alone; what it must not overtake was sent.
 */
enum status postgres_batch_add(struct postgres_apply *apply, struct sql_apply_statement *statement,
                               const struct record_change *change,
                               struct sql_apply_refused *refused, struct error *error) MUST_USE;
/* Sends all. */
enum status postgres_batch_flush(struct postgres_apply *apply, struct sql_apply_refused *refused,
                                 struct error *error) MUST_USE;
/* Forgets what is in them. */
void postgres_batch_clear(struct postgres_apply *apply);
/* The statement goes. */
void postgres_batch_free(struct postgres_apply *apply, struct apply_prepared *prepared);

#endif
