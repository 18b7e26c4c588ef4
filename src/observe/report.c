/* Reading a state folder for its report, and writing the report's three forms into it. */
#include "observe/report_parts.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "model/json_tree.h"
#include "observe/not_carried.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 256 << 20, VALIDATION_BYTES_MAX = 64 << 20, FORMAT = 1 };

/* The files may say anything: what is summed ends at the largest number that JSON's readers take.
 */
static uint64_t sum_of(uint64_t left, uint64_t right)
{
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

static const char *text_or(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = report_text(object, name);
    return text == NULL ? otherwise : text;
}

/* ---- state.json */

static void read_entity(const json_t *object, struct report_entity *entity)
{
    const json_t *total = json_object_get(object, "total");
    entity->total = json_is_integer(total) ? json_integer_value(total) : -1;
    entity->stream = text_or(object, "stream", "");
    entity->read = report_count(object, "read");
    entity->written = report_count(object, "migrated");
    entity->rejected = report_count(object, "rejected");
    entity->skipped = report_count(object, "skipped");
    entity->filtered = report_count(object, "filtered");
    entity->bytes = report_count(object, "bytes");
    entity->retries = report_count(object, "retries");
    entity->fallbacks = report_count(object, "fallbacks");
    entity->made = json_object_get(object, "made") == NULL
                       ? sum_of(sum_of(entity->written, entity->rejected), entity->skipped)
                       : report_count(object, "made");
}

static void add_to_sum(struct report_entity *sum, const struct report_entity *entity)
{
    bool known = sum->total >= 0 && entity->total >= 0;
    sum->total = known ? (int64_t)sum_of((uint64_t)sum->total, (uint64_t)entity->total) : -1;
    sum->read = sum_of(sum->read, entity->read);
    sum->made = sum_of(sum->made, entity->made);
    sum->written = sum_of(sum->written, entity->written);
    sum->rejected = sum_of(sum->rejected, entity->rejected);
    sum->skipped = sum_of(sum->skipped, entity->skipped);
    sum->filtered = sum_of(sum->filtered, entity->filtered);
    sum->bytes = sum_of(sum->bytes, entity->bytes);
    sum->retries = sum_of(sum->retries, entity->retries);
    sum->fallbacks = sum_of(sum->fallbacks, entity->fallbacks);
}

static void read_entities(struct report *report)
{
    json_t *tables = json_object_get(report->state, "tables");
    const char *table_name;
    const char *name;
    json_t *table;
    json_t *object;
    size_t count = 0;
    json_object_foreach(tables, table_name, table)
    {
        count += json_object_size(json_object_get(table, "entities"));
    }
    report->entities = arena_allocate_zeroed(report->arena, count + 1, sizeof(*report->entities));
    json_object_foreach(tables, table_name, table)
    {
        json_t *entities = json_object_get(table, "entities");
        json_object_foreach(entities, name, object)
        {
            struct report_entity *entity = &report->entities[report->entity_count++];
            entity->name = name;
            entity->table = table_name;
            read_entity(object, entity);
            add_to_sum(&report->sum, entity);
        }
    }
}

/* Only what is a run's id becomes part of a path. */
static void read_repair(const char *folder, struct report *report)
{
    report->repairs = report_text(report->state, "repairs");
    report->deleted = json_object_get(report->state, "deleted");
    bool known = report->repairs != NULL && report_is_run_id(report->repairs);
    for (size_t i = 0; known && report->repairs_page == NULL && i < 2; i++) {
        const char *page = arena_format(report->arena, "%s/%s/report.html", i == 0 ? "runs" : "..",
                                        report->repairs);
        report->repairs_page = file_exists(file_join(report->arena, folder, page)) ? page : NULL;
    }
}

static void read_not_carried(struct report *report)
{
    struct buffer sum = {0};
    report->not_carried = json_object_get(report->state, "not_carried");
    report->rights = json_object_get(report->state, "rights");
    report->rights = json_array_size(report->rights) > 0 ? report->rights : NULL;
    not_carried_append_sum(report->not_carried, &sum);
    if (sum.length > 0) {
        report->not_carried_sum = arena_copy_string(report->arena, buffer_string(&sum));
    }
    buffer_free(&sum);
}

static enum status read_state(const char *folder, struct report *report, struct error *error)
{
    char *text;
    size_t length;
    const char *path = file_join(report->arena, folder, "state.json");
    enum status status = file_read_all(path, FILE_BYTES_MAX, report->arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_tree_parse(text, length, JSON_REJECT_DUPLICATES, path, ERROR_STATE_INVALID,
                        &report->state, error) != STATUS_OK) {
        return error_hint(error, "it is only an export: `transhume resume` writes it again");
    }
    json_t *state = report->state;
    if (report_count(state, "format") > FORMAT) {
        return error_set(error, ERROR_FORMAT_NEWER, path,
                         "it was written by a newer version of transhume");
    }
    report->run = text_or(state, "run", "");
    report->kind = text_or(state, "kind", "copy");
    report->status = text_or(state, "status", "?");
    report->phase = text_or(state, "phase", "?");
    report->interrupted = json_is_true(json_object_get(state, "interrupted"));
    report->resumable = json_is_true(json_object_get(state, "resumable"));
    report->source = text_or(state, "source", "?");
    report->target = text_or(state, "target", "?");
    report->guarantee = report_text(state, "guarantee");
    report->snapshot =
        text_or(state, "snapshot",
                json_is_true(json_object_get(state, "mixed_snapshot")) ? "mixed" : "one");
    report->mapping_version = (uint32_t)report_count(state, "mapping_version");
    report->broken_references = (uint32_t)report_count(state, "broken_references");
    read_not_carried(report);
    read_repair(folder, report);
    report->version = text_or(state, "version", "?");
    report->started_at = text_or(state, "started_at", "?");
    report->updated_at = text_or(state, "updated_at", "?");
    report->ended_at = report_text(state, "ended_at");
    const json_t *attempts = json_object_get(state, "attempts");
    report->attempt_count = (uint32_t)json_array_size(attempts);
    if (report->attempt_count > 0) {
        const json_t *last = json_array_get(attempts, report->attempt_count - 1);
        report->source_connection = json_object_get(last, "source_connection");
        report->target_connection = json_object_get(last, "target_connection");
    }
    read_entities(report);
    return STATUS_OK;
}

/* ---- what is beside it */

static enum status read_plan(const char *folder, struct report *report, struct error *error)
{
    char *text;
    size_t length;
    char *path = file_join(report->arena, folder, "plan.yaml");
    enum status status = file_read_all(path, FILE_BYTES_MAX, report->arena, &text, &length, error);
    if (status == STATUS_OK) {
        report->plan_clipped = length > REPORT_PLAN_BYTES_MAX;
        text[report->plan_clipped ? text_clip(text, length, REPORT_PLAN_BYTES_MAX) : length] = '\0';
        report->plan = text;
    }
    return status;
}

static enum status read_validation(const char *folder, struct report *report, struct error *error)
{
    char *text;
    size_t length;
    char *path = file_join(report->arena, folder, "validation.json");
    enum status status =
        file_read_all(path, VALIDATION_BYTES_MAX, report->arena, &text, &length, error);
    return status != STATUS_OK ? status
                               : json_tree_parse(text, length, JSON_ALLOW_NUL, path,
                                                 ERROR_STATE_INVALID, &report->validation, error);
}

static enum status read_metrics(const char *folder, struct report *report, struct error *error)
{
    char *path = file_join(report->arena, folder, "metrics.jsonl");
    enum status status =
        metrics_read(path, report->arena, &report->samples, &report->sample_count, error);
    for (uint32_t i = 0; i < report->sample_count; i++) {
        const struct metrics_sample *sample = &report->samples[i];
        bool last = i + 1 == report->sample_count || sample[1].attempt != sample->attempt;
        if (last) {
            report->retries = sum_of(report->retries, sample->retries);
            report->throttled = sum_of(report->throttled, sample->throttled);
        } else if (sample[1].at_ms > sample->at_ms) {
            report->seconds += (double)(sample[1].at_ms - sample->at_ms) / 1000;
        }
    }
    return status;
}

static int by_name(const void *left, const void *right)
{
    const struct report_stream *const *a = left;
    const struct report_stream *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* Entities get the times of their streams, found by name. */
static void join_streams(struct report *report)
{
    const struct report_stream **order =
        arena_allocate_zeroed(report->arena, report->stream_count + 1, sizeof(void *));
    for (uint32_t i = 0; i < report->stream_count; i++) {
        order[i] = &report->streams[i];
    }
    qsort(order, report->stream_count, sizeof(void *), by_name);
    for (uint32_t i = 0; i < report->entity_count; i++) {
        const struct report_stream wanted = {.name = report->entities[i].stream};
        const struct report_stream *key = &wanted;
        const struct report_stream **found =
            bsearch(&key, order, report->stream_count, sizeof(void *), by_name);
        report->entities[i].seconds = found == NULL ? 0 : (*found)->seconds;
    }
}

/* The parts that lie beside state.json. */
static const struct part {
    unsigned bit;
    const char *name;
    enum status (*read)(const char *folder, struct report *report, struct error *error);
} all_parts[] = {{REPORT_PLAN, "the plan", read_plan},
                 {REPORT_VALIDATION, "validation", read_validation},
                 {REPORT_METRICS, "metrics", read_metrics},
                 {REPORT_CHUNKS, "chunks", report_read_chunks},
                 {REPORT_REJECTS, "rejects", report_read_rejects},
                 {REPORT_WARNINGS, "warnings", report_read_warnings}};

enum status report_read_parts(const char *folder, bool at_work, unsigned parts,
                              struct report *report, struct error *error)
{
    *report = (struct report){.arena = arena_create(0), .at_work = at_work};
    enum status status = read_state(folder, report, error);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(all_parts) / sizeof(all_parts[0]); i++) {
        const struct part *part = &all_parts[i];
        /* a report without a part is better than none */
        if ((parts & part->bit) != 0 && part->read(folder, report, error) == STATUS_FAILED &&
            (parts & REPORT_QUIETLY) == 0) {
            log_write(LOG_WARNING, "the report goes without %s: %s: %s", part->name, error->object,
                      error->message);
        }
    }
    join_streams(report);
    return STATUS_OK;
}

enum status report_read(const char *folder, bool at_work, struct report *report,
                        struct error *error)
{
    return report_read_parts(folder, at_work, REPORT_WHOLE, report, error);
}

void report_free(struct report *report)
{
    json_decref(report->state);
    json_decref(report->validation);
    arena_destroy(report->arena);
    *report = (struct report){0};
}

/* ---- writing */

static enum status write_form(const char *folder, const char *name, const struct report *report,
                              void (*append)(const struct report *report, struct buffer *out),
                              struct error *error)
{
    struct buffer out = {0};
    append(report, &out);
    char *path = file_join(report->arena, folder, name);
    enum status status = file_replace(path, out.data, out.length, NULL, error);
    buffer_free(&out);
    return status;
}

enum status report_write(const char *folder, bool at_work, struct error *error)
{
    struct report report;
    enum status status = report_read(folder, at_work, &report, error);
    if (status == STATUS_OK &&
        (write_form(folder, "report.json", &report, report_append_json, error) != STATUS_OK ||
         write_form(folder, "report.md", &report, report_append_markdown, error) != STATUS_OK ||
         write_form(folder, "report.html", &report, report_append_html, error) != STATUS_OK)) {
        status = STATUS_FAILED;
    }
    report_free(&report);
    return status;
}
