/*
 * The stream of a run's events into events.jsonl of the state folder, which reports and the
 * dashboard read: what is not written yet waits in memory, bounded. It listens to the log
 * (log_set_listener).
 */
#ifndef TRANSHUME_OBSERVE_EVENT_STREAM_H
#define TRANSHUME_OBSERVE_EVENT_STREAM_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

enum {
    EVENT_STREAM_LINES_MAX = 2048, /* in memory */
    EVENT_STREAM_BYTES_MAX = 512 << 10,
    EVENT_FILE_BYTES_MAX = 4 << 20
};

struct event_stream;

/* Any thread. Numbers go up by one, from 1, or from where the file that is opened ends. */
struct event_stream *event_stream_create(void) __attribute__((returns_nonnull));
void event_stream_destroy(struct event_stream *stream); /* closes the file; takes NULL */

/* For log_set_listener, with the stream as context. */
void event_stream_hear(void *stream, const struct log_record *record);

/*
 * Goes on with the file at `path`, from what is still in memory and was written nowhere on; a torn
 * last line is ended. Lines are written by event_stream_flush and where an event is of LOG_WARNING
 * or worse, or of a run or a phase. A file that grows above EVENT_FILE_BYTES_MAX loses events of
 * chunks, retries and positions first, the oldest ones, and then others.
 */
enum status event_stream_open(struct event_stream *stream, const char *path,
                              struct error *error) MUST_USE;
/* The number of events that could not be written since it was opened is in `*lost`. Fine without a
 * file. */
void event_stream_close(struct event_stream *stream, uint64_t *lost);
void event_stream_flush(struct event_stream *stream);

#endif
