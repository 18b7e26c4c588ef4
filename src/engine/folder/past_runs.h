/* Runs that the state folder's own came after: those in runs/ that stand; and which one the folder
 * is about. */
#ifndef TRANSHUME_ENGINE_FOLDER_PAST_RUNS_H
#define TRANSHUME_ENGINE_FOLDER_PAST_RUNS_H

#include "engine/folder/state_folder.h"

struct past_run {
    struct state_folder folder; /* runs/ID */
    struct local_run local;
};
/* The newest first; those that were rolled back are left out, and with a warning those that can't
 * be read. All in the arena. */
enum status past_runs_list(const struct state_folder *folder, struct arena *arena,
                           struct past_run **runs, uint32_t *count, struct error *error) MUST_USE;
/* The run that the folder is about: its own or, where it has none since the last one was rolled
 * back, the newest in runs/. STATUS_END: there is none. */
enum status past_runs_current(const struct state_folder *folder, struct arena *arena,
                              struct past_run *current, struct error *error) MUST_USE;
/* The folder's own run or one in runs/, by its id. STATUS_END: there is none of that id. */
enum status past_runs_find(const struct state_folder *folder, const char *id, struct arena *arena,
                           struct past_run *found, struct error *error) MUST_USE;
/* Makes that one the folder's own again, which may have been begun before. With the lock held, and
 * no log open. */
enum status past_runs_recall(const struct state_folder *folder, struct arena *arena,
                             struct error *error) MUST_USE;
/* Does runs/ID say that it was rolled back, in the target of this URI as it is shown (NULL: in
 * whichever)? */
bool past_runs_is_rolled_back(const struct state_folder *folder, const char *run_id,
                              const char *target);

/* runs/ID; NULL: no run can have such a name, which people give. */
const char *past_runs_path(const struct state_folder *folder, const char *run_id,
                           struct arena *arena);
/* A state.json, the caller's; NULL: there is none, or it can't be read. */
struct json_t *past_runs_read_state(const char *path);

#endif
