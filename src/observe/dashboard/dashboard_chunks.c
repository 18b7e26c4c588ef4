/*
 * Which chunks are done: for each stream a text of lengths and states, as "120d3o1r", each for that
 * many cells. A cell is `cell` chunks, one unless there are very many of them.
 */
#include "observe/dashboard/dashboard_parts.h"

#include "observe/report_parts.h"
#include <inttypes.h>
#include <string.h>

enum { CELLS_MAX = 20000 };

/* d: done, a: done, and some more than once, r: done with rejects, p: some are done, o: none is. */
static char state_of(const struct report_chunk *chunks, uint64_t count)
{
    uint64_t done = 0;
    bool again = false;
    bool rejected = false;
    for (uint64_t i = 0; i < count; i++) {
        done += chunks[i].attempt > 0;
        again = again || (chunks[i].attempt > 0 && report_chunk_tries(&chunks[i]) > 1);
        rejected = rejected || chunks[i].rejected > 0;
    }
    return rejected ? 'r' : done == 0 ? 'o' : done < count ? 'p' : again ? 'a' : 'd';
}

static void append_cells(const struct report *report, const struct report_stream *stream,
                         uint64_t cell, struct buffer *out)
{
    uint64_t length = 0;
    char state = 0;
    for (uint64_t i = 0; i < stream->chunk_count; i += cell) {
        uint64_t count = stream->chunk_count - i < cell ? stream->chunk_count - i : cell;
        char next = state_of(report->chunks + stream->first_chunk + i, count);
        if (next != state && length > 0) {
            buffer_format(out, "%" PRIu64 "%c", length, state);
            length = 0;
        }
        state = next;
        length++;
    }
    if (length > 0) {
        buffer_format(out, "%" PRIu64 "%c", length, state);
    }
}

static uint64_t rejects_in(const struct report *report, const struct report_stream *stream)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < stream->chunk_count; i++) {
        count += report->chunks[stream->first_chunk + i].rejected > 0;
    }
    return count;
}

static void append_streams(const struct report *report, struct buffer *out)
{
    uint64_t cell = 1 + report->chunk_count / CELLS_MAX;
    buffer_format(out,
                  "{\"total\":%" PRIu64 ",\"done\":%" PRIu64 ",\"again\":%" PRIu64
                  ",\"cell\":%" PRIu64 ",\"streams\":[",
                  report->chunk_count, report->chunk_done_count, report->chunk_again_count, cell);
    for (uint32_t i = 0; i < report->stream_count; i++) {
        const struct report_stream *stream = &report->streams[i];
        buffer_append_string(out, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
        report_json(out, stream->name);
        buffer_format(out,
                      ",\"total\":%" PRIu64 ",\"done\":%" PRIu64 ",\"with_rejects\":%" PRIu64
                      ",\"cells\":\"",
                      stream->chunk_count, stream->done_count, rejects_in(report, stream));
        append_cells(report, stream, cell, out);
        buffer_append_string(out, "\"}");
    }
    buffer_append_string(out, "]}\n");
}

bool dashboard_append_chunks(struct dashboard *dashboard, const struct dashboard_run *run,
                             struct buffer *out)
{
    static const char *const files[] = {"chunks.jsonl", NULL};
    struct buffer *fresh;
    struct report report;
    struct error ignored;
    struct arena *arena = arena_create(0);
    const struct buffer *known =
        dashboard_cache_find(dashboard, arena_format(arena, "chunks %s", run->key),
                             dashboard_signature(run->folder, files, false), &fresh);
    if (known == NULL) {
        known = fresh;
        if (report_read_parts(run->folder, run->at_work, REPORT_CHUNKS | REPORT_QUIETLY, &report,
                              &ignored) == STATUS_OK &&
            (run->id == NULL || strcmp(run->id, report.run) == 0)) {
            append_streams(&report, fresh);
        }
        report_free(&report);
    }
    buffer_append(out, known->data, known->length);
    arena_destroy(arena);
    return known->length > 0;
}
