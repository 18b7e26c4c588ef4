/* The loader: a thread that sends one segment while the engine's encodes the next. */
#include "connectors/mysql/copy/writer_internal.h"
#include <string.h>

/* Both queues hold one segment at most: whether they have room is never a question. */
enum { WEIGHT = 1 };

static void *run_loader(void *argument)
{
    struct writer *writer = argument;
    void *item = NULL;
    while (ring_pop(writer->to_load, &item, -1) == STATUS_OK) {
        struct segment *segment = item;
        segment->failed = writer_segment_send(writer, &segment->error) != STATUS_OK;
        arena_reset(writer->load_scratch);
        (void)!ring_push(writer->loaded, segment, WEIGHT, -1);
    }
    return NULL;
}

enum status writer_loader_start(struct writer *writer, struct error *error)
{
    writer->filling = &writer->segments[0];
    writer->sending = &writer->segments[1];
    writer->to_load = ring_create(WEIGHT);
    writer->loaded = ring_create(WEIGHT);
    writer->load_scratch = arena_create(0);
    int failure = pthread_create(&writer->loader, NULL, run_loader, writer);
    if (failure != 0) {
        return error_set(error, ERROR_MEMORY, writer->database->sql.shown,
                         "can't start a thread: %s", strerror(failure));
    }
    writer->has_loader = true;
    return STATUS_OK;
}

void writer_loader_stop(struct writer *writer)
{
    if (writer->has_loader) {
        ring_close(writer->to_load);
        pthread_join(writer->loader, NULL);
        writer->has_loader = false;
    }
    ring_destroy(writer->to_load);
    ring_destroy(writer->loaded);
    arena_destroy(writer->load_scratch);
}

enum status writer_await_load(struct writer *writer, int64_t timeout_ms, struct error *error)
{
    void *item = NULL;
    if (!writer->loading) {
        return STATUS_END;
    }
    enum status status = ring_pop(writer->loaded, &item, timeout_ms);
    if (status != STATUS_OK) {
        return status;
    }
    struct segment *segment = item;
    writer->loading = false;
    if (segment->failed) {
        error_copy(error, &segment->error);
        return STATUS_FAILED;
    }
    sql_held_move(&segment->held, &writer->sql.done);
    writer_segment_clear(segment);
    return STATUS_OK;
}

enum status writer_hand_over(struct writer *writer, struct error *error)
{
    struct segment *filled = writer->filling;
    if (filled->held.first == NULL && filled->lines == 0) {
        return STATUS_OK;
    }
    if (writer_await_load(writer, -1, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    filled->numbered = writer->numbered;
    writer->filling = writer->sending;
    writer->sending = filled;
    writer->loading = true;
    return ring_push(writer->to_load, filled, WEIGHT, -1);
}
