/* Requests: headers that prove who sends them, and what answers mean. */
#include "connectors/opensearch/client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include "connectors/contract/report.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "net/aws_sign.h"
#include <stdlib.h>

enum {
    RESPONSE_BYTES_MAX =
        128 * 1024 * 1024, /* above the largest document (http.max_content_length) */
    NAME_BYTES = 96,
    MESSAGE_BYTES = 480
};

struct opensearch_service {
    enum open_mode mode;
    struct database *database;
    struct arena *arena;
    struct service *service;
    const char *authorization; /* the header's value; NULL: none, or requests are signed */
    const char *aws_service;   /* NULL: they are not */
    const char *region;
    const char *host_header;
    struct aws_config *config;
    struct aws_credential_chain *chain;
    struct aws_clock clock;
};

struct opensearch_client {
    struct opensearch_service *service;
    struct service_client *requests;
    struct aws_signer *signer;
    struct aws_credentials credentials;
    struct buffer path; /* of the last request, without its query */
};

/* ---------------------------------------------------------------- the service */

static const char *basic_of(struct arena *arena, const char *user, const char *password)
{
    struct buffer pair = {0};
    struct buffer header = {0};
    buffer_append_string(&pair, user);
    buffer_append_byte(&pair, ':');
    buffer_append_string(&pair, password);
    buffer_append_string(&header, "Basic ");
    json_append_base64_part(&header, pair.data, pair.length);
    const char *made = arena_copy(arena, header.data, header.length);
    secret_register(made, header.length);
    buffer_free(&pair);
    buffer_free(&header);
    return made;
}

static enum status set_aws(struct opensearch_service *service,
                           const struct opensearch_service_options *options, struct error *error)
{
    const struct aws_config_options config = {.profile = options->profile};
    const char *region = NULL;
    struct http_url url;
    if (aws_config_load(&config, &service->config, error) != STATUS_OK ||
        aws_config_region(service->config, options->region, &region, error) != STATUS_OK ||
        http_url_parse(options->url, options->url, service->arena, &url, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct aws_credential_options credentials = {.config = service->config,
                                                       .region = region,
                                                       .timeout_ms = options->timeout_ms,
                                                       .clock = &service->clock};
    service->aws_service = arena_copy_string(service->arena, options->aws_service);
    service->region = arena_copy_string(service->arena, region);
    service->host_header = url.host_header;
    return aws_credential_chain_create(&credentials, &service->chain, error);
}

enum status opensearch_service_create(const struct opensearch_service_options *options,
                                      struct opensearch_service **service, struct error *error)
{
    struct opensearch_service *made = memory_allocate_zeroed(1, sizeof(*made));
    *service = NULL;
    made->arena = arena_create(1024);
    made->mode = options->mode;
    made->database = options->database;
    if (options->aws_service != NULL && set_aws(made, options, error) != STATUS_OK) {
        opensearch_service_destroy(made);
        return STATUS_FAILED;
    }
    if (options->api_key != NULL) {
        made->authorization = arena_format(made->arena, "ApiKey %s", options->api_key);
    } else if (options->user != NULL) {
        made->authorization = basic_of(made->arena, options->user,
                                       options->password != NULL ? options->password : "");
    }
    const char *ca_file = options->ca_file != NULL ? options->ca_file
                          : made->config != NULL   ? aws_config_ca_file(made->config)
                                                   : NULL;
    const struct service_options requests = {.name = "OpenSearch",
                                             .contact = "the host, the port, and whether it speaks "
                                                        "TLS (?tls=yes) or not (?tls=no)",
                                             .url = options->url,
                                             .ca_file = ca_file,
                                             .plaintext_allowed = options->plaintext_allowed,
                                             .timeout_ms = options->timeout_ms,
                                             .response_bytes_max = RESPONSE_BYTES_MAX};
    made->service = service_create(&requests);
    *service = made;
    return STATUS_OK;
}

void opensearch_service_destroy(struct opensearch_service *service)
{
    if (service != NULL) {
        service_destroy(service->service);
        aws_credential_chain_destroy(service->chain);
        aws_config_destroy(service->config);
        arena_destroy(service->arena);
        free(service);
    }
}

/* ---------------------------------------------------------------- a request's headers */

static enum status sign(struct opensearch_client *client, const struct service_request *request,
                        struct service_outgoing *outgoing, struct error *error)
{
    struct opensearch_service *service = client->service;
    struct aws_signed added;
    const char *query = strchr(request->path, '?');
    int64_t now_ms = aws_clock_now_ms(&service->clock);
    if (aws_credentials_get(service->chain, now_ms, &client->credentials, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_clear(&client->path);
    buffer_append(&client->path, request->path,
                  query != NULL ? (size_t)(query - request->path) : strlen(request->path));
    const struct aws_sign_request what = {.method = request->method,
                                          .host = service->host_header,
                                          .path = buffer_string(&client->path),
                                          .query = query != NULL ? query + 1 : NULL,
                                          .headers = outgoing->headers,
                                          .header_count = outgoing->header_count,
                                          .payload = request->body,
                                          .payload_length = request->body_length,
                                          .region = service->region,
                                          .service = service->aws_service,
                                          .time_ms = aws_clock_now_ms(&service->clock),
                                          .credentials = &client->credentials,
                                          .content_sha256 = true};
    if (aws_sign(client->signer, &what, &added, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    memcpy(outgoing->headers + outgoing->header_count, added.headers,
           added.header_count * sizeof(*added.headers));
    outgoing->header_count += added.header_count;
    outgoing->mark = client->credentials.generation;
    return STATUS_OK;
}

/* The lease outlasts what is sent within the timeout from now on, however long the process is
 * stopped between. */
static enum status check_lease(const struct database *lease, struct service_outgoing *outgoing,
                               struct error *error)
{
    enum status status = STATUS_OK;
    if (lease == NULL) {
        return STATUS_OK;
    }
    if (outgoing->alone) {
        status = lease_wait(lease, outgoing->timeout_ms, error);
    }
    outgoing->since_ms = clock_boottime_ms();
    status = status == STATUS_OK ? lease_check(lease, outgoing->timeout_ms, error) : status;
    outgoing->is_final = status != STATUS_OK;
    return status;
}

static enum status opensearch_client_prepare(void *self, const struct service_request *request,
                                             struct service_outgoing *outgoing, struct error *error)
{
    struct opensearch_client *client = self;
    bool bulk = strstr(request->path, "/_bulk") != NULL;
    if (request->body_length > 0) {
        outgoing->headers[outgoing->header_count++] = (struct http_header){
            "Content-Type", bulk ? "application/x-ndjson" : "application/json"};
    }
    if (client->service->authorization != NULL) {
        outgoing->headers[outgoing->header_count++] =
            (struct http_header){"Authorization", client->service->authorization};
    } else if (client->service->aws_service != NULL &&
               sign(client, request, outgoing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return check_lease(request->detail, outgoing, error);
}

/* ---------------------------------------------------------------- what an answer means */

struct answer {
    char type[NAME_BYTES];
    char reason[MESSAGE_BYTES];
};

/* {"error":{"type":…,"reason":…,"caused_by":{…}}}, of some gateways {"message":…}. */
static void read_answer(const struct buffer *body, struct answer *answer)
{
    json_error_t ignored;
    json_t *root = json_tree_load(body->data, body->length, JSON_ALLOW_NUL, &ignored);
    const json_t *fault = json_object_get(root, "error");
    const char *type = json_string_value(json_object_get(fault, "type"));
    const char *reason = json_is_string(fault)
                             ? json_string_value(fault)
                             : json_string_value(json_object_get(fault, "reason"));
    reason = reason != NULL ? reason : json_string_value(json_object_get(root, "message"));
    reason = reason != NULL ? reason : json_string_value(json_object_get(root, "Message"));
    *answer = (struct answer){0};
    if (type != NULL) {
        text_printable(type, strlen(type), answer->type, sizeof(answer->type));
    }
    if (reason != NULL) {
        text_printable(reason, strlen(reason), answer->reason, sizeof(answer->reason));
    }
    json_decref(root);
}

static bool is_block(const struct answer *answer)
{
    return strcmp(answer->type, OPENSEARCH_BLOCK) == 0;
}

static enum opensearch_fault fault_of(uint32_t status, const struct answer *answer)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return OPENSEARCH_FAULT_REFUSED;
    case 404:
        return OPENSEARCH_FAULT_MISSING;
    case 408:
        return OPENSEARCH_FAULT_SERVER;
    case 409:
        return OPENSEARCH_FAULT_CONFLICT;
    case 413:
        return OPENSEARCH_FAULT_TOO_LARGE;
    case 429: /* a disk that is full does not get emptier by waiting */
        return is_block(answer) ? OPENSEARCH_FAULT_REFUSED : OPENSEARCH_FAULT_THROTTLED;
    default:
        break;
    }
    if (status >= 500) {
        return OPENSEARCH_FAULT_SERVER;
    }
    if (status < 400) {
        return OPENSEARCH_FAULT_OTHER;
    }
    return strcmp(answer->type, "resource_already_exists_exception") == 0 ||
                   strcmp(answer->type, "index_already_exists_exception") == 0
               ? OPENSEARCH_FAULT_EXISTS
               : OPENSEARCH_FAULT_INVALID;
}

static enum error_code code_of(enum opensearch_fault fault, bool source, uint32_t status,
                               const struct answer *answer)
{
    switch (fault) {
    case OPENSEARCH_FAULT_THROTTLED:
        return source ? ERROR_SOURCE_THROTTLED : ERROR_TARGET_THROTTLED;
    case OPENSEARCH_FAULT_REFUSED:
        return is_block(answer) ? (source ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE)
               : status == 403  ? ERROR_PERMISSION
                                : ERROR_CREDENTIALS;
    case OPENSEARCH_FAULT_MISSING:
        return source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING;
    default:
        return source ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE;
    }
}

static enum service_verdict verdict_of(enum opensearch_fault fault)
{
    switch (fault) {
    case OPENSEARCH_FAULT_THROTTLED:
        return SERVICE_THROTTLE;
    case OPENSEARCH_FAULT_SERVER:
        return SERVICE_RETRY;
    case OPENSEARCH_FAULT_REFUSED:
    case OPENSEARCH_FAULT_OTHER:
        return SERVICE_STOP;
    default:
        return SERVICE_REJECT;
    }
}

static void set_hint(struct error *error, bool block)
{
    if (block) {
        error_hint(error, OPENSEARCH_BLOCK_HINT);
    } else if (error->code == ERROR_PERMISSION) {
        error_hint(error, "docs/opensearch.md lists the permissions that are needed");
    } else if (error->code == ERROR_CREDENTIALS) {
        error_hint(error, "opensearch://USER:PASSWORD@HOST, ?api_key=, or ?aws=es for signed "
                          "requests");
    }
}

static void judge_fault(const struct opensearch_service *service,
                        const struct service_request *request, struct http_response *from,
                        struct service_reply *reply)
{
    struct answer answer;
    bool source = service->mode == OPEN_SOURCE;
    const char *object = request->object != NULL ? request->object : service_url(service->service);
    read_answer(&from->body, &answer);
    enum opensearch_fault fault = fault_of(from->status, &answer);
    reply->fault = (int)fault;
    reply->verdict = verdict_of(fault);
    reply->unknown_outcome = fault == OPENSEARCH_FAULT_SERVER;
    error_set(&reply->error, code_of(fault, source, from->status, &answer), object,
              "%s answers with status %u%s%s%s%s", request->operation, (unsigned)from->status,
              answer.type[0] != '\0' ? " " : "", answer.type, answer.reason[0] != '\0' ? ": " : "",
              answer.reason);
    reply->error.native_code = from->status;
    reply->error.class = reply->verdict == SERVICE_RETRY || reply->verdict == SERVICE_THROTTLE
                             ? ERROR_CLASS_RETRY
                             : ERROR_CLASS_STOP;
    set_hint(&reply->error, is_block(&answer));
}

static bool is_json(const struct buffer *body)
{
    size_t at = 0;
    while (at < body->length && strchr(" \t\r\n", body->data[at]) != NULL) {
        at++;
    }
    return at == body->length || body->data[at] == '{' || body->data[at] == '[';
}

static void opensearch_client_judge(void *self, const struct service_request *request,
                                    uint64_t mark, struct http_response *from,
                                    struct service_reply *reply)
{
    struct opensearch_client *client = self;
    struct opensearch_service *service = client->service;
    if (from->status != 0) {
        report_link(service->database,
                    from->tls_protocol != NULL ? LINK_PEER_VERIFIED
                    : from->loopback           ? LINK_PLAINTEXT_LOOPBACK
                                               : LINK_PLAINTEXT,
                    from->tls_protocol, from->tls_cipher);
    }
    if (service_judge_no_answer(from, reply)) {
        bool too_long = from->cut && from->error.class == ERROR_CLASS_STOP;
        reply->fault = too_long ? OPENSEARCH_FAULT_LONG_ANSWER : OPENSEARCH_FAULT_NETWORK;
        reply->verdict = too_long ? SERVICE_REJECT : reply->verdict;
        return;
    }
    bool head = strcmp(request->method, "HEAD") == 0;
    if (!head && !is_json(&from->body) && from->status != 429 && from->status < 500) {
        const char *object =
            request->object != NULL ? request->object : service_url(service->service);
        reply->fault = OPENSEARCH_FAULT_OTHER;
        reply->verdict = SERVICE_STOP;
        http_response_unexpected(from, object, &reply->error);
        reply->error.class = ERROR_CLASS_STOP;
        return;
    }
    if (from->status < 200 || from->status >= 300) {
        judge_fault(service, request, from, reply);
        bool expired = service->chain != NULL && from->status == 403 &&
                       strstr(reply->error.message, "expired") != NULL;
        if (service->chain != NULL && reply->verdict == SERVICE_STOP &&
            (aws_clock_learn(&service->clock, from) ||
             (expired && aws_credentials_expired(service->chain, mark)))) {
            reply->verdict = SERVICE_RETRY;
            reply->error.class = ERROR_CLASS_RETRY;
        }
    }
    service_take_body(reply, from);
}

/* ---------------------------------------------------------------- the client */

enum status opensearch_client_create(struct opensearch_service *service, uint32_t connections_max,
                                     struct opensearch_client **client, struct error *error)
{
    static const struct service_functions functions = {.prepare = opensearch_client_prepare,
                                                       .judge = opensearch_client_judge};
    struct opensearch_client *made = memory_allocate_zeroed(1, sizeof(*made));
    *client = NULL;
    made->service = service;
    made->signer = service->aws_service != NULL ? aws_signer_create() : NULL;
    if (service_client_create(service->service, connections_max, &functions, made, &made->requests,
                              error) != STATUS_OK) {
        opensearch_client_destroy(made);
        return STATUS_FAILED;
    }
    *client = made;
    return STATUS_OK;
}

void opensearch_client_destroy(struct opensearch_client *client)
{
    if (client != NULL) {
        service_client_destroy(client->requests);
        aws_signer_destroy(client->signer);
        aws_credentials_clear(&client->credentials);
        buffer_free(&client->path);
        free(client);
    }
}

static struct service_request request_of(const struct opensearch_request *request,
                                         int64_t patience_ms)
{
    return (struct service_request){.operation = request->operation,
                                    .object = request->object,
                                    .method = request->method,
                                    .path = request->path,
                                    .body = request->body,
                                    .body_length = request->body_length,
                                    .patience_ms = patience_ms,
                                    .repeatable = request->repeatable,
                                    .detail = request->lease,
                                    .context = request->context};
}

enum status opensearch_client_submit(struct opensearch_client *client,
                                     const struct opensearch_request *request, struct error *error)
{
    const struct service_request once = request_of(request, 0);
    return service_submit(client->requests, &once, error);
}

enum status opensearch_client_poll(struct opensearch_client *client, int64_t timeout_ms,
                                   struct service_reply **reply, struct error *error)
{
    return service_poll(client->requests, timeout_ms, reply, error);
}

enum status opensearch_client_call(struct opensearch_client *client,
                                   const struct opensearch_request *request,
                                   struct service_reply **reply, struct error *error)
{
    const struct service_request patient = request_of(request, SERVICE_PATIENCE);
    return service_call(client->requests, &patient, reply, error);
}

/* ---------------------------------------------------------------- texts */

json_t *opensearch_reply_parse(const struct service_reply *reply, const char *object,
                               struct error *error)
{
    json_t *root = NULL;
    struct error reason = {.message = "another value"};
    if (json_tree_parse(reply->body.data, reply->body.length, JSON_ALLOW_NUL, object,
                        ERROR_NETWORK_ANSWER, &root, &reason) != STATUS_OK ||
        !json_is_object(root)) {
        json_decref(root);
        error_set(error, ERROR_NETWORK_ANSWER, object, "the server's answer is no JSON object: %s",
                  reason.message);
        return NULL;
    }
    return root;
}

bool opensearch_reply_no_index(const struct service_reply *reply)
{
    struct answer answer;
    if (reply->fault != OPENSEARCH_FAULT_MISSING) {
        return false;
    }
    read_answer(&reply->body, &answer);
    return strcmp(answer.type, "index_not_found_exception") == 0;
}

/* 429 {"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large, data for
 * [<http_request>] would be …"}}: other names in the brackets are of work that had begun. */
bool opensearch_reply_unheard(const struct service_reply *reply)
{
    struct answer answer;
    if (reply->fault != OPENSEARCH_FAULT_THROTTLED) {
        return false;
    }
    read_answer(&reply->body, &answer);
    return strcmp(answer.type, "circuit_breaking_exception") == 0 &&
           strstr(answer.reason, "[<http_request>]") != NULL;
}

void opensearch_append_encoded(struct buffer *out, const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t at = 0; at < length; at++) {
        uint8_t byte = (uint8_t)text[at];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~", byte) != NULL);
        if (plain) {
            buffer_append_byte(out, (char)byte);
        } else {
            buffer_append_byte(out, '%');
            buffer_append_byte(out, digits[byte >> 4]);
            buffer_append_byte(out, digits[byte & 15]);
        }
    }
}
