/* Level count: how many records are on each side, read only where nobody knows. */
#include "base/signals.h"
#include "plan/mapping.h"
#include "verify/steps.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- count */

static bool feeds_distinct(const struct verify *verify, const struct plan_stream *stream)
{
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        if (verify->tables[verify->entities[stream->entities[i]].plan->table].distinct) {
            return true;
        }
    }
    return false;
}

/* Whatever the source holds, the mapping rejects nothing of it: only columns as they are, and no
 * NULL in a key. */
static bool rejects_nothing(const struct mapping *mapping)
{
    bool nothing = mapping == NULL || mapping->all_direct;
    for (uint32_t i = 0; mapping != NULL && i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        nothing = nothing && (!field->is_key || (field->origin != NULL && field->origin->not_null));
    }
    return nothing;
}

static bool makes_one_each(const struct verify *verify, const struct plan_stream *stream)
{
    const struct plan *plan = verify->session->plan;
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[stream->entities[i]];
        if (!session_makes_one_each(entity) || !rejects_nothing(entity->mapping)) {
            return false;
        }
    }
    return true;
}

/* Sets `*counted` where the source can count for itself what is made of it. What it knows without
 * counting are guesses. */
static enum status count_stream(struct verify *verify, const struct plan_stream *stream,
                                bool *counted, struct error *error)
{
    struct database *source = verify->session->source;
    int64_t rows = -1;
    if (verify->session->subset != NULL || source->connector->source->count == NULL ||
        !makes_one_each(verify, stream) || feeds_distinct(verify, stream)) {
        return STATUS_OK;
    }
    if (source->connector->source->count(source, &stream->request, &rows, error) != STATUS_OK) {
        pass_tell_of_side(SIDE_SOURCE, error);
        return STATUS_FAILED;
    }
    *counted = rows >= 0;
    for (uint32_t i = 0; *counted && i < stream->entity_count; i++) {
        atomic_store(&verify->entities[stream->entities[i]].made, (uint64_t)rows);
    }
    return STATUS_OK;
}

static enum status count_table(struct verify *verify, struct verify_table *table,
                               struct error *error)
{
    struct database *target = verify->session->target;
    uint64_t count = 0;
    enum status status =
        target->connector->target->count(target, &table->plan->target, &count, error);
    atomic_store(&table->target_rows, count);
    return status;
}

static bool is_counted_exactly(const struct verify *verify, const struct verify_table *table)
{
    return (verify->session->target->capabilities & CAPABILITY_COUNTS_EXACT) != 0 &&
           !table->distinct;
}

/* Counts that the databases make themselves; a request to stop is heard between two tables, and by
 * them. STATUS_END: one came. */
static enum status let_count(struct verify *verify, bool *counted, struct error *error)
{
    const struct plan *plan = verify->session->plan;
    struct progress *progress = &verify->session->progress;
    enum status status = STATUS_OK;
    atomic_store(&progress->doing, "the databases count");
    for (uint32_t i = 0; i < verify->table_count && status == STATUS_OK; i++) {
        struct verify_table *table = &verify->tables[i];
        if (table->actual != NULL && is_counted_exactly(verify, table)) {
            status = signals_stop_level() > 0 ? STATUS_END : count_table(verify, table, error);
        }
    }
    for (uint32_t i = 0; i < plan->stream_count && status == STATUS_OK; i++) {
        status = signals_stop_level() > 0
                     ? STATUS_END
                     : count_stream(verify, &plan->streams[i], &counted[i], error);
    }
    atomic_store(&progress->doing, NULL);
    return status;
}

/* Keeps of a list of all tasks those whose side has to be read to be counted. */
static void keep_uncounted(const struct verify *verify, const bool *counted, struct task_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct verify_task *task = &list->tasks[i];
        bool known = task->side == SIDE_SOURCE
                         ? counted[task->index]
                         : is_counted_exactly(verify, &verify->tables[task->index]);
        if (!known) {
            list->tasks[kept++] = *task;
        }
    }
    list->count = kept;
}

static enum status count_sides(struct verify *verify, struct error *error)
{
    const struct plan *plan = verify->session->plan;
    bool *counted = arena_allocate_zeroed(verify->arena, plan->stream_count + 1u, sizeof *counted);
    struct task_list list = {0};
    const struct spill_options options = {.tables = verify->tables};
    struct pass pass = {.verify = verify, .act = ACT_COUNT, .counts = true};
    enum status status = let_count(verify, counted, error);
    for (uint32_t i = 0; i < verify->table_count; i++) {
        verify->tables[i].bad = verify->tables[i].distinct;
        pass.act = verify->tables[i].distinct ? ACT_SPILL : pass.act;
    }
    if (pass.act == ACT_SPILL && status == STATUS_OK) {
        status = spill_create(verify->folder, 0, options, &verify->spill, error);
    }
    status = status == STATUS_OK ? steps_list_all(verify, &list, error) : status;
    if (status == STATUS_OK) {
        keep_uncounted(verify, counted, &list);
    }
    pass.tasks = list.tasks;
    pass.task_count = list.count;
    if (status == STATUS_OK && list.count > 0) {
        status = pass_run(&pass, error);
    }
    status = status == STATUS_OK ? known_rejects_feed(&pass, error) : status;
    free(list.tasks);
    return status;
}

/* Records that the mapping rejects are left out where the source was read; so of the rejects that
 * are known only those of the target are to be taken off, and only the records tell which these
 * are. */
static bool is_unclear(const struct verify *verify, const struct verify_table *table)
{
    for (uint32_t i = 0; i < table->plan->entity_count; i++) {
        const struct verify_entity *entity = &verify->entities[table->plan->entities[i]];
        if (entity->rejected_known > 0 && atomic_load(&entity->rejected) > 0) {
            return !table->distinct;
        }
    }
    return false;
}

static void choose_bad(struct verify *verify, bool among_unclear)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        table->bad = table->unclear || (!among_unclear && table->distinct);
        table->ranges = among_unclear ? NULL : table->ranges; /* of another list of tasks */
        table->range_count = among_unclear ? 0 : table->range_count;
    }
}

/* Matches the records of tables of which the counts can't tell. */
static enum status read_unclear(struct verify *verify, struct error *error)
{
    const struct spill_options options = {.tables = verify->tables};
    struct pass pass = {.verify = verify, .act = ACT_SPILL};
    uint32_t unclear = 0;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        verify->tables[i].unclear = is_unclear(verify, &verify->tables[i]);
        unclear += verify->tables[i].unclear;
    }
    if (unclear == 0) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (verify->spill == NULL) {
        status = spill_create(verify->folder, 0, options, &verify->spill, error);
    }
    choose_bad(verify, true);
    status = status == STATUS_OK ? pass_run_bad(&pass, error) : status;
    choose_bad(verify, false);
    return status;
}

/* Counts tell nothing of whose a record is: a difference is the table's. */
static void compare_counts(struct verify *verify, struct match *match)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        const struct plan_table *plan = table->plan;
        uint64_t made = 0;
        uint64_t mended = 0; /* perhaps: what the run rejected, and may have been loaded since */
        uint64_t rejected = 0;
        if (table->distinct || table->unclear) {
            continue;
        }
        for (uint32_t j = 0; j < plan->entity_count; j++) {
            const struct verify_entity *entity = &verify->entities[plan->entities[j]];
            made += atomic_load(&entity->made) - entity->rejected_known;
            mended += verify->mended ? entity->rejected_known : 0;
            rejected += entity->rejected_known + atomic_load(&entity->rejected);
        }
        uint64_t there = atomic_load(&table->target_rows);
        uint64_t absent = made + rejected > there ? made + rejected - there : 0;
        table->rejects_missing = absent < rejected ? absent : rejected;
        uint32_t row =
            plan->entity_count == 1 ? plan->entities[0] : verify->entity_count + table->number;
        match->entities[row].missing = made > there ? made - there : 0;
        match->entities[row].extra =
            there > made + mended && table->owned ? there - made - mended : 0;
    }
}

enum status steps_count(struct verify *verify, struct match *match, struct error *error)
{
    enum status status = count_sides(verify, error);
    status = status == STATUS_OK ? read_unclear(verify, error) : status;
    if (status == STATUS_OK) {
        compare_counts(verify, match);
    }
    return status == STATUS_OK && verify->spill != NULL ? match_all(match, error) : status;
}
