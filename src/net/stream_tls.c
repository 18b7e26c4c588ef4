/* TLS of streams, by OpenSSL. */
#include "net/stream_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what connections share */

/* No terminal is asked for a password. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int no_password(char *out, int capacity, int for_writing, void *user)
{
    (void)out;
    (void)capacity;
    (void)for_writing;
    (void)user;
    return -1;
}

static enum status fail_at_file(const char *path, const char *what, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    error_set(error, ERROR_BAD_VALUE, path, "%s can't be used: %s", what,
              reason != NULL ? reason : "it is not PEM");
    ERR_clear_error();
    return STATUS_FAILED;
}

static enum status check_file(const char *path, const char *what, struct error *error)
{
    return path == NULL || access(path, R_OK) == 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_BAD_VALUE, errno, path, "%s can't be read", what);
}

static enum status load_files(SSL_CTX *context, const struct stream_tls_options *options,
                              struct error *error)
{
    static const char authorities[] = "the file of trusted certificates";
    static const char own[] = "the certificate";
    static const char private[] = "the certificate's key";
    const char *certificate = options->certificate_file;
    const char *key = options->key_file != NULL ? options->key_file : certificate;
    if (check_file(options->ca_file, authorities, error) != STATUS_OK ||
        check_file(certificate, own, error) != STATUS_OK ||
        check_file(key, private, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (options->ca_file != NULL
            ? SSL_CTX_load_verify_locations(context, options->ca_file, NULL) != 1
            : SSL_CTX_set_default_verify_paths(context) != 1) {
        return fail_at_file(options->ca_file, authorities, error);
    }
    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        return fail_at_file(certificate, own, error);
    }
    if (key != NULL && (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
                        SSL_CTX_check_private_key(context) != 1)) {
        return fail_at_file(key, private, error);
    }
    return STATUS_OK;
}

enum status stream_tls_create(const struct stream_tls_options *options, struct stream_tls **tls,
                              struct error *error)
{
    *tls = NULL;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(options->server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return error_set(error, ERROR_INTERNAL, NULL, "TLS could not be set up");
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    bool verifies =
        options->server ? options->asks_for_peer : options->verify != STREAM_VERIFY_NONE;
    SSL_CTX_set_verify(
        context, verifies ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
        NULL);
    if (load_files(context, options, error) != STATUS_OK) {
        SSL_CTX_free(context);
        return STATUS_FAILED;
    }
    struct stream_tls *made = memory_allocate_zeroed(1, sizeof(*made));
    made->context = context;
    made->verify = !options->server         ? options->verify
                   : options->asks_for_peer ? STREAM_VERIFY_AUTHORITY
                                            : STREAM_VERIFY_NONE;
    made->server = options->server;
    *tls = made;
    return STATUS_OK;
}

void stream_tls_destroy(struct stream_tls *tls)
{
    if (tls != NULL) {
        SSL_CTX_free(tls->context);
        free(tls);
    }
}

/* ---------------------------------------------------------------- bytes to and from the socket */

/* OpenSSL's own for sockets raises SIGPIPE. */
static int bio_write(BIO *bio, const char *bytes, size_t length, size_t *written)
{
    const struct stream *stream = BIO_get_data(bio);
    ssize_t sent = send(stream->descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    *written = sent > 0 ? (size_t)sent : 0;
    return sent > 0;
}

static int bio_read(BIO *bio, char *bytes, size_t capacity, size_t *got)
{
    const struct stream *stream = BIO_get_data(bio);
    ssize_t received = recv(stream->descriptor, bytes, capacity, MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    } else if (received == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    *got = received > 0 ? (size_t)received : 0;
    return received > 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1
           : command == BIO_CTRL_EOF ? BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0
                                     : 0;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (method != NULL && BIO_meth_set_write_ex(method, bio_write) == 1 &&
        BIO_meth_set_read_ex(method, bio_read) == 1 &&
        BIO_meth_set_ctrl(method, bio_control) == 1) {
        bio_method = method;
    }
}

/* ---------------------------------------------------------------- failures */

static enum status fail_verification(struct stream *stream, long result)
{
    bool wrong_name =
        result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
    error_set(&stream->failure, ERROR_TLS, stream->object, "no verified TLS connection: %s%s%s",
              X509_verify_cert_error_string(result), wrong_name ? ", which must be for " : "",
              wrong_name ? stream->server_name : "");
    if (!wrong_name) {
        error_hint(&stream->failure,
                   "if a private authority signed the certificate, name its PEM file");
    }
    return STATUS_FAILED;
}

static bool is_alert(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
}

/* `fault` is SSL_get_error's, `system_errno` was errno at once after the call. */
static enum status stream_tls_fail(struct stream *stream, int fault, int system_errno)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *words = ERR_reason_error_string(code);
    bool opening = stream->state != STREAM_OPEN;
    long verified = SSL_get_verify_result(stream->ssl);
    struct error *error = &stream->failure;
    words = words != NULL ? words : "no reason given";
    if (opening && fault == SSL_ERROR_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        fail_verification(stream, verified);
    } else if (fault == SSL_ERROR_SYSCALL && system_errno != 0) {
        error_set_errno(error, ERROR_NETWORK, system_errno, stream->object,
                        opening ? "the connection broke off while TLS was set up"
                                : "the connection broke off");
    } else if (fault != SSL_ERROR_SSL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        error_set(error, ERROR_NETWORK, stream->object,
                  opening ? "the connection broke off while TLS was set up"
                          : "the connection was cut off: TLS had not ended");
    } else if (is_alert(code)) {
        error_set(error, ERROR_TLS, stream->object, "the other side refuses the TLS connection: %s",
                  words);
    } else if (opening && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)) {
        error_set(error, ERROR_TLS, stream->object, "the other side does not speak TLS (%s)",
                  words);
        error_hint(error, "check the port");
    } else if (opening) {
        error_set(error, ERROR_TLS, stream->object, "no verified TLS connection: %s", words);
    } else {
        error_set(error, ERROR_NETWORK, stream->object, "what came is broken TLS: %s", words);
    }
    ERR_clear_error();
    return STATUS_FAILED;
}

/* After a call that did not succeed: what is waited for, or the failure. */
static enum status wait_or_fail(struct stream *stream, int result, int system_errno, short *events)
{
    int fault = SSL_get_error(stream->ssl, result);
    if (fault == SSL_ERROR_WANT_READ || fault == SSL_ERROR_WANT_WRITE) {
        *events = fault == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        return STATUS_AGAIN;
    }
    return fault == SSL_ERROR_ZERO_RETURN ? STATUS_END
                                          : stream_tls_fail(stream, fault, system_errno);
}

/* ---------------------------------------------------------------- one connection */

static bool set_peer(struct stream *stream)
{
    if (stream->server) {
        SSL_set_accept_state(stream->ssl);
        return true;
    }
    SSL_set_connect_state(stream->ssl);
    X509_VERIFY_PARAM *wanted = SSL_get0_param(stream->ssl);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(wanted, stream->server_name) == 1;
    ERR_clear_error();
    if (stream->verify != STREAM_VERIFY_PEER) {
        return X509_VERIFY_PARAM_set1_ip(wanted, NULL, 0) == 1 &&
               (is_address || SSL_set_tlsext_host_name(stream->ssl, stream->server_name) == 1);
    }
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_address || (SSL_set1_host(stream->ssl, stream->server_name) == 1 &&
                          SSL_set_tlsext_host_name(stream->ssl, stream->server_name) == 1);
}

enum status stream_tls_begin(struct stream *stream)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (stream->context == NULL) {
        stream->state = STREAM_OPEN;
        return STATUS_OK;
    }
    pthread_once(&once, make_bio_method);
    ERR_clear_error();
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    stream->ssl = SSL_new(stream->context);
    if (bio == NULL || stream->ssl == NULL || !set_peer(stream)) {
        BIO_free(bio);
        return error_set(&stream->failure, ERROR_INTERNAL, stream->object,
                         "TLS could not be set up for this connection");
    }
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio);
    stream->state = STREAM_HANDSHAKING;
    return STATUS_OK;
}

enum status stream_tls_handshake(struct stream *stream)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(stream->ssl);
    if (result != 1) {
        return wait_or_fail(stream, result, errno, &stream->open_events);
    }
    stream->state = STREAM_OPEN;
    return STATUS_OK;
}

enum status stream_tls_read(struct stream *stream, void *bytes, size_t capacity, size_t *got)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(stream->ssl, bytes, capacity, got);
    return result == 1 ? STATUS_OK : wait_or_fail(stream, result, errno, &stream->read_events);
}

enum status stream_tls_write(struct stream *stream, const void *bytes, size_t length,
                             size_t *written)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(stream->ssl, bytes, length, written);
    enum status status =
        result == 1 ? STATUS_OK : wait_or_fail(stream, result, errno, &stream->write_events);
    return status != STATUS_END ? status
                                : error_set(&stream->failure, ERROR_NETWORK, stream->object,
                                            "the other side has ended the connection");
}

enum status stream_tls_end(struct stream *stream)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_shutdown(stream->ssl);
    return result >= 0 ? STATUS_OK : wait_or_fail(stream, result, errno, &stream->write_events);
}
