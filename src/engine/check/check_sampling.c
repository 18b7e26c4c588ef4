/* The sample that a check reads of each stream, and the estimates that are made of it
 * (check_internal.h). */
#include "engine/check/check_internal.h"

#include "base/clock.h"
#include "connectors/contract/defaults.h"
#include "engine/check/check_keys.h"
#include "engine/check/foresee.h"
#include "engine/copy/sampling.h"
#include "engine/join/joining.h"
#include "plan/mapping.h"
#include <inttypes.h>

enum {
    KEYS_MS = 10000,       /* comparing the keys of queries, all of them together */
    ESTIMATE_MS = 2000,    /* all streams together, unless it is said otherwise */
    WRITE_SHARE = 2,       /* writing takes about as long as reading and mapping */
    ESTIMATE_MS_MIN = 3000 /* below that nobody wants to know */
};
/* The sample that was read of one stream. */
struct sampled {
    const struct checking *report;
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
static void tell_unfound(struct checking *report, const struct sampled *sampled)
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
            bool plain = field->document_field != NULL && field->kind == FIELD_VALUE &&
                         field->value.origin == ORIGIN_COLUMN && field->when == MAPPING_NONE;
            if (plain && place >= 0 && !sampled->found[i][place]) {
                struct buffer line = {0};
                buffer_format(&line,
                              "%s: no record that was looked at has a field '%s': %s is NULL in "
                              "all of them",
                              entity->name, field->document_field, field->name);
                check_add_note(report, buffer_string(&line));
                buffer_free(&line);
            }
        }
    }
}

static void report_stream(struct checking *report, const struct sampled *sampled,
                          int64_t elapsed_ns)
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
static enum status check_keys(struct checking *report, const struct plan_stream *stream,
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
        check_worsen(report, error_describe(ERROR_PLAN_INVALID)->exit_status);
        check_add_problem(report, buffer_string(&line));
        status = STATUS_END;
    } else if (status == STATUS_OK && !keys.whole) {
        buffer_format(&line,
                      "%s: the keys of the first %" PRIu64 " rows of its query do not repeat; the "
                      "others were not compared",
                      stream->name, keys.rows);
        check_add_note(report, buffer_string(&line));
    }
    buffer_free(&line);
    buffer_free(&keys.shown);
    return status;
}

/* The load of a stream that was not read is unknown. */
static void leave_unknown(struct checking *report, const struct plan_stream *stream)
{
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        report->loads[report->session->plan->entities[stream->entities[i]].table].records = -1;
    }
}

enum status check_sample_streams(struct checking *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct plan *plan = session->plan;
    int64_t keys_until_ms = clock_monotonic_ms() + KEYS_MS;
    bool *repeating = arena_allocate_zeroed(session->arena, plan->stream_count, sizeof(bool));
    bool dear = check_joins_are_dear(session);
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
