/* transhume report: makes a run's report again from its state folder. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/text.h"
#include "observe/report.h"
#include <string.h>

struct form {
    const char *ending;
    void (*append)(const struct report *report, struct buffer *out);
};

static const struct form forms[] = {{".html", report_append_html},
                                    {".htm", report_append_html},
                                    {".md", report_append_markdown},
                                    {".json", report_append_json}};

/* The form that a file's name asks for; NULL: none. */
static const struct form *form_of(const char *path)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text_ends_with(path, forms[i].ending)) {
            return &forms[i];
        }
    }
    return NULL;
}

static enum status append_form(const char *folder, bool at_work, const struct form *form,
                               struct buffer *out, struct error *error)
{
    struct report report;
    enum status status = report_read(folder, at_work, &report, error);
    if (status == STATUS_OK) {
        form->append(&report, out);
    }
    report_free(&report);
    return status == STATUS_END
               ? error_set(error, ERROR_RUN_NOTHING, folder, "there is no run in it")
               : status;
}

/* One form, into a file or to stdout. */
static enum status write_one(const char *folder, bool at_work, const char *path,
                             const struct form *form, struct buffer *out, struct error *error)
{
    if (append_form(folder, at_work, form, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (path == NULL) {
        return STATUS_OK;
    }
    if (file_write_atomic(path, out->data, out->length, NULL, error) != STATUS_OK) {
        error_recode(error, ERROR_USAGE);
        return error_hint(error, "-o FILE writes it elsewhere, -o - prints it.");
    }
    buffer_clear(out);
    buffer_format(out, "wrote %s\n", path);
    return STATUS_OK;
}

static enum status write_all(const char *folder, bool at_work, struct buffer *out,
                             struct error *error)
{
    if (report_write(folder, at_work, error) != STATUS_OK) {
        return error_hint(error, "-o FILE writes it elsewhere, -o - prints it.");
    }
    buffer_format(out, "wrote %s/report.html, report.md and report.json\n", folder);
    return STATUS_OK;
}

int command_report(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    const char *folder;
    bool at_work;
    const char *path = cli_text(call, CLI_OUTPUT);
    bool to_stdout = path != NULL && strcmp(path, "-") == 0;
    bool json = cli_switch(call, CLI_JSON);
    const struct form *form = path == NULL || to_stdout ? NULL : form_of(path);
    if (path != NULL && !to_stdout && form == NULL) {
        error_set(&error, ERROR_USAGE, path, "the name has no ending of a report");
        error_hint(&error,
                   "End it in .html, .md or .json; `-` prints the page, with --json the JSON.");
        return cli_fail(call, &error);
    }
    enum status status =
        run_report_folder(cli_state_folder(call, cli_text(call, CLI_PLAN)), cli_text(call, CLI_RUN),
                          call->arena, &folder, &at_work, &error);
    if (status == STATUS_OK && (to_stdout || (json && path == NULL))) {
        status =
            write_one(folder, at_work, NULL, form_of(json ? "a.json" : "a.html"), &out, &error);
    } else if (status == STATUS_OK && form != NULL) {
        status = write_one(folder, at_work, path, form, &out, &error);
    } else if (status == STATUS_OK) {
        status = write_all(folder, at_work, &out, &error);
    }
    if (status != STATUS_OK) {
        buffer_free(&out);
        return cli_fail(call, &error);
    }
    return cli_finish(&out, EXIT_DONE);
}
