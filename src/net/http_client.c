/* The HTTP client: slots with their connections, driven through one epoll; libcurl's part of them
 * through one multi handle. */
#include "net/http_internal.h"

#include "base/clock.h"
#include "base/secret.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    REQUEST_TIMEOUT_MS = 60000,
    RESPONSE_BYTES_MAX = 32 * 1024 * 1024,
    EVENTS_AT_ONCE = 64
};

/* ---------------------------------------------------------------- what libcurl calls */

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct http_client *client = user;
    client->timer_ms = timeout_ms < 0 ? HTTP_TIMER_NONE : clock_monotonic_ms() + timeout_ms;
    return 0;
}

/* Events of libcurl's sockets are told by their lowest bit from those of slots. */
static uint64_t tag_of(curl_socket_t descriptor)
{
    return (uint64_t)(uint32_t)descriptor << 1 | 1;
}

static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *user, void *known)
{
    (void)easy;
    struct http_client *client = user;
    struct epoll_event event = {.data.u64 = tag_of(descriptor)};
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
    ok &= curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
    ok &= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L * client->slot_count) == CURLM_OK;
    return ok;
}

static enum status check_ca_file(const char *path, struct error *error)
{
    if (access(path, R_OK) != 0) {
        error_set_errno(error, ERROR_BAD_VALUE, errno, path,
                        "the file of trusted certificates can't be read");
        error_hint(error, "AWS_CA_BUNDLE, ca_bundle or the connector's option names it");
        return STATUS_FAILED;
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
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for an HTTP client");
    }
    client->epoll = -1;
    client->timer_ms = HTTP_TIMER_NONE;
    client->next_deadline_ms = INT64_MAX;
    client->plaintext_allowed = options->plaintext_allowed;
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    uint32_t count = options->connections_max > 0 ? options->connections_max : 1;
    client->slot_count = count < HTTP_CONNECTIONS_MAX ? count : HTTP_CONNECTIONS_MAX;
    client->slots = calloc(client->slot_count, sizeof(*client->slots));
    client->pool = http_pool_create();
    client->receive = malloc(HTTP_RECEIVE_BYTES);
    client->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
    if (client->slots == NULL || client->pool == NULL || client->receive == NULL ||
        (options->ca_file != NULL && client->ca_file == NULL) || !set_up_multi(client)) {
        http_client_destroy(client);
        return error_set(error, ERROR_MEMORY, NULL, "no memory for an HTTP client");
    }
    for (uint32_t i = client->slot_count; i-- > 0;) {
        client->slots[i].client = client;
        client->slots[i].next_free = client->free_slots;
        client->free_slots = &client->slots[i];
    }
    *out = client;
    return STATUS_OK;
}

static void free_slot(struct http_client *client, struct http_slot *slot)
{
    http_link_close(slot);
    if (slot->easy != NULL) {
        (void)curl_multi_remove_handle(client->multi, slot->easy);
        curl_easy_cleanup(slot->easy);
    }
    if (slot->response != NULL) {
        http_response_destroy(&slot->response->response);
    }
    secret_wipe(slot->text.data, slot->text.capacity);
    buffer_free(&slot->text);
    free(slot->lines);
    free(slot->url);
    free(slot->target);
    free(slot->host_header);
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    for (uint32_t i = 0; client->slots != NULL && i < client->slot_count; i++) {
        free_slot(client, &client->slots[i]);
    }
    while (client->done_first != NULL) {
        struct http_owned_response *owned = client->done_first;
        client->done_first = owned->next;
        http_response_destroy(&owned->response);
    }
    if (client->multi != NULL) {
        curl_multi_cleanup(client->multi);
    }
    if (client->epoll >= 0) {
        close(client->epoll);
    }
    http_pool_close(client->pool);
    free(client->slots);
    free(client->receive);
    free(client->ca_file);
    free(client);
}

uint32_t http_under_way(const struct http_client *client)
{
    return client->under_way + client->done_count;
}

/* ---------------------------------------------------------------- a request on its way out */

static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' && *text != '\t') {
            return false;
        }
        if (*text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f ||
            strchr(":()<>@,;\\\"/[]?={}", *c)) {
            return false;
        }
    }
    return text[0] != '\0';
}

bool http_request_has_header(const struct http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum status check_words(const struct http_slot *slot, const struct http_request *request,
                               struct error *error)
{
    if (!is_token(request->method) || strlen(request->method) >= sizeof(slot->method)) {
        return error_set(error, ERROR_INTERNAL, request->url, "the request has no valid method");
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!is_token(request->headers[i].name) || !is_clean(request->headers[i].value)) {
            return error_set(error, ERROR_INTERNAL, request->url,
                             "a header of the request holds characters that it must not");
        }
    }
    return STATUS_OK;
}

static bool goes_to(const struct http_slot *slot, const struct http_request *request)
{
    return slot->url != NULL && slot->direct == request->direct &&
           strcmp(slot->url, request->url) == 0;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the request");
}

/* The slot's texts; its connection stays if it leads there. */
static enum status keep_url(struct http_slot *slot, const struct http_request *request,
                            const struct http_url *url, struct error *error)
{
    bool same_peer = slot->host_header != NULL && slot->tls == url->tls &&
                     slot->direct == request->direct &&
                     strcmp(slot->host_header, url->host_header) == 0;
    if (!same_peer) {
        http_link_close(slot);
    }
    free(slot->url);
    free(slot->target);
    free(slot->host_header);
    char *target = NULL;
    if (asprintf(&target, "%s%s%s", url->path, url->query != NULL ? "?" : "",
                 url->query != NULL ? url->query : "") < 0) {
        target = NULL;
    }
    slot->target = target;
    slot->url = strdup(request->url);
    slot->host_header = strdup(url->host_header);
    slot->tls = url->tls;
    slot->direct = request->direct;
    slot->through_proxy = !request->direct && !http_host_is_loopback(url->host);
    slot->easy_is_set = false;
    if (slot->url == NULL || slot->target == NULL || slot->host_header == NULL) {
        free(slot->url);
        slot->url = NULL;
        return no_memory(error);
    }
    return STATUS_OK;
}

/* Sets where to, unless the slot's last request went there too. */
static enum status set_url(struct http_client *client, struct http_slot *slot,
                           const struct http_request *request, struct error *error)
{
    if (goes_to(slot, request)) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(1024);
    if (arena == NULL) {
        return no_memory(error);
    }
    struct http_url url;
    enum status status = http_url_parse(request->url, NULL, arena, &url, error);
    if (status == STATUS_OK && !url.tls && !http_host_is_loopback(url.host) &&
        !client->plaintext_allowed) {
        status = error_set(error, ERROR_BAD_VALUE, request->url,
                           "plaintext http:// goes to this machine only");
        error_hint(error, "use https://, or allow plaintext explicitly where the network is "
                          "trusted");
    }
    if (status == STATUS_OK) {
        status = keep_url(slot, request, &url, error);
    }
    arena_destroy(arena);
    return status;
}

/* libcurl knows how plaintext is asked of a proxy. */
static bool is_transfer(const struct http_slot *slot)
{
    return slot->through_proxy && !slot->tls;
}

static enum status prepare_slot(struct http_client *client, struct http_slot *slot,
                                const struct http_request *request, struct error *error)
{
    if (check_words(slot, request, error) != STATUS_OK ||
        set_url(client, slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(slot->method, sizeof(slot->method), "%s", request->method);
    slot->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : REQUEST_TIMEOUT_MS;
    slot->started_ms = request->since_ms != 0 ? request->since_ms : clock_boottime_ms();
    slot->deadline_ms = slot->started_ms + slot->timeout_ms;
    slot->response_bytes_max =
        request->response_bytes_max > 0 ? request->response_bytes_max : RESPONSE_BYTES_MAX;
    slot->repeatable = request->repeatable;
    slot->fault = HTTP_FAULT_NONE;
    slot->sends = 0;
    slot->curl_text[0] = '\0';
    enum status status = is_transfer(slot) ? http_transfer_prepare(slot, request, error)
                                           : http_exchange_prepare(slot, request, error);
    if (status != STATUS_OK) {
        return status;
    }
    slot->response = http_pool_take(client->pool);
    if (slot->response == NULL) {
        return no_memory(error);
    }
    slot->response->response.context = request->context;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what has ended */

static bool has_whole_head(const struct http_slot *slot)
{
    return slot->way == HTTP_WAY_TRANSFER   ? slot->header_complete
           : slot->way == HTTP_WAY_EXCHANGE ? slot->parser.state != HTTP_PARSER_HEAD
                                            : false;
}

static uint32_t status_of(const struct http_slot *slot)
{
    long status = 0;
    if (slot->way == HTTP_WAY_TRANSFER &&
        curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status > 0) {
        return (uint32_t)status;
    }
    return slot->way == HTTP_WAY_EXCHANGE ? slot->parser.status : 0;
}

void http_slot_finish(struct http_slot *slot, CURLcode code)
{
    struct http_client *client = slot->client;
    struct http_owned_response *owned = slot->response;
    owned->response.elapsed_ms = clock_boottime_ms() - slot->started_ms;
    if (slot->fault == HTTP_FAULT_LATE) {
        slot->fault = HTTP_FAULT_NONE;
        code = CURLE_OPERATION_TIMEDOUT;
    }
    struct http_ending ending = {.code = code,
                                 .easy = slot->way == HTTP_WAY_TRANSFER     ? slot->easy
                                         : slot->way == HTTP_WAY_CONNECTING ? slot->link
                                                                            : NULL,
                                 .status = status_of(slot),
                                 .url = slot->url,
                                 .curl_text = slot->curl_text,
                                 .fault = slot->fault,
                                 .header_complete = has_whole_head(slot),
                                 .through_proxy = slot->through_proxy,
                                 .timeout_ms = slot->timeout_ms,
                                 .response_bytes_max = slot->response_bytes_max};
    http_ending_describe(&ending, &owned->response);
    if (slot->way == HTTP_WAY_EXCHANGE) {
        owned->response.loopback = slot->loopback;
        owned->response.tls_protocol = slot->tls_protocol;
        owned->response.tls_cipher = slot->tls_cipher;
    }
    slot->response = NULL;
    slot->way = HTTP_WAY_NONE;
    slot->next_free = client->free_slots;
    client->free_slots = slot;
    client->under_way--;
    if (client->done_last == NULL) {
        client->done_first = owned;
    } else {
        client->done_last->next = owned;
    }
    client->done_last = owned;
    client->done_count++;
}

static void collect_done(struct http_client *client)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message is gone once the handle is removed */
        struct http_slot *slot = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
        if (slot->way == HTTP_WAY_CONNECTING && easy == slot->link) {
            http_exchange_connected(slot, code);
        } else if (slot->way == HTTP_WAY_TRANSFER && easy == slot->easy) {
            (void)curl_multi_remove_handle(client->multi, easy);
            http_slot_finish(slot, code);
            /* Up to 8.1.0 a handle that is used again, and gets a folded header line first thing,
             * works on freed memory (https://github.com/curl/curl/issues/11101). */
            curl_easy_cleanup(easy);
            slot->easy = NULL;
            slot->easy_is_set = false;
            slot->easy_method[0] = '\0';
        }
    }
}

/* ---------------------------------------------------------------- out and in */

/* Lets libcurl act on a socket or on its timer. */
static enum status act(struct http_client *client, curl_socket_t descriptor, int mask,
                       struct error *error)
{
    int running = 0;
    if (descriptor == CURL_SOCKET_TIMEOUT) {
        client->timer_ms = HTTP_TIMER_NONE;
    }
    CURLMcode code = curl_multi_socket_action(client->multi, descriptor, mask, &running);
    if (code != CURLM_OK) {
        return error_set(error, code == CURLM_OUT_OF_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL, NULL,
                         "the HTTP library failed: %s", curl_multi_strerror(code));
    }
    return STATUS_OK;
}

/* The free slot whose connection leads there, else one without any, else the first. */
static struct http_slot *take_slot(struct http_client *client, const struct http_request *request)
{
    struct http_slot **best = &client->free_slots;
    for (struct http_slot **at = &client->free_slots; *at != NULL; at = &(*at)->next_free) {
        if (goes_to(*at, request)) {
            best = at;
            break;
        }
        if ((*best)->link != NULL && (*at)->link == NULL) {
            best = at;
        }
    }
    struct http_slot *slot = *best;
    *best = slot->next_free;
    slot->next_free = NULL;
    return slot;
}

static enum status begin(struct http_client *client, struct http_slot *slot, struct error *error)
{
    if (!is_transfer(slot)) {
        return http_exchange_begin(slot, error);
    }
    slot->way = HTTP_WAY_TRANSFER;
    CURLMcode code = curl_multi_add_handle(client->multi, slot->easy);
    if (code == CURLM_OK) {
        return STATUS_OK;
    }
    return error_set(error, code == CURLM_OUT_OF_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL, NULL,
                     "the HTTP library failed: %s", curl_multi_strerror(code));
}

/* Begins a request on a free slot. `*response` is what http_poll will give; it may be among those
 * already. */
static enum status submit_to(struct http_client *client, struct http_slot *slot,
                             const struct http_request *request,
                             struct http_owned_response **response, struct error *error)
{
    enum status status = prepare_slot(client, slot, request, error);
    if (status == STATUS_OK) {
        *response = slot->response;
        client->under_way++;
        if (slot->deadline_ms < client->next_deadline_ms) {
            client->next_deadline_ms = slot->deadline_ms;
        }
        status = begin(client, slot, error);
        if (status == STATUS_OK) {
            return status;
        }
        client->under_way--;
        http_response_destroy(&slot->response->response);
        slot->response = NULL;
    }
    slot->way = HTTP_WAY_NONE;
    slot->next_free = client->free_slots;
    client->free_slots = slot;
    return status;
}

enum status http_submit(struct http_client *client, const struct http_request *request,
                        struct error *error)
{
    struct http_owned_response *response = NULL;
    if (client->free_slots == NULL) {
        return STATUS_AGAIN;
    }
    if (submit_to(client, take_slot(client, request), request, &response, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Sent now, so that the server works while the caller makes its next request; a failure shows
     * again at the next poll. */
    if (client->timer_ms != HTTP_TIMER_NONE && client->timer_ms <= clock_monotonic_ms()) {
        (void)act(client, CURL_SOCKET_TIMEOUT, 0, NULL);
        collect_done(client);
    }
    return STATUS_OK;
}

/* Ends what has run out of time. */
static void expire(struct http_client *client)
{
    int64_t now_ms = clock_boottime_ms();
    if (now_ms < client->next_deadline_ms) {
        return;
    }
    client->next_deadline_ms = INT64_MAX;
    for (uint32_t i = 0; i < client->slot_count; i++) {
        struct http_slot *slot = &client->slots[i];
        bool ours = slot->way == HTTP_WAY_CONNECTING || slot->way == HTTP_WAY_EXCHANGE;
        if (ours && slot->deadline_ms <= now_ms) {
            http_exchange_expire(slot);
        } else if (ours && slot->deadline_ms < client->next_deadline_ms) {
            client->next_deadline_ms = slot->deadline_ms;
        }
    }
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

/* Waits for sockets and timers once, and acts on them. */
static enum status step(struct http_client *client, int64_t deadline_ms, struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t now_ms = clock_monotonic_ms();
    int count =
        epoll_wait(client->epoll, events, EVENTS_AT_ONCE, wait_time(client, now_ms, deadline_ms));
    if (count < 0 && errno != EINTR) {
        return error_set_errno(error, ERROR_INTERNAL, errno, NULL, "waiting for sockets failed");
    }
    for (int i = 0; i < count; i++) {
        uint32_t got = events[i].events;
        if ((events[i].data.u64 & 1) == 0) {
            http_exchange_act(events[i].data.ptr);
            continue;
        }
        int mask = (got & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (got & EPOLLERR ? CURL_CSELECT_ERR : 0);
        if (act(client, (curl_socket_t)(events[i].data.u64 >> 1), mask, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (client->timer_ms != HTTP_TIMER_NONE && client->timer_ms <= clock_monotonic_ms() &&
        act(client, CURL_SOCKET_TIMEOUT, 0, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    collect_done(client);
    expire(client);
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
        if (step(client, deadline_ms, error) != STATUS_OK) {
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
        if (step(client, clock_monotonic_ms() + 1000, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    struct http_owned_response *owned = NULL;
    if (submit_to(client, take_slot(client, request), request, &owned, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (!take_done(client, owned)) {
        if (step(client, clock_monotonic_ms() + 1000, error) != STATUS_OK) {
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
