/* Brings a database's schema to where the files say, or back; goes on where it was broken off. */
#ifndef TRANSHUME_EVOLVE_RUN_RUN_H
#define TRANSHUME_EVOLVE_RUN_RUN_H

#include "connectors/contract/connector.h"
#include "evolve/folder/steps.h"
#include "evolve/run/order.h"

enum schema_event_kind {
    SCHEMA_WAITS,     /* for the lock; `holder` has it */
    SCHEMA_BEGINS,    /* an act */
    SCHEMA_RUNS,      /* a statement: `step` of `steps` */
    SCHEMA_PROGRESS,  /* it is still running: `part`, `text` */
    SCHEMA_ENDS,      /* the act is done: `steps`, `ms` */
    SCHEMA_SETTLED,   /* a statement whose end was not seen: `text` says what became of it */
    SCHEMA_KEEPS,     /* rows are kept, or put back: `text` */
    SCHEMA_RECONNECTS /* the session was lost: `text` says why */
};

struct schema_event {
    enum schema_event_kind kind;
    const struct schema_act *act;      /* NULL: of none */
    const struct migration_step *step; /* likewise */
    uint32_t steps;
    int64_t ms;  /* since it began */
    double part; /* 0 to 1; below 0: not known */
    const char *text;
    const struct ledger_holder *holder;
};

struct schema_options {
    struct database *database;
    const struct migration_set *set;
    struct schema_order order;
    const char *session; /* "transhume schema up", for the server's list of sessions */
    const char *program; /* the command again, for hints */
    const char *history_schema;
    struct buffer *faults; /* a line for each fault of the files; may be NULL */
    int64_t lock_wait_ms;  /* how long to wait for another runner */
    int64_t lock_ms;       /* how long a statement waits for a lock of the server; 0: as it does */
    int64_t statement_ms;  /* how long one may take; 0: no limit */
    bool steals_lock;      /* ends the session that has the lock */
    void (*observe)(void *context, const struct schema_event *event); /* may be NULL */
    void *context;
};

/* One act that was done. */
struct schema_done {
    enum history_action action;
    const char *version;
    const char *name;
    uint32_t steps;
    int64_t ms;
};

/* Lives in `arena`. */
struct schema_result {
    struct arena *arena;
    struct schema_done *done;
    uint32_t count;
    uint32_t capacity;
};

/* Reads the history, without a lock; nothing is made or written. */
enum status schema_look(const struct schema_options *options, struct arena *arena,
                        struct schema_history *history, struct error *error) MUST_USE;

/* A digest of all that the schema is made of, "d1:…", in the arena; NULL: the database does not
 * tell its definitions. */
enum status schema_hash_read(struct database *database, struct arena *arena, const char **hash,
                             struct error *error) MUST_USE;

/* Is the schema as the last command left it? */
enum schema_since {
    SCHEMA_SINCE_UNKNOWN, /* that was not noted */
    SCHEMA_SINCE_SAME,
    SCHEMA_SINCE_CHANGED
};
enum schema_since schema_compare_hash(const struct schema_history *history, const char *now);

/* Likewise, with the plan that would be run. */
enum status schema_look_ahead(const struct schema_options *options, struct arena *arena,
                              struct schema_plan *plan, struct error *error) MUST_USE;

/*
 * Runs what the order asks for. What was done before a failure is in the result. The plan is made
 * from a reading of the history under the lock, so that of two processes that begin at once one
 * works and the other finds nothing to do.
 */
enum status schema_run(const struct schema_options *options, struct schema_result *result,
                       struct error *error) MUST_USE;

/* ---------------------------------------------------------------- what people say of it */

enum schema_repair_kind {
    SCHEMA_MARK_APPLIED,
    SCHEMA_MARK_REVERTED,
    SCHEMA_RESUME_FROM,     /* the statements before `step` are done, and it is not */
    SCHEMA_ACCEPT_CHECKSUM, /* the file as it is now is what was applied */
    SCHEMA_DROP_IMAGES,     /* the rows that it kept are not needed any more */
    SCHEMA_BASELINE         /* the database is as this version and those below it leave it */
};

struct schema_repair {
    enum schema_repair_kind kind;
    const char *version;
    uint32_t step;
    bool down; /* SCHEMA_RESUME_FROM: of its way back */
};

/* Puts an act that says so, under the lock. Nothing is run. */
enum status schema_repair(const struct schema_options *options, const struct schema_repair *repair,
                          struct error *error) MUST_USE;

/* A version that another tool applied. */
struct schema_imported {
    const char *version; /* NULL: a repeatable file */
    const char *name;
};

/* Notes them all under the lock, but for those that stand already; nothing is run. */
enum status schema_note_imported(const struct schema_options *options, const char *tool,
                                 const struct schema_imported *rows, uint32_t count,
                                 struct error *error) MUST_USE;

/* NULL-terminated. */
const char *const *schema_failpoints(void);

#endif
