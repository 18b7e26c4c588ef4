/* Shared by the files of this room. */
#ifndef TRANSHUME_EVOLVE_RUN_RUN_INTERNAL_H
#define TRANSHUME_EVOLVE_RUN_RUN_INTERNAL_H

#include "base/retry.h"
#include "evolve/run/session.h"

/* One act at work. */
struct act_work {
    const struct schema_act *act;
    struct migration_steps steps;
    struct history_row row;
    const char **before;   /* what the checks that compare answered before; NULL: not asked */
    uint32_t image_count;  /* of a way back: before-images that are put back */
    const char *images_of; /* which ones, for a WHERE */
    bool in_transaction;   /* checks behind it are asked in the transaction of its statements */
    bool stands;           /* its row DONE is committed: nothing of it is tried again or noted as
                              failed, whatever comes after */
    int64_t began_ms;
};

/* ---------------------------------------------------------------- before_image.c */

/* Keeps the rows that the file names; in the open transaction if there is one. */
enum status work_keep_images(struct schema_work *work, const struct act_work *at,
                             struct error *error) MUST_USE;
/* Looks whether there are images that a way back puts back. Not in a transaction. */
enum status work_find_images(struct schema_work *work, struct act_work *at,
                             struct error *error) MUST_USE;
/* Puts back the rows of those that were found, once: the mark that says so commits with them. Drops
 * the images where schema changes are part of the same transaction. */
enum status work_put_images_back(struct schema_work *work, const struct act_work *at,
                                 struct error *error) MUST_USE;
/* Drops the images whose rows were put back, once the act stands. A failure is a warning that names
 * what is left. */
void work_clear_images(struct schema_work *work, const struct act_work *at);
/* The same of what earlier commands left, as far as it can be dropped now. */
void work_clear_left_over(struct schema_work *work);
/* Drops all images of a version; `*count`: how many there were. */
enum status work_drop_images(struct schema_work *work, const char *version, uint32_t *count,
                             struct error *error) MUST_USE;

/* schema_hash.c: notes in the last act how the schema looks now. */
void work_note_schema(struct schema_work *work);

/* ---------------------------------------------------------------- statement.c */

/* Runs a step; its error names the place in the file, the server's code and the statement. */
enum status work_run_step(struct schema_work *work, const struct act_work *at,
                          const struct migration_step *step, uint64_t *rows,
                          struct error *error) MUST_USE;
void work_request(const struct schema_work *work, const struct act_work *at,
                  const struct migration_step *step, struct alter_request *request);
/* "001_users.up.sql:12:9", in the act's arena. */
const char *work_place(const struct schema_work *work, const struct act_work *at,
                       const struct migration_step *step);
/* Runs the steps of a segment in which nothing is noted. */
enum status work_run_free(struct schema_work *work, const struct act_work *at,
                          const struct migration_segment *segment, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- checks.c */

enum status work_check_before(struct schema_work *work, struct act_work *at,
                              struct error *error) MUST_USE;
/* STATUS_AGAIN: not as expected. */
enum status work_check_after(struct schema_work *work, struct act_work *at,
                             struct error *error) MUST_USE;

/* verify.c: runs the statements that have to run without an error; they leave nothing behind. */
enum status work_verify_script(struct schema_work *work, const struct act_work *at,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- acts */

/* apply.c */
enum status work_act(struct schema_work *work, const struct schema_act *act,
                     struct error *error) MUST_USE;
/* The same within an act: its memory lives as long as that one's. */
enum status work_act_within(struct schema_work *work, const struct schema_act *act,
                            struct error *error) MUST_USE;
/* staged.c: an act that is more than one transaction */
enum status work_stages(struct schema_work *work, struct act_work *at,
                        struct error *error) MUST_USE;

#endif
