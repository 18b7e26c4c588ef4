/* From a call to its plan and state folder, and to an open session of the engine. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/secret.h"
#include "base/signals.h"
#include "connectors/common/scope.h"
#include "engine/follow/follow.h"
#include "engine/session/source_now.h"
#include "verify/verify.h"
#include <string.h>
#include <unistd.h>

static const char plan_name[] = "transhume.yaml";
static const char plan_name_short[] = "transhume.yml";

enum status cli_plan_here(const char **path, struct error *error)
{
    bool is_there = access(plan_name, F_OK) == 0;
    *path = is_there ? plan_name : NULL;
    if (access(plan_name_short, F_OK) != 0) {
        return STATUS_OK;
    }
    if (is_there) {
        error_set(error, ERROR_USAGE, plan_name, "%s is here, too", plan_name_short);
        return error_hint(error, "--plan FILE says which of the two is meant, or remove one");
    }
    *path = plan_name_short;
    return STATUS_OK;
}

const char *cli_without_hidden(const char *shown, struct arena *arena)
{
    char *text = arena_copy_string(arena, shown);
    secret_strip_hidden(text);
    return text;
}

const char *cli_state_folder(struct cli_call *call, const char *plan_path)
{
    const char *given = call->state_folder != NULL ? call->state_folder : cli_text(call, CLI_STATE);
    if (given != NULL) {
        return given;
    }
    const char *slash = plan_path == NULL ? NULL : strrchr(plan_path, '/');
    if (slash == NULL) {
        return ".transhume";
    }
    return arena_format(call->arena, "%.*s/.transhume", (int)(slash - plan_path), plan_path);
}

enum status cli_find_plan(struct cli_call *call, const char **path, struct error *error)
{
    *path = cli_text(call, CLI_PLAN);
    if (*path != NULL) {
        return STATUS_OK;
    }
    const char *here;
    if (call->argument_count == 2) {
        /* A plain copy where a plan lies: easily a mistake, so it is said. */
        struct error both = {0};
        if (cli_plan_here(&here, &both) != STATUS_OK) {
            here = plan_name;
        }
        if (here != NULL) {
            log_write(
                LOG_WARNING,
                "a plain copy, because SRC and DST are given: %s is not used; with --plan %s it "
                "would be, with SRC and DST in place of its own",
                here, here);
        }
        return STATUS_OK;
    }
    if (cli_plan_here(&here, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (here == NULL) {
        error_set(error, ERROR_USAGE, call->command->name,
                  "there is no %s here, and no SRC and DST", plan_name);
        return error_hint(error,
                          "`transhume init SRC DST` writes a plan, --plan FILE names another one, "
                          "and `transhume migrate SRC DST` copies without one.");
    }
    *path = here;
    return STATUS_OK;
}

enum status cli_find_plan_of_run(struct cli_call *call, const char **path, struct error *error)
{
    *path = cli_text(call, CLI_PLAN);
    if (*path != NULL || call->argument_count == 2) {
        return STATUS_OK;
    }
    const char *folder = cli_state_folder(call, NULL);
    bool known;
    if (run_is_known(folder, &known, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (known) {
        return STATUS_OK; /* it knows plan, source and target */
    }
    if (cli_plan_here(path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (*path != NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_RUN_NOTHING, folder, "there is no run here to continue");
    return error_hint(error,
                      "--plan FILE or SRC DST say what was copied, --state DIR where its state is; "
                      "`transhume migrate` starts a run.");
}

enum { MAX_PAUSE_MS = 30 * 1000 };

static uint64_t number_or(const struct cli_call *call, enum cli_option_id id, uint64_t otherwise)
{
    return call->values[id].is_set ? (uint64_t)call->values[id].number : otherwise;
}

/* The place of the word from 1, in the order of the enum. */
static uint64_t choice_or_unset(const struct cli_call *call, enum cli_option_id id)
{
    return call->values[id].is_set ? (uint64_t)call->values[id].number + 1 : 0;
}

struct column_list cli_schemas(const struct cli_call *call)
{
    const struct cli_value *value = &call->values[CLI_SCHEMA];
    struct column_list schemas = {0};
    for (uint32_t i = 0; i < value->list_count; i++) {
        scope_read_list(value->list[i], call->arena, &schemas);
    }
    return schemas;
}

static void take_lists(const struct cli_call *call, struct run_options *options)
{
    options->selection.schemas = cli_schemas(call);
    options->selection.include = call->values[CLI_INCLUDE].list;
    options->selection.include_count = call->values[CLI_INCLUDE].list_count;
    options->selection.exclude = call->values[CLI_EXCLUDE].list;
    options->selection.exclude_count = call->values[CLI_EXCLUDE].list_count;
    options->selection.renumber = call->values[CLI_RENUMBER].list;
    options->selection.renumber_count = call->values[CLI_RENUMBER].list_count;
    options->selection.names = cli_text(call, CLI_NAMES);
    options->selection.since = cli_text(call, CLI_SINCE);
}

static enum progress_mode progress_mode(const struct cli_call *call)
{
    const struct cli_value *value = &call->values[CLI_PROGRESS];
    if (value->is_set) {
        return (enum progress_mode)value->number; /* the same order */
    }
    return cli_switch(call, CLI_QUIET) ? PROGRESS_NONE : PROGRESS_AUTO;
}

int64_t cli_max_pause_ms(const struct cli_call *call)
{
    return (int64_t)number_or(call, CLI_MAX_PAUSE, MAX_PAUSE_MS);
}

static void endpoints_set(struct cli_call *call, const char *plan_path, struct run_options *options)
{
    options->sides.plan_path = plan_path;
    if (call->argument_count == 2) {
        options->sides.source_uri = call->arguments[0];
        options->sides.target_uri = call->arguments[1];
        options->sides.source_name = call->named[0];
        options->sides.target_name = call->named[1];
    }
    options->sides.parameters = call->parameters;
    options->sides.parameter_count = call->parameter_count;
    options->sides.state_folder = cli_state_folder(call, plan_path);
}

static void limits_set(const struct cli_call *call, struct run_options *options)
{
    options->limits.jobs = (uint32_t)number_or(call, CLI_JOBS, options->limits.jobs);
    options->limits.memory_bytes = number_or(call, CLI_MEMORY, options->limits.memory_bytes);
    options->limits.chunk_rows = number_or(call, CLI_CHUNK_ROWS, options->limits.chunk_rows);
    options->limits.batch_rows = number_or(call, CLI_BATCH_ROWS, options->limits.batch_rows);
    options->limits.batch_bytes = number_or(call, CLI_BATCH_BYTES, options->limits.batch_bytes);
    options->limits.rows_per_second_max =
        number_or(call, CLI_ROWS_PER_SECOND, options->limits.rows_per_second_max);
    options->limits.bytes_per_second_max =
        number_or(call, CLI_BYTES_PER_SECOND, options->limits.bytes_per_second_max);
    options->limits.read_units_per_second_max =
        number_or(call, CLI_READ_UNITS, options->limits.read_units_per_second_max);
    options->limits.write_units_per_second_max =
        number_or(call, CLI_WRITE_UNITS, options->limits.write_units_per_second_max);
    options->limits.pause_running =
        number_or(call, CLI_PAUSE_RUNNING, options->limits.pause_running);
    options->limits.pause_statement_ms =
        (int64_t)number_or(call, CLI_PAUSE_STATEMENT, (uint64_t)options->limits.pause_statement_ms);
    options->limits.pause_lag_ms =
        (int64_t)number_or(call, CLI_PAUSE_LAG, (uint64_t)options->limits.pause_lag_ms);
    options->limits.timeout_ms =
        (int64_t)number_or(call, CLI_TIMEOUT, (uint64_t)options->limits.timeout_ms);
    options->limits.stall_ms =
        (int64_t)number_or(call, CLI_STALL, (uint64_t)options->limits.stall_ms);
    options->check.estimate_ms = (int64_t)number_or(call, CLI_ESTIMATE_TIME, 0);
    options->selection.sample_rows = number_or(call, CLI_SAMPLE_ROWS, 0);
    options->selection.sample_seed = number_or(call, CLI_SAMPLE_SEED, 0);
}

static void following_set(const struct cli_call *call, struct run_options *options)
{
    options->follow.wanted = cli_switch(call, CLI_FOLLOW) ||
                             (strcmp(call->command->name, "follow") == 0 && !call->compares) ||
                             (call->command->place == IN_CUTOVER && !call->compares);
    options->follow.source_failures = call->source_failures;
    options->follow.recovers = options->follow.wanted && call->command->place != IN_CHECK;
    options->follow.spool = cli_switch(call, CLI_SPOOL);
    options->follow.catch_up = cli_switch(call, CLI_CATCH_UP);
    options->follow.lanes = (uint32_t)number_or(call, CLI_LANES, 0);
    options->follow.cascades = (enum cascades_choice)choice_or_unset(call, CLI_CASCADES);
    options->follow.triggers =
        (enum follow_triggers_choice)choice_or_unset(call, CLI_FOLLOW_TRIGGERS);
    options->follow.retained_bytes_max = number_or(call, CLI_MAX_RETAINED, 0);
    options->follow.drop_when_full = cli_switch(call, CLI_DROP_WHEN_FULL);
    if (!call->goes_on) {
        options->follow.refresh = call->values[CLI_REFRESH].list;
        options->follow.refresh_count = call->values[CLI_REFRESH].list_count;
    }
    options->cut_over.leaves_rejects = cli_switch(call, CLI_NO_VALIDATE);
    options->cut_over.max_lag_ms = (int64_t)number_or(call, CLI_MAX_LAG, 1000);
    options->cut_over.before_command = cli_text(call, CLI_BEFORE);
    options->cut_over.fence_command = cli_text(call, CLI_FENCE);
    options->cut_over.unfence_command = cli_text(call, CLI_UNFENCE);
    options->cut_over.after_command = cli_text(call, CLI_AFTER);
    options->cut_over.fence = call->fence;
    options->follow.on_schema_change =
        (enum schema_change_choice)choice_or_unset(call, CLI_ON_SCHEMA_CHANGE);
    options->cut_over.reverse = cli_switch(call, CLI_REVERSE);
}

/* A comparison beside the run opens both sides as a new run would, until this process has been at
 * work on the run itself. */
static enum run_command command_of(const struct cli_call *call)
{
    bool of_run = call->command->place == IN_RESUME || call->command->place == IN_CUTOVER;
    bool goes_on = (of_run && !call->compares) || call->goes_on;
    return !goes_on ? RUN_BEGIN : call->run_command != RUN_BEGIN ? call->run_command : RUN_RESUME;
}

static void run_set(struct cli_call *call, struct run_options *options)
{
    if (call->values[CLI_MAX_REJECTS].is_set) {
        options->rejects.max = call->values[CLI_MAX_REJECTS].number;
    }
    options->rejects.fail_fast = cli_switch(call, CLI_FAIL_FAST);
    if (call->values[CLI_EXISTING].is_set) {
        options->making.existing =
            (int)call->values[CLI_EXISTING].number; /* the order of the enum */
    }
    take_lists(call, options);
    options->sides.time_zone = cli_text(call, CLI_TIME_ZONE);
    options->sides.ledger_uri = cli_text(call, CLI_LEDGER);
    options->sides.ledger_schema = cli_text(call, CLI_LEDGER_SCHEMA);
    options->repair.file = cli_text(call, CLI_REJECTS);
    options->take_over = cli_switch(call, CLI_TAKE_OVER);
    options->making.no_express = cli_switch(call, CLI_NO_EXPRESS);
    options->making.no_hashes = cli_switch(call, CLI_NO_HASHES);
    options->making.strict = cli_switch(call, CLI_STRICT);
    options->selection.parts = cli_switch(call, CLI_SCHEMA_ONLY) ? PARTS_SCHEMA
                               : cli_switch(call, CLI_DATA_ONLY) ? PARTS_DATA
                                                                 : PARTS_ALL;
    options->check.ignores_there = call->command->place == IN_DIFF;
    options->check.shows_ddl = cli_switch(call, CLI_DDL) || cli_switch(call, CLI_DRY_RUN);
    options->check.rights_for = cli_text(call, CLI_RIGHTS_FOR);
    options->making.rollback_keys = cli_switch(call, CLI_ROLLBACK_KEYS);
    options->making.indexes = (enum indexes_choice)choice_or_unset(call, CLI_INDEXES);
    options->making.triggers = (enum triggers_choice)choice_or_unset(call, CLI_TRIGGERS);
    options->making.broken_references =
        (enum broken_references_choice)choice_or_unset(call, CLI_BROKEN_REFERENCES);
    options->making.nested = (enum nested_choice)choice_or_unset(call, CLI_NESTED);
    options->making.carries_rights = cli_switch(call, CLI_GRANTS);
    options->making.definer = (enum definers_choice)choice_or_unset(call, CLI_DEFINER);
    options->confirmed = cli_switch(call, CLI_CONFIRM) || cli_switch(call, CLI_DRY_RUN) ||
                         call->command->place == IN_CHECK;
    options->making.no_before_images = cli_switch(call, CLI_NO_BEFORE_IMAGES);
    options->command = command_of(call);
    options->making.no_code = cli_switch(call, CLI_NO_CODE);
    options->hooks.none = cli_switch(call, CLI_NO_HOOKS);
    options->hooks.allow_commands = cli_switch(call, CLI_ALLOW_COMMANDS);
    options->hooks.begun = (enum begun_hooks_choice)choice_or_unset(call, CLI_BEGUN_HOOKS);
    if (call->found != NULL) {
        options->repair.write_hash = call->found->write_hash;
        options->repair.delete_hash = call->found->delete_hash;
    }
    options->validating = call->command->place == IN_VALIDATE || call->compares;
    options->selection.full = cli_switch(call, CLI_FULL);
    options->follow.mirrors = cli_switch(call, CLI_MIRROR) || call->mirrors;
    options->repair.may_repair =
        options->validating && (cli_switch(call, CLI_REPAIR) || cli_is_mirroring(call));
    options->observer = call->observer;
    options->progress = progress_mode(call);
    options->color = cli_color(call, STDERR_FILENO);
    options->command_line = call->command_line;
}

void cli_run_options(struct cli_call *call, const char *plan_path, struct run_options *options)
{
    run_options_default(options);
    endpoints_set(call, plan_path, options);
    limits_set(call, options);
    following_set(call, options);
    run_set(call, options);
}

enum { SOURCE_PAUSE_MS = 200 };

enum status cli_go_on(struct cli_call *call, const char *plan_path, enum status status,
                      struct run_session **session, struct run_result *result, struct error *error,
                      int *exit_status)
{
    *exit_status = EXIT_DONE;
    while (status == STATUS_OK && result->follow_end == FOLLOW_OVERTAKEN) {
        run_close(*session);
        *session = NULL;
        call->goes_on = true;
        bool moved = result->changes > 0 || result->chunks_done > call->chunks_done;
        call->source_failures = !result->source_failed ? 0 : moved ? 1 : call->source_failures + 1;
        call->chunks_done = result->chunks_done;
        if (call->source_failures > 1) {
            clock_sleep_ms(SOURCE_PAUSE_MS * call->source_failures);
        }
        if (run_command_resyncs(call->run_command)) {
            call->run_command = RUN_RESUME; /* that was done before it followed */
        }
        if (cli_open_session(call, plan_path, session, exit_status) != STATUS_OK) {
            return STATUS_END;
        }
        status = run_resume(*session, result, error);
    }
    return status;
}

/* Options that contradict each other. */
static enum status check_parts(const struct cli_call *call, struct error *error)
{
    static const enum cli_option_id others[] = {CLI_DATA_ONLY, CLI_FOLLOW, CLI_REJECTS};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (cli_switch(call, CLI_SCHEMA_ONLY) && call->values[others[i]].is_set) {
            return error_set(error, ERROR_USAGE, call->command->name,
                             "--schema-only moves no records: it does not go with --%s",
                             cli_option_at(others[i])->name);
        }
    }
    if (cli_switch(call, CLI_DATA_ONLY) && call->values[CLI_FOLLOW].is_set) {
        return error_set(error, ERROR_USAGE, call->command->name,
                         "--data-only adds no columns, and --follow may have to: leave one out");
    }
    return STATUS_OK;
}

/* A follower waits for a server that is away when it begins as it does later. */
static enum status open_patiently(const struct cli_call *call, const struct run_options *options,
                                  struct run_session **session, struct buffer *faults,
                                  struct error *error)
{
    struct retry retry;
    uint32_t failures = 0;
    bool follows =
        (strcmp(call->command->name, "follow") == 0 || (call->goes_on && options->follow.wanted)) &&
        !call->compares;
    retry_init(&retry, follow_patience_ms(options));
    retry.stop_level = 1;
    enum status status = run_open(options, session, faults, error);
    while (status == STATUS_FAILED && follows) {
        if (source_now_may_cause(error) && failures++ < SOURCE_FAILURES_MAX) {
            error->class = ERROR_CLASS_RETRY; /* of a table that was gone for a moment */
        }
        if (!retry_wait(&retry, error)) {
            break;
        }
        buffer_clear(faults);
        error_clear(error);
        status = run_open(options, session, faults, error);
    }
    if (status == STATUS_FAILED && follows && error->class == ERROR_CLASS_RETRY &&
        signals_stop_level() > 0) {
        error_set(error, ERROR_INTERRUPTED, NULL, "stopped on request; nothing was applied");
        return error_hint(error, "`transhume follow` continues");
    }
    return status;
}

enum status cli_open_session(struct cli_call *call, const char *plan_path,
                             struct run_session **session, int *exit_status)
{
    struct error error = {0};
    struct buffer faults = {0};
    struct run_options options;
    cli_run_options(call, plan_path, &options);
    enum status status = check_parts(call, &error);
    status =
        status == STATUS_OK ? open_patiently(call, &options, session, &faults, &error) : status;
    if (status != STATUS_OK) {
        *exit_status = cli_fail_with_faults(call, &faults, &error);
    } else if (run_plan(*session)->entity_count == 0) {
        log_write(LOG_WARNING, "the source has no tables%s: there is nothing to copy",
                  options.selection.include_count + options.selection.exclude_count > 0
                      ? " that --include and --exclude leave"
                      : "");
    }
    buffer_free(&faults);
    return status;
}
