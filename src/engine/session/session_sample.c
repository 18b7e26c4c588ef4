/* Facts of whole tables that are found before their rows are read: which of them --sample-rows
 * chooses, and what values shuffled columns get. */
#include "engine/session/options.h"
#include "engine/session/session.h"
#include "engine/shuffle/shuffle.h"
#include "engine/subset/subset.h"

enum status session_sample_prepare(struct run_session *session, struct error *error)
{
    struct state_folder folder;
    const struct run_options *options = &session->options;
    if (options->selection.sample_rows == 0 && session->plan->shuffle_count == 0) {
        return STATUS_OK;
    }
    if (session->shuffle == NULL && session->plan->shuffle_count > 0 &&
        state_folder_name(&folder, session->state_path, session->arena, error) == STATUS_OK) {
        session->shuffle = shuffle_create(session->source, session->plan,
                                          session_make_spill_folder(&folder, folder.spill_source),
                                          options_cache_bytes(options));
    }
    if (options->selection.sample_rows == 0) {
        return STATUS_OK;
    }
    if (options->follow.wanted) {
        error_set(error, ERROR_USAGE, "--sample-rows", "does not go with --follow");
        return error_hint(error, "a change may be of a row that was not chosen: copy the part, or "
                                 "follow all of it");
    }
    if (state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct subset_options wanted = {
        .source = session->source,
        .schema = session->schema,
        .plan = session->plan,
        .spill_folder = session_make_spill_folder(&folder, folder.spill_source),
        .memory_bytes = options_cache_bytes(options),
        .rows = options->selection.sample_rows,
        .seed = options->selection.sample_seed};
    session->subset = subset_create(&wanted);
    return STATUS_OK;
}

enum status session_sample(struct run_session *session, uint64_t rows, uint64_t seed,
                           struct error *error)
{
    if (session->options.selection.sample_rows == rows &&
        session->options.selection.sample_seed == seed) {
        return STATUS_OK;
    }
    subset_destroy(session->subset);
    session->subset = NULL;
    session->options.selection.sample_rows = rows;
    session->options.selection.sample_seed = seed;
    return session_sample_prepare(session, error);
}

/* There are no more readers than the snapshot was taken for: one of them is borrowed. */
enum status session_choose_rows(struct run_session *session, void (*progress)(const char *what),
                                struct error *error)
{
    struct reader *reader = session->sample_reader;
    bool chooses = session->subset != NULL && !subset_is_prepared(session->subset);
    bool shuffles = session->shuffle != NULL && !shuffle_is_prepared(session->shuffle);
    if (!chooses && !shuffles) {
        return STATUS_OK;
    }
    if (reader == NULL && session_reader_open(session, &reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        chooses ? subset_prepare(session->subset, reader, progress, error) : STATUS_OK;
    if (status == STATUS_OK && shuffles) {
        status = shuffle_prepare(session->shuffle, reader, progress, error);
    }
    if (reader != session->sample_reader) {
        session_reader_keep(session, reader);
    }
    return status;
}
