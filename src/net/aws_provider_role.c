/* Roles: asking STS for the credentials of one, signed by others or with a web identity's token. */
#include "net/aws_provider.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "net/aws_sign.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { STS_ATTEMPTS = 3 };

static void append_form(struct buffer *body, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    buffer_format(body, "%s%s=", body->length == 0 ? "" : "&", name);
    for (const char *c = value; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (isalnum(byte) || strchr("-_.~", byte) != NULL) {
            buffer_append_byte(body, (char)byte);
        } else {
            buffer_format(body, "%%%02X", byte);
        }
    }
}

/* ---------------------------------------------------------------- the answer, in XML */

static void append_unescaped(struct buffer *out, const char *text, size_t length)
{
    static const struct {
        const char *entity;
        char character;
    } entities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < length;) {
        size_t taken = 0;
        for (size_t e = 0; taken == 0 && e < sizeof(entities) / sizeof(entities[0]); e++) {
            size_t size = strlen(entities[e].entity);
            if (size <= length - i && memcmp(text + i, entities[e].entity, size) == 0) {
                buffer_append_byte(out, entities[e].character);
                taken = size;
            }
        }
        if (taken == 0) {
            buffer_append_byte(out, text[i]);
            taken = 1;
        }
        i += taken;
    }
}

/* The text of the first <name> element that holds no others; NULL: there is none. In the arena. */
static char *element_text(const struct buffer *xml, const char *name, struct arena *arena)
{
    char open[64];
    char close[64];
    snprintf(open, sizeof(open), "<%s>", name);
    snprintf(close, sizeof(close), "</%s>", name);
    const char *start =
        xml->length == 0 ? NULL : memmem(xml->data, xml->length, open, strlen(open));
    if (start == NULL) {
        return NULL;
    }
    start += strlen(open);
    const char *end =
        memmem(start, xml->length - (size_t)(start - xml->data), close, strlen(close));
    if (end == NULL) {
        return NULL;
    }
    struct buffer text = {0};
    append_unescaped(&text, start, (size_t)(end - start));
    char *copy = arena_copy(arena, buffer_string(&text), text.length);
    secret_wipe(text.data, text.length);
    buffer_free(&text);
    return copy;
}

static enum status read_answer(struct aws_asking *asking, const struct aws_role *role,
                               const struct http_response *response,
                               struct aws_credentials *credentials, struct error *error)
{
    char *key_id = element_text(&response->body, "AccessKeyId", asking->arena);
    char *secret = element_text(&response->body, "SecretAccessKey", asking->arena);
    char *token = element_text(&response->body, "SessionToken", asking->arena);
    char *expiration = element_text(&response->body, "Expiration", asking->arena);
    int64_t expires_ms = 0;
    enum status status = STATUS_FAILED;
    if (key_id == NULL || secret == NULL || token == NULL || expiration == NULL ||
        !aws_parse_time(expiration, &expires_ms)) {
        status = http_response_unexpected(response, role->provider, error);
        if (response->body.length > 0 &&
            memmem(response->body.data, response->body.length, "<AssumeRole", 11) != NULL) {
            /* nothing of an answer that holds keys may be shown */
            error_set(error, ERROR_CREDENTIALS, role->provider,
                      "the answer of STS lacks a part of the credentials");
        }
    } else {
        status = aws_credentials_fill(credentials, role->provider, key_id, secret, token,
                                      expires_ms, error);
    }
    if (secret != NULL) {
        secret_wipe(secret, strlen(secret));
    }
    if (token != NULL) {
        secret_wipe(token, strlen(token));
    }
    return status;
}

static enum status read_refusal(struct aws_asking *asking, const struct aws_role *role,
                                const struct http_response *response, struct error *error)
{
    char *code = element_text(&response->body, "Code", asking->arena);
    char *message = element_text(&response->body, "Message", asking->arena);
    if (code == NULL) {
        http_response_unexpected(response, role->provider, error);
    } else {
        char words[400];
        char name[80];
        text_printable(code, strlen(code), name, sizeof(name));
        text_printable(message == NULL ? "" : message, message == NULL ? 0 : strlen(message), words,
                       sizeof(words));
        error_set(error, ERROR_CREDENTIALS, role->provider, "STS refuses the role %s: %s: %s",
                  role->arn, name, words);
        error_hint(error, "the role's trust policy must allow whoever asks; see docs/aws.md");
    }
    if (response->status >= 500 || response->status == 429 ||
        (code != NULL && strcmp(code, "Throttling") == 0)) {
        error->class = ERROR_CLASS_RETRY;
    }
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- the question */

static enum status make_body(struct aws_asking *asking, const struct aws_role *role,
                             struct buffer *body, struct error *error)
{
    char session[80];
    snprintf(session, sizeof(session), "transhume-%lld", (long long)(clock_utc_us() / 1000000));
    const char *token = NULL;
    if (role->token_file != NULL && aws_read_token(role->token_file, "the web identity's token",
                                                   asking->arena, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_form(body, "Action", token == NULL ? "AssumeRole" : "AssumeRoleWithWebIdentity");
    append_form(body, "Version", "2011-06-15");
    append_form(body, "RoleArn", role->arn);
    append_form(body, "RoleSessionName", role->session_name == NULL ? session : role->session_name);
    append_form(body, "DurationSeconds", role->duration_seconds);
    append_form(body, "ExternalId", role->external_id);
    append_form(body, "WebIdentityToken", token);
    return STATUS_OK;
}

static enum status find_sts(struct aws_asking *asking, struct aws_endpoint *endpoint,
                            const char **region, struct error *error)
{
    *region = asking->options->region;
    if (*region == NULL) {
        struct error ignored;
        if (aws_config_region(asking->config, NULL, region, &ignored) != STATUS_OK) {
            *region = "us-east-1";
        }
    }
    if (aws_config_endpoint(asking->config, "sts", NULL, *region, asking->arena, endpoint, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    struct http_url url;
    if (http_url_parse(endpoint->url, endpoint->origin, asking->arena, &url, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!url.tls && !http_host_is_loopback(url.host)) {
        return error_set(error, ERROR_AWS_CONFIG, endpoint->origin,
                         "STS at %s would send credentials in plaintext", endpoint->url);
    }
    return STATUS_OK;
}

/* One question to STS, signed where `role->source` signs. */
static enum status aws_provider_role_ask(struct aws_asking *asking, const struct aws_role *role,
                                         const struct aws_endpoint *endpoint, const char *region,
                                         const struct buffer *body, struct http_response **response,
                                         struct error *error)
{
    struct http_header headers[1 + AWS_SIGNED_HEADERS_MAX] = {
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    struct http_request request = {.method = "POST",
                                   .url = endpoint->url,
                                   .headers = headers,
                                   .header_count = 1,
                                   .body = body->data,
                                   .body_length = body->length,
                                   .timeout_ms = asking->timeout_ms,
                                   .response_bytes_max = AWS_ANSWER_BYTES_MAX,
                                   .repeatable = true};
    struct aws_signer *signer = NULL;
    enum status status = STATUS_OK;
    if (role->token_file == NULL) {
        struct aws_signed added = {0};
        struct aws_sign_request to_sign = {.method = "POST",
                                           .host = endpoint->host_header,
                                           .path = endpoint->path,
                                           .headers = headers,
                                           .header_count = 1,
                                           .payload = body->data,
                                           .payload_length = body->length,
                                           .region = region,
                                           .service = "sts",
                                           .time_ms = aws_asking_now_ms(asking),
                                           .credentials = role->source};
        signer = aws_signer_create();
        status = aws_sign(signer, &to_sign, &added, error);
        for (uint32_t i = 0; status == STATUS_OK && i < added.header_count; i++) {
            headers[request.header_count++] = added.headers[i];
        }
    }
    if (status == STATUS_OK) {
        status = aws_asking_send(asking, &request, STS_ATTEMPTS, response, error);
    }
    aws_signer_destroy(signer);
    return status;
}

enum status aws_provider_assume_role(struct aws_asking *asking, const struct aws_role *role,
                                     struct aws_credentials *credentials, struct error *error)
{
    struct aws_endpoint endpoint;
    const char *region = NULL;
    struct buffer body = {0};
    struct http_response *response = NULL;
    enum status status = find_sts(asking, &endpoint, &region, error);
    status = status == STATUS_OK ? make_body(asking, role, &body, error) : status;
    if (status == STATUS_OK) {
        status = aws_provider_role_ask(asking, role, &endpoint, region, &body, &response, error);
    }
    if (status == STATUS_OK && response->status != 200 && role->token_file == NULL &&
        aws_clock_learn(asking->clock, response)) {
        aws_answer_destroy(response);
        response = NULL; /* signing may fail before there is another one */
        status = aws_provider_role_ask(asking, role, &endpoint, region, &body, &response, error);
    }
    if (status == STATUS_OK) {
        aws_asking_learn(asking, response); /* what a token earns is dated by their clock too */
        status = response->status == 200 ? read_answer(asking, role, response, credentials, error)
                                         : read_refusal(asking, role, response, error);
    }
    aws_answer_destroy(response);
    secret_wipe(body.data, body.length);
    buffer_free(&body);
    if (status != STATUS_OK) {
        error_context(error, "credentials of %s: ", role->provider);
    }
    return status;
}
