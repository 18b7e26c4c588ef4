/* Going on with a run: the ledger says what is done; everything else has to match it. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/contract/lacks.h"
#include "engine/before/before.h"
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/follow/follow.h"
#include "engine/follow/unfollowed.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/learnt.h"
#include "engine/rollback/rollback.h"
#include "engine/rollback/undo.h"
#include "engine/run/rejects_load.h"
#include "engine/run/resume_internal.h"
#include "engine/run/run_begin.h"
#include "engine/run/run_end.h"
#include "engine/run/run_phases.h"
#include "engine/session/home.h"
#include "engine/session/numbering.h"
#include "engine/session/other_tables.h"
#include "engine/session/parts.h"
#include "engine/session/renumber.h"
#include "engine/session/run_facts.h"
#include "engine/session/since.h"
#include "engine/settle/recheck.h"
#include "engine/settle/settle.h"
#include "engine/state/claim.h"
#include "engine/state/run_state.h"
#include "engine/state/state.h"
#include <stdio.h>
#include <string.h>

/* ---- which run */

/* Who goes on with a run need not say its bound on rejects again; a plan that names another one
 * than it did is heard. */
static void take_reject_bound(struct run *run, const struct local_run *local)
{
    struct run_options *options = &run->session->options;
    if (!options->rejects.is_said && options->rejects.planned == local->plan_rejects) {
        options->rejects.max = local->max_rejects;
        options->rejects.fail_fast = false;
    }
}

/* STATUS_AGAIN: the local run never began: begin it. STATUS_END: there is nothing to resume. */
static enum status find_run(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    struct local_run local;
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && local.rolling_back) {
        rollback_refuse_begun(run->folder.path, local.id, error);
        return STATUS_FAILED;
    }
    bool is_open = status == STATUS_OK && !local.finished;
    if (is_open) {
        run->session->options.follow.wanted |= local.follows;
        run->session->options.follow.mirrors |= local.mirrors;
        run->session->options.selection.parts =
            run_parts_read(local.parts); /* what has no ledger yet */
        take_reject_bound(run, &local);
        status = ledger_load(run->session->ledger, local.id, run->arena, &resume->ledger, error);
        if (status == STATUS_END && local.begun) {
            return home_refuse_missing(run, local.id, error);
        }
        if (status == STATUS_END) {
            run_set_kind(run, local.kind);
            return STATUS_AGAIN;
        }
        return status;
    }
    bool is_finished = status == STATUS_OK;
    status = ledger_load(run->session->ledger, NULL, run->arena, &resume->ledger, error);
    resume->was_told =
        status == STATUS_OK && is_finished && strcmp(local.id, resume->ledger->id) == 0;
    if (status == STATUS_OK && is_finished && !resume->was_told) {
        run_close_files(run);
        if (state_folder_retire(&run->folder, local.id, false, error) != STATUS_OK ||
            run_open_files(run, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return status;
}

static enum status nothing_to_resume(const struct run *run, struct error *error)
{
    error_set(error, ERROR_RUN_NOTHING, run->folder.path,
              "there is no run, neither here nor in the target");
    error_hint(error, "`transhume migrate` begins one");
    return STATUS_FAILED;
}

static enum status cannot_resume(const struct run *run, struct error *error)
{
    error_set(error, ERROR_LEDGER_MISSING, run->session->target_uri->shown,
              "it keeps no ledger, so no run into it can be resumed");
    error_hint(error, "`transhume migrate` writes all of it again");
    return STATUS_FAILED;
}

/* ---- the snapshot */

struct restart {
    bool *streams;
    bool *tables;
    uint32_t stream_count;
};

/* Some of its records are in the target, but not all. Without transactions those of a chunk without
 * a mark may be. */
static bool stream_is_partial(const struct run *run, uint32_t stream)
{
    bool any = ledger_marks_apart(run->session->ledger);
    bool all = true;
    for (uint64_t i = run->chunks.stream_first[stream]; i < run->chunks.stream_first[stream + 1];
         i++) {
        any = any || run->chunks.done[i];
        all = all && run->chunks.done[i];
    }
    return any && !all;
}

/* A stream that starts over empties its tables, which other streams may feed too, and so on. */
static void spread(const struct plan *plan, struct restart *restart)
{
    bool grown = true;
    while (grown) {
        grown = false;
        for (uint32_t i = 0; i < plan->entity_count; i++) {
            const struct plan_entity *entity = &plan->entities[i];
            bool either = restart->streams[entity->stream] || restart->tables[entity->table];
            grown =
                grown ||
                (either && (!restart->streams[entity->stream] || !restart->tables[entity->table]));
            restart->streams[entity->stream] = restart->streams[entity->stream] || either;
            restart->tables[entity->table] = restart->tables[entity->table] || either;
        }
    }
}

static enum status find_restarts(struct resume *resume, struct restart *restart,
                                 struct error *error)
{
    struct run *run = resume->run;
    const struct plan *plan = run->session->plan;
    restart->streams = arena_allocate_zeroed(run->arena, plan->stream_count, sizeof(bool));
    restart->tables = arena_allocate_zeroed(run->arena, plan->table_count, sizeof(bool));
    if (resume->header.stream_count != plan->stream_count) {
        return error_set(error, ERROR_LEDGER_INVALID, "ledger header",
                         "is damaged: it lists other streams than the plan has");
    }
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        restart->streams[i] = other_tables_were_read(run, i) ||
                              (!resume->header.streams[i].keyed && stream_is_partial(run, i));
        restart->stream_count += restart->streams[i];
    }
    spread(plan, restart);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (restart->tables[i] && !ledger_status_is_created(&run->status, run->tables[i].name)) {
            error_set(error, ERROR_SOURCE_CHANGED, run->tables[i].name,
                      "the source changed since the run began, and what has no stable key, or is "
                      "made of another table by now, must start over, but this run did not make "
                      "the table");
            error_hint(error, "take the run's records out of it, `transhume reset --confirm`, and "
                              "migrate again");
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status reopen_chunks(struct resume *resume, const struct restart *restart,
                                 struct error *error)
{
    struct run *run = resume->run;
    const struct plan *plan = run->session->plan;
    uint64_t count = 0;
    uint32_t table_count = 0;
    uint64_t *numbers = arena_allocate_zeroed(run->arena, run->chunks.count, sizeof(*numbers));
    const struct target_table **tables =
        arena_allocate_zeroed(run->arena, plan->table_count, sizeof(struct target_table *));
    for (uint64_t i = 0; i < run->chunks.count; i++) {
        if (restart->streams[run->chunks.list[i].stream] && run->chunks.done[i]) {
            numbers[count++] = run->chunks.list[i].number;
        }
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (restart->tables[i]) {
            tables[table_count++] = &run->tables[i];
            log_write(LOG_WARNING,
                      "table %s starts over: the source changed, and a stream of it has no "
                      "stable key or is made of another table by now",
                      run->tables[i].name);
        }
    }
    if (ledger_reopen(run->session->ledger, run->id, run->claim.epoch, numbers, count, tables,
                      table_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t i = 0; i < count; i++) {
        run->chunks.done[numbers[i] - 1] = 0;
        run->chunks.done_count--;
    }
    return STATUS_OK;
}

/* Sets `*changed` when chunks of different snapshots may come together. */
static enum status take_snapshot(struct resume *resume, bool *changed, struct error *error)
{
    struct run *run = resume->run;
    struct run_session *session = run->session;
    uint32_t capabilities = session->source->capabilities;
    *changed = false;
    size_t count = json_array_size(run->status.attempts);
    run->moment.snapshot =
        count == 0
            ? NULL
            : json_member_text(json_array_get(run->status.attempts, count - 1), "snapshot", NULL);
    /* a recheck may copy chunks again; else who reads all the same finds it out */
    run->moment.unjudged = run->chunks.done_count == run->chunks.count && !recheck_is_due(run);
    /* who gives the run up reads nothing of the source, and holds nothing there */
    if (run->moment.unjudged || session->options.command == RUN_ABANDON) {
        return STATUS_OK;
    }
    if (session_snapshot(session, session_reader_count(session), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *before = run->moment.snapshot;
    run->moment.snapshot = session->snapshot;
    if ((capabilities & CAPABILITY_SNAPSHOT) == 0) {
        run_note(run, &run->status.no_snapshot);
        return STATUS_OK;
    }
    bool same = session_is_at(session, before);
    bool apart = ledger_marks_apart(session->ledger);
    bool untouched = run->status.phase < LEDGER_COPYING || (!apart && run->chunks.done_count == 0);
    *changed = !same && !untouched;
    return STATUS_OK;
}

/* ---- all of it */

/* Nothing is left to do; but rejects and a mixed snapshot are told to whom nobody told them. */
static enum status finish_completed(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    resume_sum_marks(resume);
    if (settle_apply(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run_show_totals(run);
    state_begin(run, resume->marks, resume->mark_count);
    run->was_finished = resume->was_told;
    return STATUS_OK;
}

static bool lacks_streams(const struct run_numbering *numbering)
{
    bool lacks = false;
    for (uint32_t i = 0; numbering != NULL && i < numbering->stream_count && !lacks; i++) {
        lacks = numbering->streams[i] == NUMBERING_NONE;
    }
    return lacks;
}

static enum status read_done(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    ledger_status_free(&run->status);
    run->chunks.done_count = 0;
    if (ledger_status_read(resume->ledger->status, &run->status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->following.numbering = resume->follows ? numbering_make(run, &resume->header) : NULL;
    /* tables that the source has no more have no chunks that could be told */
    resume->leaves |=
        run->session->options.command == RUN_ABANDON && lacks_streams(run->following.numbering);
    if (resume->leaves) {
        run->following.numbering = NULL;
        return run_index_chunks(run, error); /* there are none */
    }
    return resume_take_chunks(resume, error) == STATUS_OK &&
                   resume_take_marks(resume, error) == STATUS_OK
               ? ledger_check_marks(resume->ledger, &run->status, error)
               : STATUS_FAILED;
}

static enum status look_whether_it_follows(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    const struct run_session *session = run->session;
    const struct feed_functions *feed =
        session->source != NULL ? session->source->connector->feed : NULL;
    bool way_back = run_command_gives_up(session->options.command);
    if (resume->header.feed == NULL) {
        return STATUS_OK;
    }
    ledger_status_free(&run->status);
    enum status status = ledger_status_read(resume->ledger->status, &run->status, error);
    bool follows = status == STATUS_OK && run->status.phase == LEDGER_FOLLOWING;
    bool over = status == STATUS_OK && run->status.phase == LEDGER_COMPLETED;
    bool same = session->kept.learnt != NULL &&
                strcmp(session->kept.learnt->mapping_hash, session->plan->mapping_hash) == 0;
    bool gives_up = session->options.command == RUN_ABANDON; /* also before it has copied */
    resume->leaves = ((follows && way_back) || over) && !same;
    resume->follows = follows || over || gives_up;
    resume->adopts = follows && !way_back;
    resume->follows_elsewhere = follows && feed != NULL && feed->elsewhere;
    return status;
}

static enum status read_ledger(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    snprintf(run->id, sizeof(run->id), "%s", resume->ledger->id);
    if (ledger_header_read(resume->ledger->header, run->arena, &resume->header, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    run_set_kind(run, resume->header.kind);
    run->session->options.selection.parts = run_parts_read(resume->header.parts);
    if (session_sample(run->session, resume->header.sample_rows, resume->header.sample_seed,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->header = resume->header;
    undo_resume(run);
    if (since_resume(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = look_whether_it_follows(resume, error);
    if (status == STATUS_OK) {
        status = resume_check_match(resume, error);
        run->refused = status != STATUS_OK;
    }
    return status == STATUS_OK &&
                   (run->loads_rejects || resume->leaves ||
                    renumber_take(run->session->plan, &run->header, error) == STATUS_OK)
               ? read_done(resume, error)
               : STATUS_FAILED;
}

/* Until the claim another attempt may have committed chunks; what stands now is all of them. */
static enum status claim_and_read_again(struct resume *resume, struct error *error)
{
    struct run *run = resume->run;
    if (failpoint_hit("resume.before_claim", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        run_claim(run, resume->ledger->epoch, run->session->options.take_over, error);
    if (status != STATUS_OK) {
        return error->code == ERROR_INTERRUPTED ? STATUS_END : STATUS_FAILED;
    }
    if (failpoint_hit("resume.after_claim", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = ledger_load(run->session->ledger, run->id, run->arena, &resume->ledger, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_LEDGER_MISSING, run->session->target_uri->shown,
                  "the target's ledger lost run %s while it was being claimed", run->id);
        error_hint(error, "was the target replaced? Put it back, then `transhume resume`");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        status = read_done(resume, error);
    }
    if (status == STATUS_OK && run->claim.took_over) {
        recheck_note_open(run);
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

static enum status reopen_if_changed(struct resume *resume, bool changed, struct error *error)
{
    struct restart restart = {0};
    struct run *run = resume->run;
    if (failpoint_hit("resume.before_reopen", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (changed && !run_moves(run, PARTS_SCHEMA)) {
        run_note(run, &run->status.mixed_snapshot);
        other_tables_find(run);
        if (find_restarts(resume, &restart, error) != STATUS_OK ||
            (restart.stream_count > 0 && reopen_chunks(resume, &restart, error) != STATUS_OK) ||
            other_tables_keep(run, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return failpoint_hit("resume.after_reopen", error);
}

/* All that following is refused for is asked before the run is claimed: then nothing was touched. A
 * server that is away for a moment following waits for. */
static enum status check_allowed(const struct resume *resume, struct error *error)
{
    const struct run_session *session = resume->run->session;
    if (resume->header.feed == NULL || run_command_cuts_over(session->options.command)) {
        return STATUS_OK;
    }
    enum status status = follow_allowed(session, error);
    if (status == STATUS_OK || error->class != ERROR_CLASS_RETRY) {
        return status;
    }
    error_clear(error);
    return STATUS_OK;
}

static enum status go_on(struct run *run, struct error *error)
{
    struct resume resume = {.run = run};
    bool changed = false;
    if (!run_can_resume(run->session)) {
        return cannot_resume(run, error);
    }
    enum status status = find_run(&resume, error);
    if (status == STATUS_AGAIN) {
        random_run_id(run->id);
        run->begins_again = true;
        log_write(LOG_INFO, "the run had not begun: beginning it");
        status = run->loads_rejects ? rejects_load_begin(run, error) : run_begin(run, error);
        return status == STATUS_OK ? run_execute(run, error) : status;
    }
    if (status != STATUS_OK) {
        return status == STATUS_END ? nothing_to_resume(run, error) : STATUS_FAILED;
    }
    if (failpoint_hit("resume.after_load", error) != STATUS_OK ||
        read_ledger(&resume, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->session->options.follow.wanted && run->header.feed == NULL) {
        error_set(error, ERROR_FOLLOW, run->id, "the run does not follow its source");
        return error_hint(error, "`transhume migrate --follow` begins one that does, "
                                 "`transhume resume` continues this one");
    }
    if (run->status.phase == LEDGER_COMPLETED) {
        return finish_completed(&resume, error);
    }
    if (run->status.phase == LEDGER_ROLLING_BACK) {
        return rollback_refuse_begun(run->session->target_uri->shown, run->id, error);
    }
    if (state_folder_make_rooms(&run->folder, error) != STATUS_OK ||
        (!run->loads_rejects && session_describe_streams(run->session, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (check_allowed(&resume, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = claim_and_read_again(&resume, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (run->status.phase == LEDGER_COMPLETED) {
        return finish_completed(&resume, error);
    }
    if ((!run->loads_rejects && take_snapshot(&resume, &changed, error) != STATUS_OK) ||
        run_write_local(run, true, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reopen_if_changed(&resume, changed, error) != STATUS_OK ||
        (!resume.leaves && resume_check_reject_files(&resume, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    before_resume(run);
    resume_sum_marks(&resume);
    if (run->status.phase >= LEDGER_SETTLED && !resume.leaves &&
        settle_apply(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ledger_status_begin_attempt(&run->status, run->claim.epoch, run->moment.snapshot,
                                session_hands(run->session));
    run_note_connections(run);
    state_begin(run, resume.marks, resume.mark_count);
    state_write(run, STATE_IN_PROGRESS);
    status = run_execute(run, error);
    if (status == STATUS_OK && run->repairs) {
        log_write(LOG_WARNING, "the repair has done what was left of it; what it was not to put "
                               "right, such as extra records, `transhume validate` says");
    }
    return status;
}

enum status run_resume(struct run_session *session, struct run_result *result, struct error *error)
{
    struct run *run;
    *result = (struct run_result){.progress = &session->progress};
    if (run_create(session, &run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_enter_folder(run, error);
    status = status == STATUS_OK ? run_with_display(run, go_on, error) : status;
    return run_conclude(run, status, result, error);
}

/* The questions of a cut-over of a run that follows, by its notes in the ledger. */
static enum status ask_cut_over(struct resume *resume, struct lack_list *lacks, struct error *error)
{
    struct run *run = resume->run;
    if (read_ledger(resume, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->header.feed == NULL || run->status.phase != LEDGER_FOLLOWING) {
        bool done = run->status.phase == LEDGER_COMPLETED;
        error_set(error, ERROR_CUT_OVER, run->id,
                  run->header.feed == NULL ? "the run does not follow its source"
                  : done                   ? "it is over: the cut-over is done"
                                           : "its copy is not done");
        return error_hint(error, run->header.feed == NULL
                                     ? "`transhume migrate --follow` begins one that does"
                                 : done ? "`transhume cutover --back --confirm` returns, where "
                                          "--reverse has kept the way back"
                                        : "`transhume follow` continues it");
    }
    resume_sum_marks(resume);
    return settle_apply(run, error) == STATUS_OK && unfollowed_look(run, error) == STATUS_OK
               ? cutover_ask(run->session, run, CUTOVER_ASKED_FIRST | CUTOVER_ASKED_CAUGHT_UP,
                             lacks, error)
               : STATUS_FAILED;
}

enum status run_ask_cut_over(struct run_session *session, struct lack_list *lacks,
                             struct error *error)
{
    struct run *run;
    struct local_run local;
    if (run_create(session, &run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct resume resume = {.run = run};
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    if (status != STATUS_FAILED) {
        const char *id = status == STATUS_OK ? local.id : NULL;
        status = ledger_load(session->ledger, id, run->arena, &resume.ledger, error);
    }
    status = status == STATUS_END  ? nothing_to_resume(run, error)
             : status == STATUS_OK ? lacks_take(lacks, ask_cut_over(&resume, lacks, error), error)
                                   : status;
    run_destroy(run);
    return status;
}
