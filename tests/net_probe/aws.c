/* Signatures, settings and credentials, as src/net makes them. */
#include "net_probe.h"

#include "base/clock.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "net/aws_sign.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 100 };

/* One request signed; all of a list by one signer, so that its cached key is put to the test. */
static json_t *sign_one(struct aws_signer *signer, const json_t *json)
{
    static uint64_t generation;
    struct http_header headers[HEADERS_MAX];
    struct aws_credentials credentials = {
        .access_key_id = (char *)(uintptr_t)probe_text(json, "access_key_id"),
        .secret_access_key = (char *)(uintptr_t)probe_text(json, "secret_access_key"),
        .session_token = (char *)(uintptr_t)probe_text(json, "session_token"),
        .generation = (uint64_t)probe_number(json, "generation", (int64_t)++generation)};
    struct aws_sign_request request = {.method = probe_text(json, "method"),
                                       .host = probe_text(json, "host"),
                                       .path = probe_text(json, "path"),
                                       .query = probe_text(json, "query"),
                                       .headers = headers,
                                       .payload = probe_text(json, "payload"),
                                       .payload_length =
                                           json_string_length(json_object_get(json, "payload")),
                                       .region = probe_text(json, "region"),
                                       .service = probe_text(json, "service"),
                                       .time_ms = probe_number(json, "time_ms", 0),
                                       .credentials = &credentials,
                                       .keep_path = probe_flag(json, "keep_path"),
                                       .content_sha256 = probe_flag(json, "content_sha256"),
                                       .token_unsigned = probe_flag(json, "token_unsigned")};
    size_t index = 0;
    json_t *pair = NULL;
    json_array_foreach(json_object_get(json, "headers"), index, pair)
    {
        if (index < HEADERS_MAX) {
            headers[request.header_count++] =
                (struct http_header){json_string_value(json_array_get(pair, 0)),
                                     json_string_value(json_array_get(pair, 1))};
        }
    }
    struct aws_signed added = {0};
    struct error error = {0};
    if (aws_sign(signer, &request, &added, &error) != STATUS_OK) {
        return json_pack("{s:o}", "error", probe_error(&error));
    }
    json_t *out = json_object();
    for (uint32_t i = 0; i < added.header_count; i++) {
        json_object_set_new(out, added.headers[i].name, json_string(added.headers[i].value));
    }
    return json_pack("{s:o, s:s, s:s}", "headers", out, "canonical_request",
                     aws_signer_canonical_request(signer), "string_to_sign",
                     aws_signer_string_to_sign(signer));
}

json_t *probe_sign(const json_t *request)
{
    struct aws_signer *signer = aws_signer_create();
    json_t *results = json_array();
    size_t index = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(request, "requests"), index, one)
    {
        json_array_append_new(results, sign_one(signer, one));
    }
    aws_signer_destroy(signer);
    return json_pack("{s:o}", "signed", results);
}

static json_t *describe_endpoint(const struct aws_config *config, const char *service,
                                 const char *explicit_url, const char *region, struct arena *arena)
{
    struct aws_endpoint endpoint;
    struct error error = {0};
    if (aws_config_endpoint(config, service, explicit_url, region, arena, &endpoint, &error) !=
        STATUS_OK) {
        return json_pack("{s:o}", "error", probe_error(&error));
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s}", "url", endpoint.url, "host",
                     endpoint.host_header, "path", endpoint.path, "tls", endpoint.tls, "overridden",
                     endpoint.overridden, "origin", endpoint.origin);
}

static enum status load_config(const json_t *request, struct aws_config **config,
                               struct error *error)
{
    struct aws_config_options options = {.profile = probe_text(request, "profile"),
                                         .config_file = probe_text(request, "config_file"),
                                         .credentials_file =
                                             probe_text(request, "credentials_file")};
    return aws_config_load(&options, config, error);
}

static json_t *describe_config(const struct aws_config *config, const json_t *request,
                               struct arena *arena)
{
    struct error error = {0};
    const char *region = NULL;
    json_t *endpoints = json_object();
    json_t *values = json_array();
    size_t index = 0;
    json_t *one = NULL;
    if (aws_config_region(config, probe_text(request, "region"), &region, &error) != STATUS_OK) {
        region = NULL;
    }
    json_array_foreach(json_object_get(request, "services"), index, one)
    {
        const char *service = json_string_value(one);
        json_object_set_new(endpoints, service,
                            describe_endpoint(config, service, probe_text(request, "endpoint"),
                                              region == NULL ? "us-east-1" : region, arena));
    }
    json_array_foreach(json_object_get(request, "values"), index, one)
    {
        const char *value = aws_config_value(config, json_string_value(json_array_get(one, 0)),
                                             json_string_value(json_array_get(one, 1)));
        json_array_append_new(values, value == NULL ? json_null() : json_string(value));
    }
    const char *ca_file = aws_config_ca_file(config);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "profile", aws_config_profile(config),
                     "region", region == NULL ? json_null() : json_string(region), "region_error",
                     probe_error(&error), "endpoints", endpoints, "values", values, "ca_file",
                     ca_file == NULL ? json_null() : json_string(ca_file));
}

json_t *probe_config(const json_t *request)
{
    struct error error = {0};
    struct aws_config *config = NULL;
    if (load_config(request, &config, &error) != STATUS_OK) {
        return json_pack("{s:o}", "error", probe_error(&error));
    }
    struct arena *arena = arena_create(0);
    json_t *result = describe_config(config, request, arena);
    arena_destroy(arena);
    aws_config_destroy(config);
    return result;
}

/* ---------------------------------------------------------------- credentials */

static json_t *describe_credentials(const struct aws_credentials *credentials)
{
    return json_pack(
        "{s:s, s:s, s:s?, s:o, s:s, s:I}", "access_key_id", credentials->access_key_id,
        "secret_access_key", credentials->secret_access_key, "session_token",
        credentials->session_token, "expires_ms",
        credentials->expires_ms == INT64_MAX ? json_null() : json_integer(credentials->expires_ms),
        "provider", credentials->provider, "generation", (json_int_t)credentials->generation);
}

/* One step of a script: a wait, word of an expired token, a get `ahead_ms` from now. */
static json_t *take_step(struct aws_credential_chain *chain, const struct aws_clock *clock,
                         const json_t *step, struct aws_credentials *credentials)
{
    struct error error = {0};
    if (probe_number(step, "sleep_ms", 0) > 0) {
        clock_sleep_ms(probe_number(step, "sleep_ms", 0));
    }
    if (probe_flag(step, "expired")) {
        return json_pack("{s:b}", "can_change",
                         aws_credentials_expired(chain, credentials->generation));
    }
    int64_t now_ms = aws_clock_now_ms(clock) + probe_number(step, "ahead_ms", 0);
    if (aws_credentials_get(chain, now_ms, credentials, &error) != STATUS_OK) {
        return json_pack("{s:o, s:s}", "error", probe_error(&error), "context", error.context);
    }
    return describe_credentials(credentials);
}

struct getter {
    pthread_t thread;
    struct aws_credential_chain *chain;
    struct aws_credentials credentials;
    enum status status;
};

static void *get_once(void *user)
{
    struct getter *getter = user;
    struct error error = {0};
    getter->status =
        aws_credentials_get(getter->chain, clock_utc_us() / 1000, &getter->credentials, &error);
    return NULL;
}

/* Many threads that want credentials at once: what each got. */
static json_t *get_at_once(struct aws_credential_chain *chain, int64_t count)
{
    json_t *results = json_array();
    struct getter *getters = calloc((size_t)count + 1, sizeof(*getters));
    for (int64_t i = 0; getters != NULL && i < count; i++) {
        getters[i].chain = chain;
        if (pthread_create(&getters[i].thread, NULL, get_once, &getters[i]) != 0) {
            abort();
        }
    }
    for (int64_t i = 0; getters != NULL && i < count; i++) {
        pthread_join(getters[i].thread, NULL);
        json_array_append_new(results, getters[i].status == STATUS_OK
                                           ? describe_credentials(&getters[i].credentials)
                                           : json_null());
        aws_credentials_clear(&getters[i].credentials);
    }
    free(getters);
    return results;
}

json_t *probe_credentials(const json_t *request)
{
    struct error error = {0};
    struct aws_config *config = NULL;
    struct aws_credential_chain *chain = NULL;
    struct aws_credentials credentials = {0};
    struct aws_clock clock = {0};
    json_t *results = json_array();
    size_t index = 0;
    json_t *step = NULL;
    enum status status = load_config(request, &config, &error);
    if (status == STATUS_OK) {
        struct aws_credential_options options = {
            .config = config,
            .access_key_id = probe_text(request, "access_key_id"),
            .secret_access_key = probe_text(request, "secret_access_key"),
            .session_token = probe_text(request, "session_token"),
            .region = probe_text(request, "region"),
            .timeout_ms = probe_number(request, "timeout_ms", 0),
            .container_url = probe_text(request, "container_url"),
            .clock = &clock};
        status = aws_credential_chain_create(&options, &chain, &error);
    }
    if (status == STATUS_OK && probe_number(request, "threads", 0) > 0) {
        json_array_append_new(results, get_at_once(chain, probe_number(request, "threads", 0)));
    }
    json_array_foreach(json_object_get(request, "steps"), index, step)
    {
        if (status == STATUS_OK) {
            json_array_append_new(results, take_step(chain, &clock, step, &credentials));
        }
    }
    aws_credentials_clear(&credentials);
    aws_credential_chain_destroy(chain);
    aws_config_destroy(config);
    return json_pack("{s:o, s:o}", "steps", results, "error", probe_error(&error));
}
