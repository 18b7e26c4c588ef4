/*
 * Byte streams over TCP, with TLS or in plaintext: for connectors with a wire protocol of their
 * own, and for servers in tests.
 *
 *   look-up -> connect -> TLS handshake -> open -> ended by either side, one way or both
 *
 * A stream belongs to one thread at a time; a stream_tls to any. Deadlines are times
 * of clock_boottime_ms, which goes on while the process is stopped or the machine sleeps; nothing
 * is sent after them. What always holds: TLS is 1.2 or later, a client verifies certificate and
 * name unless told otherwise, and plaintext goes to loopback only unless `plaintext_allowed`.
 */
#ifndef TRANSHUME_NET_STREAM_H
#define TRANSHUME_NET_STREAM_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- TLS */

enum stream_verify {
    STREAM_VERIFY_PEER = 0,  /* the certificate and its name */
    STREAM_VERIFY_AUTHORITY, /* the certificate, whatever its name */
    STREAM_VERIFY_NONE       /* nothing: encrypted for whoever answers */
};

struct stream_tls_options {
    const char *ca_file;          /* PEM certificates to trust; NULL: the system's */
    const char *certificate_file; /* PEM, with its chain; NULL: none (servers need one) */
    const char *key_file;         /* PEM without a password; NULL: in certificate_file */
    enum stream_verify verify;
    bool server;        /* for accepted streams, else for opened ones */
    bool asks_for_peer; /* server: the client needs a certificate that ca_file vouches for */
};

/* TLS state that many connections share. ERROR_BAD_VALUE: a file that can't be read or used. */
struct stream_tls;
enum status stream_tls_create(const struct stream_tls_options *options, struct stream_tls **tls,
                              struct error *error) MUST_USE;
/* Streams made with it stay valid. NULL is fine. */
void stream_tls_destroy(struct stream_tls *tls);

/* ---------------------------------------------------------------- making streams */

struct stream;

struct stream_options {
    const char *host; /* a name or an address */
    uint16_t port;
    uint16_t local_port;          /* 0: any */
    const struct stream_tls *tls; /* NULL: plaintext */
    const char *server_name;      /* what the certificate must be for; NULL: host */
    bool plaintext_allowed;       /* to a host that is not loopback */
    int64_t deadline_ms;          /* of look-up, connection and handshake together */
};

/*
 * Errors of a stream, from whichever function meets them; they stay: later calls return the same.
 *   ERROR_NETWORK    no such host, no connection, broken off, too late (class RETRY)
 *   ERROR_TLS        certificate, name, protocol, or the peer refuses ours (class STOP)
 *   ERROR_BAD_VALUE  plaintext refused
 */

/* Begins to connect and never blocks; reading, writing and stream_ready go on with it. */
enum status stream_open(const struct stream_options *options, struct stream **stream,
                        struct error *error) MUST_USE;
/* The same, and waits until it is open. */
enum status stream_connect(const struct stream_options *options, struct stream **stream,
                           struct error *error) MUST_USE;
/* Never blocks. STATUS_OK: open. STATUS_AGAIN: not yet. */
enum status stream_ready(struct stream *stream, struct error *error) MUST_USE;
/* Closes; with TLS it says so if that does not block. NULL is fine. */
void stream_destroy(struct stream *stream);

/* ---------------------------------------------------------------- bytes */

/* These never block. STATUS_OK: at least one byte. STATUS_AGAIN: none now, see stream_poll.
 * STATUS_END (reading): the peer sends no more; TLS that is cut off without its end is
 * ERROR_NETWORK instead. A write that got STATUS_AGAIN is repeated with the same bytes first. */
enum status stream_read(struct stream *stream, void *bytes, size_t capacity, size_t *got,
                        struct error *error) MUST_USE;
enum status stream_write(struct stream *stream, const void *bytes, size_t length, size_t *written,
                         struct error *error) MUST_USE;

/* These wait until the deadline (then ERROR_NETWORK, and the stream is broken). _some: as
 * stream_read without AGAIN. _all: exactly `length` bytes; a peer that ends before is
 * ERROR_NETWORK. */
enum status stream_read_some(struct stream *stream, void *bytes, size_t capacity,
                             int64_t deadline_ms, size_t *got, struct error *error) MUST_USE;
enum status stream_read_all(struct stream *stream, void *bytes, size_t length, int64_t deadline_ms,
                            struct error *error) MUST_USE;
enum status stream_write_all(struct stream *stream, const void *bytes, size_t length,
                             int64_t deadline_ms, struct error *error) MUST_USE;
/* The peer reads STATUS_END after what was written; it can still be read from. */
enum status stream_end_writing(struct stream *stream, int64_t deadline_ms,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- waiting for many */

struct stream_wait {
    struct stream *stream;
    bool to_read;
    bool to_write;
    bool ready; /* set by stream_poll: call it again (also to learn of a failure) */
};

/* Waits for any of them. STATUS_OK: at least one is ready. STATUS_AGAIN: none within timeout_ms. */
enum status stream_poll(struct stream_wait *waits, size_t count, int64_t timeout_ms,
                        struct error *error) MUST_USE;
/*
 * The same for a loop of the caller's own: the descriptor, and in `*events` what of poll() to wait
 * for. `*at_once`: there is something to do without waiting. The descriptor changes until the
 * stream is open; `*wake_ms`: call again then (clock_boottime_ms).
 */
int stream_waits_for(const struct stream *stream, bool to_read, bool to_write, short *events,
                     bool *at_once, int64_t *wake_ms);

/* ---------------------------------------------------------------- reports */

enum stream_security {
    STREAM_PLAINTEXT,          /* anybody on the way may read and change it */
    STREAM_PLAINTEXT_LOOPBACK, /* not encrypted, and does not leave this machine */
    STREAM_UNVERIFIED,         /* encrypted, for whoever answered */
    STREAM_AUTHORITY_VERIFIED, /* for somebody with an authority's certificate */
    STREAM_PEER_VERIFIED       /* for the one that was meant */
};

struct stream_report {
    enum stream_security security;
    const char *protocol; /* "TLSv1.3", static; NULL: plaintext */
    const char *cipher;   /* likewise */
};
/* The report of an open stream. */
struct stream_report stream_report(const struct stream *stream);

#endif
