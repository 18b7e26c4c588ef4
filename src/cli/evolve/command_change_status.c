/* transhume change status and check: nothing is changed. */
#include "cli/evolve/command_change.h"

#include "base/clock.h"
#include "base/text.h"
#include "evolve/evolve.h"
#include "observe/table.h"
#include <inttypes.h>
#include <unistd.h>

static const char *const lock_names[] = {
    [ALTER_LOCK_NONE] = "none", [ALTER_LOCK_WRITES] = "writes wait", [ALTER_LOCK_ALL] = "all wait"};

static void append_step_json(const struct change_step *step, struct buffer *out)
{
    static const char *const locks[] = {
        [ALTER_LOCK_NONE] = "none", [ALTER_LOCK_WRITES] = "writes", [ALTER_LOCK_ALL] = "all"};
    buffer_format(
        out, "{\"phase\":\"%s\",\"kind\":\"%s\",\"operation\":", change_phase_name(step->phase),
        step->kind == CHANGE_BATCHES ? "batches" : "statement");
    if (step->operation == UINT32_MAX) {
        buffer_append_string(out, "null");
    } else {
        buffer_format(out, "%" PRIu32, step->operation + 1);
    }
    buffer_append_string(out, ",\"title\":");
    cli_append_json_text(out, step->title);
    buffer_append_string(out, ",\"statement\":");
    cli_append_json_text(out, step->kind == CHANGE_BATCHES ? NULL : step->text);
    buffer_append_string(out, ",\"undo\":");
    cli_append_json_text(out, step->undo);
    buffer_format(out, ",\"lock\":\"%s\",\"rewrites\":%s", locks[step->lock],
                  step->rewrites ? "true" : "false");
}

/* ---------------------------------------------------------------- check */

static void append_ways(const struct change_plan *plan, const struct change *change,
                        struct buffer *out)
{
    for (uint32_t i = 0; i < plan->way_count; i++) {
        const struct change_way *way = &plan->ways[i];
        const char *kind =
            way->operation < change->count ? change->operations[way->operation].kind : "all";
        buffer_format(out, "-- %s: %s\n", kind, way->text);
        if (way->warning != NULL) {
            buffer_format(out, "--   warning: %s\n", way->warning);
        }
    }
}

static void append_steps(const struct change_plan *plan, const uint64_t *rows, struct buffer *out)
{
    char count[32];
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct change_step *step = &plan->steps[i];
        if (i == 0 || plan->steps[i - 1].phase != step->phase) {
            buffer_format(out, "\n-- %s\n", change_phase_name(step->phase));
        }
        buffer_format(out, "-- %s", step->title);
        if (step->kind == CHANGE_BATCHES) {
            text_human_count(rows[i], count, sizeof(count));
            buffer_format(out, ", in batches: about %s rows\n", count);
            continue;
        }
        buffer_format(out, "%s%s\n%s;\n", step->lock != ALTER_LOCK_NONE ? ": " : "",
                      step->lock != ALTER_LOCK_NONE ? lock_names[step->lock] : "", step->text);
    }
}

static void append_check_json(const struct change_plan *plan, const uint64_t *rows,
                              struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"old_place\":");
    cli_append_json_text(out, plan->old_place);
    buffer_append_string(out, ",\"new_place\":");
    cli_append_json_text(out, plan->new_place);
    buffer_append_string(out, ",\"ways\":[");
    for (uint32_t i = 0; i < plan->way_count; i++) {
        buffer_format(out, "%s{\"operation\":%" PRIu32 ",\"way\":", i > 0 ? "," : "",
                      plan->ways[i].operation + 1);
        cli_append_json_text(out, plan->ways[i].text);
        buffer_append_string(out, ",\"warning\":");
        cli_append_json_text(out, plan->ways[i].warning);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "],\"steps\":[");
    for (uint32_t i = 0; i < plan->count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_step_json(&plan->steps[i], out);
        buffer_format(out, ",\"rows\":%" PRIu64 "}", rows[i]);
    }
    buffer_append_string(out, "]}\n");
}

int command_change_check(struct cli_call *call)
{
    struct change_call change;
    struct change_plan plan;
    struct error error = {0};
    struct buffer out = {0};
    uint64_t *rows;
    int exit_status;
    if (change_call_open(&change, call, true, true, &error) != STATUS_OK ||
        change_look_ahead(&change.options, call->arena, &plan, &rows, &error) != STATUS_OK) {
        exit_status = schema_fail(&change.schema, &error);
    } else if (cli_switch(call, CLI_JSON)) {
        append_check_json(&plan, rows, &out);
        exit_status = cli_finish(&out, EXIT_DONE);
    } else {
        append_ways(&plan, &change.file.change, &out);
        append_steps(&plan, rows, &out);
        exit_status = cli_finish(&out, EXIT_DONE);
    }
    change_call_close(&change);
    return exit_status;
}

/* ---------------------------------------------------------------- status */

static const char *state_of(const struct change_view *view, uint32_t number)
{
    const struct change_step_state *state = &view->steps[number];
    return state->undone && view->abort > 0 ? "undone"
           : state->done                    ? "done"
           : state->begun                   ? "begun"
                                            : "";
}

static void append_table(const struct change_view *view, bool color, struct buffer *out)
{
    static const char *const titles[] = {"", "phase", "step", "state", ">rows", NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < view->plan.count; i++) {
        const struct change_step *step = &view->plan.steps[i];
        table_format(table, "%" PRIu32, i + 1);
        table_add_text(table, change_phase_name(step->phase));
        table_add_text(table, step->title);
        table_add_text(table, state_of(view, i));
        if (step->kind == CHANGE_BATCHES && view->steps[i].begun) {
            table_add_count(table, (int64_t)view->steps[i].rows);
        } else {
            table_add_text(table, "");
        }
    }
    table_append(table, color, out);
    table_destroy(table);
}

static void append_view(const struct change_view *view, bool color, struct buffer *out)
{
    buffer_format(out, "%s_%s  %s\n", view->version, view->name, change_state_name(view->state));
    if (view->steps == NULL) {
        return;
    }
    if (view->error != NULL) {
        buffer_format(out, "  failed: %s\n", view->error);
    }
    if (view->plan.new_place != NULL) {
        buffer_format(out, "  the old version looks in %s, the new one in %s\n",
                      view->plan.old_place != NULL ? view->plan.old_place : "the tables",
                      view->plan.new_place);
    }
    append_table(view, color, out);
}

static void append_view_json(const struct change_view *view, struct buffer *out)
{
    char when[32];
    buffer_append_string(out, "{\"version\":");
    cli_append_json_text(out, view->version);
    buffer_append_string(out, ",\"name\":");
    cli_append_json_text(out, view->name);
    buffer_format(out, ",\"state\":\"%s\",\"begun\":", change_state_name(view->state));
    clock_format_utc(view->begun_us, when, sizeof(when));
    cli_append_json_text(out, view->begun_us > 0 ? when : NULL);
    buffer_append_string(out, ",\"who\":");
    cli_append_json_text(out, view->who);
    buffer_append_string(out, ",\"error\":");
    cli_append_json_text(out, view->error);
    buffer_append_string(out, ",\"old_place\":");
    cli_append_json_text(out, view->plan.old_place);
    buffer_append_string(out, ",\"new_place\":");
    cli_append_json_text(out, view->plan.new_place);
    buffer_append_string(out, ",\"steps\":[");
    for (uint32_t i = 0; view->steps != NULL && i < view->plan.count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_step_json(&view->plan.steps[i], out);
        buffer_format(out, ",\"state\":\"%s\",\"rows\":%" PRIu64 "}", state_of(view, i),
                      view->steps[i].rows);
    }
    buffer_append_string(out, "]}");
}

int command_change_status(struct cli_call *call)
{
    struct change_call change;
    struct change_views views;
    struct error error = {0};
    struct buffer out = {0};
    int exit_status;
    if (change_call_open(&change, call, false, true, &error) != STATUS_OK ||
        change_look(&change.options, call->arena, &views, &error) != STATUS_OK) {
        exit_status = schema_fail(&change.schema, &error);
        change_call_close(&change);
        return exit_status;
    }
    bool json = cli_switch(call, CLI_JSON);
    buffer_append_string(&out, json ? "{\"format\":1,\"changes\":[" : "");
    for (uint32_t i = 0; i < views.count; i++) {
        if (json) {
            buffer_append_string(&out, i > 0 ? "," : "");
            append_view_json(&views.items[i], &out);
        } else {
            append_view(&views.items[i], cli_color(call, STDOUT_FILENO), &out);
        }
    }
    buffer_append_string(&out, json ? "]}\n" : views.count > 0 ? "" : "there never was a change\n");
    exit_status = cli_finish(&out, EXIT_DONE);
    change_call_close(&change);
    return exit_status;
}
