/* The source of a run, made ready to be read. */
#include "engine/session/run_source.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/join/joining.h"
#include "engine/session/losses.h"

enum status run_prepare_source(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    if (run->moment.prepared || run->loads_rejects) {
        return STATUS_OK;
    }
    const struct source_functions *source = session->source->connector->source;
    uint32_t count = session_request_count(session);
    const struct read_request **requests =
        arena_allocate_zeroed(run->arena, count, sizeof(struct read_request *));
    session_list_requests(session, requests);
    int phase = atomic_load(&session->progress.phase);
    progress_enter(&session->progress, PROGRESS_PREPARE);
    if (losses_warn(session, error) != STATUS_OK ||
        session_snapshot(session, session_reader_count(session), error) != STATUS_OK ||
        source->prepare(session->source, requests, count, log_progress, error) != STATUS_OK ||
        session_choose_rows(session, log_progress, error) != STATUS_OK ||
        (session->joining != NULL &&
         joining_prepare(session->joining, log_progress, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    progress_enter(&session->progress, phase);
    /* All chunks were copied by earlier attempts; what is read now may be of another moment. */
    run->moment.moved = run->moment.unjudged && !run->status.no_snapshot &&
                        !session_is_at(run->session, run->moment.snapshot);
    run->moment.unjudged = false;
    run->moment.prepared = true;
    return STATUS_OK;
}
