/* A connection's insides: what connection.c and login.c share. */
#ifndef TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CONNECTION_INTERNAL_H
#define TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CONNECTION_INTERNAL_H

#include "connectors/redis/protocol/connection.h"
#include <stdio.h>
#include <string.h>

struct redis_connection {
    struct stream *stream;
    char place[250]; /* HOST:PORT */
    int64_t timeout_ms;
    struct redis_facts facts;
    struct buffer outgoing;
    size_t sent; /* of outgoing */
    struct buffer incoming;
    size_t taken; /* of incoming: replies that were handed out */
    struct resp_scan scan;
    bool broken; /* with `failure` */
    struct error failure;
};

#endif
