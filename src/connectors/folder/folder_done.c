/*
 * The segments of done chunks. Each done mark keeps, as the target's own object:
 *
 *   {"segments":[["<table>","<file>",<records>,<bytes>,[[<first>,<count>],…],"<checksum>"],…]}
 *
 * with the ordinals of the segment's records, and the checksum of the file as 16 hex digits; in a
 * bucket the object's ETag follows.
 */
#include "connectors/folder/folder.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKSUM_DIGITS = 16 };

/* ---------------------------------------------------------------- writing */

static void append_ordinals(const struct folder_segment *segment, struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t at = 0; at < segment->ordinals_count; at++) {
        buffer_format(out, "%s[%" PRIu64 ",%" PRIu64 "]", at > 0 ? "," : "",
                      segment->ordinals[at].first, segment->ordinals[at].count);
    }
    buffer_append_byte(out, ']');
}

void folder_done_append(const struct folder_segment *segments, uint32_t count, struct buffer *out)
{
    buffer_append_string(out, "{\"segments\":[");
    for (uint32_t at = 0; at < count; at++) {
        const struct folder_segment *segment = &segments[at];
        buffer_append_string(out, at > 0 ? ",[" : "[");
        json_append_string(out, segment->table, strlen(segment->table));
        buffer_append_byte(out, ',');
        json_append_string(out, segment->file, strlen(segment->file));
        buffer_format(out, ",%" PRIu64 ",%" PRIu64 ",", segment->records, segment->bytes);
        append_ordinals(segment, out);
        buffer_format(out, ",\"%016" PRIx64 "\"", segment->checksum);
        if (segment->etag[0] != '\0') {
            buffer_append_byte(out, ',');
            json_append_string(out, segment->etag, strlen(segment->etag));
        }
        buffer_append_byte(out, ']');
    }
    buffer_append_string(out, "]}");
}

/* ---------------------------------------------------------------- reading */

/* A text being read; what is not as it should be sets `wrong`, and then all is zero. */
struct mark_reader {
    struct json_reader json;
    struct arena *arena;
    bool wrong;
    const struct folder_format *format;
};

static enum json_token folder_done_next(struct mark_reader *mark)
{
    enum json_token token = JSON_TOKEN_END;
    struct error ignored;
    if (mark->wrong || json_reader_next(&mark->json, &token, &ignored) != STATUS_OK) {
        mark->wrong = true;
        return JSON_TOKEN_END;
    }
    return token;
}

static void folder_done_expect(struct mark_reader *mark, enum json_token wanted)
{
    if (folder_done_next(mark) != wanted) {
        mark->wrong = true;
    }
}

static void expect_key(struct mark_reader *mark, const char *key)
{
    if (folder_done_next(mark) != JSON_TOKEN_KEY || mark->json.length != strlen(key) ||
        memcmp(mark->json.text, key, mark->json.length) != 0) {
        mark->wrong = true;
    }
}

static uint64_t take_number(struct mark_reader *mark)
{
    uint64_t value = 0;
    if (folder_done_next(mark) != JSON_TOKEN_NUMBER ||
        text_to_uint64(mark->json.text, mark->json.length, &value) != STATUS_OK) {
        mark->wrong = true;
        return 0;
    }
    return value;
}

static const char *take_string(struct mark_reader *mark)
{
    if (folder_done_next(mark) != JSON_TOKEN_STRING) {
        mark->wrong = true;
        return "";
    }
    return arena_copy(mark->arena, mark->json.text, mark->json.length);
}

/* The array's last element, if there is one more, and its end. */
static const char *take_last_string(struct mark_reader *mark)
{
    enum json_token token = folder_done_next(mark);
    const char *text = "";
    if (token == JSON_TOKEN_STRING) {
        text = arena_copy(mark->arena, mark->json.text, mark->json.length);
        token = folder_done_next(mark);
    }
    mark->wrong = mark->wrong || token != JSON_TOKEN_ARRAY_END;
    return text;
}

/* Counts the elements of the array that the reader stands in, without moving it. */
static uint32_t count_elements(struct mark_reader *mark)
{
    struct mark_reader ahead = *mark;
    struct error ignored;
    uint32_t count = 0;
    for (;;) {
        enum json_token token = folder_done_next(&ahead);
        if (ahead.wrong || token == JSON_TOKEN_ARRAY_END ||
            json_reader_skip(&ahead.json, token, &ignored) != STATUS_OK) {
            return count;
        }
        count++;
    }
}

static uint64_t take_checksum(struct mark_reader *mark)
{
    char *end = NULL;
    const char *digits = take_string(mark);
    mark->wrong = mark->wrong || strspn(digits, "0123456789abcdef") != CHECKSUM_DIGITS ||
                  digits[CHECKSUM_DIGITS] != '\0';
    return mark->wrong ? 0 : strtoull(digits, &end, 16);
}

static void take_segment(struct mark_reader *mark, struct folder_segment *segment)
{
    uint64_t records = 0;
    uint64_t chunk = 0;
    uint32_t number = 0;
    folder_done_expect(mark, JSON_TOKEN_ARRAY_BEGIN);
    segment->table = take_string(mark);
    segment->file = take_string(mark);
    segment->records = take_number(mark);
    segment->bytes = take_number(mark);
    folder_done_expect(mark, JSON_TOKEN_ARRAY_BEGIN);
    uint32_t count = count_elements(mark);
    struct folder_ordinals *ordinals =
        arena_allocate_zeroed(mark->arena, (size_t)count + 1, sizeof(*ordinals));
    for (uint32_t at = 0; at < count && !mark->wrong; at++) {
        folder_done_expect(mark, JSON_TOKEN_ARRAY_BEGIN);
        ordinals[at].first = take_number(mark);
        ordinals[at].count = take_number(mark);
        folder_done_expect(mark, JSON_TOKEN_ARRAY_END);
        records += ordinals[at].count;
    }
    folder_done_expect(mark, JSON_TOKEN_ARRAY_END);
    segment->checksum = take_checksum(mark);
    segment->etag = take_last_string(mark);
    segment->ordinals = ordinals;
    segment->ordinals_count = count;
    mark->wrong =
        mark->wrong || records != segment->records || segment->table[0] == '\0' ||
        !folder_segment_parse(mark->format, segment->file, NULL, &chunk, &number, &number);
}

enum status folder_done_take(struct folder *folder, uint64_t chunk, const char *text, size_t length,
                             struct error *error)
{
    struct arena *arena = arena_create(0);
    struct mark_reader mark = {.arena = arena, .format = folder->format};
    json_reader_init(&mark.json, text, length, 8, arena);
    folder_done_expect(&mark, JSON_TOKEN_OBJECT_BEGIN);
    expect_key(&mark, "segments");
    folder_done_expect(&mark, JSON_TOKEN_ARRAY_BEGIN);
    uint32_t count = count_elements(&mark);
    struct folder_segment *segments =
        arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*segments));
    for (uint32_t at = 0; at < count && !mark.wrong; at++) {
        take_segment(&mark, &segments[at]);
    }
    folder_done_expect(&mark, JSON_TOKEN_ARRAY_END);
    folder_done_expect(&mark, JSON_TOKEN_OBJECT_END);
    if (!mark.wrong) {
        folder_done_add(folder, segments, count);
    }
    arena_destroy(arena);
    return !mark.wrong ? STATUS_OK
                       : error_set(error, ERROR_LEDGER_INVALID, folder->path,
                                   "the done mark of chunk %" PRIu64 " does not name its segments "
                                   "as it should",
                                   chunk);
}

/* ---------------------------------------------------------------- the list */

void folder_done_add(struct folder *folder, const struct folder_segment *segments, uint32_t count)
{
    struct folder_done *done = &folder->run.done;
    pthread_mutex_lock(&folder->mutex);
    if (done->arena == NULL) {
        done->arena = arena_create(0);
    }
    if (done->count + count > done->capacity) {
        done->capacity = (done->count + count) * 2;
        done->segments = memory_resize(done->segments, done->capacity, sizeof(*done->segments));
    }
    for (uint32_t at = 0; at < count; at++) {
        struct folder_segment *copy = &done->segments[done->count++];
        *copy = segments[at];
        copy->table = arena_copy_string(done->arena, copy->table);
        copy->file = arena_copy_string(done->arena, copy->file);
        copy->etag = arena_copy_string(done->arena, copy->etag);
        size_t bytes = copy->ordinals_count * sizeof(*copy->ordinals);
        copy->ordinals = memcpy(arena_allocate(done->arena, bytes), copy->ordinals, bytes);
    }
    pthread_mutex_unlock(&folder->mutex);
}

void folder_done_drop(struct folder *folder, const char *table)
{
    struct folder_done *done = &folder->run.done;
    size_t kept = 0;
    pthread_mutex_lock(&folder->mutex);
    for (size_t at = 0; at < done->count && table != NULL; at++) {
        if (strcmp(done->segments[at].table, table) != 0) {
            done->segments[kept++] = done->segments[at];
        }
    }
    done->count = kept;
    if (table == NULL) {
        arena_destroy(done->arena);
        free(done->segments);
        *done = (struct folder_done){0};
    }
    pthread_mutex_unlock(&folder->mutex);
}

static int compare_segments(const void *left, const void *right)
{
    return strcmp(((const struct folder_segment *)left)->file,
                  ((const struct folder_segment *)right)->file);
}

void folder_marked_load(struct folder *folder, const char *table, struct arena *arena,
                        struct folder_marked *marked)
{
    const struct folder_done *done = &folder->run.done;
    pthread_mutex_lock(&folder->mutex);
    struct folder_segment *segments =
        arena_allocate_zeroed(arena, done->count + 1, sizeof(*segments));
    *marked = (struct folder_marked){.segments = segments};
    for (size_t at = 0; at < done->count; at++) {
        if (strcmp(done->segments[at].table, table) == 0) {
            segments[marked->count++] = done->segments[at];
        }
    }
    pthread_mutex_unlock(&folder->mutex);
    if (marked->count > 1) {
        qsort(segments, marked->count, sizeof(*segments), compare_segments);
    }
}

const struct folder_segment *folder_marked_find(const struct folder_marked *marked,
                                                const char *file)
{
    const struct folder_segment wanted = {.file = file};
    return marked->count == 0 ? NULL
                              : bsearch(&wanted, marked->segments, marked->count, sizeof(wanted),
                                        compare_segments);
}
