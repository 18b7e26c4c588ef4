/* Declarations that client.c and client_faults.c share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CLIENT_INTERNAL_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CLIENT_INTERNAL_H

#include "connectors/dynamodb/network/client.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "net/aws_sign.h"
#include "net/http.h"

struct dynamodb_service {
    struct dynamodb_service_options options; /* its texts are not kept */
    struct service *service;
    struct arena *arena;
    struct aws_config *config;
    struct aws_credential_chain *chain;
    struct aws_endpoint endpoint;
    struct aws_clock clock;
    const char *region;
};

/* service_functions.judge; `generation` is of the credentials that signed the request. */
void dynamodb_client_judge(struct dynamodb_service *service, const struct service_request *request,
                           uint64_t generation, struct http_response *from,
                           struct service_reply *reply);

#endif
