/* Taking a run back: exactly what it wrote goes, what it overwrote comes back; and dropping the
 * ledger when it is not needed any more. */
#ifndef TRANSHUME_ENGINE_ROLLBACK_H
#define TRANSHUME_ENGINE_ROLLBACK_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct observer;

/* Texts are borrowed. */
struct rollback_options {
    const char *ledger_schema; /* NULL: what the state folder knows of the run, or the plan's */

    const char *run_id;     /* NULL: the unfinished run of the state folder or the target */
    const char *target_uri; /* NULL: what the state folder knows of the run, or the plan's */
    const char *ledger_uri; /* NULL: likewise */
    const char *plan_path;  /* NULL: none */
    const char *state_folder;
    struct observer *observer; /* NULL: nobody watches */
    int64_t timeout_ms;        /* 0: the default */
    bool take_over;
    /* nothing but the claim may change, nor what an earlier rollback left be ended */
    bool only_looks;
    const char *command_line;
};

enum rollback_action {
    ROLLBACK_NOTHING, /* of the run nothing is in it (any more) */
    ROLLBACK_DROP,    /* the run made the table, and it holds just what the run wrote */
    ROLLBACK_EMPTY,   /* it was there and empty, and holds just what the run wrote */
    ROLLBACK_UNDO     /* record by record */
};
const char *rollback_action_name(enum rollback_action action);

struct rollback_table_report {
    const char *name;
    enum rollback_action action;
    uint64_t removed;
    uint64_t restored;
    uint64_t changed;   /* by others since: left as they are */
    uint64_t missing;   /* deleted by others since */
    uint64_t differing; /* triggers or rules of the table did something else with them */
    bool hashed;        /* dropped or emptied: contents were compared, not only counted */
    bool dropped;       /* after UNDO nothing was left in a table that the run made */
    bool gone;          /* others dropped the table, or gave it another name: all is missing */
};

struct rollback_report {
    const char *run_id;
    const char *target;
    struct rollback_table_report *tables;
    uint32_t table_count;
    struct buffer objects; /* views, triggers …, a line each */
    bool resumed;          /* an earlier rollback of the run had begun */
};

struct rollback;

/*
 * Opens the target, takes lock and claim. Refused (5) while somebody works on the run, when a later
 * run wrote to one of its tables. STATUS_END: the run is rolled back already (nothing is opened);
 * with run_id NULL: nothing is unfinished.
 */
enum status rollback_open(const struct rollback_options *options, struct rollback **rollback,
                          struct error *error) MUST_USE;
/* Looks at all tables and refuses (5) if one of them can't be taken back. Changes nothing but the
 * claim. The report is the rollback's. */
enum status rollback_look(struct rollback *rollback, const struct rollback_report **report,
                          struct error *error) MUST_USE;
/* After rollback_look. STATUS_END: stopped by a signal, to be gone on with. */
enum status rollback_run(struct rollback *rollback, struct error *error) MUST_USE;
/* A run in runs/ whose rollback was begun and has not come to its end; NULL: there is none. Of the
 * folder's own run its state.json says so. In `arena`. */
enum status rollback_find_begun(const char *state_folder, struct arena *arena, const char **run_id,
                                struct error *error) MUST_USE;
/* Gives claim and lock back. NULL is fine. */
void rollback_close(struct rollback *rollback);

/* ---- finish */

struct finish_report {
    const char *target;
    const char *const *runs; /* that are, or would be, forgotten */
    uint32_t run_count;
    const char *doubt; /* why it needs to be confirmed; NULL: nothing speaks against it */
    bool begun;        /* a run was claimed, to be forgotten; the same command goes on */
};
/*
 * Drops the ledger of the target, undo records and before-images too: nothing can be resumed or
 * rolled back after that. Without `confirm` only if each run is complete, and the last validation
 * was at level hash or full, by the newest run's own plan, of the tables of all runs, and without a
 * difference: else STATUS_AGAIN, and `doubt` says why. STATUS_END: there is no ledger. `dry_run`:
 * STATUS_OK, and nothing is dropped. `options->run_id` is not used. The report lives in `arena`.
 */
enum status finish_run(const struct rollback_options *options, bool dry_run, bool confirm,
                       struct arena *arena, struct finish_report *report,
                       struct error *error) MUST_USE;
/* Says by what a rollback that has begun is gone on with. */
enum status rollback_refuse_begun(const char *where, const char *id, struct error *error);

#endif
