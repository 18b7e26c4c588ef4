/* Parts of the source's records that a copy leaves out. */
#include "engine/session/losses.h"

#include "base/log.h"
#include <string.h>

enum status losses_tell(struct run_session *session, struct buffer *out, struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    if (source->tell_losses == NULL) {
        return STATUS_OK;
    }
    uint32_t count = session_request_count(session);
    struct arena *arena = arena_create(0);
    const struct read_request **requests =
        arena_allocate_zeroed(arena, count + (size_t)1, sizeof(*requests));
    session_list_requests(session, requests);
    enum status status = source->tell_losses(session->source, requests, count,
                                             session->target->limits.keeps_times, out, error);
    arena_destroy(arena);
    return status;
}

enum status losses_warn(struct run_session *session, struct error *error)
{
    struct buffer lines = {0};
    enum status status = losses_tell(session, &lines, error);
    for (const char *at = buffer_string(&lines); status == STATUS_OK && *at != '\0';) {
        size_t length = strcspn(at, "\n");
        log_write(LOG_WARNING, "%.*s", (int)length, at);
        at += length + (at[length] == '\n');
    }
    buffer_free(&lines);
    return status;
}
