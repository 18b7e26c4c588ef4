/* Reading streams without a run: for check and its samples. */
#ifndef TRANSHUME_ENGINE_COPY_SAMPLING_H
#define TRANSHUME_ENGINE_COPY_SAMPLING_H

#include "engine/copy/parcel.h"
#include "engine/session/session.h"

/*
 * Reads a stream from its beginning, mapped, into `sink`, which takes each parcel over and returns
 * STATUS_END when it has enough. The last parcel of a stream that was read whole is a PARCEL_END.
 */
/* A span of the stream, NULL: all of it. `run` may be NULL where no run is under way. */
enum status sampling_read_span(struct run_session *session, struct run *run,
                               const struct plan_stream *stream, const struct span *span,
                               enum status (*sink)(void *context, struct parcel *parcel),
                               void *context, struct error *error) MUST_USE;
/* The same through a reader of the caller's, without a run: beside others, on the reader's thread.
 * `account` is told of all that is read, rows of lists too, before it is mapped; STATUS_END: it is
 * not wanted any more. */
enum status sampling_read_through(struct run_session *session, struct reader *reader,
                                  const struct plan_stream *stream, const struct span *span,
                                  enum status (*sink)(void *context, struct parcel *parcel),
                                  enum status (*account)(void *context, uint64_t rows,
                                                         uint64_t bytes),
                                  void *context, struct error *error) MUST_USE;
enum status sampling_read(struct run_session *session, const struct plan_stream *stream,
                          enum status (*sink)(void *context, struct parcel *parcel), void *context,
                          struct error *error) MUST_USE;

#endif
