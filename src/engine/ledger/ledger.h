/*
 * The ledger: which runs there are, who works on them, which chunks are done. One state machine for
 * all databases, over the small store that each brings (connectors/contract/store.h).
 *
 *   key                    value (JSON, "format":3)
 *   runs/NUMBER            {"run":ID}; a run exists while this does. Numbers tell their order.
 *                          "target":HASH besides, where the ledger is not in the target
 *   run/ID/head            {"pieces","pages","chunks","tables":[NAME…],"xxh3"}; never changes
 *   run/ID/header/NNNN     the engine's header text (ledger_texts.h), in pieces
 *   run/ID/chunks/NNNNNNNN a page of the chunk list, complete before the run exists
 *   run/ID/mapping         {"version","pieces","xxh3"}: which version of what it learnt stands
 *   learnt/ID/VERSION/NNNN what the run learnt (learnt.h), in pieces: the source's schema, the
 *                          target's, and what resolving its plan asked of both
 *   run/ID/status          the engine's status text, replaced as a whole
 *   run/ID/leader          {"epoch","holder"}: who prepares, watches, completes the run
 *   run/ID/worker/NNNN     {"epoch","holder"}: a process that copies chunks beside the leader
 *   run/ID/claim/CHUNK     {"worker","epoch","count"}: a lot of chunks, from this one
 *   run/ID/done/CHUNK      the engine's done mark
 *   run/ID/note/KIND/NAME  what the target notes for itself (a table that the run made)
 *   run/ID/reject/…        what became of rejected records (engine/rejects/reject_book.h)
 *   run/ID/intent/NAME     a step that is not transactional, noted before it is taken
 *   scope/TABLE            {"run"}: the unfinished run that writes the table, "" once it was
 *                          left; scope/HASH/TABLE
 *                          where the ledger is not in the target
 *   position/FEED/LANE     {"position","epoch"} of a feed, as far as it is in the target
 *   guest/ID               a run with its ledger elsewhere keeps something in this target
 *   gone/ID                the parts of this run are being removed
 *   place/NAME             what a database notes of the place itself (its file was made for it)
 *   begun                  {"begun_by","begun_ns"}: tells this place from one made later
 *   closing                {"run"}: the place itself is about to be removed, with this run
 *
 * Every change is a conditional write, so that two processes that attempt the same never both
 * succeed. A claim is the version of `leader` or `worker/N`: each renewal is a new version, and a
 * take-over replaces the one that was seen and no other. `status` is written again by each new
 * leader, which makes a late write of the former one fail. Chunks commit only while the version of
 * their worker's claim stands (struct run_claim), or while its lease outlasts the request.
 *
 * A run takes its scopes after it exists and before anything of the target is touched; what an
 * unfinished run holds is refused, what a finished or unknown one holds is taken over.
 */
#ifndef TRANSHUME_ENGINE_LEDGER_LEDGER_H
#define TRANSHUME_ENGINE_LEDGER_LEDGER_H

#include "connectors/contract/connector.h"

enum { LEDGER_FORMAT = STORE_TEXT_FORMAT };

/* A format that is not this one: ERROR_FORMAT_NEWER or ERROR_FORMAT_OLDER on `key`. */
enum status ledger_refuse_format(const char *key, int64_t format, struct error *error);

/* A session's connection to a ledger. Control thread, except where said. */
struct ledger;

/*
 * `home` is the database whose store holds it, mostly the target itself; it has to outlive the
 * ledger. A ledger elsewhere works by leases, whatever the target could do (target->lease_ms has to
 * be set), and may hold runs into
 * other databases, too.
 */
enum status ledger_open(struct database *target, struct database *home, struct ledger **ledger,
                        struct error *error) MUST_USE;
void ledger_close(struct ledger *ledger); /* takes NULL; gives no claim back */
/* The longest text that it keeps as one: a run's status is one. */
uint32_t ledger_value_bytes_max(const struct ledger *ledger);

/* ---- runs */

struct ledger_new_run {
    const char *id;
    const char *header;
    const char *status;
    const char *learnt; /* learnt.h; NULL: nothing */
    size_t learnt_length;
    const struct ledger_chunk *chunks;
    uint64_t chunk_count;
    const char *const *tables; /* of the target, that it will write */
    uint32_t table_count;
};
/*
 * Writes the run so that a crash leaves all of it or nothing. STATUS_AGAIN: an unfinished run
 * writes one of the tables; `*other` (arena) is its id, and `*table` the table.
 */
enum status ledger_create(struct ledger *ledger, const struct ledger_new_run *run,
                          struct arena *arena, const char **other, const char **table,
                          struct error *error) MUST_USE;
/* An unfinished run that writes one of the tables. STATUS_END: there is none. */
enum status ledger_find_conflict(struct ledger *ledger, const char *const *tables,
                                 uint32_t table_count, struct arena *arena, const char **other,
                                 const char **table, struct error *error) MUST_USE;
/* The run, or with `run_id` NULL the newest unfinished one, else the newest. STATUS_END: there is
 * none. Any thread that has the ledger to itself. */
enum status ledger_load(struct ledger *ledger, const char *run_id, struct arena *arena,
                        struct ledger_run **run, struct error *error) MUST_USE;
/* The ids of all runs into the target, in the order in which they were made. */
enum status ledger_list(struct ledger *ledger, struct arena *arena, const char ***ids,
                        uint32_t *count, struct error *error) MUST_USE;
/* The same with those into other databases. */
enum status ledger_list_all(struct ledger *ledger, struct arena *arena, const char ***ids,
                            uint32_t *count, struct error *error) MUST_USE;
/* Removes the keys that chunks of the run kept for settling duplicates. Repeatable. */
enum status ledger_forget_keys(struct ledger *ledger, const char *run_id,
                               struct error *error) MUST_USE;
/*
 * Removes the claimed run from the ledger and gives the claim back; with the last run the place
 * itself. What the target kept for the run goes first (target.forget_run). A crash leaves either a
 * run that ledger_load finds, or none. Repeatable.
 */
enum status ledger_forget(struct ledger *ledger, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error) MUST_USE;
/* Removes what a crash in ledger_forget may have left besides the data; no run is claimed. */
enum status ledger_tidy(struct ledger *ledger, bool rolled_back, struct error *error) MUST_USE;

/* ---- leading a run */

/*
 * Makes `epoch` = old + 1 the only one that may write and commit. STATUS_AGAIN: somebody else did,
 * or holds it: `found` says who. A claim that was never given back stays held, also when its lease
 * is over or its process dead: whether it is so is for the caller to find out.
 *
 * `replaces` NULL: only what nobody holds. Else a holder that an earlier call found: its claim is
 * taken over if it is still that very one, or STATUS_AGAIN. It may be `found` itself.
 */
enum status ledger_lead(struct ledger *ledger, const char *run_id, uint64_t old_epoch,
                        const struct ledger_holder *replaces, struct ledger_holder *found,
                        struct error *error) MUST_USE;
/* Claims are leases, which have to be renewed. */
bool ledger_has_lease(const struct ledger *ledger);
/*
 * With a lease: renews the claim if it is still ours, then moves the target's lease on.
 * ERROR_RUN_FENCED: it is another's. Called every third of the lease between ledger_lead and
 * ledger_release, on one thread of its own beside all others.
 */
enum status ledger_renew(struct ledger *ledger, struct error *error) MUST_USE;
/* Replaces the status text, if the claim is still ours: else ERROR_RUN_FENCED. */
enum status ledger_set_status(struct ledger *ledger, const char *run_id, uint64_t epoch,
                              const char *status, struct error *error) MUST_USE;
/* Empties the tables given (a physical stream that starts over), then makes chunks not done again:
 * as long as one is marked, the next resume starts over as well. Repeating it is safe. */
enum status ledger_reopen(struct ledger *ledger, const char *run_id, uint64_t epoch,
                          const uint64_t *chunks, uint64_t chunk_count,
                          const struct target_table *const *tables_to_empty, uint32_t table_count,
                          struct error *error) MUST_USE;
/* Gives the claim back (normal end: nothing of ours is under way); the run stays. */
enum status ledger_release(struct ledger *ledger, const char *run_id, uint64_t epoch,
                           struct error *error) MUST_USE;

/* ---- done marks */

/* The key of a chunk's mark, in `key` of STORE_KEY_BYTES: for targets that commit it themselves. */
void ledger_mark_key(char *key, const char *run_id, uint64_t chunk);
/* The marks are not in the target's own transactions: ledger_mark puts them. */
bool ledger_marks_apart(const struct ledger *ledger);
/*
 * Marks a chunk as done whose records are acknowledged and durable; `store` is the calling
 * thread's own (ledger_open_store). ERROR_RUN_FENCED: somebody else marked it.
 */
enum status ledger_open_store(struct ledger *ledger, struct store **store,
                              struct error *error) MUST_USE;
void ledger_close_store(struct ledger *ledger, struct store *store); /* takes NULL */
enum status ledger_mark(struct ledger *ledger, struct store *store, const char *run_id,
                        const struct done_mark *mark, struct error *error) MUST_USE;
/* The done mark of a chunk, for an unknown outcome. STATUS_END: it is not done, and no commit under
 * way can change that. */
enum status ledger_done(struct ledger *ledger, const char *run_id, uint64_t chunk,
                        struct arena *arena, struct done_mark *mark, struct error *error) MUST_USE;

#endif
