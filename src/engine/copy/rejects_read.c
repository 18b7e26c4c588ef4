/* The reader's side of migrate --rejects: lines into batches, one an entity, and into the ring. */
#include "engine/copy/rejects_read.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/copy/reading.h"

#include "engine/formats/mended_line.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_LINES = 1000, BATCH_BYTES = 256 << 10 };

/* A chunk's lines being turned: at most one batch an entity at a time. */
struct turning {
    struct reading *reading;
    struct batch **batches;
    uint32_t line_count; /* in the batches */
    size_t line_bytes;
};

static uint64_t get_uint64(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static enum status read_bytes(const struct run *run, uint64_t offset, uint64_t length, char *text,
                              struct error *error)
{
    int input = file_open(run->folder.input_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (input < 0) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, run->folder.input_file,
                               "can't read the records to load");
    }
    uint64_t done = 0;
    ssize_t got = 1;
    while (done < length && got > 0) {
        got = file_read_at(input, text + done, length - done, (off_t)(offset + done));
        done += got > 0 ? (uint64_t)got : 0;
    }
    close(input);
    return done == length ? STATUS_OK
                          : error_set(error, ERROR_STATE_INVALID, run->folder.input_file,
                                      "is shorter than the ledger says");
}

/* The whole file was checked before the run began: nothing here is a reject any more. */
static enum status turn_line(struct turning *turning, const char *line, size_t length,
                             struct error *error)
{
    const struct plan *plan = turning->reading->worker->copy->session->plan;
    struct mended_line mended;
    if (mended_line_scan(plan, line, length, &mended, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct batch **batch = &turning->batches[mended.entity];
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
    if (*batch == NULL) {
        *batch = batch_create(shape, batch_shape_width(shape) + MENDED_EXTRA_CELLS, BATCH_LINES);
        (*batch)->entity = mended.entity;
    }
    if (mended_line_append(line, length, *batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    turning->line_count++;
    turning->line_bytes += length;
    turning->reading->tallies[mended.entity].made++;
    return STATUS_OK;
}

static enum status hand_over(struct turning *turning, struct error *error)
{
    struct reading *reading = turning->reading;
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->stream->entity_count; i++) {
        count += turning->batches[i] != NULL;
    }
    struct parcel *parcel = parcel_create(PARCEL_DATA, count);
    parcel->batch_count = 0;
    turning->line_count = 0;
    turning->line_bytes = 0;
    for (uint32_t i = 0; i < reading->stream->entity_count; i++) {
        if (turning->batches[i] != NULL) {
            parcel->batches[parcel->batch_count++] = turning->batches[i];
            turning->batches[i] = NULL;
        }
    }
    return reading_send(reading, parcel, error);
}

static enum status turn_lines(struct turning *turning, const char *text, uint64_t length,
                              struct error *error)
{
    const char *end = text + length;
    enum status status = STATUS_OK;
    while (text < end && status == STATUS_OK) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline == NULL ? end : newline + 1;
        status = turn_line(turning, text, (size_t)(next - text), error);
        text = next;
        bool full = turning->line_count == BATCH_LINES || turning->line_bytes >= BATCH_BYTES;
        if (status == STATUS_OK && (full || text == end)) {
            status = hand_over(turning, error);
        }
    }
    return status;
}

bool rejects_load_inserts(const struct run *run, const struct span *span)
{
    return run->repairs && span->bounds_length == REJECTS_LOAD_BOUNDS_BYTES &&
           get_uint64(span->bounds + 24) != 0;
}

enum status rejects_load_span(struct reading *reading, struct error *error)
{
    const struct span *span = reading->span;
    uint32_t entities = reading->stream->entity_count;
    struct turning turning = {.reading = reading};
    enum status status = STATUS_FAILED;
    if (span->bounds_length != REJECTS_LOAD_BOUNDS_BYTES) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable, "its bounds are damaged");
    }
    uint64_t length = get_uint64(span->bounds + 8);
    if (span->row_estimate < 0 || (uint64_t)span->row_estimate > length) { /* it is of lines */
        return error_set(error, ERROR_LEDGER_INVALID, span->printable, "its bounds are damaged");
    }
    char *text = length < SIZE_MAX ? malloc(length + 1) : NULL;
    turning.batches = memory_allocate_zeroed(entities, sizeof(struct batch *));
    if (text == NULL) {
        error_set(error, ERROR_MEMORY, NULL, "no memory for the records to load");
        goto out;
    }
    if (read_bytes(reading->worker->copy->run, get_uint64(span->bounds), length, text, error) ==
        STATUS_OK) {
        status = turn_lines(&turning, text, length, error);
    }
out:
    for (uint32_t i = 0; i < entities; i++) {
        batch_destroy(turning.batches[i]);
    }
    free(turning.batches);
    free(text);
    return status;
}
