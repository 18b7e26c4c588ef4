/* The advisor as analyze's options have it. */
#include "cli/design/analyze_advisor.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 4096, PAUSE_MS = 2000 };

static const char default_model[] = "gemini-2.5-flash";

/* ---------------------------------------------------------------- the key */

static const char *key_variable(const struct analyze_advisor *advisor)
{
    return advisor->options.api == ADVISOR_GEMINI ? "GEMINI_API_KEY" : "OPENAI_API_KEY";
}

/* One word of printable ASCII, which a header can hold. */
static enum status take_key(struct analyze_advisor *advisor, const char *object, const char *key,
                            struct error *error)
{
    size_t length = strlen(key);
    secret_register(key, length);
    for (size_t i = 0; i < length; i++) {
        if (key[i] <= ' ' || key[i] > '~') {
            return error_set(error, ERROR_BAD_VALUE, object, "holds more than a key: one word");
        }
    }
    if (length == 0) {
        return error_set(error, ERROR_BAD_VALUE, object, "holds no key");
    }
    advisor->options.key = key;
    return STATUS_OK;
}

static enum status read_key_file(struct cli_call *call, struct analyze_advisor *advisor,
                                 const char *path, struct error *error)
{
    size_t length = 0;
    char *bytes = NULL;
    enum status status = file_read_all(path, KEY_BYTES_MAX, call->arena, &bytes, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_BAD_VALUE, path, "the file of --advisor-key-file is missing");
    }
    if (status != STATUS_OK) {
        return error_recode(error, ERROR_BAD_VALUE);
    }
    while (length > 0 && strchr(" \t\r\n", bytes[length - 1]) != NULL) {
        bytes[--length] = '\0';
    }
    advisor->secret = bytes;
    return take_key(advisor, path, bytes, error);
}

/* A server of one's own may want no key. */
static void miss_key(struct analyze_advisor *advisor)
{
    if (advisor->options.api == ADVISOR_OPENAI && advisor->options.url != NULL) {
        return;
    }
    error_set(&advisor->no_key, ERROR_CREDENTIALS, "--advisor", "no key, so no model was asked");
    error_hint(&advisor->no_key, "set %s, or name a file with --advisor-key-file",
               key_variable(advisor));
}

static enum status find_key(struct cli_call *call, struct analyze_advisor *advisor,
                            struct error *error)
{
    const char *path = cli_text(call, CLI_ADVISOR_KEY_FILE);
    const char *name = key_variable(advisor);
    const char *key = getenv(name);
    if (path != NULL) {
        return read_key_file(call, advisor, path, error);
    }
    if (key != NULL && key[0] != '\0') {
        return take_key(advisor, name, key, error);
    }
    miss_key(advisor);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- options */

static enum status refuse_alone(const struct cli_call *call, struct error *error)
{
    static const enum cli_option_id ids[] = {CLI_ADVISOR_MODEL, CLI_ADVISOR_URL,
                                             CLI_ADVISOR_KEY_FILE, CLI_ADVISOR_CA_FILE,
                                             CLI_ADVISOR_PAUSE};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (call->values[ids[i]].is_set && !cli_switch(call, CLI_SHOW_PROMPT)) {
            const char *name = cli_option_at(ids[i])->name;
            return error_set(error, ERROR_USAGE, name, "needs --advisor beside it");
        }
    }
    return STATUS_OK;
}

static void read_options(struct cli_call *call, struct advisor_options *options)
{
    const struct cli_value *api = &call->values[CLI_ADVISOR];
    const struct cli_value *pause = &call->values[CLI_ADVISOR_PAUSE];
    const char *most = getenv("TRANSHUME_ADVISOR_WAIT_MS"); /* of tests */
    const char *model = cli_text(call, CLI_ADVISOR_MODEL);
    options->api = api->is_set ? (enum advisor_api)api->number : ADVISOR_GEMINI;
    options->model = model != NULL ? model : options->api == ADVISOR_GEMINI ? default_model : NULL;
    options->url = cli_text(call, CLI_ADVISOR_URL);
    options->ca_file = cli_text(call, CLI_ADVISOR_CA_FILE);
    options->pause_ms = pause->is_set ? pause->number : PAUSE_MS;
    if (most == NULL || text_to_int64(most, strlen(most), &options->wait_ms_max) != STATUS_OK) {
        options->wait_ms_max = 0;
    }
}

enum status analyze_advisor_begin(struct cli_call *call, struct analyze_advisor *advisor,
                                  struct error *error)
{
    *advisor = (struct analyze_advisor){.is_asked = call->values[CLI_ADVISOR].is_set};
    if (!advisor->is_asked && refuse_alone(call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    read_options(call, &advisor->options);
    if (advisor_check_options(&advisor->options, call->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!advisor->is_asked || cli_switch(call, CLI_SHOW_PROMPT)) {
        return STATUS_OK;
    }
    return find_key(call, advisor, error);
}

/* ---------------------------------------------------------------- asking */

void analyze_advisor_show(struct cli_call *call, const struct analyze_advisor *advisor,
                          const struct graph *graph, const struct workload *workload,
                          struct buffer *out)
{
    struct advisor_prompts prompts;
    advisor_prompts_make(graph, workload, 0, call->arena, &prompts);
    advisor_append_prompts(&advisor->options, &prompts, out);
}

enum status analyze_advisor_ask(struct cli_call *call, struct analyze_advisor *advisor,
                                const struct graph *graph, const struct workload *workload,
                                struct error *error)
{
    struct advisor_prompts prompts;
    struct advisor_result *result = &advisor->result;
    if (!advisor->is_asked || advisor->no_key.code != ERROR_NONE) {
        return STATUS_OK;
    }
    bool shows = !cli_switch(call, CLI_QUIET) && !cli_switch(call, CLI_VERBOSE);
    if (shows) {
        log_set_stderr_level(LOG_INFO);
    }
    advisor_prompts_make(graph, workload, 0, call->arena, &prompts);
    advisor_consult(&advisor->options, &prompts, graph, call->arena, result);
    if (shows) {
        log_set_stderr_level(LOG_WARNING);
    }
    const struct error *errors[] = {&result->tables_error, &result->strategy_error};
    for (size_t i = 0; i < 2; i++) {
        if (errors[i]->code == ERROR_INTERRUPTED) {
            return error_copy(error, errors[i]);
        }
    }
    return STATUS_OK;
}

int analyze_advisor_end(struct cli_call *call, struct analyze_advisor *advisor)
{
    const struct error *errors[] = {&advisor->no_key, &advisor->result.tables_error,
                                    &advisor->result.strategy_error};
    int exit_status = EXIT_DONE;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i]->code != ERROR_NONE && errors[i]->code != ERROR_INTERRUPTED) {
            (void)cli_fail(call, errors[i]);
            exit_status = EXIT_ATTENTION;
        }
    }
    secret_wipe(advisor->secret, advisor->secret != NULL ? strlen(advisor->secret) : 0);
    advisor->secret = NULL;
    advisor->options.key = NULL;
    return exit_status;
}
