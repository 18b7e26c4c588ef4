/* The beginning of a new run, up to the complete ledger: nothing of the target's data is
 * touched. */
#include "engine/run/run_begin.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "engine/before/before.h"
#include "engine/check/partitions.h"
#include "engine/check/preflight.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/follow.h"
#include "engine/hooks/hooks.h"
#include "engine/rollback/rollback.h"
#include "engine/rollback/undo.h"
#include "engine/run/left_behind.h"
#include "engine/session/home.h"
#include "engine/session/parts.h"
#include "engine/session/recall.h"
#include "engine/session/renumber.h"
#include "engine/session/run_facts.h"
#include "engine/session/session_tables.h"
#include "engine/session/since.h"
#include "engine/settle/emptying.h"
#include "engine/state/claim.h"
#include "engine/state/run_state.h"
#include "engine/state/state.h"
#include "plan/hooks.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is there already */

static enum status refuse_unfinished(struct run *run, const char *where, const char *id,
                                     struct error *error)
{
    struct ledger_holder holder;
    if (claim_is_held(run, id, &holder)) {
        error_set(error, ERROR_RUN_HELD, where, "%s works on run %s", holder.name,
                  holder.run[0] != '\0' ? holder.run : id);
        error_hint(error, "wait for it, or name another target");
        return STATUS_FAILED;
    }
    error_set(error, ERROR_RUN_UNFINISHED, where, "run %s is not finished", id);
    error_hint(error,
               "`transhume resume` continues it; to give it up: `transhume rollback --run %s "
               "--confirm`, or `transhume migrate --restart --confirm`, which then starts again",
               id);
    return STATUS_FAILED;
}

/* STATUS_OK with the phase; STATUS_END: the ledger does not know the run. */
static enum status phase_of(struct run *run, const char *id, enum ledger_phase *phase,
                            const char **found_id, struct error *error)
{
    struct ledger_run *ledger;
    struct ledger_status status;
    enum status loaded = ledger_load(run->session->ledger, id, run->arena, &ledger, error);
    if (loaded != STATUS_OK) {
        return loaded;
    }
    if (ledger_status_read(ledger->status, &status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *phase = status.phase;
    *found_id = ledger->id;
    ledger_status_free(&status);
    return STATUS_OK;
}

/* A local run that the folder takes for unfinished: is it? */
static enum status check_local(struct run *run, const struct local_run *local, struct error *error)
{
    enum ledger_phase phase;
    const char *id;
    const char *target = run->session->target_uri->shown;
    if (local->target != NULL && !secret_is_same_uri(local->target, target)) {
        if (!local->begun) {
            return STATUS_OK;
        }
        if (local->rolling_back) {
            return rollback_refuse_begun(run->folder.path, local->id, error);
        }
        refuse_unfinished(run, run->folder.path, local->id, error);
        error_hint(error,
                   "it goes to %s: `transhume resume` continues it; --state DIR gives "
                   "this run a folder of its own",
                   local->target);
        return STATUS_FAILED;
    }
    enum status status = phase_of(run, local->id, &phase, &id, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && phase == LEDGER_ROLLING_BACK) {
        return rollback_refuse_begun(run->folder.path, local->id, error);
    }
    if (status == STATUS_OK) {
        return phase == LEDGER_COMPLETED
                   ? STATUS_OK
                   : refuse_unfinished(run, run->folder.path, local->id, error);
    }
    if (!local->begun) {
        return STATUS_OK;
    }
    return home_refuse_missing(run, local->id, error);
}

static const char **table_names(const struct run *run)
{
    const struct plan *plan = run->session->plan;
    const char **names = arena_allocate_zeroed(run->arena, plan->table_count + 1u, sizeof(*names));
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    return names;
}

/* An unfinished run that writes to one of the tables is refused; STATUS_END: there is none. */
static enum status find_other(struct run *run, struct error *error)
{
    enum ledger_phase phase;
    const char *where = run->session->target_uri->shown;
    const char *id;
    const char *table;
    enum status status =
        ledger_find_conflict(run->session->ledger, table_names(run),
                             run->session->plan->table_count, run->arena, &id, &table, error);
    status = status == STATUS_OK ? phase_of(run, id, &phase, &id, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    return phase == LEDGER_ROLLING_BACK ? rollback_refuse_begun(where, id, error)
           : phase != LEDGER_COMPLETED  ? refuse_unfinished(run, where, id, error)
                                        : STATUS_END;
}

enum status run_clear_way(struct run *run, struct error *error)
{
    struct local_run local;
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    bool is_local = status == STATUS_OK;
    if (status == STATUS_FAILED ||
        (is_local && !local.finished && check_local(run, &local, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (find_other(run, error) != STATUS_END) {
        return STATUS_FAILED;
    }
    if (is_local && (local.finished || local.begun)) { /* else there is nothing to keep */
        run->finished_id = local.id;
    }
    return STATUS_OK;
}

enum status run_retire_finished(struct run *run, struct error *error)
{
    if (run->finished_id == NULL) {
        return STATUS_OK;
    }
    run_close_files(run);
    if (state_folder_retire(&run->folder, run->finished_id, run->repairs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->finished_id = NULL;
    return run_open_files(run, error);
}

/* ---- the run's own beginning */

void run_fill_header(struct run *run)
{
    struct run_session *session = run->session;
    size_t length;
    run->header.run_id = run->id;
    run->header.kind = run_kind(run);
    run->header.source_uri = session->source_uri->shown;
    run->header.source_identity = session->source_identity;
    run->header.fingerprint = session->fingerprint;
    run->header.schema_text = session->schema_text;
    run->header.target_uri = session->target_uri->shown;
    run->header.target_identity = session->target_identity;
    run->header.snapshot = session->snapshot;
    run->header.plan_text =
        session->document == NULL ? NULL : plan_document_text(session->document, &length);
    run->header.mapping_text = session->plan->mapping_text;
    run->header.mapping_hash = session->plan->mapping_hash;
    run->header.rebuilds_indexes = session_rebuilds_indexes(session);
    run->header.disables_triggers = session_disables_triggers(session);
    run->header.cascades_in_target = session->options.follow.cascades == CASCADES_TARGET;
    run->header.follow_triggers = quiet_name(session->options.follow.triggers);
    run->header.rejects_orphans = session_rejects_orphans(session);
    run->header.carries_rights = session->options.making.carries_rights;
    run->header.definer_self = session->options.making.definer == DEFINERS_SELF;
    run->header.sample_rows = session->options.selection.sample_rows;
    run->header.sample_seed = session->options.selection.sample_seed;
    run->header.parts = run_parts_name(session->options.selection.parts);
    run->header.schemas = session->target->scope.others;
    run->header.reverse_of = session->options.cut_over.reverse_of;
}

static void fill_stream_facts(struct run *run)
{
    const struct plan *plan = run->session->plan;
    run->header.stream_count = plan->stream_count;
    run->header.streams =
        arena_allocate_zeroed(run->arena, plan->stream_count, sizeof(*run->header.streams));
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        run->header.streams[i] =
            (struct ledger_stream_facts){.name = plan->streams[i].name,
                                         .keyed = run->session->facts[i].keyed,
                                         .records = run->session->facts[i].row_count};
    }
}

static void add_chunks(struct run *run, uint32_t stream, const struct span *spans, uint32_t count,
                       uint64_t *capacity)
{
    for (uint32_t i = 0; i < count; i++) {
        if (run->chunks.count == *capacity) {
            uint64_t wanted = *capacity == 0 ? 64 : *capacity * 2;
            struct ledger_chunk *chunks =
                arena_allocate_zeroed(run->arena, wanted, sizeof(*chunks));
            if (run->chunks.count > 0) {
                memcpy(chunks, run->chunks.list, run->chunks.count * sizeof(*chunks));
            }
            run->chunks.list = chunks;
            *capacity = wanted;
        }
        run->chunks.list[run->chunks.count] = (struct ledger_chunk){
            .number = run->chunks.count + 1, .stream = stream, .span = spans[i]};
        run->chunks.count++;
    }
}

/* Does it go into a table that holds records, which a mirror compares? */
static bool is_compared(const struct run *run, const struct plan_stream *stream)
{
    const struct plan *plan = run->session->plan;
    bool compared = false;
    for (uint32_t i = 0; run->session->options.follow.mirrors && i < stream->entity_count; i++) {
        uint32_t table = plan->entities[stream->entities[i]].table;
        compared = compared || (table < run->header.table_count &&
                                run->header.tables[table].was == LEDGER_WAS_FILLED);
    }
    return compared;
}

static enum status split_streams(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    const struct plan *plan = session->plan;
    uint64_t capacity = 0;
    if (session->options.cut_over.reverse_of != NULL ||
        session->options.selection.parts == PARTS_SCHEMA) {
        return STATUS_OK; /* both sides are the same, or no record is read */
    }
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        struct span *spans;
        uint32_t count;
        if (is_compared(run, &plan->streams[i])) {
            continue;
        }
        /* the bounds of chunks are keys, which the ledger keeps: of masked ones there are none */
        bool masked = plan_stream_masks_key(&plan->streams[i]);
        uint64_t rows = masked ? UINT64_MAX : session_chunk_rows(session, &plan->streams[i]);
        rows = masked ? rows : since_chunk_rows(run, &plan->streams[i], rows);
        if (session->source->connector->source->split(session->source, &plan->streams[i].request,
                                                      rows, run->arena, &spans, &count,
                                                      error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        for (uint32_t k = 0; masked && k < count; k++) {
            spans[k].printable = "masked keys";
            spans[k].last_id = NULL;
        }
        add_chunks(run, i, spans, count, &capacity);
    }
    return STATUS_OK;
}

/* Another process made its run while this one got ready. */
static enum status refuse_quicker(struct run *run, const char *id, struct error *error)
{
    const char *where = run->session->target_uri->shown;
    enum status status = find_other(run, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_RUN_UNFINISHED, where, "another run was quicker: %s",
                  id != NULL ? id : "it is gone already");
        error_hint(error, "look at what it left, then migrate again");
    }
    return STATUS_FAILED;
}

enum status run_create_ledger(struct run *run, struct error *error)
{
    const char *other;
    const char *table;
    const char *header;
    const char *status_text;
    struct ledger_run *made;
    ledger_status_begin_attempt(&run->status, 1, run->header.snapshot, session_hands(run->session));
    run_note_connections(run);
    run->header.renumber = renumber_make(run->session->plan);
    enum status made_header = ledger_header_make(&run->header, run->arena, &header, error);
    json_decref(run->header.renumber);
    run->header.renumber = NULL;
    if (made_header != STATUS_OK || before_begin(run, error) != STATUS_OK ||
        ledger_status_make(&run->status, run->arena, &status_text, error) != STATUS_OK ||
        failpoint_hit("engine.before_ledger_create", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct buffer learnt = {0};
    recall_append(run->session, 1, &learnt);
    const struct ledger_new_run new_run = {.id = run->id,
                                           .learnt = learnt.data,
                                           .learnt_length = learnt.length,
                                           .header = header,
                                           .status = status_text,
                                           .chunks = run->chunks.list,
                                           .chunk_count = run->chunks.count,
                                           .tables = table_names(run),
                                           .table_count = run->session->plan->table_count};
    run->claim.makes_ledger = true;
    enum status status =
        ledger_create(run->session->ledger, &new_run, run->arena, &other, &table, error);
    buffer_free(&learnt);
    if (status == STATUS_AGAIN) {
        return refuse_quicker(run, other, error);
    }
    if (status != STATUS_OK || failpoint_hit("engine.after_ledger_create", error) != STATUS_OK ||
        run_write_local(run, true, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = ledger_load(run->session->ledger, run->id, run->arena, &made, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_LEDGER_MISSING, run->session->target_uri->shown,
                  "the ledger that was just made is gone");
        error_hint(error,
                   "did somebody remove the target? `transhume reset --confirm` forgets this "
                   "run, `transhume migrate` begins another");
        return STATUS_FAILED;
    }
    if (status != STATUS_OK) {
        error_context(error, "reading the new ledger back: ");
        return STATUS_FAILED;
    }
    if (made->chunk_count != run->chunks.count || strcmp(made->header, header) != 0) {
        return error_set(error, ERROR_LEDGER_INVALID, run->session->target_uri->shown,
                         "the ledger does not read back as it was written");
    }
    if (made->epoch != 0) { /* perhaps to its end: then nobody holds it any more */
        error_set(error, ERROR_RUN_FENCED, run->id, "another attempt took this run over at once");
        error_hint(error, "let that one finish; `transhume status` shows it");
        return STATUS_FAILED;
    }
    return run_claim(run, 0, false, error);
}

enum status run_keep_plan(const struct run *run, struct error *error)
{
    size_t length;
    if (run->session->document == NULL) {
        return STATUS_OK;
    }
    const char *text = plan_document_text(run->session->document, &length);
    char *copy = secret_redact_copy(text);
    enum status status = file_write_atomic(run->folder.plan_file, copy, strlen(copy), NULL, error);
    free(copy);
    return status;
}

/* Said before it happens. */
static enum status tell_foretold(struct run *run, struct error *error)
{
    struct buffer lines = {0};
    enum status status = preflight_foretell(run->session, run->tables, &lines, error);
    char *next = lines.length == 0 ? NULL : lines.data;
    buffer_string(&lines);
    for (char *line; status == STATUS_OK && next != NULL && (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0') {
            log_write(LOG_INFO, "%s", line);
        }
    }
    buffer_free(&lines);
    return status;
}

static enum status warn_of_partitions(struct run *run, struct error *error)
{
    struct buffer lines = {0};
    enum status status = partitions_foretell(run->session, false, &lines, error);
    char *next = lines.length == 0 ? NULL : lines.data;
    buffer_string(&lines);
    for (char *line; status == STATUS_OK && next != NULL && (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0') {
            log_write(LOG_WARNING, "%s", line);
            run->warning_count++;
        }
    }
    buffer_free(&lines);
    return status;
}

/* All grants that are missing, for who has to ask somebody else for them. */
static void tell_lacking(struct preflight *preflight)
{
    char *next = preflight->problems.data;
    buffer_string(&preflight->problems);
    for (uint32_t i = 0;
         next != NULL && preflight->lacking_count > 1 && i < preflight->lacking_count; i++) {
        log_write(LOG_WARNING, "%s", strsep(&next, "\n"));
    }
}

static enum status check_target(struct run *run, struct error *error)
{
    struct preflight preflight = {0};
    enum status status = preflight_check(run->session, run->tables, &run->header.absent_tables,
                                         &run->header.absent_count, &preflight, error);
    if (status == STATUS_OK && preflight.count > 0) {
        *error = preflight.first;
        tell_lacking(&preflight);
        if (error->hint[0] == '\0') {
            error_hint(error, "`transhume check` shows all that stands in the way");
        }
        if (preflight.count > 1) {
            error_context(
                error, "%" PRIu32 " problems, see `transhume check`; the first: ", preflight.count);
        }
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK && !run->loads_rejects && run->status.not_carried == NULL) {
        run->status.not_carried = left_behind_make(run->session, &preflight);
    }
    preflight_free(&preflight);
    return status;
}

enum status run_check_overtaken(struct run *run, struct error *error)
{
    struct error ignored;
    enum status status = check_target(run, error);
    if (status == STATUS_OK || error->code != ERROR_TARGET_NOT_EMPTY) {
        return status;
    }
    error_context(error, "another run was here first: ");
    if (run_put_phase(run, LEDGER_COMPLETED, &ignored) != STATUS_OK ||
        run_write_local(run, false, false, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "the ledger of run %s stays behind: %s", run->id, ignored.message);
    }
    state_write(run, STATE_FAILED);
    run->record.ready = false;
    return STATUS_FAILED;
}

/* The identity may tell more once the database is there. */
static enum status read_identity(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    return session->target->connector->identity(session->target, session->arena,
                                                &session->target_identity, error);
}

/* By the snapshot that the copy reads, too. */
static enum status measure_keys(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    return session->plan->renumber_count == 0 ||
                   (session_snapshot(session, session_reader_count(session), error) == STATUS_OK &&
                    renumber_measure(session, error) == STATUS_OK)
               ? STATUS_OK
               : STATUS_FAILED;
}

/* The snapshot shows what they do; a kill meanwhile leaves a run that `resume` begins again. */
static enum status run_first_hooks(struct run *run, struct error *error)
{
    if (hooks_has(run, HOOK_BEFORE) && run_write_local(run, false, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return hooks_before_run(run, run->begins_again, error);
}

static enum status run_begin_new(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    if (hooks_check(session, error) != STATUS_OK || check_target(run, error) != STATUS_OK ||
        undo_begin(run, error) != STATUS_OK ||
        (session->options.follow.wanted && follow_begin(run, error) != STATUS_OK) ||
        measure_keys(run, error) != STATUS_OK || tell_foretold(run, error) != STATUS_OK ||
        run_retire_finished(run, error) != STATUS_OK ||
        state_folder_make_rooms(&run->folder, error) != STATUS_OK ||
        run_first_hooks(run, error) != STATUS_OK || emptying_begin(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    progress_enter(&session->progress, PROGRESS_PREPARE);
    if (session_snapshot(session, session_reader_count(session), error) != STATUS_OK ||
        session_describe_streams(session, error) != STATUS_OK ||
        warn_of_partitions(run, error) != STATUS_OK || since_begin(run, error) != STATUS_OK ||
        split_streams(run, error) != STATUS_OK || run_index_chunks(run, error) != STATUS_OK ||
        read_identity(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    fill_stream_facts(run);
    if (session->options.follow.wanted && session->source->moment_position != NULL) {
        run->header.feed_start = *session->source->moment_position;
    }
    run_fill_header(run);
    run->moment.snapshot = session->snapshot;
    run->status.no_snapshot = (session->source->capabilities & CAPABILITY_SNAPSHOT) == 0;
    if (run_write_local(run, false, false, error) != STATUS_OK ||
        run_keep_plan(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    state_begin(run, NULL, 0);
    state_write(run, STATE_NOT_STARTED);
    return STATUS_OK;
}

enum status run_begin(struct run *run, struct error *error)
{
    if (run_begin_new(run, error) == STATUS_OK) {
        return run_create_ledger(run, error);
    }
    follow_abandon(run);
    return STATUS_FAILED;
}

enum status run_count_filled(struct run_session *session, uint32_t *filled, uint32_t *unfilled,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct target_table *tables;
    uint32_t count = session->plan->table_count;
    bool *exists = arena_allocate_zeroed(arena, count + 1u, sizeof(bool));
    bool *holds = arena_allocate_zeroed(arena, count + 1u, sizeof(bool));
    *filled = 0;
    session_list_tables(session, arena, &tables);
    enum status status = session->target->connector->target->inspect(session->target, tables, count,
                                                                     exists, holds, error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        *filled += holds[i];
    }
    *unfilled = count - *filled;
    arena_destroy(arena);
    return status;
}
