/* The plan's SQL in the transaction of each chunk of a table. */
#include "base/text.h"
#include "engine/copy/writing.h"
#include "plan/hooks.h"
#include <stdio.h>
#include <string.h>

/* Does the chunk hold records of that table? */
static bool feeds(const struct plan *plan, const struct plan_stream *stream, uint32_t table)
{
    bool found = false;
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        found = found || plan->entities[stream->entities[i]].table == table;
    }
    return found;
}

/* An error of class RETRY stays what it is, so that the chunk begins again. */
static enum status writing_hooks_fail(const struct plan_hook *hook, const char *statement,
                                      struct error *error)
{
    char shown[200];
    char message[sizeof error->message];
    if (error->class == ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    text_printable(statement, strlen(statement), shown, sizeof shown);
    memcpy(message, error->message, sizeof message);
    error_set(error, ERROR_HOOK_FAILED, hook->place, "the hook `%s` failed: %s: %s", hook->title,
              shown, message);
    error_hint(error, "the chunk was taken back; correct the statement or its cause");
    return STATUS_FAILED;
}

enum status writing_run_hooks(struct writing *writing, const struct open_chunk *chunk, int moment,
                              struct error *error)
{
    const struct run_session *session = writing->copy->session;
    const struct plan *plan = session->plan;
    bool none = session->options.hooks.none || writing->copy->run->loads_rejects;
    for (uint32_t i = 0; !none && i < plan->hook_count; i++) {
        const struct plan_hook *hook = &plan->hooks[i];
        if (hook->moment != (enum hook_moment)moment || !feeds(plan, chunk->stream, hook->table)) {
            continue;
        }
        for (uint32_t k = 0; k < hook->statement_count; k++) {
            if (session->target->connector->sql_target->chunk_run(
                    writing->worker->writer, chunk->number, hook->statements[k], error) !=
                STATUS_OK) {
                return writing_hooks_fail(hook, hook->statements[k], error);
            }
        }
    }
    return STATUS_OK;
}
