/* What network_send.c and network_encode.c share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SEND_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SEND_H

#include "connectors/dynamodb/network_target.h"

struct keyed_connection {
    struct dynamodb_network *network;
    const struct target_table *tables;
    struct dynamodb_client *client;
    struct keyed_encoder *encoders;
    /* of the last answer */
    struct service_reply *reply;
    enum keyed_outcome outcomes[DYNAMODB_WRITES_MAX];
    uint32_t left_count;
    struct error reason;
};

/* As struct keyed_service has them. */
void dynamodb_send_begin(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                         struct buffer *body);
void dynamodb_send_end(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                       struct buffer *body);
enum status dynamodb_send_encode(struct keyed_connection *connection, enum keyed_kind kind,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error) MUST_USE;

#endif
