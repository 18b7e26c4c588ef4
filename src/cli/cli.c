/* From main to a command: set-up, parsing, dispatch. */
#include "cli/cli.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/trust.h"
#include "cli/help.h"
#include "cli/settings.h"
#include "connectors/common/registry.h"
#include "observe/event/event_json.h"
#include "observe/observer.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char prefix[] = "TRANSHUME_";
enum { PREFIX_LENGTH = sizeof(prefix) - 1 };

/* Variables of the program that are no options, without the prefix. */
static const char *const other_variables[] = {"FAILPOINT", "FAILPOINT_COUNT", "MODULES"};
enum { OTHER_COUNT = sizeof(other_variables) / sizeof(other_variables[0]) };

/* TRANSHUME_JOB=8 would otherwise do nothing and say nothing. */
static void warn_of_mistyped_variables(void)
{
    const char *names[CLI_OPTION_COUNT + OTHER_COUNT];
    size_t count = 0;
    for (; count < OTHER_COUNT; count++) {
        names[count] = other_variables[count];
    }
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const char *name = cli_option_at((enum cli_option_id)i)->environment;
        if (name != NULL) {
            names[count++] = name + PREFIX_LENGTH;
        }
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        char name[64];
        if (strncmp(*variable, prefix, PREFIX_LENGTH) != 0) {
            continue;
        }
        size_t length = strcspn(*variable + PREFIX_LENGTH, "=");
        if (length >= sizeof(name)) {
            continue;
        }
        memcpy(name, *variable + PREFIX_LENGTH, length);
        name[length] = '\0';
        const char *nearest = text_nearest(name, names, count);
        if (nearest != NULL && strcmp(nearest, name) != 0) {
            log_write(LOG_WARNING, "%s%s means nothing here; did you mean %s%s?", prefix, name,
                      prefix, nearest);
        }
    }
}

/* The value of a secret option: behind its '=', or the argument after it; NULL: there is none. */
static char *secret_value(char **arguments, int count, int at)
{
    char *text = arguments[at];
    size_t length = strcspn(text, "=");
    const struct cli_option *option =
        strncmp(text, "--", 2) == 0 ? cli_option_by_name(text + 2, length - 2) : NULL;
    if (option == NULL || !option->secret) {
        return NULL;
    }
    return text[length] == '=' ? text + length + 1 : at + 1 < count ? arguments[at + 1] : NULL;
}

/* The value is overwritten, so that others no longer see it. */
static void hide_secret_value(char *value)
{
    size_t length = value != NULL ? strlen(value) : 0;
    if (length > 0) {
        log_write(LOG_WARNING, "a token on the command line can be seen by other users of this "
                               "machine and stays in the shell's history; put it in the "
                               "environment");
        secret_register(value, length);
        memset(value, '*', length);
    }
}

/*
 * Works on copies of the arguments, and hides passwords in the originals: they are what other users
 * see in /proc. What was seen until now was seen, hence the warning.
 */
static char **copy_arguments(struct arena *arena, int count, char **arguments)
{
    char **copies = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*copies));
    for (int i = 0; i < count; i++) {
        copies[i] = arena_copy_string(arena, arguments[i]);
        size_t size = strlen(arguments[i]) + 1;
        char *shown = arena_allocate(arena, size + 64);
        secret_redact_uri(arguments[i], shown, size + 64);
        if (strcmp(shown, arguments[i]) != 0) {
            log_write(
                LOG_WARNING,
                "a password on the command line can be seen by other users of this machine and "
                "stays in the shell's history; put it in the environment or the database's own "
                "password file");
            secret_register_uri(
                arguments[i]); /* whatever it was meant for, and wherever it is told */
            size_t shown_length = strlen(shown);
            memset(arguments[i], 0, size);
            memcpy(arguments[i], shown, shown_length < size ? shown_length : size - 1);
        }
    }
    for (int i = 1; i < count; i++) {
        hide_secret_value(secret_value(arguments, count, i));
    }
    return copies;
}

enum { LOG_AS_JSON = 1 }; /* the second choice of --log-format */

static void set_log_level(const struct cli_call *call)
{
    enum log_level level = LOG_WARNING;
    if (cli_switch(call, CLI_QUIET)) {
        level = LOG_ERROR;
    } else if (cli_switch(call, CLI_VERBOSE)) {
        level = LOG_DEBUG;
    }
    log_set_stderr_level(level);
}

/* --log-file, which takes all lines from now on. */
static enum status open_log(const struct cli_call *call, struct error *error)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR};
    const char *path = cli_text(call, CLI_LOG_FILE);
    const struct cli_value *level = &call->values[CLI_LOG_LEVEL]; /* in the order of the choices */
    if (path == NULL && level->is_set) {
        return error_set(error, ERROR_USAGE, "--log-level", "needs --log-file FILE beside it");
    }
    if (path == NULL || log_open_user_file(path, level->is_set ? levels[level->number] : LOG_INFO,
                                           error) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_recode(error, ERROR_USAGE);
}

/* A failure has been told, and is in `*exit_status`. */
static enum status take_settings(struct cli_call *call, int *exit_status)
{
    struct error error = {0};
    struct buffer faults = {0};
    const struct trust trust = {.files = cli_switch(call, CLI_TRUST_FILES),
                                .commands = cli_switch(call, CLI_ALLOW_COMMANDS),
                                .plaintext = cli_switch(call, CLI_ALLOW_PLAINTEXT)};
    trust_set(&trust);
    enum status status = settings_apply(call, &faults, &error);
    if (status == STATUS_OK) {
        status = cli_expand_connections(call, &error);
    }
    if (status == STATUS_OK) {
        status = open_log(call, &error);
    }
    if (status != STATUS_OK) {
        *exit_status = cli_fail_with_faults(call, &faults, &error);
    }
    buffer_free(&faults);
    return status;
}

/* On the command line, and not in the environment, which is set for other commands, too. */
static bool is_typed(const struct cli_call *call, enum cli_option_id id)
{
    const char *typed = cli_text(call, id);
    const char *variable = getenv(cli_option_at(id)->environment);
    return typed != NULL && (variable == NULL || strcmp(variable, typed) != 0);
}

/* Tokens and certificates are refused where neither the dashboard nor the metrics are served. */
static enum status check_listeners(const struct cli_call *call, struct error *error)
{
    static const struct {
        enum cli_option_id option;
        bool of_metrics; /* too */
    } guards[] = {
        {CLI_TOKEN, false}, {CLI_METRICS_TOKEN, true}, {CLI_TLS_CERT, true}, {CLI_TLS_KEY, true}};
    bool dashboard = cli_text(call, CLI_DASHBOARD) != NULL;
    bool metrics = cli_text(call, CLI_METRICS) != NULL;
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        enum cli_option_id option = guards[i].option;
        if (is_typed(call, option) && !dashboard && !(metrics && guards[i].of_metrics)) {
            char name[64];
            snprintf(name, sizeof(name), "--%s", cli_option_at(option)->name);
            return error_set(error, ERROR_USAGE, name, "needs --dashboard%s beside it",
                             guards[i].of_metrics ? " or --metrics" : "");
        }
    }
    return STATUS_OK;
}

static enum status start_observer(struct cli_call *call, struct buffer *faults, struct error *error)
{
    if (cli_switch(call, CLI_ALLOW_CONTROL) && cli_text(call, CLI_DASHBOARD) == NULL) {
        return error_set(error, ERROR_USAGE, "--allow-control", "needs --dashboard beside it");
    }
    if (check_listeners(call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **folder = arena_allocate(call->arena, sizeof(*folder));
    *folder = cli_state_folder(call, cli_text(call, CLI_PLAN));
    struct observer_options options = {
        .metrics_address = cli_text(call, CLI_METRICS),
        .metrics_file = cli_text(call, CLI_METRICS_FILE),
        .push_url = cli_text(call, CLI_PUSH_GATEWAY),
        .statsd_address = cli_text(call, CLI_STATSD),
        .dashboard = {.address = cli_text(call, CLI_DASHBOARD),
                      .folders = folder,
                      .folder_count = 1,
                      .token = cli_text(call, CLI_TOKEN),
                      .metrics_token = cli_text(call, CLI_METRICS_TOKEN),
                      .tls = {cli_text(call, CLI_TLS_CERT), cli_text(call, CLI_TLS_KEY)},
                      .allow_control = cli_switch(call, CLI_ALLOW_CONTROL)}};
    if (cli_read_alerts(call, &options.alerts, faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (alert_config_check(options.alerts, error) != STATUS_OK) {
        if (call->command->place != IN_MIGRATE || !cli_switch(call, CLI_DRY_RUN)) {
            return STATUS_FAILED;
        }
        options.alerts = NULL; /* what would be refused is said with all else */
        error_clear(error);
    }
    if (observer_start(&options, &call->observer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *url = observer_dashboard_url(call->observer);
    if (url != NULL) { /* not by the log, whose files keep it: it holds the token */
        dprintf(STDERR_FILENO, "dashboard: %s\n", url);
    }
    return STATUS_OK;
}

static int dispatch(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    int exit_status;
    if (call->command == NULL && !cli_switch(call, CLI_HELP)) {
        help_append_overview(&out);
        error_set(&error, ERROR_USAGE, NULL, "no command was given");
        exit_status = cli_fail(call, &error);
        ssize_t ignored = write(STDERR_FILENO, out.data, out.length);
        (void)ignored;
        buffer_free(&out);
        return exit_status;
    }
    if (call->command == NULL) {
        help_append_overview(&out);
        return cli_finish(&out, EXIT_DONE);
    }
    if (cli_switch(call, CLI_HELP)) {
        help_append_command(call->command, &out);
        return cli_finish(&out, EXIT_DONE);
    }
    set_log_level(call);
    if (call->values[CLI_LOG_FORMAT].is_set && call->values[CLI_LOG_FORMAT].number == LOG_AS_JSON) {
        log_set_formatter(event_json_format);
    }
    warn_of_mistyped_variables();
    if (take_settings(call, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    bool needs_connectors = (call->command->place & (IN_HELP | IN_VERSION | IN_RESET | IN_REPORT |
                                                     IN_GRAFANA | IN_SERVE | IN_ALERTS)) == 0;
    if (needs_connectors && registry_load_modules(&error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if ((call->command->place & IN_LONG) != 0 && start_observer(call, &out, &error) != STATUS_OK) {
        exit_status = cli_fail_with_faults(call, &out, &error);
        buffer_free(&out);
        return exit_status;
    }
    exit_status = cli_command_run(call);
    observer_stop(call->observer);
    return exit_status;
}

/*
 * A standard stream that the caller closed would be the next file that is opened, and what is
 * printed or written to "-" would go there. It is opened here such that using it fails.
 */
static void open_standard_streams(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
            /* the lowest that is free is this one */
            (void)!open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int cli_main(int argument_count, char **arguments)
{
    open_standard_streams();
    secret_forbid_dumps();
    json_set_alloc_funcs(memory_allocate, free);
    struct error error = {0};
    struct cli_call call = {.arena = arena_create(0)};
    int exit_status;
    signal(SIGPIPE, SIG_IGN); /* the writer is told, and need not be killed */
    char **copies = copy_arguments(call.arena, argument_count, arguments);
    cli_expect_json(argument_count, copies);
    if (failpoint_setup(&error) != STATUS_OK ||
        cli_parse(&call, argument_count, copies, &error) != STATUS_OK) {
        exit_status = cli_fail(NULL, &error);
    } else {
        exit_status = dispatch(&call);
    }
    log_close_file();
    log_close_user_file();
    arena_destroy(call.arena);
    return exit_status;
}
