/*
 * A node of a made-up cluster, in a thread of its own: it speaks the CQL protocol up to a version,
 * knows its peers, and answers requests as a script says. What it frames and reads is written
 * apart from the client's own code, checksums aside.
 */
#ifndef TRANSHUME_UNIT_SUPPORT_CQL_PEER_H
#define TRANSHUME_UNIT_SUPPORT_CQL_PEER_H

#include "support.h"

#include "connectors/cassandra/protocol/cql_message.h"
#include "net/stream.h"
#include <pthread.h>
#include <stdatomic.h>

enum { CQL_PEER_TOKENS_MAX = 8, CQL_PEER_CONNECTIONS_MAX = 8 };

/* What is wrong with what it sends, once a connection is open if not said otherwise. */
enum cql_peer_fault {
    CQL_PEER_SOUND = 0,
    CQL_PEER_BYTE_BY_BYTE, /* from the first one */
    CQL_PEER_SPLIT,        /* each answer in segments of ten bytes */
    CQL_PEER_BAD_HEADER_CRC,
    CQL_PEER_BAD_PAYLOAD_CRC,
    CQL_PEER_LONG_BODY,     /* an answer that claims 1 GiB */
    CQL_PEER_SHORT_SEGMENT, /* an answer longer than its segment */
    CQL_PEER_WRONG_STREAM,  /* answers to what nobody asked */
    CQL_PEER_HANG_UP_AT_STARTUP,
    CQL_PEER_SILENT_AT_STARTUP,
    CQL_PEER_SILENT_LATER, /* once it is set up */
    CQL_PEER_SPEAKS_TLS    /* begins with an alert of TLS */
};

struct cql_peer_request {
    uint8_t version;
    int16_t stream;
    uint8_t opcode;
    const uint8_t *body;
    size_t length;
};

struct cql_peer {
    /* set before the start */
    uint8_t version_max; /* 0: 5 */
    enum cql_peer_fault fault;
    bool lz4;                  /* offered */
    const char *authenticator; /* NULL: none; the password is "secret" */
    const char *partitioner;   /* NULL: Murmur3Partitioner */
    const char *dc;            /* NULL: "dc1" */
    const char *rack;          /* NULL: "r1" */
    int64_t tokens[CQL_PEER_TOKENS_MAX];
    size_t token_count;
    struct cql_peer *others; /* all nodes of the cluster, itself included */
    size_t other_count;
    bool old_peers;               /* it has no system.peers_v2 */
    const struct stream_tls *tls; /* NULL: plaintext */
    uint32_t shard_count;         /* of Scylla; its port is the shard-aware one */
    /* Appends the answer to PREPARE, EXECUTE, BATCH and QUERY (but of the system tables), with the
     * functions below; nothing appended: there is none. NULL: prepares all, and says void. */
    void (*answer)(struct cql_peer *peer, const struct cql_peer_request *request,
                   struct buffer *out);
    void *context;

    /* running */
    uint16_t port;
    _Atomic uint32_t accepted;
    _Atomic uint32_t requests[32]; /* by opcode */
    _Atomic bool stopped;
    _Atomic bool cut; /* closes all connections now */
    struct stream_listener *listener;
    pthread_t thread;
};

void cql_peer_start(struct cql_peer *peer);
void cql_peer_stop(struct cql_peer *peer);
/* Starts nodes that know each other; those that stop may be started again. */
void cql_peer_start_all(struct cql_peer *peers, size_t count);
void cql_peer_stop_all(struct cql_peer *peers, size_t count);

void cql_peer_say(struct buffer *out, const struct cql_peer_request *request, uint8_t opcode,
                  const struct buffer *body);
void cql_peer_say_void(struct buffer *out, const struct cql_peer_request *request);
/* `more` (may be NULL) follows code and message. */
void cql_peer_say_error(struct buffer *out, const struct cql_peer_request *request, int32_t code,
                        const struct buffer *more);
/* A statement with the parameter `k int`, its partition key, and for a SELECT the columns `k` and
 * `v`, both int. The text is its id. */
void cql_peer_say_prepared(struct buffer *out, const struct cql_peer_request *request);
void cql_peer_say_unprepared(struct buffer *out, const struct cql_peer_request *request);

#endif
