/* transhume grafana: the dashboard and the alert rules, as files or into a Grafana. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/secret.h"
#include "observe/grafana/grafana.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { TOKEN_BYTES_MAX = 8 << 10 };

static enum status check_options(const struct cli_call *call, struct error *error)
{
    bool pushes = cli_text(call, CLI_PUSH) != NULL;
    if (pushes && cli_text(call, CLI_TOKEN_FILE) == NULL) {
        error_set(error, ERROR_USAGE, "--push", "needs --token-file FILE beside it");
        return error_hint(error, "the file holds the token of a service account of Grafana's");
    }
    if (!pushes &&
        (cli_text(call, CLI_TOKEN_FILE) != NULL || cli_text(call, CLI_CA_FILE) != NULL)) {
        return error_set(error, ERROR_USAGE,
                         cli_text(call, CLI_TOKEN_FILE) != NULL ? "--token-file" : "--ca-file",
                         "needs --push URL beside it");
    }
    if (pushes && cli_text(call, CLI_OUTPUT) != NULL) {
        return error_set(error, ERROR_USAGE, "--output", "says nothing beside --push");
    }
    if (cli_switch(call, CLI_RULES) && (pushes || cli_text(call, CLI_DATASOURCE) != NULL)) {
        error_set(error, ERROR_USAGE, "--rules",
                  "is about Prometheus, --push and --datasource are "
                  "about Grafana");
        return error_hint(error, "name the file in `rule_files` of prometheus.yml");
    }
    return STATUS_OK;
}

/* `*token` is in the call's arena. */
static enum status read_token(const struct cli_call *call, const char **token, struct error *error)
{
    const char *path = cli_text(call, CLI_TOKEN_FILE);
    char *text = NULL;
    size_t length = 0;
    enum status status = file_read_all(path, TOKEN_BYTES_MAX, call->arena, &text, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_USAGE, path, "there is no such file");
    }
    if (status != STATUS_OK) {
        return error_recode(error, ERROR_USAGE);
    }
    text += strspn(text, " \t\r\n");
    text[strcspn(text, " \t\r\n")] = '\0';
    if (text[0] == '\0') {
        return error_set(error, ERROR_USAGE, path, "there is no token in it");
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return error_set(error, ERROR_USAGE, path, "is no file with a token");
        }
    }
    secret_register(text, strlen(text));
    *token = text;
    return STATUS_OK;
}

static enum status command_grafana_push(const struct cli_call *call, struct buffer *out,
                                        struct error *error)
{
    struct grafana_push push = {.url = cli_text(call, CLI_PUSH),
                                .ca_file = cli_text(call, CLI_CA_FILE),
                                .datasource = cli_text(call, CLI_DATASOURCE)};
    if (read_token(call, &push.token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(out, "dashboard: ");
    if (grafana_push(&push, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_byte(out, '\n');
    return STATUS_OK;
}

static enum status write_file(const char *path, struct buffer *out, struct error *error)
{
    if (file_write_atomic(path, out->data, out->length, NULL, error) != STATUS_OK) {
        return error_recode(error, ERROR_USAGE);
    }
    if (chmod(path, 0644) !=
        0) { /* Prometheus and Grafana are other users, and nothing is secret */
        return error_set_errno(error, ERROR_USAGE, errno, path, "can't be made readable");
    }
    buffer_clear(out);
    return STATUS_OK;
}

int command_grafana(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    const char *path = cli_text(call, CLI_OUTPUT);
    enum status status = check_options(call, &error);
    if (status == STATUS_OK && cli_text(call, CLI_PUSH) != NULL) {
        status = command_grafana_push(call, &out, &error);
    } else if (status == STATUS_OK && cli_switch(call, CLI_RULES)) {
        buffer_append_string(&out, grafana_rules);
    } else if (status == STATUS_OK) {
        grafana_append_dashboard(cli_text(call, CLI_DATASOURCE), &out);
    }
    if (status == STATUS_OK && path != NULL && strcmp(path, "-") != 0) {
        status = write_file(path, &out, &error);
    }
    int exit_status = status == STATUS_OK ? cli_finish(&out, EXIT_DONE) : cli_fail(call, &error);
    buffer_free(&out);
    return exit_status;
}
