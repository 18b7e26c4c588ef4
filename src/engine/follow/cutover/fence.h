/*
 * The fence of a cut-over: it keeps everybody from writing the followed tables of the source. It is
 * one object, which lives as long as the command and outlives its sessions, so that whatever ends
 * the command gives it back.
 *
 *   FENCE_OPEN ──take──> FENCE_HELD ──seal──> FENCE_SEALED     only `cutover --back` opens it
 *        ^                   │
 *        └────── release ────┤      a failure, a signal, the deadline of --max-pause
 *                            └──> FENCE_STUCK                  the source can't be reached: the
 *                                                              next command releases it
 *
 * While it is held a thread watches the deadline and the signals, with a connection to the source
 * of its own that was opened before anybody was kept out: writers are let in again in time,
 * whatever the command waits for at that moment. From the deadline on everything that heeds
 * signals_stop_level ends, too.
 *
 * fence.json in the state folder says that it stands, from before it is taken until it is released:
 *   {"format":1,"feed":NAME,"since":STAMP,"by":"feed"|"command","state":"held"|"sealed"}
 * The ledger has the same with the steps (cutover.h).
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_FENCE_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_FENCE_H

#include "engine/run/run.h"

enum fence_state {
    FENCE_OPEN,   /* nobody is kept out by it */
    FENCE_HELD,   /* nobody writes; release lets them in */
    FENCE_SEALED, /* the same, and the application may be at the target already */
    FENCE_STUCK   /* nobody writes, and it could not be released */
};

/* Why it is open again. */
enum fence_end {
    FENCE_NEVER_TAKEN,
    FENCE_RELEASED, /* by who took it */
    FENCE_OVERDUE,  /* --max-pause was over */
    FENCE_STOPPED   /* a signal came */
};

struct fence;
struct fence_settings {
    int64_t max_pause_ms;
    bool keeps;                /* --keep-fence: a failure does not release it */
    const char *close_command; /* --fence, in place of the feed's own; NULL: none */
    const char *open_command;  /* --unfence, its way back; NULL: none */
    bool returns; /* by the way back: whose writers are stopped was the target before */
};
struct fence *fence_create(const struct fence_settings *settings) __attribute__((returns_nonnull));
/* Takes NULL. What is held stays so. */
void fence_destroy(struct fence *fence);

/* Stops the writers of these tables. STATUS_FAILED: nobody is kept out, unless the state says
 * otherwise. Control thread. */
enum status fence_take(struct fence *fence, const struct run_session *session, const char *feed,
                       const char *const *tables, uint32_t table_count,
                       struct error *error) MUST_USE;
/* The same for one that stands already, as the ledger says: `sealed` as fence_seal leaves it. */
enum status fence_adopt(struct fence *fence, const struct run_session *session, const char *feed,
                        bool sealed, struct error *error) MUST_USE;
/* Does it stand yet? ERROR_CUT_OVER: it was released meanwhile, and why. */
enum status fence_check(struct fence *fence, struct error *error) MUST_USE;
/* From now on no failure, signal or deadline releases it. ERROR_CUT_OVER: it was released. */
enum status fence_seal(struct fence *fence, struct error *error) MUST_USE;
/* The cut-over is done: the source stays closed, and fence.json goes. */
void fence_finish(struct fence *fence);
/* Back to FENCE_HELD: nobody was sent to the target after all. */
void fence_unseal(struct fence *fence);
/* Lets the writers in, if it is held and not to be kept; `error` may be NULL. Any state,
 * repeatable, heeds no stop. */
enum status fence_release(struct fence *fence, struct error *error);

/* Is there a note of it in the ledger that is to be deleted once it is open? */
void fence_set_noted(struct fence *fence, bool noted);
bool fence_is_noted(const struct fence *fence);
enum fence_state fence_state(struct fence *fence);
enum fence_end fence_end(struct fence *fence);
bool fence_is_kept(const struct fence *fence);
/* For how long nobody wrote. */
int64_t fence_paused_ms(struct fence *fence);
/* The fence that stands, and the command that opens it: the last line of the command. Nothing, if
 * nobody was ever kept out. */
void fence_append_end(struct fence *fence, struct buffer *out);

/* Opens whatever fence stands for the feed, through the session's own source: of a process that is
 * gone. `open_command` may be NULL; STATUS_END: a command has closed it, and there is none. */
enum status fence_open(const struct run_session *session, const char *feed, bool by_command,
                       const char *open_command, struct error *error) MUST_USE;

/* fence.json of a state folder: since when a fence stands (microseconds, UTC), 0: none does;
 * `*sealed` likewise. Changes nothing. */
int64_t fence_look(const char *state_folder, bool *sealed);

#endif
