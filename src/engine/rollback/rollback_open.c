/* Finding and claiming the run that is to be taken back. */
#include "engine/rollback/rollback_parts.h"
#include "engine/state/run_state.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/common/uri.h"
#include "engine/folder/past_runs.h"
#include "engine/session/home.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/state/claim.h"
#include "observe/observer.h"
#include "plan/text/connections.h"
#include "plan/text/document.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- where */

static const char *target_of_plan(struct rollback *rollback, const char *path, struct error *error)
{
    struct buffer faults = {0};
    const char *target = NULL;
    if (plan_document_read(path, &rollback->session.document, &faults, error) == STATUS_OK) {
        target = plan_document_target(rollback->session.document);
    }
    buffer_free(&faults);
    return target;
}

/* A file that is there and can't be read just now may name the run. */
static bool may_be_unknown(const struct error *why)
{
    return why->code == ERROR_NONE || why->code == ERROR_STATE_INVALID ||
           why->code == ERROR_RUN_NOTHING;
}

static enum status find_target(struct rollback *rollback, const struct rollback_options *options,
                               struct error *error)
{
    struct local_run local;
    struct error why = {0};
    (void)rollback_find_local(&rollback->run.folder, options->run_id, rollback->run.arena, &local,
                              &why);
    const char *known = connection_recall(local.target_name, local.target, rollback->run.arena);
    error_clear(error);
    if (known == NULL && options->target_uri == NULL && !may_be_unknown(&why)) {
        error_copy(error, &why);
        return STATUS_FAILED;
    }
    if (options->run_id == NULL && !rollback->finishing && local.finished) {
        known = NULL; /* what is unfinished is another, if anything */
    }
    rollback->target_text = options->target_uri != NULL ? options->target_uri : known;
    rollback->ledger_text = options->ledger_uri != NULL ? options->ledger_uri : local.ledger;
    rollback->session.options.sides.ledger_schema =
        options->ledger_schema != NULL ? options->ledger_schema : local.ledger_schema;
    if (rollback->target_text == NULL && options->plan_path != NULL) {
        rollback->target_text = target_of_plan(rollback, options->plan_path, error);
        if (rollback->target_text != NULL && rollback->ledger_text == NULL) {
            rollback->ledger_text = plan_document_option(rollback->session.document, "ledger");
        }
        if (rollback->target_text != NULL &&
            rollback->session.options.sides.ledger_schema == NULL) {
            rollback->session.options.sides.ledger_schema =
                plan_document_option(rollback->session.document, "ledger_schema");
        }
    }
    if (rollback->target_text != NULL) {
        return STATUS_OK;
    }
    if (error->code != ERROR_NONE) {
        return STATUS_FAILED;
    }
    if (options->run_id != NULL) {
        error_set(error, ERROR_RUN_NOTHING, options->run_id,
                  "the state folder %s knows no such run", rollback->run.folder.path);
    } else {
        error_set(error, ERROR_RUN_NOTHING, rollback->run.folder.path, "knows no run");
    }
    error_hint(error, "name the run's target after the command, or its folder with --state");
    return STATUS_FAILED;
}

static enum status refuse_kind(const struct rollback *rollback, const struct connector *connector,
                               struct error *error)
{
    const char *shown = rollback->session.target_uri->shown;
    if (uri_is_stream(rollback->session.target_uri, connector)) {
        error_set(error, ERROR_ROLLBACK_REFUSED, shown,
                  "what went to standard output cannot be rolled back");
        error_hint(error, "delete what the run wrote where it arrived");
    } else if (rollback->finishing) {
        error_set(error, ERROR_FINISH_REFUSED, shown, "%s has no ledger that finish could drop",
                  connector->title);
        error_hint(error, "delete by hand what the program keeps there, if anything");
    } else {
        error_set(error, ERROR_ROLLBACK_REFUSED, shown,
                  "%s keeps nothing by which a run could be rolled back", connector->title);
        error_hint(error, "delete by hand what the run wrote");
    }
    return STATUS_FAILED;
}

/* Without rollback functions a ledger can still tell that nothing is unfinished. */
static enum status open_database(struct rollback *rollback, const struct rollback_options *options,
                                 struct error *error)
{
    struct run_session *session = &rollback->session;
    const struct connector *connector;
    if (registry_resolve(rollback->target_text, session->arena, &session->target_uri, &connector,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool asks_only = options->run_id == NULL && !rollback->finishing;
    if (connector->target == NULL || connector->store == NULL ||
        (connector->rollback == NULL && !asks_only) ||
        (options->run_id != NULL && uri_is_stream(session->target_uri, connector))) {
        return refuse_kind(rollback, connector, error);
    }
    const struct open_options open = {.mode = OPEN_TARGET,
                                      .uri = session->target_uri,
                                      .ledger_schema = session->options.sides.ledger_schema,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms};
    return home_check_schema(session, connector, rollback->ledger_text, error) == STATUS_OK &&
                   opening_open(connector, session->target_uri, &open, session->arena,
                                &session->target, error) == STATUS_OK
               ? home_open(session, rollback->ledger_text, error)
               : STATUS_FAILED;
}

enum status rollback_open_target(struct rollback *rollback, const struct rollback_options *options,
                                 struct error *error)
{
    struct run_session *session = &rollback->session;
    struct run *run = &rollback->run;
    session->arena = arena_create(0);
    run->arena = arena_create(0);
    run->session = session;
    run->folder.lock = -1;
    run->rejects.input = -1;
    pthread_mutex_init(&run->state_mutex, NULL);
    run_options_default(&session->options);
    session->options.limits.timeout_ms = options->timeout_ms;
    session->options.observer = options->observer;
    session->progress.started_ms = clock_monotonic_ms();
    observer_watch(options->observer, &session->progress);
    session->state_path = options->state_folder;
    if (options_resolve(&session->options, NULL, error) != STATUS_OK ||
        state_folder_name(&run->folder, options->state_folder, run->arena, error) != STATUS_OK ||
        ledger_status_init(&run->status, error) != STATUS_OK ||
        find_target(rollback, options, error) != STATUS_OK ||
        state_folder_lock(&run->folder, error) != STATUS_OK ||
        past_runs_recall(&run->folder, run->arena, error) != STATUS_OK ||
        run_open_files(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_DEBUG, "transhume %s: %s", TRANSHUME_VERSION,
              options->command_line == NULL ? "" : options->command_line);
    return open_database(rollback, options, error);
}

void rollback_free(struct rollback *rollback)
{
    if (rollback == NULL) {
        return;
    }
    struct run_session *session = &rollback->session;
    observer_leave(session->options.observer, &session->progress);
    struct error ignored;
    if (rollback->run.claim.held) {
        claim_keeper_stop(rollback->run.claim.keeper);
        if (ledger_release(session->ledger, rollback->run.id, rollback->run.claim.epoch,
                           &ignored) != STATUS_OK) {
            log_write(LOG_WARNING, "the claim on the run was not given back: %s", ignored.message);
        }
    }
    home_close_target(session);
    plan_document_destroy(session->document);
    if (session->arena != NULL) {
        run_close_files(&rollback->run);
        state_folder_unlock(&rollback->run.folder);
    }
    ledger_status_free(&rollback->run.status);
    if (session->arena != NULL) { /* else nothing was opened */
        pthread_mutex_destroy(&rollback->run.state_mutex);
    }
    buffer_free(&rollback->report.objects);
    arena_destroy(rollback->run.arena);
    arena_destroy(session->arena);
    free(rollback);
}

/* ---- which */

static enum status rollback_open_load(struct rollback *rollback, const char *run_id,
                                      struct ledger_run **ledger, struct error *error)
{
    return ledger_load(rollback->session.ledger, run_id, rollback->run.arena, ledger, error);
}

/* Removes what an earlier rollback was about to remove when it was killed; the data are gone
 * already. The target is closed after it: what opening it made must be gone before it is noted that
 * all is. */
static void tidy(struct rollback *rollback)
{
    struct error error = {0};
    if (ledger_tidy(rollback->session.ledger, true, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "something of the ledger was left behind: %s", error.message);
    }
    home_close_target(&rollback->session);
}

static enum status refuse_unknown(const struct rollback *rollback, const char *run_id,
                                  const char *goes_to, struct error *error)
{
    const char *shown = rollback->session.target_uri->shown;
    if (goes_to != NULL) {
        error_set(error, ERROR_RUN_NOTHING, shown,
                  "its ledger knows no run %.60s: that one went to %s", run_id, goes_to);
        error_hint(error, "name that target, or none: `transhume rollback --run %.60s`", run_id);
    } else if (rollback->session.options.sides.ledger_schema != NULL) {
        error_set(error, ERROR_RUN_NOTHING, shown, "its ledger in the schema %s knows no run %.60s",
                  rollback->session.options.sides.ledger_schema, run_id);
        error_hint(error, "is --ledger-schema the one that the run began with? Without it the "
                          "commands take that one");
    } else {
        error_set(error, ERROR_RUN_NOTHING, shown, "its ledger knows no run %.60s", run_id);
        error_hint(error,
                   "`transhume status` shows the run's id; what `transhume finish` dropped, or "
                   "what was rolled back from another state folder, can't be rolled back");
    }
    return STATUS_FAILED;
}

/* The target does not know it (any more). */
static enum status unknown_run(struct rollback *rollback, const struct rollback_options *options,
                               struct error *error)
{
    struct run *run = &rollback->run;
    struct local_run local = {0};
    const char *id = options->run_id;
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    bool known = rollback_find_place(rollback, id, &local);
    if (known && rollback->place != ROLLBACK_NOWHERE && local.rolling_back) {
        if (options->only_looks) {
            return STATUS_END;
        }
        tidy(rollback);
        snprintf(run->id, sizeof(run->id), "%s", local.id);
        return rollback_end_local(rollback, error) == STATUS_OK ? STATUS_END : STATUS_FAILED;
    }
    if (id == NULL ||
        past_runs_is_rolled_back(&run->folder, id, rollback->session.target_uri->shown)) {
        return STATUS_END;
    }
    bool elsewhere = known && rollback->place == ROLLBACK_NOWHERE;
    return refuse_unknown(rollback, id, elsewhere ? local.target : NULL, error);
}

static bool shares_table(const struct ledger_header *ours, const struct ledger_header *other)
{
    for (uint32_t i = 0; i < ours->table_count; i++) {
        for (uint32_t j = 0; j < other->table_count; j++) {
            if (strcasecmp(ours->tables[i].name, other->tables[j].name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A repair that deleted records of which the target keeps nothing. */
static bool loses_records(const struct rollback *rollback, const struct ledger_header *header)
{
    return header->takes_out && !header->keeps_taken &&
           !rollback->session.target->connector->rollback->keeps_deleted;
}

/* Records that a later run overwrote can't be told from those that this one wrote: the later run
 * goes first. */
static enum status check_later_runs(struct rollback *rollback, struct error *error)
{
    const char **ids;
    uint32_t count;
    if (ledger_list(rollback->session.ledger, rollback->run.arena, &ids, &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t at = 0;
    while (at < count && strcmp(ids[at], rollback->run.id) != 0) {
        at++;
    }
    for (at = at + 1; at < count; at++) {
        struct ledger_run *ledger;
        struct ledger_header header;
        enum status status = rollback_open_load(rollback, ids[at], &ledger, error);
        if (status == STATUS_END) {
            continue;
        }
        if (status != STATUS_OK ||
            ledger_header_read(ledger->header, rollback->run.arena, &header, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (shares_table(&rollback->run.header, &header)) {
            bool lost = loses_records(rollback, &header);
            error_set(error, ERROR_ROLLBACK_REFUSED, rollback->run.id,
                      "run %s came after it and wrote to the same tables%s", ids[at],
                      lost ? ": a repair that deleted records, which can't be rolled back either"
                           : "");
            if (lost) {
                error_hint(error,
                           "delete by hand what the runs wrote; `transhume finish --confirm` "
                           "forgets them");
            } else {
                error_hint(error, "roll that one back first: `transhume rollback --run %s`",
                           ids[at]);
            }
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status read_run(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    ledger_status_free(&run->status);
    if (ledger_status_read(rollback->ledger->status, &run->status, error) != STATUS_OK ||
        ledger_header_read(rollback->ledger->header, run->arena, &run->header, error) !=
            STATUS_OK ||
        opening_use_schemas(rollback->session.target, run->header.schemas, true, error) !=
            STATUS_OK ||
        ledger_check_marks(rollback->ledger, &run->status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->header.tables == NULL) {
        error_set(error, ERROR_ROLLBACK_REFUSED, run->id,
                  "an earlier version of transhume made it, and did not keep what rollback needs");
        error_hint(error, "delete by hand what the run wrote; then `transhume finish --confirm`");
        return STATUS_FAILED;
    }
    if (loses_records(rollback, &run->header)) {
        error_set(error, ERROR_ROLLBACK_REFUSED, run->id,
                  "this repair deleted records of which nothing was kept (a table has no key, "
                  "--no-before-images, or an earlier version); nor can the runs before it be "
                  "rolled back");
        error_hint(error, "put them back by hand; `transhume finish --confirm` forgets all runs");
        return STATUS_FAILED;
    }
    if (run->status.phase == LEDGER_FOLLOWING) {
        error_set(error, ERROR_ROLLBACK_REFUSED, run->id,
                  "the run follows its source, which keeps its log for it");
        error_hint(error, "`transhume cutover --abandon --confirm` ends that; then again");
        return STATUS_FAILED;
    }
    rollback->has_begun = run->status.phase == LEDGER_ROLLING_BACK;
    rollback->was_complete = run->status.ended_us > 0;
    return STATUS_OK;
}

/* STATUS_END: it is complete. */
static enum status refuse_unfinished(struct rollback *rollback, struct error *error)
{
    struct ledger_status *status = &rollback->run.status;
    ledger_status_free(status);
    if (ledger_status_read(rollback->ledger->status, status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return status->phase == LEDGER_COMPLETED
               ? STATUS_END
               : refuse_kind(rollback, rollback->session.target->connector, error);
}

/* Starting over: the state folder can't hold the new run beside one that still goes elsewhere. */
static enum status refuse_other_run(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    struct local_run local;
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    if (status != STATUS_OK || local.finished || !local.begun || strcmp(local.id, run->id) == 0) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    if (local.rolling_back) {
        return rollback_refuse_begun(run->folder.path, local.id, error);
    }
    error_set(error, ERROR_RUN_UNFINISHED, run->folder.path, "run %s is not finished", local.id);
    error_hint(
        error,
        "it goes to %s: `transhume resume` continues it, `transhume rollback --run %s` takes "
        "it back; --state DIR gives this run a folder of its own",
        local.target == NULL ? "?" : local.target, local.id);
    return STATUS_FAILED;
}

static enum status find_and_claim(struct rollback *rollback, const struct rollback_options *options,
                                  struct error *error)
{
    struct run *run = &rollback->run;
    enum status status = rollback_open_load(rollback, options->run_id, &rollback->ledger, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? unknown_run(rollback, options, error) : STATUS_FAILED;
    }
    snprintf(run->id, sizeof(run->id), "%s", rollback->ledger->id);
    if (rollback->session.target->connector->rollback == NULL) {
        return refuse_unfinished(rollback, error);
    }
    if (read_run(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (options->run_id == NULL && run->status.phase == LEDGER_COMPLETED) {
        return STATUS_END;
    }
    if ((options->run_id == NULL && refuse_other_run(rollback, error) != STATUS_OK) ||
        check_later_runs(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run_claim(run, rollback->ledger->epoch, options->take_over, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = rollback_open_load(rollback, run->id, &rollback->ledger,
                                error); /* it may have gone on until now */
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_MISSING, run->id, "the run vanished from the ledger");
    }
    if (status != STATUS_OK || read_run(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct local_run ignored;
    (void)rollback_find_place(rollback, run->id, &ignored);
    return STATUS_OK;
}

static void make_tables(struct rollback *rollback)
{
    struct run *run = &rollback->run;
    uint32_t count = run->header.table_count;
    rollback->tables = arena_allocate_zeroed(run->arena, count + 1u, sizeof(*rollback->tables));
    rollback->expected = arena_allocate_zeroed(run->arena, count + 1u, sizeof(*rollback->expected));
    rollback->looked = arena_allocate_zeroed(run->arena, count + 1u, sizeof(*rollback->looked));
    rollback->report.tables =
        arena_allocate_zeroed(run->arena, count + 1u, sizeof(*rollback->report.tables));
    for (uint32_t i = 0; i < count; i++) {
        const struct ledger_table *table = &run->header.tables[i];
        rollback->tables[i] = (struct target_table){.name = table->name,
                                                    .key = table->key,
                                                    .existing = table->existing,
                                                    .keeps_undo = table->keeps_undo,
                                                    .takes_out = rollback->run.header.takes_out,
                                                    .settles = table->settles,
                                                    .created = table->was == LEDGER_WAS_ABSENT};
        rollback->report.tables[i].name = table->name;
    }
    /* as they were deleted */
    rollback->session.target->triggers_off =
        strcmp(run->header.kind, "repair") == 0 || run->header.takes_out;
    rollback->report.table_count = count;
    rollback->report.run_id = run->id;
    rollback->report.target = rollback->session.target_uri->shown;
    rollback->report.resumed = rollback->has_begun;
    run->tables = rollback->tables;
    run->table_count = count;
}

/* Is that noted of the target that is named, if one is, and nothing left to be done here? */
static bool is_over(const struct rollback_options *options, struct arena *arena)
{
    struct state_folder folder;
    struct local_run local;
    struct error ignored;
    if (options->run_id == NULL ||
        state_folder_name(&folder, options->state_folder, arena, &ignored) != STATUS_OK) {
        return false;
    }
    bool still_here = local_run_read(&folder, arena, &local, &ignored) == STATUS_OK &&
                      strcmp(local.id, options->run_id) == 0;
    return !still_here &&
           past_runs_is_rolled_back(
               &folder, options->run_id,
               options->target_uri != NULL ? uri_begin(options->target_uri, arena)->shown : NULL);
}

/* STATUS_END: it is rolled back already, and no target needs to be asked. */
static enum status open_or_known(struct rollback *rollback, const struct rollback_options *options,
                                 struct error *error)
{
    struct arena *arena = arena_create(0);
    bool known = is_over(options, arena);
    arena_destroy(arena);
    return known ? STATUS_END : rollback_open_target(rollback, options, error);
}

enum status rollback_open(const struct rollback_options *options, struct rollback **made,
                          struct error *error)
{
    struct rollback *rollback = memory_allocate_zeroed(1, sizeof(*rollback));
    *made = NULL;
    enum status status = open_or_known(rollback, options, error);
    if (status == STATUS_OK) {
        status = find_and_claim(rollback, options, error);
    }
    if (status == STATUS_OK) {
        make_tables(rollback);
        status = rollback_expect(rollback, error);
    }
    if (status != STATUS_OK) {
        rollback_free(rollback);
        return status;
    }
    *made = rollback;
    return STATUS_OK;
}

void rollback_close(struct rollback *rollback)
{
    rollback_free(rollback);
}

enum status rollback_refuse_begun(const char *where, const char *id, struct error *error)
{
    error_set(error, ERROR_RUN_UNFINISHED, where, "run %s is being rolled back", id);
    error_hint(error, "`transhume rollback --run %s --confirm` continues it", id);
    return STATUS_FAILED;
}
