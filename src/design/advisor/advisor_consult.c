/* Both prompts, sent one after the other, with patience. */
#include "design/advisor/advisor_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/signals.h"
#include <inttypes.h>
#include <string.h>

enum {
    TIMEOUT_MS = 600000, /* models think for minutes */
    POLL_MS = 100,
    ANSWER_BYTES_MAX = 8 * 1024 * 1024
};

struct consulting {
    const struct advisor_options *options;
    struct arena *arena;
    struct http_client *client;
    const char *url;
    const char *authorization; /* NULL: no key */
};

/* ---------------------------------------------------------------- waiting */

static enum status interrupted(struct error *error)
{
    error_set(error, ERROR_INTERRUPTED, "--advisor", "stopped on request");
    return error_hint(error, "without --advisor the analysis asks no model");
}

/* STATUS_FAILED: the wait was interrupted. */
static enum status wait_for(const struct advisor_options *options, int64_t wait_ms,
                            struct error *error)
{
    int64_t most_ms = options->wait_ms_max;
    int64_t end_ms = clock_monotonic_ms() + (most_ms > 0 && most_ms < wait_ms ? most_ms : wait_ms);
    for (int64_t now_ms = clock_monotonic_ms(); now_ms < end_ms; now_ms = clock_monotonic_ms()) {
        if (signals_stop_level() > 0) {
            return interrupted(error);
        }
        clock_sleep_ms(end_ms - now_ms < POLL_MS ? end_ms - now_ms : POLL_MS);
    }
    return signals_stop_level() > 0 ? interrupted(error) : STATUS_OK;
}

/* ---------------------------------------------------------------- one request */

static enum status send_body(struct consulting *consulting, const struct buffer *body,
                             struct http_response **response, struct error *error)
{
    bool gemini = consulting->options->api == ADVISOR_GEMINI;
    const struct http_header headers[] = {
        {"Content-Type", "application/json"},
        {"Accept", "application/json"},
        {gemini ? "x-goog-api-key" : "Authorization", consulting->authorization}};
    const struct http_request request = {.method = "POST",
                                         .url = consulting->url,
                                         .headers = headers,
                                         .header_count = consulting->authorization != NULL ? 3 : 2,
                                         .body = body->data,
                                         .body_length = body->length,
                                         .timeout_ms = TIMEOUT_MS,
                                         .response_bytes_max = ANSWER_BYTES_MAX};
    enum status status = http_submit(consulting->client, &request, error);
    while (status == STATUS_OK) {
        status = http_poll(consulting->client, POLL_MS, response, error);
        if (status != STATUS_AGAIN) {
            break;
        }
        if (signals_stop_level() > 0) {
            return interrupted(error);
        }
        status = STATUS_OK;
    }
    return status;
}

/* The hint with curl's error about a certificate speaks of AWS. */
static void give_hint(struct error *error)
{
    if (error->code == ERROR_TLS) {
        error_hint(error, "check --advisor-url; if a private authority signed the certificate, "
                          "name its PEM file with --advisor-ca-file");
    } else if (error->hint[0] == '\0' || error->code == ERROR_NETWORK_ANSWER) {
        error_hint(error, "check --advisor-url, the network and the proxy (https_proxy, no_proxy)");
    }
}

static enum status try_once(struct consulting *consulting, const char *instruction,
                            const char *prompt, struct advisor_form form,
                            struct advisor_answer *answer)
{
    struct buffer body = {0};
    struct http_response *response = NULL;
    *answer = (struct advisor_answer){.verdict = ADVISOR_STOP};
    advisor_append_body(consulting->options, instruction, prompt, form, &body);
    enum status status = send_body(consulting, &body, &response, &answer->error);
    if (status == STATUS_OK && response->error.code != ERROR_NONE) {
        answer->error = response->error;
        status = STATUS_FAILED;
    } else if (status == STATUS_OK) {
        advisor_answer_read(consulting->options, response, consulting->arena, answer);
    }
    if (answer->error.code != ERROR_NONE && answer->error.code != ERROR_INTERRUPTED) {
        give_hint(&answer->error);
        secret_redact(answer->error.message);
        secret_redact(answer->error.object);
    }
    if (answer->error.code == ERROR_INTERRUPTED) {
        http_client_destroy(consulting->client); /* it borrows the body */
        consulting->client = NULL;
    }
    http_response_destroy(response);
    buffer_free(&body);
    return answer->verdict == ADVISOR_TEXT ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- one prompt */

/* Without what the server may not know: false, there is nothing left to leave out. */
static bool change_form(struct advisor_form *form, const struct advisor_answer *answer)
{
    if (answer->temperature_refused && form->temperature) {
        form->temperature = false;
        return true;
    }
    if (form->is_json && form->schema) {
        form->schema = false;
        return true;
    }
    return false;
}

static enum status wait_again(const struct consulting *consulting, uint32_t tries,
                              struct advisor_answer *answer)
{
    int64_t wait_ms = advisor_wait_ms(tries, answer->retry_after_ms);
    if (wait_ms == 0) {
        if (tries > 1) {
            error_context(&answer->error, "given up after %" PRIu32 " tries: ", tries);
        }
        if (answer->retry_after_ms > 0) {
            error_context(&answer->error,
                          "the server asks to wait %" PRId64 " s: ", answer->retry_after_ms / 1000);
        }
        return STATUS_FAILED;
    }
    log_write(LOG_WARNING, "%s: %s; waiting %" PRId64 " s", answer->error.object,
              answer->error.message, (wait_ms + 999) / 1000);
    return wait_for(consulting->options, wait_ms, &answer->error);
}

static enum status advisor_consult_ask(struct consulting *consulting, const char *what,
                                       const char *instruction, const char *prompt, bool is_json,
                                       struct advisor_answer *answer)
{
    struct advisor_form form = {.is_json = is_json, .schema = true, .temperature = true};
    uint32_t tries = 0;
    log_write(LOG_INFO, "asking %s for %s (%zu bytes)", consulting->options->model, what,
              strlen(prompt));
    while (try_once(consulting, instruction, prompt, form, answer) != STATUS_OK) {
        if (answer->verdict == ADVISOR_REFORM && change_form(&form, answer)) {
            log_write(LOG_INFO, "%s: asking once more, in a simpler form", answer->error.message);
            continue;
        }
        if (answer->verdict != ADVISOR_AGAIN ||
            wait_again(consulting, ++tries, answer) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- both */

/* False: no use in asking for anything else. */
static bool ask_for_tables(struct consulting *consulting, const struct advisor_prompts *prompts,
                           const struct graph *graph, struct advisor_result *result)
{
    struct advisor_answer answer;
    if (advisor_consult_ask(consulting, "tables", prompts->instruction, prompts->tables, true,
                            &answer) != STATUS_OK) {
        result->tables_error = answer.error;
        return answer.verdict == ADVISOR_NO_TEXT;
    }
    result->has_tables = advisor_reply_read(answer.text, answer.length, graph, consulting->arena,
                                            &result->reply, &result->tables_error) == STATUS_OK;
    secret_redact(result->tables_error.message);
    return true;
}

static void ask_for_strategy(struct consulting *consulting, const struct advisor_prompts *prompts,
                             struct advisor_result *result)
{
    struct advisor_answer answer;
    int64_t pause_ms = consulting->options->pause_ms;
    log_write(LOG_INFO, "waiting %" PRId64 ".%03" PRId64 " s between the prompts", pause_ms / 1000,
              pause_ms % 1000);
    if (wait_for(consulting->options, pause_ms, &result->strategy_error) != STATUS_OK) {
        return;
    }
    if (advisor_consult_ask(consulting, "a strategy", prompts->instruction, prompts->strategy,
                            false, &answer) == STATUS_OK) {
        result->strategy = answer.text;
    } else {
        result->strategy_error = answer.error;
    }
}

static void warn_of_cut(const struct advisor_prompts *prompts)
{
    if (prompts->entities_left_out + prompts->columns_left_out + prompts->queries_left_out > 0) {
        log_write(LOG_WARNING,
                  "the schema is too large for a prompt: %" PRIu32 " tables, %" PRIu32
                  " columns of others and %" PRIu32 " statements are left out of it",
                  prompts->entities_left_out, prompts->columns_left_out, prompts->queries_left_out);
    }
}

void advisor_consult(const struct advisor_options *options, const struct advisor_prompts *prompts,
                     const struct graph *graph, struct arena *arena, struct advisor_result *result)
{
    const struct http_client_options http = {.connections_max = 1, .ca_file = options->ca_file};
    struct consulting consulting = {
        .options = options, .arena = arena, .url = advisor_url(options, arena)};
    char *authorization = NULL;
    *result = (struct advisor_result){0};
    if (http_client_create(&http, &consulting.client, &result->tables_error) != STATUS_OK) {
        error_hint(&result->tables_error, "--advisor-ca-file names it");
        return;
    }
    if (options->key != NULL) {
        authorization = arena_format(arena, "%s%s", options->api == ADVISOR_OPENAI ? "Bearer " : "",
                                     options->key);
        consulting.authorization = authorization;
    }
    warn_of_cut(prompts);
    if (ask_for_tables(&consulting, prompts, graph, result)) {
        ask_for_strategy(&consulting, prompts, result);
    }
    secret_wipe(authorization, authorization != NULL ? strlen(authorization) : 0);
    http_client_destroy(consulting.client);
}
