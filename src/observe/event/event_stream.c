/* A bounded queue of lines on their way into a file. */
#include "observe/event/event_stream.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "observe/event/event_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_READ_BYTES_MAX = 4 * EVENT_FILE_BYTES_MAX };

struct line {
    char *text; /* what stands behind the number */
    size_t length;
};

struct event_stream {
    pthread_mutex_t mutex;
    struct line lines[EVENT_STREAM_LINES_MAX]; /* the n-th at n % EVENT_STREAM_LINES_MAX */
    uint64_t first;                            /* the oldest line that waits */
    uint64_t next;
    uint64_t before; /* events of former processes: what is added to get an event's number */
    size_t bytes;
    uint64_t lost;
    int descriptor; /* -1: there is no file */
    char *path;
    uint64_t file_bytes;
};

struct event_stream *event_stream_create(void)
{
    struct event_stream *stream = memory_allocate_zeroed(1, sizeof(*stream));
    pthread_mutex_init(&stream->mutex, NULL);
    stream->first = stream->next = 1;
    stream->descriptor = -1;
    return stream;
}

static struct line *line_of(struct event_stream *stream, uint64_t at)
{
    return &stream->lines[at % EVENT_STREAM_LINES_MAX];
}

static void append_line(struct event_stream *stream, uint64_t at, struct buffer *out)
{
    const struct line *line = line_of(stream, at);
    buffer_format(out, "{\"number\":%" PRIu64 ",", at + stream->before);
    buffer_append(out, line->text, line->length);
}

static void drop_first(struct event_stream *stream)
{
    struct line *line = line_of(stream, stream->first);
    stream->bytes -= line->length;
    free(line->text);
    *line = (struct line){0};
    stream->first++;
}

static void write_out(struct event_stream *stream);

static void add(struct event_stream *stream, const struct buffer *text)
{
    struct line *line;
    while (
        stream->next - stream->first >= EVENT_STREAM_LINES_MAX ||
        (stream->bytes + text->length > EVENT_STREAM_BYTES_MAX && stream->first < stream->next)) {
        if (stream->descriptor >= 0) {
            write_out(stream);
        } else {
            drop_first(stream);
        }
    }
    line = line_of(stream, stream->next++);
    line->text = memory_copy_bytes(text->data, text->length);
    line->length = text->length;
    stream->bytes += text->length;
}

/* ---- the file */

/* What may go first when the file is full. */
static bool is_minor(const char *line, size_t length)
{
    static const char *const kinds[] = {"\"kind\":\"chunk\"", "\"kind\":\"retry\"",
                                        "\"kind\":\"position\""};
    bool minor = false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !minor; i++) {
        minor = memmem(line, length, kinds[i], strlen(kinds[i])) != NULL;
    }
    return minor;
}

/* Of the older half what is not minor, as far as that is a quarter of the bound, and the newer
 * half. */
static void thin(const char *text, size_t length, struct buffer *kept)
{
    const char *half =
        length > EVENT_FILE_BYTES_MAX / 2 ? text + length - EVENT_FILE_BYTES_MAX / 2 : text;
    const char *newer = half > text ? memchr(half, '\n', (size_t)(text + length - half)) : NULL;
    newer = newer != NULL ? newer + 1 : half;
    for (const char *line = text; line < newer;) {
        const char *end = memchr(line, '\n', (size_t)(newer - line));
        end = end != NULL ? end + 1 : newer;
        if (!is_minor(line, (size_t)(end - line))) {
            buffer_append(kept, line, (size_t)(end - line));
        }
        line = end;
    }
    if (kept->length > EVENT_FILE_BYTES_MAX / 4) {
        const char *cut = kept->data + kept->length - EVENT_FILE_BYTES_MAX / 4;
        const char *begin = memchr(cut, '\n', EVENT_FILE_BYTES_MAX / 4);
        size_t rest = begin != NULL ? (size_t)(kept->data + kept->length - begin - 1) : 0;
        memmove(kept->data, kept->data + kept->length - rest, rest);
        kept->length = rest;
    }
    buffer_append(kept, newer, (size_t)(text + length - newer));
}

static int open_to_append(const char *path)
{
    return file_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

static void shorten(struct event_stream *stream)
{
    struct error ignored;
    struct buffer kept = {0};
    char *text;
    size_t length;
    struct arena *arena = arena_create(0);
    if (file_read_all(stream->path, FILE_READ_BYTES_MAX, arena, &text, &length, &ignored) ==
        STATUS_OK) {
        thin(text, length, &kept);
    }
    if (file_replace(stream->path, kept.data, kept.length, NULL, &ignored) == STATUS_OK) {
        close(stream->descriptor);
        stream->descriptor = open_to_append(stream->path);
        stream->file_bytes = kept.length;
    }
    buffer_free(&kept);
    arena_destroy(arena);
}

static void write_out(struct event_stream *stream)
{
    struct error ignored;
    struct buffer text = {0};
    if (stream->descriptor < 0 || stream->first == stream->next) {
        return;
    }
    for (uint64_t at = stream->first; at < stream->next; at++) {
        append_line(stream, at, &text);
    }
    if (file_write_all(stream->descriptor, text.data, text.length, stream->path, &ignored) !=
        STATUS_OK) {
        stream->lost += stream->next - stream->first;
    }
    while (stream->first < stream->next) {
        drop_first(stream);
    }
    stream->file_bytes += text.length;
    if (stream->file_bytes > EVENT_FILE_BYTES_MAX) {
        shorten(stream);
    }
    buffer_free(&text);
}

/* The number that the file's last whole line has; a torn one after it is ended by a newline. */
static uint64_t take_up(int descriptor, const char *text, size_t length)
{
    struct error ignored;
    static const char begin[] = "{\"number\":";
    if (length > 0 && text[length - 1] != '\n') {
        enum status status = file_write_all(descriptor, "\n", 1, "events.jsonl", &ignored);
        (void)status;
    }
    const char *end = length > 0 ? memrchr(text, '\n', length) : NULL;
    const char *line = end != NULL ? memrchr(text, '\n', (size_t)(end - text)) : NULL;
    line = line != NULL ? line + 1 : text;
    return end != NULL && strncmp(line, begin, strlen(begin)) == 0
               ? strtoull(line + strlen(begin), NULL, 10)
               : 0;
}

enum status event_stream_open(struct event_stream *stream, const char *path, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    struct arena *arena = arena_create(0);
    int descriptor = open_to_append(path);
    if (descriptor < 0) {
        arena_destroy(arena);
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't open it");
    }
    enum status status = file_read_all(path, FILE_READ_BYTES_MAX, arena, &text, &length, error);
    if (status == STATUS_FAILED) {
        close(descriptor);
    } else {
        uint64_t last = take_up(descriptor, text, length);
        pthread_mutex_lock(&stream->mutex);
        stream->before = last;
        stream->descriptor = descriptor;
        stream->path = memory_copy_string(path);
        stream->file_bytes = length;
        write_out(stream);
        pthread_mutex_unlock(&stream->mutex);
        status = STATUS_OK;
    }
    arena_destroy(arena);
    return status;
}

void event_stream_close(struct event_stream *stream, uint64_t *lost)
{
    pthread_mutex_lock(&stream->mutex);
    write_out(stream);
    if (stream->descriptor >= 0) {
        close(stream->descriptor);
    }
    free(stream->path);
    *lost = stream->lost;
    stream->path = NULL;
    stream->descriptor = -1;
    stream->lost = 0;
    pthread_mutex_unlock(&stream->mutex);
}

void event_stream_flush(struct event_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    write_out(stream);
    pthread_mutex_unlock(&stream->mutex);
}

void event_stream_destroy(struct event_stream *stream)
{
    uint64_t ignored;
    if (stream == NULL) {
        return;
    }
    event_stream_close(stream, &ignored);
    while (stream->first < stream->next) {
        drop_first(stream);
    }
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
}

void event_stream_hear(void *context, const struct log_record *record)
{
    struct event_stream *stream = context;
    struct buffer text = {0};
    enum event_kind kind = record->event->kind;
    pthread_mutex_lock(&stream->mutex);
    event_json_append(record, &text);
    add(stream, &text);
    if (record->level <= LOG_WARNING || kind == EVENT_RUN || kind == EVENT_PHASE) {
        write_out(stream);
    }
    pthread_mutex_unlock(&stream->mutex);
    buffer_free(&text);
}
