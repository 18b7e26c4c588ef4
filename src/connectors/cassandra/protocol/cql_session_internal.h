/*
 * Declarations that the files of a session share:
 *
 *   cql_session.c    what callers see: opening, statements, replies, waiting for one call
 *   cql_call.c       a call: its request, the node that gets it, what becomes of the answer
 *   cql_node.c       nodes and the connections to them
 *   cql_topology.c   what the system tables and events say of the cluster
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SESSION_INTERNAL_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SESSION_INTERNAL_H

#include "connectors/cassandra/protocol/cql_connection.h"
#include "connectors/cassandra/protocol/cql_ring.h"
#include "connectors/cassandra/protocol/cql_session.h"

enum { HOST_ID_BYTES = 16 };

/* ---------------------------------------------------------------- the cluster */

struct call_list {
    struct call *first;
    struct call *last;
};

/* A connection to a node, or a place for one; Scylla's nodes have one for each shard. */
struct link {
    struct node *node;
    uint32_t shard;
    struct cql_connection *connection; /* NULL: not tried, or failed */
    bool open;
    uint32_t failures; /* attempts in a row that did not get as far as open */
    int64_t retry_at_ms;
    struct error failure;     /* the last one */
    struct call_list waiting; /* until it is open, or has room */
    uint32_t load;            /* calls that it has, waiting or under way */
};

struct node {
    uint16_t index;
    char name[96]; /* "127.0.0.1:9042" */
    char *host;
    uint16_t port;
    bool identified; /* `host_id` is known: not just a contact point */
    uint8_t host_id[HOST_ID_BYTES];
    char *dc;
    char *rack;
    bool gone;           /* no longer in the cluster */
    struct link **links; /* by shard */
    uint32_t link_count;
    struct cql_shards shards;
};

/* Lives as long as the session. */
struct keyspace {
    struct keyspace *next;
    char *name;
    struct cql_replication replication;
    uint16_t *replicas; /* NULL: not worked out since the ring changed; see cql_ring_replicas */
    size_t width;
};

/* ---------------------------------------------------------------- calls */

struct prepared {
    struct cql_prepared public; /* first: callers have pointers to it */
    struct prepared *next;
    struct text id;
    struct text metadata_id;
    struct keyspace *keyspace; /* NULL: not known */
    struct arena *arena;
    bool forgotten; /* a node forgets it at once: it is sent as a text */
};

enum call_kind {
    CALL_USER,
    CALL_WAITED,  /* a function of the session waits for it */
    CALL_PREPARE, /* once more on one node, for calls that it refused */
    CALL_REGISTER,
    CALL_LOCAL,
    CALL_PEERS,
    CALL_KEYSPACES
};

struct call {
    struct call *next; /* in a list */
    enum call_kind kind;
    void *tag;
    enum cql_opcode opcode;
    struct buffer body;         /* the request; of a kept answer that */
    struct prepared *prepared;  /* whose metadata a result may be without */
    struct cql_columns columns; /* they, when the request was written */
    const struct keyspace *keyspace;
    bool routed; /* by `token` */
    int64_t token;
    struct link *pinned; /* no other may have it; NULL: any */
    int64_t deadline_ms;
    int64_t began_us;
    struct link *link; /* that has it, or had it last */
    uint64_t tried;    /* nodes by index, as far as there are bits */
    uint32_t attempts;
    uint32_t prepared_again;
    uint32_t prepared_ever;
    const struct prepared *unprepared; /* which that counts */
    bool was_unavailable;
    bool conditional; /* a write that may be accepted although too few replicas are there for it */
    struct call_list waiting;    /* CALL_PREPARE: for this */
    struct call *next_preparing; /* CALL_PREPARE: the next of these */

    /* The outcome: an answer, or none. */
    enum cql_failure failure;
    bool sent;
    bool kept; /* `answer` is in `body`, else in the connection */
    struct cql_envelope answer;
};

enum watch {
    WATCH_NOTHING,
    WATCH_ASKING, /* the system tables are being read */
    WATCH_ON
};

struct cql_session {
    bool told_of_texts;
    struct cql_session_options options; /* texts are copies */
    uint8_t version;                    /* 0: not known yet */
    struct node **nodes;
    size_t node_count;
    struct link **links; /* of all nodes */
    size_t link_count;
    size_t link_at; /* whose turn it is to be read */
    uint32_t link_turns;
    size_t rotation;                /* where the choice among equals begins */
    struct error failure;           /* of the connection that failed last */
    struct cql_connection **broken; /* to be closed with the next call */
    size_t broken_count;

    struct cql_ring_entry *entries;
    size_t entry_count;
    struct cql_place *places;
    struct keyspace *keyspaces;
    char *local_dc;
    char *cluster_name;
    char *release;

    struct link *control; /* where events come from; NULL: none */
    struct link *changed; /* that changed the schema last; NULL: none did */
    enum watch watch;
    bool old_peers; /* there is no system.peers_v2 */
    bool keyspaces_stale;
    int64_t refresh_at_ms; /* the topology; INT64_MAX: not due */
    struct arena *staging; /* what CALL_LOCAL said, until CALL_PEERS is here */
    struct staged *staged;
    bool known;    /* the topology was read once */
    bool unusable; /* for `failure` */

    struct prepared *prepared;
    struct call *preparing; /* CALL_PREPARE under way */
    struct call *free_calls;
    struct call_list done; /* with their outcome, to be handed out */
    struct call *out;      /* handed out last */
    uint32_t under_way;    /* calls of users */
    struct arena *arena;   /* of the reply handed out last */
    struct stream_wait *waits;
    size_t wait_capacity;
};

/* ---------------------------------------------------------------- cql_node.c */

struct node *cql_node_add(struct cql_session *session, const char *host, uint16_t port);
struct node *cql_node_find(const struct cql_session *session, const uint8_t host_id[HOST_ID_BYTES]);
void cql_node_free(struct node *node);
/* In the local data centre (all are until that is known), and not gone. */
bool cql_node_is_local(const struct cql_session *session, const struct node *node);

/* Begins to connect unless it does or may not yet. False: it may not, or failed at once. */
bool cql_link_begin(struct cql_session *session, struct link *link);
/* Whether calls may be given to it: open, or on the way there. */
bool cql_link_is_usable(struct cql_session *session, struct link *link);
/* Closes a link whose connection failed; its calls go elsewhere, or end. */
void cql_link_fail(struct cql_session *session, struct link *link, const struct error *why);
/* Takes the steps of a connection that opens. */
void cql_link_open(struct cql_session *session, struct link *link);

/* ---------------------------------------------------------------- cql_call.c */

struct call *cql_call_new(struct cql_session *session, enum call_kind kind);
void cql_call_free(struct cql_session *session, struct call *call);
void cql_call_list_add(struct call_list *list, struct call *call);
struct call *cql_call_list_take(struct call_list *list); /* NULL: empty */

/* A QUERY of a text without values, at ONE. */
void cql_call_write_query(struct cql_session *session, struct call *call, const char *text);
/* Finds a link for the call and gives it to it; if there is none, the call ends. */
void cql_call_dispatch(struct cql_session *session, struct call *call);
/* Ends a call without an answer. */
void cql_call_end(struct cql_session *session, struct call *call, enum cql_failure failure,
                  bool sent);
/* Puts a call with its outcome into the list. The answer is copied, since the connection's next one
 * takes its place. */
void cql_call_keep(struct call *call, struct call_list *list);
/* Does what can be done without waiting, up to the next call of a user or waiting function that has
 * its outcome. NULL: none now. */
struct call *cql_call_next(struct cql_session *session);
/* Sends what was gathered, and waits for something to do until `until_ms` at most. */
void cql_call_wait(struct cql_session *session, int64_t until_ms);

/* ---------------------------------------------------------------- cql_topology.c */

/* Does the work that is due: to watch over the cluster from a link that is open, to read the tables
 * again. */
void cql_topology_tick(struct cql_session *session);
int64_t cql_topology_wake_ms(const struct cql_session *session);
void cql_topology_event(struct cql_session *session, const struct cql_envelope *envelope);
/* The outcome of a call of the kinds from CALL_REGISTER on. */
void cql_topology_take(struct cql_session *session, struct call *call);
/* The control link is gone. */
void cql_topology_lost(struct cql_session *session);
struct keyspace *cql_topology_keyspace(struct cql_session *session, struct text name);
/* The local replicas for a token, `*count` of them with CQL_NO_NODE at the end. NULL: not known. */
const uint16_t *cql_topology_replicas(struct cql_session *session, const struct keyspace *keyspace,
                                      int64_t token, size_t *count);
void cql_topology_free(struct cql_session *session);

#endif
