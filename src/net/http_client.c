/* The HTTP client: slots with their easy handles, driven through one multi handle and one epoll. */
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
    EVENTS_AT_ONCE = 64,
    RECEIVE_BUFFER_BYTES = 64 * 1024,
    SENDS_MAX = 3, /* of a repeatable request */
    TIMER_NONE = -1
};

/* One request under way, or none. The easy handle is kept, so that setting it up is paid for once.
 */
struct http_slot {
    struct http_client *client;
    struct http_slot *next_free;
    CURL *easy;
    struct http_owned_response *response; /* NULL: free */
    struct buffer text;                   /* the header lines, each with a NUL */
    struct curl_slist *lines;             /* nodes of ours over them */
    size_t lines_capacity;
    char *url;
    char method[16];
    bool direct; /* as set on the easy handle */
    bool through_proxy;
    bool repeatable;
    bool header_complete;
    enum http_fault fault;
    uint32_t sends;
    int64_t started_ms;
    int64_t timeout_ms;
    uint64_t response_bytes_max;
    char curl_text[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    int epoll;
    int64_t timer_ms; /* when libcurl wants to be called, by clock_monotonic_ms; TIMER_NONE */
    struct http_pool *pool;
    struct http_slot *slots;
    uint32_t slot_count;
    struct http_slot *free_slots;
    uint32_t under_way;                     /* in slots */
    struct http_owned_response *done_first; /* ended, to be polled */
    struct http_owned_response *done_last;
    uint32_t done_count;
    bool plaintext_allowed;
    int64_t connect_timeout_ms;
    char *ca_file;
};

/* ---------------------------------------------------------------- what libcurl calls */

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct http_client *client = user;
    client->timer_ms = timeout_ms < 0 ? TIMER_NONE : clock_monotonic_ms() + timeout_ms;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *user, void *known)
{
    (void)easy;
    struct http_client *client = user;
    struct epoll_event event = {.data.fd = descriptor};
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

/* Just before the request goes out on a connection: each time that it does. */
static int on_send(void *user, char *peer __attribute__((unused)),
                   char *local __attribute__((unused)), int peer_port, int local_port)
{
    (void)peer_port;
    (void)local_port;
    struct http_slot *slot = user;
    if (slot->sends > 0 && (!slot->repeatable || slot->sends >= SENDS_MAX)) {
        slot->fault = HTTP_FAULT_CONNECTION;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->sends++;
    slot->response->response.sent = true;
    buffer_clear(&slot->response->response.body);
    buffer_clear(&slot->response->response.header_block);
    slot->header_complete = false;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct http_slot *slot = user;
    struct buffer *block = &slot->response->response.header_block;
    size_t length = size * count; /* libcurl: size is 1 */
    if (slot->header_complete && length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        buffer_clear(block); /* the final answer after an interim one */
        slot->header_complete = false;
    }
    if (block->length + length > HTTP_HEADER_BLOCK_BYTES_MAX) {
        slot->fault = HTTP_FAULT_HEADERS;
        return 0;
    }
    buffer_append(block, line, length);
    if (block->failed) {
        slot->fault = HTTP_FAULT_MEMORY;
        return 0;
    }
    if (!slot->header_complete && (line[0] == '\r' || line[0] == '\n')) {
        slot->header_complete = true;
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_slot *slot = user;
    struct buffer *body = &slot->response->response.body;
    size_t length = size * count;
    if (length > slot->response_bytes_max || body->length > slot->response_bytes_max - length) {
        slot->fault = HTTP_FAULT_BODY;
        return 0;
    }
    buffer_append(body, bytes, length);
    if (body->failed) {
        slot->fault = HTTP_FAULT_MEMORY;
        return 0;
    }
    return length;
}

/* ---------------------------------------------------------------- making and ending a client */

static void initialize_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_up_easy(struct http_client *client, struct http_slot *slot)
{
    CURL *easy = slot->easy = curl_easy_init();
    if (easy == NULL) {
        return false;
    }
    bool ok = true;
    ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->curl_text) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    if (client->ca_file != NULL) {
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) == CURLE_OK;
    return ok;
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
    ok &= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->slot_count) == CURLM_OK;
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
    client->timer_ms = TIMER_NONE;
    client->plaintext_allowed = options->plaintext_allowed;
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    uint32_t count = options->connections_max > 0 ? options->connections_max : 1;
    client->slot_count = count < HTTP_CONNECTIONS_MAX ? count : HTTP_CONNECTIONS_MAX;
    client->slots = calloc(client->slot_count, sizeof(*client->slots));
    client->pool = http_pool_create();
    client->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
    if (client->slots == NULL || client->pool == NULL ||
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

static bool has_header(const struct http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One more line of the list that libcurl is given; a NULL value leaves out one that it would add.
 */
static void append_line(struct http_slot *slot, const char *name, const char *value)
{
    buffer_append_string(&slot->text, name);
    /* libcurl sends "Name;" as a header without a value and takes "Name:" as an order to leave out
     */
    buffer_append_string(&slot->text, value == NULL ? ":" : value[0] == '\0' ? ";" : ": ");
    buffer_append_string(&slot->text, value == NULL ? "" : value);
    buffer_append_byte(&slot->text, '\0');
}

static bool reserve_lines(struct http_slot *slot, size_t count)
{
    if (slot->lines_capacity < count) {
        struct curl_slist *lines = reallocarray(slot->lines, count, sizeof(*lines));
        if (lines == NULL) {
            return false;
        }
        slot->lines = lines;
        slot->lines_capacity = count;
    }
    return true;
}

/* The header lines as a list whose nodes and texts are the slot's: libcurl reads, never frees. */
static enum status set_headers(struct http_slot *slot, const struct http_request *request,
                               struct error *error)
{
    static const char *const removed[] = {"Expect", "Accept", "Content-Type"};
    buffer_clear(&slot->text);
    size_t count = 0;
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_token(header->name) || !is_clean(header->value)) {
            return error_set(error, ERROR_INTERNAL, request->url,
                             "a header of the request holds characters that it must not");
        }
        append_line(slot, header->name, header->value);
        count++;
    }
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
        if (!has_header(request, removed[i])) {
            append_line(slot, removed[i], NULL);
            count++;
        }
    }
    if (!has_header(request, "User-Agent")) {
        append_line(slot, "User-Agent", "transhume/" TRANSHUME_VERSION);
        count++;
    }
    if (slot->text.failed || !reserve_lines(slot, count)) {
        return error_set(error, ERROR_MEMORY, request->url, "no memory for the request");
    }
    char *line = slot->text.data;
    for (size_t i = 0; i < count; i++) {
        slot->lines[i].data = line;
        slot->lines[i].next = i + 1 < count ? &slot->lines[i + 1] : NULL;
        line += strlen(line) + 1;
    }
    return curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->lines) == CURLE_OK
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, request->url, "no memory for the request");
}

/* Sets where to, unless the slot's last request went there too. */
static enum status set_url(struct http_client *client, struct http_slot *slot,
                           const struct http_request *request, struct error *error)
{
    if (slot->url != NULL && strcmp(slot->url, request->url) == 0 &&
        slot->direct == request->direct) {
        return STATUS_OK;
    }
    free(slot->url);
    slot->url = NULL;
    struct arena *arena = arena_create(1024);
    if (arena == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the request");
    }
    struct http_url url;
    enum status status = http_url_parse(request->url, NULL, arena, &url, error);
    bool loopback = status == STATUS_OK && http_host_is_loopback(url.host);
    if (status == STATUS_OK && !url.tls && !loopback && !client->plaintext_allowed) {
        status = error_set(error, ERROR_BAD_VALUE, request->url,
                           "plaintext http:// goes to this machine only");
        error_hint(error, "use https://, or allow plaintext explicitly where the network is "
                          "trusted");
    }
    if (status == STATUS_OK) {
        bool ok = curl_easy_setopt(slot->easy, CURLOPT_URL, request->url) == CURLE_OK;
        const char *proxy = loopback || request->direct ? "" : NULL;
        ok &= curl_easy_setopt(slot->easy, CURLOPT_PROXY, proxy) == CURLE_OK;
        slot->url = ok ? strdup(request->url) : NULL;
        slot->direct = request->direct;
        slot->through_proxy = !loopback && !request->direct;
        if (slot->url == NULL) {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory for the request");
        }
    }
    arena_destroy(arena);
    return status;
}

/* Method and body. libcurl has a mode for each kind; CUSTOMREQUEST only changes the word. */
static bool set_method(struct http_slot *slot, const struct http_request *request)
{
    CURL *easy = slot->easy;
    bool ok = true;
    bool is_get = strcmp(request->method, "GET") == 0 && request->body_length == 0;
    bool is_head = strcmp(request->method, "HEAD") == 0 && request->body_length == 0;
    if (strcmp(slot->method, request->method) != 0 || is_get || is_head) {
        ok &= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK; /* takes HEAD back */
        if (is_head) {
            ok &= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
        } else if (!is_get) {
            ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        }
        bool standard = is_get || is_head || strcmp(request->method, "POST") == 0;
        ok &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, standard ? NULL : request->method) ==
              CURLE_OK;
        snprintf(slot->method, sizeof(slot->method), "%s", request->method);
    }
    if (!is_get && !is_head) {
        const void *body = request->body_length > 0 ? request->body : "";
        ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)request->body_length) == CURLE_OK;
    }
    return ok;
}

static enum status prepare_slot(struct http_client *client, struct http_slot *slot,
                                const struct http_request *request, struct error *error)
{
    if (slot->easy == NULL && !set_up_easy(client, slot)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a connection");
    }
    if (!is_token(request->method) || strlen(request->method) >= sizeof(slot->method)) {
        return error_set(error, ERROR_INTERNAL, request->url, "the request has no valid method");
    }
    if (set_url(client, slot, request, error) != STATUS_OK ||
        set_headers(slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    slot->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : REQUEST_TIMEOUT_MS;
    slot->response_bytes_max =
        request->response_bytes_max > 0 ? request->response_bytes_max : RESPONSE_BYTES_MAX;
    bool ok = set_method(slot, request);
    ok &= curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)slot->timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(slot->easy, CURLOPT_MAXFILESIZE_LARGE,
                           (curl_off_t)slot->response_bytes_max) == CURLE_OK;
    slot->repeatable = request->repeatable;
    slot->header_complete = false;
    slot->fault = HTTP_FAULT_NONE;
    slot->sends = 0;
    slot->curl_text[0] = '\0';
    slot->response = ok ? http_pool_take(client->pool) : NULL;
    if (slot->response == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the request");
    }
    slot->response->response.context = request->context;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what has ended */

static void finish_slot(struct http_client *client, struct http_slot *slot, CURLcode code)
{
    struct http_owned_response *owned = slot->response;
    owned->response.elapsed_ms = clock_monotonic_ms() - slot->started_ms;
    struct http_ending ending = {.code = code,
                                 .easy = slot->easy,
                                 .url = slot->url,
                                 .curl_text = slot->curl_text,
                                 .fault = slot->fault,
                                 .header_complete = slot->header_complete,
                                 .through_proxy = slot->through_proxy,
                                 .timeout_ms = slot->timeout_ms,
                                 .response_bytes_max = slot->response_bytes_max};
    http_ending_describe(&ending, &owned->response);
    slot->response = NULL;
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
        (void)curl_multi_remove_handle(client->multi, easy);
        finish_slot(client, slot, code);
    }
}

/* ---------------------------------------------------------------- out and in */

/* Lets libcurl act on a socket or on its timer. */
static enum status act(struct http_client *client, curl_socket_t descriptor, int mask,
                       struct error *error)
{
    int running = 0;
    if (descriptor == CURL_SOCKET_TIMEOUT) {
        client->timer_ms = TIMER_NONE;
    }
    CURLMcode code = curl_multi_socket_action(client->multi, descriptor, mask, &running);
    if (code != CURLM_OK) {
        return error_set(error, code == CURLM_OUT_OF_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL, NULL,
                         "the HTTP library failed: %s", curl_multi_strerror(code));
    }
    return STATUS_OK;
}

/* Begins a request on the first free slot. */
static enum status submit_to(struct http_client *client, struct http_slot *slot,
                             const struct http_request *request, struct error *error)
{
    if (prepare_slot(client, slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    slot->started_ms = clock_monotonic_ms();
    CURLMcode code = curl_multi_add_handle(client->multi, slot->easy);
    if (code != CURLM_OK) {
        http_response_destroy(&slot->response->response);
        slot->response = NULL;
        return error_set(error, code == CURLM_OUT_OF_MEMORY ? ERROR_MEMORY : ERROR_INTERNAL, NULL,
                         "the HTTP library failed: %s", curl_multi_strerror(code));
    }
    client->free_slots = slot->next_free;
    slot->next_free = NULL;
    client->under_way++;
    return STATUS_OK;
}

enum status http_submit(struct http_client *client, const struct http_request *request,
                        struct error *error)
{
    struct http_slot *slot = client->free_slots;
    if (slot == NULL) {
        return STATUS_AGAIN;
    }
    if (submit_to(client, slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Sent now, so that the server works while the caller makes its next request; a failure shows
     * again at the next poll. */
    if (client->timer_ms != TIMER_NONE && client->timer_ms <= clock_monotonic_ms()) {
        (void)act(client, CURL_SOCKET_TIMEOUT, 0, NULL);
        collect_done(client);
    }
    return STATUS_OK;
}

/* How long to wait at most: until `deadline_ms`, or until libcurl wants to be called. */
static int wait_time(const struct http_client *client, int64_t now_ms, int64_t deadline_ms)
{
    int64_t until = deadline_ms;
    if (client->timer_ms != TIMER_NONE && client->timer_ms < until) {
        until = client->timer_ms;
    }
    int64_t wait = until - now_ms;
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
        int mask = (got & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (got & EPOLLERR ? CURL_CSELECT_ERR : 0);
        if (act(client, events[i].data.fd, mask, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (client->timer_ms != TIMER_NONE && client->timer_ms <= clock_monotonic_ms() &&
        act(client, CURL_SOCKET_TIMEOUT, 0, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    collect_done(client);
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
    struct http_slot *slot = client->free_slots;
    if (submit_to(client, slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct http_owned_response *owned = slot->response;
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
