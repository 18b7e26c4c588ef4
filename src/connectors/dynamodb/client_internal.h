/* What client.c and client_faults.c share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_CLIENT_INTERNAL_H
#define TRANSHUME_CONNECTORS_DYNAMODB_CLIENT_INTERNAL_H

#include "connectors/dynamodb/client.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "net/aws_sign.h"
#include "net/http.h"

struct dynamodb_service {
    struct dynamodb_service_options options; /* its texts are not kept */
    struct arena *arena;
    struct aws_config *config;
    struct aws_credential_chain *chain;
    struct aws_endpoint endpoint;
    struct aws_clock clock;
    const char *region;
    const char *url;
    const char *ca_file;   /* NULL: as the configuration says */
    _Atomic bool answered; /* something has answered at the endpoint once */
};

/* A request under way. */
struct dynamodb_call {
    struct dynamodb_call *next;
    struct dynamodb_call **link; /* what points to this one */
    const char *operation;
    const char *object;
    void *context;
    uint64_t generation; /* of the credentials that signed it */
};

/* Fills fault, error, body and the like of `response` from what came; takes the body over. */
void dynamodb_client_judge(struct dynamodb_service *service, const struct dynamodb_call *call,
                           struct http_response *from, struct dynamodb_response *response);

#endif
