/* Steps of the end of a load that are taken once more, while changes are applied and at a cut-over.
 */
#include "engine/settle/references.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/session/parts.h"
#include "engine/state/run_state.h"

enum status run_look_at_references(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    struct after_load_request request = {
        .tables = run->tables, .table_count = run->table_count, .references_only = true};
    enum status status = target->connector->target->after_load(target, &request, error);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->status.broken_references = request.broken + run->status.left_references;
    bool broken = run->status.broken_references > 0;
    pthread_mutex_unlock(&run->state_mutex);
    log_write(LOG_INFO, broken ? "foreign keys were looked at again, and some are broken still"
                               : "foreign keys that were broken behind the copy are obeyed now");
    return run_put_status(run, error);
}

enum status run_prime_target(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    run->session->values_asked = false;
    if (session_ask_values(run->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < run->table_count; i++) {
        run->seen.counted[i].known = false;
    }
    /* the way back makes nothing of what is there */
    const struct schema *objects = reverse_is(run) ? NULL : run_objects(run);
    struct after_load_request request = {.tables = run->tables,
                                         .table_count = run->table_count,
                                         .objects = objects,
                                         .progress = log_progress};
    return target->connector->target->after_load(target, &request, error);
}
