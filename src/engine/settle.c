/* After the load: the losers of equal target keys become rejects, and the counts follow. */
#include "base/log.h"
#include "engine/json_text.h"
#include "engine/rejects.h"
#include "engine/run_parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct settling {
    struct run *run;
    const struct plan_table *table;
    struct reject_file file;
    uint64_t *found; /* an entity each */
};

static enum status on_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                            const struct cell *key, uint32_t key_count, const struct cell *record,
                            struct error *error)
{
    struct settling *settling = context;
    const struct plan *plan = settling->run->session->plan;
    char reason[160];
    if (entity >= plan->entity_count) {
        return error_set(error, ERROR_INTERNAL, settling->table->target.name,
                         "the target found a record of an entity that the plan does not have");
    }
    snprintf(reason, sizeof(reason),
             "a record that comes before it has the same key (it was number %" PRIu64
             " of chunk %" PRIu64 ")",
             ordinal + 1, chunk);
    const struct plan_entity *about = &plan->entities[entity];
    const struct target_table *target = &settling->table->target;
    const struct reject reject = {
        .run_id = settling->run->id,
        .chunk = chunk,
        .entity = about->name,
        .table = target->name,
        .source = settling->run->loads_rejects ? "" : plan->streams[about->stream].name,
        .key_names = key_count == target->key.count ? target->key.names : NULL,
        .key = key,
        .key_count = key_count,
        .code = ERROR_REJECT_KEY_DUPLICATE,
        .reason = reason,
        .record = record};
    settling->found[entity]++;
    return reject_file_add(&settling->file, &reject, error);
}

/* {"entities":{"3":{"rejected":n}},"rejects":{…}} */
static json_t *settled_make(const struct settling *settling, const struct ledger_rejects *rejects)
{
    json_t *entities = json_object();
    for (uint32_t i = 0; i < settling->run->session->plan->entity_count; i++) {
        if (settling->found[i] > 0) {
            char number[16];
            snprintf(number, sizeof(number), "%" PRIu32, i);
            json_object_set_new(entities, number,
                                json_pack("{s:I}", "rejected", (json_int_t)settling->found[i]));
        }
    }
    json_t *settled = json_pack("{s:o}", "entities", entities);
    if (rejects->file != NULL) {
        json_object_set_new(settled, "rejects",
                            json_pack("{s:s,s:I,s:s}", "file", rejects->file, "count",
                                      (json_int_t)rejects->count, "xxh3", rejects->hash));
    }
    return settled;
}

enum status settle_apply(struct run *run, struct error *error)
{
    const json_t *entities = json_object_get(run->status.settled, "entities");
    struct progress *progress = &run->session->progress;
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%" PRIu32, i);
        int64_t rejected = json_member_integer(json_object_get(entities, number), "rejected", 0);
        struct tally *total = &run->totals[i];
        if (rejected < 0 || (uint64_t)rejected > total->written) {
            return error_set(error, ERROR_LEDGER_INVALID, "ledger status",
                             "is damaged: it settled more records than were written");
        }
        total->written -= (uint64_t)rejected;
        total->rejected += (uint64_t)rejected;
        total->hashed = total->hashed && rejected == 0; /* the sum still has them in it */
        atomic_store(&progress->entities[i].written, total->written);
        atomic_store(&progress->entities[i].rejected, total->rejected);
    }
    return STATUS_OK;
}

static enum status check_bound(const struct run *run, struct error *error)
{
    const struct run_options *options = &run->session->options;
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        rejected += run->totals[i].rejected;
    }
    if (rejected == 0 || (!options->fail_fast && (options->max_rejects < 0 ||
                                                  rejected <= (uint64_t)options->max_rejects))) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TOO_MANY_REJECTS, "run",
              "%" PRIu64 " records rejected, those with equal target keys included", rejected);
    error_hint(error, "see %s; allow more with --max-rejects and `transhume resume`",
               run->folder.rejects);
    return STATUS_FAILED;
}

enum status settle_run(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    const struct plan *plan = session->plan;
    struct settling settling = {.run = run};
    struct ledger_rejects rejects;
    enum status status = STATUS_OK;
    settling.found = arena_allocate_zeroed(run->arena, plan->entity_count, sizeof(uint64_t));
    if (settling.found == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to settle equal keys");
    }
    reject_file_init(&settling.file, run->folder.rejects, 0, 0);
    snprintf(settling.file.name, sizeof(settling.file.name), "settled.jsonl");
    for (uint32_t i = 0; i < plan->table_count && status == STATUS_OK; i++) {
        if (preflight_settles(session, &plan->tables[i])) {
            settling.table = &plan->tables[i];
            status = session->target->connector->target->settle_duplicates(
                session->target, &run->tables[i], on_found, &settling, error);
        }
    }
    if (status == STATUS_OK) {
        status = reject_file_sync(&settling.file, &rejects, error);
    }
    if (status == STATUS_OK) {
        pthread_mutex_lock(&run->state_mutex);
        json_decref(run->status.settled);
        run->status.settled = settled_make(&settling, &rejects);
        status = settle_apply(run, error);
        pthread_mutex_unlock(&run->state_mutex);
    }
    reject_file_close(&settling.file, true);
    return status == STATUS_OK ? check_bound(run, error) : status;
}
