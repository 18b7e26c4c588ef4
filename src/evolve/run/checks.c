/* Checks of a migration: before it begins, and before it counts as done. */
#include "base/log.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>

static const struct migration_options *options_of(const struct act_work *at)
{
    return &at->act->text->options;
}

enum status work_check_before(struct schema_work *work, struct act_work *at, struct error *error)
{
    const struct migration_options *options = options_of(at);
    const char *answer;
    for (uint32_t i = 0; i < options->before_count; i++) {
        enum status status = check_ask(work->session, work->alter, &options->before[i], NULL,
                                       work->act_arena, &answer, error);
        if (status == STATUS_AGAIN) {
            return error_hint(error, "Nothing of the migration was begun.");
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    at->before =
        arena_allocate_zeroed(work->act_arena, options->after_count + 1, sizeof(*at->before));
    for (uint32_t i = 0; i < options->after_count; i++) {
        const struct schema_check *check = &options->after[i];
        if (check->relation == CHECK_UNCHANGED &&
            work->alter->ask(work->session, check->sql, work->act_arena, &at->before[i], error) !=
                STATUS_OK) {
            return error_context(error, "%s:%u: the check `%s` could not be made: ", check->file,
                                 check->line, check->text);
        }
    }
    return STATUS_OK;
}

enum status work_check_after(struct schema_work *work, struct act_work *at, struct error *error)
{
    const struct migration_options *options = options_of(at);
    const char *answer;
    for (uint32_t i = 0; i < options->after_count; i++) {
        const struct schema_check *check = &options->after[i];
        if (check->relation == CHECK_UNCHANGED && at->before == NULL) {
            log_write(LOG_WARNING, "%s:%" PRIu32 ": not asked, since the migration was resumed: %s",
                      check->file, check->line, check->text);
            continue;
        }
        enum status status =
            check_ask(work->session, work->alter, check, at->before == NULL ? NULL : at->before[i],
                      work->act_arena, &answer, error);
        if (status != STATUS_OK) {
            return status; /* STATUS_AGAIN: not as expected */
        }
    }
    return work_verify_script(work, at, error);
}
