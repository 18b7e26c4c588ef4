/* Views that stand on views, and functions on types: found by trying. */
#include "connectors/sql/rounds.h"
#include "base/memory.h"
#include <stdlib.h>

/* `*progress`: one was made while others are left. */
static enum status go_round(uint32_t count, bool *done, bool *progress, sql_attempt attempt,
                            void *context)
{
    bool made = false;
    bool left = false;
    for (uint32_t i = 0; i < count; i++) {
        if (done[i]) {
            continue;
        }
        enum status status = attempt(context, i, false);
        if (status == STATUS_FAILED) {
            return status;
        }
        done[i] = status != STATUS_AGAIN;
        made |= status == STATUS_OK;
        left |= status == STATUS_AGAIN;
    }
    *progress = made && left;
    return STATUS_OK;
}

enum status sql_make_in_rounds(uint32_t count, bool tells, sql_attempt attempt, void *context,
                               struct error *error)
{
    bool *done = memory_allocate_zeroed((size_t)count + 1, sizeof *done);
    enum status status = STATUS_OK;
    (void)error;
    bool progress = true;
    while (status == STATUS_OK && progress) {
        status = go_round(count, done, &progress, attempt, context);
    }
    for (uint32_t i = 0; tells && status != STATUS_FAILED && i < count; i++) {
        status = done[i] ? STATUS_OK : attempt(context, i, true);
    }
    free(done);
    return status == STATUS_FAILED ? status : STATUS_OK;
}
