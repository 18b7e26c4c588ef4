/* Reading chunks.jsonl, line by line: there may be many. */
#include "observe/report_parts.h"

#include "base/file.h"
#include "model/json_tree.h"
#include <string.h>

enum { CHUNKS_MAX = 1 << 22, STREAMS_MAX = 1 << 20 };

static enum status read_header(const json_t *header, struct report *report, struct error *error)
{
    const json_t *streams = json_object_get(header, "streams");
    size_t count = json_array_size(streams);
    const char *run = report_text(header, "run");
    if (run == NULL || strcmp(run, report->run) != 0 || count > STREAMS_MAX) {
        return STATUS_END; /* of another run */
    }
    report->streams = arena_allocate_zeroed(report->arena, count + 1, sizeof(*report->streams));
    uint64_t chunks = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *stream = json_array_get(streams, i);
        const char *name = report_text(stream, "name");
        uint64_t own = report_count(stream, "chunks");
        if (own > CHUNKS_MAX - chunks) {
            return STATUS_END;
        }
        report->streams[i] = (struct report_stream){
            .name = arena_copy_string(report->arena, name == NULL ? "" : name),
            .first_chunk = chunks,
            .chunk_count = own};
        chunks += own;
    }
    size_t bytes = (chunks + 1) * sizeof(*report->chunks);
    report->chunks = arena_try_allocate(report->arena, bytes);
    if (report->chunks == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the report's chunks");
    }
    memset(report->chunks, 0, bytes);
    report->stream_count = (uint32_t)count;
    report->chunk_count = chunks;
    return STATUS_OK;
}

static void take_chunk(const json_t *line, struct report *report)
{
    uint64_t number = report_count(line, "chunk");
    uint64_t rejected = report_count(line, "rejected");
    double seconds = json_number_value(json_object_get(line, "seconds"));
    uint64_t attempt = report_count(line, "attempt");
    if (number == 0 || number > report->chunk_count || attempt == 0) {
        return;
    }
    report->chunks[number - 1] =
        (struct report_chunk){.attempt = attempt > UINT32_MAX ? UINT32_MAX : (uint32_t)attempt,
                              .rejected = rejected > UINT32_MAX ? UINT32_MAX : (uint32_t)rejected,
                              .written = report_count(line, "written"),
                              .bytes = report_count(line, "bytes"),
                              .seconds = seconds >= 0 && seconds < 1e9 ? seconds : 0};
}

static void sum_streams(struct report *report)
{
    for (uint32_t i = 0; i < report->stream_count; i++) {
        struct report_stream *stream = &report->streams[i];
        for (uint64_t j = 0; j < stream->chunk_count; j++) {
            const struct report_chunk *chunk = &report->chunks[stream->first_chunk + j];
            stream->done_count += chunk->attempt > 0;
            stream->seconds += chunk->seconds;
            report->chunk_again_count += chunk->attempt > 0 && report_chunk_tries(chunk) > 1;
        }
        report->chunk_done_count += stream->done_count;
    }
}

static enum status read_lines(struct file_lines *lines, struct report *report, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (status = file_lines_next(lines, error)) == STATUS_OK) {
        bool whole = lines->line[lines->length - 1] == '\n';
        json_t *object = whole ? json_tree_load(lines->line, lines->length, 0, NULL) : NULL;
        if (report->chunks == NULL) {
            status = object == NULL ? STATUS_END : read_header(object, report, error);
        } else if (object != NULL) {
            take_chunk(object, report);
        }
        json_decref(object);
    }
    return status == STATUS_END && report->chunks != NULL ? STATUS_OK : status;
}

enum status report_read_chunks(const char *folder, struct report *report, struct error *error)
{
    char *path = file_join(report->arena, folder, "chunks.jsonl");
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_lines(&lines, report, error);
    file_lines_close(&lines);
    if (status == STATUS_FAILED) { /* part of them would be told as all */
        report->chunk_count = 0;
        report->stream_count = 0;
    }
    sum_streams(report);
    return status;
}
