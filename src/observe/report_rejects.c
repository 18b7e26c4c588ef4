/* Reading reject files for the report: how many of which kind, and a few of each. */
#include "observe/report_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/json_reader.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run may have rejected all there is; the report is made while its user waits. */
enum {
    LINE_BYTES_MAX = 64 << 10,
    READ_BYTES_MAX = 32 << 20,
    FILES_MAX = 20000,
    TEXT_BYTES_MAX = 300
};

/* One line taken apart; texts point into it. */
struct reject_line {
    struct text entity;
    struct text table;
    struct text code;
    struct text reason;
    struct text key;
    struct text record;
    bool clipped; /* the record */
};

struct reject_reading {
    struct report *report;
    struct arena *scratch; /* unescaped texts of one line */
    const char *name;      /* of the file */
    uint64_t line_number;
    uint64_t bytes_read;
    uint64_t shown[REPORT_REASONS_MAX]; /* samples a reason */
};

static struct text *member_of(struct reject_line *line, const char *name, size_t length)
{
    static const char *const names[] = {"entity", "table", "code", "reason", "key", "record"};
    struct text *const members[] = {&line->entity, &line->table, &line->code,
                                    &line->reason, &line->key,   &line->record};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            return members[i];
        }
    }
    return NULL;
}

/* The value after a key. An object stays as it is written; the record's end is the line's. */
static enum status take_value(struct json_reader *reader, struct reject_line *line,
                              struct text *member, struct error *error)
{
    enum json_token token;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token == JSON_TOKEN_STRING && member != NULL) {
        *member = (struct text){reader->text, reader->length};
        return STATUS_OK;
    }
    const char *start = reader->position - 1;
    if (token == JSON_TOKEN_OBJECT_BEGIN && member == &line->record) {
        *member = (struct text){start, (size_t)(reader->end - start)};
        return STATUS_END;
    }
    if (json_reader_skip(reader, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token == JSON_TOKEN_OBJECT_BEGIN && member != NULL) {
        *member = (struct text){start, (size_t)(reader->position - start)};
    }
    return STATUS_OK;
}

/* False: it is no reject. `whole`: the line is there to its end. */
static bool take_apart(const char *text, size_t length, bool whole, struct arena *scratch,
                       struct reject_line *line)
{
    struct json_reader reader;
    struct error ignored;
    enum json_token token;
    *line = (struct reject_line){.clipped = !whole};
    arena_reset(scratch);
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, scratch);
    enum status status = json_reader_next(&reader, &token, &ignored);
    if (status != STATUS_OK || token != JSON_TOKEN_OBJECT_BEGIN) {
        return false;
    }
    while (status == STATUS_OK && json_reader_next(&reader, &token, &ignored) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        status = take_value(&reader, line, member_of(line, reader.text, reader.length), &ignored);
    }
    while (whole && line->record.length > 0 &&
           strchr("\n\r ", line->record.data[line->record.length - 1]) != NULL) {
        line->record.length--;
    }
    line->record.length -= whole && line->record.length > 0; /* the brace of the line itself */
    return line->code.length > 0;
}

static const char *report_rejects_keep(const struct reject_reading *reading, struct text text,
                                       size_t limit)
{
    size_t length = text.length > limit ? text_clip(text.data, text.length, limit) : text.length;
    return text.data == NULL ? "" : arena_copy(reading->report->arena, text.data, length);
}

static bool is_same(struct text text, const char *kept)
{
    size_t length = text.length > TEXT_BYTES_MAX ? text_clip(text.data, text.length, TEXT_BYTES_MAX)
                                                 : text.length;
    return strlen(kept) == length && (length == 0 || memcmp(text.data, kept, length) == 0);
}

static void add_sample(struct reject_reading *reading, const struct reject_line *line)
{
    struct report *report = reading->report;
    bool clipped = line->clipped || line->record.length > REPORT_RECORD_BYTES_MAX ||
                   line->key.length > TEXT_BYTES_MAX;
    report->reject_samples[report->reject_sample_count++] = (struct report_sample){
        .entity = report_rejects_keep(reading, line->entity, TEXT_BYTES_MAX),
        .table = report_rejects_keep(reading, line->table, TEXT_BYTES_MAX),
        .file = reading->name,
        .line = reading->line_number,
        .code = report_rejects_keep(reading, line->code, TEXT_BYTES_MAX),
        .reason = report_rejects_keep(reading, line->reason, TEXT_BYTES_MAX),
        .key = report_rejects_keep(reading, line->key, TEXT_BYTES_MAX),
        .record = report_rejects_keep(reading, line->record, REPORT_RECORD_BYTES_MAX),
        .clipped = clipped};
}

static void count_line(struct reject_reading *reading, const struct reject_line *line)
{
    struct report *report = reading->report;
    uint32_t place = 0;
    while (place < report->reason_count && !(is_same(line->code, report->reasons[place].code) &&
                                             is_same(line->entity, report->reasons[place].entity) &&
                                             is_same(line->table, report->reasons[place].table))) {
        place++;
    }
    report->rejects_read++;
    if (place == REPORT_REASONS_MAX) {
        report->reasons_left_out++;
        return;
    }
    if (place == report->reason_count) {
        report->reasons[place] = (struct report_reason){
            .entity = report_rejects_keep(reading, line->entity, TEXT_BYTES_MAX),
            .table = report_rejects_keep(reading, line->table, TEXT_BYTES_MAX),
            .code = report_rejects_keep(reading, line->code, TEXT_BYTES_MAX)};
        report->reason_count++;
    }
    report->reasons[place].count++;
    if (reading->shown[place] < REPORT_SAMPLES_A_REASON &&
        report->reject_sample_count < REPORT_SAMPLES_MAX) {
        reading->shown[place]++;
        add_sample(reading, line);
    }
}

/* Fills `line` with the next one's beginning; false at the end of the file. */
static bool next_line(FILE *file, char *line, size_t *length, bool *whole)
{
    int byte;
    *length = 0;
    *whole = false;
    while ((byte = getc_unlocked(file)) != EOF && byte != '\n') {
        if (*length < LINE_BYTES_MAX) {
            line[*length] = (char)byte;
        }
        ++*length;
    }
    *whole = *length <= LINE_BYTES_MAX;
    *length = *whole ? *length : LINE_BYTES_MAX;
    return byte != EOF || *length > 0;
}

static enum status read_file(struct reject_reading *reading, const char *path, char *line,
                             struct error *error)
{
    size_t length;
    bool whole;
    struct reject_line parts;
    FILE *file = fopen(path, "re");
    reading->line_number = 0;
    if (file == NULL && errno == ENOENT) {
        return STATUS_OK;
    }
    while (file != NULL && next_line(file, line, &length, &whole)) {
        if (reading->bytes_read > READ_BYTES_MAX) {
            reading->report->rejects_cut = true;
            break;
        }
        reading->line_number++;
        reading->bytes_read += length + 1;
        if (take_apart(line, length, whole, reading->scratch, &parts)) {
            count_line(reading, &parts);
        }
    }
    enum status status = STATUS_OK;
    if (file == NULL || ferror(file)) {
        status = error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't be read");
    }
    if (file != NULL) {
        fclose(file);
    }
    return status;
}

static int by_count(const void *left, const void *right)
{
    const struct report_reason *a = left;
    const struct report_reason *b = right;
    int order = (a->count < b->count) - (a->count > b->count);
    order = order != 0 ? order : strcmp(a->entity, b->entity);
    return order != 0 ? order : strcmp(a->code, b->code);
}

/* Names in their order, so that the same folder gives the same report. */
static enum status list_files(const char *folder, struct arena *arena, const char ***names,
                              uint32_t *count, bool *cut, struct error *error)
{
    struct entries entries;
    const char *name;
    *count = 0;
    *names = arena_allocate_zeroed(arena, FILES_MAX, sizeof(char *));
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (!text_ends_with(name, ".jsonl")) {
            continue;
        }
        if (*count == FILES_MAX) {
            *cut = true;
            break;
        }
        (*names)[(*count)++] = arena_copy_string(arena, name);
    }
    entries_close(&entries);
    qsort(*names, *count, sizeof(char *), text_compare_strings);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static const char *member_text(const struct report *report, const json_t *object, const char *name,
                               const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return arena_copy_string(report->arena, text != NULL ? text : otherwise);
}

/* Records that are missing still, as the run's ledger has it: the files hold those that have
 * arrived since, too, and some twice. */
static void take_unsettled(struct report *report)
{
    const json_t *rejects = json_object_get(report->state, "rejects");
    size_t index;
    const json_t *reason;
    if (!json_is_object(rejects)) {
        return;
    }
    report->reason_count = 0;
    report->reasons_left_out = 0;
    report->rejects_cut = false;
    report->rejects_read = 0;
    json_array_foreach(json_object_get(rejects, "reasons"), index, reason)
    {
        uint64_t count = report_count(reason, "count");
        report->rejects_read += count;
        if (report->reason_count == REPORT_REASONS_MAX) {
            report->reasons_left_out += count;
            continue;
        }
        report->reasons[report->reason_count++] =
            (struct report_reason){.entity = member_text(report, reason, "entity", "?"),
                                   .table = member_text(report, reason, "table", "?"),
                                   .code = member_text(report, reason, "code", "not known"),
                                   .count = count};
    }
    report->reject_sample_count = report->reason_count > 0 ? report->reject_sample_count : 0;
}

enum status report_read_rejects(const char *folder, struct report *report, struct error *error)
{
    const char **names = NULL;
    uint32_t count = 0;
    struct arena *arena = report->arena;
    struct reject_reading reading = {.report = report, .scratch = arena_create(0)};
    char *line = memory_allocate(LINE_BYTES_MAX);
    char *rejects = file_join(arena, folder, "rejects");
    report->reasons = arena_allocate_zeroed(arena, REPORT_REASONS_MAX, sizeof(*report->reasons));
    report->reject_samples =
        arena_allocate_zeroed(arena, REPORT_SAMPLES_MAX, sizeof(*report->reject_samples));
    enum status status = list_files(rejects, arena, &names, &count, &report->rejects_cut, error);
    for (uint32_t i = 0; status == STATUS_OK && !report->rejects_cut && i < count; i++) {
        reading.name = names[i];
        status = read_file(&reading, file_join(arena, rejects, names[i]), line, error);
    }
    if (status == STATUS_OK) {
        take_unsettled(report);
        qsort(report->reasons, report->reason_count, sizeof(*report->reasons), by_count);
    } else { /* part of them would be told as all */
        report->reason_count = 0;
        report->reject_sample_count = 0;
        report->rejects_read = 0;
    }
    free(line);
    arena_destroy(reading.scratch);
    return status;
}
