/* The servers' side of streams, for peers that tests play. */
#ifndef TRANSHUME_UNIT_SUPPORT_LISTENER_H
#define TRANSHUME_UNIT_SUPPORT_LISTENER_H

#include "net/stream.h"

/* Listens on loopback; port 0: a free one. */
struct stream_listener;
enum status stream_listen(uint16_t port, struct stream_listener **listener,
                          struct error *error) MUST_USE;
uint16_t stream_listener_port(const struct stream_listener *listener);
void stream_listener_destroy(struct stream_listener *listener);         /* NULL is fine */
/* The next connection, waiting up to `timeout_ms` for it (0: only looks; STATUS_AGAIN: none). A TLS
 * handshake takes place as with stream_open, by `deadline_ms`. */
enum status stream_accept(struct stream_listener *listener, const struct stream_tls *tls,
                          int64_t timeout_ms, int64_t deadline_ms, struct stream **stream,
                          struct error *error) MUST_USE;

#endif
