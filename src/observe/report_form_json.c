/* The report for programs. */
#include "observe/report_parts.h"

#include "model/json_tree.h"
#include <inttypes.h>

enum { SLOWEST_SHOWN = 20 };

static void append_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, ",\"%s\":", name);
    report_json(out, text);
}

static void append_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_format(out, ",\"%s\":%" PRIu64, name, number);
}

/* As it is in the state; null where it is not. */
void report_append_tree_json(struct buffer *out, const char *name, const json_t *tree)
{
    buffer_format(out, ",\n\"%s\":", name);
    if (tree == NULL || !json_tree_append(tree, JSON_COMPACT | JSON_ENCODE_ANY, out)) {
        buffer_append_string(out, "null");
    }
}

static void append_counts(const struct report_entity *entity, struct buffer *out)
{
    if (entity->total < 0) {
        buffer_append_string(out, "\"total\":null");
    } else {
        buffer_format(out, "\"total\":%" PRId64, entity->total);
    }
    append_number(out, "read", entity->read);
    append_number(out, "made", entity->made);
    append_number(out, "written", entity->written);
    append_number(out, "rejected", entity->rejected);
    append_number(out, "skipped", entity->skipped);
    append_number(out, "filtered", entity->filtered);
    append_number(out, "bytes", entity->bytes);
    append_number(out, "retries", entity->retries);
    append_number(out, "fallbacks", entity->fallbacks);
}

void report_append_entities_json(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, ",\n\"sum\":{");
    append_counts(&report->sum, out);
    buffer_append_string(out, "},\n\"entities\":[");
    for (uint32_t i = 0; i < report->entity_count; i++) {
        const struct report_entity *entity = &report->entities[i];
        buffer_append_string(out, i == 0 ? "\n{" : ",\n{");
        append_counts(entity, out);
        append_text(out, "name", entity->name);
        append_text(out, "table", entity->table);
        append_text(out, "stream", entity->stream);
        buffer_format(out, ",\"seconds\":%.3f}", entity->seconds);
    }
    buffer_append_byte(out, ']');
}

static void append_chunks(const struct report *report, struct buffer *out)
{
    buffer_format(out,
                  ",\n\"chunks\":{\"total\":%" PRIu64 ",\"done\":%" PRIu64
                  ",\"tried_again\":%" PRIu64 ",\"streams\":[",
                  report->chunk_count, report->chunk_done_count, report->chunk_again_count);
    for (uint32_t i = 0; i < report->stream_count; i++) {
        const struct report_stream *stream = &report->streams[i];
        buffer_append_string(out, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
        report_json(out, stream->name);
        append_number(out, "first", stream->first_chunk + 1);
        append_number(out, "total", stream->chunk_count);
        append_number(out, "done", stream->done_count);
        buffer_format(out, ",\"seconds\":%.3f}", stream->seconds);
    }
    buffer_append_string(out, "],\"slowest\":[");
    uint64_t order[SLOWEST_SHOWN];
    uint32_t count = report_slowest_chunks(report, order, SLOWEST_SHOWN);
    for (uint32_t i = 0; i < count; i++) {
        const struct report_chunk *chunk = &report->chunks[order[i]];
        buffer_format(out,
                      "%s{\"chunk\":%" PRIu64 ",\"seconds\":%.3f,\"tries\":%" PRIu32
                      ",\"written\":%" PRIu64 ",\"rejected\":%" PRIu32 ",\"bytes\":%" PRIu64 "}",
                      i == 0 ? "\n" : ",\n", order[i] + 1, chunk->seconds,
                      report_chunk_tries(chunk), chunk->written, chunk->rejected, chunk->bytes);
    }
    buffer_append_string(out, "]}");
}

static void append_rejects(const struct report *report, struct buffer *out)
{
    buffer_format(out, ",\n\"rejects\":{\"read\":%" PRIu64 ",\"whole\":%s,\"reasons\":[",
                  report->rejects_read,
                  report->rejects_cut || report->reasons_left_out > 0 ? "false" : "true");
    for (uint32_t i = 0; i < report->reason_count; i++) {
        const struct report_reason *reason = &report->reasons[i];
        buffer_append_string(out, i == 0 ? "\n{\"entity\":" : ",\n{\"entity\":");
        report_json(out, reason->entity);
        append_text(out, "table", reason->table);
        append_text(out, "code", reason->code);
        append_number(out, "records", reason->count);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "],\"samples\":[");
    for (uint32_t i = 0; i < report->reject_sample_count; i++) {
        const struct report_sample *sample = &report->reject_samples[i];
        buffer_append_string(out, i == 0 ? "\n{\"entity\":" : ",\n{\"entity\":");
        report_json(out, sample->entity);
        append_text(out, "table", sample->table);
        append_text(out, "code", sample->code);
        append_text(out, "reason", sample->reason);
        append_text(out, "key_text", sample->key);
        append_text(out, "record_text", sample->record);
        append_text(out, "file", sample->file);
        append_number(out, "line", sample->line);
        buffer_format(out, ",\"clipped\":%s}", sample->clipped ? "true" : "false");
    }
    buffer_append_string(out, "]}");
}

static void append_warnings(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, ",\n\"warnings\":[");
    for (uint32_t i = 0; i < report->warning_count; i++) {
        const struct report_warning *warning = &report->warnings[i];
        buffer_append_string(out, i == 0 ? "\n{\"at\":" : ",\n{\"at\":");
        report_json(out, warning->at);
        append_text(out, "message", warning->message);
        append_number(out, "count", warning->count);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
    append_number(out, "warnings_left_out", report->warnings_left_out);
}

static void append_throughput(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, ",\n\"throughput\":[");
    for (uint32_t i = 0; i < report->sample_count; i++) {
        const struct metrics_sample *sample = &report->samples[i];
        buffer_format(out, "%s{\"at\":%" PRId64 ",\"attempt\":%" PRIu32 ",\"phase\":\"%s\"",
                      i == 0 ? "\n" : ",\n", sample->at_ms, sample->attempt,
                      progress_phase_name((enum progress_phase)sample->phase));
        append_number(out, "written", sample->written);
        append_number(out, "rejected", sample->rejected);
        append_number(out, "skipped", sample->skipped);
        append_number(out, "bytes", sample->bytes);
        append_number(out, "chunks", sample->chunks);
        append_number(out, "retries", sample->retries);
        append_number(out, "throttled", sample->throttled);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

void report_append_json(const struct report *report, struct buffer *out)
{
    const char *steps[REPORT_STEPS_MAX];
    uint32_t count = report_next_steps(report, steps);
    buffer_append_string(out, "{\"format\":1");
    append_text(out, "run", report->run);
    append_text(out, "kind", report->kind);
    append_text(out, "verdict", report_verdict(report));
    append_text(out, "status", report->status);
    append_text(out, "phase", report->phase);
    buffer_format(out, ",\"interrupted\":%s,\"resumable\":%s",
                  report->interrupted ? "true" : "false", report->resumable ? "true" : "false");
    append_text(out, "source", report->source);
    append_text(out, "target", report->target);
    append_text(out, "guarantee", report->guarantee);
    append_text(out, "snapshot", report->snapshot);
    buffer_format(out, ",\"mapping_version\":%" PRIu32, report->mapping_version);
    append_text(out, "version", report->version);
    append_text(out, "started_at", report->started_at);
    append_text(out, "updated_at", report->updated_at);
    append_text(out, "ended_at", report->ended_at);
    buffer_format(out, ",\"seconds\":%.3f,\"retries\":%" PRIu64 ",\"throttled\":%" PRIu64,
                  report->seconds, report->retries, report->throttled);
    buffer_append_string(out, ",\n\"next\":[");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i == 0 ? "" : ",");
        report_json(out, steps[i]);
    }
    buffer_append_byte(out, ']');
    report_append_entities_json(report, out);
    append_chunks(report, out);
    append_rejects(report, out);
    append_warnings(report, out);
    append_text(out, "repairs", report->repairs);
    report_append_tree_json(out, "deleted", report->deleted);
    append_text(out, "not_carried_sum", report->not_carried_sum);
    report_append_tree_json(out, "not_carried", report->not_carried);
    report_append_tree_json(out, "rights", report->rights);
    report_append_tree_json(out, "validation", report->validation);
    report_append_tree_json(out, "attempts", json_object_get(report->state, "attempts"));
    report_append_tree_json(out, "errors", json_object_get(report->state, "errors"));
    report_append_tree_json(out, "source_connection", report->source_connection);
    report_append_tree_json(out, "target_connection", report->target_connection);
    report_append_tree_json(out, "follow", json_object_get(report->state, "follow"));
    report_append_tree_json(out, "source_use", json_object_get(report->state, "source_use"));
    report_append_tree_json(out, "target_use", json_object_get(report->state, "target_use"));
    report_append_tree_json(out, "settings", json_object_get(report->state, "settings"));
    append_throughput(report, out);
    buffer_append_string(out, ",\n\"plan\":");
    report_json(out, report->plan);
    buffer_append_string(out, "}\n");
}
