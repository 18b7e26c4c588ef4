/*
 * Credentials that the place gives in which the program runs: containers and EC2 instances.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
#include "net/aws_provider.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    CONTAINER_TIMEOUT_MS = 2000,
    CONTAINER_ATTEMPTS = 3,
    INSTANCE_TIMEOUT_MS = 1000,
    ROLE_NAME_BYTES_MAX = 256,
    STALE_LIFE_MS = 15 * 60 * 1000
};

/* ---------------------------------------------------------------- containers */

/* https anywhere; http only where nobody else listens, so that no setting can send the token off.
 */
static enum status check_container_url(struct aws_asking *asking, const char *text,
                                       struct error *error)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", NULL};
    struct http_url url;
    if (http_url_parse(text, "AWS_CONTAINER_CREDENTIALS_FULL_URI", asking->arena, &url, error) !=
        STATUS_OK) {
        return error_recode(error, ERROR_CREDENTIALS);
    }
    if (url.tls || http_host_is_loopback(url.host) || text_is_among(url.host, hosts)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CREDENTIALS, "AWS_CONTAINER_CREDENTIALS_FULL_URI",
              "credentials in plaintext come only from this machine or from 169.254.170.2, "
              "169.254.170.23 and [fd00:ec2::23], not from \"%.120s\"",
              url.host);
    return error_hint(error, "use https, or one of these addresses");
}

/* The address to ask; STATUS_END: this is no container. */
static enum status find_container(struct aws_asking *asking, const char **url, struct error *error)
{
    const char *relative =
        aws_config_environment(asking->config, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_config_environment(asking->config, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative != NULL) {
        const char *base = asking->options->container_url != NULL ? asking->options->container_url
                                                                  : "http://169.254.170.2";
        if (relative[0] != '/') {
            return error_set(error, ERROR_CREDENTIALS, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                             "it does not begin with a slash");
        }
        *url = arena_format(asking->arena, "%s%s", base, relative);
    } else if (full != NULL) {
        *url = full;
    } else {
        aws_asking_note(asking, "this is no container (AWS_CONTAINER_CREDENTIALS_…)");
        return STATUS_END;
    }
    return check_container_url(asking, *url, error);
}

/* The token of the file, read each time since it changes, or of the variable; may be none. */
static enum status container_token(struct aws_asking *asking, const char **token,
                                   struct error *error)
{
    const char *path =
        aws_config_environment(asking->config, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (path != NULL) {
        return aws_read_token(path, "the container's token", asking->arena, token, error);
    }
    *token = aws_config_environment(asking->config, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    for (const char *c = *token; c != NULL && *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return error_set(error, ERROR_CREDENTIALS, "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                             "it holds a line break or another control character");
        }
    }
    if (*token != NULL) {
        secret_register(*token, strlen(*token));
    }
    return STATUS_OK;
}

/* A GET whose answer is credentials as JSON. */
static enum status get_json(struct aws_asking *asking, const char *url, const char *provider,
                            const struct http_header *header, int64_t timeout_ms, int attempts,
                            struct aws_credentials *credentials, struct error *error)
{
    struct http_response *response = NULL;
    struct http_header headers[2] = {{"Accept", "application/json"}};
    uint32_t count = 1;
    if (header->value != NULL) {
        headers[count++] = *header;
    }
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .headers = headers,
                                   .header_count = count,
                                   .timeout_ms = timeout_ms,
                                   .response_bytes_max = AWS_ANSWER_BYTES_MAX,
                                   .direct = true,
                                   .repeatable = true};
    enum status status = aws_asking_send(asking, &request, attempts, &response, error);
    if (status == STATUS_OK && response->status != 200) {
        status = http_response_unexpected(response, url, error);
        error_recode(error, ERROR_CREDENTIALS);
        error->class = response->status >= 500 || response->status == 429 ? ERROR_CLASS_RETRY
                                                                          : ERROR_CLASS_STOP;
    } else if (status == STATUS_OK) {
        status = aws_credentials_from_json(credentials, provider, "Token", 0, response->body.data,
                                           response->body.length, error);
    }
    aws_answer_destroy(response);
    if (status != STATUS_OK) {
        error_context(error, "credentials of %s: ", provider);
    }
    return status;
}

enum status aws_provider_container(struct aws_asking *asking, struct aws_credentials *credentials,
                                   struct error *error)
{
    const char *url = NULL;
    struct http_header authorization = {"Authorization", NULL};
    enum status status = find_container(asking, &url, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (container_token(asking, &authorization.value, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return get_json(asking, url, "the container", &authorization, CONTAINER_TIMEOUT_MS,
                    CONTAINER_ATTEMPTS, credentials, error);
}

/* ---------------------------------------------------------------- EC2 instances */

struct instance_service {
    const char *base; /* without a slash at its end */
    int64_t timeout_ms;
    int attempts;
};

static int64_t whole_number(const struct aws_config *config, const char *variable,
                            const char *setting, int64_t otherwise, int64_t largest)
{
    const char *text = aws_config_either(config, variable, setting);
    int64_t value = 0;
    return text != NULL && text_to_int64(text, strlen(text), &value) == STATUS_OK && value >= 1 &&
                   value <= largest
               ? value
               : otherwise;
}

static enum status find_instance_service(struct aws_asking *asking,
                                         struct instance_service *service, struct error *error)
{
    static const char *const hosts[] = {"169.254.169.254", "fd00:ec2::254", NULL};
    const struct aws_config *config = asking->config;
    const char *mode = aws_config_either(config, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                         "ec2_metadata_service_endpoint_mode");
    const char *base = aws_config_either(config, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                         "ec2_metadata_service_endpoint");
    if (base == NULL) {
        base = mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                             : "http://169.254.169.254";
    }
    struct http_url url;
    if (http_url_parse(base, "AWS_EC2_METADATA_SERVICE_ENDPOINT", asking->arena, &url, error) !=
        STATUS_OK) {
        return error_recode(error, ERROR_CREDENTIALS);
    }
    if (!url.tls && !http_host_is_loopback(url.host) && !text_is_among(url.host, hosts)) {
        return error_set(error, ERROR_CREDENTIALS, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                         "instance metadata in plaintext come only from this machine or from "
                         "169.254.169.254 and [fd00:ec2::254], not from \"%.120s\"",
                         url.host);
    }
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/') {
        length--;
    }
    service->base = arena_copy(asking->arena, base, length);
    service->timeout_ms =
        1000 * whole_number(config, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout",
                            INSTANCE_TIMEOUT_MS / 1000, 60);
    service->attempts = (int)whole_number(config, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
                                          "metadata_service_num_attempts", 1, 10);
    return STATUS_OK;
}

/* One text of the service: a token, a role's name. STATUS_END: nobody is there, or there is none.
 */
static enum status get_text(struct aws_asking *asking, const struct instance_service *service,
                            const char *method, const char *path, const struct http_header *header,
                            char **text)
{
    struct http_response *response = NULL;
    struct http_request request = {.method = method,
                                   .url = arena_format(asking->arena, "%s%s", service->base, path),
                                   .headers = header,
                                   .header_count = 1,
                                   .timeout_ms = service->timeout_ms,
                                   .response_bytes_max = 4096,
                                   .direct = true,
                                   .repeatable = true};
    struct error why;
    enum status status = aws_asking_send(asking, &request, service->attempts, &response, &why);
    if (status != STATUS_OK) {
        aws_asking_note(asking, "instance metadata: %.200s", why.message);
        return STATUS_END;
    }
    size_t length = response->body.length;
    while (length > 0 && isspace((unsigned char)response->body.data[length - 1])) {
        length--;
    }
    if (response->status != 200 || !aws_is_word(response->body.data, length) ||
        memchr(response->body.data, '<', length) != NULL) {
        aws_asking_note(asking, "instance metadata: %s %s answered with status %u", method, path,
                        response->status);
        status = STATUS_END;
    } else {
        *text = arena_copy(asking->arena, response->body.data, length);
    }
    aws_answer_destroy(response);
    return status;
}

static bool is_role_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("+=,.@_-", *c) == NULL) {
            return false;
        }
    }
    return strlen(name) <= ROLE_NAME_BYTES_MAX;
}

/* Credentials that an instance still gives although they have expired are better than none: the
 * service may be behind, and AWS goes on accepting them then. */
static void keep_stale(struct aws_credentials *credentials)
{
    int64_t now_ms = clock_utc_us() / 1000;
    if (credentials->expires_ms <= now_ms) {
        log_write(LOG_WARNING, "instance metadata gives credentials that have expired; they are "
                               "used, and it is asked again later");
        credentials->expires_ms = now_ms + STALE_LIFE_MS;
    }
}

enum status aws_provider_instance(struct aws_asking *asking, struct aws_credentials *credentials,
                                  struct error *error)
{
    static const char path[] = "/latest/meta-data/iam/security-credentials/";
    struct instance_service service;
    const char *disabled = aws_config_environment(asking->config, "AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        aws_asking_note(asking, "AWS_EC2_METADATA_DISABLED is set");
        return STATUS_END;
    }
    if (find_instance_service(asking, &service, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char *token = NULL;
    char *role = NULL;
    struct http_header life = {"X-aws-ec2-metadata-token-ttl-seconds", "21600"};
    enum status status = get_text(asking, &service, "PUT", "/latest/api/token", &life, &token);
    if (status != STATUS_OK) {
        return status;
    }
    secret_register(token, strlen(token));
    struct http_header header = {"X-aws-ec2-metadata-token", token};
    status = get_text(asking, &service, "GET", path, &header, &role);
    if (status != STATUS_OK) {
        return status;
    }
    if (!is_role_name(role)) {
        return error_set(error, ERROR_CREDENTIALS, "instance metadata",
                         "the name of its role holds characters that no role has");
    }
    char *url = arena_format(asking->arena, "%s%s%s", service.base, path, role);
    status = get_json(asking, url, "instance metadata", &header, service.timeout_ms,
                      service.attempts, credentials, error);
    if (status == STATUS_OK) {
        keep_stale(credentials);
    }
    return status;
}
