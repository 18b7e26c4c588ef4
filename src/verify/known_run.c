/* The run that made the target: was it finished, by this plan, from a source as it is now? */
#include "base/file.h"
#include "base/secret.h"
#include "connectors/contract/apply.h"
#include "engine/folder/past_runs.h"
#include "engine/follow/adopt.h"
#include "engine/rollback/rollback.h"
#include "engine/session/policies.h"
#include "engine/session/renumber.h"
#include "plan/text/canonical_text.h"
#include "verify/steps.h"
#include <string.h>

/* The run took times without a zone for others. */
static enum status refuse_zone(const char *began, const struct ledger_header *header,
                               struct error *error)
{
    error_set(error, ERROR_PLAN_CHANGED, "--time-zone", "run %s read times without a zone %s%s",
              header->run_id, began[0] != '\0' ? "as times of " : "as they are", began);
    if (began[0] != '\0') {
        error_hint(error, "use --time-zone %s", began);
    } else {
        error_hint(error, "leave it out");
    }
    return STATUS_FAILED;
}

static enum status refuse_plan(const struct verify *verify, const struct ledger_header *header,
                               struct error *error)
{
    const struct run_options *options = &verify->session->options;
    char zones[2][CANONICAL_ZONE_BYTES];
    canonical_text_time_zone(header->mapping_text, zones[0]);
    canonical_text_time_zone(verify->session->plan->mapping_text, zones[1]);
    if (strcmp(zones[0], zones[1]) != 0) {
        return refuse_zone(zones[0], header, error);
    }
    if (options->selection.include_count + options->selection.exclude_count > 0 &&
        canonical_text_is_part(header->mapping_text, verify->session->plan->mapping_text)) {
        error_set(error, ERROR_PLAN_CHANGED,
                  options->selection.include_count > 0 ? "--include" : "--exclude",
                  "it leaves tables out that run %s copied", header->run_id);
        return error_hint(error,
                          "leave it out; to compare these tables alone, which proves nothing of "
                          "the run, say SRC DST (or --plan FILE) with it");
    }
    if (verify->session->document == NULL) {
        error_set(
            error, ERROR_PLAN_CHANGED, verify->session->source_uri->shown,
            "its tables are not those that run %s copied: one came, went or has other columns",
            header->run_id);
        return error_hint(error, "put it back, or give SRC DST to compare what is there now");
    }
    error_set(error, ERROR_PLAN_CHANGED, "plan",
              "it does not make the records that run %s made of this source", header->run_id);
    return error_hint(error,
                      "put the plan back (the state folder's plan.yaml is the run's own), migrate "
                      "again, or compare by this one: --plan FILE");
}

static bool is_copy(const struct ledger_header *header)
{
    bool records = header->parts == NULL || strcmp(header->parts, "schema") != 0;
    return header->kind != NULL && strcmp(header->kind, "copy") == 0 && records;
}

static bool is_of(const struct ledger_header *header, const struct ledger_header *other)
{
    return is_copy(other) && strcmp(other->mapping_hash, header->mapping_hash) == 0 &&
           strcmp(other->source_identity, header->source_identity) == 0;
}

static bool has_table(const struct ledger_header *header, const char *name)
{
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (strcmp(header->tables[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The copies of the ledger, the newest first; what mended or repaired since is none. */
static enum status list_copies(struct verify *verify, struct ledger_header **copies,
                               uint32_t *copy_count, struct error *error)
{
    struct ledger_run *ledger;
    const char **ids;
    uint32_t count = 0;
    enum status status = ledger_list(verify->session->ledger, verify->arena, &ids, &count, error);
    *copies = arena_allocate_zeroed(verify->arena, count + 1u, sizeof(**copies));
    *copy_count = 0;
    for (uint32_t i = count; status == STATUS_OK && i > 0; i--) {
        struct ledger_header *header = &(*copies)[*copy_count];
        status = ledger_load(verify->session->ledger, ids[i - 1], verify->arena, &ledger, error);
        if (status == STATUS_OK) {
            status = ledger_header_read(ledger->header, verify->arena, header, error);
            *copy_count += status == STATUS_OK && is_copy(header);
        }
        bool says_nothing = status == STATUS_END || /* it went meanwhile */
                            (status == STATUS_FAILED && error->code == ERROR_LEDGER_INVALID);
        status = says_nothing ? STATUS_OK : status;
    }
    return status;
}

/* Where records of others were in a table, or came by another copy, they are no extra ones. */
static enum status take_policies(struct verify *verify, const struct ledger_header *header,
                                 struct error *error)
{
    struct ledger_header *copies;
    uint32_t count = 0;
    bool matters = !is_copy(header);
    for (uint32_t i = 0; i < header->table_count; i++) {
        matters |= header->tables[i].existing != EXISTING_REFUSE;
    }
    enum status status = matters ? list_copies(verify, &copies, &count, error) : STATUS_OK;
    const struct ledger_header *copy = is_copy(header) ? header : NULL;
    for (uint32_t i = 0; i < count && copy == NULL; i++) {
        copy = is_of(header, &copies[i]) ? &copies[i] : NULL;
    }
    if (status != STATUS_OK || copy == NULL) {
        return status;
    }
    policies_take(verify->run, copy, NULL);
    for (uint32_t i = 0; matters && i < copy->table_count; i++) {
        uint32_t filled_by = 0;
        for (uint32_t k = 0; k < count; k++) {
            filled_by += has_table(&copies[k], copy->tables[i].name);
        }
        if (filled_by == 1) {
            policies_own(verify->run, &copy->tables[i]);
        }
    }
    return STATUS_OK;
}

static enum status check_plan(struct verify *verify, const struct ledger_header *header,
                              struct error *error)
{
    const struct run_session *session = verify->session;
    if (header->parts != NULL && strcmp(header->parts, "schema") == 0) {
        verify_note(verify, "run %s made tables and no records (--schema-only)", header->run_id);
    }
    if (strcmp(header->mapping_hash, session->plan->mapping_hash) == 0 ||
        adopt_is_of_run(session, header)) {
        if (is_copy(header) && renumber_take(session->plan, header, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        return take_policies(verify, header, error);
    }
    if (!verify->options.plan_given) {
        return refuse_plan(verify, header, error);
    }
    verify->result->run_id = NULL; /* it proves nothing of the run */
    verify->is_other = verify->folder_run_id != NULL;
    verify_note(verify, "this plan is not the one of run %s: compared is what this plan makes",
                header->run_id);
    return STATUS_OK;
}

/* The column by which the run read only what had changed; NULL: it read everything. */
static const char *part_read(const struct ledger_header *header)
{
    for (uint32_t i = 0; i < header->since_count; i++) {
        if (header->since[i].bound != NULL) {
            return header->since[i].column;
        }
    }
    return NULL;
}

/* Two equal tokens mean that no record differs, where the source can prove it. */
static void compare_snapshots(struct verify *verify, const struct ledger_header *header)
{
    const struct run_session *session = verify->session;
    bool proves = (session->source->capabilities & CAPABILITY_PROVES_UNCHANGED) != 0;
    if (header->snapshot == NULL || session->snapshot == NULL || !proves ||
        header->snapshot[0] == '\0' || session->snapshot[0] == '\0') {
        return;
    }
    bool same = strcmp(header->snapshot, session->snapshot) == 0;
    const char *column = part_read(header);
    if (same && column != NULL) {
        verify_note(verify,
                    "run %s read only what had changed by %s: differences may be changes that "
                    "left it as it was, or records that were deleted",
                    header->run_id, column);
        return;
    }
    verify->result->source_state = same ? VERIFY_SOURCE_UNCHANGED : VERIFY_SOURCE_CHANGED;
    if (!same) {
        verify_note(verify,
                    "the source changed since run %s read it: differences may be changes "
                    "made there",
                    header->run_id);
    }
}

/* Named otherwise than the state folder names its target, but it is the very database. */
static bool is_folders_run(const struct verify *verify, const struct ledger_run *ledger,
                           const struct ledger_header *header)
{
    return verify->folder_run_id != NULL && strcmp(ledger->id, verify->folder_run_id) == 0 &&
           header->target_identity != NULL &&
           strcmp(header->target_identity, verify->session->target_identity) == 0;
}

/* A trigger that is off says nothing of the records, but of what the application will find. */
static enum status note_triggers(struct verify *verify, const char *run_id, struct error *error)
{
    struct database *target = verify->session->target;
    const struct apply_functions *apply = target->connector->apply;
    uint32_t count = 0;
    if (apply == NULL || apply->taken_out == NULL) {
        return STATUS_OK;
    }
    enum status status = apply->taken_out(target, run_id, &count, error);
    if (status == STATUS_OK && count > 0) {
        verify_note(verify,
                    "%u trigger%s of the target %s off while changes are applied; if nobody "
                    "follows any more, the next `transhume follow` or `transhume cutover` gives "
                    "them back",
                    count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
    }
    return status;
}

static enum status take_ledger(struct verify *verify, const struct ledger_run *ledger,
                               bool is_local, struct error *error)
{
    struct run *run = verify->run;
    struct ledger_header header;
    ledger_status_free(&run->status);
    if (ledger_header_read(ledger->header, verify->arena, &header, error) != STATUS_OK ||
        ledger_status_read(ledger->status, &run->status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->status.phase == LEDGER_ROLLING_BACK) {
        return rollback_refuse_begun(verify->session->target_uri->shown, ledger->id, error);
    }
    if (run->status.phase == LEDGER_FOLLOWING) {
        verify_note(verify, "run %s follows its source: what is written meanwhile may differ",
                    ledger->id);
        if (note_triggers(verify, ledger->id, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else if (run->status.phase != LEDGER_COMPLETED) {
        error_set(error, ERROR_RUN_UNFINISHED, verify->session->target_uri->shown,
                  "run %s is not finished", ledger->id);
        return error_hint(error, "`transhume resume` continues it; validate what is complete");
    }
    bool same_source = header.source_identity != NULL &&
                       strcmp(header.source_identity, verify->session->source_identity) == 0;
    if (!is_local && !same_source) {
        /* the newest run into this target was another one: what it created is not this plan's */
        ledger_status_free(&run->status);
        return ledger_status_init(&run->status, error);
    }
    const char *newest = verify->newest_id != NULL ? verify->newest_id : ledger->id;
    verify->result->run_id = arena_copy_string(verify->arena, newest);
    if (is_folders_run(verify, ledger, &header)) {
        verify->is_other = false;
    }
    compare_snapshots(verify, &header);
    if (run->status.mixed_snapshot) {
        verify_note(verify, "run %s read a mixed snapshot of the source", ledger->id);
    }
    enum status status = check_plan(verify, &header, error);
    if (status == STATUS_OK && verify->result->run_id != NULL && is_copy(&header)) {
        verify->ledger_run = ledger;
        verify->is_led_elsewhere = !is_local;
    }
    return status;
}

static bool is_of_this(const struct verify *verify, const struct local_run *local)
{
    return local->target != NULL && local->source != NULL &&
           secret_is_same_uri(local->target, verify->session->target_uri->shown) &&
           secret_is_same_uri(local->source, verify->session->source_uri->shown);
}

/*
 * Runs that mended and repaired came after the copy, whose ledger and rejects are meant; and where
 * the last run was rolled back, nothing but runs/ knows any. STATUS_END: there is no copy.
 */
static enum status find_copy(struct verify *verify, struct local_run *local, struct error *error)
{
    struct run *run = verify->run;
    struct past_run *past;
    uint32_t count;
    if (past_runs_list(&run->folder, run->arena, &past, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct local_run *other = &past[i].local;
        if (!is_of_this(verify, other)) {
            continue;
        }
        verify->newest_id = verify->newest_id == NULL ? other->id : verify->newest_id;
        verify->mended = verify->mended || strcmp(other->kind, "rejects") == 0;
        if (strcmp(other->kind, "copy") == 0) {
            *local = *other;
            verify->rejects_folder = past[i].folder.rejects;
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

/* The copy that this validates, as the state folder knows it. STATUS_END: it knows none. */
static enum status find_local(struct verify *verify, struct local_run *local, struct error *error)
{
    struct run *run = verify->run;
    enum status status = local_run_read(&run->folder, run->arena, local, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        verify->folder_run_id = local->id;
        verify->is_other = !is_of_this(verify, local);
        if (local->rolling_back && !verify->is_other) {
            return rollback_refuse_begun(run->folder.path, local->id, error);
        }
    }
    if (status == STATUS_END || !is_of_this(verify, local)) {
        return find_copy(verify, local, error);
    }
    bool is_copy = strcmp(local->kind, "copy") == 0;
    if (!is_copy && !local->finished && !local->begun) {
        return find_copy(verify, local, error); /* nothing came of it */
    }
    verify->newest_id = local->id;
    verify->rejects_folder = run->folder.rejects;
    if (!local->finished || is_copy) {
        return STATUS_OK;
    }
    verify->mended = strcmp(local->kind, "rejects") == 0;
    status = find_copy(verify, local, error);
    if (status == STATUS_END && strcmp(local->kind, "repair") == 0) {
        /* what one repair could not write is missing to the next: it is for no repair to say that
         * all is well without it */
        verify->rejects_folder = NULL;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status find_run(struct verify *verify, struct error *error)
{
    struct run *run = verify->run;
    struct local_run local;
    struct ledger_run *ledger;
    enum status status = find_local(verify, &local, error);
    bool is_local = status == STATUS_OK;
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    status = ledger_load(verify->session->ledger, is_local ? local.id : NULL, run->arena, &ledger,
                         error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_END) {
        verify_note(verify, "the target has no ledger of a run: compared without one");
        return STATUS_OK;
    }
    return take_ledger(verify, ledger, is_local, error);
}

static void name_files(struct verify *verify)
{
    const char *folder = verify->run->folder.path;
    bool other = verify->is_other;
    verify->result_file =
        file_join(verify->arena, folder, other ? STATE_OTHER_VALIDATION : STATE_VALIDATION);
    verify->record_file =
        file_join(verify->arena, folder, other ? "validate-other.jsonl" : "validate.jsonl");
    if (other) {
        verify_note(verify,
                    "this is not what run %s made: its own result stays as it was, and this "
                    "one is in validation-other.json",
                    verify->folder_run_id);
    }
}

enum status steps_find_run(struct verify *verify, struct error *error)
{
    const struct run_session *session = verify->session;
    struct verify_result *result = verify->result;
    result->source = arena_copy_string(verify->arena, session->source_uri->shown);
    result->target = arena_copy_string(verify->arena, session->target_uri->shown);
    result->target_identity = arena_copy_string(verify->arena, session->target_identity);
    if (find_run(verify, error) != STATUS_OK || renumber_check(session->plan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    name_files(verify);
    return STATUS_OK;
}
