/* Shared by the files of this room. */
#ifndef TRANSHUME_EVOLVE_CHANGE_RUN_INTERNAL_H
#define TRANSHUME_EVOLVE_CHANGE_RUN_INTERNAL_H

#include "base/retry.h"
#include "connectors/contract/load.h"
#include "evolve/change/run.h"
#include "evolve/run/session.h"

/* A change at work. */
struct change_work {
    struct schema_work base;
    const struct change_options *options;
    const struct change_functions *change;
    struct arena *arena; /* of the view; base.act_arena: of one step */
    struct change_view view;
    struct load_watch *watch; /* NULL: nobody asks, or the connector can't */
    int64_t looked_ms;        /* when it was asked last */
    double rows_ms;           /* what batches of this step did lately */
};

/* ---------------------------------------------------------------- view.c */

/* Reads the changes of the history; the last one also with its plan and steps. */
enum status change_read(struct schema_work *work, struct arena *arena, struct change_views *views,
                        struct error *error) MUST_USE;
/* The change that is under way; NULL: none is. */
struct change_view *change_under_way(const struct change_views *views);
/* The last one of a version; NULL: it has none. */
struct change_view *change_of_version(const struct change_views *views, const char *version);
/* Are all steps to the end of the phase done? */
bool change_is_done(const struct change_view *view, enum change_phase last);

/* ---------------------------------------------------------------- steps.c */

/* Does what is left to the end of the phase. */
enum status change_go(struct change_work *work, enum change_phase last,
                      struct error *error) MUST_USE;
/* Looks again at what holds for both versions' writes. */
enum status change_prove_again(struct change_work *work, struct error *error) MUST_USE;
void change_tell(const struct change_work *work, const struct change_event *event);
/* Names the step, and says what next; what the session's loss leaves to be found out keeps its
 * code. */
enum status change_fail_step(const struct change_work *work, uint32_t number, struct error *error);
/* Runs one statement of a step; the error names the operation. */
enum status change_run_text(struct change_work *work, uint32_t number, const char *text,
                            uint64_t *rows, struct error *error) MUST_USE;
/* The part that stands of a step that was begun. */
enum change_stands { CHANGE_STANDS_NOT, CHANGE_STANDS_HALF, CHANGE_STANDS };
enum status change_ask_stands(struct change_work *work, const struct change_step *step,
                              enum change_stands *stands, struct error *error) MUST_USE;
enum status change_put_step(struct change_work *work, uint64_t act, uint32_t number,
                            enum history_step_state state, uint64_t rows, const char *position,
                            struct error *error) MUST_USE;
/* Puts the change's act. */
enum status change_put_act(struct change_work *work, enum history_state state, const char *plan,
                           const char *problem, struct error *error) MUST_USE;
/* Sets what the step needs of its session, and behind it puts the session back, whatever `status`
 * is, which is passed through. */
enum status change_set_session(struct change_work *work, uint32_t number,
                               struct error *error) MUST_USE;
enum status change_settle_session(struct change_work *work, uint32_t number, enum status status,
                                  struct error *error) MUST_USE;
/* Is the step carried out in a transaction, with its note? */
bool change_is_bound(const struct change_work *work, const struct change_step *step);
/* Was the session lost, so that it has to be found out what became of the last statement? */
bool change_is_lost(const struct error *error);
/* In front of a step; ERROR_INTERRUPTED. */
enum status change_check_stop(const struct change_work *work, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- patience.c */

/* One thing that others' locks may keep from being done. */
struct change_patience {
    struct retry retry;
    int64_t lock_ms;  /* how long a lock is waited for */
    int64_t begun_ms; /* monotonic: of this try */
    uint32_t locks;   /* tries that failed at one */
};

void change_be_patient(const struct change_work *work, struct change_patience *patience);
/* After a failure: waits, and true: try again. Not when the outcome is unknown. */
bool change_try_again(struct change_patience *patience, struct error *error);

/* ---------------------------------------------------------------- batches.c */

/* The batches of a step, from where they were broken off. */
enum status change_run_batches(struct change_work *work, uint32_t number,
                               struct error *error) MUST_USE;
/* Likewise from the beginning, and nothing is noted. */
enum status change_repeat_batches(struct change_work *work, uint32_t number,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- pace.c */

/* How many rows the next batch should have, by what the last one took. */
uint64_t change_next_rows(struct change_work *work, uint64_t rows, uint64_t looked, int64_t ms);
/* Waits while the server has better to do, or a person says so. */
enum status change_give_way(struct change_work *work, uint32_t number, int64_t batch_ms,
                            struct error *error) MUST_USE;
void change_pace_end(struct change_work *work);

/* ---------------------------------------------------------------- abort.c */

/* Takes the steps back that stand, the last one first. */
enum status change_take_back(struct change_work *work, struct error *error) MUST_USE;
/* Ends an abort that has taken nothing back: the change is started, as it was before. */
enum status change_give_up_abort(struct change_work *work, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- skip.c */

/* Notes the step of the options as done; it has to be the next one of a completion or an abort. */
enum status change_skip(struct change_work *work, struct error *error) MUST_USE;

#endif
