/* The page's sections that are tables. */
#include "observe/report_parts.h"

#include <inttypes.h>
#include <string.h>

enum {
    ENTITIES_SHOWN = 60,
    SLOWEST_SHOWN = 8,
    REASONS_SHOWN = 30,
    DIFFERENCES_SHOWN = 50,
    ERRORS_SHOWN = 5
};

/* ---- what moved */

static void count_cell(struct buffer *out, uint64_t count)
{
    buffer_append_string(out, count == 0 ? "<td class=\"nil\">" : "<td>");
    report_append_count(out, count);
}

static void append_entity(const struct report *report, const struct report_entity *entity,
                          struct buffer *out)
{
    buffer_append_string(out, "<tr><th scope=\"row\">");
    report_html(out, entity->name);
    if (strcmp(entity->name, entity->table) != 0) {
        buffer_append_string(out, " <small>in ");
        report_html(out, entity->table);
        buffer_append_string(out, "</small>");
    }
    count_cell(out, entity->written);
    buffer_append_string(out, entity->rejected == 0 ? "<td class=\"nil\">" : "<td class=\"bad\">");
    report_append_count(out, entity->rejected);
    count_cell(out, entity->skipped);
    if (report->sum.filtered > 0) {
        count_cell(out, entity->filtered);
    }
    buffer_append_string(out, "<td>");
    if (entity->bytes == 0 && entity->written > 0) {
        buffer_append_string(out, "–"); /* the target pulled them itself */
    } else {
        report_append_bytes(out, entity->bytes);
    }
    buffer_append_string(out, "<td>");
    if (entity->seconds > 0) {
        report_append_seconds(out, entity->seconds);
    } else {
        buffer_append_string(out, "–");
    }
    if (report->sum.retries + report->sum.fallbacks > 0) {
        count_cell(out, entity->retries);
        count_cell(out, entity->fallbacks);
    }
    buffer_append_string(out, "\n");
}

static void begin_entities(const struct report *report, struct buffer *out)
{
    buffer_format(
        out,
        "<div class=\"wide\"><table class=\"entities%s\"><thead><tr><th scope=\"col\">Entity<th "
        "scope=\"col\">Written<th scope=\"col\">Rejected<th scope=\"col\">Skipped%s<th "
        "scope=\"col\">Data<th scope=\"col\">Work%s</thead><tbody>\n",
        report->sum.filtered > 0 ? " filtered" : "",
        report->sum.filtered > 0 ? "<th scope=\"col\">Left out" : "",
        report->sum.retries + report->sum.fallbacks > 0
            ? "<th scope=\"col\">Retries<th scope=\"col\">Fallbacks"
            : "");
}

void report_append_entities(const struct report *report, struct buffer *out)
{
    uint32_t shown = report->entity_count <= ENTITIES_SHOWN ? report->entity_count : ENTITIES_SHOWN;
    begin_entities(report, out);
    for (uint32_t i = 0; i < shown; i++) {
        append_entity(report, &report->entities[i], out);
    }
    buffer_append_string(out, "</tbody>");
    if (report->entity_count > 1) {
        struct report_entity sum = report->sum;
        sum.name = sum.table = "All";
        for (uint32_t i = 0; i < report->stream_count; i++) {
            sum.seconds += report->streams[i].seconds;
        }
        buffer_append_string(out, "<tfoot>");
        append_entity(report, &sum, out);
        buffer_append_string(out, "</tfoot>");
    }
    buffer_append_string(out, "</table></div>\n");
    if (shown < report->entity_count) {
        buffer_append_string(out, "<details><summary>");
        report_append_count(out, report->entity_count - shown);
        buffer_append_string(out, " more entities</summary>\n");
        begin_entities(report, out);
        for (uint32_t i = shown; i < report->entity_count; i++) {
            append_entity(report, &report->entities[i], out);
        }
        buffer_append_string(out, "</tbody></table></div></details>\n");
    }
    buffer_append_string(out, "<p class=\"quiet\">Records made by the plan = written + rejected + "
                              "skipped: ");
    report_append_count(out, report->sum.made);
    buffer_append_string(out, " = ");
    report_append_count(out, report->sum.written);
    buffer_append_string(out, " + ");
    report_append_count(out, report->sum.rejected);
    buffer_append_string(out, " + ");
    report_append_count(out, report->sum.skipped);
    buffer_append_string(out,
                         ". Work is the time that an entity's chunks took, one after the other; "
                         "several are copied at once.</p>\n");
}

/* ---- what took long */

static void append_slow_streams(const struct report *report, struct buffer *out)
{
    uint32_t order[SLOWEST_SHOWN];
    uint32_t count = report_slowest_streams(report, order, SLOWEST_SHOWN);
    double most = count == 0 ? 1 : report->streams[order[0]].seconds;
    buffer_append_string(out, "<ol class=\"bars\">\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct report_stream *stream = &report->streams[order[i]];
        uint64_t written = 0;
        for (uint64_t j = 0; j < stream->chunk_count; j++) {
            written += report->chunks[stream->first_chunk + j].written;
        }
        buffer_append_string(out, "<li><span class=\"name\">");
        report_html(out, stream->name);
        buffer_append_string(out, "</span> <span class=\"value\">");
        report_append_seconds(out, stream->seconds);
        buffer_append_string(out, ", ");
        report_append_rate(out, written, stream->seconds);
        buffer_format(out, "</span><span class=\"bar\" style=\"width:%.1f%%\"></span></li>\n",
                      stream->seconds / most * 100);
    }
    buffer_append_string(out, "</ol>\n");
}

void report_append_slowest(const struct report *report, struct buffer *out)
{
    uint64_t order[SLOWEST_SHOWN];
    uint32_t count = report_slowest_chunks(report, order, SLOWEST_SHOWN);
    if (count == 0) {
        buffer_append_string(out, "<p class=\"quiet\">No chunk's time is known.</p>\n");
        return;
    }
    append_slow_streams(report, out);
    buffer_append_string(out,
                         "<details><summary>The slowest chunks</summary><div class=\"wide\"><table>"
                         "<thead><tr><th scope=\"col\">Chunk<th scope=\"col\">Time<th "
                         "scope=\"col\">Written<th scope=\"col\">Tries</thead><tbody>\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct report_chunk *chunk = &report->chunks[order[i]];
        buffer_format(out, "<tr><th scope=\"row\">%" PRIu64 " <small>of ", order[i] + 1);
        report_html(out, report_stream_of(report, order[i])->name);
        buffer_append_string(out, "</small><td>");
        report_append_seconds(out, chunk->seconds);
        count_cell(out, chunk->written);
        buffer_format(out, "<td>%" PRIu32 "\n", report_chunk_tries(chunk));
    }
    buffer_append_string(out, "</tbody></table></div></details>\n");
}

/* ---- attempts, retries, throttling */

static void append_connection(const json_t *connection, struct buffer *out)
{
    struct buffer text = {0};
    report_append_connection(&text, connection);
    report_html(out, text.length > 0 ? buffer_string(&text) : "–");
    buffer_free(&text);
}

static void append_use(const struct report *report, const char *member, const char *title,
                       struct buffer *out)
{
    const json_t *use = json_object_get(report->state, member);
    double units = json_number_value(json_object_get(use, "capacity_units"));
    uint64_t times = report_count(use, "throttled_times");
    uint64_t fallbacks = report_count(use, "fallbacks");
    buffer_format(out, "<div><dt>%s asked to slow down%s</dt><dd>%" PRIu64 " times", title,
                  report->attempt_count > 1 ? " in the last attempt" : "", times);
    if (fallbacks > 0) {
        buffer_format(out, ", %" PRIu64 " done with less than was asked for", fallbacks);
    }
    if (units > 0) {
        buffer_format(out, ", %.1f capacity units used", units);
    }
    buffer_append_string(out, "</dd></div>\n");
}

static void append_errors(const struct report *report, struct buffer *out)
{
    const json_t *errors = json_object_get(report->state, "errors");
    size_t count = json_array_size(errors);
    size_t first = count > ERRORS_SHOWN ? count - ERRORS_SHOWN : 0;
    if (count == 0) {
        return;
    }
    buffer_append_string(out, "<h3>Errors</h3><ul class=\"errors\">\n");
    for (size_t i = first; i < count; i++) {
        const json_t *error = json_array_get(errors, i);
        buffer_append_string(out, "<li><time>");
        report_append_time(out, report_text(error, "at"));
        buffer_append_string(out, "</time> ");
        report_html(out, report_text(error, "message"));
        buffer_append_string(out, " <code>");
        report_html(out, report_text(error, "code"));
        buffer_append_string(out, "</code></li>\n");
    }
    buffer_append_string(out, "</ul>\n");
}

void report_append_attempts(const struct report *report, struct buffer *out)
{
    const json_t *attempts = json_object_get(report->state, "attempts");
    buffer_append_string(out, "<dl class=\"facts\"><div><dt>Attempts</dt><dd>");
    report_append_count(out, report->attempt_count);
    buffer_append_string(out, "</dd></div><div><dt>Calls tried again</dt><dd>");
    report_append_count(out, report->retries);
    buffer_append_string(out, "</dd></div>\n");
    if (report->attempt_count > 1) {
        buffer_append_string(out, "<div><dt>Asked to slow down, in all</dt><dd>");
        report_append_count(out, report->throttled);
        buffer_append_string(out, " times</dd></div>\n");
    }
    append_use(report, "source_use", "Source", out);
    append_use(report, "target_use", "Target", out);
    buffer_append_string(out, "</dl>\n");
    if (report->attempt_count > 1) {
        size_t index;
        const json_t *attempt;
        buffer_append_string(out,
                             "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Attempt<th "
                             "scope=\"col\">Began<th scope=\"col\">Ended<th class=\"text\" "
                             "scope=\"col\">Source<th class=\"text\" scope=\"col\">Target</thead>"
                             "<tbody>\n");
        json_array_foreach(attempts, index, attempt)
        {
            const char *end = report_text(attempt, "end");
            buffer_format(out, "<tr><th scope=\"row\">%zu<td>", index + 1);
            report_append_time(out, report_text(attempt, "at"));
            buffer_append_string(out, "<td>");
            report_html(out, end != NULL                         ? end
                             : index + 1 < report->attempt_count ? "without a word"
                                                                 : "–");
            buffer_append_string(out, "<td class=\"text\">");
            append_connection(json_object_get(attempt, "source_connection"), out);
            buffer_append_string(out, "<td class=\"text\">");
            append_connection(json_object_get(attempt, "target_connection"), out);
            buffer_append_string(out, "\n");
        }
        buffer_append_string(out, "</tbody></table></div>\n");
    }
    append_errors(report, out);
}

/* ---- rejects */

static void append_reasons(const struct report *report, struct buffer *out)
{
    buffer_append_string(
        out, "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Entity<th "
             "class=\"text\" scope=\"col\">Reason<th scope=\"col\">Records</thead><tbody>\n");
    for (uint32_t i = 0; i < report->reason_count && i < REASONS_SHOWN; i++) {
        const struct report_reason *reason = &report->reasons[i];
        buffer_append_string(out, "<tr><th scope=\"row\">");
        report_html(out, reason->entity);
        buffer_append_string(out, "<td class=\"text\"><code>");
        report_html(out, reason->code);
        buffer_append_string(out, "</code>");
        count_cell(out, reason->count);
        buffer_append_string(out, "\n");
    }
    buffer_append_string(out, "</tbody></table></div>\n");
}

static void append_sample(const struct report_sample *sample, struct buffer *out)
{
    buffer_append_string(out, "<li><p><b>");
    report_html(out, sample->entity);
    buffer_append_string(out, "</b> ");
    report_html(out, sample->key);
    buffer_append_string(out, "<br>");
    report_html(out, sample->reason);
    buffer_append_string(out, " <code>");
    report_html(out, sample->code);
    buffer_append_string(out, "</code></p><pre>");
    report_html(out, sample->record[0] == '\0' ? "(not to be had any more)" : sample->record);
    buffer_append_string(out, sample->clipped ? "…</pre><small>rejects/" : "</pre><small>rejects/");
    report_html(out, sample->file);
    buffer_format(out, ", line %" PRIu64 "%s</small></li>\n", sample->line,
                  sample->clipped ? "; cut short here" : "");
}

void report_append_rejects(const struct report *report, struct buffer *out)
{
    if (report->sum.rejected == 0 && report->rejects_read == 0) {
        buffer_append_string(out, "<p class=\"quiet\">No record was rejected.</p>\n");
        return;
    }
    buffer_append_string(out, "<p>");
    report_append_count(out, report->sum.rejected);
    buffer_append_string(out, report->sum.rejected == 1 ? " record was" : " records were");
    buffer_append_string(out, " rejected: kept whole, with the reasons, in the state folder.");
    if (report->rejects_cut || report->reasons_left_out > 0) {
        buffer_append_string(out, " Told apart here are the first ");
        report_append_count(out, report->rejects_read - report->reasons_left_out);
        buffer_append_string(out, ".");
    } else if (report->rejects_read < report->sum.rejected) {
        buffer_append_string(out, " Found here are ");
        report_append_count(out, report->rejects_read);
        buffer_append_string(out, ".");
    }
    buffer_append_string(out, "</p>\n");
    append_reasons(report, out);
    if (report->reject_sample_count > 0) {
        buffer_append_string(out,
                             "<details open><summary>Samples</summary><ol class=\"samples\">\n");
        for (uint32_t i = 0; i < report->reject_sample_count; i++) {
            append_sample(&report->reject_samples[i], out);
        }
        buffer_append_string(out, "</ol></details>\n");
    }
}

/* ---- validation */

static void append_dumped(const json_t *value, struct buffer *out)
{
    char *text = report_shown(value);
    report_html(out, text == NULL ? "–" : text);
    free(text);
}

/* Which field, and what both sides have. */
static void append_fields(const json_t *record, struct buffer *out)
{
    size_t index;
    const json_t *field;
    json_array_foreach(json_object_get(record, "fields"), index, field)
    {
        buffer_append_string(out, "<br>");
        append_dumped(json_object_get(field, "name"), out);
        buffer_append_string(out, ": <code>");
        append_dumped(json_object_get(field, "source"), out);
        buffer_append_string(out, "</code> in the source, <code>");
        append_dumped(json_object_get(field, "target"), out);
        buffer_append_string(out, "</code> in the target");
    }
}

/* The reason of a record that can't be read; one without a place stands for several. */
static void append_reason(const json_t *record, struct buffer *out)
{
    const json_t *reason = json_object_get(record, "reason");
    const json_t *count = json_object_get(record, "count");
    if (reason != NULL) {
        buffer_append_string(out, "<br>");
        append_dumped(reason, out);
    } else if (count != NULL) {
        append_dumped(count, out);
    }
}

static void append_differences(const json_t *records, struct buffer *out)
{
    size_t index;
    const json_t *record;
    buffer_append_string(out,
                         "<details open><summary>Differences</summary><ol class=\"samples\">\n");
    json_array_foreach(records, index, record)
    {
        if (index == DIFFERENCES_SHOWN) {
            buffer_format(out, "<li>and %zu more</li>\n", json_array_size(records) - index);
            break;
        }
        buffer_append_string(out, "<li><p><b>");
        append_dumped(json_object_get(record, "kind"), out);
        buffer_append_string(out, "</b> ");
        append_dumped(json_object_get(record, "entity"), out);
        buffer_append_byte(out, ' ');
        append_dumped(json_object_get(record, "key"), out);
        append_fields(record, out);
        append_reason(record, out);
        buffer_append_string(out, "</p></li>\n");
    }
    buffer_append_string(out, "</ol></details>\n");
}

size_t report_count_pushed(const json_t *entities, size_t *all)
{
    size_t index;
    const json_t *entity;
    size_t pushed = 0;
    *all = 0;
    json_array_foreach(entities, index, entity)
    {
        const json_t *how = json_object_get(entity, "pushed_down");
        pushed += json_is_true(how);
        *all += json_is_true(how) || json_object_get(entity, "read_because") != NULL;
    }
    return pushed;
}

/* The entities that the databases compared themselves, if they were to. */
static void append_pushed(const json_t *entities, struct buffer *out)
{
    size_t index;
    const json_t *entity;
    size_t all = 0;
    size_t pushed = report_count_pushed(entities, &all);
    if (all == 0) {
        return;
    }
    buffer_format(out,
                  "<p class=\"quiet\">The databases summed the hashes of %zu of %zu entities "
                  "themselves.",
                  pushed, all);
    json_array_foreach(entities, index, entity)
    {
        if (report_text(entity, "read_because") != NULL) {
            buffer_append_string(out, "<br>");
            report_html(out, report_text(entity, "name"));
            buffer_append_string(out, " was read: ");
            report_html(out, report_text(entity, "read_because"));
        }
    }
    buffer_append_string(out, "</p>\n");
}

static void append_notes(const json_t *notes, struct buffer *out)
{
    size_t index;
    const json_t *note;
    json_array_foreach(notes, index, note)
    {
        if (json_is_string(note)) {
            buffer_append_string(out, "<p class=\"quiet\">Note: ");
            report_html(out, json_string_value(note));
            buffer_append_string(out, "</p>\n");
        }
    }
}

void report_append_validation(const struct report *report, struct buffer *out)
{
    static const char *const members[] = {"source", "target", "missing", "different", "extra"};
    const json_t *entities = json_object_get(report->validation, "entities");
    size_t index;
    const json_t *entity;
    if (report_is_streamed(report)) {
        buffer_append_string(out, "<p class=\"quiet\">What went to standard output can't be read "
                                  "again, so it was not compared.</p>\n");
        return;
    }
    if (report->validation == NULL) {
        buffer_append_string(out, "<p class=\"quiet\">Source and target were not compared yet: "
                                  "<code>transhume validate</code> does.</p>\n");
        return;
    }
    bool ok = json_is_true(json_object_get(report->validation, "ok"));
    buffer_format(out, "<p class=\"%s\">%s", ok ? "good" : "bad",
                  report_validation_words(report->validation));
    const char *level = report_text(report->validation, "level");
    if (level != NULL) {
        buffer_append_string(out, ", at level <b>");
        report_html(out, level);
        buffer_append_string(out, "</b>");
    }
    buffer_append_string(out,
                         ".</p>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">Entity<th "
                         "scope=\"col\">Source<th scope=\"col\">Target<th scope=\"col\">Missing<th "
                         "scope=\"col\">Different<th scope=\"col\">Extra</thead><tbody>\n");
    json_array_foreach(entities, index, entity)
    {
        buffer_append_string(out, "<tr><th scope=\"row\">");
        report_html(out, report_text(entity, "name"));
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            if (json_is_integer(json_object_get(entity, members[i]))) {
                count_cell(out, report_count(entity, members[i]));
            } else {
                buffer_append_string(out, "<td>–");
            }
        }
        buffer_append_string(out, "\n");
    }
    buffer_append_string(out, "</tbody></table></div>\n");
    append_pushed(entities, out);
    append_notes(json_object_get(report->validation, "notes"), out);
    if (json_array_size(json_object_get(report->validation, "records")) > 0) {
        append_differences(json_object_get(report->validation, "records"), out);
    }
}

/* ---- settings */

static void append_end(const char *title, const json_t *connection, struct buffer *out)
{
    if (connection != NULL) {
        buffer_format(out, "<div><dt>%s</dt><dd>", title);
        append_connection(connection, out);
        buffer_append_string(out, "</dd></div>\n");
    }
}

void report_append_settings(const struct report *report, struct buffer *out)
{
    json_t *settings = json_object_get(report->state, "settings");
    const char *name;
    json_t *value;
    buffer_append_string(out, "<dl class=\"facts\">\n<div><dt>transhume</dt><dd>");
    report_html(out, report->version);
    buffer_append_string(out, "</dd></div>\n");
    append_end("Source", report->source_connection, out);
    append_end("Target", report->target_connection, out);
    json_object_foreach(settings, name, value)
    {
        if (json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0)) {
            continue;
        }
        buffer_append_string(out, "<div><dt>");
        report_html(out, name);
        buffer_append_string(out, "</dt><dd>");
        if (json_is_integer(value) &&
            (strcmp(name, "memory") == 0 || strstr(name, "bytes") != NULL)) {
            report_append_bytes(out, (uint64_t)json_integer_value(value));
        } else if (json_is_integer(value) &&
                   (strcmp(name, "timeout") == 0 || strcmp(name, "stall") == 0)) {
            report_append_seconds(out, (double)json_integer_value(value) / 1000);
        } else {
            append_dumped(value, out);
        }
        buffer_append_string(out, "</dd></div>\n");
    }
    buffer_append_string(out, "</dl>\n");
}
