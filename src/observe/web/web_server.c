/*
 * libmicrohttpd with one epoll thread. Streams are suspended while there is nothing to send:
 * web_server_tick resumes them all, and their callback is asked again.
 */
#include "observe/web/web_server.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/address.h"
#include "observe/web/web_clients.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STREAM_BYTES_MAX = 64 << 10,
    AUTHORITY_BYTES_MAX = 300,
    LEAVING_MAX = 32 /* connections that are shut, and still libmicrohttpd's for a moment */
};

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

/* One request while its body comes in. */
struct call {
    struct buffer body;
    bool too_long;
};

struct web_server {
    struct web_options options;
    int descriptor;            /* listens; -1 until it does */
    struct MHD_Daemon *daemon; /* NULL: it could not be started again */
    bool has_tls;
    struct web_tls_texts tls;
    struct web_tls_watch tls_watch;
    struct web_clients *clients;
    pthread_mutex_t mutex; /* guards the list of streams and what is suspended */
    struct stream *streams;
    unsigned stream_count;
    bool stopping; /* no stream is suspended any more: libmicrohttpd could not stop then */
    bool is_loopback;
    char host[ADDRESS_HOST_BYTES + 2]; /* "127.0.0.1", "[::1]" */
    char url[AUTHORITY_BYTES_MAX + 16];
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
    stream->server->stream_count--;
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
    server->stream_count++;
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
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int socket =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const struct sockaddr *address =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
        *client_context = web_clients_add(server->clients, socket, address, WEB_REQUEST_SECONDS);
    } else if (*client_context != NULL) {
        web_clients_remove(server->clients, *client_context);
        *client_context = NULL;
    }
}

static void give_time(struct web_server *server, struct MHD_Connection *connection, int seconds)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    web_clients_give_time(server->clients, info != NULL ? info->socket_context : NULL, seconds);
}

static void resume_streams(struct web_server *server)
{
    pthread_mutex_lock(&server->mutex);
    for (struct stream *stream = server->streams; stream != NULL; stream = stream->next) {
        if (stream->is_suspended) {
            stream->is_suspended = false;
            MHD_resume_connection(stream->connection);
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

/* ---- who asks */

/* A browser leaves out the port of the scheme. */
static bool is_authority(const struct web_server *server, const char *text, const char *host)
{
    char wanted[AUTHORITY_BYTES_MAX];
    bool is_usual = server->port == (server->has_tls ? 443 : 80);
    snprintf(wanted, sizeof(wanted), "%s:%u", host, server->port);
    return strcasecmp(text, wanted) == 0 || (is_usual && strcasecmp(text, host) == 0);
}

static bool is_own_authority(const struct web_server *server, const char *authority)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    bool is_own = is_authority(server, authority, server->host);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && server->is_loopback; i++) {
        is_own = is_own || is_authority(server, authority, names[i]);
    }
    return is_own;
}

/* Does the request call this server by a name that it goes by? Then it was not sent to a name of
 * somebody else's page (DNS rebinding). Who listens at an address that others reach is known there
 * by names that nobody has told. */
static bool is_addressed(const struct web_server *server, const struct web_request *request)
{
    const char *host = web_header(request, "Host");
    return host != NULL && (!server->is_loopback || is_own_authority(server, host));
}

bool web_server_is_own_page(const struct web_server *server, const struct web_request *request)
{
    const char *scheme = server->has_tls ? "https://" : "http://";
    const char *origin = web_header(request, "Origin");
    const char *site = web_header(request, "Sec-Fetch-Site");
    const char *host = web_header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    if (origin == NULL) {
        return true;
    }
    bool same = strncmp(origin, scheme, strlen(scheme)) == 0;
    const char *authority = origin + (same ? strlen(scheme) : 0);
    return same && (is_own_authority(server, authority) ||
                    (!server->is_loopback && host != NULL && strcasecmp(authority, host) == 0));
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

static void answer_refuse(struct web_answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    buffer_append_string(&answer->body, text);
}

/* Streams hold their places for as long as they like: there are fewer of them than places. */
static void bound_streams(struct web_server *server, struct web_answer *answer)
{
    pthread_mutex_lock(&server->mutex);
    bool too_many = server->stream_count >= WEB_STREAMS_MAX;
    pthread_mutex_unlock(&server->mutex);
    if (answer->stream != NULL && too_many) {
        if (answer->release != NULL) {
            answer->release(answer->stream_context);
        }
        buffer_free(&answer->body);
        *answer = (struct web_answer){0};
        answer_refuse(answer, 503, "too many pages follow runs here\n");
    }
}

static enum MHD_Result send_answer(struct web_server *server, struct MHD_Connection *connection,
                                   struct web_answer *answer)
{
    bound_streams(server, answer);
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

static enum MHD_Result web_server_handle(void *context, struct MHD_Connection *connection,
                                         const char *url, const char *method, const char *version,
                                         const char *upload, size_t *upload_length,
                                         void **call_context)
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
        answer_refuse(&answer, 405, "only GET, HEAD and POST\n");
    } else if (call->too_long) {
        answer_refuse(&answer, 413, "the request is too long\n");
    } else if (!is_addressed(server, &request)) {
        answer_refuse(&answer, 403, "this server goes by another name\n");
    } else {
        request.body = buffer_string(&call->body);
        request.body_length = call->body.length;
        server->options.answer(server->options.context, &request, &answer);
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

static enum status listen_at(struct web_server *server, struct error *error)
{
    const char *text = server->options.address;
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
        bind(made, found->ai_addr, found->ai_addrlen) != 0 || listen(made, SOMAXCONN) != 0 ||
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
    snprintf(server->host, sizeof(server->host), strchr(address.host, ':') != NULL ? "[%s]" : "%s",
             address.host);
    snprintf(server->url, sizeof(server->url), "%s://%s:%u", server->has_tls ? "https" : "http",
             server->host, server->port);
    freeaddrinfo(found);
    server->descriptor = made;
    return STATUS_OK;
}

/* ---- begin and end */

/* TLS 1.2 and 1.3, each with keys that are made for the connection alone. */
static const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA";

/* The socket that listens stays the server's: the daemon has a copy, which it closes where it can't
 * start. */
static void start_daemon(struct web_server *server)
{
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls.certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem *more = server->has_tls ? tls : &tls[3];
    int copy = fcntl(server->descriptor, F_DUPFD_CLOEXEC, 0);
    server->stopping = false;
    if (copy < 0) {
        return; /* tried again with the next tick */
    }
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
            (server->has_tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, web_server_handle, server, MHD_OPTION_LISTEN_SOCKET, copy,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(WEB_CONNECTIONS_MAX + LEAVING_MAX),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_CONNECTION_BYTES_MAX,
        MHD_OPTION_NOTIFY_COMPLETED, end_call, server, MHD_OPTION_NOTIFY_CONNECTION, notice_client,
        server, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/* Ends all connections. */
static void stop_daemon(struct web_server *server)
{
    if (server->daemon != NULL) {
        MHD_socket copy = MHD_quiesce_daemon(server->daemon);
        pthread_mutex_lock(&server->mutex);
        server->stopping = true;
        pthread_mutex_unlock(&server->mutex);
        resume_streams(server);
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        if (copy != MHD_INVALID_SOCKET) {
            close(copy);
        }
    }
}

static enum status start_tls(struct web_server *server, struct error *error)
{
    const struct web_tls_files *files = &server->options.tls;
    server->has_tls = files->certificate != NULL || files->key != NULL;
    if (!server->has_tls) {
        return STATUS_OK;
    }
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        return error_set(error, ERROR_USAGE, "--tls-cert",
                         "libmicrohttpd was built without TLS here");
    }
    web_tls_watch(&server->tls_watch, files); /* first: what is renewed meanwhile is seen */
    return web_tls_read(files, &server->tls, error);
}

enum status web_server_start(const struct web_options *options, struct web_server **server,
                             struct error *error)
{
    struct web_server *made = memory_allocate_zeroed(1, sizeof(*made));
    made->options = *options;
    made->descriptor = -1;
    made->clients = web_clients_create(WEB_CONNECTIONS_MAX);
    pthread_mutex_init(&made->mutex, NULL);
    enum status status = start_tls(made, error);
    if (status == STATUS_OK) {
        status = listen_at(made, error);
    }
    if (status == STATUS_OK) {
        start_daemon(made);
        if (made->daemon == NULL) {
            status = made->has_tls ? error_set(error, ERROR_USAGE, options->tls.certificate,
                                               "GnuTLS can't serve this certificate with its key")
                                   : error_set(error, ERROR_INTERNAL, options->address,
                                               "can't start the web server");
        }
    }
    if (status != STATUS_OK) {
        web_server_stop(made);
        return status;
    }
    *server = made;
    return STATUS_OK;
}

void web_server_stop(struct web_server *server)
{
    if (server != NULL) {
        stop_daemon(server);
        if (server->descriptor >= 0) {
            close(server->descriptor);
        }
        web_tls_free(&server->tls);
        web_clients_destroy(server->clients);
        pthread_mutex_destroy(&server->mutex);
        free(server);
    }
}

/* The new certificate, or the former one where that can't be served. */
static void renew_certificate(struct web_server *server)
{
    struct error error = {0};
    struct web_tls_texts former = server->tls;
    struct web_tls_texts renewed;
    if (web_tls_read(&server->options.tls, &renewed, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "the former certificate is served on: %s: %s", error.object,
                  error.message);
        return;
    }
    stop_daemon(server);
    server->tls = renewed;
    start_daemon(server);
    if (server->daemon == NULL) {
        log_write(LOG_WARNING, "the former certificate is served on: GnuTLS can't serve that of %s",
                  server->options.tls.certificate);
        server->tls = former;
        former = renewed;
        start_daemon(server);
    } else {
        log_write(LOG_INFO, "the certificate of %s is served from now on",
                  server->options.tls.certificate);
    }
    web_tls_free(&former);
}

void web_server_tick(struct web_server *server)
{
    web_clients_drop_slow(server->clients);
    resume_streams(server);
    if (server->has_tls && web_tls_has_changed(&server->tls_watch, &server->options.tls)) {
        renew_certificate(server);
    } else if (server->daemon == NULL) {
        start_daemon(server);
    }
}

const char *web_server_url(const struct web_server *server)
{
    return server->url;
}

bool web_server_is_readable(const struct web_server *server)
{
    return !server->is_loopback && !server->has_tls;
}
