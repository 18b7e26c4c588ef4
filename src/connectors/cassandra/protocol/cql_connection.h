/*
 * One connection to one node, asynchronous: requests are sent as they come, answers arrive in any
 * order and are told apart by their stream ids.
 *
 *   connect -> TLS -> OPTIONS -> STARTUP -> password -> open -> broken
 *      ^                    |
 *      '--- one version less, if the node does not speak this one
 *
 * Small requests are gathered: they reach the socket together, with cql_connection_flush, or when
 * there are many. A connection belongs to one thread and never blocks. Times are of
 * clock_boottime_ms. No byte of a request is handed to the system after the request's deadline.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_CONNECTION_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_CONNECTION_H

#include "base/error.h"
#include "connectors/cassandra/protocol/cql_message.h"
#include "net/stream.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CQL_STREAMS_MAX = 32768, CQL_STREAMS_DEFAULT = 2048 };

struct cql_connection_options {
    const char *name; /* of the node, for messages: "127.0.0.1:9042" */
    const char *host;
    uint16_t port;
    uint16_t local_port;          /* 0: any */
    const struct stream_tls *tls; /* NULL: plaintext */
    const char *server_name;      /* see stream_options */
    bool plaintext_allowed;
    const char *user; /* NULL: none; a node that asks for a password is refused then */
    const char *password;
    const char *keyspace;       /* of names that say none (USE); NULL: none. It has to be there */
    uint8_t version;            /* tried first; 0: CQL_VERSION_MAX */
    bool version_fixed;         /* no lower one is tried */
    bool compression;           /* lz4, if the node offers it */
    uint32_t streams_max;       /* under way at once; 0: CQL_STREAMS_DEFAULT */
    int64_t connect_timeout_ms; /* from here to open, all attempts together */
    int64_t heartbeat_ms;       /* an OPTIONS is sent when nothing came for so long; 0: never */
};

/* A Scylla node's account of its shards; `count` 0: it gives none. */
struct cql_shards {
    uint32_t shard; /* that this connection goes to */
    uint32_t count;
    uint32_t ignored_bits;
    uint16_t port; /* where the client's port chooses the shard; 0: there is none */
    uint16_t port_tls;
};

struct cql_connection;

/*
 * Errors that break a connection; it stays broken, and all functions return the same:
 *   ERROR_NETWORK, ERROR_TLS   as of net/stream.h; a heartbeat without answer; a deadline that
 *                              passed before its request was sent
 *   ERROR_NETWORK_ANSWER       what came is not the protocol, or lies about lengths
 *   ERROR_CREDENTIALS          wrong password, none given, or an authenticator that is not known
 *   ERROR_TARGET_INVALID       the node speaks no version that we do
 */

/* Begins to connect; `options` are copied. */
enum status cql_connection_open(const struct cql_connection_options *options,
                                struct cql_connection **connection, struct error *error) MUST_USE;
/* Closes. NULL is fine. */
void cql_connection_close(struct cql_connection *connection);

/* Drives the steps up to open. STATUS_OK: open. STATUS_AGAIN: not yet. */
enum status cql_connection_ready(struct cql_connection *connection, struct error *error) MUST_USE;
/* Facts of an open connection. */
uint8_t cql_connection_version(const struct cql_connection *connection);
const struct cql_shards *cql_connection_shards(const struct cql_connection *connection);
struct stream_report cql_connection_report(const struct cql_connection *connection);
/* Requests without an answer yet. */
uint32_t cql_connection_under_way(const struct cql_connection *connection);

/* Takes over a request of an open connection; `body` is copied. STATUS_AGAIN: too many requests or
 * bytes are under way; answers must be taken first. */
enum status cql_connection_send(struct cql_connection *connection, enum cql_opcode opcode,
                                const void *body, size_t length, int64_t deadline_ms, void *tag,
                                struct error *error) MUST_USE;
/* Hands what was gathered to the system, as much as it takes; the rest follows with any call. */
enum status cql_connection_flush(struct cql_connection *connection, struct error *error) MUST_USE;

enum cql_answer_kind {
    CQL_ANSWER_RESPONSE, /* `envelope` is the answer to `tag` */
    CQL_ANSWER_EVENT,    /* `envelope` is an EVENT; no tag */
    CQL_ANSWER_LATE      /* `tag` has no answer by its deadline; one that comes later is dropped */
};

struct cql_answer {
    enum cql_answer_kind kind;
    void *tag;
    struct cql_envelope envelope; /* valid until the next call of cql_connection_next */
};

/* The next answer. STATUS_AGAIN: none now. STATUS_FAILED: broken; see cql_connection_lost. */
enum status cql_connection_next(struct cql_connection *connection, struct cql_answer *answer,
                                struct error *error) MUST_USE;
/* The requests of a broken connection that got no answer, one after the other. `*sent`: some bytes
 * of it may have reached the node. False: no more. */
bool cql_connection_lost(struct cql_connection *connection, void **tag, bool *sent) MUST_USE;

/* For stream_poll: what the connection waits for. */
void cql_connection_wait(const struct cql_connection *connection, struct stream_wait *wait);
/* When something is to be done even if nothing comes: a deadline, a heartbeat. */
int64_t cql_connection_wake_ms(const struct cql_connection *connection);

#endif
