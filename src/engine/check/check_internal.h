/* Declarations that the files that make a check's report share. */
#ifndef TRANSHUME_ENGINE_CHECK_CHECK_INTERNAL_H
#define TRANSHUME_ENGINE_CHECK_CHECK_INTERNAL_H

#include "engine/check/foresee.h"
#include "engine/check/preflight.h"

struct checking {
    struct run_session *session;
    struct check_report *out;
    const char **notes;
    uint32_t note_capacity;
    const char **problems;
    uint32_t problem_capacity;
    struct target_table *tables;
    struct target_load *loads; /* of the whole run, by table */
    struct foresight *foresight;
    double milliseconds; /* of the whole run, estimated */
    struct preflight preflight;
    const char **absent; /* tables of the plan that the target does not have */
    uint32_t absent_count;
};

/* ---- check_notes.c */

/* Lines of the report; of what has several, each. */
void check_add_line(struct checking *report, const char ***lines, uint32_t *count,
                    uint32_t *capacity, const char *line);
void check_add_note(struct checking *report, const char *line);
void check_add_problem(struct checking *report, const char *line);
void check_add_each_line(struct checking *report, struct buffer *text,
                         void (*add)(struct checking *, const char *));
/* The exit status of a check that found something: a refusal outweighs the others. */
void check_worsen(struct checking *report, int exit_status);
/* A check reads what is joined as a run will, but not where that costs money or very long. */
bool check_joins_are_dear(const struct run_session *session);
/* Adds the problems that the plan, the target and the ledger have with the run. */
enum status check_find_problems(struct checking *report, struct error *error) MUST_USE;
enum status check_find_notes(struct checking *report, struct error *error) MUST_USE;

/* ---- check_sampling.c */

/* Reads a sample of each stream that may be read: records, sizes and time of the whole run. */
enum status check_sample_streams(struct checking *report, struct error *error) MUST_USE;

#endif
