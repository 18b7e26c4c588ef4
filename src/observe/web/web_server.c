/*
 * libmicrohttpd with one epoll thread. Streams are suspended while there is nothing to send:
 * web_server_wake resumes them all, and their callback is asked again.
 */
#include "observe/web/web_server.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAM_BYTES_MAX = 64 << 10, AUTHORITY_BYTES_MAX = 300 };

struct stream {
    struct web_server *server;
    struct MHD_Connection *connection;
    bool (*more)(void *context, struct buffer *out);
    void (*release)(void *context);
    void *context;
    struct buffer waiting;
    size_t sent;
    bool over;
    bool is_suspended;
    struct stream *next;
};

/* A connection, whose socket is open as long as it is in the list. */
struct client {
    int socket;
    int64_t until_ms; /* monotonic: when its request or its answer takes too long; 0: a stream */
    struct client *previous;
    struct client *next;
};

/* One request while its body comes in. */
struct call {
    struct buffer body;
    bool too_long;
};

struct web_server {
    struct MHD_Daemon *daemon;
    void (*answer)(void *context, const struct web_request *request, struct web_answer *answer);
    void *context;
    pthread_mutex_t mutex; /* guards the lists and what is suspended */
    struct client *clients;
    struct stream *streams;
    bool stopping; /* no stream is suspended any more: libmicrohttpd could not stop then */
    bool is_loopback;
    char authority[AUTHORITY_BYTES_MAX]; /* "127.0.0.1:9000" */
    char url[AUTHORITY_BYTES_MAX + 8];
    uint16_t port;
};

const char *web_header(const struct web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND, name);
}

const char *web_parameter(const struct web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->handle, MHD_GET_ARGUMENT_KIND, name);
}

const char *web_cookie(const struct web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->handle, MHD_COOKIE_KIND, name);
}

/* ---- streams */

/* Called by the daemon's thread alone. */
static ssize_t read_stream(void *context, uint64_t position, char *out, size_t capacity)
{
    struct stream *stream = context;
    (void)position;
    if (stream->sent == stream->waiting.length && !stream->over) {
        buffer_clear(&stream->waiting);
        stream->sent = 0;
        stream->over = !stream->more(stream->context, &stream->waiting);
    }
    size_t left = stream->waiting.length - stream->sent;
    if (left == 0 && stream->over) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (left == 0) {
        pthread_mutex_lock(&stream->server->mutex);
        bool goes_on = !stream->server->stopping;
        if (goes_on) {
            stream->is_suspended = true;
            MHD_suspend_connection(stream->connection);
        }
        pthread_mutex_unlock(&stream->server->mutex);
        return goes_on ? 0 : MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t length = left < capacity ? left : capacity;
    memcpy(out, stream->waiting.data + stream->sent, length);
    stream->sent += length;
    return (ssize_t)length;
}

static void free_stream(void *context)
{
    struct stream *stream = context;
    pthread_mutex_lock(&stream->server->mutex);
    struct stream **place = &stream->server->streams;
    while (*place != stream) {
        place = &(*place)->next;
    }
    *place = stream->next;
    pthread_mutex_unlock(&stream->server->mutex);
    if (stream->release != NULL) {
        stream->release(stream->context);
    }
    buffer_free(&stream->waiting);
    free(stream);
}

static struct MHD_Response *respond_by_stream(struct web_server *server,
                                              struct MHD_Connection *connection,
                                              const struct web_answer *answer)
{
    struct stream *stream = memory_allocate_zeroed(1, sizeof(*stream));
    stream->server = server;
    stream->connection = connection;
    stream->more = answer->stream;
    stream->release = answer->release;
    stream->context = answer->stream_context;
    pthread_mutex_lock(&server->mutex);
    stream->next = server->streams;
    server->streams = stream;
    pthread_mutex_unlock(&server->mutex);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BYTES_MAX, read_stream, stream, free_stream);
    if (response == NULL) {
        free_stream(stream);
    }
    return response;
}

/* ---- clients that take too long: libmicrohttpd drops those that are silent, and not those that
 * send a byte now and then */

static void notice_client(void *context, struct MHD_Connection *connection, void **client_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct web_server *server = context;
    struct client *client = *client_context;
    pthread_mutex_lock(&server->mutex);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        client = memory_allocate_zeroed(1, sizeof(*client));
        client->socket =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        client->until_ms = clock_monotonic_ms() + WEB_REQUEST_SECONDS * 1000;
        client->next = server->clients;
        if (client->next != NULL) {
            client->next->previous = client;
        }
        server->clients = client;
        *client_context = client;
    } else if (client != NULL) {
        *(client->previous != NULL ? &client->previous->next : &server->clients) = client->next;
        if (client->next != NULL) {
            client->next->previous = client->previous;
        }
        free(client);
        *client_context = NULL;
    }
    pthread_mutex_unlock(&server->mutex);
}

/* From now on; 0 seconds: as long as it likes. */
static void give_time(struct web_server *server, struct MHD_Connection *connection, int seconds)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info != NULL ? info->socket_context : NULL;
    pthread_mutex_lock(&server->mutex);
    if (client != NULL) {
        client->until_ms = seconds > 0 ? clock_monotonic_ms() + seconds * INT64_C(1000) : 0;
    }
    pthread_mutex_unlock(&server->mutex);
}

/* With the mutex held. The server's thread finds them closed. */
static void drop_slow_clients(struct web_server *server)
{
    int64_t now_ms = clock_monotonic_ms();
    for (struct client *client = server->clients; client != NULL; client = client->next) {
        if (client->until_ms != 0 && client->until_ms < now_ms) {
            shutdown(client->socket, SHUT_RDWR);
            client->until_ms = 0;
        }
    }
}

void web_server_wake(struct web_server *server)
{
    pthread_mutex_lock(&server->mutex);
    drop_slow_clients(server);
    for (struct stream *stream = server->streams; stream != NULL; stream = stream->next) {
        if (stream->is_suspended) {
            stream->is_suspended = false;
            MHD_resume_connection(stream->connection);
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

/* ---- answers */

static void add_headers(struct MHD_Response *response, const struct web_answer *answer)
{
    const struct {
        const char *name;
        const char *value;
    } headers[] = {
        {"Content-Type",
         answer->content_type != NULL ? answer->content_type : "text/plain; charset=utf-8"},
        {"Cache-Control", answer->cache != NULL ? answer->cache : "no-store"},
        {"Content-Security-Policy",
         answer->policy != NULL ? answer->policy : "default-src 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Set-Cookie", answer->cookie},
        {"Location", answer->location},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (headers[i].value != NULL) {
            MHD_add_response_header(response, headers[i].name, headers[i].value);
        }
    }
}

static enum MHD_Result send_answer(struct web_server *server, struct MHD_Connection *connection,
                                   struct web_answer *answer)
{
    struct MHD_Response *response =
        answer->stream != NULL ? respond_by_stream(server, connection, answer)
                               : MHD_create_response_from_buffer(
                                     answer->body.length, answer->body.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        buffer_free(&answer->body);
        return MHD_NO;
    }
    answer->body = (struct buffer){0};
    add_headers(response, answer);
    give_time(server, connection, answer->stream != NULL ? 0 : WEB_ANSWER_SECONDS);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static bool method_of(const char *name, enum web_method *method)
{
    static const char *const names[] = {
        [WEB_GET] = "GET", [WEB_HEAD] = "HEAD", [WEB_POST] = "POST"};
    bool known = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !known; i++) {
        known = strcmp(name, names[i]) == 0;
        *method = (enum web_method)i;
    }
    return known;
}

static void refuse(struct web_answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    buffer_append_string(&answer->body, text);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **call_context)
{
    struct web_server *server = context;
    struct call *call = *call_context;
    struct web_answer answer = {.status = 200};
    struct web_request request = {.handle = connection, .path = url};
    (void)version;
    if (call == NULL) {
        *call_context = memory_allocate_zeroed(1, sizeof(*call));
        return MHD_YES;
    }
    if (*upload_length > 0) {
        call->too_long = call->too_long || call->body.length + *upload_length > WEB_BODY_BYTES_MAX;
        if (!call->too_long) {
            buffer_append(&call->body, upload, *upload_length);
        }
        *upload_length = 0;
        return MHD_YES;
    }
    if (!method_of(method, &request.method)) {
        refuse(&answer, 405, "only GET, HEAD and POST\n");
    } else if (call->too_long) {
        refuse(&answer, 413, "the request is too long\n");
    } else {
        request.body = buffer_string(&call->body);
        request.body_length = call->body.length;
        server->answer(server->context, &request, &answer);
    }
    return send_answer(server, connection, &answer);
}

static void end_call(void *context, struct MHD_Connection *connection, void **call_context,
                     enum MHD_RequestTerminationCode how)
{
    struct call *call = *call_context;
    (void)how;
    give_time(context, connection, WEB_IDLE_SECONDS + WEB_REQUEST_SECONDS);
    if (call != NULL) {
        buffer_free(&call->body);
        free(call);
        *call_context = NULL;
    }
}

/* Decodes %XX in place. A NUL would end the path before its end for whoever compares it. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    size_t length = MHD_http_unescape(text);
    for (size_t i = 0; i < length; i++) {
        text[i] = text[i] == '\0' ? '\x01' : text[i];
    }
    return length;
}

/* ---- the address */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        return (ntohl(four->sin_addr.s_addr) >> 24) == 127;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static const char *hint_of(int code)
{
    switch (code) {
    case EACCES:
        return "ports below 1024 are the system's: take another one, or port 0 for a free one";
    case EADDRNOTAVAIL:
        return "this machine has no such address; 0.0.0.0 is all that it has";
    default:
        return "another program may listen there; port 0 takes a free one";
    }
}

static enum status listen_at(struct web_server *server, const char *text, int *descriptor,
                             struct error *error)
{
    struct address address;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (!address_split(text, "127.0.0.1", &address)) {
        error_set(error, ERROR_USAGE, text, "is no address to listen at");
        return error_hint(error, "[ADDR:]PORT is, as 9400, 127.0.0.1:9400, [::1]:9400");
    }
    int failure = getaddrinfo(address.host, address.port, &hints, &found);
    if (failure != 0) {
        return error_set(error, ERROR_USAGE, text, "is no address to listen at: %s",
                         gai_strerror(failure));
    }
    const int yes = 1;
    int made = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof(bound);
    if (made < 0 || setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(made, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(made, WEB_CONNECTIONS_MAX) != 0 ||
        getsockname(made, (struct sockaddr *)&bound, &length) != 0) {
        int code = errno;
        freeaddrinfo(found);
        if (made >= 0) {
            close(made);
        }
        error_set_errno(error, ERROR_USAGE, code, text, "can't listen there");
        return error_hint(error, "%s", hint_of(code));
    }
    server->is_loopback = is_loopback((const struct sockaddr *)&bound);
    server->port = bound.ss_family == AF_INET
                       ? ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port)
                       : ntohs(((const struct sockaddr_in6 *)(const void *)&bound)->sin6_port);
    snprintf(server->authority, sizeof(server->authority),
             strchr(address.host, ':') != NULL ? "[%s]:%u" : "%s:%u", address.host, server->port);
    snprintf(server->url, sizeof(server->url), "http://%s", server->authority);
    freeaddrinfo(found);
    *descriptor = made;
    return STATUS_OK;
}

enum status web_server_start(const char *address,
                             void (*answer)(void *context, const struct web_request *request,
                                            struct web_answer *answer),
                             void *context, struct web_server **server, struct error *error)
{
    int descriptor;
    struct web_server *made = memory_allocate_zeroed(1, sizeof(*made));
    made->answer = answer;
    made->context = context;
    if (listen_at(made, address, &descriptor, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    pthread_mutex_init(&made->mutex, NULL);
    made->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
        handle, made, MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_CONNECTION_BYTES_MAX,
        MHD_OPTION_NOTIFY_COMPLETED, end_call, made, MHD_OPTION_NOTIFY_CONNECTION, notice_client,
        made, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    if (made->daemon == NULL) {
        close(descriptor);
        pthread_mutex_destroy(&made->mutex);
        free(made);
        return error_set(error, ERROR_INTERNAL, address, "can't start the web server");
    }
    *server = made;
    return STATUS_OK;
}

void web_server_stop(struct web_server *server)
{
    if (server != NULL) {
        pthread_mutex_lock(&server->mutex);
        server->stopping = true;
        pthread_mutex_unlock(&server->mutex);
        web_server_wake(server);
        MHD_stop_daemon(server->daemon);
        pthread_mutex_destroy(&server->mutex);
        free(server);
    }
}

const char *web_server_url(const struct web_server *server)
{
    return server->url;
}

/* ---- who asks */

static bool is_own_authority(const struct web_server *server, const char *authority)
{
    char local[32];
    if (strcasecmp(authority, server->authority) == 0) {
        return true;
    }
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && server->is_loopback; i++) {
        snprintf(local, sizeof(local), "%s:%u", names[i], server->port);
        if (strcasecmp(authority, local) == 0) {
            return true;
        }
    }
    return false;
}

/* Who listens at an address that others reach is known there by names that nobody has told. */
bool web_server_is_addressed(const struct web_server *server, const struct web_request *request)
{
    const char *host = web_header(request, "Host");
    return host != NULL && (!server->is_loopback || is_own_authority(server, host));
}

bool web_server_is_own_page(const struct web_server *server, const struct web_request *request)
{
    static const char scheme[] = "http://";
    const char *origin = web_header(request, "Origin");
    const char *site = web_header(request, "Sec-Fetch-Site");
    const char *host = web_header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    if (origin == NULL) {
        return true;
    }
    bool plain = strncmp(origin, scheme, strlen(scheme)) == 0;
    const char *authority = origin + (plain ? strlen(scheme) : 0);
    return plain && (is_own_authority(server, authority) ||
                     (!server->is_loopback && host != NULL && strcasecmp(authority, host) == 0));
}
