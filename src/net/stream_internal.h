/* Declarations that the files of streams share. */
#ifndef TRANSHUME_NET_STREAM_INTERNAL_H
#define TRANSHUME_NET_STREAM_INTERNAL_H

#include "net/stream.h"
#include <netdb.h>
#include <openssl/ssl.h>

enum stream_state {
    STREAM_LOOKING_UP,
    STREAM_CONNECTING,
    STREAM_HANDSHAKING,
    STREAM_OPEN,
    STREAM_BROKEN /* `failure` says why */
};

struct stream_lookup;

struct stream {
    enum stream_state state;
    int descriptor;      /* -1: none yet */
    char object[280];    /* "host:port", for errors */
    int64_t deadline_ms; /* until it is open */
    uint16_t local_port; /* 0: any */
    struct stream_lookup *lookup;
    struct addrinfo *addresses;
    const struct addrinfo *address; /* the one that is tried */
    int64_t address_deadline_ms;
    char *server_name;
    bool server;
    enum stream_verify verify;
    SSL_CTX *context; /* a reference; NULL: plaintext */
    SSL *ssl;
    short open_events;  /* what the handshake waits for, of poll() */
    short read_events;  /* what the last read waits for */
    short write_events; /* what the last write waits for */
    bool writing_ended;
    struct error failure;
};

struct stream_tls {
    SSL_CTX *context;
    enum stream_verify verify;
    bool server;
};

/* A stream that is not connected yet. */
struct stream *stream_new(const struct stream_tls *tls, const char *host, uint16_t port,
                          int64_t deadline_ms);
/* Keepalive, and no delay of small packets. False: errno says why not. */
bool stream_set_up_socket(int descriptor);

/* ---------------------------------------------------------------- stream_connect.c */

/* Look-up and connection, a step further. */
enum status stream_go_on(struct stream *stream);
void stream_drop_lookup(struct stream *stream);
int stream_lookup_descriptor(const struct stream *stream);

/* ---------------------------------------------------------------- stream_tls.c */

/* All return STATUS_FAILED with `failure` set. */
enum status stream_tls_begin(struct stream *stream);
enum status stream_tls_handshake(struct stream *stream);
enum status stream_tls_read(struct stream *stream, void *bytes, size_t capacity, size_t *got);
enum status stream_tls_write(struct stream *stream, const void *bytes, size_t length,
                             size_t *written);
enum status stream_tls_end(struct stream *stream);

#endif
