/* References to records that came later, filled in. */
#include "engine/settle/circles_fill.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "engine/session/circles.h"
#include <inttypes.h>
#include <stdlib.h>

static bool has_later(const struct run *run)
{
    bool any = false;
    for (uint32_t i = 0; i < run->table_count; i++) {
        any = any || target_table_later_count(&run->tables[i]) > 0;
    }
    return any;
}

/* How many tables have references that stay NULL. */
static uint32_t tell_filled(const struct run *run, const struct target_filled *filled)
{
    uint32_t broken = 0;
    for (uint32_t i = 0; i < run->table_count; i++) {
        if (filled[i].filled > 0) {
            log_write(LOG_INFO, "%s: filled in %" PRIu64 " references to records that came later",
                      run->tables[i].name, filled[i].filled);
        }
        broken += filled[i].left > 0 || filled[i].refused > 0;
        if (filled[i].refused > 0) {
            log_write(LOG_WARNING,
                      "%s: %" PRIu64 " references to records that came later are refused by the "
                      "target, and stay NULL; the first of them: %s",
                      run->tables[i].name, filled[i].refused, filled[i].first_refused);
        }
        if (filled[i].left > 0) {
            log_write(LOG_WARNING,
                      "%s: %" PRIu64 " references have no record to refer to, and stay NULL; the "
                      "first of them: %s",
                      run->tables[i].name, filled[i].left, filled[i].first);
        }
    }
    return broken;
}

enum status circles_fill(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    if (!has_later(run)) {
        return STATUS_OK;
    }
    struct target_filled *filled =
        memory_allocate_zeroed((size_t)run->table_count + 1, sizeof *filled);
    enum status status = connector_sql_target(target->connector)
                             ->later_fill(target, run->tables, run->table_count, filled, error);
    uint32_t left = status == STATUS_OK ? tell_filled(run, filled) : 0;
    pthread_mutex_lock(&run->state_mutex);
    run->status.left_references = left;
    pthread_mutex_unlock(&run->state_mutex);
    free(filled);
    return status;
}
