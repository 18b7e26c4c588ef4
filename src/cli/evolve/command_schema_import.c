/* transhume schema import: going on where another tool stopped. */
#include "cli/evolve/command_schema.h"

#include "evolve/evolve.h"
#include "model/json_writer.h"
#include "observe/table.h"
#include <unistd.h>

static void append_json(const struct import_report *report, struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"tool\":");
    json_append_printable(out, report->tool);
    buffer_append_string(out, ",\"table\":");
    json_append_printable(out, report->table);
    buffer_append_string(out, ",\"migrations\":[");
    for (uint32_t i = 0; i < report->count; i++) {
        const struct import_item *item = &report->items[i];
        buffer_append_string(out, i > 0 ? ",{\"version\":" : "{\"version\":");
        if (item->version != NULL) {
            json_append_printable(out, item->version);
        } else {
            buffer_append_string(out, "null");
        }
        buffer_append_string(out, ",\"name\":");
        json_append_printable(out, item->name);
        buffer_append_string(out, ",\"state\":");
        json_append_printable(out, import_state_name(item->state));
        if (item->note != NULL) {
            buffer_append_string(out, ",\"note\":");
            json_append_printable(out, item->note);
        }
        buffer_append_byte(out, '}');
    }
    buffer_format(out, "],\"others\":%u}\n", report->foreign);
}

static uint32_t count_of(const struct import_report *report, enum import_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        count += report->items[i].state == state;
    }
    return count;
}

static void append_table(const struct cli_call *call, const struct import_report *report,
                         bool dry_run, struct buffer *out)
{
    static const char *const titles[] = {"version", "name", "state", "note", NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < report->count; i++) {
        const struct import_item *item = &report->items[i];
        table_add_text(table, item->version != NULL ? item->version : "");
        table_add_text(table, item->name);
        table_add_text(table, import_state_name(item->state));
        table_add_text(table, item->note != NULL ? item->note : "");
    }
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, cli_color(call, STDOUT_FILENO), out);
    table_destroy(table);
    uint32_t noted = count_of(report, IMPORT_APPLIED) + count_of(report, IMPORT_LOST);
    buffer_format(out, "%s of %s: %u %s, %u known, %u pending\n", report->table, report->tool,
                  noted, dry_run ? "to be noted" : "noted", count_of(report, IMPORT_KNOWN),
                  count_of(report, IMPORT_PENDING));
    if (report->foreign > 0) {
        buffer_format(out, "%u more are of others, of which the folder has nothing\n",
                      report->foreign);
    }
}

int command_schema_import(struct cli_call *call)
{
    struct schema_call schema = {.call = call};
    struct schema_options options = {0};
    struct import_report report;
    struct error error = {0};
    struct buffer out = {0};
    const char *uri = NULL;
    bool dry_run = cli_switch(call, CLI_DRY_RUN);
    enum status status = schema_take_words(&schema, false, &uri, &error);
    if (status == STATUS_OK) {
        status = schema_read_folder(&schema, NULL, &error);
    }
    if (status == STATUS_OK) {
        status = schema_open(&schema, uri, dry_run, &error);
    }
    if (status == STATUS_OK) {
        schema_fill_options(&schema, &options);
        status = migration_import(&options, cli_text(call, CLI_FROM), dry_run, call->arena, &report,
                                  &error);
    }
    int exit_status = status == STATUS_OK ? 0 : schema_fail(&schema, &error);
    schema_close(&schema);
    if (status != STATUS_OK) {
        return exit_status;
    }
    if (cli_switch(call, CLI_JSON)) {
        append_json(&report, &out);
    } else {
        append_table(call, &report, dry_run, &out);
    }
    return cli_finish(&out, EXIT_DONE);
}
