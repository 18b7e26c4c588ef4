/* The inside of before-images, of keeping them and of taking records back by them: frames, lines,
 * keys; see before.h for the files. */
#ifndef TRANSHUME_ENGINE_BEFORE_BEFORE_PARTS_H
#define TRANSHUME_ENGINE_BEFORE_BEFORE_PARTS_H

#include "engine/before/before.h"
#include "engine/formats/record_image.h"

/* Where a frame's lines are. */
struct before_frame {
    uint64_t epoch;
    uint64_t sequence;
    const char *path;
    long offset;
    size_t bytes;
    char hash[33];
    bool done; /* its chunk is: what was not refused was written */
};

/* When a record, and fields of it, go by themselves: seconds since 1970. */
struct before_ends {
    int64_t record;     /* 0: it stays */
    struct cell fields; /* a MAP of INT64; those that are not in it stay */
};

/* A key, and what stands under it in the target. */
struct before_key {
    struct cell *cells;
    struct canonical_hash hash;
    const struct record_image *found;     /* NULL: nothing, or it was not looked up */
    const struct before_ends *found_ends; /* NULL: the target tells none */
    bool impossible;                      /* the target has no such keys */
};

/* A line of a frame. */
struct before_line {
    struct before_key key;
    struct canonical_hash after;
    bool taken;        /* the run took it out */
    struct cell image; /* a MAP; NULL: nothing was there */
    struct canonical_hash image_hash;
    struct before_ends *ends; /* NULL: it stays */
    bool settled;             /* a later line of its key was ours */
    bool done;                /* as its frame */
};

/* A set of keys, by their hashes. */
struct before_hashes {
    struct canonical_hash *items;
    size_t count;
    size_t capacity;
};

/* The fate of a key with one line. Of two lines of a key the later one is looked at first, and a
 * dry run, which changes nothing, does not see at the earlier one what the later one would do: that
 * one is `sure` only if the chain of steps leads to it. */
struct before_step {
    struct canonical_hash key;
    uint64_t number;
    uint64_t before; /* beginnings of hashes of the record; 0: none */
    uint64_t behind;
    bool sure;
};

struct before_steps {
    struct before_step *items;
    size_t count;
    size_t capacity;
};

/* One table that is taken back. */
struct before_undoing {
    struct run *run;
    struct target_table table;
    bool dry_run;
    struct undo_counts *counts;
    struct before_frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    struct arena *names; /* paths of the frames */
    struct arena *arena; /* of a piece of a frame */
    /* keys that a frame found changed or missing, which another one may have taken back */
    struct before_hashes changed;
    struct before_hashes missing;
    struct before_hashes refused; /* of records that were not written; sorted, as the next */
    struct before_hashes removed; /* by an earlier attempt */
    const char *removed_path;
    int removed_file; /* -1: not open */
    struct before_steps steps;
};

static inline enum status before_no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for before-images");
}
/* The overwritten records can't be known any more; `path` NULL: `why` alone says it. */
enum status before_lost(const struct run *run, const char *path, const char *why,
                        struct error *error);
enum status before_damaged(const struct before_undoing *undoing, const struct before_frame *frame,
                           struct error *error);
/* Are the images in `folder` of this run? */
bool before_is_of(const char *folder, const char *run_id);

/* Lists the table's frames from the last to the first, and the refused keys. */
enum status before_list_frames(struct before_undoing *undoing, const char *folder,
                               struct error *error) MUST_USE;
/* The frame's bytes and a NUL, checked against its hash; the caller frees `*text`, failed or not.
 */
enum status before_read_frame(struct before_undoing *undoing, const struct before_frame *frame,
                              char **text, struct error *error) MUST_USE;
/* The line into the undoing's arena. */
enum status before_read_line(struct before_undoing *undoing, const char *text, size_t length,
                             struct before_line *line, struct error *error) MUST_USE;

void before_sort_keys(struct before_key **keys, uint32_t count);
/* Asks the target for sorted keys, each once and with patience. Images and lists are of `arena`;
 * their values are in `*answer`, which the caller destroys, failed or not; NULL: it did not
 * answer. */
enum status before_find(struct run *run, const struct target_table *table,
                        struct before_key *const *keys, uint32_t count, struct arena *arena,
                        struct batch **answer, struct error *error) MUST_USE;

/* ---- before_ends.c */

/* The ends of a record without a shape that the target gave; NULL: it told none. */
const struct before_ends *before_ends_of(const struct batch *batch, uint32_t row,
                                         struct arena *arena);
/* As members of a line, with a comma before each; NULL: none. */
enum status before_ends_append(const struct before_ends *ends, struct buffer *line,
                               struct error *error) MUST_USE;
/* Was its time over, by now? */
bool before_is_over(const struct before_ends *ends); /* NULL: no */
/* Empties the fields of an image, a MAP, that would be gone by now; what is left to the others. */
struct record_envelope before_ends_apply(const struct before_ends *ends, struct cell *image,
                                         struct arena *arena);

void before_add_hash(struct before_hashes *hashes, const struct canonical_hash *hash);
/* For qsort and bsearch. */
int before_compare_hashes(const void *left, const void *right);
void before_sort_hashes(struct before_hashes *hashes);
bool before_has_hash(const struct before_hashes *hashes,
                     const struct canonical_hash *hash); /* of sorted ones */

/* Notes what a line does to the record of its key. */
void before_add_step(struct before_undoing *undoing, const struct before_line *line, bool sure);
/* Notes what stops a line; it stops none that a later line of its key leads to. */
void before_add_obstacle(struct before_undoing *undoing, struct before_hashes *hashes,
                         const struct before_line *line);
/* Each key counts once, when all frames are done. */
void before_count(struct before_undoing *undoing);

/* Keys that an earlier attempt removed, and those that this one will. */
enum status before_load_removed(struct before_undoing *undoing, struct error *error) MUST_USE;
enum status before_note_removed(struct before_undoing *undoing, const struct canonical_hash *hashes,
                                uint32_t count, struct error *error) MUST_USE;

#endif
