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
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes that are read of the end of a file: to shorten it, and to find its last number. */
enum { FILE_READ_BYTES_MAX = 4 * EVENT_FILE_BYTES_MAX, END_READ_BYTES_MAX = 64 << 10 };

struct line {
    char *text; /* what stands behind the number */
    size_t length;
};

struct event_stream {
    pthread_mutex_t mutex;
    struct line lines[EVENT_STREAM_LINES_MAX]; /* the n-th at n % EVENT_STREAM_LINES_MAX */
    uint64_t first;                            /* the oldest line that waits */
    uint64_t next;
    uint64_t before; /* what is added to get an event's number, modulo 2^64 */
    uint64_t closed; /* the last event that went into a file closed since */
    size_t bytes;
    uint64_t lost;
    int descriptor; /* -1: there is no file */
    char *path;
    uint64_t file_bytes;
    bool torn; /* the file's last line has no end, and could not be cut off */
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

static void event_stream_add(struct event_stream *stream, const struct buffer *text)
{
    struct line *line;
    while (
        stream->next - stream->first >= EVENT_STREAM_LINES_MAX ||
        (stream->bytes + text->length > EVENT_STREAM_BYTES_MAX && stream->first < stream->next)) {
        if (stream->descriptor >= 0) {
            write_out(stream);
        } else {
            stream->lost += stream->path != NULL;
            drop_first(stream);
        }
    }
    line = line_of(stream, stream->next++);
    line->text = memory_copy_bytes(text->data, text->length);
    line->length = text->length;
    stream->bytes += text->length;
}

/* ---- the file */

/* Events that may go first when the file is full. */
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

/* The lines of the older half that are not minor, as far as that is a quarter of the bound, and the
 * newer half. */
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
    return file_open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

/* At most `limit` bytes of the file's end, from the beginning of a line on; `*size` is the whole
 * file's. */
static const char *read_end(int descriptor, size_t limit, struct arena *arena, size_t *length,
                            uint64_t *size)
{
    struct stat facts;
    size_t read = 0;
    ssize_t more = 1;
    *size = fstat(descriptor, &facts) == 0 ? (uint64_t)facts.st_size : 0;
    uint64_t from = *size > limit ? *size - limit : 0;
    char *text = arena_allocate(arena, (size_t)(*size - from) + 1);
    while (more > 0 && read < *size - from) {
        more = file_read_at(descriptor, text + read, (size_t)(*size - from) - read,
                            (off_t)(from + read));
        read += more > 0 ? (size_t)more : 0;
    }
    const char *begin = from > 0 ? memchr(text, '\n', read) : NULL;
    begin = begin != NULL ? begin + 1 : text;
    *length = read - (size_t)(begin - text);
    return begin;
}

static void shorten(struct event_stream *stream)
{
    struct error ignored;
    struct buffer kept = {0};
    size_t length;
    uint64_t size;
    struct arena *arena = arena_create(0);
    const char *text = read_end(stream->descriptor, FILE_READ_BYTES_MAX, arena, &length, &size);
    thin(text, length, &kept);
    if (length > 0 &&
        file_replace(stream->path, kept.data, kept.length, NULL, &ignored) == STATUS_OK) {
        close(stream->descriptor);
        stream->descriptor = open_to_append(stream->path);
        stream->file_bytes = kept.length;
    }
    buffer_free(&kept);
    arena_destroy(arena);
}

/* Where the disk is full, a part of the text may be written. Its whole lines stay, and a line that
 * is torn is cut off, so that the next one does not become a part of it. */
static void keep_whole_lines(struct event_stream *stream, const struct buffer *text)
{
    struct stat facts;
    size_t written = 0;
    size_t whole = 0;
    if (fstat(stream->descriptor, &facts) == 0 && (uint64_t)facts.st_size > stream->file_bytes) {
        written = (size_t)((uint64_t)facts.st_size - stream->file_bytes);
        written = written < text->length ? written : text->length;
    }
    stream->lost += stream->next - stream->first;
    for (const char *end = text->data;
         (end = memchr(end, '\n', (size_t)(text->data + written - end))) != NULL;) {
        end++;
        whole = (size_t)(end - text->data);
        stream->lost -= end - text->data > 1; /* not of the newline before the lines */
    }
    stream->torn =
        written > whole && file_cut(stream->descriptor, (off_t)(stream->file_bytes + whole)) != 0;
    stream->file_bytes += stream->torn ? written : whole;
}

static void write_out(struct event_stream *stream)
{
    struct error ignored;
    struct buffer text = {0};
    if (stream->descriptor < 0 || stream->first == stream->next) {
        return;
    }
    buffer_append_string(&text, stream->torn ? "\n" : "");
    for (uint64_t at = stream->first; at < stream->next; at++) {
        append_line(stream, at, &text);
    }
    if (file_write_all(stream->descriptor, text.data, text.length, stream->path, &ignored) ==
        STATUS_OK) {
        stream->file_bytes += text.length;
        stream->torn = false;
    } else {
        keep_whole_lines(stream, &text);
    }
    while (stream->first < stream->next) {
        drop_first(stream);
    }
    if (stream->file_bytes > EVENT_FILE_BYTES_MAX) {
        shorten(stream);
    }
    buffer_free(&text);
}

/* The last number of the whole lines; what is torn or damaged between them has none. */
static uint64_t last_number(const char *text, size_t length)
{
    uint64_t last = 0;
    const char *end;
    while ((end = memchr(text, '\n', length)) != NULL) {
        uint64_t number = event_json_number(text, (size_t)(end - text));
        last = number > 0 ? number : last;
        length -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return last;
}

enum status event_stream_open(struct event_stream *stream, const char *path, struct error *error)
{
    size_t length;
    struct stat facts;
    int descriptor = open_to_append(path);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't open it");
    }
    if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        close(descriptor);
        return error_set(error, ERROR_STATE_WRITE, path, "it is no file");
    }
    struct arena *arena = arena_create(0);
    pthread_mutex_lock(&stream->mutex);
    const char *text =
        read_end(descriptor, END_READ_BYTES_MAX, arena, &length, &stream->file_bytes);
    stream->before = last_number(text, length) - stream->closed;
    stream->torn = length > 0 && text[length - 1] != '\n';
    stream->descriptor = descriptor;
    stream->path = memory_copy_string(path);
    write_out(stream);
    pthread_mutex_unlock(&stream->mutex);
    arena_destroy(arena);
    return STATUS_OK;
}

void event_stream_close(struct event_stream *stream, uint64_t *lost)
{
    pthread_mutex_lock(&stream->mutex);
    write_out(stream);
    if (stream->descriptor >= 0) {
        close(stream->descriptor);
    }
    if (stream->path != NULL) {
        stream->lost += stream->next - stream->first; /* it could not be opened again */
        stream->closed = stream->next - 1;
        while (stream->first < stream->next) {
            drop_first(stream);
        }
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
    event_stream_add(stream, &text);
    if (record->level <= LOG_WARNING || kind == EVENT_RUN || kind == EVENT_PHASE) {
        write_out(stream);
    }
    pthread_mutex_unlock(&stream->mutex);
    buffer_free(&text);
}
