/* IAM Identity Center (SSO): a role's keys for the token that `aws sso login` has left. */
#include "net/aws_provider.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/*
 * ~/.aws/sso/cache/<SHA-1 of the session's name, or of the start URL where there is none>.json:
 *   {"accessToken":"…","expiresAt":"2026-01-31T23:59:59Z", …}
 * GET https://portal.sso.REGION.amazonaws.com/federation/credentials?role_name=…&account_id=…
 *   x-amz-sso_bearer_token: …
 * 200 {"roleCredentials":{"accessKeyId":…,"secretAccessKey":…,"sessionToken":…,"expiration":<ms>}}
 * (AWS: "GetRoleCredentials" of the portal API, version 2019-06-10)
 */
enum { SSO_ATTEMPTS = 3, CACHE_BYTES_MAX = 64 * 1024, SHA1_BYTES = 20 };

struct sso {
    const char *profile;
    const char *name; /* in messages */
    const char *session;
    const char *start_url;
    const char *region;
    const char *account;
    const char *role;
    const char *token;
};

static const char *setting(const struct aws_asking *asking, const char *profile, const char *name)
{
    const char *value = aws_config_value(asking->config, profile, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The fault of a token that is not there or not good any more, with what to do about it. */
static enum status sign_in(const struct sso *sso, const char *why, struct error *error)
{
    error_set(error, ERROR_CREDENTIALS, sso->name, "%s", why);
    return error_hint(error, "sign in: aws sso login --profile %s", sso->profile);
}

/* ---------------------------------------------------------------- settings */

static enum status read_settings(struct aws_asking *asking, struct sso *sso, struct error *error)
{
    const struct aws_config *config = asking->config;
    sso->session = setting(asking, sso->profile, "sso_session");
    sso->account = setting(asking, sso->profile, "sso_account_id");
    sso->role = setting(asking, sso->profile, "sso_role_name");
    sso->start_url = setting(asking, sso->profile, "sso_start_url");
    const char *region = setting(asking, sso->profile, "sso_region");
    if (sso->session != NULL) {
        const char *url =
            aws_config_section_value(config, "sso-session", sso->session, "sso_start_url");
        const char *theirs =
            aws_config_section_value(config, "sso-session", sso->session, "sso_region");
        if ((sso->start_url != NULL && url != NULL && strcmp(sso->start_url, url) != 0) ||
            (region != NULL && theirs != NULL && strcmp(region, theirs) != 0)) {
            return error_set(error, ERROR_CREDENTIALS, sso->name,
                             "its sso_start_url or sso_region is not that of its sso_session");
        }
        sso->start_url = url;
        region = theirs;
    }
    const char *missing = sso->account == NULL     ? "sso_account_id"
                          : sso->role == NULL      ? "sso_role_name"
                          : sso->start_url == NULL ? "sso_start_url"
                          : region == NULL         ? "sso_region"
                                                   : NULL;
    if (missing != NULL) {
        bool theirs = sso->session != NULL && sso->account != NULL && sso->role != NULL;
        return error_set(error, ERROR_CREDENTIALS, sso->name, "%s%.80s has no %s",
                         theirs ? "the sso-session " : "it", theirs ? sso->session : "", missing);
    }
    return aws_config_region(config, region, &sso->region, error);
}

/* ---------------------------------------------------------------- the token */

/* NULL: this OpenSSL has no SHA-1, which the file is named by. */
static char *cache_path(struct aws_asking *asking, const struct sso *sso)
{
    static const char digits[] = "0123456789abcdef";
    const char *key = sso->session != NULL ? sso->session : sso->start_url;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char hex[2 * SHA1_BYTES + 1] = "";
    if (EVP_Digest(key, strlen(key), digest, &length, EVP_sha1(), NULL) != 1 ||
        length != SHA1_BYTES) {
        return NULL;
    }
    for (int i = 0; i < SHA1_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    return arena_format(asking->arena, "%s/.aws/sso/cache/%s.json", aws_config_home(asking->config),
                        hex);
}

static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            return false;
        }
    }
    return text[0] != '\0';
}

static enum status take_token(struct aws_asking *asking, struct sso *sso, const json_t *object,
                              const char *path, struct error *error)
{
    const char *token = json_string_value(json_object_get(object, "accessToken"));
    const char *expires = json_string_value(json_object_get(object, "expiresAt"));
    int64_t expires_ms = 0;
    if (token == NULL || expires == NULL || !is_token(token) ||
        !aws_parse_time(expires, &expires_ms)) {
        return error_set(error, ERROR_CREDENTIALS, path,
                         "the file of the SSO token holds no accessToken with its expiresAt");
    }
    if (expires_ms <= aws_asking_now_ms(asking)) {
        return sign_in(sso, "the session of IAM Identity Center (SSO) has expired", error);
    }
    secret_register(token, strlen(token));
    sso->token = arena_copy_string(asking->arena, token);
    return STATUS_OK;
}

static enum status read_cached_token(struct aws_asking *asking, struct sso *sso,
                                     struct error *error)
{
    char *bytes = NULL;
    size_t length = 0;
    char *path = cache_path(asking, sso);
    if (path == NULL) {
        return error_set(error, ERROR_CREDENTIALS, sso->name,
                         "OpenSSL has no SHA-1, by which the file of the SSO token is found");
    }
    enum status status =
        file_read_all(path, CACHE_BYTES_MAX, asking->arena, &bytes, &length, error);
    if (status == STATUS_END) {
        return sign_in(sso, "nobody has signed in to IAM Identity Center (SSO) for it", error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_CREDENTIALS);
        return status;
    }
    json_error_t fault;
    json_t *object = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &fault);
    status = take_token(asking, sso, object, path, error);
    json_decref(object);
    secret_wipe(bytes, length);
    return status;
}

/* ---------------------------------------------------------------- the role's keys */

static void append_encoded(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (isalnum(byte) || strchr("-_.~", byte) != NULL) {
            buffer_append_byte(out, (char)byte);
        } else {
            buffer_format(out, "%%%02X", byte);
        }
    }
}

static enum status make_url(struct aws_asking *asking, const struct sso *sso, struct buffer *url,
                            struct error *error)
{
    struct aws_endpoint endpoint;
    struct http_url parts;
    if (aws_config_endpoint(asking->config, "sso", NULL, sso->region, asking->arena, &endpoint,
                            error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(
        url, "%s%s/federation/credentials?role_name=", endpoint.overridden ? "" : "https://portal.",
        endpoint.overridden ? endpoint.url : endpoint.host_header);
    append_encoded(url, sso->role);
    buffer_append_string(url, "&account_id=");
    append_encoded(url, sso->account);
    if (http_url_parse(buffer_string(url), endpoint.origin, asking->arena, &parts, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return parts.tls || http_host_is_loopback(parts.host)
               ? STATUS_OK
               : error_set(error, ERROR_AWS_CONFIG, endpoint.origin,
                           "SSO at %s would send its token in plaintext", endpoint.url);
}

static enum status read_keys(const struct sso *sso, const struct http_response *response,
                             struct aws_credentials *credentials, struct error *error)
{
    json_error_t fault;
    json_t *root =
        json_loadb(response->body.data, response->body.length, JSON_REJECT_DUPLICATES, &fault);
    const json_t *keys = json_object_get(root, "roleCredentials");
    const json_t *expiration = json_object_get(keys, "expiration");
    enum status status = STATUS_FAILED;
    if (!json_is_integer(expiration)) {
        error_set(error, ERROR_CREDENTIALS, sso->name,
                  "the answer of IAM Identity Center (SSO) holds no roleCredentials with their "
                  "expiration");
    } else {
        status = aws_credentials_fill(credentials, sso->name,
                                      json_string_value(json_object_get(keys, "accessKeyId")),
                                      json_string_value(json_object_get(keys, "secretAccessKey")),
                                      json_string_value(json_object_get(keys, "sessionToken")),
                                      json_integer_value(expiration), error);
    }
    json_decref(root);
    return status;
}

static enum status read_refusal(const struct sso *sso, const struct http_response *response,
                                struct error *error)
{
    json_error_t fault;
    json_t *root = response->body.length == 0
                       ? NULL
                       : json_loadb(response->body.data, response->body.length, 0, &fault);
    const char *message = json_string_value(json_object_get(root, "message"));
    char words[200];
    text_printable(message == NULL ? "" : message, message == NULL ? 0 : strlen(message), words,
                   sizeof(words));
    if (response->status == 401) {
        (void)sign_in(sso, "IAM Identity Center (SSO) does not take the session's token any more",
                      error);
    } else if (message == NULL) {
        http_response_unexpected(response, sso->name, error);
    } else {
        char role[80];
        text_printable(sso->role, strlen(sso->role), role, sizeof(role));
        error_set(error, ERROR_CREDENTIALS, sso->name,
                  "IAM Identity Center (SSO) refuses the role %s: %s", role, words);
    }
    if (response->status >= 500 || response->status == 429) {
        error->class = ERROR_CLASS_RETRY;
    }
    json_decref(root);
    return STATUS_FAILED;
}

static enum status aws_provider_sso_ask(struct aws_asking *asking, const struct sso *sso,
                                        struct aws_credentials *credentials, struct error *error)
{
    struct buffer url = {0};
    struct http_response *response = NULL;
    enum status status = make_url(asking, sso, &url, error);
    if (status == STATUS_OK) {
        const struct http_header headers[] = {{"Accept", "application/json"},
                                              {"x-amz-sso_bearer_token", sso->token}};
        const struct http_request request = {.method = "GET",
                                             .url = buffer_string(&url),
                                             .headers = headers,
                                             .header_count = 2,
                                             .timeout_ms = asking->timeout_ms,
                                             .response_bytes_max = AWS_ANSWER_BYTES_MAX,
                                             .repeatable = true};
        status = aws_asking_send(asking, &request, SSO_ATTEMPTS, &response, error);
    }
    if (status == STATUS_OK) {
        aws_asking_learn(asking, response);
        status = response->status == 200 ? read_keys(sso, response, credentials, error)
                                         : read_refusal(sso, response, error);
    }
    aws_answer_destroy(response);
    buffer_free(&url);
    return status;
}

enum status aws_provider_sso(struct aws_asking *asking, const char *profile,
                             struct aws_credentials *credentials, struct error *error)
{
    char name[64];
    if (setting(asking, profile, "sso_account_id") == NULL &&
        setting(asking, profile, "sso_role_name") == NULL) {
        return STATUS_END;
    }
    snprintf(name, sizeof(name), "SSO of profile %.48s", profile);
    struct sso sso = {.profile = profile, .name = name};
    enum status status = read_settings(asking, &sso, error);
    status = status == STATUS_OK ? read_cached_token(asking, &sso, error) : status;
    return status == STATUS_OK ? aws_provider_sso_ask(asking, &sso, credentials, error) : status;
}
