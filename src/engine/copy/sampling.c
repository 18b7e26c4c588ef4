/* A reader without a run: the worker's parts around one cursor and a sink. */
#include "engine/copy/sampling.h"

#include "engine/copy/reading.h"
#include "engine/join/joining.h"

static enum status read_span(struct worker *worker, const struct plan_stream *stream,
                             const struct span *span,
                             enum status (*sink)(void *context, struct parcel *parcel),
                             enum status (*account)(void *context, uint64_t rows, uint64_t bytes),
                             void *context, struct error *error)
{
    struct reading reading;
    reading_init(&reading, worker);
    reading.stream = stream;
    reading.span = span;
    reading.sink = sink;
    reading.sink_account = account;
    reading.sink_context = context;
    enum status status = reading_span(&reading, error);
    reading_free(&reading);
    return status;
}

enum status sampling_read_through(struct run_session *session, struct reader *reader,
                                  const struct plan_stream *stream, const struct span *span,
                                  enum status (*sink)(void *context, struct parcel *parcel),
                                  enum status (*account)(void *context, uint64_t rows,
                                                         uint64_t bytes),
                                  void *context, struct error *error)
{
    struct run no_run = {.session = session};
    struct copy copy = {.run = &no_run, .session = session};
    struct worker worker = {.copy = &copy, .reader = reader};
    return read_span(&worker, stream, span, sink, account, context, error);
}

enum status sampling_read_span(struct run_session *session, struct run *run,
                               const struct plan_stream *stream, const struct span *span,
                               enum status (*sink)(void *context, struct parcel *parcel),
                               void *context, struct error *error)
{
    struct run no_run = {.session = session};
    struct copy copy = {.run = run != NULL ? run : &no_run, .session = session};
    struct worker worker = {.copy = &copy};
    if (!copy.run->loads_rejects &&
        (session_sample_reader(session, &worker.reader, error) != STATUS_OK ||
         session_choose_rows(session, NULL, error) != STATUS_OK ||
         (session->joining != NULL &&
          joining_prepare(session->joining, NULL, error) != STATUS_OK))) {
        return STATUS_FAILED;
    }
    return read_span(&worker, stream, span, sink, NULL, context, error);
}

enum status sampling_read(struct run_session *session, const struct plan_stream *stream,
                          enum status (*sink)(void *context, struct parcel *parcel), void *context,
                          struct error *error)
{
    return sampling_read_span(session, NULL, stream, NULL, sink, context, error);
}
