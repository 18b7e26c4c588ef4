/* The HTTP client: libcurl's multi handle driven through one epoll, and the requests under way. */
#include "net/http_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 10000, EVENTS_AT_ONCE = 64 };

/* ---------------------------------------------------------------- what libcurl calls */

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct http_client *client = user;
    client->timer_ms = timeout_ms < 0 ? HTTP_TIMER_NONE : clock_monotonic_ms() + timeout_ms;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *user, void *known)
{
    struct http_client *client = user;
    struct http_slot *slot = NULL;
    struct epoll_event event = {.data.fd = descriptor};
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot) == CURLE_OK && slot != NULL) {
        slot->waits_to_send = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    }
    if (what == CURL_POLL_REMOVE) {
        /* fails if the descriptor was closed before: then it is gone from the set anyway */
        (void)epoll_ctl(client->epoll, EPOLL_CTL_DEL, descriptor, &event);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    int action = known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(client->epoll, action, descriptor, &event) != 0) {
        action = action == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (epoll_ctl(client->epoll, action, descriptor, &event) != 0) {
            return -1;
        }
    }
    (void)curl_multi_assign(client->multi, descriptor, client);
    return 0;
}

/* ---------------------------------------------------------------- making and ending a client */

static void initialize_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_up_multi(struct http_client *client)
{
    client->multi = curl_multi_init();
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client->multi == NULL || client->epoll < 0) {
        return false;
    }
    CURLM *multi = client->multi;
    bool ok = true;
    ok &= curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK;
    ok &= curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK;
    ok &= curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK;
    ok &= curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) == CURLM_OK;
    /* a connection for each request under way, with HTTP/2 too */
    ok &= curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
    ok &= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->slot_count) == CURLM_OK;
    return ok;
}

static enum status check_ca_file(const char *path, struct error *error)
{
    if (access(path, R_OK) != 0) {
        error_set_errno(error, ERROR_BAD_VALUE, errno, path,
                        "the file of trusted certificates can't be read");
        return error_hint(error, "AWS_CA_BUNDLE, ca_bundle or the connector's option names it");
    }
    return STATUS_OK;
}

enum status http_client_create(const struct http_client_options *options, struct http_client **out,
                               struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialize_curl);
    *out = NULL;
    if (options->ca_file != NULL && check_ca_file(options->ca_file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct http_client *client = memory_allocate_zeroed(1, sizeof(*client));
    client->timer_ms = HTTP_TIMER_NONE;
    client->next_deadline_ms = INT64_MAX;
    client->plaintext_allowed = options->plaintext_allowed;
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    uint32_t count = options->connections_max > 0 ? options->connections_max : 1;
    client->slot_count = count < HTTP_CONNECTIONS_MAX ? count : HTTP_CONNECTIONS_MAX;
    client->slots = memory_allocate_zeroed(client->slot_count, sizeof(*client->slots));
    client->pool = http_pool_create();
    client->ca_file = options->ca_file == NULL ? NULL : memory_copy_string(options->ca_file);
    if (!set_up_multi(client)) {
        http_client_destroy(client);
        return error_set(error, ERROR_INTERNAL, NULL, "the HTTP library could not be set up");
    }
    for (uint32_t i = client->slot_count; i-- > 0;) {
        client->slots[i].client = client;
        client->slots[i].next_free = client->free_slots;
        client->free_slots = &client->slots[i];
    }
    *out = client;
    return STATUS_OK;
}

/* Takes the transfer out of libcurl's hands; a connection in the middle of an answer is closed. */
static void end_transfer(struct http_slot *slot)
{
    (void)curl_multi_remove_handle(slot->client->multi, slot->easy);
    curl_easy_cleanup(slot->easy);
    slot->easy = NULL;
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    for (uint32_t i = 0; i < client->slot_count; i++) {
        struct http_slot *slot = &client->slots[i];
        if (slot->easy != NULL) {
            end_transfer(slot);
            http_response_destroy(&slot->response->response);
        }
        http_slot_release(slot);
    }
    while (client->done_first != NULL) {
        struct http_owned_response *owned = client->done_first;
        client->done_first = owned->next;
        http_response_destroy(&owned->response);
    }
    curl_multi_cleanup(client->multi);
    if (client->epoll >= 0) {
        close(client->epoll);
    }
    http_pool_close(client->pool);
    free(client->slots);
    free(client->sockets);
    free(client->ca_file);
    free(client);
}

/* ---------------------------------------------------------------- what has ended */

static void free_slot(struct http_slot *slot)
{
    slot->response = NULL;
    slot->next_free = slot->client->free_slots;
    slot->client->free_slots = slot;
}

static void http_client_finish(struct http_slot *slot, CURLcode code)
{
    struct http_client *client = slot->client;
    struct http_owned_response *owned = slot->response;
    owned->response.elapsed_ms = clock_boottime_ms() - slot->started_ms;
    http_slot_describe(slot, code);
    end_transfer(slot);
    free_slot(slot);
    client->under_way--;
    if (client->done_last == NULL) {
        client->done_first = owned;
    } else {
        client->done_last->next = owned;
    }
    client->done_last = owned;
    client->done_count++;
}

/* Nothing of the request was sent. */
static void begin_on_new_connection(struct http_slot *slot)
{
    CURLM *multi = slot->client->multi;
    slot->fault = HTTP_FAULT_NONE;
    slot->curl_text[0] = '\0';
    (void)curl_multi_remove_handle(multi, slot->easy);
    if (curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK ||
        curl_multi_add_handle(multi, slot->easy) != CURLM_OK) {
        http_client_finish(slot, CURLE_OUT_OF_MEMORY);
    }
}

static void collect_done(struct http_client *client)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct http_slot *slot = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot) != CURLE_OK) {
            continue;
        }
        if (slot->fault == HTTP_FAULT_STALE) {
            begin_on_new_connection(slot);
        } else {
            http_client_finish(slot, message->data.result);
        }
    }
}

/* A whole request has gone out, and nothing but its answer is to come. HTTP/2 may wait for room to
 * send without saying so. */
static bool is_sent_whole(const struct http_slot *slot)
{
    return slot->response->response.sent && !slot->waits_to_send && !slot->http2;
}

/* Ends what has run out of time; `even_sent`: also what only waits for its answer. */
static void expire(struct http_client *client, bool even_sent)
{
    int64_t now_ms = clock_boottime_ms();
    if (now_ms < client->next_deadline_ms) {
        return;
    }
    client->next_deadline_ms = INT64_MAX;
    for (uint32_t i = 0; i < client->slot_count; i++) {
        struct http_slot *slot = &client->slots[i];
        if (slot->easy != NULL && slot->deadline_ms <= now_ms &&
            (even_sent || !is_sent_whole(slot))) {
            http_client_finish(slot, CURLE_OPERATION_TIMEDOUT);
        } else if (slot->easy != NULL && slot->deadline_ms < client->next_deadline_ms) {
            client->next_deadline_ms = slot->deadline_ms;
        }
    }
}

/* ---------------------------------------------------------------- out and in */

static enum status http_client_fail(CURLMcode code, struct error *error)
{
    return error_set(error, code == CURLM_OUT_OF_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL, NULL,
                     "the HTTP library failed: %s", curl_multi_strerror(code));
}

/* Lets libcurl act on a socket or on its timer. */
static enum status http_client_act(struct http_client *client, curl_socket_t descriptor, int mask,
                                   struct error *error)
{
    int running = 0;
    if (descriptor == CURL_SOCKET_TIMEOUT) {
        client->timer_ms = HTTP_TIMER_NONE;
    }
    CURLMcode code = curl_multi_socket_action(client->multi, descriptor, mask, &running);
    return code == CURLM_OK ? STATUS_OK : http_client_fail(code, error);
}

static enum status act_on_timer(struct http_client *client, struct error *error)
{
    bool due = client->timer_ms != HTTP_TIMER_NONE && client->timer_ms <= clock_monotonic_ms();
    return due ? http_client_act(client, CURL_SOCKET_TIMEOUT, 0, error) : STATUS_OK;
}

/* Begins a request on a free slot. `*response` is what http_poll will give; it may be among those
 * already. */
static enum status submit(struct http_client *client, const struct http_request *request,
                          struct http_owned_response **response, struct error *error)
{
    struct http_slot *slot = client->free_slots;
    if (http_slot_prepare(slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    CURLMcode code = curl_multi_add_handle(client->multi, slot->easy);
    client->free_slots = slot->next_free;
    if (code != CURLM_OK) {
        end_transfer(slot);
        http_response_destroy(&slot->response->response);
        free_slot(slot);
        return http_client_fail(code, error);
    }
    *response = slot->response;
    client->under_way++;
    if (slot->deadline_ms < client->next_deadline_ms) {
        client->next_deadline_ms = slot->deadline_ms;
    }
    return STATUS_OK;
}

enum status http_submit(struct http_client *client, const struct http_request *request,
                        struct error *error)
{
    struct http_owned_response *response = NULL;
    if (client->free_slots == NULL) {
        return STATUS_AGAIN;
    }
    if (submit(client, request, &response, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Sent now, so that the server works while the caller makes its next request; a failure shows
     * again at the next poll. */
    (void)act_on_timer(client, NULL);
    collect_done(client);
    return STATUS_OK;
}

/* How long to wait at most: until `deadline_ms`, a request's, or until libcurl wants to be called.
 */
static int wait_time(const struct http_client *client, int64_t now_ms, int64_t deadline_ms)
{
    int64_t until = deadline_ms;
    if (client->timer_ms != HTTP_TIMER_NONE && client->timer_ms < until) {
        until = client->timer_ms;
    }
    int64_t wait = until - now_ms;
    if (client->next_deadline_ms != INT64_MAX) {
        int64_t left = client->next_deadline_ms - clock_boottime_ms();
        wait = left < wait ? left : wait;
    }
    return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

/* Waits for sockets and timers once, and acts on them. The process may have been stopped meanwhile,
 * or the caller did not poll for long: nothing is sent of requests whose time is over, but answers
 * that came are taken. */
static enum status http_client_step(struct http_client *client, int64_t deadline_ms,
                                    struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t now_ms = clock_monotonic_ms();
    int count =
        epoll_wait(client->epoll, events, EVENTS_AT_ONCE, wait_time(client, now_ms, deadline_ms));
    if (count < 0 && errno != EINTR) {
        return error_set_errno(error, ERROR_INTERNAL, errno, NULL, "waiting for sockets failed");
    }
    expire(client, false);
    for (int i = 0; i < count; i++) {
        uint32_t got = events[i].events;
        int mask = (got & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (got & EPOLLERR ? CURL_CSELECT_ERR : 0);
        if (http_client_act(client, events[i].data.fd, mask, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (act_on_timer(client, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    collect_done(client);
    expire(client, true);
    return STATUS_OK;
}

static struct http_owned_response *take_first_done(struct http_client *client)
{
    struct http_owned_response *owned = client->done_first;
    client->done_first = owned->next;
    if (client->done_first == NULL) {
        client->done_last = NULL;
    }
    client->done_count--;
    owned->next = NULL;
    return owned;
}

enum status http_poll(struct http_client *client, int64_t timeout_ms,
                      struct http_response **response, struct error *error)
{
    int64_t deadline_ms = clock_monotonic_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    *response = NULL;
    bool looked = false;
    while (client->done_first == NULL) {
        if (client->under_way == 0) {
            return STATUS_END;
        }
        if (looked && clock_monotonic_ms() >= deadline_ms) {
            return STATUS_AGAIN;
        }
        if (http_client_step(client, deadline_ms, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        looked = true;
    }
    *response = &take_first_done(client)->response;
    return STATUS_OK;
}

/* Takes `wanted` out of the list of those that have ended; false: it has not. */
static bool take_done(struct http_client *client, const struct http_owned_response *wanted)
{
    struct http_owned_response *before = NULL;
    for (struct http_owned_response *owned = client->done_first; owned != NULL;
         before = owned, owned = owned->next) {
        if (owned != wanted) {
            continue;
        }
        if (before == NULL) {
            (void)take_first_done(client);
            return true;
        }
        before->next = owned->next;
        client->done_last = client->done_last == owned ? before : client->done_last;
        client->done_count--;
        owned->next = NULL;
        return true;
    }
    return false;
}

enum status http_perform(struct http_client *client, const struct http_request *request,
                         struct http_response **response, struct error *error)
{
    if (response != NULL) {
        *response = NULL;
    }
    while (client->free_slots == NULL) {
        if (http_client_step(client, clock_monotonic_ms() + 1000, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    struct http_owned_response *owned = NULL;
    if (submit(client, request, &owned, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (!take_done(client, owned)) {
        if (http_client_step(client, clock_monotonic_ms() + 1000, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    enum status status = owned->response.error.code == ERROR_NONE ? STATUS_OK : STATUS_FAILED;
    if (status != STATUS_OK) {
        error_copy(error, &owned->response.error);
    }
    if (response != NULL) {
        *response = &owned->response;
    } else {
        http_response_destroy(&owned->response);
    }
    return status;
}
