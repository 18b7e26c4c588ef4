/* The state folder: its lock, its files, and where finished runs go. */
#ifndef TRANSHUME_ENGINE_FOLDER_STATE_FOLDER_H
#define TRANSHUME_ENGINE_FOLDER_STATE_FOLDER_H

#include "base/arena.h"
#include "base/error.h"
#include "engine/run/run.h"

/*
 *   lock            held by the process that works here; its pid as text
 *   run.json        {"format","run","kind","begun","finished","source","target","plan","include",
 *                    "exclude","schemas","existing","max_rejects",
 *                    "plan_rejects","follows","rolling_back","time_zone","plan_time_zone","ledger","ledger_schema"}:
 * what resume needs to know before it reaches the ledger plan.yaml       the plan as the run began
 * with it (none for a plain copy) state.json      for people and scripts, never the truth: see
 * state.h rejects/        CHUNK-ATTEMPT.jsonl, settled.jsonl before/         what was there before
 * the run's writes: before.h input.jsonl     kind rejects: the mended records being loaded
 *   repair.jsonl, delete.jsonl, unmade.jsonl
 *                   what a repair is to write and to take out, and what nobody can make of the
 *                   source: verify/repair.h
 *   spill/source, spill/target    the databases' own sorted runs and key hashes
 *   spill/full    records of a validation at level full, which one that was broken off leaves
 *   events.jsonl    what happened: observe/event/event_stream.h
 *   metrics.jsonl   throughput over time: observe/metrics.h
 *   hooks.json      which hooks ran before the ledger was made: hooks.h
 *   quiet.json      since when triggers of the target are off: engine/follow/apply/quiet.h
 *   fence.json      since when a cut-over keeps writers out: engine/follow/cutover/fence.h
 *   chunks.jsonl    the chunks that are done: chunk_log.h
 *   types.json      what the mapping makes of each column: engine/folder/types_file.h
 *   validation.json what `validate` found last of this run; validation-other.json of another plan
 *                   or database
 *   validate.checkpoint, validate-full.checkpoint
 *                   what a validation at level hash or full that is not over has compared:
 *                   verify/checkpoint.h
 *   report.html, report.json, report.md, transhume.log
 *   runs/ID/        a finished run's files, until what came after it is rolled back
 */
#define STATE_UNMADE "unmade.jsonl"
#define STATE_TYPES "types.json"
#define STATE_VALIDATION "validation.json"
#define STATE_OTHER_VALIDATION "validation-other.json"
#define STATE_CHECKPOINT "validate.checkpoint"
#define STATE_CHECKPOINT_FULL "validate-full.checkpoint"
#define STATE_SPILL_FULL "full" /* in spill/ */
struct state_folder {
    const char *path;
    const char *run_file;
    const char *plan_file;
    const char *state_file;
    const char *rejects;
    const char *before;
    const char *input_file;
    const char *spill;
    const char *spill_source;
    const char *spill_target;
    const char *log_file;
    const char *event_file;
    const char *metrics_file;
    const char *chunk_file;
    const char *runs;
    int lock; /* descriptor, -1: not held */
};

/* Only names; nothing is made. */
/* USAGE: that is a file, or below one. */
enum status state_folder_name(struct state_folder *folder, const char *path, struct arena *arena,
                              struct error *error) MUST_USE;
/* Makes the folder and takes its lock; held by another process: ERROR_RUN_HELD with the pid. */
enum status state_folder_lock(struct state_folder *folder, struct error *error) MUST_USE;
void state_folder_unlock(struct state_folder *folder);
/* Makes rejects/ and the spill folders; those of the source start empty each time. */
enum status state_folder_make_rooms(struct state_folder *folder, struct error *error) MUST_USE;
/* Moves what a finished run left to runs/ID/. `keeps_lists`: a repair's lists stay, being those of
 * the repair that is about to begin. */
enum status state_folder_retire(struct state_folder *folder, const char *run_id, bool keeps_lists,
                                struct error *error) MUST_USE;
/* The same backwards, of a folder that has no run: what lies in it already stays. */
enum status state_folder_recall(const struct state_folder *folder, const char *run_id,
                                struct error *error) MUST_USE;
/* Removes one of the folder's files, which need not be there. */
enum status state_folder_remove_file(const struct state_folder *folder, const char *name,
                                     struct error *error) MUST_USE;
/* Removes all that is ours, and the folder itself if nothing else is in it. */
enum status state_folder_remove(struct state_folder *folder, struct error *error) MUST_USE;
/* Removes what a crash left of files that were being written. With the lock held. */
void state_folder_remove_temporary(const struct state_folder *folder);
/* Removes the spill folders: after the end. */
void state_folder_clean(struct state_folder *folder);

/* run.json. Texts in the arena. */
struct local_run {
    const char *id;
    const char *kind; /* "copy", "rejects" */
    bool begun; /* the ledger was made, or is about to be: without one in the target, refuse */
    bool finished;
    bool rolling_back;  /* it may be gone from the target: what is left to do is here */
    const char *source; /* URIs without secrets */
    const char *target;
    const char *source_name; /* the connection that was named for it; NULL: none */
    const char *target_name;
    const char *ledger;         /* NULL: it is in the target */
    const char *ledger_schema;  /* of the target; NULL: that of its tables */
    const char *plan_path;      /* NULL: a plain copy */
    bool follows;               /* migrate --follow */
    bool mirrors;               /* it is a part of migrate --mirror */
    bool no_code;               /* migrate --no-code */
    bool learned;               /* the tables of its own copy of the plan were learned by it */
    struct column_list schemas; /* of the source; none: it has none */
    const char *const *include;
    uint32_t include_count;
    const char *const *exclude;
    uint32_t exclude_count;
    const char *const *renumber;
    uint32_t renumber_count;
    const char *parts;    /* "schema" or "data" where it moves these alone; NULL: all */
    uint64_t sample_rows; /* 0: all of the source */
    uint64_t sample_seed;
    const char *names; /* as --names says; NULL: as the plan does */
    const char *since; /* as --since says; NULL: as the plan does */
    int existing;
    int64_t max_rejects;        /* --fail-fast as 0; -1: no bound */
    int64_t plan_rejects;       /* the bound that the plan named; -1: none */
    const char *time_zone;      /* NULL: none */
    const char *plan_time_zone; /* what the plan named; NULL: none */
};
/* STATUS_END: no run.json. Damage is ERROR_STATE_INVALID. */
enum status local_run_read(const struct state_folder *folder, struct arena *arena,
                           struct local_run *run, struct error *error) MUST_USE;
enum status local_run_write(const struct state_folder *folder, const struct local_run *run,
                            struct error *error) MUST_USE;

#endif
