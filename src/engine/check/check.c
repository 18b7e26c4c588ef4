/* The preflight report: counts, keys, guarantee, notes, problems, and an estimate from a timed
 * sample. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "engine/check/check_inventory.h"
#include "engine/check/check_keys.h"
#include "engine/check/code.h"
#include "engine/check/ddl.h"
#include "engine/check/foresee.h"
#include "engine/check/orphans.h"
#include "engine/check/partitions.h"
#include "engine/check/preflight.h"
#include "engine/check/rights.h"
#include "engine/copy/sampling.h"
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/follow/follow_foresee.h"
#include "engine/hooks/hooks.h"
#include "engine/join/joining.h"
#include "engine/rollback/undo.h"
#include "engine/session/losses.h"
#include "engine/session/renumber.h"
#include "engine/session/session_tables.h"
#include "engine/session/since.h"
#include "engine/settle/emptying.h"
#include "engine/subset/subset.h"
#include "plan/mapping.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEYS_MS = 10000,       /* comparing the keys of queries, all of them together */
    ESTIMATE_MS = 2000,    /* all streams together, unless it is said otherwise */
    WRITE_SHARE = 2,       /* writing takes about as long as reading and mapping */
    ESTIMATE_MS_MIN = 3000 /* below that nobody wants to know */
};
/* More than that is not read by a check for look-ups and lists. */
static const int64_t JOINED_BYTES_MAX = (int64_t)1 << 30;

struct report {
    struct run_session *session;
    struct check_report *out;
    const char **notes;
    uint32_t note_capacity;
    const char **problems;
    uint32_t problem_capacity;
    struct target_table *tables;
    struct target_load *loads; /* of the whole run, by table */
    struct foresight *foresight;
    double milliseconds; /* of the whole run, estimated */
    struct preflight preflight;
    const char **absent; /* tables of the plan that the target does not have */
    uint32_t absent_count;
};

/* The sample that was read of one stream. */
struct sampled {
    const struct report *report;
    const struct plan_stream *stream;
    int64_t until_ms;
    uint64_t root_rows;
    uint64_t *made; /* by position in stream->entities */
    uint64_t *bytes;
    struct target_load *loads; /* likewise */
    bool **found; /* by position and field of the shape; [i] NULL: the target takes documents */
    bool whole;
    struct error *error;
    bool failed;
};

/* ---- lists of lines */

static void add_line(struct report *report, const char ***lines, uint32_t *count,
                     uint32_t *capacity, const char *line)
{
    struct arena *arena = report->out->arena;
    *lines = arena_make_room(arena, (void *)*lines, *count, capacity, sizeof **lines);
    char *copy = arena_copy_string(arena, line);
    text_clean_line(copy);
    (*lines)[(*count)++] = copy;
}

static void add_note(struct report *report, const char *line)
{
    add_line(report, &report->notes, &report->out->note_count, &report->note_capacity, line);
}

static void add_problem(struct report *report, const char *line)
{
    add_line(report, &report->problems, &report->out->problem_count, &report->problem_capacity,
             line);
}

static void add_each_line(struct report *report, struct buffer *text,
                          void (*add)(struct report *, const char *))
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

static void worsen(struct report *report, int exit_status)
{
    if (report->out->refused == EXIT_DONE || exit_status == EXIT_REFUSED) {
        report->out->refused = exit_status;
    }
}

static enum status find_open_run(struct report *report, struct ledger_run **run,
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

static enum status check_ledger(struct report *report, struct error *error)
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
    worsen(report, error_describe(ERROR_RUN_UNFINISHED)->exit_status);
    add_problem(report, line);
    return STATUS_OK;
}

static enum status find_problems(struct report *report, struct error *error)
{
    struct preflight *preflight = &report->preflight;
    session_list_tables(report->session, report->out->arena, &report->tables);
    enum status status = preflight_check(report->session, report->tables, &report->absent,
                                         &report->absent_count, preflight, error);
    if (status == STATUS_OK && preflight->count > 0) {
        worsen(report, error_exit_status(&preflight->first));
        add_each_line(report, &preflight->problems, add_problem);
    }
    return status == STATUS_OK ? check_ledger(report, error) : status;
}

static void add_plan_notes(struct report *report)
{
    const struct plan *plan = report->session->plan;
    struct buffer line = {0};
    for (uint32_t i = 0; i < plan->note_count; i++) {
        const struct plan_note *note = &plan->notes[i];
        buffer_clear(&line);
        buffer_format(&line, "%s: %s", note->object, note->text);
        add_note(report, buffer_string(&line));
    }
    buffer_free(&line);
}

/* A check reads what is joined as a run will, but not where that costs money or very long. */
static bool joins_are_dear(const struct run_session *session)
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

static void add_join_notes(struct report *report)
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
    buffer_append_string(&line, joins_are_dear(session) ? "; to spare that, no records with "
                                                          "look-ups or lists are sampled here"
                                                        : "");
    add_note(report, buffer_string(&line));
    buffer_free(&tables);
    buffer_free(&line);
}

/* The things that rollback won't be able to do. */
static enum status add_undo_notes(struct report *report, struct error *error)
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
        add_each_line(report, &notes, add_note);
    }
    buffer_free(&notes);
    return status;
}

/* Objects that are dropped for the load and put back after it. */
static enum status add_rebuild_notes(struct report *report, struct error *error)
{
    struct buffer notes = {0};
    enum status status = preflight_foretell(report->session, report->tables, &notes, error);
    if (status == STATUS_OK) {
        add_each_line(report, &notes, add_note);
    }
    buffer_free(&notes);
    return status;
}

static void add_lane_notes(struct report *report)
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
        add_note(report, line);
    }
    if (!run_can_resume(session)) {
        add_note(report, "the target keeps no ledger: a run that breaks off can't be resumed, and "
                         "migrating again writes all of it again");
    }
    if ((session->source->capabilities & CAPABILITY_SNAPSHOT) == 0) {
        add_note(report, "the source knows no snapshot: what changes during the copy may be "
                         "seen or not");
    }
}

static enum status find_notes(struct report *report, struct error *error)
{
    struct database *source = report->session->source;
    struct buffer caveats = {0};
    struct buffer inventory = {0};
    enum status status = STATUS_OK;
    add_plan_notes(report);
    if (!report->session->options.making.strict) { /* a problem there */
        add_each_line(report, &report->preflight.unfit, add_note);
        add_each_line(report, &report->preflight.changed, add_note);
    }
    check_append_inventory(report->session, &report->preflight, &inventory);
    add_each_line(report, &inventory, add_note);
    buffer_free(&inventory);
    if (source->connector->source->caveats != NULL) {
        status = source->connector->source->caveats(source, &caveats, error);
        if (status == STATUS_OK) {
            add_each_line(report, &caveats, add_note);
        }
    }
    if (status == STATUS_OK) {
        buffer_clear(&caveats);
        status = losses_tell(report->session, &caveats, error);
        add_each_line(report, &caveats, add_note);
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

/* ---- samples */

static void add_load(const struct sampled *sampled, const struct batch *batch,
                     struct target_load *load)
{
    const struct run_session *session = sampled->report->session;
    struct database *target = session->target;
    uint32_t table = session->plan->entities[batch->entity].table;
    for (uint32_t row = 0;
         connector_forecast(target->connector)->load_add != NULL && row < batch->row_count; row++) {
        connector_forecast(target->connector)
            ->load_add(target, &sampled->report->tables[table], batch->shape, batch_row(batch, row),
                       load);
    }
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct sampled *sampled = context;
    const struct plan_stream *stream = sampled->stream;
    sampled->failed = foresee_take(sampled->report->foresight, parcel, sampled->error) != STATUS_OK;
    sampled->root_rows += parcel->root_rows;
    sampled->whole = parcel->kind == PARCEL_END;
    for (uint32_t i = 0; sampled->whole && i < stream->entity_count; i++) {
        sampled->made[i] = parcel->tallies[i].made;
    }
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        const struct batch *batch = parcel->batches[i];
        uint32_t position = 0;
        while (position + 1 < stream->entity_count && stream->entities[position] != batch->entity) {
            position++;
        }
        sampled->made[position] += batch->row_count;
        add_load(sampled, batch, &sampled->loads[position]);
        uint32_t fields = batch_shape_width(batch->shape);
        for (uint32_t row = 0; row < batch->row_count; row++) {
            for (uint32_t field = 0; field < fields; field++) {
                const struct cell *cell = &batch_row(batch, row)[field];
                sampled->bytes[position] += value_bytes(cell) + 8;
                if (sampled->found[position] != NULL) {
                    sampled->found[position][field] |= cell->kind > VALUE_NULL;
                }
            }
        }
    }
    parcel_destroy(parcel);
    bool goes_on = sampled->root_rows < FORESEE_RECORDS ||
                   clock_monotonic_ms() < sampled->until_ms || sampled->whole;
    return goes_on && !sampled->failed ? STATUS_OK : STATUS_END;
}

static double scale_of(const struct sampled *sampled, int64_t row_count)
{
    if (sampled->whole) {
        return 1;
    }
    return row_count < 0 || sampled->root_rows == 0
               ? -1
               : (double)row_count / (double)sampled->root_rows;
}

/* Documents have no columns: a slip in a field's name is NULL everywhere, and no error. */
static void tell_unfound(struct report *report, const struct sampled *sampled)
{
    const struct run_session *session = report->session;
    const struct plan_stream *stream = sampled->stream;
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        const struct plan_entity *entity = &session->plan->entities[stream->entities[i]];
        const struct mapping *mapping = entity->mapping;
        bool looked = sampled->found[i] != NULL && sampled->made[i] > 0;
        for (uint32_t k = 0; looked && mapping != NULL && k < mapping->field_count; k++) {
            const struct mapping_field *field = &mapping->fields[k];
            int32_t place = shape_field_find(entity->shape, field->name);
            bool plain = field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN &&
                         field->when == MAPPING_NONE;
            if (plain && place >= 0 && !sampled->found[i][place]) {
                struct buffer line = {0};
                buffer_format(&line,
                              "%s: no record that was looked at has a field '%s': %s is NULL in "
                              "all of them",
                              entity->name, stream->request.columns[field->value.index].name,
                              field->name);
                add_note(report, buffer_string(&line));
                buffer_free(&line);
            }
        }
    }
}

static void report_stream(struct report *report, const struct sampled *sampled, int64_t elapsed_ns)
{
    const struct plan_stream *stream = sampled->stream;
    int64_t row_count = report->session->facts[stream->number].row_count;
    double scale = scale_of(sampled, row_count);
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        struct check_entity *entity = &report->out->entities[stream->entities[i]];
        if (stream->identity && row_count >= 0 && !sampled->whole) {
            entity->records = row_count;
        } else if (scale >= 0) {
            entity->records = (int64_t)((double)sampled->made[i] * scale + 0.5);
        }
        struct target_load *load =
            &report->loads[report->session->plan->entities[stream->entities[i]].table];
        if (scale >= 0) {
            entity->bytes = (int64_t)((double)sampled->bytes[i] * scale + 0.5);
            report->out->bytes_estimate += entity->bytes;
            load->records += load->records < 0 ? 0 : sampled->loads[i].records * scale;
            load->bytes += sampled->loads[i].bytes * scale;
            load->units += sampled->loads[i].units * scale;
        } else {
            load->records = -1;
        }
    }
    if (scale >= 0) {
        report->milliseconds += (double)elapsed_ns / 1e6 * scale * WRITE_SHARE;
    }
}

/*
 * Two rows of a query under one key would mix up their lists and aggregates, and that its key is
 * one only the plan says. STATUS_END: they repeat, the stream can't be read.
 */
static enum status check_keys(struct report *report, const struct plan_stream *stream,
                              int64_t until_ms, struct error *error)
{
    struct key_check keys = {0};
    struct buffer line = {0};
    if (stream->request.query == NULL || stream->child_count == 0 || stream->key_columns == NULL) {
        return STATUS_OK;
    }
    enum status status = check_query_key(report->session, stream, until_ms, &keys, error);
    if (status == STATUS_OK && keys.repeats) {
        buffer_format(&line,
                      "%s: two rows of its query have the same key (%s), so that their lists and "
                      "aggregates would be mixed up: name columns in `key:` that no two rows share",
                      stream->name, buffer_string(&keys.shown));
        worsen(report, error_describe(ERROR_PLAN_INVALID)->exit_status);
        add_problem(report, buffer_string(&line));
        status = STATUS_END;
    } else if (status == STATUS_OK && !keys.whole) {
        buffer_format(&line,
                      "%s: the keys of the first %" PRIu64 " rows of its query do not repeat; the "
                      "others were not compared",
                      stream->name, keys.rows);
        add_note(report, buffer_string(&line));
    }
    buffer_free(&line);
    buffer_free(&keys.shown);
    return status;
}

/* The load of a stream that was not read is unknown. */
static void leave_unknown(struct report *report, const struct plan_stream *stream)
{
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        report->loads[report->session->plan->entities[stream->entities[i]].table].records = -1;
    }
}

static enum status sample_streams(struct report *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct plan *plan = session->plan;
    int64_t keys_until_ms = clock_monotonic_ms() + KEYS_MS;
    bool *repeating = arena_allocate_zeroed(session->arena, plan->stream_count, sizeof(bool));
    bool dear = joins_are_dear(session);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        enum status status = check_keys(report, &plan->streams[i], keys_until_ms, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        bool joined = plan->streams[i].joined != NULL || plan->streams[i].child_count > 0;
        repeating[i] = status == STATUS_END || (joined && dear);
    }
    /* before the clock runs: it is no part of what a record takes */
    if (session->joining != NULL && !dear &&
        joining_prepare(session->joining, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->unreadable = repeating;
    int64_t for_ms = session->options.check.estimate_ms;
    int64_t until_ms = clock_monotonic_ms() + (for_ms > 0 ? for_ms : ESTIMATE_MS);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (repeating[i]) {
            leave_unknown(report, &plan->streams[i]);
            continue;
        }
        int64_t now = clock_monotonic_ms();
        int64_t left = until_ms > now ? until_ms - now : 0;
        struct sampled sampled = {.report = report,
                                  .stream = &plan->streams[i],
                                  .error = error,
                                  .until_ms = now + left / (int64_t)(plan->stream_count - i)};
        uint32_t entities = plan->streams[i].entity_count;
        sampled.made = arena_allocate_zeroed(report->out->arena, entities, sizeof(uint64_t));
        sampled.bytes = arena_allocate_zeroed(report->out->arena, entities, sizeof(uint64_t));
        sampled.loads = arena_allocate_zeroed(report->out->arena, entities, sizeof(*sampled.loads));
        sampled.found = arena_allocate_zeroed(report->out->arena, entities, sizeof(bool *));
        bool documents = (session->source->connector->capabilities & CAPABILITY_FREE_FIELDS) != 0 &&
                         (session->source->connector->capabilities & CAPABILITY_SQL_SCHEMA) == 0;
        for (uint32_t k = 0; documents && k < entities; k++) {
            uint32_t width = plan->entities[plan->streams[i].entities[k]].shape->field_count;
            sampled.found[k] =
                width > 0 ? arena_allocate_zeroed(report->out->arena, width, sizeof(bool)) : NULL;
        }
        int64_t began = clock_monotonic_ns();
        if (sampling_read(session, &plan->streams[i], take_parcel, &sampled, error) ==
                STATUS_FAILED ||
            sampled.failed) {
            return STATUS_FAILED;
        }
        report_stream(report, &sampled, clock_monotonic_ns() - began);
        tell_unfound(report, &sampled);
    }
    double readers = session_reader_count(session);
    report->out->seconds_estimate = report->milliseconds / readers < ESTIMATE_MS_MIN
                                        ? -1
                                        : (int64_t)(report->milliseconds / readers / 1000 + 0.5);
    return STATUS_OK;
}

/* The target's words on the load: units, cost. */
static enum status tell_loads(struct report *report, struct error *error)
{
    struct database *target = report->session->target;
    struct buffer lines = {0};
    if (connector_forecast(target->connector)->load_describe == NULL) {
        return STATUS_OK;
    }
    enum status status = connector_forecast(target->connector)
                             ->load_describe(target, report->tables, report->loads,
                                             report->session->plan->table_count, &lines, error);
    if (status == STATUS_OK) {
        add_each_line(report, &lines, add_note);
    }
    buffer_free(&lines);
    return status;
}

/* ---- the report */

static const char *keys_text(const struct report *report, const struct plan_table *table)
{
    const char *how = table->target.key.count == 0              ? "no key"
                      : table->keys_proven                      ? "proven"
                      : session_settles(report->session, table) ? "looked for after the load"
                                                                : "enforced by the target";
    const char *keys = table->keys_reason == NULL
                           ? how
                           : arena_format(report->out->arena, "%s: %s", how, table->keys_reason);
    return table->statics_proven
               ? keys
               : arena_format(report->out->arena, "%s; %s: looked for after the load", keys,
                              table->statics_reason);
}

static const char *guarantee_text(const struct run_session *session)
{
    switch (run_guarantee(session)) {
    case GUARANTEE_EXACTLY_ONCE:
        return "after any crash and resume each record is there, and there once";
    case GUARANTEE_IDEMPOTENT:
        return "a crash may make some records be written again, under the same key with "
               "the same contents";
    default:
        return "a crash may leave some records twice";
    }
}

static void list_entities(struct report *report)
{
    const struct plan *plan = report->session->plan;
    struct check_report *out = report->out;
    out->entities = arena_allocate_zeroed(out->arena, plan->entity_count, sizeof(*out->entities));
    report->loads = arena_allocate_zeroed(out->arena, plan->table_count, sizeof(*report->loads));
    out->entity_count = plan->entity_count;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct plan_table *table = &plan->tables[entity->table];
        out->entities[i] = (struct check_entity){
            .name = entity->name,
            .table = table->target.name,
            .from = entity->from_text,
            .records = -1,
            .bytes = -1,
            .keys = keys_text(report, table),
            .chosen = -1,
            .partners = -1,
            .express = session_is_express(report->session, &plan->streams[entity->stream])};
    }
}

/* Rejects that are certain: the run itself is not refused for them. */
static enum status tell_foreseen(struct report *report, struct error *error)
{
    struct buffer lines = {0};
    uint32_t count = report->session->plan->entity_count;
    struct orphans orphans = {
        .rejected = memory_allocate_zeroed(count + (size_t)1, sizeof *orphans.rejected)};
    for (uint32_t i = 0; i < count; i++) {
        orphans.rejected[i] = foresee_rejected(report->foresight, i);
    }
    foresee_tell(report->foresight, &lines);
    foresee_list(report->foresight, &report->out->rejects, &report->out->reject_count);
    enum status status = orphans_foresee(report->session, &lines, &orphans, error);
    for (uint32_t i = 0; i < count; i++) {
        report->out->foreseen_rejects += orphans.rejected[i];
    }
    report->out->foreseen_emptied = orphans.emptied;
    add_each_line(report, &orphans.notes, add_note);
    buffer_free(&orphans.notes);
    free(orphans.rejected);
    add_each_line(report, &lines, add_problem);
    buffer_free(&lines);
    return status;
}

static enum status tell_partitions(struct report *report, struct error *error)
{
    struct buffer lines = {0};
    enum status status = partitions_foretell(report->session, true, &lines, error);
    if (status == STATUS_OK) {
        add_each_line(report, &lines, add_note);
    }
    buffer_free(&lines);
    return status;
}

/* Records that are read, where they may be. */
static enum status read_some(struct report *report, struct error *error)
{
    report->foresight = foresee_create(report->session, report->tables, &report->preflight,
                                       report->absent, report->absent_count, report->out->arena);
    enum status status = sample_streams(report, error);
    foresee_end(report->foresight);
    if (status != STATUS_OK || tell_foreseen(report, error) != STATUS_OK ||
        tell_partitions(report, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return tell_loads(report, error);
}

/* "what is missing; the statement that helps", each in the report's arena. */
static struct check_list lack_lines(const struct report *report, const struct lack_list *lacks)
{
    struct arena *arena = report->out->arena;
    const char **lines = arena_allocate_zeroed(arena, lacks->count + (size_t)1, sizeof *lines);
    for (uint32_t i = 0; i < lacks->count; i++) {
        const struct lack *lack = &lacks->items[i];
        lines[i] = arena_format(arena, "%s%s%s", lack->text, lack->remedy != NULL ? "; " : "",
                                lack->remedy != NULL ? lack->remedy : "");
    }
    return (struct check_list){lines, lacks->count};
}

/* A lack that stands in the way of following stands in that of a cut-over, too, and is said once.
 */
static void drop_told(struct lack_list *lacks, const struct lack_list *told)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lacks->count; i++) {
        bool is_told = false;
        for (uint32_t t = 0; t < told->count && !is_told; t++) {
            is_told = strcmp(lacks->items[i].text, told->items[t].text) == 0;
        }
        if (!is_told) {
            lacks->items[kept++] = lacks->items[i];
        }
    }
    lacks->count = kept;
}

static enum status foresee_following(struct report *report, struct error *error)
{
    struct run_session *session = report->session;
    struct check_follow *follow = &report->out->follow;
    struct lack_list lacks = {.arena = report->out->arena};
    struct lack_list cut_over = {.arena = report->out->arena};
    if (!session->options.follow.wanted) {
        return STATUS_OK;
    }
    if (follow_foresee(session, &lacks, follow, error) != STATUS_OK ||
        (session->source->connector->feed != NULL && session->target->connector->apply != NULL &&
         !session->target->connector->apply->keeps_log &&
         cutover_ask(session, NULL, CUTOVER_ASKED_FIRST, &cut_over, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    drop_told(&cut_over, &lacks);
    follow->refusals = lack_lines(report, &lacks);
    follow->cut_over = lack_lines(report, &cut_over);
    for (uint32_t i = 0; i < lacks.count; i++) {
        add_problem(report, follow->refusals.lines[i]);
        worsen(report, lacks.items[i].exit_status);
    }
    return STATUS_OK;
}

/* The hooks that the plan runs beside the copy, and whether it may. */
static void show_hooks(struct report *report)
{
    struct run_session *session = report->session;
    struct buffer lines = {0};
    struct error error = {0};
    const char **list = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    hooks_describe(session, &lines);
    char *copy = lines.length == 0 ? NULL : memory_copy_string(buffer_string(&lines));
    char *next = copy;
    for (char *line; (line = strsep(&next, "\n")) != NULL && *line != '\0';) {
        add_line(report, &list, &count, &capacity, line);
    }
    free(copy);
    report->out->hooks = (struct check_list){list, count};
    buffer_clear(&lines);
    if (hooks_check(session, &error) != STATUS_OK) {
        buffer_format(&lines, "%s: %s; %s", error.object, error.message, error.hint);
        add_problem(report, buffer_string(&lines));
        worsen(report, error_exit_status(&error));
    }
    buffer_free(&lines);
}

/* The work that will be left about the rights of a plain copy. */
static enum status show_rights(struct report *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct schema *objects = session_objects(session);
    struct arena *arena = report->out->arena;
    struct rights_left left = {.arena = arena};
    struct check_report *out = report->out;
    if (objects == NULL || sql_target->rights_left == NULL) {
        return STATUS_OK;
    }
    if (sql_target->rights_left(session->target, objects, &left, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **lines = arena_allocate_zeroed(arena, left.count * (size_t)4 + 1, sizeof *lines);
    out->opened.lines = lines;
    out->openings.lines = lines + left.count;
    out->unopened.lines = lines + 2 * left.count;
    out->rights.lines = lines + 3 * left.count;
    bool opens = rights_left_open(&left);
    for (uint32_t i = 0; i < left.count; i++) {
        const struct right_left *item = &left.items[i];
        if (opens && strcmp(item->kind, "role") == 0 &&
            item->statement != NULL) { /* what closes something may name it */
            lines[left.count + out->openings.count++] = arena_format(arena, "%s;", item->statement);
            continue;
        }
        if (item->statement == NULL && !item->opens) {
            add_note(report, arena_format(arena, "%s: %s", item->object, item->text));
            continue;
        }
        struct check_list *why = item->opens ? &out->opened : &out->unopened;
        struct check_list *statements = item->opens ? &out->openings : &out->rights;
        lines[why->lines - lines + why->count++] =
            arena_format(arena, "%s: %s", item->object, item->text);
        if (item->statement != NULL) {
            lines[statements->lines - lines + statements->count++] =
                arena_format(arena, "%s;", item->statement);
        }
    }
    return STATUS_OK;
}

static enum status show_ddl(struct report *report, struct error *error)
{
    struct run_session *session = report->session;
    struct check_ddl *ddl = &report->out->ddl;
    struct script script = {.arena = report->out->arena};
    const struct ddl_request request = {.tables = report->tables,
                                        .absent = report->absent,
                                        .absent_count = report->absent_count,
                                        .unfit = report->preflight.unfit_objects};
    ddl->asked = session->options.check.shows_ddl;
    ddl->scripted = connector_forecast(session->target->connector)->script != NULL;
    if (!ddl->asked) {
        return STATUS_OK;
    }
    if (ddl_columns(session, &request, report->out->arena, &ddl->columns, &ddl->column_count,
                    error) != STATUS_OK ||
        ddl_script(session, &request, &script, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ddl->statements = script.statements;
    ddl->statement_count = script.count;
    return STATUS_OK;
}

/* Which rows --sample-rows chooses, which takes reading their keys. */
static enum status choose_rows(struct report *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct plan *plan = session->plan;
    if (session_choose_rows(session, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; session->subset != NULL && i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct subset_count count = subset_count_of(session->subset, entity->stream);
        struct check_entity *out = &report->out->entities[i];
        struct buffer line = {0};
        out->chosen = (int64_t)count.chosen;
        out->partners = (int64_t)count.partners;
        buffer_format(
            &line, "%s: %" PRIu64 " of %" PRIu64 " rows, and %" PRIu64 " that chosen ones refer to",
            entity->name, count.chosen, count.rows, count.partners);
        add_note(report, buffer_string(&line));
        buffer_free(&line);
    }
    return STATUS_OK;
}

/* The records that are read are no sample of these any more, but their number is known. */
static void count_chosen(struct report *report)
{
    const struct plan *plan = report->session->plan;
    for (uint32_t i = 0; report->session->subset != NULL && i < plan->entity_count; i++) {
        struct check_entity *out = &report->out->entities[i];
        if (session_makes_one_each(&plan->entities[i])) {
            out->records = out->chosen + out->partners;
        }
    }
}

enum status run_check(struct run_session *session, struct check_report *out, struct error *error)
{
    struct report report = {.session = session, .out = out};
    *out = (struct check_report){.seconds_estimate = -1, .arena = arena_create(0)};
    out->guarantee = run_guarantee(session);
    out->guarantee_text = guarantee_text(session);
    list_entities(&report);
    show_hooks(&report);
    bool failed = find_problems(&report, error) != STATUS_OK;
    bool readable = report.preflight.lacking_count == 0;
    failed = failed || (readable && (session_snapshot(session, 1, error) != STATUS_OK ||
                                     session_describe_streams(session, error) != STATUS_OK ||
                                     renumber_measure(session, error) != STATUS_OK));
    failed = failed || find_notes(&report, error) != STATUS_OK ||
             show_ddl(&report, error) != STATUS_OK || show_rights(&report, error) != STATUS_OK ||
             check_code(session, out->arena, &out->code, error) != STATUS_OK ||
             foresee_following(&report, error) != STATUS_OK ||
             rights_foresee(session, report.tables, report.absent, report.absent_count, out->arena,
                            &out->account, error) != STATUS_OK ||
             (readable &&
              (choose_rows(&report, error) != STATUS_OK || read_some(&report, error) != STATUS_OK));
    count_chosen(&report);
    preflight_free(&report.preflight);
    if (failed) {
        arena_destroy(out->arena);
        *out = (struct check_report){0};
        return STATUS_FAILED;
    }
    out->notes = report.notes;
    out->problems = report.problems;
    return STATUS_OK;
}
