/* Requests to a service: prepared, sent, judged, and tried again until they end. */
#include "net/service_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/retry.h"
#include "base/secret.h"
#include "base/signals.h"
#include "base/text.h"
#include <inttypes.h>
#include <string.h>

enum {
    FIRST_CONTACT_MS = 10000, /* patience with an address where nobody ever answered */
    REPORTED_AFTER_MS = 5000,
    POLL_MS = 1000
};

/* ---------------------------------------------------------------- one try */

static const char *url_of(struct service_client *client, const struct service_request *request)
{
    const char *url = client->service->options.url;
    if (request->path == NULL) {
        return url;
    }
    size_t length = strlen(url);
    bool doubled = length > 0 && url[length - 1] == '/' && request->path[0] == '/';
    buffer_clear(&client->url);
    buffer_append(&client->url, url, doubled ? length - 1 : length);
    buffer_append_string(&client->url, request->path);
    return buffer_string(&client->url);
}

static enum status send_once(struct service_client *client, struct service_call *call,
                             struct error *error)
{
    const struct service_request *request = &call->request;
    struct service_outgoing outgoing;
    if (request->header_count > SERVICE_HEADERS_MAX) {
        return error_set(error, ERROR_INTERNAL, request->object, "a request has too many headers");
    }
    if (request->header_count > 0) {
        memcpy(outgoing.headers, request->headers,
               request->header_count * sizeof(*request->headers));
    }
    outgoing.header_count = request->header_count;
    outgoing.timeout_ms = request->timeout_ms;
    outgoing.since_ms = clock_boottime_ms();
    outgoing.mark = 0;
    outgoing.alone = client->call_count == 0 || (client->call_count == 1 && client->calls == call);
    outgoing.is_final = false;
    call->begun_ms = clock_monotonic_ms();
    if (client->functions->prepare != NULL &&
        client->functions->prepare(client->self, request, &outgoing, error) != STATUS_OK) {
        call->is_final = outgoing.is_final;
        return STATUS_FAILED;
    }
    call->mark = outgoing.mark;
    const struct http_request sent = {.method = request->method,
                                      .url = url_of(client, request),
                                      .headers = outgoing.headers,
                                      .header_count = outgoing.header_count,
                                      .body = request->body,
                                      .body_length = request->body_length,
                                      .timeout_ms = outgoing.timeout_ms,
                                      .since_ms = outgoing.since_ms,
                                      .response_bytes_max =
                                          client->service->options.response_bytes_max,
                                      .repeatable = request->repeatable,
                                      .context = call};
    enum status status = http_submit(client->http, &sent, error);
    if (status == STATUS_OK) {
        call->reply.tries++;
    }
    return status;
}

static void service_request_judge(struct service_client *client, struct service_call *call,
                                  struct http_response *from)
{
    struct service_reply *reply = &call->reply;
    struct error *error = &reply->error;
    reply->verdict = SERVICE_DONE;
    reply->fault = 0;
    reply->unknown_outcome = false;
    reply->status = from->status;
    reply->elapsed_ms = from->elapsed_ms;
    error_clear(error);
    buffer_clear(&reply->body);
    if (client->functions->judge != NULL) {
        client->functions->judge(client->self, &call->request, call->mark, from, reply);
    } else {
        service_judge(client->service, &call->request, from, reply);
    }
    call->is_final = false;
    call->unreached = !from->sent;
    if (from->sent) {
        atomic_store_explicit(&client->service->answered, true, memory_order_relaxed);
    }
    if (reply->verdict != SERVICE_DONE) {
        error->retry_after_ms =
            error->retry_after_ms > 0 ? error->retry_after_ms : service_retry_after_ms(from);
        secret_redact(error->object);
        secret_redact(error->message);
        secret_redact(error->hint);
    }
}

/* ---------------------------------------------------------------- trying again */

int64_t service_backoff_ms(uint32_t failures, int64_t retry_after_ms)
{
    return retry_delay_ms(failures, retry_after_ms, random_uint64());
}

static bool is_stopped(const struct service_client *client)
{
    const _Atomic bool *stopped = client->service->options.stopped;
    return signals_stop_level() >= 2 || (stopped != NULL && atomic_load(stopped));
}

static bool may_pass(const struct service_reply *reply)
{
    return reply->verdict == SERVICE_RETRY || reply->verdict == SERVICE_THROTTLE;
}

/* An address where nobody has ever answered is a wrong address rather than an outage. */
static void bound_first_contact(struct service_client *client, struct service_call *call)
{
    struct error *error = &call->reply.error;
    int64_t end_ms = call->first_ms + FIRST_CONTACT_MS;
    if (!call->unreached || atomic_load(&client->service->answered)) {
        return;
    }
    call->give_up_ms = call->give_up_ms < end_ms ? call->give_up_ms : end_ms;
    if (error->hint[0] == '\0') {
        const struct service_options *options = &client->service->options;
        error_hint(error, "check %s%s and the network",
                   options->contact != NULL ? options->contact : "the address of ",
                   options->contact != NULL ? "" : options->name);
    }
}

/* Nothing else shows that a request is tried for minutes. */
static void report_waiting(struct service_call *call, int64_t now_ms, int64_t delay_ms)
{
    const struct error *error = &call->reply.error;
    if (!call->reported && now_ms + delay_ms >= call->first_ms + REPORTED_AFTER_MS) {
        char left[32];
        text_human_seconds((double)(call->give_up_ms - now_ms) / 1000, left, sizeof(left));
        log_write(LOG_WARNING, "%s: %s; trying again for %s", error->object, error->message, left);
        call->reported = true;
    }
    log_write(LOG_DEBUG, "%s: try %" PRIu32 " in %" PRId64 " ms after: %s", call->request.operation,
              call->reply.tries + 1, delay_ms, error->message);
}

/* After a failure of class RETRY: does the call wait for another try? If not, its error says that
 * patience is spent. */
static bool waits_for_retry(struct service_client *client, struct service_call *call)
{
    struct service_reply *reply = &call->reply;
    struct error *error = &reply->error;
    int64_t now_ms = clock_monotonic_ms();
    int64_t stopped_ms = now_ms - call->begun_ms - call->request.timeout_ms;
    if (call->state == CALL_SENT && stopped_ms > 0) { /* the process was stopped meanwhile */
        call->first_ms += stopped_ms;
        call->give_up_ms += stopped_ms;
    }
    call->unknown = call->unknown || reply->unknown_outcome;
    if (call->request.patience_ms != 0) {
        bound_first_contact(client, call);
    }
    if (!may_pass(reply) || error->class != ERROR_CLASS_RETRY || call->is_final ||
        call->request.patience_ms == 0 || is_stopped(client)) {
        return false;
    }
    int64_t delay_ms = service_backoff_ms(call->failures, error->retry_after_ms);
    if (now_ms + delay_ms > call->give_up_ms) {
        error_context(error, "given up after %" PRIu32 " tries: ", call->failures + 1);
        if (reply->verdict != SERVICE_THROTTLE) {
            error->class = ERROR_CLASS_STOP;
            reply->verdict = SERVICE_STOP;
        }
        return false;
    }
    report_waiting(call, now_ms, delay_ms);
    call->failures++;
    call->due_ms = now_ms + delay_ms;
    call->state = CALL_WAITING;
    return true;
}

/* A try that could not be sent. */
static void take_failure(struct service_call *call, const struct error *error)
{
    call->reply.verdict = error->class == ERROR_CLASS_RETRY ? SERVICE_RETRY : SERVICE_STOP;
    call->reply.unknown_outcome = false;
    call->reply.status = 0;
    call->reply.error = *error;
    call->unreached = false;
}

enum status service_submit(struct service_client *client, const struct service_request *request,
                           struct error *error)
{
    const struct service_options *options = &client->service->options;
    struct error failure;
    if (request->patience_ms != 0 && client->call_count >= client->connections_max) {
        return STATUS_AGAIN;
    }
    struct service_call *call = service_call_take(client);
    call->request = *request;
    call->request.method = request->method != NULL ? request->method : "POST";
    call->request.timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : options->timeout_ms;
    call->first_ms = clock_monotonic_ms();
    call->give_up_ms =
        call->first_ms + (request->patience_ms < 0 ? options->patience_ms : request->patience_ms);
    call->reply.context = request->context;
    enum status status = send_once(client, call, &failure);
    if (status == STATUS_FAILED) {
        take_failure(call, &failure);
        if (waits_for_retry(client, call)) {
            client->unsent_count++;
            status = STATUS_OK;
        } else {
            error_copy(error, &call->reply.error);
        }
    }
    if (status == STATUS_OK) {
        service_call_add(client, call);
    } else {
        service_reply_destroy(&call->reply);
    }
    return status;
}

/* ---------------------------------------------------------------- taking replies */

/* Sends again what is due, and ends what waits if the work is being stopped. */
static void send_due(struct service_client *client)
{
    struct error failure;
    int64_t now_ms = clock_monotonic_ms();
    bool stopped = is_stopped(client);
    for (struct service_call *call = client->calls; call != NULL; call = call->next) {
        if (call->state != CALL_WAITING || (call->due_ms > now_ms && !stopped)) {
            continue;
        }
        enum status status = stopped ? STATUS_FAILED : send_once(client, call, &failure);
        if (status == STATUS_OK) {
            call->state = CALL_SENT;
            client->unsent_count--;
        } else if (status == STATUS_AGAIN) { /* requests without patience take all connections */
            call->due_ms = now_ms + RETRY_SLICE_MS;
        } else {
            if (!stopped) {
                take_failure(call, &failure);
            }
            call->state = waits_for_retry(client, call) ? CALL_WAITING : CALL_ENDED;
        }
    }
}

static int64_t wait_time(const struct service_client *client, int64_t end_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = end_ms;
    if (client->unsent_count > 0 && until_ms > now_ms + RETRY_SLICE_MS) {
        until_ms = now_ms + RETRY_SLICE_MS; /* to see a stop */
    }
    for (const struct service_call *call = client->unsent_count > 0 ? client->calls : NULL;
         call != NULL; call = call->next) {
        if (call->state == CALL_WAITING && call->due_ms < until_ms) {
            until_ms = call->due_ms;
        }
    }
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void hand_over(struct service_client *client, struct service_call *call,
                      struct service_reply **reply)
{
    service_call_remove(client, call);
    call->reply.unknown_outcome = call->reply.unknown_outcome || call->unknown;
    *reply = &call->reply;
}

static bool take_ended(struct service_client *client, struct service_reply **reply)
{
    for (struct service_call *call = client->unsent_count > 0 ? client->calls : NULL; call != NULL;
         call = call->next) {
        if (call->state == CALL_ENDED) {
            client->unsent_count--;
            hand_over(client, call, reply);
            return true;
        }
    }
    return false;
}

/* Waits once for an answer. STATUS_OK: `*reply` is there. STATUS_AGAIN: none yet. */
static enum status receive(struct service_client *client, int64_t wait_ms,
                           struct service_reply **reply, struct error *error)
{
    struct http_response *from = NULL;
    enum status status = http_poll(client->http, wait_ms, &from, error);
    if (status == STATUS_END) {
        clock_sleep_ms(wait_ms);
        return STATUS_AGAIN;
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct service_call *call = from->context;
    service_request_judge(client, call, from);
    http_response_destroy(from);
    if (waits_for_retry(client, call)) {
        client->unsent_count++;
        return STATUS_AGAIN;
    }
    hand_over(client, call, reply);
    return STATUS_OK;
}

enum status service_poll(struct service_client *client, int64_t timeout_ms,
                         struct service_reply **reply, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    *reply = NULL;
    for (;;) {
        if (client->call_count == 0) {
            return STATUS_END;
        }
        if (client->unsent_count > 0) {
            send_due(client);
        }
        if (take_ended(client, reply)) {
            return STATUS_OK;
        }
        enum status status = receive(client, wait_time(client, end_ms), reply, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
        if (clock_monotonic_ms() >= end_ms) {
            return STATUS_AGAIN;
        }
    }
}

enum status service_call(struct service_client *client, const struct service_request *request,
                         struct service_reply **reply, struct error *error)
{
    *reply = NULL;
    enum status status = service_submit(client, request, error);
    if (status == STATUS_OK) {
        do {
            status = service_poll(client, POLL_MS, reply, error);
        } while (status == STATUS_AGAIN);
    }
    if (status == STATUS_AGAIN || status == STATUS_END) {
        return error_set(error, ERROR_INTERNAL, request->object,
                         "a request was made while others are under way");
    }
    if (status == STATUS_OK && (*reply)->verdict != SERVICE_DONE &&
        (*reply)->verdict != SERVICE_REJECT) {
        error_copy(error, &(*reply)->error);
        service_reply_destroy(*reply);
        *reply = NULL;
        status = STATUS_FAILED;
    }
    return status;
}
