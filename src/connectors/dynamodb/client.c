/* Requests to DynamoDB: signed, sent, and for control work tried again until they end. */
#include "connectors/dynamodb/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/dynamodb/client_internal.h"
#include "connectors/lease.h"
#include "connectors/report.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    RESPONSE_BYTES_MAX = 32 * 1024 * 1024, /* a page is at most 16 MB and some */
    BACKOFF_BASE_MS = 50,
    BACKOFF_MAX_MS = 20000,
    FIRST_CONTACT_MS = 10000,
    SAID_AFTER_MS = 5000,
    BACKOFF_DOUBLINGS_MAX = 16,
    SLEEP_SLICE_MS = 50,
    TARGET_BYTES = 96
};

struct dynamodb_client {
    struct dynamodb_service *service;
    struct http_client *http;
    struct aws_signer *signer;
    struct aws_credentials credentials;
    struct dynamodb_call *calls; /* under way */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a request");
}

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
    service->url = service->endpoint.url;
    service->ca_file = options->ca_file != NULL
                           ? arena_copy_string(service->arena, options->ca_file)
                           : aws_config_ca_file(service->config);
    return service->region != NULL ? STATUS_OK : no_memory(error);
}

enum status dynamodb_service_create(const struct dynamodb_service_options *options,
                                    struct dynamodb_service **service, struct error *error)
{
    struct dynamodb_service *made = (struct dynamodb_service *)calloc(1, sizeof(*made));
    *service = NULL;
    if (made == NULL || (made->arena = arena_create(1024)) == NULL) {
        free(made);
        return no_memory(error);
    }
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
    return service->url;
}

/* ---------------------------------------------------------------- the client */

enum status dynamodb_client_create(struct dynamodb_service *service, uint32_t connections_max,
                                   struct dynamodb_client **client, struct error *error)
{
    struct dynamodb_client *made = (struct dynamodb_client *)calloc(1, sizeof(*made));
    const struct http_client_options options = {.connections_max = connections_max,
                                                .ca_file = service->ca_file,
                                                .plaintext_allowed =
                                                    service->options.plaintext_allowed};
    *client = NULL;
    if (made == NULL) {
        return no_memory(error);
    }
    made->service = service;
    made->signer = aws_signer_create();
    enum status status =
        made->signer != NULL ? http_client_create(&options, &made->http, error) : no_memory(error);
    if (status != STATUS_OK) {
        dynamodb_client_destroy(made);
        return status;
    }
    *client = made;
    return STATUS_OK;
}

static void end_call(struct dynamodb_call *call)
{
    *call->link = call->next;
    if (call->next != NULL) {
        call->next->link = call->link;
    }
    free(call);
}

void dynamodb_client_destroy(struct dynamodb_client *client)
{
    if (client == NULL) {
        return;
    }
    http_client_destroy(client->http);
    struct dynamodb_call *following = NULL;
    for (struct dynamodb_call *call = client->calls; call != NULL; call = following) {
        following = call->next;
        free(call);
    }
    aws_signer_destroy(client->signer);
    aws_credentials_clear(&client->credentials);
    free(client);
}

/* What may be sent twice without harm when a kept connection turns out to be dead. */
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

static enum status sign(struct dynamodb_client *client, const struct dynamodb_request *request,
                        struct http_header *headers, uint32_t *count, struct error *error)
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
                                          .headers = headers,
                                          .header_count = *count,
                                          .payload = request->body,
                                          .payload_length = request->body_length,
                                          .region = service->region,
                                          .service = "dynamodb",
                                          .time_ms = aws_clock_now_ms(&service->clock),
                                          .credentials = &client->credentials};
    if (aws_sign(client->signer, &what, &added, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    memcpy(headers + *count, added.headers, added.header_count * sizeof(*headers));
    *count += added.header_count;
    return STATUS_OK;
}

static int64_t timeout_of(const struct dynamodb_client *client,
                          const struct dynamodb_request *request)
{
    return request->timeout_ms > 0 ? request->timeout_ms : client->service->options.timeout_ms;
}

static enum status send(struct dynamodb_client *client, const struct dynamodb_request *request,
                        struct dynamodb_call *call, struct error *error)
{
    struct dynamodb_service *service = client->service;
    struct http_header headers[2 + AWS_SIGNED_HEADERS_MAX];
    uint32_t count = 2;
    char target[TARGET_BYTES] = "DynamoDB_20120810.";
    size_t used = strlen(target);
    size_t length = strlen(request->operation);
    if (used + length >= sizeof(target)) {
        return error_set(error, ERROR_INTERNAL, NULL, "an operation's name is too long");
    }
    memcpy(target + used, request->operation, length + 1);
    headers[0] = (struct http_header){"Content-Type", "application/x-amz-json-1.0"};
    headers[1] = (struct http_header){"X-Amz-Target", target};
    if (sign(client, request, headers, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    call->generation = client->credentials.generation;
    int64_t timeout_ms = timeout_of(client, request);
    /* not before signing, which may wait for credentials while the lease runs on */
    if (request->lease != NULL && client->calls == NULL &&
        lease_wait(request->lease, timeout_ms, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* The lease outlasts what is sent until `timeout_ms` from here, however long the process stands
     * still between. */
    int64_t since_ms = clock_boottime_ms();
    if (request->lease != NULL && lease_check(request->lease, timeout_ms, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct http_request sent = {.method = "POST",
                                      .url = service->url,
                                      .headers = headers,
                                      .header_count = count,
                                      .body = request->body,
                                      .body_length = request->body_length,
                                      .timeout_ms = timeout_ms,
                                      .since_ms = since_ms,
                                      .response_bytes_max = RESPONSE_BYTES_MAX,
                                      .repeatable = is_repeatable(request->operation),
                                      .context = call};
    return http_submit(client->http, &sent, error);
}

enum status dynamodb_client_submit(struct dynamodb_client *client,
                                   const struct dynamodb_request *request, struct error *error)
{
    struct dynamodb_call *call = (struct dynamodb_call *)calloc(1, sizeof(*call));
    if (call == NULL) {
        return no_memory(error);
    }
    call->operation = request->operation;
    call->object = request->object;
    call->context = request->context;
    enum status status = send(client, request, call, error);
    if (status != STATUS_OK) {
        free(call);
        return status;
    }
    call->next = client->calls;
    call->link = &client->calls;
    if (call->next != NULL) {
        call->next->link = &call->next;
    }
    client->calls = call;
    return STATUS_OK;
}

static void tell_link(const struct dynamodb_service *service, const struct http_response *from)
{
    if (service->options.database != NULL && from->status != 0) {
        report_link(service->options.database,
                    from->tls_protocol != NULL ? LINK_PEER_VERIFIED
                    : from->loopback           ? LINK_PLAINTEXT_LOOPBACK
                                               : LINK_PLAINTEXT,
                    from->tls_protocol, from->tls_cipher);
    }
}

enum status dynamodb_client_poll(struct dynamodb_client *client, int64_t timeout_ms,
                                 struct dynamodb_response **response, struct error *error)
{
    struct http_response *from = NULL;
    *response = NULL;
    enum status status = http_poll(client->http, timeout_ms, &from, error);
    if (status != STATUS_OK) {
        return status;
    }
    tell_link(client->service, from);
    struct dynamodb_call *call = (struct dynamodb_call *)from->context;
    struct dynamodb_response *made = (struct dynamodb_response *)calloc(1, sizeof(*made));
    if (made == NULL) {
        status = no_memory(error);
    } else {
        dynamodb_client_judge(client->service, call, from, made);
        *response = made;
    }
    http_response_destroy(from);
    end_call(call);
    return status;
}

void dynamodb_response_destroy(struct dynamodb_response *response)
{
    if (response != NULL) {
        buffer_free(&response->body);
        free(response);
    }
}

/* ---------------------------------------------------------------- control work */

int64_t dynamodb_client_backoff_ms(uint32_t failures, int64_t hint_ms)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
        random = (uint64_t)clock_monotonic_ns() * 6364136223846793005u;
    }
    if (hint_ms > 0) {
        return hint_ms + (int64_t)(random % (uint64_t)(hint_ms / 10 + 1));
    }
    uint32_t doublings = failures < BACKOFF_DOUBLINGS_MAX ? failures : BACKOFF_DOUBLINGS_MAX;
    int64_t cap = (int64_t)BACKOFF_BASE_MS << doublings;
    return (int64_t)(random % (uint64_t)((cap < BACKOFF_MAX_MS ? cap : BACKOFF_MAX_MS) + 1));
}

static bool is_stopped(const struct dynamodb_client *client)
{
    const _Atomic bool *stopped = client->service->options.stopped;
    return signals_stop_level() >= 2 || (stopped != NULL && atomic_load(stopped));
}

static void wait_ms(const struct dynamodb_client *client, int64_t delay_ms)
{
    int64_t until = clock_monotonic_ms() + delay_ms;
    int64_t left = delay_ms;
    while (left > 0 && !is_stopped(client)) {
        clock_sleep_ms(left < SLEEP_SLICE_MS ? left : SLEEP_SLICE_MS);
        left = until - clock_monotonic_ms();
    }
}

/* One try; STATUS_FAILED only when nothing could be sent. */
static enum status try_once(struct dynamodb_client *client, const struct dynamodb_request *request,
                            struct dynamodb_response **response, struct error *error)
{
    enum status status = dynamodb_client_submit(client, request, error);
    while (status == STATUS_OK || status == STATUS_AGAIN) {
        status = dynamodb_client_poll(client, SLEEP_SLICE_MS, response, error);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
    }
    return status == STATUS_END ? error_set(error, ERROR_INTERNAL, NULL, "a request got lost")
                                : status;
}

static bool is_settled(const struct dynamodb_response *response)
{
    return response->fault == DYNAMODB_FAULT_NONE || response->fault >= DYNAMODB_FAULT_CONDITION;
}

/* An address where nobody has ever answered is a wrong region or endpoint rather than an outage. */
static bool never_reached(struct dynamodb_client *client, const struct dynamodb_response *answer)
{
    if (answer->fault != DYNAMODB_FAULT_NETWORK || answer->unknown_outcome) {
        atomic_store(&client->service->answered, true);
    }
    return !atomic_load(&client->service->answered);
}

/* Nothing else shows that a request of the preparation is made for minutes. */
static void say_waiting(const struct error *error, int64_t left_ms)
{
    char left[32];
    text_human_seconds((double)left_ms / 1000, left, sizeof(left));
    log_write(LOG_WARNING, "%s: %s; trying again for %s", error->object, error->message, left);
}

enum status dynamodb_client_call(struct dynamodb_client *client,
                                 const struct dynamodb_request *request,
                                 struct dynamodb_response **response, struct error *error)
{
    int64_t first_ms = clock_monotonic_ms();
    int64_t give_up_ms =
        first_ms +
        (request->patience_ms != 0 ? request->patience_ms : client->service->options.patience_ms);
    bool unknown = false;
    bool said = false;
    *response = NULL;
    for (uint32_t failures = 0;; failures++) {
        struct dynamodb_response *answer = NULL;
        int64_t begun_ms = clock_monotonic_ms();
        enum status status = try_once(client, request, &answer, error);
        int64_t stood_ms = clock_monotonic_ms() - begun_ms - timeout_of(client, request);
        if (stood_ms > 0) { /* the process stood still, and nobody was asked meanwhile */
            first_ms += stood_ms;
            give_up_ms += stood_ms;
        }
        if (status == STATUS_OK && is_settled(answer)) {
            atomic_store(&client->service->answered, true);
            answer->unknown_outcome = unknown;
            *response = answer;
            return STATUS_OK;
        }
        if (status == STATUS_OK) {
            unknown = unknown || answer->unknown_outcome;
            error_copy(error, &answer->error);
            if (never_reached(client, answer)) {
                give_up_ms = give_up_ms < first_ms + FIRST_CONTACT_MS ? give_up_ms
                                                                      : first_ms + FIRST_CONTACT_MS;
                if (error->hint[0] == '\0') {
                    error_hint(error, "check the region, the endpoint and the network");
                }
            }
            dynamodb_response_destroy(answer);
        }
        int64_t delay = dynamodb_client_backoff_ms(failures, error->retry_after_ms);
        if (error->class != ERROR_CLASS_RETRY || error->code == ERROR_LEASE_SHORT ||
            request->patience_ms < 0 || is_stopped(client)) {
            return STATUS_FAILED;
        }
        if (clock_monotonic_ms() + delay > give_up_ms) {
            error_context(error, "given up after %" PRIu32 " tries: ", failures + 1);
            bool throttled =
                error->code == ERROR_SOURCE_THROTTLED || error->code == ERROR_TARGET_THROTTLED;
            error->class = throttled ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
            return STATUS_FAILED;
        }
        int64_t now_ms = clock_monotonic_ms();
        if (!said && now_ms + delay >= first_ms + SAID_AFTER_MS) {
            say_waiting(error, give_up_ms - now_ms);
            said = true;
        }
        log_write(LOG_DEBUG, "%s: try %" PRIu32 " in %" PRId64 " ms after: %s", request->operation,
                  failures + 2, delay, error->message);
        wait_ms(client, delay);
    }
}
