/* Writing chunks.jsonl: lines gathered in memory, appended when state.json is written. */
#include "engine/folder/chunk_log.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct chunk_log {
    const char *path; /* the run's */
    struct buffer pending;
    int descriptor; /* -1: to be written anew */
    bool failed;
};

static void append_header(const struct run *run, struct buffer *out)
{
    const struct plan *plan = run->session->plan;
    json_t *streams = json_array();
    if (run->loads_rejects) {
        json_array_append_new(streams, json_pack("{s:s,s:I}", "name", "corrected records", "chunks",
                                                 (json_int_t)run->chunks.count));
    }
    for (uint32_t i = 0; !run->loads_rejects && i < plan->stream_count; i++) {
        uint64_t chunks = run->chunks.stream_first[i + 1] - run->chunks.stream_first[i];
        json_array_append_new(streams,
                              json_pack("{s:o,s:I}", "name", json_text(plan->streams[i].name),
                                        "chunks", (json_int_t)chunks));
    }
    json_t *header = json_pack("{s:i,s:o,s:o}", "format", CONTROL_FORMAT, "run", json_text(run->id),
                               "streams", streams);
    json_tree_append(header, JSON_COMPACT, out);
    buffer_append_byte(out, '\n');
    json_decref(header);
}

struct chunk_log *chunk_log_open(const struct run *run, const struct ledger_mark *marks,
                                 uint64_t mark_count)
{
    struct chunk_log *log = memory_allocate_zeroed(1, sizeof(*log));
    log->path = run->folder.chunk_file;
    log->descriptor = -1;
    append_header(run, &log->pending);
    for (uint64_t i = 0; i < mark_count; i++) {
        if (run->chunks.done[marks[i].chunk - 1]) {
            chunk_log_add(log, &marks[i]);
        }
    }
    return log;
}

void chunk_log_add(struct chunk_log *log, const struct ledger_mark *mark)
{
    struct tally sum = {0};
    if (log == NULL || log->failed) {
        return;
    }
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        tally_add(&sum, &mark->tallies[i]);
    }
    buffer_format(&log->pending,
                  "{\"chunk\":%" PRIu64 ",\"attempt\":%" PRIu32
                  ",\"seconds\":%.3f,\"read\":%" PRIu64 ",\"written\":%" PRIu64
                  ",\"rejected\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
                  mark->chunk, mark->attempt, mark->seconds, sum.read, sum.written, sum.rejected,
                  sum.skipped, sum.bytes);
}

static enum status write_anew(struct chunk_log *log, struct error *error)
{
    if (file_replace(log->path, log->pending.data, log->pending.length, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log->descriptor = file_open(log->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0);
    return log->descriptor >= 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_STATE_WRITE, errno, log->path, "can't open it again");
}

void chunk_log_flush(struct chunk_log *log)
{
    struct error error;
    if (log == NULL || log->failed || log->pending.length == 0) {
        return;
    }
    enum status status = STATUS_OK;
    if (log->descriptor < 0) {
        status = write_anew(log, &error);
    } else {
        status = file_write_all(log->descriptor, log->pending.data, log->pending.length, log->path,
                                &error);
    }
    if (status != STATUS_OK) {
        log_write(LOG_WARNING, "chunks.jsonl stays behind: %s: %s", error.object, error.message);
        log->failed = true;
    }
    buffer_clear(&log->pending);
}

void chunk_log_close(struct chunk_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->descriptor >= 0) {
        close(log->descriptor);
    }
    buffer_free(&log->pending);
    free(log);
}
