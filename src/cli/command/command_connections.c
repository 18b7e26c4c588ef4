/* Names of connections on the command line, and transhume connections. */
#include "cli/cli.h"

#include "base/secret.h"
#include "connectors/common/registry.h"
#include "engine/session/opening.h"
#include "observe/table.h"
#include "plan/text/connections.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRY_MEMORY_BYTES = 8 << 20, TRY_TIMEOUT_MS = 30000 };

/* ---------------------------------------------------------------- on the command line */

/* Are its arguments databases? */
static bool takes_uris(const struct cli_command *command)
{
    static const char *const words[] = {"SRC", "DST", "DB", "TARGET", "SOURCE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (command->arguments != NULL && strstr(command->arguments, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

enum status cli_expand_connections(struct cli_call *call, struct error *error)
{
    static const enum cli_option_id options[] = {CLI_DATABASE, CLI_SERVER, CLI_LEDGER};
    const char *file = cli_text(call, CLI_CONNECTIONS);
    if (file != NULL && setenv(CONNECTIONS_VARIABLE, file, 1) != 0) {
        return error_set(error, ERROR_USAGE, "--connections", "the environment takes no more");
    }
    for (uint32_t i = 0; i < call->argument_count && takes_uris(call->command); i++) {
        const char *said = call->arguments[i];
        if (connection_expand(&call->arguments[i], call->arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        call->named[i] = call->arguments[i] != said ? said : NULL;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct cli_value *value = &call->values[options[i]];
        if (value->is_set && connection_expand(&value->text, call->arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the list */

/* The result of a test of one connection. */
struct trial {
    const struct connection *connection;
    const char *shown;
    const char *database; /* "PostgreSQL"; NULL: it is not known which */
    bool tried;
    struct error error;
};

static void try_as(const struct connector *connector, struct uri *uri, enum open_mode mode,
                   struct cli_call *call, struct trial *trial)
{
    struct database *database = NULL;
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    const struct open_options options = {.mode = mode,
                                         .uri = uri,
                                         .memory_bytes = TRY_MEMORY_BYTES,
                                         .timeout_ms =
                                             timeout->is_set ? timeout->number : TRY_TIMEOUT_MS,
                                         .read_only = mode == OPEN_TARGET};
    error_clear(&trial->error);
    if (opening_open(connector, uri, &options, call->arena, &database, &trial->error) ==
        STATUS_OK) {
        connector->close(database);
    }
}

/* Says what a URI is of, and with `test` whether the database answers. */
static void command_connections_look(struct cli_call *call, bool test, struct trial *trial)
{
    const struct connection *connection = trial->connection;
    const struct connector *connector;
    struct uri *uri;
    if (connection->fault != NULL) {
        trial->error = *connection->fault;
        return;
    }
    if (registry_resolve(connection->uri, call->arena, &uri, &connector, &trial->error) !=
        STATUS_OK) {
        return;
    }
    trial->shown = uri->shown;
    trial->database = connector->title;
    if (test) {
        trial->tried = true;
        try_as(connector, uri, connector->source != NULL ? OPEN_SOURCE : OPEN_TARGET, call, trial);
    }
}

static void append_trials_json(const struct trial *trials, uint32_t count, const char *path,
                               struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"file\":");
    cli_append_json_text(out, path);
    buffer_append_string(out, ",\"connections\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct trial *trial = &trials[i];
        buffer_append_string(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        cli_append_json_text(out, trial->connection->name);
        buffer_append_string(out, ",\"uri\":");
        cli_append_json_text(out, trial->shown);
        buffer_append_string(out, ",\"database\":");
        cli_append_json_text(out, trial->database);
        buffer_append_string(out, ",\"place\":");
        cli_append_json_text(out, trial->connection->place);
        if (trial->tried || trial->error.code != ERROR_NONE) {
            bool ok = trial->error.code == ERROR_NONE;
            buffer_format(out, ",\"ok\":%s", ok ? "true" : "false");
        }
        if (trial->error.code != ERROR_NONE) {
            buffer_append_string(out, ",\"error\":");
            cli_append_error(&trial->error, error_exit_status(&trial->error), out);
        }
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]}\n");
}

static void append_trials(const struct cli_call *call, const struct trial *trials, uint32_t count,
                          bool test, const char *path, struct buffer *out)
{
    static const char *const listed[] = {"name", "database", "URI", NULL};
    static const char *const tested[] = {"name", "database", "URI", "answer", NULL};
    struct table *table = table_create(test ? tested : listed);
    for (uint32_t i = 0; i < count; i++) {
        const struct trial *trial = &trials[i];
        const struct error *error = &trial->error;
        bool failed = error->code != ERROR_NONE;
        table_format(table, "@%s", trial->connection->name);
        table_add_text(table, trial->database == NULL ? "?" : trial->database);
        if (trial->shown != NULL || test) {
            table_add_text(table, trial->shown == NULL ? "" : trial->shown);
        } else {
            table_format(table, "%s: %s", trial->connection->place, error->message);
        }
        if (test && failed) {
            table_format(table, "%s%s%s", error->message, error->hint[0] != '\0' ? "; " : "",
                         error->hint);
        } else if (test) {
            table_add_text(table, "it answers");
        }
    }
    if (count > 0) {
        table_fit(table, cli_prose_columns(STDOUT_FILENO));
        table_append(table, cli_color(call, STDOUT_FILENO), out);
    }
    table_destroy(table);
    struct buffer line = {0};
    if (count == 0) {
        buffer_format(&line, "no connections: write NAME: URI, a line each, into %s",
                      path == NULL ? "a file, and name it with --connections" : path);
    } else if (!test) {
        buffer_format(&line, "\nfrom %s; `transhume connections test` tries them", path);
    }
    cli_append_wrapped(out, buffer_string(&line), 0, cli_prose_columns(STDOUT_FILENO));
    buffer_free(&line);
}

/* The connections that were named, or all. STATUS_FAILED: there is none of such a name. */
static enum status command_connections_choose(struct cli_call *call, uint32_t first,
                                              const struct connection *list, uint32_t count,
                                              struct trial *trials, uint32_t *chosen,
                                              struct error *error)
{
    for (uint32_t i = 0; i < count && first >= call->argument_count; i++) {
        trials[(*chosen)++].connection = &list[i];
    }
    for (; first < call->argument_count; first++) {
        const char *name = call->arguments[first];
        const char *bare = name[0] == '@' ? name + 1 : name;
        uint32_t at = 0;
        while (at < count && strcmp(list[at].name, bare) != 0) {
            at++;
        }
        if (at == count) {
            const char *uri;
            return connection_find(arena_format(call->arena, "@%s", bare), call->arena, &uri,
                                   error);
        }
        trials[(*chosen)++].connection = &list[at];
    }
    return STATUS_OK;
}

int command_connections(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    struct connection *list;
    const char *path;
    uint32_t count;
    uint32_t chosen = 0;
    uint32_t failed = 0;
    bool test = call->argument_count > 0;
    if (test && strcmp(call->arguments[0], "test") != 0) {
        error_set(&error, ERROR_USAGE, call->arguments[0], "is nothing that `connections` does");
        error_hint(&error, "`transhume connections` lists them, `transhume connections test` tries "
                           "them");
        return cli_fail(call, &error);
    }
    if (connections_list(call->arena, &list, &count, &path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    struct trial *trials = arena_allocate_zeroed(
        call->arena, (size_t)count + call->argument_count + 1, sizeof *trials);
    if (command_connections_choose(call, 1, list, count, trials, &chosen, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    for (uint32_t i = 0; i < chosen; i++) {
        command_connections_look(call, test, &trials[i]);
        failed += trials[i].error.code != ERROR_NONE;
    }
    if (cli_switch(call, CLI_JSON)) {
        append_trials_json(trials, chosen, path, &out);
    } else {
        append_trials(call, trials, chosen, test, path, &out);
    }
    return cli_finish(&out, test && failed > 0 ? EXIT_FAILED : EXIT_DONE);
}
