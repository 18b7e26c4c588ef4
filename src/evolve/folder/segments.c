/* Which statements are one transaction. */
#include "evolve/folder/steps.h"

static bool is_harmless(const struct migration_step *step)
{
    return step->class == SQL_CLASS_READ || step->class == SQL_CLASS_SESSION;
}

/* Where a transaction holds schema changes as well. */
static enum segment_kind kind_with(const struct migration_step *step, bool apart)
{
    if (step->block > 0) {
        return SEGMENT_TRANSACTION;
    }
    if (step->outside) {
        return SEGMENT_FREE;
    }
    if (step->class == SQL_CLASS_ALONE) {
        return SEGMENT_ALONE;
    }
    if (apart) {
        return is_harmless(step)              ? SEGMENT_FREE
               : step->class == SQL_CLASS_DML ? SEGMENT_TRANSACTION
                                              : SEGMENT_ALONE;
    }
    return SEGMENT_TRANSACTION;
}

/* Where it holds rows only. */
static enum segment_kind kind_without(const struct migration_step *step)
{
    if (step->class == SQL_CLASS_ALONE || (step->class == SQL_CLASS_DDL && !step->temporary)) {
        return SEGMENT_ALONE;
    }
    return SEGMENT_TRANSACTION;
}

static enum segment_kind kind_of(const struct migration_step *step,
                                 const struct migration_options *options,
                                 const struct alter_functions *alter)
{
    if (alter->begin == NULL) {
        return is_harmless(step) ? SEGMENT_FREE : SEGMENT_ALONE;
    }
    return alter->takes_back_ddl ? kind_with(step, options->apart) : kind_without(step);
}

/* May the step stand in the transaction that the segment is? */
static bool goes_on(const struct migration_steps *steps, const struct migration_segment *segment,
                    const struct migration_step *step, bool apart)
{
    const struct migration_step *last = &steps->items[segment->first + segment->count - 1];
    return segment->kind == SEGMENT_TRANSACTION && !segment->doubtful &&
           last->block == step->block && (!apart || step->block > 0);
}

/* A transaction in which nothing is changed is none, unless the file says so. */
static void free_harmless(const struct migration_steps *steps, struct migration_segment *segment)
{
    for (uint32_t i = 0; i < segment->count; i++) {
        const struct migration_step *step = &steps->items[segment->first + i];
        if (!is_harmless(step) || step->block > 0) {
            return;
        }
    }
    segment->kind = SEGMENT_FREE;
}

void migration_cut_segments(const struct migration_options *options,
                            const struct alter_functions *alter, struct arena *arena,
                            struct migration_steps *steps)
{
    uint32_t bound = 0;
    steps->segments = arena_allocate_zeroed(arena, steps->count + 1, sizeof(*steps->segments));
    steps->segment_count = 0;
    for (uint32_t i = 0; i < steps->count; i++) {
        const struct migration_step *step = &steps->items[i];
        enum segment_kind kind = kind_of(step, options, alter);
        bool doubtful =
            kind == SEGMENT_TRANSACTION && !alter->takes_back_ddl && step->class == SQL_CLASS_CALL;
        struct migration_segment *last =
            steps->segment_count > 0 ? &steps->segments[steps->segment_count - 1] : NULL;
        if (kind == SEGMENT_TRANSACTION && last != NULL && !doubtful &&
            goes_on(steps, last, step, options->apart)) {
            last->count++;
            continue;
        }
        steps->segments[steps->segment_count++] = (struct migration_segment){kind, i, 1, doubtful};
    }
    steps->is_whole = true;
    for (uint32_t i = 0; i < steps->segment_count; i++) {
        struct migration_segment *segment = &steps->segments[i];
        if (segment->kind == SEGMENT_TRANSACTION && steps->segment_count > 1) {
            free_harmless(steps, segment);
        }
        bound += segment->kind != SEGMENT_FREE;
        steps->is_whole =
            steps->is_whole && bound <= 1 && segment->kind != SEGMENT_ALONE && !segment->doubtful;
    }
}
