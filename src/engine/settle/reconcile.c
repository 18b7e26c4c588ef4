/* Before success is said: what was made must have been written, rejected or skipped, and be
 * there. */
#include "engine/settle/reconcile.h"
#include "base/log.h"
#include "engine/session/home.h"

#include <inttypes.h>

static enum status check_entity(const struct run *run, uint32_t number, struct error *error)
{
    const struct tally *tally = &run->totals[number];
    if (tally->made == tally->written + tally->rejected + tally->skipped) {
        return STATUS_OK;
    }
    error_set(error, ERROR_RECONCILE, run->session->plan->entities[number].name,
              "%" PRIu64 " records made, but %" PRIu64 " written, %" PRIu64 " rejected and %" PRIu64
              " skipped",
              tally->made, tally->written, tally->rejected, tally->skipped);
    error_hint(error, "the target is not complete; please report this fault");
    return STATUS_FAILED;
}

static enum status check_table(const struct run *run, uint32_t number, struct error *error)
{
    struct database *target = run->session->target;
    const struct target_count *counted = &run->seen.counted[number];
    const struct plan_table *table = &run->session->plan->tables[number];
    uint64_t written = 0;
    uint64_t there = counted->records;
    for (uint32_t i = 0; i < table->entity_count; i++) {
        written += run->totals[table->entities[i]].written;
    }
    if (!counted->known && target->connector->target->count(target, &run->tables[number], &there,
                                                            error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (there == written) {
        return STATUS_OK;
    }
    if (run->header.feed != NULL && run->status.mixed_snapshot) {
        return STATUS_OK; /* the changes in between put it right */
    }
    if (there > written && run->status.mixed_snapshot && home_repeats_chunks(run->session)) {
        log_write(LOG_WARNING,
                  "%s: %" PRIu64 " records were written, but %" PRIu64
                  " are in the table: the source lost some while the run was interrupted; "
                  "`transhume validate` lists them",
                  table->target.name, written, there);
        return STATUS_OK;
    }
    error_set(error, ERROR_RECONCILE, table->target.name,
              "%" PRIu64 " records were written, but %" PRIu64 " are in the table", written, there);
    error_hint(error, "did somebody else write to or delete from it? Look for what differs before "
                      "using the target");
    return STATUS_FAILED;
}

enum status reconcile_run(struct run *run, struct error *error)
{
    const struct plan *plan = run->session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        if (check_entity(run, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    bool counts = (run->session->target->capabilities & CAPABILITY_COUNTS_EXACT) != 0;
    for (uint32_t i = 0; counts && i < plan->table_count; i++) {
        if (run->tables[i].created && !run->loads_rejects &&
            check_table(run, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
