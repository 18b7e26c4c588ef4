/*
 * The inside of a resume, shared by its files.
 *
 *   resume.c         which run, the snapshot, what is done again, the questions of a cut-over
 *   resume_match.c   plan and schema against those of the run
 *   resume_marks.c   done marks, files of rejects
 */
#ifndef TRANSHUME_ENGINE_RUN_RESUME_INTERNAL_H
#define TRANSHUME_ENGINE_RUN_RESUME_INTERNAL_H

#include "engine/session/session.h"

struct resume {
    struct run *run;
    struct ledger_run *ledger;
    struct ledger_header header; /* as the run began */
    struct ledger_mark *marks;   /* parsed, one a done chunk */
    uint64_t mark_count;
    bool was_told; /* the run is over, and the state folder says so: its end was told */
    /* It only stops following, which is no matter of the plan or schema, which have changed. */
    bool leaves;
    /* It has copied, and its feed says whether the source, which may be another server, has what
     * comes next. */
    bool follows_elsewhere;
    bool follows; /* it has copied, and applies or applied the source's changes, whose schema may be
                     another one by now */
    bool adopts;  /* and goes on with them */
};

/* ---- resume_match.c */

/* Refuses what differs from the run as it began: mapping, schema, policies. Differences that do no
 * harm are told. */
enum status resume_check_match(struct resume *resume, struct error *error) MUST_USE;

/* ---- resume_marks.c */

/* Puts the chunks of the ledger into the run. */
enum status resume_take_chunks(struct resume *resume, struct error *error) MUST_USE;
/* Puts the done marks at their chunks. */
enum status resume_take_marks(struct resume *resume, struct error *error) MUST_USE;
/* Adds up what the marks say was written and rejected. */
void resume_sum_marks(struct resume *resume);
/* Refuses a run whose files of rejects lack what the ledger knows of them. */
enum status resume_check_reject_files(struct resume *resume, struct error *error) MUST_USE;

#endif
