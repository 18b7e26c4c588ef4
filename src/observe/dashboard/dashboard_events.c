/*
 * The stream of one run: each line of events.jsonl as an event with its number as id, and
 * `progress` whenever the run's files changed. Looked at once a second while somebody listens.
 */
#include "observe/dashboard/dashboard_parts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "observe/event/event_json.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A client that names no event gets the last ones, and of those before them what is not of a chunk.
 * What it can't keep up with waits in the file. */
enum { PIECE_BYTES = 64 << 10, TAIL_BYTES = 128 << 10, QUIET_MS = 10000 };

struct following {
    struct dashboard *dashboard;
    char key[DASHBOARD_KEY_MAX];
    uint64_t last; /* the number of the last event that was told */
    bool goes_on;  /* the client had events before, and wants those behind them */
    ino_t file;    /* 0: none was read */
    off_t offset;
    off_t brief;      /* up to there events of chunks are left out */
    uint64_t version; /* of the progress that was told */
    bool gone;
    int64_t told_ms; /* 0: nothing was told yet */
};

static bool is_of_chunk(const char *line, size_t length)
{
    static const char kind[] = "\"kind\":\"chunk\"";
    return memmem(line, length, kind, strlen(kind)) != NULL;
}

/* Whole lines; how many bytes they are comes back. */
static size_t take_lines(struct following *following, const char *text, size_t length,
                         struct buffer *out)
{
    size_t taken = 0;
    const char *end;
    while ((end = memchr(text + taken, '\n', length - taken)) != NULL) {
        const char *line = text + taken;
        size_t size = (size_t)(end - line);
        uint64_t number = event_json_number(line, size);
        bool brief = following->offset + (off_t)taken < following->brief;
        if (number > following->last && !(brief && is_of_chunk(line, size))) {
            buffer_format(out, "id: %" PRIu64 "\ndata: ", number);
            buffer_append(out, line, size);
            buffer_append_string(out, "\n\n");
            following->last = number;
        }
        taken += size + 1;
    }
    return taken;
}

/* The number of the last whole line of the file's end; 0: there is none. */
static uint64_t last_number(int file, off_t size, char *piece)
{
    uint64_t last = 0;
    off_t from = size > PIECE_BYTES ? size - PIECE_BYTES : 0;
    ssize_t length = file_read_at(file, piece, PIECE_BYTES, from);
    for (const char *line = piece; length > 0 && line < piece + length;) {
        const char *end = memchr(line, '\n', (size_t)(piece + length - line));
        if (end == NULL) {
            break;
        }
        uint64_t number = event_json_number(line, (size_t)(end - line));
        last = number > 0 ? number : last;
        line = end + 1;
    }
    return last;
}

/* Another file: one that was shortened, whose numbers go on, or that of a folder made again. */
static void begin_file(struct following *following, int file, const struct stat *facts, char *piece)
{
    bool first = following->file == 0;
    if (following->last > 0 && last_number(file, facts->st_size, piece) < following->last) {
        following->last = 0;
    }
    following->offset = 0;
    following->brief = first && !following->goes_on ? facts->st_size - TAIL_BYTES : 0;
    following->file = facts->st_ino;
}

static void append_events(struct following *following, const char *folder, struct buffer *out)
{
    struct stat facts;
    struct arena *arena = arena_create(0);
    char *piece = arena_allocate(arena, PIECE_BYTES + 1);
    int file = file_open(file_join(arena, folder, "events.jsonl"),
                         O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (file >= 0 && fstat(file, &facts) == 0 && S_ISREG(facts.st_mode)) {
        if (facts.st_ino != following->file || facts.st_size < following->offset) {
            begin_file(following, file, &facts, piece);
        }
        size_t before = out->length;
        ssize_t length = 1;
        while (length > 0 && out->length == before && following->offset < facts.st_size) {
            length = file_read_at(file, piece, PIECE_BYTES, following->offset);
            piece[length > 0 ? length : 0] = '\0';
            size_t taken = length > 0 ? take_lines(following, piece, (size_t)length, out) : 0;
            if (taken == 0 && length < PIECE_BYTES) {
                break; /* a line that is being written */
            }
            following->offset += taken > 0 ? (off_t)taken : length;
        }
    }
    if (file >= 0) {
        file_close(file);
    }
    arena_destroy(arena);
}

static void append_progress(struct following *following, const struct dashboard_run *run,
                            struct buffer *out)
{
    uint64_t version;
    struct buffer text = {0};
    bool found = dashboard_append_progress(following->dashboard, run, &version, &text);
    if (found && (version != following->version || following->gone)) {
        buffer_append_string(out, "event: progress\ndata: ");
        buffer_append_buffer(out, &text);
        buffer_append_string(out, "\n\n");
    } else if (!found && !following->gone && run->id != NULL) {
        buffer_append_string(out, "event: gone\ndata: {}\n\n");
    }
    following->gone = !found;
    following->version = version;
    buffer_free(&text);
}

static bool go_on(void *context, struct buffer *out)
{
    struct following *following = context;
    struct dashboard_run run;
    struct arena *arena = arena_create(0);
    int64_t now_ms = clock_monotonic_ms();
    if (following->told_ms == 0) {
        buffer_append_string(out, "retry: 2000\n\n");
    }
    if (dashboard_find(following->dashboard, following->key, arena, &run)) {
        append_progress(following, &run, out);
        append_events(following, run.folder, out);
    }
    if (out->length == 0 && now_ms - following->told_ms >= QUIET_MS) {
        buffer_append_string(out, ": nothing new\n\n"); /* who is gone is found by it */
    }
    following->told_ms = out->length > 0 ? now_ms : following->told_ms;
    arena_destroy(arena);
    return true;
}

void dashboard_answer_events(struct dashboard *dashboard, const struct dashboard_run *run,
                             const struct web_request *request, struct web_answer *answer)
{
    const char *after = web_header(request, "Last-Event-ID");
    after = after != NULL ? after : web_parameter(request, "after");
    struct following *following = memory_allocate_zeroed(1, sizeof(*following));
    following->dashboard = dashboard;
    snprintf(following->key, sizeof(following->key), "%s", run->key);
    following->goes_on = after != NULL;
    following->last = after != NULL ? strtoull(after, NULL, 10) : 0;
    answer->content_type = "text/event-stream; charset=utf-8";
    answer->stream = go_on;
    answer->release = free;
    answer->stream_context = following;
}
