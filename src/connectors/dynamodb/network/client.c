/* Requests to DynamoDB: signed, and sent while the lease lasts. */
#include "connectors/dynamodb/network/client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "connectors/contract/report.h"
#include "connectors/dynamodb/network/client_internal.h"
#include <stdlib.h>
#include <string.h>

enum {
    RESPONSE_BYTES_MAX = 32 * 1024 * 1024, /* a page is at most 16 MB and some */
    TARGET_BYTES = 96
};

struct dynamodb_client {
    struct dynamodb_service *service;
    struct service_client *requests;
    struct aws_signer *signer;
    struct aws_credentials credentials;
    char target[TARGET_BYTES]; /* X-Amz-Target of the last request */
};

/* ---------------------------------------------------------------- the service */

static enum status resolve(struct dynamodb_service *service,
                           const struct dynamodb_service_options *options, struct error *error)
{
    const struct aws_config_options config = {.profile = options->profile};
    const char *region = NULL;
    if (aws_config_load(&config, &service->config, error) != STATUS_OK ||
        aws_config_region(service->config,
                          options->region != NULL && options->region[0] != '\0' ? options->region
                                                                                : NULL,
                          &region, error) != STATUS_OK ||
        aws_config_endpoint(service->config, "dynamodb", options->endpoint, region, service->arena,
                            &service->endpoint, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct aws_credential_options credentials = {.config = service->config,
                                                       .region = region,
                                                       .timeout_ms = options->timeout_ms,
                                                       .clock = &service->clock};
    if (aws_credential_chain_create(&credentials, &service->chain, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    service->region = arena_copy_string(service->arena, region);
    const struct service_options requests = {.name = "DynamoDB",
                                             .contact = "the region, the endpoint",
                                             .url = service->endpoint.url,
                                             .ca_file = options->ca_file != NULL
                                                            ? options->ca_file
                                                            : aws_config_ca_file(service->config),
                                             .plaintext_allowed = options->plaintext_allowed,
                                             .timeout_ms = options->timeout_ms,
                                             .patience_ms = options->patience_ms,
                                             .response_bytes_max = RESPONSE_BYTES_MAX,
                                             .stopped = options->stopped};
    service->service = service_create(&requests);
    return STATUS_OK;
}

enum status dynamodb_service_create(const struct dynamodb_service_options *options,
                                    struct dynamodb_service **service, struct error *error)
{
    struct dynamodb_service *made = memory_allocate_zeroed(1, sizeof(*made));
    *service = NULL;
    made->arena = arena_create(1024);
    made->options = *options;
    if (resolve(made, options, error) != STATUS_OK) {
        dynamodb_service_destroy(made);
        return STATUS_FAILED;
    }
    *service = made;
    return STATUS_OK;
}

void dynamodb_service_destroy(struct dynamodb_service *service)
{
    if (service != NULL) {
        service_destroy(service->service);
        aws_credential_chain_destroy(service->chain);
        aws_config_destroy(service->config);
        arena_destroy(service->arena);
        free(service);
    }
}

const char *dynamodb_service_region(const struct dynamodb_service *service)
{
    return service->region;
}

const char *dynamodb_service_endpoint(const struct dynamodb_service *service)
{
    return service->endpoint.url;
}

/* ---------------------------------------------------------------- what is DynamoDB's own */

static enum status sign(struct dynamodb_client *client, const struct service_request *request,
                        struct service_outgoing *outgoing, struct error *error)
{
    struct dynamodb_service *service = client->service;
    struct aws_signed added;
    int64_t now_ms = aws_clock_now_ms(&service->clock);
    if (aws_credentials_get(service->chain, now_ms, &client->credentials, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct aws_sign_request what = {.method = "POST",
                                          .host = service->endpoint.host_header,
                                          .path = service->endpoint.path,
                                          .headers = outgoing->headers,
                                          .header_count = outgoing->header_count,
                                          .payload = request->body,
                                          .payload_length = request->body_length,
                                          .region = service->region,
                                          .service = "dynamodb",
                                          .time_ms = aws_clock_now_ms(&service->clock),
                                          .credentials = &client->credentials};
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

static enum status client_prepare(void *self, const struct service_request *request,
                                  struct service_outgoing *outgoing, struct error *error)
{
    struct dynamodb_client *client = self;
    static const char version[] = "DynamoDB_20120810.";
    size_t length = strlen(request->operation);
    if (sizeof(version) + length > sizeof(client->target)) {
        return error_set(error, ERROR_INTERNAL, NULL, "an operation's name is too long");
    }
    memcpy(client->target, version, sizeof(version) - 1);
    memcpy(client->target + sizeof(version) - 1, request->operation, length + 1);
    outgoing->headers[0] = (struct http_header){"Content-Type", "application/x-amz-json-1.0"};
    outgoing->headers[1] = (struct http_header){"X-Amz-Target", client->target};
    outgoing->header_count = 2;
    if (sign(client, request, outgoing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* not before signing, which may wait for credentials while the lease runs on */
    return check_lease(request->detail, outgoing, error);
}

static void report_security(const struct dynamodb_service *service,
                            const struct http_response *from)
{
    if (service->options.database != NULL && from->status != 0) {
        report_link(service->options.database,
                    from->tls_protocol != NULL ? LINK_PEER_VERIFIED
                    : from->loopback           ? LINK_PLAINTEXT_LOOPBACK
                                               : LINK_PLAINTEXT,
                    from->tls_protocol, from->tls_cipher);
    }
}

static void client_judge(void *self, const struct service_request *request, uint64_t mark,
                         struct http_response *from, struct service_reply *reply)
{
    const struct dynamodb_client *client = self;
    report_security(client->service, from);
    dynamodb_client_judge(client->service, request, mark, from, reply);
}

/* ---------------------------------------------------------------- the client */

enum status dynamodb_client_create(struct dynamodb_service *service, uint32_t connections_max,
                                   struct dynamodb_client **client, struct error *error)
{
    static const struct service_functions functions = {.prepare = client_prepare,
                                                       .judge = client_judge};
    struct dynamodb_client *made = memory_allocate_zeroed(1, sizeof(*made));
    *client = NULL;
    made->service = service;
    made->signer = aws_signer_create();
    if (made->signer == NULL) {
        error_set(error, ERROR_MEMORY, NULL, "no memory for signatures");
    } else if (service_client_create(service->service, connections_max, &functions, made,
                                     &made->requests, error) == STATUS_OK) {
        *client = made;
        return STATUS_OK;
    }
    dynamodb_client_destroy(made);
    return STATUS_FAILED;
}

void dynamodb_client_destroy(struct dynamodb_client *client)
{
    if (client != NULL) {
        service_client_destroy(client->requests);
        aws_signer_destroy(client->signer);
        aws_credentials_clear(&client->credentials);
        free(client);
    }
}

/* May it be sent twice without harm when a kept connection turns out to be dead? */
static bool is_repeatable(const char *operation)
{
    static const char *const once[] = {"PutItem", "UpdateItem", "DeleteItem", "CreateTable",
                                       "DeleteTable"};
    for (size_t at = 0; at < sizeof(once) / sizeof(*once); at++) {
        if (strcmp(operation, once[at]) == 0) {
            return false;
        }
    }
    return true;
}

static struct service_request request_of(const struct dynamodb_request *request,
                                         int64_t patience_ms)
{
    return (struct service_request){.operation = request->operation,
                                    .object = request->object,
                                    .body = request->body,
                                    .body_length = request->body_length,
                                    .timeout_ms = request->timeout_ms,
                                    .patience_ms = patience_ms,
                                    .repeatable = is_repeatable(request->operation),
                                    .detail = request->lease,
                                    .context = request->context};
}

enum status dynamodb_client_submit(struct dynamodb_client *client,
                                   const struct dynamodb_request *request, struct error *error)
{
    const struct service_request once = request_of(request, 0);
    return service_submit(client->requests, &once, error);
}

enum status dynamodb_client_poll(struct dynamodb_client *client, int64_t timeout_ms,
                                 struct service_reply **reply, struct error *error)
{
    return service_poll(client->requests, timeout_ms, reply, error);
}

enum status dynamodb_client_call(struct dynamodb_client *client,
                                 const struct dynamodb_request *request,
                                 struct service_reply **reply, struct error *error)
{
    int64_t patience_ms = request->patience_ms == 0  ? SERVICE_PATIENCE
                          : request->patience_ms < 0 ? 0
                                                     : request->patience_ms;
    const struct service_request patient = request_of(request, patience_ms);
    return service_call(client->requests, &patient, reply, error);
}
