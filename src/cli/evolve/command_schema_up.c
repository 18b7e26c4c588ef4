/* transhume schema up and down. */
#include "cli/evolve/command_schema.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The display while the migrations are at work. */
struct showing {
    bool lines;    /* a line for each act, on stdout */
    bool terminal; /* how far a statement is, on stderr */
    bool drawn;
    int64_t began_ms;
};

enum { SHOWN_AFTER_MS = 1000 };

/* ---------------------------------------------------------------- while it works */

static void wipe(struct showing *showing)
{
    if (showing->drawn) {
        dprintf(STDERR_FILENO, "\r\033[K");
        showing->drawn = false;
    }
}

static void append_act(const struct schema_act *act, struct buffer *out)
{
    buffer_format(out, "%s%s%s", act->version != NULL ? act->version : "R",
                  act->name[0] != '\0' ? "_" : "", act->name);
}

static void command_schema_up_draw(struct showing *showing, const struct schema_event *event)
{
    struct buffer line = {0};
    char took[32];
    if (!showing->terminal || event->ms < SHOWN_AFTER_MS) {
        return;
    }
    text_human_seconds((double)event->ms / 1000, took, sizeof(took));
    append_act(event->act, &line);
    buffer_format(&line, ": statement %" PRIu32 " of %" PRIu32 ", %s", event->step->number,
                  event->steps, took);
    if (event->part >= 0) {
        buffer_format(&line, ", %.0f %%", 100 * event->part);
    }
    if (event->text != NULL) {
        buffer_format(&line, ", %s", event->text);
    }
    uint32_t columns = cli_terminal_columns(STDERR_FILENO);
    size_t length = text_clip(line.data, line.length, columns > 1 ? columns - 1 : 79);
    dprintf(STDERR_FILENO, "\r\033[K%.*s", (int)length, line.data);
    showing->drawn = true;
    buffer_free(&line);
}

static void say_done(const struct showing *showing, const struct schema_event *event)
{
    static const char *const words[HISTORY_ACTION_COUNT] = {[HISTORY_UP] = "applied",
                                                            [HISTORY_DOWN] = "taken back",
                                                            [HISTORY_REPEAT] = "run again",
                                                            [HISTORY_BASELINE] = "applied"};
    struct buffer line = {0};
    struct error ignored;
    if (!showing->lines) {
        return;
    }
    append_act(event->act, &line);
    buffer_format(&line, "  %s: %" PRIu32 " statement%s, %" PRId64 " ms\n",
                  words[event->act->action], event->steps, event->steps == 1 ? "" : "s", event->ms);
    (void)!cli_print(&line, &ignored);
    buffer_free(&line);
}

static void say_kept(const struct showing *showing, const struct schema_event *event)
{
    struct buffer line = {0};
    struct error ignored;
    if (showing->lines) {
        buffer_format(&line, "  %s\n", event->text);
        (void)!cli_print(&line, &ignored);
    }
    buffer_free(&line);
}

static void say_waiting(const struct schema_event *event)
{
    char since[32] = "";
    if (event->holder->since_us > 0) {
        clock_format_utc(event->holder->since_us, since, sizeof(since));
    }
    log_write(LOG_WARNING, "waiting for %s, which changes the schema%s%s", event->holder->name,
              since[0] != '\0' ? " since " : "", since);
}

static void observe(void *context, const struct schema_event *event)
{
    struct showing *showing = context;
    switch (event->kind) {
    case SCHEMA_PROGRESS:
        command_schema_up_draw(showing, event);
        break;
    case SCHEMA_ENDS:
        wipe(showing);
        say_done(showing, event);
        break;
    case SCHEMA_KEEPS:
        wipe(showing);
        say_kept(showing, event);
        break;
    case SCHEMA_WAITS:
        say_waiting(event);
        break;
    case SCHEMA_SETTLED:
        log_write(LOG_WARNING,
                  "%s:%" PRIu32 ": statement %" PRIu32 " was under way when a session was lost: %s",
                  event->act->text->path, event->step->place.line, event->step->number,
                  event->text);
        break;
    case SCHEMA_RECONNECTS:
        wipe(showing);
        log_write(LOG_WARNING, "the session was lost (%s); connecting again", event->text);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- results */

static void append_done(const struct schema_result *result, struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"done\":[");
    for (uint32_t i = 0; i < result->count; i++) {
        const struct schema_done *done = &result->done[i];
        buffer_format(out, "%s{\"action\":\"%s\",\"version\":", i > 0 ? "," : "",
                      history_action_name(done->action));
        cli_append_json_text(out, done->version);
        buffer_append_string(out, ",\"name\":");
        cli_append_json_text(out, done->name);
        buffer_format(out, ",\"statements\":%" PRIu32 ",\"ms\":%" PRId64 "}", done->steps,
                      done->ms);
    }
    buffer_append_byte(out, ']');
}

static int command_schema_up_finish(const struct schema_call *schema,
                                    const struct schema_result *result,
                                    const struct showing *showing, bool down)
{
    struct buffer out = {0};
    char took[32];
    if (cli_switch(schema->call, CLI_JSON)) {
        append_done(result, &out);
        buffer_append_string(&out, "}\n");
        return cli_finish(&out, EXIT_DONE);
    }
    text_human_seconds((double)(clock_monotonic_ms() - showing->began_ms) / 1000, took,
                       sizeof(took));
    if (result->count == 0) {
        buffer_append_string(&out, "nothing to do\n");
    } else {
        buffer_format(&out, "%" PRIu32 " migration%s %s in %s\n", result->count,
                      result->count == 1 ? "" : "s", down ? "taken back" : "applied", took);
    }
    return cli_finish(&out, EXIT_DONE);
}

/* With --json what was done before it is told beside the failure. */
static int command_schema_up_fail(struct schema_call *schema, const struct schema_result *result,
                                  struct error *error)
{
    struct buffer out = {0};
    if (!cli_switch(schema->call, CLI_JSON) || !buffer_is_empty(&schema->faults)) {
        return schema_fail(schema, error);
    }
    struct error told;
    cli_copy_failure(&told, error);
    int exit_status = error_exit_status(&told);
    log_write_error(&told);
    append_done(result, &out);
    buffer_append_string(&out, ",\"error\":");
    cli_append_error(&told, exit_status, &out);
    buffer_append_string(&out, "}\n");
    return cli_finish(&out, exit_status);
}

/* ---------------------------------------------------------------- the commands */

static enum status confirm(struct schema_call *schema, bool down, struct error *error)
{
    if (!down || cli_switch(schema->call, CLI_DRY_RUN) ||
        cli_is_confirmed(schema->call, "This takes versions back, and may drop data.")) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, schema->call->command->name,
              "a way back may drop data, and was not confirmed");
    return error_hint(error, "--dry-run shows what it runs, --confirm runs it.");
}

static int command_schema_up_run(struct cli_call *call, bool down)
{
    struct schema_call schema = {.call = call};
    struct schema_options options;
    struct schema_result result = {.arena = call->arena};
    struct error error = {0};
    struct showing showing = {.lines = !cli_switch(call, CLI_JSON),
                              .terminal = cli_terminal_columns(STDERR_FILENO) > 0 &&
                                          !cli_switch(call, CLI_QUIET),
                              .began_ms = clock_monotonic_ms()};
    bool looks = cli_switch(call, CLI_DRY_RUN);
    const char *uri;
    int exit_status;
    if (schema_take_words(&schema, true, &uri, &error) != STATUS_OK ||
        schema_read_folder(&schema, uri, &error) != STATUS_OK ||
        confirm(&schema, down, &error) != STATUS_OK ||
        schema_open(&schema, uri, looks, &error) != STATUS_OK) {
        exit_status = command_schema_up_fail(&schema, &result, &error);
    } else {
        schema_fill_options(&schema, &options);
        options.observe = observe;
        options.context = &showing;
        options.order = (struct schema_order){.down = down,
                                              .out_of_order = cli_switch(call, CLI_OUT_OF_ORDER),
                                              .to = cli_text(call, CLI_TO),
                                              .most = schema.most};
        if (looks) {
            exit_status = schema_show_plan(&schema, &options);
        } else if (schema_run(&options, &result, &error) == STATUS_OK) {
            exit_status = command_schema_up_finish(&schema, &result, &showing, down);
        } else {
            wipe(&showing);
            exit_status = command_schema_up_fail(&schema, &result, &error);
        }
    }
    schema_close(&schema);
    return exit_status;
}

int command_schema_up(struct cli_call *call)
{
    return command_schema_up_run(call, false);
}

int command_schema_down(struct cli_call *call)
{
    return command_schema_up_run(call, true);
}
