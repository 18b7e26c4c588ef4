/* transhume status: how far the run of a state folder is. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/state_view.h"
#include "cli/way_back.h"
#include "engine/folder/types_file.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/cutover/fence.h"
#include "engine/rollback/rollback.h"
#include <string.h>
#include <unistd.h>

enum {
    REFRESH_MS = 1000,
    BEGIN_MS = 5000,
    BEGIN_STEP_MS = 50,
    OTHER_ROWS = 18,
    ENTITY_ROWS_MIN = 4
};

/* The process at work holds the lock; the pid in the file may be another's by now. */
static bool is_running(const struct cli_call *call, const char *folder)
{
    return file_is_locked(file_join(call->arena, folder, "lock"));
}

static void append_nothing(const struct cli_call *call, const char *folder, struct buffer *out)
{
    if (cli_switch(call, CLI_JSON)) {
        buffer_append_string(out, "{\"format\":1,\"status\":\"not_started\"}\n");
        return;
    }
    char shown[400];
    text_printable(folder, strlen(folder), shown, sizeof(shown));
    buffer_format(out, "there is no run in %s; `transhume migrate` starts one\n", shown);
}

static enum status append_state(struct cli_call *call, const char *text, bool running,
                                struct state_watch *watch, struct buffer *out, struct error *error)
{
    size_t length = strlen(text);
    if (!cli_switch(call, CLI_JSON)) {
        struct buffer view = {0};
        enum status status =
            state_view_append(text, running, cli_color(call, STDOUT_FILENO), watch, &view, error);
        cli_append_placed(call, buffer_string(&view), out);
        buffer_free(&view);
        return status;
    }
    buffer_append_string(out, text);
    buffer_append_string(out, length > 0 && text[length - 1] != '\n' ? "\n" : "");
    return STATUS_OK;
}

/* A rollback of an older run that was begun; a command under way will tell its end itself. */
static enum status append_begun(struct cli_call *call, const char *folder, struct buffer *out,
                                struct error *error)
{
    const char *run_id = NULL;
    if (!is_running(call, folder) &&
        rollback_find_begun(folder, call->arena, &run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run_id == NULL) {
        return STATUS_OK;
    }
    if (cli_switch(call, CLI_JSON)) {
        state_view_add_rollback(run_id, out);
    } else {
        state_view_append_rollback(run_id, out);
    }
    return STATUS_OK;
}

/* The fence of a cut-over that is at work, or did not end. */
static void append_fence(const struct cli_call *call, const char *folder, struct buffer *out)
{
    bool sealed;
    int64_t since_us = fence_look(folder, &sealed);
    if (since_us == 0) {
        return;
    }
    if (cli_switch(call, CLI_JSON)) {
        state_view_add_fence(since_us, sealed, out);
        return;
    }
    struct buffer line = {0};
    state_view_append_fence(since_us, sealed, is_running(call, folder), &line);
    cli_append_placed(call, buffer_string(&line), out);
    buffer_free(&line);
}

/* Triggers of the target that are off while changes are applied, or that a killed process left so.
 */
static void append_quiet(const struct cli_call *call, const char *folder, struct buffer *out)
{
    int64_t since_us;
    uint32_t count = quiet_look(folder, &since_us);
    if (count == 0) {
        return;
    }
    if (cli_switch(call, CLI_JSON)) {
        state_view_add_quiet(count, since_us, out);
        return;
    }
    struct buffer line = {0};
    state_view_append_quiet(count, since_us, is_running(call, folder), &line);
    cli_append_placed(call, buffer_string(&line), out);
    buffer_free(&line);
}

/* Adds the way back, once a cut-over is done. */
static void append_way_back(const struct cli_call *call, const char *folder, struct buffer *out)
{
    enum way_back found = way_back_look(folder);
    struct buffer line = {0};
    if (way_back_name(found) == NULL) {
        return;
    }
    if (cli_switch(call, CLI_JSON)) {
        state_view_add_text("way_back", way_back_name(found), out);
        return;
    }
    way_back_describe(folder, found, &line);
    buffer_append_byte(&line, '\n');
    cli_append_placed(call, buffer_string(&line), out);
    buffer_free(&line);
}

/* One look. `*open`: the run may still go on. */
static enum status command_status_look(struct cli_call *call, const char *folder,
                                       struct state_watch *watch, struct buffer *out, bool *open,
                                       struct error *error)
{
    struct buffer json = {0};
    enum status status = run_state_read(folder, &json, error);
    *open = false;
    if (status == STATUS_END) {
        append_nothing(call, folder, out);
        status = STATUS_OK;
    } else if (status == STATUS_OK) {
        bool running = is_running(call, folder);
        const char *text = buffer_string(&json);
        bool under_way = running && state_view_is_open(text);
        watch->seen = watch->seen || under_way;
        *open = running && (under_way || !watch->seen); /* else one is about to begin */
        if (cli_switch(call, CLI_JSON)) {
            types_file_add(folder, &json);
            text = buffer_string(&json);
        }
        status = append_state(call, text, running, watch, out, error);
    }
    buffer_free(&json);
    append_fence(call, folder, out);
    append_quiet(call, folder, out);
    append_way_back(call, folder, out);
    return status == STATUS_OK ? append_begun(call, folder, out, error) : status;
}

/* On a terminal the old look is overwritten, line by line so that nothing flickers; elsewhere they
 * follow one another. */
static void overwrite(struct buffer *out)
{
    struct buffer drawn = {0};
    if (!isatty(STDOUT_FILENO)) {
        return;
    }
    buffer_append_string(&drawn, "\x1b[H");
    for (size_t i = 0; i < out->length; i++) {
        buffer_append_string(&drawn, out->data[i] == '\n' ? "\x1b[K" : "");
        buffer_append_byte(&drawn, out->data[i]);
    }
    buffer_append_string(&drawn, "\x1b[J");
    buffer_free(out);
    *out = drawn;
}

/* Rows that scroll away can't be watched. */
static uint32_t rows_for_entities(void)
{
    uint32_t rows = cli_terminal_rows(STDOUT_FILENO);
    return rows == 0                             ? 0
           : rows < OTHER_ROWS + ENTITY_ROWS_MIN ? ENTITY_ROWS_MIN
                                                 : rows - OTHER_ROWS;
}

/* Somebody may be about to begin one: a little time for that, or as long as he holds the folder. */
static void wait_for_run(struct cli_call *call, const char *folder)
{
    struct error ignored = {0};
    int64_t until_ms = clock_monotonic_ms() + BEGIN_MS;
    enum status status = STATUS_END;
    while (status == STATUS_END && (clock_monotonic_ms() < until_ms || is_running(call, folder))) {
        struct buffer json = {0};
        status = run_state_read(folder, &json, &ignored);
        buffer_free(&json);
        if (status == STATUS_END) {
            clock_sleep_ms(BEGIN_STEP_MS);
        }
    }
}

int command_status(struct cli_call *call)
{
    struct error error = {0};
    struct state_watch watch = {0};
    const char *folder = cli_state_folder(call, cli_text(call, CLI_PLAN));
    bool open = true;
    bool watching = cli_switch(call, CLI_WATCH);
    struct buffer out = {0};
    if (watching) {
        wait_for_run(call, folder);
    }
    do {
        watch.rows = watching ? rows_for_entities() : 0;
        enum status status = command_status_look(call, folder, &watch, &out, &open, &error);
        if (watching) {
            overwrite(&out);
        }
        if (status != STATUS_OK || cli_print(&out, &error) != STATUS_OK) {
            buffer_free(&out);
            return cli_fail(call, &error);
        }
        if (watching && open) {
            clock_sleep_ms(REFRESH_MS);
        }
    } while (watching && open);
    return cli_finish(&out, EXIT_DONE);
}
