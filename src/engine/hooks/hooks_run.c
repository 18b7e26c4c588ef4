#include "engine/hooks/hooks_run.h"

#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include <inttypes.h>
#include <string.h>

enum { SHOWN_BYTES = 200, LOCK_MS = 60 * 1000, VARIABLES_MAX = 16 };

enum status hook_session_open(struct run *run, const struct plan_hook *hook,
                              struct hook_session *open, struct error *error)
{
    static const struct alter_open options = {.program = "transhume hook", .beside = true};
    struct run_session *session = run->session;
    *open = (struct hook_session){.run = run};
    if (hook->arguments != NULL) {
        return STATUS_OK;
    }
    open->database = hook->in_source ? session->source : session->target;
    return open->database->connector->alter->open(open->database, &options, &open->session, error);
}

void hook_session_close(struct hook_session *open)
{
    if (open->session != NULL) {
        open->database->connector->alter->close(open->session);
    }
    open->session = NULL;
}

/* ---------------------------------------------------------------- SQL */

static enum status run_sql(struct hook_session *open, const struct plan_hook *hook,
                           uint32_t statement, struct error *error)
{
    const struct alter_functions *alter = open->database->connector->alter;
    bool sql = (alter->languages & 1u << ALTER_SQL) != 0;
    const char *text = hook->statements[statement];
    const struct alter_request request = {.language = sql ? ALTER_SQL : ALTER_CQL,
                                          .text = text,
                                          .length = strlen(text),
                                          .lock_ms = hook->timeout_ms < LOCK_MS ? hook->timeout_ms
                                                                                : LOCK_MS,
                                          .time_ms = hook->timeout_ms};
    struct alter_answer answer = {0};
    enum status status = alter->run(open->session, &request, &answer, error);
    if (status == STATUS_OK && answer.counts) {
        log_write(LOG_DEBUG, "hook `%s`: %" PRIu64 " rows", hook->title, answer.rows);
    }
    return status;
}

/* ---------------------------------------------------------------- commands */

static const char *variable(const struct run *run, const char *name, const char *value)
{
    return arena_format(run->arena, "%s=%s", name, value);
}

static const char *number(const struct run *run, const char *name, uint64_t value)
{
    return arena_format(run->arena, "%s=%" PRIu64, name, value);
}

static struct tally hooks_run_count(const struct run *run, uint32_t table)
{
    const struct plan *plan = run->session->plan;
    struct tally sum = {0};
    for (uint32_t i = 0; run->totals != NULL && i < plan->entity_count; i++) {
        if (table == HOOK_OF_RUN || plan->entities[i].table == table) {
            sum.read += run->totals[i].read;
            sum.written += run->totals[i].written;
            sum.rejected += run->totals[i].rejected;
            sum.skipped += run->totals[i].skipped;
        }
    }
    return sum;
}

static void make_environment(const struct hook_session *open, const struct plan_hook *hook,
                             const char **variables)
{
    const struct run *run = open->run;
    const struct run_session *session = run->session;
    const struct tally sum = hooks_run_count(run, hook->table);
    uint32_t at = 0;
    variables[at++] = variable(run, "HOOK_NAME", hook->title);
    variables[at++] = variable(run, "HOOK_RUN", run->id);
    variables[at++] = variable(run, "HOOK_SOURCE", session->source_uri->shown);
    variables[at++] = variable(run, "HOOK_TARGET", session->target_uri->shown);
    variables[at++] = variable(run, "HOOK_STATE", run->folder.path);
    variables[at++] = number(run, "HOOK_READ", sum.read);
    variables[at++] = number(run, "HOOK_WRITTEN", sum.written);
    variables[at++] = number(run, "HOOK_REJECTED", sum.rejected);
    variables[at++] = number(run, "HOOK_SKIPPED", sum.skipped);
    if (hook->table != HOOK_OF_RUN) {
        variables[at++] =
            variable(run, "HOOK_TABLE", session->plan->tables[hook->table].target.name);
    }
    if (open->failure != NULL) {
        variables[at++] = variable(run, "HOOK_ERROR", error_describe(open->failure->code)->name);
        variables[at++] = variable(run, "HOOK_MESSAGE", open->failure->message);
    }
    variables[at] = NULL;
}

static void log_line(void *context, const char *line)
{
    const struct plan_hook *hook = context;
    char shown[1024];
    text_printable(line, strlen(line), shown, sizeof shown);
    log_write(LOG_INFO, "hook `%s`: %s", hook->title, shown);
}

static enum status run_command(struct hook_session *open, const struct plan_hook *hook,
                               struct error *error)
{
    const char *variables[VARIABLES_MAX];
    make_environment(open, hook, variables);
    const struct process_request request = {.arguments = hook->arguments,
                                            .input = "",
                                            .environment = variables,
                                            .guarded = true,
                                            .passed = hook->passed,
                                            .timeout_ms = hook->timeout_ms,
                                            .line = log_line,
                                            .context = (void *)(uintptr_t)hook};
    return process_run_request(&request, error);
}

/* ---------------------------------------------------------------- either */

enum status hook_run_statement(struct hook_session *open, const struct plan_hook *hook,
                               uint32_t statement, struct error *error)
{
    return hook->arguments != NULL ? run_command(open, hook, error)
                                   : run_sql(open, hook, statement, error);
}

enum status hook_failure(const struct plan_hook *hook, uint32_t statement, struct error *error)
{
    char shown[SHOWN_BYTES];
    const char *text =
        hook->statements != NULL && !hook->substituted ? hook->statements[statement] : hook->text;
    if (error->code == ERROR_INTERRUPTED) {
        return STATUS_FAILED;
    }
    text_printable(text, strlen(text), shown, sizeof shown);
    enum error_code code = error->code;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    error_set(error, ERROR_HOOK_FAILED, hook->place, "the hook `%s` failed: %s: %s", hook->title,
              shown, message);
    return error_hint(error,
                      code == ERROR_TARGET_UNKNOWN_OUTCOME
                          ? "see whether it was done; `transhume resume --begun-hooks skip` "
                            "or repeat continues"
                          : "correct it or its cause, then `transhume resume` runs it again");
}
