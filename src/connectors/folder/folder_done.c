/*
 * The done marks of a run: one file, one line a chunk, appended and made durable before a chunk
 * counts.
 *
 *   {"format":1,"kind":"done","run":"<id>"}<TAB><checksum>
 *   {"chunk":1,"epoch":1,"segments":
 *     [["<table>","<file>",<records>,<bytes>,[[<first>,<count>],…],<checksum of the file>],…],
 *    "mark":"<the engine's text>"}<TAB><checksum>                       (on one line)
 *
 * The checksum is XXH3-64 of the line before the TAB, as 16 hex digits, seeded with the checksum of
 * the line before (0 for the first): a line can't be changed, dropped or moved unseen. Only the
 * last line may be torn, by a crash before it was durable; its chunk is not done. It lacks its end
 * then or, where blocks of it were not written in their order, holds zeros, which no line of ours
 * does. A whole last line with another checksum was edited like any other.
 */
#include "connectors/folder/folder.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { DONE_BYTES_MAX = 1 << 30, CHECKSUM_LENGTH = 16 };

/* ---------------------------------------------------------------- writing lines */

static void append_ordinals(const struct folder_segment *segment, struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t at = 0; at < segment->ordinals_count; at++) {
        buffer_format(out, "%s[%" PRIu64 ",%" PRIu64 "]", at > 0 ? "," : "",
                      segment->ordinals[at].first, segment->ordinals[at].count);
    }
    buffer_append_byte(out, ']');
}

static void append_done(const struct folder_done *done, struct buffer *out)
{
    buffer_format(out, "{\"chunk\":%" PRIu64 ",\"epoch\":%" PRIu64 ",\"segments\":[",
                  done->mark.chunk, done->mark.epoch);
    for (uint32_t at = 0; at < done->segment_count; at++) {
        const struct folder_segment *segment = &done->segments[at];
        buffer_append_string(out, at > 0 ? ",[" : "[");
        json_append_string(out, segment->table, strlen(segment->table));
        buffer_append_byte(out, ',');
        json_append_string(out, segment->file, strlen(segment->file));
        buffer_format(out, ",%" PRIu64 ",%" PRIu64 ",", segment->records, segment->bytes);
        append_ordinals(segment, out);
        if (segment->has_checksum) {
            buffer_format(out, ",%" PRIu64, segment->checksum);
        }
        buffer_append_byte(out, ']');
    }
    buffer_append_string(out, "],\"mark\":");
    json_append_string(out, done->mark.text, strlen(done->mark.text));
    buffer_append_byte(out, '}');
}

/* Ends the line that begins at `start` with its checksum. */
static void append_checksum(struct buffer *out, size_t start, uint64_t *chain)
{
    *chain = XXH3_64bits_withSeed(out->data + start, out->length - start, *chain);
    buffer_format(out, "\t%016" PRIx64 "\n", *chain);
}

static void append_head(const char *run_id, struct buffer *out, uint64_t *chain)
{
    buffer_format(out, "{\"format\":%d,\"kind\":\"done\",\"run\":", FOLDER_FORMAT);
    json_append_string(out, run_id, strlen(run_id));
    buffer_append_byte(out, '}');
    *chain = 0;
    append_checksum(out, 0, chain);
}

static enum status write_whole(const char *run_folder, const struct buffer *text,
                               struct error *error)
{
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, run_folder, "done");
    enum status status = file_write_atomic(path, text->data, text->length, NULL, error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(arena);
    return status;
}

enum status folder_done_create(const char *run_folder, const char *run_id, struct error *error)
{
    struct buffer text = {0};
    uint64_t chain = 0;
    append_head(run_id, &text, &chain);
    enum status status = write_whole(run_folder, &text, error);
    buffer_free(&text);
    return status;
}

enum status folder_done_rewrite(const char *run_folder, const char *run_id,
                                const struct folder_done_list *list, struct error *error)
{
    struct buffer text = {0};
    uint64_t chain = 0;
    append_head(run_id, &text, &chain);
    for (uint64_t at = 0; at < list->count; at++) {
        size_t start = text.length;
        append_done(&list->items[at], &text);
        append_checksum(&text, start, &chain);
    }
    enum status status = write_whole(run_folder, &text, error);
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- reading lines */

/* One line being read; what is not as it should be sets `wrong`, and then all is zero. */
struct line_reader {
    struct json_reader json;
    struct arena *arena;
    bool wrong;
    const struct folder_format *format;
};

static enum json_token next(struct line_reader *line)
{
    enum json_token token = JSON_TOKEN_END;
    struct error ignored;
    if (line->wrong || json_reader_next(&line->json, &token, &ignored) != STATUS_OK) {
        line->wrong = true;
        return JSON_TOKEN_END;
    }
    return token;
}

static void expect(struct line_reader *line, enum json_token wanted)
{
    if (next(line) != wanted) {
        line->wrong = true;
    }
}

static void expect_key(struct line_reader *line, const char *key)
{
    if (next(line) != JSON_TOKEN_KEY || line->json.length != strlen(key) ||
        memcmp(line->json.text, key, line->json.length) != 0) {
        line->wrong = true;
    }
}

static uint64_t take_number(struct line_reader *line)
{
    uint64_t value = 0;
    if (next(line) != JSON_TOKEN_NUMBER ||
        text_to_uint64(line->json.text, line->json.length, &value) != STATUS_OK) {
        line->wrong = true;
        return 0;
    }
    return value;
}

static const char *take_string(struct line_reader *line)
{
    if (next(line) != JSON_TOKEN_STRING) {
        line->wrong = true;
        return "";
    }
    return arena_copy(line->arena, line->json.text, line->json.length);
}

/* Counts the elements of the array that the reader stands in, without moving it. */
static uint32_t count_elements(struct line_reader *line)
{
    struct line_reader ahead = *line;
    struct error ignored;
    uint32_t count = 0;
    for (;;) {
        enum json_token token = next(&ahead);
        if (ahead.wrong || token == JSON_TOKEN_ARRAY_END ||
            json_reader_skip(&ahead.json, token, &ignored) != STATUS_OK) {
            return count;
        }
        count++;
    }
}

/* And the segment's end. */
static void take_file_checksum(struct line_reader *line, struct folder_segment *segment)
{
    enum json_token token = next(line);
    segment->has_checksum = token == JSON_TOKEN_NUMBER;
    if (!segment->has_checksum) {
        line->wrong = line->wrong || token != JSON_TOKEN_ARRAY_END;
        return;
    }
    if (text_to_uint64(line->json.text, line->json.length, &segment->checksum) != STATUS_OK) {
        line->wrong = true;
        return;
    }
    expect(line, JSON_TOKEN_ARRAY_END);
}

static void take_segment(struct line_reader *line, struct folder_segment *segment)
{
    uint64_t records = 0;
    expect(line, JSON_TOKEN_ARRAY_BEGIN);
    segment->table = take_string(line);
    segment->file = take_string(line);
    segment->records = take_number(line);
    segment->bytes = take_number(line);
    expect(line, JSON_TOKEN_ARRAY_BEGIN);
    uint32_t count = count_elements(line);
    struct folder_ordinals *ordinals = (struct folder_ordinals *)arena_allocate_zeroed(
        line->arena, (size_t)count + 1, sizeof(*ordinals));
    for (uint32_t at = 0; at < count && !line->wrong; at++) {
        expect(line, JSON_TOKEN_ARRAY_BEGIN);
        ordinals[at].first = take_number(line);
        ordinals[at].count = take_number(line);
        expect(line, JSON_TOKEN_ARRAY_END);
        records += ordinals[at].count;
    }
    expect(line, JSON_TOKEN_ARRAY_END);
    take_file_checksum(line, segment);
    segment->ordinals = ordinals;
    segment->ordinals_count = count;
    uint64_t chunk = 0;
    uint32_t number = 0;
    line->wrong =
        line->wrong || records != segment->records || segment->table[0] == '\0' ||
        !folder_segment_parse(line->format, segment->file, NULL, &chunk, &number, &number);
}

/* STATUS_END: it is none. */
static enum status parse_done(const struct folder_format *format, const char *text, size_t length,
                              struct arena *arena, struct folder_done *done)
{
    struct line_reader line = {.arena = arena, .format = format};
    json_reader_init(&line.json, text, length, 8, arena);
    expect(&line, JSON_TOKEN_OBJECT_BEGIN);
    expect_key(&line, "chunk");
    done->mark.chunk = take_number(&line);
    expect_key(&line, "epoch");
    done->mark.epoch = take_number(&line);
    expect_key(&line, "segments");
    expect(&line, JSON_TOKEN_ARRAY_BEGIN);
    done->segment_count = count_elements(&line);
    done->segments = (struct folder_segment *)arena_allocate_zeroed(
        arena, (size_t)done->segment_count + 1, sizeof(*done->segments));
    for (uint32_t at = 0; at < done->segment_count && !line.wrong; at++) {
        take_segment(&line, &done->segments[at]);
    }
    expect(&line, JSON_TOKEN_ARRAY_END);
    expect_key(&line, "mark");
    done->mark.text = take_string(&line);
    expect(&line, JSON_TOKEN_OBJECT_END);
    return line.wrong ? STATUS_END : STATUS_OK;
}

/* The head: the same bytes as append_head writes, or another format number. */
static enum status check_head(const char *path, const char *run_id, const char *text, size_t length,
                              struct error *error)
{
    struct buffer wanted = {0};
    uint64_t chain = 0;
    char format[24];
    append_head(run_id, &wanted, &chain);
    bool same = length < wanted.length && memcmp(text, wanted.data, length) == 0;
    buffer_free(&wanted);
    if (same) {
        return STATUS_OK;
    }
    int known = snprintf(format, sizeof(format), "{\"format\":%d,", FOLDER_FORMAT);
    if (length > 10 && strncmp(text, "{\"format\":", 10) == 0 &&
        strncmp(text, format, (size_t)known) != 0) {
        return error_set(error, ERROR_FORMAT_NEWER, path,
                         "the done marks were written by another version of transhume");
    }
    return error_set(error, ERROR_LEDGER_INVALID, path, "the done marks are of another run");
}

static enum status damaged(const char *path, uint64_t line, struct error *error)
{
    enum status status = error_set(error, ERROR_LEDGER_INVALID, path,
                                   "line %" PRIu64 " was edited, dropped or moved", line);
    error_hint(error, "put the file back from a copy; without it the run can't go on: "
                      "empty the target's folder and migrate again");
    return status;
}

/* A line's checksum, right or not; `length` loses it. */
static bool take_checksum(const char *text, size_t *length, uint64_t *chain)
{
    char wanted[CHECKSUM_LENGTH + 2];
    if (*length < CHECKSUM_LENGTH + 1) {
        return false;
    }
    size_t body = *length - CHECKSUM_LENGTH - 1;
    uint64_t sum = XXH3_64bits_withSeed(text, body, *chain);
    snprintf(wanted, sizeof(wanted), "\t%016" PRIx64, sum);
    if (memcmp(text + body, wanted, CHECKSUM_LENGTH + 1) != 0) {
        return false;
    }
    *length = body;
    *chain = sum;
    return true;
}

static uint64_t count_lines(const char *text, size_t length)
{
    uint64_t count = 0;
    for (const char *at = text; (at = (const char *)memchr(at, '\n', length - (size_t)(at - text)));
         at++) {
        count++;
    }
    return count;
}

/* What a crash may leave of the last line. */
static bool is_torn(const char *line, const char *end)
{
    return end == NULL || memchr(line, 0, (size_t)(end - line)) != NULL;
}

static enum status parse_lines(const struct folder_format *format, const char *path,
                               const char *run_id, const char *text, size_t length,
                               struct arena *arena, struct folder_done_list *list,
                               struct error *error)
{
    size_t at = 0;
    uint64_t number = 0;
    while (at < length) {
        const char *line = text + at;
        const char *mark = (const char *)memchr(line, '\n', length - at);
        size_t body = mark != NULL ? (size_t)(mark - line) : length - at;
        size_t whole = body + 1;
        number++;
        if (mark == NULL || !take_checksum(line, &body, &list->chain)) {
            bool last = mark == NULL || at + whole == length;
            return last && number > 1 && is_torn(line, mark) ? STATUS_OK
                                                             : damaged(path, number, error);
        }
        enum status status = number == 1
                                 ? check_head(path, run_id, line, body, error)
                                 : parse_done(format, line, body, arena, &list->items[list->count]);
        if (status != STATUS_OK) {
            return status == STATUS_END ? damaged(path, number, error) : STATUS_FAILED;
        }
        list->count += number > 1;
        at += whole;
        list->bytes = at;
    }
    return number > 0 ? STATUS_OK : damaged(path, 1, error);
}

enum status folder_done_load(const struct folder_format *format, const char *run_folder,
                             const char *run_id, struct arena *arena, struct folder_done_list *list,
                             struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    *list = (struct folder_done_list){0};
    const char *path = file_join(arena, run_folder, "done");
    enum status status = file_read_all(path, DONE_BYTES_MAX, arena, &text, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_INVALID, path, "the file of done marks is missing");
    }
    if (status == STATUS_OK) {
        list->items = (struct folder_done *)arena_allocate_zeroed(
            arena, count_lines(text, length) + 1, sizeof(*list->items));
        status = parse_lines(format, path, run_id, text, length, arena, list, error);
    }
    return status;
}

/* ---------------------------------------------------------------- appending */

enum status folder_done_open(struct folder_run *run, const struct folder_done_list *list,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, run->folder, "done");
    enum status status = STATUS_OK;
    int descriptor = file_open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0);
    if (descriptor < 0 || file_cut(descriptor, (off_t)list->bytes) != 0 ||
        file_sync_data(descriptor) != 0) {
        status =
            error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't open the done marks");
        if (descriptor >= 0) {
            close(descriptor);
        }
        goto out;
    }
    run->done_descriptor = descriptor;
    run->done_bytes = list->bytes;
    run->done_chain = list->chain;
    run->broken = false;
out:
    arena_destroy(arena);
    return status;
}

static enum status write_line(struct folder_run *run, const struct buffer *text,
                              struct error *error)
{
    size_t at = 0;
    while (at < text->length) {
        ssize_t written = file_write_at(run->done_descriptor, text->data + at, text->length - at,
                                        (off_t)(run->done_bytes + at));
        if (written <= 0) {
            return error_set_errno(error, ERROR_TARGET_WRITE, errno, run->folder,
                                   "can't write a done mark");
        }
        at += (size_t)written;
    }
    if (file_sync_data(run->done_descriptor) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, run->folder,
                               "can't make a done mark durable");
    }
    return STATUS_OK;
}

/* With the mutex held. */
static enum status append_locked(struct folder_run *run, const struct folder_done *done,
                                 uint64_t epoch, struct buffer *text, bool *written,
                                 struct error *error)
{
    uint64_t chain = run->done_chain;
    if (run->done_descriptor < 0 || run->broken) {
        return error_set(error, run->broken ? run->broken_by : ERROR_TARGET_WRITE, run->folder,
                         "an earlier done mark could not be written; resume tells which chunks are "
                         "done");
    }
    if (folder_ledger_check_epoch(run, epoch, error) != STATUS_OK ||
        failpoint_hit("files.before_mark", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_done(done, text);
    append_checksum(text, 0, &chain);
    if (write_line(run, text, error) == STATUS_OK) {
        *written = true;
        run->done_bytes += text->length;
        run->done_chain = chain;
        return STATUS_OK;
    }
    if (file_cut(run->done_descriptor, (off_t)run->done_bytes) != 0 ||
        file_sync_data(run->done_descriptor) != 0) {
        *written = true;
        run->broken = true;
        run->broken_by = error->code;
        error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
    }
    return STATUS_FAILED;
}

enum status folder_done_append(struct folder *folder, const struct folder_done *done,
                               uint64_t epoch, bool *written, struct error *error)
{
    struct buffer text = {0};
    *written = false;
    pthread_mutex_lock(&folder->mutex);
    enum status status = append_locked(&folder->run, done, epoch, &text, written, error);
    pthread_mutex_unlock(&folder->mutex);
    buffer_free(&text);
    return status;
}
