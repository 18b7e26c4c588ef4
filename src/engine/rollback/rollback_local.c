/* The state folder's knowledge of a run, and what becomes of it when the run is taken back. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "engine/folder/past_runs.h"
#include "engine/ledger/json_text.h"
#include "engine/rollback/rollback_parts.h"
#include "engine/session/home.h"
#include "engine/state/run_report.h"
#include "engine/state/run_state.h"
#include "model/json_tree.h"
#include <stdio.h>
#include <string.h>

/* As state.json's status says it. */
static const char ROLLING_BACK[] = "rolling_back";
static const char ROLLED_BACK[] = "rolled_back";

static enum status no_such_name(const char *run_id, struct error *error)
{
    return error_set(error, ERROR_RUN_NOTHING, run_id, "no run has such a name");
}

/* runs/ID, with the names of a state folder. */
static enum status retired_folder(const struct state_folder *folder, const char *run_id,
                                  struct arena *arena, struct state_folder *of_run,
                                  struct error *error)
{
    const char *path = past_runs_path(folder, run_id, arena);
    return path == NULL ? no_such_name(run_id, error)
                        : state_folder_name(of_run, path, arena, error);
}

/* The run.json of a run (NULL: of the one that the folder is about): the folder's own or, without
 * `*is_own`, one in runs/. */
static bool read_known(const struct state_folder *folder, const char *run_id, struct arena *arena,
                       struct local_run *local, bool *is_own, struct error *why)
{
    struct state_folder of_run;
    struct past_run current = {0};
    if (run_id == NULL) {
        *is_own = past_runs_current(folder, arena, &current, why) == STATUS_OK;
        *local = current.local;
        return *is_own;
    }
    *is_own =
        local_run_read(folder, arena, local, why) == STATUS_OK && strcmp(local->id, run_id) == 0;
    return *is_own || (why->code != ERROR_MEMORY &&
                       retired_folder(folder, run_id, arena, &of_run, why) == STATUS_OK &&
                       local_run_read(&of_run, arena, local, why) == STATUS_OK);
}

bool rollback_find_local(const struct state_folder *folder, const char *run_id, struct arena *arena,
                         struct local_run *local, struct error *why)
{
    bool is_own;
    bool known = read_known(folder, run_id, arena, local, &is_own, why);
    if (!known) {
        *local = (struct local_run){0};
    }
    return known;
}

/* By the URI, or by what the ledger says of the target that it was made for. */
static bool goes_to_target(const struct rollback *rollback, const struct local_run *local)
{
    const struct run_session *session = &rollback->session;
    const char *made_for = rollback->run.header.target_identity;
    return (made_for != NULL && strcmp(made_for, session->target_identity) == 0) ||
           (local->target != NULL && secret_is_same_uri(local->target, session->target_uri->shown));
}

bool rollback_find_place(struct rollback *rollback, const char *run_id, struct local_run *local)
{
    bool is_own;
    struct error ignored = {0};
    rollback->place = ROLLBACK_IN_RUNS; /* where it is noted if it was made from elsewhere */
    if (!read_known(&rollback->run.folder, run_id, rollback->run.arena, local, &is_own, &ignored)) {
        return false;
    }
    if (!goes_to_target(rollback, local)) {
        rollback->place = ROLLBACK_NOWHERE;
    } else if (is_own) {
        rollback->place = ROLLBACK_OWN;
    }
    return true;
}

static json_t *rollback_member(const char *run_id)
{
    char next[160];
    snprintf(next, sizeof(next), "transhume rollback --run %s --confirm", run_id);
    return json_pack("{s:o,s:o}", "run", json_text(run_id), "next", json_text(next));
}

/* A state.json that is there keeps what it says already; one that is not there is made. */
static enum status write_state(struct rollback *rollback, const char *path, const char *word,
                               struct error *error)
{
    const char *id = rollback->run.id;
    const char *kind = rollback->run.header.kind == NULL ? "copy" : rollback->run.header.kind;
    bool begun = strcmp(word, ROLLING_BACK) == 0;
    json_t *object = past_runs_read_state(path);
    if (object == NULL) {
        object =
            json_pack("{s:i,s:o,s:o,s:o}", "format", CONTROL_FORMAT, "run", json_text(id), "kind",
                      json_text(kind), "target", json_text(rollback->session.target_uri->shown));
    }
    struct buffer text = {0};
    json_object_set_new(object, "status", json_string(word));
    json_object_set_new(object, "resumable", json_false());
    if (begun) {
        json_object_set_new(object, "rollback", rollback_member(id));
    } else {
        (void)json_object_del(object, "rollback");
    }
    enum status status =
        json_tree_append(object, JSON_INDENT(2), &text)
            ? file_write_atomic(path, text.data, text.length, NULL, error)
            : error_set(error, ERROR_INTERNAL, path, "what it is to say can't be put as JSON");
    json_decref(object);
    buffer_free(&text);
    return status;
}

enum status rollback_note_begun(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    struct local_run local;
    struct state_folder of_run;
    const struct state_folder *folder = &run->folder;
    if (rollback->place == ROLLBACK_NOWHERE) {
        return STATUS_OK;
    }
    if (rollback->place == ROLLBACK_IN_RUNS) {
        if (retired_folder(folder, run->id, run->arena, &of_run, error) != STATUS_OK ||
            file_make_folder(of_run.path, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        folder = &of_run;
    }
    enum status status = local_run_read(folder, run->arena, &local, error);
    if (status != STATUS_OK &&
        rollback->place == ROLLBACK_IN_RUNS) { /* made from another state folder */
        error_clear(error);
        local = (struct local_run){.id = run->id,
                                   .kind = run->header.kind,
                                   .target = rollback->session.target_uri->shown,
                                   .ledger = home_is_elsewhere(&rollback->session)
                                                 ? rollback->session.home_uri->shown
                                                 : NULL,
                                   .ledger_schema = rollback->session.options.sides.ledger_schema,
                                   .existing = -1,
                                   .max_rejects = -1,
                                   .plan_rejects = -1};
        status = STATUS_OK;
    }
    if (status != STATUS_OK || strcmp(local.id, run->id) != 0) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    local.rolling_back = true;
    if (local_run_write(folder, &local, error) != STATUS_OK ||
        write_state(rollback, folder->state_file, ROLLING_BACK, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run_report_rollback(folder->path, true);
    return STATUS_OK;
}

/* Is that noted of a run in runs/ID? */
static bool rollback_has_begun(const struct state_folder *folder, const char *run_id)
{
    struct arena *arena = arena_create(0);
    struct state_folder of_run;
    struct local_run local;
    struct error ignored;
    bool begun =
        run_id != NULL && retired_folder(folder, run_id, arena, &of_run, &ignored) == STATUS_OK &&
        local_run_read(&of_run, arena, &local, &ignored) == STATUS_OK && local.rolling_back;
    arena_destroy(arena);
    return begun;
}

enum status rollback_find_begun(const char *state_folder, struct arena *arena, const char **run_id,
                                struct error *error)
{
    struct state_folder folder;
    struct entries runs;
    const char *name;
    *run_id = NULL;
    if (state_folder_name(&folder, state_folder, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = entries_open(&runs, folder.runs, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (*run_id == NULL && (status = entries_next(&runs, &name, error)) == STATUS_OK) {
        if (name[0] != '.' && rollback_has_begun(&folder, name) &&
            !past_runs_is_rolled_back(&folder, name, NULL)) {
            *run_id = arena_copy_string(arena, name);
        }
    }
    entries_close(&runs);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Images of a run that is gone are of no use to anybody. */
static enum status remove_images(const char *folder, struct arena *arena, struct error *error)
{
    const char *before = file_join(arena, folder, "before");
    return file_remove_tree(before, error);
}

enum status rollback_remove_images(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    const char *path = rollback->place == ROLLBACK_OWN
                           ? run->folder.path
                           : past_runs_path(&run->folder, run->id, run->arena);
    return path == NULL ? no_such_name(run->id, error) : remove_images(path, run->arena, error);
}

static enum status end_own(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    log_write(LOG_DEBUG, "run %s is rolled back", run->id);
    run_close_files(run);
    if ((!past_runs_is_rolled_back(&run->folder, run->id, NULL) &&
         write_state(rollback, run->folder.state_file, ROLLED_BACK, error) != STATUS_OK) ||
        rollback_remove_images(rollback, error) != STATUS_OK ||
        failpoint_hit("rollback.before_retire", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return state_folder_retire(&run->folder, run->id, false, error);
}

static enum status end_in_runs(struct rollback *rollback, const char *path, const char *state,
                               struct error *error)
{
    if (file_make_folder(path, error) != STATUS_OK ||
        rollback_remove_images(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return write_state(rollback, state, ROLLED_BACK, error);
}

/* The run before it is again the one that the folder is about. */
static enum status recall(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    run_close_files(run);
    return failpoint_hit("rollback.before_recall", error) == STATUS_OK
               ? past_runs_recall(&run->folder, run->arena, error)
               : STATUS_FAILED;
}

enum status rollback_end_local(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    const char *path = past_runs_path(&run->folder, run->id, run->arena);
    if (path == NULL) {
        return no_such_name(run->id, error);
    }
    const char *state = file_join(run->arena, path, "state.json");
    if (failpoint_hit("rollback.before_local", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rollback->place == ROLLBACK_NOWHERE) {
        return STATUS_OK;
    }
    enum status status = rollback->place == ROLLBACK_OWN
                             ? end_own(rollback, error)
                             : end_in_runs(rollback, path, state, error);
    if (status == STATUS_OK) {
        run_report_rollback(path, false);
    }
    return status == STATUS_OK ? recall(rollback, error) : status;
}
