/* transhume migrate --mirror: what is missing is copied, what is there is compared and put right.
 */
#include "cli/cli.h"

#include "base/log.h"
#include "base/signals.h"
#include "cli/run_end.h"
#include "verify/verify.h"
#include <inttypes.h>

enum { DIFFERENCES_SHOWN = 100 };

/* Options that say something else of records that are there. */
static enum status check_options(const struct cli_call *call, struct error *error)
{
    static const enum cli_option_id others[] = {CLI_EXISTING,    CLI_FOLLOW,    CLI_REJECTS,
                                                CLI_SCHEMA_ONLY, CLI_DATA_ONLY, CLI_RESTART,
                                                CLI_RENUMBER};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (call->values[others[i]].is_set) {
            return error_set(error, ERROR_USAGE, call->command->name,
                             "--mirror makes both sides equal: it does not go with --%s",
                             cli_option_at(others[i])->name);
        }
    }
    return STATUS_OK;
}

/* A table whose records are to stay as they are can't be made equal. */
static enum status check_plan(const struct run_session *session, struct error *error)
{
    const struct plan *plan = run_plan(session);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct target_table *table = &plan->tables[i].target;
        if (plan->tables[i].incremental) {
            error_set(error, ERROR_PLAN_INVALID, table->name,
                      "--mirror compares all of its records, and `since` reads only what changed");
            return error_hint(error, "leave one of them out; `deletes: compare` beside `since` "
                                     "compares after the load");
        }
        if (table->existing != EXISTING_REFUSE || table->empties) {
            error_set(error, ERROR_PLAN_INVALID, table->name,
                      "--mirror makes it equal to the source, and the plan's `existing:` says what "
                      "else to do with its records");
            return error_hint(error, "leave `existing:` out of the plan, or --mirror");
        }
    }
    return STATUS_OK;
}

/* `*done`: nothing was there, and the copy is all that is to be done. */
static int command_mirror_fill(struct cli_call *call, const char *plan_path, bool *done)
{
    struct error error = {0};
    struct run_session *session = NULL;
    struct run_result result = {0};
    uint32_t filled = 0;
    uint32_t unfilled = 0;
    int exit_status = EXIT_DONE;
    *done = false;
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        *done = true;
        return exit_status;
    }
    enum status status = check_plan(session, &error);
    status = status == STATUS_OK ? run_count_filled(session, &filled, &unfilled, &error) : status;
    if (status != STATUS_OK) {
        *done = true;
        exit_status = cli_fail(call, &error);
    } else if (unfilled > 0) {
        log_write(LOG_INFO, "mirror: %" PRIu32 " table%s missing or empty and %s copied", unfilled,
                  unfilled == 1 ? " is" : "s are", unfilled == 1 ? "is" : "are");
        status = run_migrate(session, &result, &error);
        *done = filled == 0 || status != STATUS_OK || result.exit_status == EXIT_INTERRUPTED;
        exit_status = *done ? run_end(call, session, status, &result, &error) : result.exit_status;
    }
    run_close(session);
    return exit_status;
}

static void foretell(const struct verify_result *result)
{
    uint64_t write = 0;
    uint64_t delete = 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        write += result->entities[i].missing + result->entities[i].different;
        delete += result->entities[i].extra;
    }
    if (write + delete > 0) {
        log_write(LOG_INFO,
                  "mirror: nothing was changed; with --confirm %" PRIu64 " record%s would be "
                  "written and %" PRIu64 " deleted",
                  write, write == 1 ? "" : "s", delete);
    }
}

static int command_mirror_compare(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    struct run_session *session = NULL;
    struct verify_result result = {0};
    bool writes = cli_is_mirroring(call);
    const struct verify_options options = {.level = VERIFY_HASH,
                                           .plan_given = cli_text(call, CLI_PLAN) != NULL ||
                                                         call->argument_count == 2,
                                           .limit = DIFFERENCES_SHOWN,
                                           .quick = true,
                                           .repair = writes,
                                           .delete_extra = writes};
    int exit_status;
    call->compares = true;
    enum status status = cli_open_session(call, plan_path, &session, &exit_status);
    if (status == STATUS_OK) {
        status = call->deletes ? STATUS_OK : check_plan(session, &error);
        status = status == STATUS_OK ? verify_run(session, &options, &result, &error) : status;
        if (status == STATUS_OK && !writes) {
            foretell(&result);
        }
        exit_status = cli_end_validation(call, session, status, &result, &error);
        if (result.arena != NULL) {
            verify_result_free(&result);
        }
        run_close(session);
    }
    call->compares = false;
    return exit_status;
}

/* The source tables whose records are looked for, as --include lists them. */
static uint32_t list_compared(const struct plan *plan, struct arena *arena, const char ***names)
{
    uint32_t count = 0;
    *names = arena_allocate_zeroed(arena, plan->stream_count + 1u, sizeof(char *));
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        if (stream->deletes) {
            (*names)[count++] = arena_copy_string(arena, stream->request.table);
        }
    }
    return count;
}

int cli_end_with_deletes(struct cli_call *call, const char *plan_path, struct run_session *session,
                         int exit_status)
{
    const char **names;
    uint32_t count = list_compared(run_plan(session), call->arena, &names);
    run_close(session);
    if (count == 0 || exit_status > EXIT_ATTENTION) {
        return exit_status;
    }
    call->values[CLI_INCLUDE] =
        (struct cli_value){.is_set = true, .list = names, .list_count = count};
    call->deletes = true;
    int compared = command_mirror_compare(call, plan_path);
    call->deletes = false;
    return compared != 0 ? compared : exit_status;
}

int command_mirror(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    bool done = false;
    int exit_status;
    if (check_options(call, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (!cli_is_mirroring(call)) {
        return command_mirror_compare(call, plan_path);
    }
    if (run_is_unfinished_mirror(cli_state_folder(call, plan_path))) {
        call->goes_on = true;
        exit_status = run_end_step(call, plan_path, false);
        call->goes_on = false;
        done = exit_status != EXIT_DONE;
    } else {
        exit_status = command_mirror_fill(call, plan_path, &done);
    }
    int compared = done ? 0 : command_mirror_compare(call, plan_path);
    return compared != 0 ? compared : exit_status;
}
