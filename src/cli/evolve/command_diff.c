/* transhume diff: the schema that the plan makes beside the one that the target has. */
#include "cli/cli.h"
#include "cli/evolve/command_schema.h"

#include "base/signals.h"
#include "connectors/contract/script.h"
#include "evolve/evolve.h"
#include <string.h>

enum { TIMEOUT_MS = 30000 };

/* Without these there is no schema to compare; the run fails as well if one can't be made. */
static bool is_needed(const char *what)
{
    static const char *const needed[] = {"schema", "table", "key", "type"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (strcmp(needed[i], what) == 0) {
            return true;
        }
    }
    return false;
}

static enum status command_diff_list(void *context, const char *place, struct arena *arena,
                                     const struct diff_made **statements, uint32_t *count,
                                     struct error *error)
{
    struct script script = {.arena = arena};
    if (run_script(context, place, &script, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct diff_made *made = arena_allocate_zeroed(arena, (size_t)script.count + 1, sizeof *made);
    for (uint32_t i = 0; i < script.count; i++) {
        const struct script_statement *statement = &script.statements[i];
        made[i] = (struct diff_made){
            .text = statement->text,
            .name = arena_format(arena, "%s %s", statement->what, statement->name),
            .optional = !is_needed(statement->what)};
    }
    *statements = made;
    *count = script.count;
    return STATUS_OK;
}

/* A line each: "+": the target lacks it, "-": only the target has it, "~": it differs there. */
static void append_text(const struct diff_result *result, struct buffer *out)
{
    if (result->change_count == 0) {
        buffer_append_string(out, "the target's schema is as the plan makes it\n");
        return;
    }
    diff_append_changes(result, out);
    buffer_append_string(out, "\n+ missing in the target, - only in the target, ~ different: what "
                              "it is -> what migrate makes\n");
}

static int command_diff_compare(struct cli_call *call, struct run_session *session)
{
    const struct diff_maker maker = {command_diff_list, session};
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    const struct diff_options options = {.from = run_target_uri(session),
                                         .to = "",
                                         .maker = &maker,
                                         .allow_drop = true,
                                         .blocking = true,
                                         .timeout_ms =
                                             timeout->is_set ? timeout->number : TIMEOUT_MS};
    struct diff_result result;
    struct error error = {0};
    struct buffer out = {0};
    if (diff_run(&options, call->arena, &result, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    (cli_switch(call, CLI_JSON) ? diff_append_json : append_text)(&result, &out);
    return cli_finish(&out, result.change_count > 0 ? EXIT_ATTENTION : EXIT_DONE);
}

int command_diff(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const char *plan_path;
    int exit_status;
    if (cli_find_plan(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    signals_setup(); /* what is made in between is dropped */
    if (cli_open_session(call, plan_path, &session, &exit_status) == STATUS_OK) {
        exit_status = command_diff_compare(call, session);
    }
    run_close(session);
    return exit_status;
}
