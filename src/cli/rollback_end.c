/* Questions and output of rollback, finish and migrate --restart. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "cli/run_end.h"
#include "engine/rollback/rollback.h"
#include "observe/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_is_confirmed(struct cli_call *call, const char *question)
{
    char answer[16] = "";
    if (cli_switch(call, CLI_CONFIRM)) {
        return true;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return false;
    }
    fprintf(stderr, "%s Type yes to continue: ", question);
    return fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

static const char *action_of(const struct rollback_table_report *table)
{
    switch (table->action) {
    case ROLLBACK_DROP:
        return "drop the table";
    case ROLLBACK_EMPTY:
        return "empty the table";
    case ROLLBACK_UNDO:
        return table->dropped ? "record by record, then drop it" : "record by record";
    default:
        return table->gone ? "nothing: it is gone" : "nothing to do";
    }
}

static const char *compared(const struct rollback_table_report *table)
{
    switch (table->action) {
    case ROLLBACK_DROP:
    case ROLLBACK_EMPTY:
        return table->hashed ? "count and contents" : "count";
    case ROLLBACK_UNDO:
        return "each record";
    default:
        return "";
    }
}

/* A change that leaves the count would go unseen, and with the table. */
static bool is_by_count(const struct rollback_table_report *table)
{
    return (table->action == ROLLBACK_DROP || table->action == ROLLBACK_EMPTY) && !table->hashed &&
           table->removed > 0;
}

/* Empty where each table's contents were compared. */
static void append_by_count(const struct rollback_report *report, struct buffer *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->table_count; i++) {
        count += is_by_count(&report->tables[i]);
    }
    if (count > 0) {
        buffer_format(out,
                      "of %" PRIu32
                      " table%s only the number of records is compared, since the run "
                      "kept no hashes (express lane, --no-hashes): what others changed in those "
                      "records goes with them",
                      count, count == 1 ? "" : "s");
    }
}

void cli_warn_of_rollback(const struct rollback_report *report)
{
    struct buffer line = {0};
    append_by_count(report, &line);
    if (line.length > 0) {
        log_write(LOG_WARNING, "%s", buffer_string(&line));
    }
    buffer_free(&line);
}

/* A text each: "view NAME", with why where it stays. */
static void append_json_objects(const struct rollback_report *report, struct buffer *out)
{
    struct buffer line = {0};
    bool first = true;
    for (size_t at = 0; at < report->objects.length; at++) {
        char next = (char)report->objects.data[at];
        if (next != '\n') {
            buffer_append_byte(&line, next);
            continue;
        }
        buffer_append_string(out, first ? "" : ",");
        cli_append_json_text(out, buffer_string(&line));
        buffer_clear(&line);
        first = false;
    }
    buffer_free(&line);
}

static void append_json(const struct rollback_report *report, bool dry_run, struct buffer *out)
{
    buffer_format(out, "{\"format\":1,\"run\":\"%s\",\"dry_run\":%s,\"target\":", report->run_id,
                  dry_run ? "true" : "false");
    cli_append_json_text(out, report->target);
    buffer_append_string(out, ",\"tables\":[");
    for (uint32_t i = 0; i < report->table_count; i++) {
        const struct rollback_table_report *table = &report->tables[i];
        buffer_append_string(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        cli_append_json_text(out, table->name);
        buffer_format(out,
                      ",\"action\":\"%s\",\"removed\":%" PRIu64 ",\"restored\":%" PRIu64
                      ",\"changed\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"differing\":%" PRIu64
                      ",\"contents_compared\":%s,\"dropped\":%s,\"gone\":%s}",
                      rollback_action_name(table->action), table->removed, table->restored,
                      table->changed, table->missing, table->differing,
                      table->hashed || table->action == ROLLBACK_UNDO ? "true" : "false",
                      table->dropped || table->action == ROLLBACK_DROP ? "true" : "false",
                      table->gone ? "true" : "false");
    }
    buffer_append_string(out, "],\"compared_by_count\":[");
    bool first = true;
    for (uint32_t i = 0; i < report->table_count; i++) {
        if (is_by_count(&report->tables[i])) {
            buffer_append_string(out, first ? "" : ",");
            cli_append_json_text(out, report->tables[i].name);
            first = false;
        }
    }
    buffer_append_string(out, "],\"objects\":[");
    append_json_objects(report, out);
    buffer_append_string(out, "]}\n");
}

static void append_table(struct cli_call *call, const struct rollback_report *report, bool dry_run,
                         struct buffer *out)
{
    const char *const titles[] = {"TABLE",      dry_run ? "WOULD" : "DONE",
                                  ">REMOVED",   ">RESTORED",
                                  ">CHANGED",   ">MISSING",
                                  ">DIFFERING", "COMPARED",
                                  NULL};
    struct table *table = table_create(titles);
    bool color = cli_color(call, STDOUT_FILENO);
    for (uint32_t i = 0; i < report->table_count; i++) {
        const struct rollback_table_report *about = &report->tables[i];
        table_add_text(table, about->name);
        table_add_text(table, action_of(about));
        table_add_count(table, (int64_t)about->removed);
        table_add_count(table, (int64_t)about->restored);
        table_add_count(table, (int64_t)about->changed);
        table_add_count(table, (int64_t)about->missing);
        table_add_count(table, (int64_t)about->differing);
        table_add_text(table, compared(about));
    }
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}

static uint32_t count_gone(const struct rollback_report *report)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < report->table_count; i++) {
        gone += report->tables[i].gone;
    }
    return gone;
}

static void append_gone(const struct rollback_report *report, struct buffer *out)
{
    uint32_t gone = count_gone(report);
    if (gone > 0) {
        buffer_format(out,
                      "%" PRIu32 " table%s gone: others dropped %s, or gave %s another name, under "
                      "which the run's records stay\n",
                      gone, gone == 1 ? " is" : "s are", gone == 1 ? "it" : "them",
                      gone == 1 ? "it" : "them");
    }
}

uint64_t cli_rollback_differing(const struct rollback_report *report)
{
    uint64_t differing = 0;
    for (uint32_t i = 0; i < report->table_count; i++) {
        differing += report->tables[i].differing;
    }
    return differing;
}

static void append_differing(const struct rollback_report *report, struct buffer *out)
{
    uint64_t differing = cli_rollback_differing(report);
    if (differing > 0) {
        buffer_format(
            out,
            "%" PRIu64 " record%s not as %s before the run: a trigger or a rule of the table "
            "did something else\n",
            differing, differing == 1 ? " is" : "s are", differing == 1 ? "it was" : "they were");
    }
}

static void append_warning(const struct rollback_report *report, struct buffer *out)
{
    struct buffer line = {0};
    append_gone(report, out);
    append_differing(report, out);
    append_by_count(report, &line);
    if (line.length > 0) {
        buffer_append_byte(&line, '\n');
        cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    }
    buffer_free(&line);
}

void cli_append_rollback(struct cli_call *call, const struct rollback_report *report, bool dry_run,
                         struct buffer *out)
{
    uint64_t changed = 0;
    if (cli_switch(call, CLI_JSON)) {
        append_json(report, dry_run, out);
        return;
    }
    buffer_format(out, "run %s in %s%s\n", report->run_id, report->target,
                  report->resumed ? ", whose rollback had begun before" : "");
    append_table(call, report, dry_run, out);
    if (report->objects.length > 0) {
        buffer_append_string(out, dry_run ? "would be dropped, too:\n" : "dropped, too:\n");
        buffer_append(out, report->objects.data, report->objects.length);
    }
    for (uint32_t i = 0; i < report->table_count; i++) {
        changed += report->tables[i].changed;
    }
    if (changed > 0) {
        buffer_format(out,
                      "%" PRIu64 " records were changed by others since the run wrote them, or "
                      "records of others refer to them: they stay as they are\n",
                      changed);
    }
    append_warning(report, out);
}

int cli_fail_rollback(const struct cli_call *call, const struct rollback_report *report,
                      enum status status, struct error *error)
{
    char goes_on[128];
    snprintf(goes_on, sizeof(goes_on), "`transhume rollback --run %.60s --confirm` continues",
             report->run_id);
    if (status == STATUS_END) {
        error_set(error, ERROR_INTERRUPTED, report->run_id, "the rollback was stopped");
        error_hint(error, "%s it", goes_on);
    } else if (strstr(error->hint, "rollback") == NULL &&
               error_exit_status(error) != EXIT_REFUSED) {
        return cli_fail_begun(call, error, goes_on);
    }
    return cli_fail_begun(call, error, NULL);
}

/* The rollback to be confirmed is shown; then a yes or a refusal. */
static int roll_back(struct cli_call *call, struct rollback *rollback,
                     const struct rollback_report *report)
{
    struct error error = {0};
    struct buffer out = {0};
    cli_append_rollback(call, report, true, &out);
    if (!cli_switch(call, CLI_QUIET)) {
        ssize_t ignored = write(STDERR_FILENO, out.data, out.length);
        (void)ignored;
    }
    buffer_free(&out);
    if (!cli_is_confirmed(call, "This takes it back.")) {
        error_set(&error, ERROR_USAGE, report->run_id, "is not finished, and would be rolled back");
        error_hint(&error, "Say --confirm if that is wanted.");
        return cli_fail(call, &error);
    }
    enum status status = rollback_run(rollback, &error);
    return status == STATUS_OK ? 0 : cli_fail_rollback(call, report, status, &error);
}

int cli_roll_back_unfinished(struct cli_call *call, const char *plan_path)
{
    struct error error = {0};
    struct rollback *rollback;
    const struct rollback_report *report;
    struct rollback_options options;
    cli_rollback_options(call, plan_path, call->argument_count == 2 ? call->arguments[1] : NULL,
                         &options);
    enum status status = rollback_open(&options, &rollback, &error);
    if (status == STATUS_END || (status == STATUS_FAILED && (error.code == ERROR_RUN_NOTHING ||
                                                             error.code == ERROR_TARGET_MISSING))) {
        return 0; /* nothing is unfinished */
    }
    if (status != STATUS_OK) {
        return cli_fail(call, &error);
    }
    int exit_status = rollback_look(rollback, &report, &error) == STATUS_OK
                          ? roll_back(call, rollback, report)
                          : cli_fail(call, &error);
    rollback_close(rollback);
    return exit_status;
}

void cli_rollback_options(struct cli_call *call, const char *plan_path, const char *target,
                          struct rollback_options *options)
{
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    *options = (struct rollback_options){.run_id = cli_text(call, CLI_RUN),
                                         .target_uri = target,
                                         .ledger_uri = cli_text(call, CLI_LEDGER),
                                         .ledger_schema = cli_text(call, CLI_LEDGER_SCHEMA),
                                         .plan_path = plan_path,
                                         .state_folder = cli_state_folder(call, plan_path),
                                         .timeout_ms = timeout->is_set ? timeout->number : 0,
                                         .take_over = cli_switch(call, CLI_TAKE_OVER),
                                         .only_looks = cli_switch(call, CLI_DRY_RUN),
                                         .observer = call->observer,
                                         .command_line = call->command_line};
}

enum status cli_rollback_begin(struct cli_call *call, struct rollback_options *options,
                               struct error *error)
{
    const char *plan_path = NULL;
    if (call->argument_count == 0 && cli_find_plan_of_run(call, &plan_path, error) != STATUS_OK) {
        if (error->code != ERROR_RUN_NOTHING) {
            return STATUS_FAILED;
        }
        *error = (struct error){0};
        plan_path = NULL; /* the run may be an older one, of which the state folder knows */
    }
    signals_setup();
    run_end_set_log_level(call);
    uint32_t count = call->argument_count; /* SRC DST are the run's, as for other commands */
    cli_rollback_options(call, plan_path, count > 0 ? call->arguments[count - 1] : NULL, options);
    return STATUS_OK;
}
