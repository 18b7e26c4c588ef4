/*
 * An act that is more than one transaction. Each statement without one is announced by an intent
 * before it runs, and noted when it is done; statements in a transaction are noted in that same
 * one. So whoever comes next knows how far it got, and which statement was under way: what became
 * of that one the database is asked.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LOCK_PATIENCE_MIN_MS = 10000, LOCK_TRIES = 12 };

/* The note that the history has of a step. */
struct noted {
    bool there;
    bool done;
    const char *checksum; /* "": it failed in sight, and nothing of it stands */
    const char *witness;
};

struct stages {
    struct schema_work *work;
    struct act_work *at;
    struct noted *noted; /* by number - 1; as many as the file has statements, once read */
    uint32_t noted_count;
    uint32_t beyond; /* the highest statement that is done and that the file does not have; 0 */
    bool resumed;    /* settings in front of what is to be run have to be made again */
    bool replayed;   /* they were */
    bool taken_back; /* after a check had failed */
    bool ends;       /* its row DONE was sent: what it says is not written over */
    bool stands;     /* the statement that failed was carried out all the same */
};

/* ---------------------------------------------------------------- what was done */

static enum status visit_step(void *context, const struct history_step *step, struct error *error)
{
    struct stages *stages = context;
    struct arena *arena = stages->work->act_arena;
    uint32_t count = stages->at->steps.count;
    bool done = step->state == HISTORY_STEP_DONE;
    if (step->step == 0) {
        error_set(error, ERROR_LEDGER_INVALID, stages->at->act->text->path,
                  "the history has a statement of number 0");
        return error_hint(error, "Statements are numbered from 1: another program or a person "
                                 "wrote there. Delete that row of the steps by hand.");
    }
    if (stages->noted == NULL) {
        stages->noted = arena_allocate_zeroed(arena, count + 1u, sizeof(*stages->noted));
        stages->noted_count = count;
    }
    if (step->step > count) {
        stages->beyond = done && step->step > stages->beyond ? step->step : stages->beyond;
        return STATUS_OK;
    }
    struct noted *noted = &stages->noted[step->step - 1];
    noted->there = true;
    noted->done = done;
    noted->checksum = step->checksum == NULL ? "" : arena_copy_string(arena, step->checksum);
    noted->witness = step->witness == NULL ? NULL : arena_copy_string(arena, step->witness);
    return STATUS_OK;
}

static bool is_done(const struct stages *stages, const struct migration_step *step)
{
    return step->number <= stages->noted_count && stages->noted[step->number - 1].done;
}

/* A step that was carried out must stand in the file as it was; those that follow may have been
 * mended. */
static enum status verify_done(const struct stages *stages, struct error *error)
{
    const struct migration_steps *steps = &stages->at->steps;
    uint32_t other = stages->beyond;
    for (uint32_t i = stages->noted_count; i > 0; i--) {
        const struct noted *noted = &stages->noted[i - 1];
        if (noted->done && strcmp(noted->checksum, steps->items[i - 1].checksum) != 0) {
            other = i;
        }
    }
    if (other == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_MIGRATION_REFUSED, stages->at->act->text->path,
              other > steps->count
                  ? "statement %" PRIu32 " was carried out already, and is not there any more"
                  : "statement %" PRIu32 " was carried out already, and is another one now",
              other);
    return error_hint(error,
                      "Put it back as it was: only statements behind those that stand may be "
                      "changed. Or `transhume schema repair %s DB --resume-from N`.",
                      stages->at->act->version != NULL ? stages->at->act->version
                                                       : stages->at->act->name);
}

/* ---------------------------------------------------------------- notes */

static struct history_step note_of(const struct stages *stages, const struct migration_step *step,
                                   enum history_step_state state)
{
    return (struct history_step){.number = stages->at->row.number,
                                 .step = step->number,
                                 .state = state,
                                 .checksum = step->checksum,
                                 .line = step->place.line};
}

static enum status put_done(const struct stages *stages, const struct migration_step *step,
                            uint64_t rows, const char *witness, struct error *error)
{
    struct history_step note = note_of(stages, step, HISTORY_STEP_DONE);
    note.rows = rows;
    note.witness = witness;
    return stages->work->alter->history_put_step(stages->work->session, &note, error);
}

static enum status put_row(struct stages *stages, enum history_state state, const char *problem,
                           struct error *error)
{
    stages->at->row.state = state;
    stages->at->row.error = problem;
    return stages->work->alter->history_put(stages->work->session, &stages->at->row, error);
}

/* ---------------------------------------------------------------- statements of unknown end */

static void tell_settled(const struct stages *stages, const struct migration_step *step,
                         const char *text)
{
    const struct schema_event event = {.kind = SCHEMA_SETTLED,
                                       .act = stages->at->act,
                                       .step = step,
                                       .steps = stages->at->steps.count,
                                       .text = text};
    work_tell(stages->work, &event);
}

static bool is_true(const char *text)
{
    static const char *const words[] = {"1", "t", "true", "yes", "on"};
    for (size_t i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Asks the database whether a statement was carried out. */
static enum status staged_settle(const struct stages *stages, const struct migration_step *step,
                                 const char *witness, enum alter_settled *settled,
                                 struct error *error)
{
    const struct schema_work *work = stages->work;
    struct alter_request request;
    *settled = ALTER_UNKNOWN;
    if (step->done_when != NULL) {
        const char *answer;
        if (work->alter->ask(work->session, step->done_when, work->act_arena, &answer, error) !=
            STATUS_OK) {
            return error_context(error,
                                 "transhume:done-when of %s: ", work_place(work, stages->at, step));
        }
        *settled = is_true(answer) ? ALTER_APPLIED : ALTER_ABSENT;
        return STATUS_OK;
    }
    if (work->alter->settle == NULL) {
        return STATUS_OK;
    }
    work_request(work, stages->at, step, &request);
    return work->alter->settle(work->session, &request, step->objects, step->object_count, witness,
                               settled, error);
}

static enum status refuse_unknown(const struct stages *stages, const struct migration_step *step,
                                  struct error *error)
{
    const struct schema_act *act = stages->at->act;
    const char *what = act->version != NULL ? act->version : act->name;
    error_set(error, ERROR_MIGRATION_REFUSED, work_place(stages->work, stages->at, step),
              "statement %" PRIu32 " of %" PRIu32
              " was under way when the session was lost, and it can't be told whether it was "
              "carried out",
              step->number, stages->at->steps.count);
    return error_hint(error,
                      "Look, and say it: `transhume schema repair %s DB --resume-from %" PRIu32
                      "` if it was not, `--resume-from %" PRIu32 "` if it was.",
                      what, step->number, step->number + 1);
}

/* `*goes_on`: it has to be run (again). */
static enum status settle_intent(struct stages *stages, const struct migration_step *step,
                                 bool *goes_on, struct error *error)
{
    struct noted *noted = &stages->noted[step->number - 1];
    enum alter_settled settled;
    *goes_on = true;
    if (noted->checksum[0] == '\0') {
        return STATUS_OK; /* it failed in sight */
    }
    if (strcmp(noted->checksum, step->checksum) != 0) {
        error_set(error, ERROR_MIGRATION_REFUSED, work_place(stages->work, stages->at, step),
                  "statement %" PRIu32 " was under way when the session was lost, and is another "
                  "one now",
                  step->number);
        return error_hint(error, "Put it back as it was until the command went on; then write "
                                 "what else is to be done as a statement of its own.");
    }
    if (staged_settle(stages, step, noted->witness, &settled, error) != STATUS_OK ||
        failpoint_hit("evolve.after_settle", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (settled == ALTER_APPLIED) {
        tell_settled(stages, step, "it was carried out");
        *goes_on = false;
        noted->done = true;
        return put_done(stages, step, 0, noted->witness, error);
    }
    if (settled == ALTER_ABSENT) {
        tell_settled(stages, step, "nothing of it stands; it is run again");
        return STATUS_OK;
    }
    return settled == ALTER_HALF && error->code != ERROR_NONE ? STATUS_FAILED
                                                              : refuse_unknown(stages, step, error);
}

/* ---------------------------------------------------------------- one statement alone */

/* A failure that was seen: what it left half done goes, and the statement may be changed freely. */
static void note_failed_step(struct stages *stages, const struct migration_step *step,
                             const char *witness)
{
    const struct schema_work *work = stages->work;
    struct error ignored = {0};
    enum alter_settled settled = ALTER_ABSENT;
    bool asks = work->alter->settle != NULL && step->done_when == NULL && step->object_count > 0;
    if (asks && staged_settle(stages, step, witness, &settled, &ignored) != STATUS_OK) {
        return;
    }
    stages->stands = settled == ALTER_APPLIED;
    if (settled == ALTER_ABSENT || (settled == ALTER_UNKNOWN && step->class != SQL_CLASS_CALL)) {
        struct history_step note = note_of(stages, step, HISTORY_STEP_INTENT);
        note.checksum = "";
        (void)!work->alter->history_put_step(work->session, &note, &ignored);
    }
}

static enum status announce(const struct stages *stages, const struct migration_step *step,
                            const char **witness, struct error *error)
{
    const struct schema_work *work = stages->work;
    struct history_step note = note_of(stages, step, HISTORY_STEP_INTENT);
    if (work_verify(stages->work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->alter->witness != NULL && step->object_count > 0 &&
        work->alter->witness(work->session, step->objects, step->object_count, work->act_arena,
                             witness, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    note.witness = *witness;
    if (work->alter->history_put_step(work->session, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("evolve.after_intent", error);
}

/* Its failure was in sight: the session is there and says why. */
static bool is_seen(const struct error *error)
{
    return error->code != ERROR_NETWORK && error->code != ERROR_TARGET_UNKNOWN_OUTCOME &&
           error->code != ERROR_RUN_FENCED;
}

static enum status run_alone(struct stages *stages, const struct migration_step *step,
                             struct error *error)
{
    struct schema_work *work = stages->work;
    const char *witness = NULL;
    uint64_t rows = 0;
    struct retry retry;
    int64_t patience = LOCK_TRIES * work->options->lock_ms;
    if (announce(stages, step, &witness, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    retry_init(&retry, patience < LOCK_PATIENCE_MIN_MS ? LOCK_PATIENCE_MIN_MS : patience);
    retry.stop_level = 1;
    enum status status;
    while ((status = work_run_step(work, stages->at, step, &rows, error)) != STATUS_OK &&
           error->code == ERROR_TARGET_LOCKED && retry_wait(&retry, error)) {
    }
    if (status != STATUS_OK) {
        if (is_seen(error)) {
            note_failed_step(stages, step, witness);
        }
        return status;
    }
    if (work->alter->agree != NULL && work->alter->agree(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (put_done(stages, step, rows, witness, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("evolve.after_step", error);
}

/* ---------------------------------------------------------------- a transaction */

static enum status run_together(struct stages *stages, const struct migration_segment *segment,
                                struct error *error)
{
    for (uint32_t i = 0; i < segment->count; i++) {
        const struct migration_step *step = &stages->at->steps.items[segment->first + i];
        uint64_t rows = 0;
        if (work_run_step(stages->work, stages->at, step, &rows, error) != STATUS_OK ||
            put_done(stages, step, rows, NULL, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return failpoint_hit("evolve.before_commit", error);
}

static enum status commit_together(struct stages *stages, const struct migration_segment *segment,
                                   struct error *error)
{
    struct schema_work *work = stages->work;
    if (work->alter->begin(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return work->alter->end(work->session, run_together(stages, segment, error), error);
}

static enum status run_transaction(struct stages *stages, const struct migration_segment *segment,
                                   struct error *error)
{
    const struct migration_step *first = &stages->at->steps.items[segment->first];
    const char *witness = NULL;
    int64_t patience = LOCK_TRIES * stages->work->options->lock_ms;
    struct retry retry;
    if (segment->doubtful && announce(stages, first, &witness, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    retry_init(&retry, patience < LOCK_PATIENCE_MIN_MS ? LOCK_PATIENCE_MIN_MS : patience);
    retry.stop_level = 1;
    for (;;) {
        enum status status = commit_together(stages, segment, error);
        if (status == STATUS_OK) {
            return failpoint_hit("evolve.after_commit", error);
        }
        if (!is_seen(error) || segment->doubtful || !retry_wait(&retry, error)) {
            return status;
        }
    }
}

/* ---------------------------------------------------------------- all of it */

/* Settings that statements before `segment` made, in a session that does not have them. */
static enum status replay_settings(struct stages *stages, uint32_t segment, struct error *error)
{
    const struct migration_steps *steps = &stages->at->steps;
    uint64_t rows;
    if (!stages->resumed || stages->replayed) {
        return STATUS_OK;
    }
    stages->replayed = true;
    for (uint32_t i = 0; i < steps->segments[segment].first; i++) {
        const struct migration_step *step = &steps->items[i];
        if (step->class == SQL_CLASS_SESSION &&
            work_run_step(stages->work, stages->at, step, &rows, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static bool is_behind(const struct stages *stages, const struct migration_segment *segment)
{
    for (uint32_t i = 0; i < segment->count; i++) {
        if (!is_done(stages, &stages->at->steps.items[segment->first + i])) {
            return false;
        }
    }
    return true;
}

static enum status run_segment(struct stages *stages, uint32_t number, struct error *error)
{
    const struct migration_segment *segment = &stages->at->steps.segments[number];
    const struct migration_step *first = &stages->at->steps.items[segment->first];
    bool goes_on = true;
    if (segment->kind == SEGMENT_FREE) {
        /* In a resumed session those in front of what is left are made by replay_settings. */
        return stages->resumed && !stages->replayed
                   ? STATUS_OK
                   : work_run_free(stages->work, stages->at, segment, error);
    }
    if (is_behind(stages, segment)) {
        return STATUS_OK;
    }
    if (replay_settings(stages, number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (first->number <= stages->noted_count && stages->noted[first->number - 1].there &&
        settle_intent(stages, first, &goes_on, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!goes_on) {
        return STATUS_OK;
    }
    return segment->kind == SEGMENT_ALONE ? run_alone(stages, first, error)
                                          : run_transaction(stages, segment, error);
}

static enum status staged_begin(struct stages *stages, struct error *error)
{
    struct schema_work *work = stages->work;
    const struct schema_act *act = stages->at->act;
    if (!act->resumes) {
        if (work_check_before(work, stages->at, error) != STATUS_OK ||
            work_find_images(work, stages->at, error) != STATUS_OK ||
            put_row(stages, HISTORY_RUNNING, NULL, error) != STATUS_OK ||
            failpoint_hit("evolve.after_begin_row", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        return work_keep_images(work, stages->at, error);
    }
    if (work->alter->history_read_steps(work->session, stages->at->row.number, visit_step, stages,
                                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    stages->resumed = stages->noted != NULL;
    if (work_find_images(work, stages->at, error) != STATUS_OK ||
        verify_done(stages, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Rows are as they were as long as no statement was begun. */
    return stages->resumed ? STATUS_OK : work_keep_images(work, stages->at, error);
}

/* Without a way back of the file the rows that were kept are put back; what else it did stands. */
static void take_rows_back(struct stages *stages, const struct schema_entry *entry,
                           struct error *error)
{
    struct error failure = {0};
    const struct schema_act back = {.action = HISTORY_DOWN, .entry = entry, .name = entry->name};
    struct act_work at = {.act = &back};
    if (work_find_images(stages->work, &at, &failure) == STATUS_OK &&
        work_put_images_back(stages->work, &at, &failure) == STATUS_OK) {
        work_clear_images(stages->work, &at);
        error_hint(error,
                   "The rows that it kept are put back; what it did to the schema stands, and it "
                   "is not finished.");
    } else {
        error_hint(error, "The rows that it kept could not be put back: %s: %s", failure.object,
                   failure.message);
    }
}

/* A check behind it failed: its own way back is run, as an act of its own. */
static void take_back(struct stages *stages, struct error *error)
{
    const struct schema_act *act = stages->at->act;
    const struct schema_entry entry = {.version = act->version,
                                       .key = act->file != NULL ? act->file->key : NULL,
                                       .name = act->name,
                                       .act = stages->at->row,
                                       .applied = stages->at->row.number,
                                       .file = act->file};
    struct error failure = {0};
    bool has_images = act->text->options.image_count > 0;
    if (act->action == HISTORY_UP && act->file->down.text == NULL && has_images) {
        take_rows_back(stages, &entry, error);
        return;
    }
    if (act->action != HISTORY_UP || act->file->down.text == NULL) {
        error_hint(error,
                   "Its statements stand, and it is not finished: `%s` asks the check again.",
                   stages->work->options->program);
        return;
    }
    const struct schema_act back = {.action = HISTORY_DOWN,
                                    .file = act->file,
                                    .entry = &entry,
                                    .version = act->version,
                                    .name = act->name,
                                    .text = &act->file->down};
    stages->taken_back = work_act_within(stages->work, &back, &failure) == STATUS_OK;
    if (stages->taken_back) {
        error_hint(error, "It was taken back by %s.", act->file->down.path);
    } else {
        error_hint(error, "Its statements stand: the way back failed, too: %s: %s", failure.object,
                   failure.message);
    }
}

static enum status run_all(struct stages *stages, struct error *error)
{
    for (uint32_t i = 0; i < stages->at->steps.segment_count; i++) {
        if (run_segment(stages, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (work_put_images_back(stages->work, stages->at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = work_check_after(stages->work, stages->at, error);
    if (status == STATUS_AGAIN) {
        take_back(stages, error);
        return STATUS_FAILED;
    }
    if (status != STATUS_OK || failpoint_hit("evolve.before_end_row", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    stages->ends = true;
    if (put_row(stages, HISTORY_DONE, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    stages->at->stands = true;
    work_clear_images(stages->work, stages->at);
    return STATUS_OK;
}

/* The statements that stand, for the hint: those that were noted as done, in this command or
 * before. */
static void hint_next(const struct stages *stages, const struct migration_step *failed,
                      struct error *error)
{
    if (error->hint[0] != '\0' || !is_seen(error) || failed == NULL) {
        return;
    }
    if (stages->stands) {
        error_hint(error,
                   "Statement %" PRIu32 " of %" PRIu32
                   " was carried out all the same: `%s` goes on behind it.",
                   failed->number, stages->at->steps.count, stages->work->options->program);
        return;
    }
    error_hint(error,
               "Statement %" PRIu32 " of %" PRIu32
               " failed; %s. Once it is fixed: `%s` goes on there.",
               failed->number, stages->at->steps.count,
               failed->number > 1 ? "those before it stand" : "nothing of the file stands",
               stages->work->options->program);
}

/* The statement that the error's place is of. */
static const struct migration_step *failed_step(const struct stages *stages,
                                                const struct error *error)
{
    uint32_t line = 0;
    const char *colon = strrchr(error->object, ':');
    const struct migration_step *found = NULL;
    if (colon == NULL || colon == error->object) {
        return NULL;
    }
    while (colon > error->object && colon[-1] != ':') {
        colon--;
    }
    (void)sscanf(colon, "%" SCNu32, &line);
    for (uint32_t i = 0; i < stages->at->steps.count; i++) {
        if (stages->at->steps.items[i].place.line <= line) {
            found = &stages->at->steps.items[i];
        }
    }
    return found;
}

/* In its row, for people; it goes on from there, unless it was taken back. */
static void note_failure(struct stages *stages, struct error *error)
{
    char problem[sizeof(error->object) + sizeof(error->message) + 8];
    struct error ignored = {0};
    hint_next(stages, failed_step(stages, error), error);
    work_relax(stages->work, false);
    snprintf(problem, sizeof(problem), "%s: %s", error->object, error->message);
    if (put_row(stages, stages->taken_back ? HISTORY_FAILED : HISTORY_RUNNING, problem, &ignored) !=
        STATUS_OK) {
        log_write(LOG_WARNING, "the failure could not be noted in the history: %s",
                  ignored.message);
    }
}

enum status work_stages(struct schema_work *work, struct act_work *at, struct error *error)
{
    struct stages stages = {.work = work, .at = at};
    enum status status = staged_begin(&stages, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = run_all(&stages, error);
    if (status != STATUS_OK && is_seen(error) && !stages.ends) {
        note_failure(&stages, error);
    }
    return status;
}
