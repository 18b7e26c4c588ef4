/* transhume change start, switch, complete, abort and run. */
#include "cli/evolve/command_change.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The display while the change is at work. */
struct showing {
    bool lines;    /* a line for each step, on stdout */
    bool terminal; /* how far one is, on stderr */
    bool drawn;
    int64_t told_ms; /* of a pause */
};

enum { SHOWN_AFTER_MS = 500, PAUSE_TOLD_MS = 10000 };

/* ---------------------------------------------------------------- while it works */

static void wipe(struct showing *showing)
{
    if (showing->drawn) {
        dprintf(STDERR_FILENO, "\r\033[K");
        showing->drawn = false;
    }
}

static void append_rows(const struct change_event *event, struct buffer *line)
{
    char count[32];
    char total[32];
    char rate[32];
    char left[32];
    text_human_count(event->rows, count, sizeof(count));
    text_human_count(event->rows_total, total, sizeof(total));
    text_human_count((uint64_t)event->rows_s, rate, sizeof(rate));
    buffer_format(line, ", %s of %s rows, %s/s", count, total, rate);
    if (event->rows_s >= 1) {
        text_human_seconds((double)(event->rows_total - event->rows) / event->rows_s, left,
                           sizeof(left));
        buffer_format(line, ", %s left", left);
    }
}

static void command_change_run_draw(struct showing *showing, const struct change_event *event)
{
    struct buffer line = {0};
    if (!showing->terminal || (event->ms < SHOWN_AFTER_MS && event->kind != CHANGE_PAUSES)) {
        return;
    }
    buffer_format(&line, "step %" PRIu32 " of %" PRIu32 ": %s", event->number, event->steps,
                  event->step->title);
    if (event->kind == CHANGE_PAUSES) {
        buffer_format(&line, ", pausing: %s", event->text);
    } else if (event->step->kind == CHANGE_BATCHES) {
        append_rows(event, &line);
    } else if (event->part >= 0) {
        buffer_format(&line, ", %.0f %%", 100 * event->part);
    }
    uint32_t columns = cli_terminal_columns(STDERR_FILENO);
    size_t length = text_clip(line.data, line.length, columns > 1 ? columns - 1 : 79);
    dprintf(STDERR_FILENO, "\r\033[K%.*s", (int)length, line.data);
    showing->drawn = true;
    buffer_free(&line);
}

static void say_done(const struct showing *showing, const struct change_event *event)
{
    struct buffer line = {0};
    struct error ignored;
    char rows[32];
    if (!showing->lines) {
        return;
    }
    buffer_format(&line, "%s  %s", event->kind == CHANGE_STEP_UNDONE ? "undone" : "done",
                  event->step->title);
    if (event->step->kind == CHANGE_BATCHES && event->kind == CHANGE_STEP_ENDS) {
        text_human_count(event->rows, rows, sizeof(rows));
        buffer_format(&line, ": %s rows", rows);
    }
    if (event->kind == CHANGE_STEP_ENDS) {
        buffer_format(&line, ", %" PRId64 " ms", event->ms);
    }
    buffer_append_byte(&line, '\n');
    (void)!cli_print(&line, &ignored);
    buffer_free(&line);
}

static void say_pause(struct showing *showing, const struct change_event *event)
{
    int64_t now = clock_monotonic_ms();
    command_change_run_draw(showing, event);
    if (!showing->terminal && (showing->told_ms == 0 || now - showing->told_ms >= PAUSE_TOLD_MS)) {
        log_write(LOG_WARNING, "pausing: %s", event->text);
        showing->told_ms = now;
    }
}

static void observe(void *context, const struct change_event *event)
{
    struct showing *showing = context;
    switch (event->kind) {
    case CHANGE_STEP_PROGRESS:
        command_change_run_draw(showing, event);
        break;
    case CHANGE_STEP_ENDS:
    case CHANGE_STEP_UNDONE:
        wipe(showing);
        say_done(showing, event);
        break;
    case CHANGE_PAUSES:
        say_pause(showing, event);
        break;
    default:
        break;
    }
}

static void observe_session(void *context, const struct schema_event *event)
{
    wipe(context);
    if (event->kind == SCHEMA_WAITS) {
        log_write(LOG_WARNING, "waiting for %s, which changes the schema", event->holder->name);
    } else if (event->kind == SCHEMA_RECONNECTS) {
        log_write(LOG_WARNING, "the session was lost (%s); connecting again", event->text);
    }
}

/* ---------------------------------------------------------------- results */

static void append_json(const struct change_view *view, struct buffer *out)
{
    uint32_t done = 0;
    uint64_t rows = 0;
    for (uint32_t i = 0; view->steps != NULL && i < view->plan.count; i++) {
        done += view->steps[i].done;
        rows += view->plan.steps[i].phase == CHANGE_FILL ? view->steps[i].rows : 0;
    }
    buffer_append_string(out, "{\"format\":1,\"version\":");
    cli_append_json_text(out, view->version);
    buffer_append_string(out, ",\"name\":");
    cli_append_json_text(out, view->name);
    buffer_format(out,
                  ",\"state\":\"%s\",\"steps\":%" PRIu32 ",\"done\":%" PRIu32
                  ",\"filled_rows\":%" PRIu64 ",\"old_place\":",
                  change_state_name(view->state), view->plan.count, done, rows);
    cli_append_json_text(out, view->plan.old_place);
    buffer_append_string(out, ",\"new_place\":");
    cli_append_json_text(out, view->plan.new_place);
}

static int command_change_run_finish(struct change_call *change, const struct change_view *view)
{
    struct buffer out = {0};
    if (cli_switch(change->schema.call, CLI_JSON)) {
        append_json(view, &out);
        buffer_append_string(&out, "}\n");
        return cli_finish(&out, EXIT_DONE);
    }
    buffer_format(&out, "%s_%s is %s\n", view->version, view->name, change_state_name(view->state));
    if (view->state == CHANGE_STARTED && view->plan.new_place != NULL) {
        buffer_format(&out,
                      "applications of the new version look in %s, those of the old one in %s\n",
                      view->plan.new_place,
                      view->plan.old_place != NULL ? view->plan.old_place : "the tables");
    }
    return cli_finish(&out, EXIT_DONE);
}

static int command_change_run_fail(struct change_call *change, const struct change_view *view,
                                   struct error *error)
{
    struct buffer out = {0};
    if (!cli_switch(change->schema.call, CLI_JSON) || view->version == NULL) {
        return schema_fail(&change->schema, error);
    }
    struct error told;
    cli_copy_failure(&told, error);
    int exit_status = error_exit_status(&told);
    log_write_error(&told);
    append_json(view, &out);
    buffer_append_string(&out, ",\"error\":");
    cli_append_error(&told, exit_status, &out);
    buffer_append_string(&out, "}\n");
    return cli_finish(&out, exit_status);
}

/* ---------------------------------------------------------------- the commands */

static enum status confirm(struct cli_call *call, enum change_command command, struct error *error)
{
    bool final = command == CHANGE_DO_COMPLETE || command == CHANGE_DO_RUN;
    if (command == CHANGE_DO_SKIP) {
        if (cli_is_confirmed(call, "The step will not be run; what it is for you have done.")) {
            return STATUS_OK;
        }
        error_set(error, ERROR_USAGE, call->command->name, "it was not confirmed");
        return error_hint(error, "--confirm says that what the step is for is done by hand.");
    }
    if (!final || cli_is_confirmed(call, "This removes what the old version needs, and can't be "
                                         "taken back.")) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, call->command->name,
              "there is no way back from it, and it was not confirmed");
    return error_hint(error, "--confirm completes it; `transhume change status DB` says what "
                             "stands.");
}

static int change_run_steps(struct cli_call *call, enum change_command command, bool takes_file)
{
    struct change_call change;
    struct change_view view = {0};
    struct error error = {0};
    struct showing showing = {.lines = !cli_switch(call, CLI_JSON),
                              .terminal = cli_terminal_columns(STDERR_FILENO) > 0 &&
                                          !cli_switch(call, CLI_QUIET)};
    int exit_status;
    if (takes_file && cli_switch(call, CLI_DRY_RUN)) {
        return command_change_check(call);
    }
    if (change_call_open(&change, call, takes_file, false, &error) != STATUS_OK ||
        confirm(call, command, &error) != STATUS_OK) {
        exit_status = schema_fail(&change.schema, &error);
    } else {
        change.options.command = command;
        change.options.observe = observe;
        change.options.context = &showing;
        change.options.schema.observe = observe_session;
        change.options.schema.context = &showing;
        enum status status = change_run(&change.options, call->arena, &view, &error);
        wipe(&showing);
        exit_status = status == STATUS_OK ? command_change_run_finish(&change, &view)
                                          : command_change_run_fail(&change, &view, &error);
    }
    change_call_close(&change);
    return exit_status;
}

int command_change_start(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_START, true);
}

int command_change_switch(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_SWITCH, false);
}

int command_change_complete(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_COMPLETE, false);
}

int command_change_abort(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_ABORT, false);
}

int command_change_skip(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_SKIP, false);
}

int command_change_run(struct cli_call *call)
{
    return change_run_steps(call, CHANGE_DO_RUN, true);
}
