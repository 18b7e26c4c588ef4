/* Signatures, settings and credentials, as src/net makes them. */
#include "net_probe.h"

#include "net/aws_sign.h"
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

json_t *probe_config(const json_t *request)
{
    (void)request;
    return NULL;
}

json_t *probe_credentials(const json_t *request)
{
    (void)request;
    return NULL;
}
