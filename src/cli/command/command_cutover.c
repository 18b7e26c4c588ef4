/* transhume cutover: ends following, step by step. */
#include "cli/cli.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/run_end.h"
#include "cli/way_back.h"
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/follow/cutover/fence.h"
#include "verify/verify.h"
#include <inttypes.h>

static int print_steps(struct cli_call *call)
{
    struct buffer out = {0};
    const char *fence = cli_text(call, CLI_FENCE);
    const char *before = cli_text(call, CLI_BEFORE);
    const char *after = cli_text(call, CLI_AFTER);
    uint32_t number = 1;
    buffer_format(&out, "%u. catch up, until what is left takes no longer than --max-lag\n",
                  number++);
    if (before != NULL) {
        buffer_format(&out, "%u. run: %s\n", number++, before);
    }
    buffer_format(&out, "%u. stop the source's writers%s%s\n", number++, fence != NULL ? ": " : "",
                  fence != NULL ? fence : ", by triggers on the followed tables");
    buffer_format(&out, "%u. apply what was written until then; longer than --max-pause: give up\n",
                  number++);
    buffer_format(&out, "%u. set the target's sequences behind what came\n", number++);
    if (!cli_switch(call, CLI_NO_VALIDATE)) {
        buffer_format(&out, "%u. compare both sides\n", number++);
    }
    if (cli_switch(call, CLI_REVERSE)) {
        buffer_format(&out, "%u. begin to follow the target, for the way back\n", number++);
    }
    if (after != NULL) {
        buffer_format(&out, "%u. run: %s\n", number++, after);
    }
    buffer_format(&out, "%u. remove the feed from the source, whose tables stay closed\n", number);
    return cli_finish(&out, EXIT_DONE);
}

/* One attempt at the run, with this command of the engine; 0: done. */
static int command_cutover_take(struct cli_call *call, const char *plan_path,
                                enum run_command command)
{
    call->run_command = command;
    return run_end_step(call, plan_path, command == RUN_CUT_OVER_END);
}

/* A record that the target never took is no difference, but is not there either. A reject of a row
 * that was changed since is made no more. */
static uint64_t count_rejects(const struct verify_result *result)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        count += result->entities[i].absent;
    }
    return count;
}

/* Turns the findings of the comparison into a failure of the cut-over. */
static int refuse_differences(const struct cli_call *call, uint64_t count, struct error *error)
{
    error_set(error, ERROR_CUT_OVER, "validate", "the sides differ in %" PRIu64 " record%s", count,
              count == 1 ? "" : "s");
    error_hint(error,
               "`transhume validate` lists them; `transhume follow --resync` puts the target "
               "right");
    return cli_fail(call, error);
}

/* Both sides stand still. */
static int command_cutover_compare(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    struct error why = {0};
    struct run_session *session = NULL;
    struct verify_result result = {0};
    const struct verify_options options = {.level = VERIFY_HASH,
                                           .plan_given = cli_text(call, CLI_PLAN) != NULL ||
                                                         call->argument_count == 2,
                                           .limit = 100};
    int exit_status;
    if (failpoint_hit("cutover.before_validate", &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    call->run_command = RUN_BEGIN;
    call->compares = true;
    enum status status = cli_open_session(call, plan_path, &session, &exit_status);
    call->compares = false;
    if (status != STATUS_OK) {
        return exit_status;
    }
    status = verify_run(session, &options, &result, &error);
    uint64_t count = result.record_count;
    uint64_t rejected = status == STATUS_OK ? count_rejects(&result) : 0;
    exit_status = result.exit_status;
    verify_result_free(&result);
    run_close(session);
    /* what failed was perhaps only the deadline's or the signal's doing */
    if (call->fence != NULL && fence_check(call->fence, &why) != STATUS_OK) {
        return cli_fail(call, &why);
    }
    if (status != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (rejected > 0) {
        error_set(&error, ERROR_CUT_OVER, "validate",
                  "%" PRIu64 " record%s rejected and not in the target", rejected,
                  rejected == 1 ? " was" : "s were");
        error_hint(&error, "`transhume validate` lists them, rejects/ in the state folder has the "
                           "reasons; `transhume follow --resync` tries them again");
        return cli_fail(call, &error);
    }
    return exit_status == EXIT_ATTENTION ? refuse_differences(call, count, &error) : exit_status;
}

/* The writers are let in already; the ledger and the state folder learn of it. Where they can't,
 * the next command finds the note. */
static void forget_steps(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    struct buffer faults = {0};
    struct run_options options;
    struct run_session *session = NULL;
    struct run_result result = {0};
    bool before = signals_shield(true);
    call->run_command = RUN_CUT_OVER_BACK;
    cli_run_options(call, plan_path, &options);
    options.progress = PROGRESS_NONE;
    if (run_open(&options, &session, &faults, &error) != STATUS_OK ||
        run_resume(session, &result, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "the cut-over's steps stay in the ledger until the next command: %s",
                  error.message);
    }
    if (session != NULL) {
        run_close(session);
    }
    buffer_free(&faults);
    (void)signals_shield(before);
}

/* One exit: whatever was held is given back, and the last line says what still is. */
static int end_cut_over(struct cli_call *call, const char *plan_path, int exit_status)
{
    struct buffer last = {0};
    if (exit_status != EXIT_DONE) {
        (void)fence_release(call->fence, NULL);
        if (fence_is_noted(call->fence) && fence_state(call->fence) == FENCE_OPEN) {
            forget_steps(call, plan_path);
        }
        fence_append_end(call->fence, &last);
    }
    if (last.length > 0) {
        struct buffer placed = {0};
        cli_append_placed(call, buffer_string(&last), &placed);
        log_write(LOG_WARNING, "%s", buffer_string(&placed));
        buffer_free(&placed);
    }
    buffer_free(&last);
    fence_destroy(call->fence);
    call->fence = NULL;
    return exit_status;
}

/* The questions of the cut-over, and nothing else. */
static int ask_only(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    struct run_session *session = NULL;
    struct lack_list lacks = {.arena = call->arena};
    int exit_status;
    call->run_command = RUN_CUT_OVER;
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    enum status status = run_ask_cut_over(session, &lacks, &error);
    status = status == STATUS_OK ? cutover_refuse(&lacks, "cutover", &error) : status;
    run_close(session);
    return status == STATUS_OK ? 0 : cli_fail(call, &error);
}

/* Gate to end, in one go. */
static int cut_over(struct cli_call *call, const char *plan_path)
{
    const struct fence_settings settings = {.max_pause_ms = cli_max_pause_ms(call),
                                            .keeps = cli_switch(call, CLI_KEEP_FENCE),
                                            .close_command = cli_text(call, CLI_FENCE),
                                            .open_command = cli_text(call, CLI_UNFENCE),
                                            .returns = cli_switch(call, CLI_BACK)};
    call->fence = fence_create(&settings);
    int exit_status = command_cutover_take(call, plan_path, RUN_CUT_OVER);
    bool goes_on = fence_state(call->fence) == FENCE_SEALED; /* it was compared before */
    if (exit_status == EXIT_DONE && !goes_on && !cli_switch(call, CLI_NO_VALIDATE)) {
        exit_status = command_cutover_compare(call, plan_path);
    }
    if (exit_status == EXIT_DONE && cli_switch(call, CLI_REVERSE)) {
        exit_status = command_cutover_take(call, plan_path, RUN_CUT_OVER_REVERSE);
    }
    exit_status = exit_status == EXIT_DONE ? command_cutover_take(call, plan_path, RUN_CUT_OVER_END)
                                           : exit_status;
    return end_cut_over(call, plan_path, exit_status);
}

/* The cut-over is done: the run that is its way back is cut over. */
static int go_back(struct cli_call *call, const char *state_folder)
{
    struct error error = {0};
    const char *plan_path;
    call->state_folder = arena_format(call->arena, "%s/back", state_folder);
    /* what is said of commands to come names it, too */
    call->values[CLI_STATE] = (struct cli_value){.is_set = true, .text = call->state_folder};
    call->values[CLI_PLAN] = (struct cli_value){0}; /* it has a plan of its own */
    call->argument_count = 0;
    if (!file_exists(arena_format(call->arena, "%s/run.json", call->state_folder))) {
        error_set(&error, ERROR_CUT_OVER, state_folder,
                  "the cut-over is done, and --reverse did not keep a way back open");
        error_hint(&error, "copy the target back: `transhume migrate --follow TARGET SOURCE`");
        return cli_fail(call, &error);
    }
    return cli_find_plan_of_run(call, &plan_path, &error) == STATUS_OK ? cut_over(call, plan_path)
                                                                       : cli_fail(call, &error);
}

int command_cutover(struct cli_call *call)
{
    struct error error = {0};
    const char *plan_path;
    if (cli_find_plan_of_run(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (!cli_switch(call, CLI_BACK) &&
        way_back_refuse(cli_state_folder(call, plan_path), &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (cli_switch(call, CLI_DRY_RUN)) {
        signals_setup();
        int exit_status = ask_only(call, plan_path);
        return exit_status == EXIT_DONE ? print_steps(call) : exit_status;
    }
    if (!cli_switch(call, CLI_CONFIRM)) {
        error_set(&error, ERROR_USAGE, "cutover", "stops the source's writers and needs --confirm");
        error_hint(&error, "--dry-run prints the steps");
        return cli_fail(call, &error);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (cli_switch(call, CLI_BACK)) {
        const char *state_folder = cli_state_folder(call, plan_path);
        return run_is_finished(state_folder)
                   ? go_back(call, state_folder)
                   : command_cutover_take(call, plan_path, RUN_CUT_OVER_BACK);
    }
    if (cli_switch(call, CLI_ABANDON)) {
        return command_cutover_take(call, plan_path, RUN_ABANDON);
    }
    return cut_over(call, plan_path);
}
