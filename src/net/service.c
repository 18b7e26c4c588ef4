/* Services, their clients, and the calls that these keep. */
#include "net/service_internal.h"

#include "base/memory.h"
#include "base/retry.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 60000, SPARE_CALLS_MAX = 64, SPARE_BODY_BYTES_MAX = 256 * 1024 };

/* Calls to use again; lives until its client and the last reply are gone. */
struct service_store {
    pthread_mutex_t mutex; /* replies are given back by threads that share a client */
    struct service_call *spare;
    uint32_t spare_count;
    uint32_t outside;
    bool closed;
};

/* ---------------------------------------------------------------- making and ending */

struct service *service_create(const struct service_options *options)
{
    struct service *service = memory_allocate_zeroed(1, sizeof(*service));
    service->options = *options;
    service->options.name = memory_copy_string(options->name);
    service->options.url = memory_copy_string(options->url);
    service->options.contact =
        options->contact == NULL ? NULL : memory_copy_string(options->contact);
    service->options.ca_file =
        options->ca_file != NULL ? memory_copy_string(options->ca_file) : NULL;
    if (options->timeout_ms <= 0) {
        service->options.timeout_ms = TIMEOUT_MS;
    }
    if (options->patience_ms <= 0) {
        service->options.patience_ms = RETRY_PATIENCE_TIMEOUTS * service->options.timeout_ms;
    }
    return service;
}

void service_destroy(struct service *service)
{
    if (service != NULL) {
        free((void *)(uintptr_t)service->options.name);
        free((void *)(uintptr_t)service->options.url);
        free((void *)(uintptr_t)service->options.contact);
        free((void *)(uintptr_t)service->options.ca_file);
        free(service);
    }
}

const char *service_url(const struct service *service)
{
    return service->options.url;
}

enum status service_client_create(struct service *service, uint32_t connections_max,
                                  const struct service_functions *functions, void *self,
                                  struct service_client **client, struct error *error)
{
    const struct http_client_options options = {
        .connections_max = connections_max,
        .connect_timeout_ms = service->options.connect_timeout_ms,
        .ca_file = service->options.ca_file,
        .plaintext_allowed = service->options.plaintext_allowed};
    struct http_client *http = NULL;
    *client = NULL;
    if (http_client_create(&options, &http, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct service_client *made = memory_allocate_zeroed(1, sizeof(*made));
    made->service = service;
    made->functions = functions;
    made->self = self;
    made->http = http;
    made->connections_max = connections_max > 0 ? connections_max : 1;
    made->store = memory_allocate_zeroed(1, sizeof(*made->store));
    pthread_mutex_init(&made->store->mutex, NULL);
    *client = made;
    return STATUS_OK;
}

static void free_call(struct service_call *call)
{
    buffer_free(&call->reply.body);
    free(call);
}

/* Gives the mutex back that the caller holds, and frees the store where nobody needs it any more.
 */
static void store_leave(struct service_store *store)
{
    bool unused = store->closed && store->outside == 0;
    pthread_mutex_unlock(&store->mutex);
    if (!unused) {
        return;
    }
    while (store->spare != NULL) {
        struct service_call *call = store->spare;
        store->spare = call->next;
        free_call(call);
    }
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

struct service_call *service_call_take(struct service_client *client)
{
    struct service_store *store = client->store;
    pthread_mutex_lock(&store->mutex);
    struct service_call *call = store->spare;
    if (call != NULL) {
        store->spare = call->next;
        store->spare_count--;
    }
    store->outside++;
    pthread_mutex_unlock(&store->mutex);
    if (call != NULL) {
        struct buffer body = call->reply.body;
        memset(call, 0, sizeof(*call));
        call->reply.body = body;
    } else {
        call = memory_allocate_zeroed(1, sizeof(*call));
    }
    call->store = store;
    return call;
}

void service_reply_destroy(struct service_reply *reply)
{
    if (reply == NULL) {
        return;
    }
    struct service_call *call = (struct service_call *)reply;
    struct service_store *store = call->store;
    buffer_clear(&reply->body);
    pthread_mutex_lock(&store->mutex);
    store->outside--;
    bool spare = !store->closed && store->spare_count < SPARE_CALLS_MAX &&
                 reply->body.capacity <= SPARE_BODY_BYTES_MAX;
    if (spare) {
        call->next = store->spare;
        store->spare = call;
        store->spare_count++;
    }
    store_leave(store);
    if (!spare) {
        free_call(call);
    }
}

void service_call_add(struct service_client *client, struct service_call *call)
{
    call->next = client->calls;
    call->link = &client->calls;
    if (call->next != NULL) {
        call->next->link = &call->next;
    }
    client->calls = call;
    client->call_count++;
}

void service_call_remove(struct service_client *client, struct service_call *call)
{
    *call->link = call->next;
    if (call->next != NULL) {
        call->next->link = call->link;
    }
    client->call_count--;
}

void service_client_destroy(struct service_client *client)
{
    if (client == NULL) {
        return;
    }
    http_client_destroy(client->http);
    while (client->calls != NULL) {
        struct service_call *call = client->calls;
        client->calls = call->next;
        service_reply_destroy(&call->reply);
    }
    pthread_mutex_lock(&client->store->mutex);
    client->store->closed = true;
    store_leave(client->store);
    buffer_free(&client->url);
    free(client);
}

uint32_t service_under_way(const struct service_client *client)
{
    return client->call_count;
}
