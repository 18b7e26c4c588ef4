/* The problems and notes of a check's report (check_internal.h). */
#include "engine/check/check_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/check/check_inventory.h"
#include "engine/check/preflight.h"
#include "engine/join/joining.h"
#include "engine/rollback/undo.h"
#include "engine/session/losses.h"
#include "engine/session/session_tables.h"
#include "engine/session/since.h"
#include "engine/settle/emptying.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than that is not read by a check for look-ups and lists. */
static const int64_t JOINED_BYTES_MAX = (int64_t)1 << 30;

/* ---- lists of lines */

void check_add_line(struct checking *report, const char ***lines, uint32_t *count,
                    uint32_t *capacity, const char *line)
{
    struct arena *arena = report->out->arena;
    *lines = arena_make_room(arena, (void *)*lines, *count, capacity, sizeof **lines);
    char *copy = arena_copy_string(arena, line);
    text_clean_line(copy);
    (*lines)[(*count)++] = copy;
}

void check_add_note(struct checking *report, const char *line)
{
    check_add_line(report, &report->notes, &report->out->note_count, &report->note_capacity, line);
}

void check_add_problem(struct checking *report, const char *line)
{
    check_add_line(report, &report->problems, &report->out->problem_count,
                   &report->problem_capacity, line);
}

void check_add_each_line(struct checking *report, struct buffer *text,
                         void (*add)(struct checking *, const char *))
{
    char *copy = text->length == 0 ? NULL : memory_copy_string(buffer_string(text));
    char *next = copy;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0') {
            add(report, line);
        }
    }
    free(copy);
}

/* ---- problems and notes */

void check_worsen(struct checking *report, int exit_status)
{
    if (report->out->refused == EXIT_DONE || exit_status == EXIT_REFUSED) {
        report->out->refused = exit_status;
    }
}

static enum status find_open_run(struct checking *report, struct ledger_run **run,
                                 struct error *error)
{
    const struct plan *plan = report->session->plan;
    struct arena *arena = report->out->arena;
    const char **tables = arena_allocate_zeroed(arena, plan->table_count + 1u, sizeof(*tables));
    const char *id;
    const char *table;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        tables[i] = plan->tables[i].target.name;
    }
    enum status status = ledger_find_conflict(report->session->ledger, tables, plan->table_count,
                                              arena, &id, &table, error);
    return status == STATUS_OK ? ledger_load(report->session->ledger, id, arena, run, error)
                               : status;
}

static enum status check_ledger(struct checking *report, struct error *error)
{
    struct ledger_run *run;
    struct ledger_status run_status;
    enum status status = find_open_run(report, &run, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (ledger_status_read(run->status, &run_status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool open = run_status.phase != LEDGER_COMPLETED;
    bool rolling_back = run_status.phase == LEDGER_ROLLING_BACK;
    ledger_status_free(&run_status);
    if (!open) {
        return STATUS_OK;
    }
    char line[160];
    if (rolling_back) {
        snprintf(
            line, sizeof(line),
            "run %s is being rolled back: `transhume rollback --run %s --confirm` continues it",
            run->id, run->id);
    } else {
        snprintf(line, sizeof(line), "run %s is not finished: `transhume resume` continues it",
                 run->id);
    }
    check_worsen(report, error_describe(ERROR_RUN_UNFINISHED)->exit_status);
    check_add_problem(report, line);
    return STATUS_OK;
}

enum status check_find_problems(struct checking *report, struct error *error)
{
    struct preflight *preflight = &report->preflight;
    session_list_tables(report->session, report->out->arena, &report->tables);
    enum status status = preflight_check(report->session, report->tables, &report->absent,
                                         &report->absent_count, preflight, error);
    if (status == STATUS_OK && preflight->count > 0) {
        check_worsen(report, error_exit_status(&preflight->first));
        check_add_each_line(report, &preflight->problems, check_add_problem);
    }
    return status == STATUS_OK ? check_ledger(report, error) : status;
}

static void add_plan_notes(struct checking *report)
{
    const struct plan *plan = report->session->plan;
    struct buffer line = {0};
    for (uint32_t i = 0; i < plan->note_count; i++) {
        const struct plan_note *note = &plan->notes[i];
        buffer_clear(&line);
        buffer_format(&line, "%s: %s", note->object, note->text);
        check_add_note(report, buffer_string(&line));
    }
    buffer_free(&line);
}

/* A check reads what is joined as a run will, but not where that costs money or very long. */
bool check_joins_are_dear(const struct run_session *session)
{
    struct buffer tables = {0};
    int64_t bytes = 0;
    if (session->joining == NULL) {
        return false;
    }
    joining_tell(session->joining, &tables, &bytes);
    buffer_free(&tables);
    return (session->source->capabilities & CAPABILITY_UNITS) != 0 || bytes > JOINED_BYTES_MAX;
}

static void add_join_notes(struct checking *report)
{
    const struct run_session *session = report->session;
    struct buffer tables = {0};
    struct buffer line = {0};
    int64_t bytes = 0;
    if (session->joining == NULL) {
        return;
    }
    joining_tell(session->joining, &tables, &bytes);
    buffer_format(&line,
                  "the source can't join: %s %s read once more before the copy and kept in the "
                  "state folder",
                  buffer_string(&tables), strchr(buffer_string(&tables), ',') ? "are" : "is");
    if (bytes >= 0) {
        char size[32];
        text_human_bytes((uint64_t)bytes, size, sizeof size);
        buffer_format(&line,
                      ", which takes about as much room as the columns that are used (%s in "
                      "all), and their keys",
                      size);
    }
    buffer_append_string(&line, check_joins_are_dear(session) ? "; to spare that, no records with "
                                                                "look-ups or lists are sampled here"
                                                              : "");
    check_add_note(report, buffer_string(&line));
    buffer_free(&tables);
    buffer_free(&line);
}

/* The things that rollback won't be able to do. */
static enum status add_undo_notes(struct checking *report, struct error *error)
{
    struct undo_decision decision;
    struct buffer notes = {0};
    enum status status =
        undo_decide(report->session, report->tables, report->out->arena, &decision, &notes, error);
    if (status == STATUS_OK) {
        status = since_tell(report->session, decision.tables, &notes, error);
    }
    if (status == STATUS_OK) {
        status = emptying_tell(report->session, decision.tables, &notes, error);
    }
    if (status == STATUS_OK) {
        check_add_each_line(report, &notes, check_add_note);
    }
    buffer_free(&notes);
    return status;
}

/* Objects that are dropped for the load and put back after it. */
static enum status add_rebuild_notes(struct checking *report, struct error *error)
{
    struct buffer notes = {0};
    enum status status = preflight_foretell(report->session, report->tables, &notes, error);
    if (status == STATUS_OK) {
        check_add_each_line(report, &notes, check_add_note);
    }
    buffer_free(&notes);
    return status;
}

static void add_lane_notes(struct checking *report)
{
    const struct run_session *session = report->session;
    uint32_t express = 0;
    char line[200];
    for (uint32_t i = 0; i < session->plan->stream_count; i++) {
        express += session_is_express(session, &session->plan->streams[i]);
    }
    if (express > 0) {
        snprintf(line, sizeof(line),
                 "%" PRIu32 " of %" PRIu32 " tables take the express lane: the "
                 "target pulls them from the source itself",
                 express, session->plan->stream_count);
        check_add_note(report, line);
    }
    if (!run_can_resume(session)) {
        check_add_note(report,
                       "the target keeps no ledger: a run that breaks off can't be resumed, and "
                       "migrating again writes all of it again");
    }
    if ((session->source->capabilities & CAPABILITY_SNAPSHOT) == 0) {
        check_add_note(report, "the source knows no snapshot: what changes during the copy may be "
                               "seen or not");
    }
}

enum status check_find_notes(struct checking *report, struct error *error)
{
    struct database *source = report->session->source;
    struct buffer caveats = {0};
    struct buffer inventory = {0};
    enum status status = STATUS_OK;
    add_plan_notes(report);
    if (!report->session->options.making.strict) { /* a problem there */
        check_add_each_line(report, &report->preflight.unfit, check_add_note);
        check_add_each_line(report, &report->preflight.changed, check_add_note);
    }
    check_append_inventory(report->session, &report->preflight, &inventory);
    check_add_each_line(report, &inventory, check_add_note);
    buffer_free(&inventory);
    if (source->connector->source->caveats != NULL) {
        status = source->connector->source->caveats(source, &caveats, error);
        if (status == STATUS_OK) {
            check_add_each_line(report, &caveats, check_add_note);
        }
    }
    if (status == STATUS_OK) {
        buffer_clear(&caveats);
        status = losses_tell(report->session, &caveats, error);
        check_add_each_line(report, &caveats, check_add_note);
    }
    buffer_free(&caveats);
    if (status != STATUS_OK) {
        return status;
    }
    add_join_notes(report);
    if (add_undo_notes(report, error) != STATUS_OK ||
        add_rebuild_notes(report, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_lane_notes(report);
    return STATUS_OK;
}
