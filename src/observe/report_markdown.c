/* The report as Markdown, for a ticket or a merge request. */
#include "observe/report_parts.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ENTITIES_SHOWN = 200,
    SLOWEST_SHOWN = 8,
    REASONS_SHOWN = 30,
    SAMPLES_SHOWN = 6,
    DIFFERENCES_SHOWN = 20
};

static void append_fact(struct buffer *out, const char *name, const char *value)
{
    buffer_format(out, "| %s | ", name);
    report_markdown(out, value == NULL ? "–" : value);
    buffer_append_string(out, " |\n");
}

static void append_connection(struct buffer *out, const char *side, const json_t *connection)
{
    struct buffer text = {0};
    report_append_connection(&text, connection);
    if (text.length > 0) {
        append_fact(out, side, buffer_string(&text));
    }
    buffer_free(&text);
}

static void append_summary(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, "# ");
    report_markdown(out, report->source);
    buffer_append_string(out, " → ");
    report_markdown(out, report->target);
    buffer_format(out, "\n\n**%s**\n\n| | |\n|---|---|\n", report_verdict(report));
    append_fact(out, "run", report->run);
    append_fact(out, "began", report->started_at);
    append_fact(out, report->ended_at == NULL ? "last seen" : "ended",
                report->ended_at == NULL ? report->updated_at : report->ended_at);
    buffer_append_string(out, "| records written | ");
    report_append_count(out, report->sum.written);
    buffer_append_string(out, " |\n| rejected | ");
    report_append_count(out, report->sum.rejected);
    buffer_append_string(out, " |\n| data | ");
    report_append_bytes(out, report->sum.bytes);
    buffer_append_string(out, " |\n| working time | ");
    report_append_seconds(out, report->seconds);
    buffer_append_string(out, " |\n| chunks | ");
    report_append_count(out, report->chunk_done_count);
    buffer_append_string(out, " of ");
    report_append_count(out, report->chunk_count);
    buffer_append_string(out, " |\n| calls tried again | ");
    report_append_count(out, report->retries);
    buffer_append_string(out, " |\n");
    append_fact(out, "guarantee", report->guarantee);
    append_fact(out, "snapshot", report->snapshot);
    if (report->mapping_version > 1) {
        buffer_format(out, "| version of the mapping | %" PRIu32 " |\n", report->mapping_version);
    }
    if (report->not_carried_sum != NULL) {
        append_fact(out, "not carried", report->not_carried_sum);
    }
    append_fact(out, "transhume", report->version);
    append_connection(out, "source", report->source_connection);
    append_connection(out, "target", report->target_connection);
    buffer_append_byte(out, '\n');
}

static void append_steps(const struct report *report, struct buffer *out)
{
    const char *steps[REPORT_STEPS_MAX];
    uint32_t count = report_next_steps(report, steps);
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "%s- %s\n", i == 0 ? "## Next\n\n" : "", steps[i]);
    }
    buffer_append_string(out, count > 0 ? "\n" : "");
}

static bool has_retries(const struct report *report)
{
    return report->sum.retries + report->sum.fallbacks > 0;
}

static void append_entity(const struct report *report, const struct report_entity *entity,
                          struct buffer *out)
{
    buffer_append_string(out, "| ");
    report_markdown(out, entity->name);
    buffer_append_string(out, " | ");
    report_markdown(out, entity->table);
    const uint64_t counts[] = {entity->made, entity->written, entity->rejected, entity->skipped,
                               entity->filtered};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        buffer_append_string(out, " | ");
        report_append_count(out, counts[i]);
    }
    buffer_append_string(out, " | ");
    report_append_bytes(out, entity->bytes);
    buffer_append_string(out, " | ");
    report_append_seconds(out, entity->seconds);
    if (has_retries(report)) {
        buffer_append_string(out, " | ");
        report_append_count(out, entity->retries);
        buffer_append_string(out, " | ");
        report_append_count(out, entity->fallbacks);
    }
    buffer_append_string(out, " |\n");
}

static void append_entities(const struct report *report, struct buffer *out)
{
    bool retries = has_retries(report);
    buffer_format(out,
                  "## What moved\n\n| entity | table | made | written | rejected | skipped | "
                  "left out | data | work |%s\n|---|---|--:|--:|--:|--:|--:|--:|--:|%s\n",
                  retries ? " retries | fallbacks |" : "", retries ? "--:|--:|" : "");
    for (uint32_t i = 0; i < report->entity_count && i < ENTITIES_SHOWN; i++) {
        append_entity(report, &report->entities[i], out);
    }
    if (report->entity_count > 1) {
        struct report_entity sum = report->sum;
        sum.name = "all";
        sum.table = "";
        for (uint32_t i = 0; i < report->stream_count; i++) {
            sum.seconds += report->streams[i].seconds;
        }
        append_entity(report, &sum, out);
    }
    if (report->entity_count > ENTITIES_SHOWN) {
        buffer_append_string(out, "\nThe first ");
        report_append_count(out, ENTITIES_SHOWN);
        buffer_append_string(out, " of ");
        report_append_count(out, report->entity_count);
        buffer_append_string(out, " entities; report.json has all.\n");
    }
    buffer_append_byte(out, '\n');
}

static void append_slowest(const struct report *report, struct buffer *out)
{
    uint32_t order[SLOWEST_SHOWN];
    uint32_t count = report_slowest_streams(report, order, SLOWEST_SHOWN);
    for (uint32_t i = 0; i < count; i++) {
        const struct report_stream *stream = &report->streams[order[i]];
        buffer_append_string(out, i == 0 ? "## What took longest\n\n| stream | chunks | work |\n"
                                           "|---|--:|--:|\n| "
                                         : "| ");
        report_markdown(out, stream->name);
        buffer_append_string(out, " | ");
        report_append_count(out, stream->chunk_count);
        buffer_append_string(out, " | ");
        report_append_seconds(out, stream->seconds);
        buffer_append_string(out, " |\n");
    }
    buffer_append_string(out, count > 0 ? "\n" : "");
}

static void append_rejects(const struct report *report, struct buffer *out)
{
    if (report->reason_count == 0) {
        return;
    }
    buffer_append_string(out, "## Rejects\n\n| entity | reason | records |\n|---|---|--:|\n");
    for (uint32_t i = 0; i < report->reason_count && i < REASONS_SHOWN; i++) {
        const struct report_reason *reason = &report->reasons[i];
        buffer_append_string(out, "| ");
        report_markdown(out, reason->entity);
        buffer_append_string(out, " | ");
        report_markdown(out, reason->code);
        buffer_append_string(out, " | ");
        report_append_count(out, reason->count);
        buffer_append_string(out, " |\n");
    }
    if (report->rejects_cut || report->reasons_left_out > 0) {
        buffer_append_string(out, "\nOf the first ");
        report_append_count(out, report->rejects_read - report->reasons_left_out);
        buffer_append_string(out, " rejects.\n");
    }
    buffer_append_byte(out, '\n');
    for (uint32_t i = 0; i < report->reject_sample_count && i < SAMPLES_SHOWN; i++) {
        const struct report_sample *sample = &report->reject_samples[i];
        buffer_append_string(out, "**Record** of ");
        report_markdown(out, sample->entity);
        buffer_append_byte(out, ' ');
        report_markdown(out, sample->key);
        buffer_append_string(out, " – ");
        report_markdown(out, sample->reason);
        buffer_append_string(out, sample->clipped ? " (the record is cut short here)\n\n" : "\n\n");
        report_markdown_block(out, "json", sample->record);
        buffer_append_byte(out, '\n');
    }
}

static void append_warnings(const struct report *report, struct buffer *out)
{
    for (uint32_t i = 0; i < report->warning_count; i++) {
        const struct report_warning *warning = &report->warnings[i];
        buffer_append_string(out, i == 0 ? "## Warnings\n\n- " : "- ");
        report_markdown(out, warning->message);
        report_append_repeats(out, warning);
        buffer_append_byte(out, '\n');
    }
    if (report->warnings_left_out > 0) {
        buffer_append_string(out, "\nAnd ");
        report_append_count(out, report->warnings_left_out);
        buffer_append_string(out, " more: events.jsonl has them.\n");
    }
    buffer_append_string(out, report->warning_count > 0 ? "\n" : "");
}

static void append_dumped(const json_t *value, struct buffer *out)
{
    char *text = report_shown(value);
    report_markdown(out, text == NULL ? "–" : text);
    free(text);
}

/* A row a field; a record that is missing or extra has one without. Why one can't be read stands
 * where others have what the target holds. */
static void append_difference(const json_t *record, const json_t *field, struct buffer *out)
{
    static const char *const of_record[] = {"kind", "entity", "key"};
    static const char *const of_field[] = {"name", "source", "target"};
    for (size_t i = 0; i < sizeof(of_record) / sizeof(of_record[0]); i++) {
        buffer_append_string(out, "| ");
        append_dumped(json_object_get(record, of_record[i]), out);
        buffer_append_byte(out, ' ');
    }
    for (size_t i = 0; i < sizeof(of_field) / sizeof(of_field[0]); i++) {
        const json_t *value = field == NULL && i == 2 ? json_object_get(record, "reason")
                                                      : json_object_get(field, of_field[i]);
        buffer_append_string(out, "| ");
        if (json_is_null(value)) {
            buffer_append_string(out, "(none)");
        } else if (value != NULL) {
            append_dumped(value, out);
        }
        buffer_append_byte(out, ' ');
    }
    buffer_append_string(out, "|\n");
}

static void append_differences(const json_t *records, struct buffer *out)
{
    size_t index;
    const json_t *record;
    json_array_foreach(records, index, record)
    {
        size_t at;
        const json_t *field;
        const json_t *fields = json_object_get(record, "fields");
        if (index == 0) {
            buffer_append_string(out, "| difference | entity | key | field | source | target |\n"
                                      "|---|---|---|---|---|---|\n");
        }
        if (index == DIFFERENCES_SHOWN) {
            buffer_format(out, "\nAnd %zu more: report.json has them.\n",
                          json_array_size(records) - index);
            break;
        }
        if (json_array_size(fields) == 0) {
            append_difference(record, NULL, out);
        }
        json_array_foreach(fields, at, field)
        {
            append_difference(record, field, out);
        }
    }
    buffer_append_string(out, json_array_size(records) > 0 ? "\n" : "");
}

/* The entities that the databases compared themselves, if they were to. */
static void append_pushed(const struct report *report, struct buffer *out)
{
    size_t index;
    const json_t *entity;
    const json_t *entities = json_object_get(report->validation, "entities");
    size_t all = 0;
    size_t pushed = report_count_pushed(entities, &all);
    if (all == 0) {
        return;
    }
    buffer_format(out, "The databases summed the hashes of %zu of %zu entities themselves.\n\n",
                  pushed, all);
    json_array_foreach(entities, index, entity)
    {
        if (report_text(entity, "read_because") != NULL) {
            buffer_append_string(out, "- ");
            report_markdown(out, report_text(entity, "name"));
            buffer_append_string(out, " was read: ");
            report_markdown(out, report_text(entity, "read_because"));
            buffer_append_byte(out, '\n');
        }
    }
    buffer_append_string(out, pushed < all ? "\n" : "");
}

static void append_notes(const json_t *notes, struct buffer *out)
{
    size_t index;
    const json_t *note;
    json_array_foreach(notes, index, note)
    {
        if (json_is_string(note)) {
            buffer_append_string(out, "Note: ");
            report_markdown(out, json_string_value(note));
            buffer_append_string(out, "\n\n");
        }
    }
}

static void append_validation(const struct report *report, struct buffer *out)
{
    static const char *const members[] = {"source", "target", "missing", "different", "extra"};
    size_t index;
    const json_t *entity;
    if (report->validation == NULL) {
        return;
    }
    const char *level = report_text(report->validation, "level");
    buffer_append_string(out, "## Validation\n\n");
    buffer_append_string(out, report_validation_words(report->validation));
    buffer_append_string(out, ", at level ");
    report_markdown(out, level == NULL ? "?" : level);
    buffer_append_string(out, ".\n\n| entity | source | target | missing | different | extra |\n"
                              "|---|--:|--:|--:|--:|--:|\n");
    json_array_foreach(json_object_get(report->validation, "entities"), index, entity)
    {
        buffer_append_string(out, "| ");
        report_markdown(out, report_text(entity, "name"));
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            buffer_append_string(out, " | ");
            if (json_is_integer(json_object_get(entity, members[i]))) {
                report_append_count(out, report_count(entity, members[i]));
            }
        }
        buffer_append_string(out, " |\n");
    }
    buffer_append_byte(out, '\n');
    append_pushed(report, out);
    append_notes(json_object_get(report->validation, "notes"), out);
    append_differences(json_object_get(report->validation, "records"), out);
}

static void append_errors(const struct report *report, struct buffer *out)
{
    size_t index;
    const json_t *error;
    json_array_foreach(json_object_get(report->state, "errors"), index, error)
    {
        buffer_append_string(out, index == 0 ? "## Errors\n\n- " : "- ");
        report_markdown(out, report_text(error, "at"));
        buffer_append_byte(out, ' ');
        report_markdown(out, report_text(error, "message"));
        buffer_append_byte(out, ' ');
        report_markdown(out, report_text(error, "code"));
        buffer_append_byte(out, '\n');
    }
}

void report_append_markdown(const struct report *report, struct buffer *out)
{
    append_summary(report, out);
    append_steps(report, out);
    report_append_repair_markdown(report, out);
    report_append_left_markdown(report, out);
    report_append_rights_markdown(report, out);
    append_entities(report, out);
    report_append_follow_markdown(report, out);
    append_slowest(report, out);
    append_rejects(report, out);
    append_warnings(report, out);
    append_validation(report, out);
    buffer_format(out, "## What was promised\n\n- Guarantee: %s\n- Snapshot: %s\n\n",
                  report_guarantee_text(report), report_snapshot_text(report));
    append_errors(report, out);
    if (report->plan != NULL) {
        buffer_append_string(out, "## Plan\n\n");
        report_markdown_block(out, "yaml", report->plan);
    }
}
