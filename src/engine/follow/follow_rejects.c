/* The file of rejects of following. */
#include "engine/follow/follow_rejects.h"

#include "base/file.h"
#include "base/memory.h"
#include "engine/rejects/rejects.h"
#include "engine/run/run_parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_PREFIX "follow-"

struct follow_rejects {
    struct run *run;
    struct reject_file file;
    bool is_open;
};

struct follow_rejects *follow_rejects_open(struct run *run)
{
    struct follow_rejects *made = memory_allocate_zeroed(1, sizeof *made);
    made->run = run;
    return made;
}

void follow_rejects_close(struct follow_rejects *rejects)
{
    if (rejects != NULL && rejects->is_open) {
        reject_file_close(&rejects->file, true);
    }
    free(rejects);
}

enum status follow_rejects_are_known(const char *state_folder, bool *any, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct entries entries;
    const char *name;
    *any = false;
    enum status status = entries_open(&entries, file_join(arena, state_folder, "rejects"),
                                      ERROR_STATE_INVALID, error);
    if (status == STATUS_OK) {
        while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
            *any = *any || strncmp(name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0;
        }
        entries_close(&entries);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status add(struct follow_rejects *rejects, const struct follow_reject *from,
                       struct error *error)
{
    struct run *run = rejects->run;
    const struct plan *plan = run->session->plan;
    const struct plan_entity *entity = &plan->entities[from->entity];
    const struct plan_stream *stream = &plan->streams[entity->stream];
    const struct reject reject = {
        .run_id = run->id,
        .entity = entity->name,
        .table = plan->tables[entity->table].target.name,
        .source = stream->name,
        .key_names = stream->key_names,
        .key = from->key,
        .key_count = from->key_count < stream->key_count ? from->key_count : stream->key_count,
        .code = from->code,
        .reason = from->reason,
        .record = from->record.kind == VALUE_MAP ? &from->record : NULL};
    if (!rejects->is_open) {
        reject_file_init(&rejects->file, run->folder.rejects, 0, 0);
        snprintf(rejects->file.name, sizeof rejects->file.name, FILE_PREFIX "%" PRIu64 ".jsonl",
                 run->epoch);
        rejects->is_open = true;
    }
    atomic_fetch_add(&run->session->progress.follow.rejects, 1);
    return reject_file_add(&rejects->file, &reject, error);
}

static enum status sync_file(struct follow_rejects *rejects, struct error *error)
{
    struct ledger_rejects vouched;
    return reject_file_sync(&rejects->file, &vouched, error);
}

enum status follow_rejects_keep(struct follow_rejects *rejects, const struct followed_set *set,
                                struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < set->reject_count && status == STATUS_OK; i++) {
        status = add(rejects, &set->rejects[i], error);
    }
    return status == STATUS_OK && set->reject_count > 0 ? sync_file(rejects, error) : status;
}

static enum status add_refused(struct follow_rejects *rejects, const struct change_set *set,
                               const struct apply_refusal *refusal, struct error *error)
{
    const struct record_change *change = &set->changes[refusal->change];
    const struct shape *shape = set->tables[change->table].shape;
    struct arena *arena = arena_create(0);
    struct follow_reject reject = {.entity = change->table,
                                   .code = refusal->code,
                                   .reason = refusal->reason,
                                   .key = change->key,
                                   .key_count = change->key_count};
    if (change->after != NULL) {
        reject.record =
            shape == NULL ? change->after[0] : follow_document(arena, shape, change->after);
    }
    enum status status = add(rejects, &reject, error);
    arena_destroy(arena);
    return status;
}

enum status follow_rejects_keep_refused(struct follow_rejects *rejects, struct ahead *ahead,
                                        const struct change_set *const *sets, uint32_t count,
                                        const struct apply_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    bool any = false;
    for (uint32_t i = 0; i < result->refusal_count && status == STATUS_OK; i++) {
        const struct apply_refusal *refusal = &result->refusals[i];
        if (refusal->set >= count) {
            continue;
        }
        status = ahead_take(ahead, sets[refusal->set], refusal, error);
        if (status == STATUS_END) {
            status = add_refused(rejects, sets[refusal->set], refusal, error);
            any = true;
        }
    }
    return status == STATUS_OK && any ? sync_file(rejects, error) : status;
}
