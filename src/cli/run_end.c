/* The end of migrate and resume: the table, the snapshot, and the next step. */
#include "cli/run_end.h"
#include "cli/way_back.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "observe/rights_list.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1 };

void run_end_set_log_level(const struct cli_call *call)
{
    const struct cli_value *progress = &call->values[CLI_PROGRESS];
    bool quiet = cli_switch(call, CLI_QUIET);
    bool verbose = cli_switch(call, CLI_VERBOSE);
    enum progress_mode mode = progress->is_set ? (enum progress_mode)progress->number
                              : quiet          ? PROGRESS_NONE
                                               : PROGRESS_AUTO;
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    bool lines =
        mode == PROGRESS_LOG || (!terminal && (mode == PROGRESS_AUTO || mode == PROGRESS_BAR));
    if (lines && !verbose) {
        log_set_stderr_level(LOG_INFO);
    }
}

static const char *snapshot_name(const struct run_result *result)
{
    return result->no_snapshot ? "none" : result->mixed_snapshot ? "mixed" : "one";
}

static void append_json_count(const char *name, uint64_t count, struct buffer *out)
{
    buffer_format(out, ",\"%s\":%llu", name, (unsigned long long)count);
}

static void append_json_entities(const struct progress *progress, struct buffer *out)
{
    buffer_append_string(out, ",\"entities\":[");
    for (uint32_t i = 0; progress != NULL && i < progress->entity_count; i++) {
        struct progress_entity *entity = &progress->entities[i];
        buffer_append_string(out, i == 0 ? "{\"entity\":" : ",{\"entity\":");
        cli_append_json_text(out, entity->name);
        buffer_append_string(out, ",\"table\":");
        cli_append_json_text(out, entity->table);
        append_json_count("read", atomic_load(&entity->read), out);
        append_json_count("written", atomic_load(&entity->written), out);
        append_json_count("rejected", atomic_load(&entity->rejected), out);
        append_json_count("skipped", atomic_load(&entity->skipped), out);
        append_json_count("bytes", atomic_load(&entity->bytes), out);
        append_json_count("retries", atomic_load(&entity->retries), out);
        append_json_count("fallbacks", atomic_load(&entity->fallbacks), out);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static void append_json(const struct run_result *result, const struct error *error, int exit_status,
                        struct buffer *out)
{
    buffer_format(out, "{\"format\":%d,\"run\":", FORMAT);
    cli_append_json_text(out, result->run_id[0] == '\0' ? NULL : result->run_id);
    buffer_format(out, ",\"exit_status\":%d,\"error\":", exit_status);
    if (error == NULL) {
        buffer_append_string(out, "null");
    } else {
        cli_append_error(error, exit_status, out);
    }
    append_json_count("milliseconds", (uint64_t)(result->seconds * 1000), out);
    append_json_count("rejected", result->rejected, out);
    buffer_append_string(out, ",\"rejects_folder\":");
    cli_append_json_text(out, result->rejects_folder);
    buffer_append_string(out, ",\"report\":");
    cli_append_json_text(out, result->report_file);
    append_json_count("unmatched", result->unmatched, out);
    append_json_count("differences", result->differences, out);
    append_json_count("broken_references", result->broken_references, out);
    append_json_count("warnings", result->warning_count, out);
    buffer_append_string(out, result->schema_only ? ",\"schema_only\":true" : "");
    buffer_format(out, ",\"snapshot\":\"%s\",\"not_carried\":%s", snapshot_name(result),
                  result->not_carried_list == NULL ? "[]" : result->not_carried_list);
    buffer_format(out, ",\"rights\":%s", result->rights_list == NULL ? "[]" : result->rights_list);
    append_json_entities(result->progress, out);
    buffer_append_string(out, "}\n");
}

static void append_not_carried(const struct run_result *result, struct buffer *out)
{
    struct buffer line = {0};
    if (result->not_carried == NULL) {
        return;
    }
    buffer_format(&line, "not carried: %s (%s)", result->not_carried,
                  result->report_file != NULL ? "the report lists them"
                                              : "`transhume check` lists them");
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
}

/* The lines tell of objects that are as the source has them, but for somebody's right to them. */
static void append_rights(const struct run_result *result, struct buffer *out)
{
    struct buffer line = {0};
    if (result->kept_definers > 0) {
        buffer_format(&line,
                      "definers: %" PRIu32 " of views, triggers, routines and events run as their "
                      "definer of the source, not as the account of this run (%s)",
                      result->kept_definers,
                      result->report_file != NULL ? "the report lists them"
                                                  : "`transhume check` lists them");
        cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
        buffer_clear(&line);
    }
    if (result->unopened == 0) {
        buffer_free(&line);
        return;
    }
    buffer_format(&line, "rights: %" PRIu32 " %s left to do, as statements (%s)", result->unopened,
                  result->unopened == 1 ? "is" : "are",
                  result->report_file != NULL ? "the report lists them"
                                              : "`transhume check` lists them");
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
}

static void append_text(const struct cli_call *call, const struct run_session *session,
                        const struct run_result *result, struct buffer *out)
{
    static const char *const snapshots[] = {"one snapshot of the source",
                                            "a mixed snapshot of the source",
                                            "no snapshot, the source knows none"};
    char seconds[32];
    progress_append_table(result->progress, result->seconds, cli_color(call, STDOUT_FILENO),
                          cli_terminal_columns(STDOUT_FILENO), out);
    text_human_seconds(result->seconds, seconds, sizeof(seconds));
    struct buffer line = {0};
    buffer_format(&line, "run %s: %s after %s; %s; %s", result->run_id,
                  result->exit_status == EXIT_INTERRUPTED ? "interrupted" : "done", seconds,
                  run_guarantee_name(run_guarantee(session)),
                  snapshots[result->no_snapshot      ? 2
                            : result->mixed_snapshot ? 1
                                                     : 0]);
    buffer_append_byte(out, '\n');
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
    if (result->schema_only) {
        buffer_append_string(out, "--schema-only: no records were moved\n");
    }
    append_not_carried(result, out);
    append_rights(result, out);
    if (result->report_file != NULL) {
        buffer_format(out, "report: %s\n", result->report_file);
    }
}

#define CANNOT_RESUME \
    "This target keeps no ledger: the run can't be resumed; `transhume migrate` writes all of it again."

/* Does it apply changes by now? Then `follow` continues it. */
static bool follows(const struct run_result *result)
{
    return result->follow_end != FOLLOW_NONE ||
           (result->progress != NULL && atomic_load(&result->progress->follow.active));
}

static void tell_rejects(const struct cli_call *call, const struct run_result *result)
{
    char count[32];
    struct buffer next = {0};
    text_human_count(result->rejected, count, sizeof(count));
    cli_append_command(call, follows(result) ? "follow" : "migrate", &next);
    log_write(LOG_WARNING, "%s record%s rejected: they are in %s with the reasons; %s `%s %s`",
              count, result->rejected == 1 ? " was" : "s were",
              result->rejects_folder == NULL ? "the state folder" : result->rejects_folder,
              follows(result) ? "correct them in the source, or let the target take them and have "
                                "the table read again with"
                              : "correct them and load them with",
              buffer_string(&next), follows(result) ? "--refresh TABLE" : "--rejects FILE");
    buffer_free(&next);
}

/* The command that goes on with this run. Where options decide what it does, only the same will do.
 */
static void append_what_continues(const struct cli_call *call, const struct run_result *result,
                                  struct buffer *out)
{
    if (call->command->place == IN_CUTOVER || cli_switch(call, CLI_RESYNC) ||
        call->values[CLI_REFRESH].list_count > 0) {
        buffer_append_string(out, "the same command");
        return;
    }
    buffer_append_byte(out, '`');
    cli_append_command(call, follows(result) ? "follow" : "resume", out);
    buffer_append_byte(out, '`');
}

/* Where somebody may more than in the source, each with the statement that closes it. These may
 * name roles that are to be made before. */
static void tell_opened(const struct run_result *result)
{
    json_t *list = json_loads(result->rights_list, 0, NULL);
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        struct buffer line = {0};
        bool opens = json_is_true(json_object_get(item, "opens"));
        if (opens || rights_list_is_role(item)) {
            buffer_append_string(&line, opens ? "open: " : "role: ");
            rights_list_append_head(item, &line);
            log_write_statement(LOG_WARNING, buffer_string(&line), rights_list_statement(item));
        }
        buffer_free(&line);
    }
    json_decref(list);
    log_write(LOG_WARNING,
              "%" PRIu32 " thing%s more open than in the source; run the statement%s, then see "
              "the report for the others",
              result->opened, result->opened == 1 ? " is" : "s are",
              result->opened == 1 ? "" : "s");
}

static void tell_next_step(const struct cli_call *call, const struct run_session *session,
                           const struct run_result *result)
{
    if (result->rejected > 0) {
        tell_rejects(call, result);
    }
    if (result->unmatched > 0) {
        char count[32];
        text_human_count(result->unmatched, count, sizeof(count));
        log_write(LOG_WARNING, "%s record%s of the source matched no entity and %s left out", count,
                  result->unmatched == 1 ? "" : "s", result->unmatched == 1 ? "was" : "were");
    }
    if (result->broken_references > 0) {
        log_write(LOG_WARNING,
                  "%" PRIu32
                  " foreign key%s missing or broken (the run's log names them): fix the records "
                  "in the source and copy again, or in the target",
                  result->broken_references, result->broken_references == 1 ? " is" : "s are");
    }
    if (result->opened > 0) {
        tell_opened(result);
    }
    if (result->mixed_snapshot) {
        log_write(LOG_WARNING,
                  "the snapshot is mixed: the source may have changed between the attempts "
                  "of this run, so that chunks show it at different times");
    }
    if (result->differences > 0) {
        log_write(LOG_WARNING, "%llu differences were found",
                  (unsigned long long)result->differences);
    }
    if (result->exit_status == EXIT_INTERRUPTED) {
        struct buffer resume = {0};
        struct error error = {0};
        append_what_continues(call, result, &resume);
        error_set(&error, ERROR_INTERRUPTED, NULL, "stopped on request; what is done is kept");
        if (run_can_resume(session)) {
            error_hint(&error, "%s continues.", buffer_string(&resume));
        } else {
            error_hint(&error, CANNOT_RESUME);
        }
        log_write_error(&error);
        buffer_free(&resume);
    }
}

/* `told` gets what is said of it. */
static int tell_failure(const struct cli_call *call, const struct run_session *session,
                        const struct run_result *result, const struct error *error,
                        struct error *told)
{
    cli_copy_failure(told, error);
    int exit_status = error_exit_status(told);
    if (exit_status == EXIT_USAGE && result->has_ledger) {
        exit_status = EXIT_FAILED; /* in the midst of it: 2 would say that nothing was touched */
    }
    bool resumable = result->run_id[0] != '\0' && exit_status == EXIT_FAILED;
    if (resumable && strstr(told->hint, "resume") == NULL &&
        strstr(told->hint, "transhume follow") == NULL) {
        struct buffer resume = {0};
        append_what_continues(call, result, &resume);
        size_t length = strlen(error->hint);
        const char *joint = length == 0 ? "" : error->hint[length - 1] == '.' ? " " : ". ";
        if (run_can_resume(session)) {
            error_hint(told, "%s%sWhat is done is kept: %s continues once that is fixed.",
                       error->hint, joint, buffer_string(&resume));
        } else {
            error_hint(told, "%s%s%s", error->hint, joint, CANNOT_RESUME);
        }
        buffer_free(&resume);
    }
    cli_place_hint(call, told);
    log_write_error(told);
    return exit_status;
}

int run_end_failed(const struct cli_call *call, const struct run_session *session,
                   const struct run_result *result, const struct error *error)
{
    struct error told;
    int exit_status = tell_failure(call, session, result, error, &told);
    cli_print_error(call, &told, exit_status);
    return exit_status;
}

/* The table or object of figures, where it does not get between records. */
static int print_figures(const struct run_session *session, struct buffer *out, int exit_status)
{
    struct error error;
    if (!run_writes_to_stdout(session)) {
        return cli_finish(out, exit_status);
    }
    enum status status =
        file_write_all(STDERR_FILENO, buffer_string(out), out->length, "standard error", &error);
    buffer_free(out);
    return status == STATUS_OK ? exit_status : cli_fail(NULL, &error);
}

/* ---- the user's log file */

static void log_entity(const struct progress_entity *entity, double whole)
{
    char bytes[32];
    char seconds[32];
    uint64_t rejected = atomic_load(&entity->rejected);
    text_human_bytes(atomic_load(&entity->bytes), bytes, sizeof(bytes));
    text_human_seconds(progress_entity_seconds(entity, whole), seconds, sizeof(seconds));
    log_write_user(
        rejected > 0 ? LOG_WARNING : LOG_INFO, EVENT_OF(EVENT_MESSAGE, .table = entity->table),
        "summary of %s: %" PRIu64 " read, %" PRIu64 " written, %" PRIu64 " rejected, %" PRIu64
        " skipped, %s, %s, %" PRIu64 " retries, %" PRIu64 " fallbacks",
        entity->name, atomic_load(&entity->read), atomic_load(&entity->written), rejected,
        atomic_load(&entity->skipped), bytes, seconds, atomic_load(&entity->retries),
        atomic_load(&entity->fallbacks));
}

static void log_summary(const struct run_result *result, enum status status)
{
    char seconds[32];
    const struct progress *progress = result->progress;
    if (progress == NULL) {
        return;
    }
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        log_entity(&progress->entities[i], result->seconds);
    }
    text_human_seconds(result->seconds, seconds, sizeof(seconds));
    log_write_user(status == STATUS_OK ? LOG_INFO : LOG_ERROR, EVENT_OF(EVENT_MESSAGE),
                   "run %s: %s after %s", result->run_id,
                   status != STATUS_OK                       ? "failed"
                   : result->exit_status == EXIT_INTERRUPTED ? "interrupted"
                                                             : "done",
                   seconds);
}

/* `words` holds them. */
static const char *why_finished(struct cli_call *call, struct buffer *words)
{
    const char *folder = cli_state_folder(call, cli_text(call, CLI_PLAN));
    way_back_describe(folder, way_back_look(folder), words);
    return words->length > 0 ? buffer_string(words) : "the run is complete already";
}

int run_end(struct cli_call *call, const struct run_session *session, enum status status,
            const struct run_result *result, const struct error *error)
{
    struct buffer finished = {0};
    struct buffer out = {0};
    bool json = cli_switch(call, CLI_JSON);
    if (error->code != ERROR_RUN_FINISHED) {
        log_summary(result, status);
    }
    if (status != STATUS_OK) {
        struct error told;
        int exit_status = tell_failure(call, session, result, error, &told);
        if (json) {
            append_json(result, &told, exit_status, &out);
            return print_figures(session, &out, exit_status);
        }
        return exit_status;
    }
    if (error->code == ERROR_RUN_FINISHED) {
        log_write(LOG_WARNING, "nothing to do: %s", why_finished(call, &finished));
        buffer_free(&finished);
    }
    if (json) {
        append_json(result, NULL, result->exit_status, &out);
    } else if (result->progress != NULL && error->code != ERROR_RUN_FINISHED) {
        append_text(call, session, result, &out);
    }
    int exit_status = print_figures(session, &out, result->exit_status);
    tell_next_step(call, session, result);
    return exit_status;
}

int run_end_step(struct cli_call *call, const char *plan_path, bool is_last)
{
    struct error error = {0};
    struct run_session *session = NULL;
    struct run_result result = {0};
    int exit_status;
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    enum status status = run_resume(session, &result, &error);
    status = cli_go_on(call, plan_path, status, &session, &result, &error, &exit_status);
    if (status == STATUS_END) {
        return exit_status;
    }
    exit_status = is_last || status != STATUS_OK ? run_end(call, session, status, &result, &error)
                  : result.exit_status == EXIT_INTERRUPTED ? EXIT_INTERRUPTED
                                                           : EXIT_DONE;
    run_close(session);
    return exit_status;
}
