/* The base that the providers of credentials share: asking over HTTP, JSON, times, token files. */
#include "net/aws_provider.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_BYTES_MAX = 64 * 1024, RETRY_DELAY_MS = 300 };

void aws_asking_note(struct aws_asking *asking, const char *format, ...)
{
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (asking->looked_at.length > 0) {
        buffer_append_string(&asking->looked_at, "; ");
    }
    buffer_append_string(&asking->looked_at, text);
}

/* The client of this round; ERROR_… if it can't be made. */
static enum status aws_asking_client(struct aws_asking *asking, struct http_client **client,
                                     struct error *error)
{
    if (asking->client == NULL) {
        /* Plaintext goes only where each provider has checked that it may. */
        struct http_client_options options = {.connections_max = 1,
                                              .connect_timeout_ms = 5000,
                                              .ca_file = aws_config_ca_file(asking->config),
                                              .plaintext_allowed = true};
        if (http_client_create(&options, &asking->client, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *client = asking->client;
    return STATUS_OK;
}

int64_t aws_asking_now_ms(const struct aws_asking *asking)
{
    return aws_clock_now_ms(asking->clock);
}

void aws_asking_learn(struct aws_asking *asking, const struct http_response *response)
{
    (void)aws_clock_learn(asking->clock, response);
}

void aws_answer_destroy(struct http_response *response)
{
    if (response != NULL) {
        secret_wipe(response->body.data, response->body.length);
        http_response_destroy(response);
    }
}

enum status aws_asking_send(struct aws_asking *asking, const struct http_request *request,
                            int attempts, struct http_response **response, struct error *error)
{
    struct http_client *client = NULL;
    *response = NULL;
    if (aws_asking_client(asking, &client, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int attempt = 1;; attempt++) {
        enum status status = http_perform(client, request, response, error);
        bool passing = status != STATUS_OK
                           ? error->class == ERROR_CLASS_RETRY
                           : (*response)->status >= 500 || (*response)->status == 429;
        if (status == STATUS_OK && (!passing || attempt >= attempts)) {
            return STATUS_OK;
        }
        aws_answer_destroy(*response);
        *response = NULL;
        if (!passing || attempt >= attempts) {
            return STATUS_FAILED;
        }
        clock_sleep_ms((int64_t)RETRY_DELAY_MS << (attempt - 1));
    }
}

/* ---------------------------------------------------------------- what they give */

enum status aws_credentials_fill(struct aws_credentials *credentials, const char *provider,
                                 const char *key_id, const char *secret, const char *token,
                                 int64_t expires_ms, struct error *error)
{
    snprintf(credentials->provider, sizeof(credentials->provider), "%s", provider);
    if (key_id == NULL || key_id[0] == '\0' || secret == NULL || secret[0] == '\0') {
        return error_set(error, ERROR_CREDENTIALS, provider, "there is no %s",
                         key_id == NULL || key_id[0] == '\0' ? "access key id"
                                                             : "secret access key");
    }
    bool has_token = token != NULL && token[0] != '\0';
    secret_register(secret, strlen(secret));
    if (has_token) {
        secret_register(token, strlen(token));
    }
    credentials->access_key_id = memory_copy_string(key_id);
    credentials->secret_access_key = memory_copy_string(secret);
    credentials->session_token = has_token ? memory_copy_string(token) : NULL;
    credentials->expires_ms = expires_ms;
    return STATUS_OK;
}

static enum status fill_from_object(struct aws_credentials *credentials, const char *provider,
                                    const char *token_name, int version, const json_t *object,
                                    struct error *error)
{
    const json_t *given_version = json_object_get(object, "Version");
    if (version > 0 &&
        (!json_is_integer(given_version) || json_integer_value(given_version) != version)) {
        return error_set(error, ERROR_CREDENTIALS, provider,
                         "its answer has no \"Version\": %d, the only form that is known", version);
    }
    const json_t *code = json_object_get(object, "Code");
    if (json_is_string(code) && strcmp(json_string_value(code), "Success") != 0) {
        char words[80];
        text_printable(json_string_value(code), json_string_length(code), words, sizeof(words));
        return error_set(error, ERROR_CREDENTIALS, provider, "it says \"%s\"", words);
    }
    int64_t expires_ms = INT64_MAX;
    const char *expiration = json_string_value(json_object_get(object, "Expiration"));
    if (expiration != NULL && !aws_parse_time(expiration, &expires_ms)) {
        char words[48];
        text_printable(expiration, strlen(expiration), words, sizeof(words));
        return error_set(error, ERROR_CREDENTIALS, provider,
                         "its answer's Expiration \"%s\" is no time like "
                         "2026-01-31T23:59:59Z",
                         words);
    }
    return aws_credentials_fill(
        credentials, provider, json_string_value(json_object_get(object, "AccessKeyId")),
        json_string_value(json_object_get(object, "SecretAccessKey")),
        json_string_value(json_object_get(object, token_name)), expires_ms, error);
}

enum status aws_credentials_from_json(struct aws_credentials *credentials, const char *provider,
                                      const char *token_name, int version, const char *bytes,
                                      size_t length, struct error *error)
{
    json_error_t fault;
    json_t *object = length == 0 ? NULL : json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &fault);
    enum status status = STATUS_FAILED;
    if (!json_is_object(object)) {
        error_set(error, ERROR_CREDENTIALS, provider, "its answer of %zu bytes is no JSON object",
                  length);
    } else {
        status = fill_from_object(credentials, provider, token_name, version, object, error);
    }
    json_decref(object);
    return status;
}

/* ---------------------------------------------------------------- times and files */

static bool read_digits(const char **text, int count, int64_t *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (!isdigit((unsigned char)**text)) {
            return false;
        }
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool aws_provider_skip(const char **text, char wanted)
{
    if (**text != wanted) {
        return false;
    }
    (*text)++;
    return true;
}

/* "Z", "+00:00", "+0000" or nothing at the end. */
static bool read_offset(const char *text, int64_t *minutes)
{
    *minutes = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0 || text[0] == '\0') {
        return true;
    }
    bool behind = text[0] == '-';
    int64_t hours = 0;
    int64_t rest = 0;
    if (*text != '+' && *text != '-') {
        return false;
    }
    text++;
    if (!read_digits(&text, 2, &hours)) {
        return false;
    }
    (void)aws_provider_skip(&text, ':');
    if (!read_digits(&text, 2, &rest) || *text != '\0') {
        return false;
    }
    *minutes = (hours * 60 + rest) * (behind ? -1 : 1);
    return true;
}

bool aws_parse_time(const char *text, int64_t *utc_ms)
{
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t offset = 0;
    if (!read_digits(&text, 4, &year) || !aws_provider_skip(&text, '-') ||
        !read_digits(&text, 2, &month) || !aws_provider_skip(&text, '-') ||
        !read_digits(&text, 2, &day) ||
        (!aws_provider_skip(&text, 'T') && !aws_provider_skip(&text, 't') &&
         !aws_provider_skip(&text, ' ')) ||
        !read_digits(&text, 2, &hour) || !aws_provider_skip(&text, ':') ||
        !read_digits(&text, 2, &minute) || !aws_provider_skip(&text, ':') ||
        !read_digits(&text, 2, &second)) {
        return false;
    }
    if (aws_provider_skip(&text, '.')) {
        text += strspn(text, "0123456789");
    }
    if (!read_offset(text, &offset) || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t days = clock_days_from_civil(year, (int)month, (int)day);
    *utc_ms = (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000;
    return true;
}

bool aws_is_word(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)bytes[i] <= ' ' || (unsigned char)bytes[i] >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

enum status aws_read_token(const char *path, const char *what, struct arena *arena,
                           const char **token, struct error *error)
{
    char *bytes = NULL;
    size_t length = 0;
    enum status status = file_read_all(path, TOKEN_BYTES_MAX, arena, &bytes, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_CREDENTIALS, path, "the file of %s is not there", what);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_CREDENTIALS);
        return status;
    }
    while (length > 0 && isspace((unsigned char)bytes[length - 1])) {
        bytes[--length] = '\0';
    }
    while (length > 0 && isspace((unsigned char)*bytes)) {
        bytes++;
        length--;
    }
    if (!aws_is_word(bytes, length)) {
        return error_set(error, ERROR_CREDENTIALS, path,
                         length == 0
                             ? "the file of %s is empty"
                             : "the file of %s holds line breaks or characters that it must not",
                         what);
    }
    secret_register(bytes, length);
    *token = bytes;
    return STATUS_OK;
}
