/* The contract: the ledger, which lives in the target. */
#ifndef TRANSHUME_CONNECTORS_LEDGER_H
#define TRANSHUME_CONNECTORS_LEDGER_H

#include "base/buffer.h"
#include "connectors/target.h"

struct ledger_chunk {
    uint64_t number; /* 1-based, in order of streams and spans */
    uint32_t stream;
    struct span span;
};

/*
 * Who works on a run. A claim with a lease is kept with all of this (connectors/lease.h makes it
 * one text and back); of a lock there is a name and mostly a pid.
 */
struct ledger_holder {
    char name[160]; /* for people: "pid 123 on host"; "attempt 4" where no more is known */
    int64_t pid;    /* 0: not known */
    char host[72];  /* printable UTF-8; "": not known */
    char run[40];   /* which it works on, where that is another than was asked for; "": that one */
    char machine[40];  /* where `pid` means something: this boot, this pid namespace; "": unknown */
    int64_t started;   /* when the process began, in the machine's own count; tells pids apart */
    int64_t since_us;  /* UTC, when it claimed; 0: not known */
    int64_t lease_ms;  /* its claim holds so long after each renewal; 0: no lease, but a lock */
    uint64_t renewals; /* any number that is another one after each renewal */
};

/* One run as the target knows it. Lives in `arena`. */
struct ledger_run {
    const char *id;
    uint64_t epoch;
    const char *header; /* the engine's JSON: format, plan, identities, snapshot … */
    const char *status; /* the engine's JSON, replaced by set_status: phase, tables created … */
    struct ledger_chunk *chunks;
    uint64_t chunk_count;
    struct done_mark *done;
    uint64_t done_count;
};

struct ledger_functions {
    /*
     * Writes header, status and the whole chunk list so that a crash leaves all of it or nothing.
     * STATUS_AGAIN: an unfinished run is there already.
     */
    enum status (*create)(struct database *self, const char *run_id, const char *header,
                          const char *status, const struct ledger_chunk *chunks,
                          uint64_t chunk_count, struct error *error);
    /* The newest run (run_id NULL) or the named one. STATUS_END: there is none. */
    enum status (*load)(struct database *self, const char *run_id, struct arena *arena,
                        struct ledger_run **run, struct error *error);
    /*
     * Makes `epoch` = old + 1 the only one that may write and commit. STATUS_AGAIN: somebody else
     * did, or holds it: `found` says who. A target may have one claim for all of its runs: then who
     * works on another one holds it, and is not replaced. A claim that was never given back stays
     * held, also when its lease is over or its process dead: whether it is so is for the engine to
     * find out.
     *
     * `replaces` NULL: only what nobody holds. Else a holder that an earlier call found: its claim
     * is taken over if it is still that very one, with the same number of renewals (one conditional
     * write), or STATUS_AGAIN. Without leases it is taken over where the target can fence the old
     * one all the same; what that one has locked is let go of, or ERROR_RUN_HELD before long.
     *
     * With a lease: lease_extend (connectors/lease.h) once the claim is granted. Control
     * thread.
     */
    enum status (*claim)(struct database *self, const char *run_id, uint64_t old_epoch,
                         const struct ledger_holder *replaces, struct ledger_holder *found,
                         struct error *error);
    /*
     * Only with a lease (else NULL): writes a new number of renewals if the claim is still ours,
     * then moves report.lease_end_ms on. ERROR_RUN_FENCED: it is another's. Called every third of
     * lease_ms between claim and release, on a thread of its own, beside any other function of this
     * database: so not through a connection that others use.
     */
    enum status (*renew)(struct database *self, const char *run_id, uint64_t epoch,
                         struct error *error);
    /* Replaces the status text, if the epoch is still ours. */
    enum status (*set_status)(struct database *self, const char *run_id, uint64_t epoch,
                              const char *status, struct error *error);
    /* The done mark of a chunk, for an unknown outcome. STATUS_END: it is not done. */
    enum status (*done)(struct database *self, const char *run_id, uint64_t chunk,
                        struct arena *arena, struct done_mark *mark, struct error *error);
    /* Empties the tables given (a physical stream that starts over) and makes chunks not done
     * again: in this order where it is not one transaction. Repeating it is safe. */
    enum status (*reopen)(struct database *self, const char *run_id, uint64_t epoch,
                          const uint64_t *chunks, uint64_t chunk_count,
                          const struct target_table *const *tables_to_empty, uint32_t table_count,
                          struct error *error);
    /* Gives the claim back (normal end: nothing of ours is under way); the run stays. */
    enum status (*release)(struct database *self, const char *run_id, uint64_t epoch,
                           struct error *error);
    /* The ids of all runs, in the order in which they were made; none: count 0. */
    enum status (*list)(struct database *self, struct arena *arena, const char ***ids,
                        uint32_t *count, struct error *error);
    /*
     * Puts back what prepare dropped or disabled for the load and after_load has not yet put back,
     * then removes the claimed run from the ledger, its undo records too, and the ledger itself
     * with the last run; gives the claim back. `rolled_back`: nothing of the run is left in the
     * database, so that the database itself goes where the run made it and nothing else is in it. A
     * crash leaves either a run that `load` finds, or none. Repeatable.
     */
    enum status (*forget)(struct database *self, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error);
    /*
     * Optional: takes away what a crash in `forget` may have left besides the data: called where
     * the run that is asked for is not in the ledger any more, with no claim, as the last thing
     * before the database is closed. `rolled_back`: as in `forget`. What somebody works with is
     * left alone. Repeatable.
     */
    enum status (*tidy)(struct database *self, bool rolled_back, struct error *error);
};

#endif
