/*
 * Writing, from the inside. libmongoc waits for each answer, so a connection of the room has some
 * threads, each with a client of its own, that send its requests and put the answers out:
 *
 *   writer's thread ── send ──> waiting ──> a lane's thread: command, answer ──> answered ── poll
 * ──>
 */
#ifndef TRANSHUME_CONNECTORS_MONGODB_SEND_H
#define TRANSHUME_CONNECTORS_MONGODB_SEND_H

#include "connectors/mongodb/mongodb.h"
#include <stdatomic.h>

/* A request on its way. A lane's thread fills it, and touches of the request only what does not
 * change while it is under way: kind, table, body, and where the records are in it. */
struct mongodb_flight {
    struct mongodb_flight *next;
    struct keyed_request *request; /* it may be gone once it was answered */
    uint32_t count;                /* of its records */
    enum keyed_outcome *outcomes;  /* one a record */
    struct error **reasons;        /* of records; NULL: none */
    struct error whole;            /* of all of it, where `failed` or `lost` */
    bool failed;                   /* the writer fails */
    bool lost;                     /* nobody knows what was done of it */
    bool throttled;
};

/* A lane: a thread and what it works with. */
struct mongodb_lane {
    pthread_t thread;
    struct keyed_connection *connection;
    mongoc_client_t *client;
    mongoc_client_session_t *session; /* of a replica set; NULL: none */
    bson_t *options;                  /* with it: what names it */
    int64_t number;                   /* with it: of the last write */
    struct buffer command;
    bool started;
};

struct keyed_connection {
    struct mongodb_database *database;
    const struct target_table *tables;
    atomic_bool *holds_others; /* a table each: inserts into it found other documents too often */
    struct mongodb_lane *lanes;
    uint32_t lane_count;
    struct mongodb_flight *given; /* what the last answer points into */
    const struct error **reasons; /* of it */
    pthread_mutex_t mutex;        /* of what follows */
    pthread_cond_t to_send;
    pthread_cond_t to_tell;
    struct mongodb_flight *waiting;
    struct mongodb_flight **waiting_last;
    struct mongodb_flight *answered;
    struct mongodb_flight **answered_last;
    uint32_t under_way;
    bool ending;
};

/* ---------------------------------------------------------------- carry.c */

/* A client of the pool for the lane, and of a replica set a session; and back. */
void mongodb_lane_open(struct mongodb_lane *lane, struct keyed_connection *connection);
void mongodb_lane_close(struct mongodb_lane *lane); /* of one that was not opened, too */
/* Sends the request of the flight and fills in what came of it. A lane's thread. */
void mongodb_carry_out(struct mongodb_lane *lane, struct mongodb_flight *flight);
void mongodb_note_record(struct mongodb_flight *flight, uint32_t at, enum keyed_outcome outcome,
                         const struct error *reason);

#endif
