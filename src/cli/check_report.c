/* The output of `check` and `migrate --dry-run`. */
#include "cli/check_ddl.h"
#include "cli/check_rights.h"
#include "cli/cli.h"

#include "base/text.h"
#include "observe/alert/alert_config.h"
#include "observe/table.h"
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1 };

static void append_entities(const struct check_report *report, bool color, struct buffer *out)
{
    static const char *const titles[] = {"entity", "from", "table", ">records",
                                         ">bytes", "keys", NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < report->entity_count; i++) {
        const struct check_entity *entity = &report->entities[i];
        table_add_text(table, entity->name);
        table_add_text(table, entity->from == NULL ? "" : entity->from);
        table_add_text(table, entity->table);
        table_add_count(table, entity->records);
        table_add_bytes(table, entity->bytes);
        /* "proven: why" → "proven"; the reasons of those that are not follow the table. */
        table_format(table, "%.*s", entity->keys == NULL ? 0 : (int)strcspn(entity->keys, ":"),
                     entity->keys == NULL ? "" : entity->keys);
    }
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}

/* "LABEL  name: text", folded under itself. */
static void append_labelled(const char *label, const char *name, const char *text,
                            struct buffer *out)
{
    struct buffer line = {0};
    struct buffer folded = {0};
    size_t indent = strlen(label);
    buffer_format(&line, "%s%s%s", name, text == NULL ? "" : ": ", text == NULL ? "" : text);
    cli_append_wrapped(&folded, buffer_string(&line), (uint32_t)indent,
                       cli_prose_columns(STDOUT_FILENO));
    buffer_append_string(out, label);
    buffer_append_string(out, folded.length > indent ? buffer_string(&folded) + indent : "\n");
    buffer_free(&folded);
    buffer_free(&line);
}

static void append_list(const char *title, const char *const *lines, uint32_t count,
                        struct buffer *out)
{
    if (count == 0) {
        return;
    }
    buffer_format(out, "\n%s\n", title);
    for (uint32_t i = 0; i < count; i++) {
        char line[1024];
        text_printable(lines[i], strlen(lines[i]), line, sizeof(line));
        append_labelled("  - ", line, NULL, out);
    }
}

static void append_unproven_keys(const struct check_report *report, struct buffer *out)
{
    const char *told = "";
    for (uint32_t i = 0; i < report->entity_count; i++) {
        const struct check_entity *entity = &report->entities[i];
        if (entity->keys == NULL || strncmp(entity->keys, "proven", strlen("proven")) == 0 ||
            strcmp(told, entity->table) == 0) {
            continue;
        }
        told = entity->table; /* the entities of a table stand together */
        char line[1024];
        text_printable(entity->keys, strlen(entity->keys), line, sizeof(line));
        struct buffer text = {0};
        buffer_format(&text, "keys of %s: %s", entity->table, line);
        buffer_append_byte(out, '\n');
        cli_append_wrapped(out, buffer_string(&text), 0, cli_prose_columns(STDOUT_FILENO));
        buffer_free(&text);
    }
}

static void append_estimate(const struct check_report *report, struct buffer *out)
{
    char text[32];
    buffer_append_string(out, "\nestimate   ");
    if (report->seconds_estimate < 0) {
        buffer_append_string(out, "too small to say how long");
    } else {
        text_human_seconds((double)report->seconds_estimate, text, sizeof(text));
        buffer_format(out, "about %s", text);
    }
    if (report->bytes_estimate >= 0) {
        text_human_bytes((uint64_t)report->bytes_estimate, text, sizeof(text));
        buffer_format(out, ", %s", text);
    }
    buffer_append_byte(out, '\n');
    append_labelled("guarantee  ", run_guarantee_name(report->guarantee), report->guarantee_text,
                    out);
}

/* The exit status that `migrate` would end with. */
static int exit_status_of(const struct check_report *report)
{
    bool attention =
        report->foreseen_rejects > 0 || report->foreseen_emptied || report->opened.count > 0;
    return report->refused == EXIT_DONE && attention ? EXIT_ATTENTION : report->refused;
}

static void append_verdict(const struct check_report *report, bool dry_run, struct buffer *out)
{
    if (report->refused != EXIT_DONE) {
        buffer_format(out, "\nmigrate would refuse this with exit status %d; nothing was changed\n",
                      report->refused);
    } else if (report->foreseen_rejects > 0) {
        buffer_append_string(out,
                             "\nmigrate would leave records out, as rejects, and end with exit "
                             "status 1; nothing was changed\n");
    } else if (report->foreseen_emptied) {
        buffer_append_string(out, "\nmigrate would leave references NULL, and end with exit "
                                  "status 1; nothing was changed\n");
    } else if (report->opened.count > 0) {
        buffer_append_string(out, "\nmigrate would leave something more open than in the source, "
                                  "and end with exit status 1; nothing was changed\n");
    } else {
        buffer_format(out, "\n%s; nothing was changed\n",
                      dry_run ? "dry run: migrate would do this" : "ready to migrate");
    }
}

/* Whole, since they may be given by hand; of many lines perhaps. */
static void append_statements(const char *title, const struct check_list *list, struct buffer *out)
{
    buffer_format(out, "%s%s%s", list->count > 0 ? "\n" : "", list->count > 0 ? title : "",
                  list->count > 0 ? "\n" : "");
    for (uint32_t i = 0; i < list->count; i++) {
        cli_append_whole(list->lines[i], 4, out);
    }
}

static void append_follow(const struct check_follow *follow, struct buffer *out)
{
    if (!follow->asked) {
        return;
    }
    append_list("a cut-over would be refused", follow->cut_over.lines, follow->cut_over.count, out);
    if (follow->refusals.count > 0) {
        return;
    }
    buffer_append_string(out, "\nfollowing: it can be done\n");
    append_list("tables without a primary key", follow->keyless.lines, follow->keyless.count, out);
    append_list("what it costs the source", follow->costs.lines, follow->costs.count, out);
    append_statements("statements that it runs there", &follow->statements, out);
    append_list("in the target, while changes are applied", follow->silenced.lines,
                follow->silenced.count, out);
    append_statements("the server's own replication would do as well", &follow->native, out);
    append_list("but it does not", follow->native_lacks.lines, follow->native_lacks.count, out);
}

static void append_code(const struct check_code *code, struct buffer *out)
{
    struct buffer title = {0};
    if (code->at_once.count > 0) {
        buffer_format(&title, "%scode that runs during the copy as %s%s (%u)",
                      code->superuser ? "WARNING: " : "",
                      code->account != NULL ? code->account : "the target's account",
                      code->left_out && code->superuser
                          ? ", a superuser: whoever wrote it can do anything there; copy as "
                            "another role"
                      : code->left_out ? ""
                      : code->superuser
                          ? ", a superuser: whoever wrote it can do anything there; copy "
                            "as another role, or with --no-code"
                          : "; --no-code leaves it out",
                      code->at_once.count);
        append_list(buffer_string(&title), code->at_once.lines, code->at_once.count, out);
    }
    buffer_clear(&title);
    if (code->later.count > 0) {
        buffer_format(&title, "code that runs when it is used (%u); --no-code leaves it out",
                      code->later.count);
        append_list(buffer_string(&title), code->later.lines, code->later.count, out);
    }
    buffer_free(&title);
}

static void append_text(const struct check_report *report, struct buffer *sample, bool color,
                        bool dry_run, struct buffer *out)
{
    append_entities(report, color, out);
    append_unproven_keys(report, out);
    append_estimate(report, out);
    append_list("notes", report->notes, report->note_count, out);
    append_list("hooks, which run besides", report->hooks.lines, report->hooks.count, out);
    append_code(&report->code, out);
    append_follow(&report->follow, out);
    append_list("more open than in the source", report->opened.lines, report->opened.count, out);
    append_statements("statements that close it", &report->openings, out);
    append_statements("rights: left to do after the copy", &report->rights, out);
    append_list("problems", report->problems, report->problem_count, out);
    cli_append_ddl(&report->ddl, color, out);
    cli_append_rights(&report->account, out);
    if (sample->length > 0) {
        buffer_append_string(out, "\nsample: the first records as they will arrive\n\n");
        buffer_append(out, sample->data, sample->length);
    }
    append_verdict(report, dry_run, out);
}

static void append_json_lines(const char *name, const char *const *lines, uint32_t count,
                              struct buffer *out)
{
    buffer_format(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i == 0 ? "" : ",");
        cli_append_json_text(out, lines[i]);
    }
    buffer_append_byte(out, ']');
}

static void append_json_number(const char *name, int64_t number, struct buffer *out)
{
    buffer_format(out, number < 0 ? ",\"%s\":null" : ",\"%s\":%lld", name, (long long)number);
}

static void append_json_entities(const struct check_report *report, struct buffer *out)
{
    buffer_append_string(out, ",\"entities\":[");
    for (uint32_t i = 0; i < report->entity_count; i++) {
        const struct check_entity *entity = &report->entities[i];
        buffer_append_string(out, i == 0 ? "{\"entity\":" : ",{\"entity\":");
        cli_append_json_text(out, entity->name);
        buffer_append_string(out, ",\"table\":");
        cli_append_json_text(out, entity->table);
        buffer_append_string(out, ",\"from\":");
        cli_append_json_text(out, entity->from);
        append_json_number("records", entity->records, out);
        append_json_number("bytes", entity->bytes, out);
        buffer_append_string(out, ",\"keys\":");
        cli_append_json_text(out, entity->keys);
        if (entity->chosen >= 0) {
            append_json_number("chosen", entity->chosen, out);
            append_json_number("partners", entity->partners, out);
        }
        buffer_format(out, ",\"lane\":\"%s\"", entity->express ? "express" : "general");
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static void append_json_rejects(const struct check_report *report, struct buffer *out)
{
    buffer_append_string(out, ",\"rejects\":[");
    for (uint32_t i = 0; i < report->reject_count; i++) {
        const struct check_reject *reject = &report->rejects[i];
        buffer_append_string(out, i == 0 ? "{\"entity\":" : ",{\"entity\":");
        cli_append_json_text(out, reject->entity);
        buffer_append_string(out, ",\"field\":");
        cli_append_json_text(out, reject->field);
        buffer_append_string(out, ",\"code\":");
        cli_append_json_text(out, reject->code);
        append_json_number("count", (int64_t)reject->count, out);
        append_json_number("of", (int64_t)reject->seen, out);
        buffer_append_string(out, ",\"reason\":");
        cli_append_json_text(out, reject->reason);
        buffer_format(out, ",\"various\":%s,\"key\":", reject->various ? "true" : "false");
        cli_append_json_text(out, reject->key);
        buffer_append_string(out, ",\"remedy\":");
        cli_append_json_text(out, reject->remedy);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static void append_json_code(const struct check_code *code, struct buffer *out)
{
    buffer_append_string(out, ",\"code\":{\"account\":");
    cli_append_json_text(out, code->account);
    buffer_format(out, ",\"superuser\":%s", code->superuser ? "true" : "false");
    append_json_lines("at_once", code->at_once.lines, code->at_once.count, out);
    append_json_lines("later", code->later.lines, code->later.count, out);
    buffer_append_byte(out, '}');
}

static void append_json_follow(const struct check_follow *follow, struct buffer *out)
{
    if (!follow->asked) {
        return;
    }
    buffer_append_string(out, ",\"follow\":{\"refusal\":");
    cli_append_json_text(out, follow->refusals.count > 0 ? follow->refusals.lines[0] : NULL);
    append_json_lines("refusals", follow->refusals.lines, follow->refusals.count, out);
    append_json_lines("cut_over", follow->cut_over.lines, follow->cut_over.count, out);
    append_json_lines("costs", follow->costs.lines, follow->costs.count, out);
    append_json_lines("statements", follow->statements.lines, follow->statements.count, out);
    append_json_lines("keyless", follow->keyless.lines, follow->keyless.count, out);
    append_json_lines("silenced", follow->silenced.lines, follow->silenced.count, out);
    append_json_lines("native", follow->native.lines, follow->native.count, out);
    append_json_lines("native_lacks", follow->native_lacks.lines, follow->native_lacks.count, out);
    buffer_append_byte(out, '}');
}

/* The samples are JSON lines already: commas make a list of them. */
static void append_json(const struct check_report *report, struct buffer *sample,
                        struct buffer *out)
{
    buffer_format(out, "{\"format\":%d,\"exit_status\":%d,\"guarantee\":\"%s\"", FORMAT,
                  exit_status_of(report), run_guarantee_name(report->guarantee));
    buffer_append_string(out, ",\"guarantee_text\":");
    cli_append_json_text(out, report->guarantee_text);
    append_json_number("seconds_estimate", report->seconds_estimate, out);
    append_json_number("bytes_estimate", report->bytes_estimate, out);
    append_json_number("rejects_foreseen", (int64_t)report->foreseen_rejects, out);
    append_json_entities(report, out);
    append_json_rejects(report, out);
    append_json_lines("notes", report->notes, report->note_count, out);
    append_json_lines("problems", report->problems, report->problem_count, out);
    append_json_lines("hooks", report->hooks.lines, report->hooks.count, out);
    append_json_lines("opened", report->opened.lines, report->opened.count, out);
    append_json_lines("openings", report->openings.lines, report->openings.count, out);
    append_json_lines("unopened", report->unopened.lines, report->unopened.count, out);
    append_json_lines("rights", report->rights.lines, report->rights.count, out);
    append_json_code(&report->code, out);
    append_json_follow(&report->follow, out);
    cli_append_ddl_json(&report->ddl, out);
    cli_append_rights_json(&report->account, out);
    buffer_append_string(out, ",\"samples\":[");
    while (sample->length > 0 && sample->data[sample->length - 1] == '\n') {
        sample->length--;
    }
    for (size_t i = 0; i < sample->length; i++) {
        buffer_append_byte(out, sample->data[i] == '\n' ? ',' : sample->data[i]);
    }
    buffer_append_string(out, "]}\n");
}

static void add_line(struct arena *arena, const char *const **lines, uint32_t *count,
                     const char *line)
{
    const char **more = arena_allocate(arena, (*count + 1u) * sizeof *more);
    for (uint32_t i = 0; i < *count; i++) {
        more[i] = (*lines)[i];
    }
    more[(*count)++] = arena_copy_string(arena, line);
    *lines = more;
}

/* Whom a run tells of trouble runs programs, too. */
static enum status add_alerts(struct cli_call *call, struct check_report *report,
                              struct buffer *faults, struct error *error)
{
    const struct alert_config *config;
    struct error refusal = {0};
    struct buffer lines = {0};
    if (cli_read_alerts(call, &config, faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    alert_config_describe(config, &lines);
    char *next = (char *)(uintptr_t)buffer_string(&lines);
    for (char *line; (line = strsep(&next, "\n")) != NULL && *line != '\0';) {
        add_line(report->arena, &report->hooks.lines, &report->hooks.count, line);
    }
    buffer_clear(&lines);
    if (alert_config_check(config, &refusal) != STATUS_OK) {
        buffer_format(&lines, "%s: %s; %s", refusal.object, refusal.message, refusal.hint);
        add_line(report->arena, &report->problems, &report->problem_count, buffer_string(&lines));
        report->refused =
            report->refused == EXIT_DONE ? error_exit_status(&refusal) : report->refused;
    }
    buffer_free(&lines);
    return STATUS_OK;
}

int cli_check(struct cli_call *call, struct run_session *session, uint32_t sample, bool dry_run)
{
    struct error error = {0};
    struct check_report report = {0};
    struct buffer samples = {0};
    struct buffer faults = {0};
    struct buffer out = {0};
    bool json = cli_switch(call, CLI_JSON);
    int exit_status;
    if (run_check(session, &report, &error) != STATUS_OK ||
        (sample > 0 && run_sample(session, sample, json, &samples, &error) != STATUS_OK)) {
        exit_status = cli_fail(call, &error);
    } else if (add_alerts(call, &report, &faults, &error) != STATUS_OK) {
        exit_status = cli_fail_with_faults(call, &faults, &error);
    } else {
        if (json) {
            append_json(&report, &samples, &out);
        } else {
            struct buffer text = {0};
            append_text(&report, &samples, cli_color(call, STDOUT_FILENO), dry_run, &text);
            cli_append_placed(call, buffer_string(&text), &out);
            buffer_free(&text);
        }
        exit_status = cli_finish(&out, exit_status_of(&report));
    }
    buffer_free(&samples);
    buffer_free(&faults);
    arena_destroy(report.arena);
    return exit_status;
}
