/*
 * DynamoDB over the network: what the files of this connector share.
 *
 *   dynamodb.c    the descriptor, options, opening
 *   network.c     requests on the control client   client*.c      the service
 *   reader*.c     source                           scan.c, page.c its pages
 *   catalog.c     catalogue                        estimate.c     what a check foresees
 *   tables.c, create.c  checks, creation           send.c, encode.c  writing
 *   store.c       the store                        rollback.c     tables removed
 *   list.c        records of one partition         alter.c        changes of the schema in place
 *   change.c      declared ones
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_NETWORK_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_NETWORK_H

#include "connectors/contract/connector.h"
#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/network/client.h"
#include "connectors/keyed/keyed.h"
#include <pthread.h>

struct dynamodb_network {
    struct keyed_database keyed; /* first */
    struct dynamodb_service *service;
    struct dynamodb_client *control; /* for dynamodb_network_call, with control_mutex */
    uint64_t memory_bytes;
    uint64_t read_units;                 /* cap a second of all readers, 0: none */
    struct keyed_capacity read_capacity; /* what keeps it */
    bool consistent;                     /* source: ConsistentRead */
    struct dynamodb_known *known;        /* what is known of tables' keys (keys.c) */
    struct dynamodb_source *source_own;  /* catalog.c; NULL until it is needed */
};

static inline struct dynamodb_network *dynamodb_network_of(struct database *database)
{
    return (struct dynamodb_network *)database;
}

/* dynamodb_client_call on the control client; any thread. _write: only while the lease lasts, once
 * a run is claimed. */
enum status dynamodb_network_write(struct dynamodb_network *network, const char *operation,
                                   const char *object, const struct buffer *body,
                                   struct service_reply **response, struct error *error) MUST_USE;
/* The same, and tried once: a fault that may be tried again fails with class RETRY. */
enum status dynamodb_network_write_once(struct dynamodb_network *network, const char *operation,
                                        const char *object, const struct buffer *body,
                                        struct service_reply **response,
                                        struct error *error) MUST_USE;
enum status dynamodb_network_call(struct dynamodb_network *network, const char *operation,
                                  const char *object, const struct buffer *body,
                                  struct service_reply **response, struct error *error) MUST_USE;

#endif
