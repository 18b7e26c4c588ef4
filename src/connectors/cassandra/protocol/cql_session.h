/*
 * A session with a cluster: finds its nodes, routes each request to a replica, and keeps many
 * under way. All that a connector needs of the protocol is here and in cql_message.h.
 *
 *   contact points -> one node -> system.local, system.peers -> nodes, tokens, data centres
 *   call -> token -> local replica with the fewest under way -> connection -> reply
 *
 * A session belongs to one thread, and only its poll, query, prepare and the like wait. Connections
 * are made when they are first needed; a node that cannot be reached is left alone for a while
 * (exponential backoff) and the next one serves. Times are of clock_boottime_ms.
 *
 * The session tries another node only if a request was certainly not carried out: it was not sent;
 * the node did not know the statement (which is prepared again there) or is bootstrapping; or was
 * Unavailable, once. All else is told to the caller, who knows what may be repeated.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SESSION_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SESSION_H

#include "base/arena.h"
#include "base/error.h"
#include "connectors/cassandra/protocol/cql_failure.h"
#include "connectors/cassandra/protocol/cql_message.h"
#include "connectors/cassandra/protocol/cql_token.h"
#include "net/stream.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_session;
struct cql_bundle;

enum { CQL_PORT = 9042 };

struct cql_contact {
    const char *host;
    uint16_t port; /* 0: options.port */
};

/* Zeros mean the defaults. */
struct cql_session_options {
    const struct cql_contact *contacts;
    size_t contact_count;
    uint16_t port;    /* of nodes that do not say theirs (the first contact point's, or CQL_PORT) */
    const char *user; /* NULL: no log-in */
    const char *password;
    const char *keyspace;            /* of names that say none; NULL: none. It has to be there */
    const struct stream_tls *tls;    /* NULL: plaintext */
    const char *server_name;         /* in every node's certificate; NULL: the node's address */
    bool plaintext_allowed;          /* beyond loopback */
    const char *local_dc;            /* NULL: that of the first contact point that answers */
    uint8_t version_max;             /* 3, 4, 5 (5) */
    bool compression;                /* lz4, where the node offers it */
    const struct cql_bundle *bundle; /* Astra: contacts and tls are its; NULL: none */
    uint32_t under_way_max;          /* calls of the session at once (1024) */
    int64_t connect_timeout_ms;      /* (5000) */
    int64_t request_timeout_ms;      /* of query, prepare, and calls without a deadline (12000) */
    int64_t heartbeat_ms;            /* (30000) */
    int64_t agreement_timeout_ms;    /* of the schema (30000) */
};

/* Connects to a contact point and reads the topology. All is copied but `tls` and `bundle`, which
 * stay the caller's. ERROR_NETWORK: none could be reached; ERROR_TARGET_INVALID: local_dc is no
 * data centre, or the partitioner is not supported; and those of cql_connection.h. */
enum status cql_session_open(const struct cql_session_options *options,
                             struct cql_session **session, struct error *error) MUST_USE;
/* NULL is fine. Calls under way are forgotten; what was sent may still be carried out. */
void cql_session_close(struct cql_session *session);

/* ---------------------------------------------------------------- the cluster */

struct cql_cluster {
    uint8_t version;     /* of the protocol */
    const char *release; /* "5.0.9", of the node that was asked */
    const char *cluster_name;
    const char *local_dc;
    size_t node_count;           /* known now, up or down */
    size_t local_node_count;     /* of them in local_dc */
    struct stream_report report; /* of the first connection */
};
/* Valid until the next call. */
struct cql_cluster cql_session_cluster(const struct cql_session *session);
/* The ring's ranges (see cql_ranges_of), in the caller's arena. */
struct cql_range *cql_session_ranges(struct cql_session *session, struct arena *arena,
                                     size_t *count);
/* Waits until all nodes that are up have one schema. ERROR_NETWORK: not in time. To be called after
 * each change of a schema, before what depends on it. */
enum status cql_session_agree(struct cql_session *session, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- statements */

/* Owned by the session, valid until it is closed. */
struct cql_prepared {
    const char *text;
    struct text keyspace; /* of its table; empty if it has no parameters */
    struct text table;
    struct cql_columns parameters;
    const uint16_t *key;        /* the parameters that make the partition key, in its order */
    size_t key_count;           /* 0: not all of them are parameters */
    struct cql_columns columns; /* of its result, in version 5 as last seen; `list` NULL: none. Each
                                   reply has its own */
};

/* Prepares on one node; others follow when they need it. The same text gives the same statement.
 * `*failure` (may be NULL): why it failed. */
enum status cql_session_prepare(struct cql_session *session, const char *text,
                                const struct cql_prepared **prepared, enum cql_failure *failure,
                                struct error *error) MUST_USE;

/* Values are [value] one after the other, as cql_write_value writes them. */
struct cql_statement {
    const struct cql_prepared *prepared; /* NULL: `text` */
    const char *text;
    const void *values;
    size_t values_length;
    uint16_t value_count;
};

enum cql_batch {
    CQL_BATCH_NONE = 0, /* one statement, by itself */
    CQL_BATCH_OF_LOGGED,
    CQL_BATCH_OF_UNLOGGED,
    CQL_BATCH_OF_COUNTERS
};

/* Set `timestamp_us` to CQL_NO_TIMESTAMP if there is none; else zeros mean the defaults. */
struct cql_call {
    const struct cql_statement
        *statements; /* all that is pointed to is copied by cql_session_send */
    size_t statement_count;
    enum cql_batch batch;
    enum cql_consistency consistency;
    enum cql_consistency serial_consistency; /* zero: the server's */
    int64_t timestamp_us;
    int32_t page_size;             /* rows; 0: all */
    struct cql_value paging_state; /* of the page before; `data` NULL: the first page */
    const int64_t *token;          /* to route by; NULL: any local node */
    const char *keyspace;          /* whose replicas; NULL: that of the prepared statement */
    int64_t deadline_ms; /* the answer must be here, and nothing is sent later; 0: the default */
    void *tag;
};

/* Takes over a call and returns at once; it reaches the socket with others, at the latest with
 * cql_session_flush or _poll. A copy of it is kept until its reply is taken. STATUS_AGAIN:
 * under_way_max is reached, take replies first. STATUS_FAILED: the call itself is wrong
 * (ERROR_INTERNAL). */
enum status cql_session_send(struct cql_session *session, const struct cql_call *call,
                             struct error *error) MUST_USE;
void cql_session_flush(struct cql_session *session);
/* Calls without a reply yet. */
uint32_t cql_session_under_way(const struct cql_session *session);

struct cql_reply {
    void *tag;
    const char *node;             /* that answered, "127.0.0.1:9042"; "" if none did */
    enum cql_failure failure;     /* CQL_FAILURE_NONE if the call succeeded */
    bool may_have_happened;       /* a failed call may have been carried out, or may be yet */
    struct cql_error cause;       /* the node's ERROR, if `failure` comes from one */
    struct cql_response response; /* of a call that succeeded; rows have their columns */
    uint32_t attempts;            /* nodes that it was sent to */
    int64_t took_us;              /* from send to reply */
};

/*
 * The next reply, waiting up to `timeout_ms` for it; valid until the next call of any function of
 * the session but cql_session_send and _flush. STATUS_OK: a call succeeded. STATUS_FAILED: the call
 * of `reply->tag` failed, `reply->failure` and `error` say why. STATUS_AGAIN: no reply yet.
 */
enum status cql_session_poll(struct cql_session *session, int64_t timeout_ms,
                             struct cql_reply *reply, struct error *error) MUST_USE;

/* One call from begin to end, for control work; `tag` is not used. Replies to other calls wait for
 * cql_session_poll. What the reply points to is copied into `arena`. A change of the schema waits
 * for agreement. */
enum status cql_session_query(struct cql_session *session, const struct cql_call *call,
                              struct arena *arena, struct cql_reply *reply,
                              struct error *error) MUST_USE;
/* The same for a text without values, at `consistency`. */
enum status cql_session_run(struct cql_session *session, const char *text,
                            enum cql_consistency consistency, struct arena *arena,
                            struct cql_reply *reply, struct error *error) MUST_USE;

#endif
