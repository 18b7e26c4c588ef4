/* Results of a validation at level hash or full so far, kept in the state folder, so that one that
 * was broken off is gone on with. */
#ifndef TRANSHUME_VERIFY_CHECKPOINT_H
#define TRANSHUME_VERIFY_CHECKPOINT_H

#include "base/buffer.h"
#include "verify/spill.h"
#include "verify/steps.h"

struct checkpoint {
    struct verify *verify;
    const char *path;
    char compared[33];         /* hash of all that decides what is compared with what */
    const char *unproven;      /* the side that can't prove that it did not change; NULL: none */
    struct verify_task *tasks; /* all of them */
    uint32_t task_count;
    const char *found;     /* what an earlier process left, as far as it is not yet read; */
    const char *found_end; /* NULL: nothing that this one goes on with */
    struct arena *found_arena;
    bool on_disk; /* by now there is one to go on with */
    /* under verify->sums_mutex */
    uint32_t done_count;    /* of the tasks */
    uint32_t written_count; /* and when it was last written */
    bool spoilt;            /* what is in the sums is no longer that of whole tasks */
    bool writing;           /* one thread does */
    bool warned;
    int64_t due_ms; /* monotonic */
};

/* Looks for what an earlier process left, and tells of it. After push-down was decided, and before
 * buckets are made: their number is that process's. At level full its spill is verify->spill.
 * STATUS_END: somebody asked to stop meanwhile. */
enum status checkpoint_open(struct verify *verify, struct error *error) MUST_USE;
/* Options for the spill of the reading whose tasks are kept. */
struct spill_options checkpoint_spill_options(const struct verify *verify);
/* Its tasks and sums, those that are not done being this attempt's; STATUS_END: there are none. */
enum status checkpoint_restore(struct checkpoint *checkpoint, struct task_list *list,
                               struct error *error) MUST_USE;
/* From now on these tasks' sums, and the spill, are kept. */
void checkpoint_begin(struct checkpoint *checkpoint, const struct task_list *list);
/* A task is done: writes if it is time. Any thread. */
void checkpoint_tick(struct checkpoint *checkpoint);
/* Nothing is to be written any more. With verify->sums_mutex held. */
void checkpoint_spoil(struct checkpoint *checkpoint);
/* The first reading is over, or was broken off (`ended` false): writes if that is worth it. */
void checkpoint_end(struct checkpoint *checkpoint, bool ended);
/* The result is stored. */
void checkpoint_remove(struct checkpoint *checkpoint);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is fine */
/* A checkpoint of another level is left alone, and told. */
void checkpoint_pass_by(struct verify *verify);

/* ---- checkpoint_file.c */

/* The head of the file, before the sums. */
struct checkpoint_head {
    int64_t at_us; /* UTC */
    const char *version;
    const char *compared;
    const char *tokens[2]; /* a side each */
    uint64_t spent_ms;
    uint64_t rows;
    uint32_t task_count;
    uint32_t done_count;
    const struct spill_mark
        *marks; /* at level full: what was read stands in the spill up to them */
    uint32_t mark_count;
};
/* Sums and tasks. With verify->sums_mutex held. */
void checkpoint_append_sums(const struct checkpoint *checkpoint, struct buffer *out);
/* All of the file, with those. */
void checkpoint_append(const struct verify *verify, const struct checkpoint_head *head,
                       const struct buffer *sums, struct buffer *out);
/* Checks the frame and reads the head; `*at` and `*end` are what is behind it. NULL, or why it
 * can't be. */
const char *checkpoint_read_head(const char *bytes, size_t length, struct arena *arena,
                                 struct checkpoint_head *head, const char **at, const char **end);
/* How many buckets each table is to have. NULL, or why they can't. */
const char *checkpoint_read_counts(struct verify *verify, const char **at, const char *end);
/* The rest. */
enum status checkpoint_read_sums(struct verify *verify, const char *at, const char *end,
                                 struct task_list *list, struct error *error) MUST_USE;

#endif
