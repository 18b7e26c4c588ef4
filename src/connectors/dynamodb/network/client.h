/*
 * DynamoDB's low-level API: one request is an operation and a JSON body, signed when it is sent;
 * its answer is checked (CRC, JSON, status) and judged.
 *
 *   POST / HTTP/1.1                              200, {…}           x-amz-crc32: 2745614147
 *   X-Amz-Target: DynamoDB_20120810.PutItem      400, {"__type":"…#ValidationException",
 *   Content-Type: application/x-amz-json-1.0          "message":"…"}
 *
 * (AWS: "DynamoDB low-level API", "Error handling with DynamoDB"; API version 2012-08-10.)
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CLIENT_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_CLIENT_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "net/service.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * An endpoint with its region and credentials, shared by all of its clients and any thread;
 * outlives them.
 */
struct dynamodb_service;

struct dynamodb_service_options {
    enum open_mode mode;         /* which side errors speak of */
    const char *region;          /* NULL or "": environment, then profile */
    const char *endpoint;        /* NULL: environment, then profile, then AWS's own */
    const char *profile;         /* NULL: AWS_PROFILE, then "default" */
    const char *ca_file;         /* NULL: AWS_CA_BUNDLE, then profile, then the system's */
    bool plaintext_allowed;      /* http:// to a host that is not loopback */
    int64_t timeout_ms;          /* of one request */
    int64_t patience_ms;         /* dynamodb_client_call: how long a request is tried again */
    const _Atomic bool *stopped; /* NULL, or ends waits early */
    struct database *database;   /* NULL, or whose report tells how answers came */
};

/* Nothing is sent. Errors: no region, unknown profile, an endpoint that is no URL or would be
 * plaintext. Credentials are looked for at the first request. */
enum status dynamodb_service_create(const struct dynamodb_service_options *options,
                                    struct dynamodb_service **service,
                                    struct error *error) MUST_USE;
void dynamodb_service_destroy(struct dynamodb_service *service); /* NULL is fine */
const char *dynamodb_service_region(const struct dynamodb_service *service);
const char *dynamodb_service_endpoint(const struct dynamodb_service *service); /* "https://…" */

/* The meaning of an answer that is no success. */
enum dynamodb_fault {
    DYNAMODB_FAULT_NONE = 0,
    DYNAMODB_FAULT_THROTTLED,    /* of the table or the account: slow down, send again */
    DYNAMODB_FAULT_SERVER,       /* 5xx, 408: send again */
    DYNAMODB_FAULT_NETWORK,      /* no whole answer, or one whose CRC is wrong: send again */
    DYNAMODB_FAULT_CREDENTIALS,  /* expired: they were asked for anew, send again */
    DYNAMODB_FAULT_REFUSED,      /* no credentials, wrong ones, no permission, wrong clock: stop */
    DYNAMODB_FAULT_NOT_DYNAMODB, /* HTML and the like: something else answers here: stop */
    DYNAMODB_FAULT_CONDITION,    /* ConditionalCheckFailedException */
    DYNAMODB_FAULT_MISSING,      /* ResourceNotFoundException */
    DYNAMODB_FAULT_IN_USE,       /* ResourceInUseException: being made, changed or deleted */
    DYNAMODB_FAULT_LIMIT,        /* LimitExceededException: too many tables change at once */
    DYNAMODB_FAULT_INVALID,      /* ValidationException and other 400s: the request is wrong */
    DYNAMODB_FAULT_TOO_LARGE,    /* 413 */
    DYNAMODB_FAULT_UNKNOWN       /* UnknownOperationException: emulators lack some */
};

struct dynamodb_request {
    const char *operation; /* "BatchWriteItem"; a literal */
    const char *object;    /* what errors speak of: "table Track"; NULL: the endpoint */
    const void *body;      /* borrowed, with `object`, until its answer is taken */
    size_t body_length;
    int64_t timeout_ms;  /* 0: the service's */
    int64_t patience_ms; /* dynamodb_client_call; 0: the service's; below 0: a single try */
    /* NULL, or sent only while its lease outlasts the timeout (ERROR_LEASE_SHORT, class RETRY) */
    const struct database *lease;
    void *context;
};

/* `fault` of a service_reply is an enum dynamodb_fault. Its verdict says what is tried again: up to
 * _CREDENTIALS; from _CONDITION on it is SERVICE_REJECT, though the error's class may be RETRY. */

/* Connections of one thread. */
struct dynamodb_client;
enum status dynamodb_client_create(struct dynamodb_service *service, uint32_t connections_max,
                                   struct dynamodb_client **client, struct error *error) MUST_USE;
/* Requests under way are dropped: they may be carried out or not. NULL is fine. */
void dynamodb_client_destroy(struct dynamodb_client *client);

/* Signs and sends; never waits for an answer (but credentials may have to be fetched).
 * STATUS_AGAIN: connections_max requests are under way. STATUS_FAILED: nothing was sent. */
enum status dynamodb_client_submit(struct dynamodb_client *client,
                                   const struct dynamodb_request *request,
                                   struct error *error) MUST_USE;
/* service_poll */
enum status dynamodb_client_poll(struct dynamodb_client *client, int64_t timeout_ms,
                                 struct service_reply **reply, struct error *error) MUST_USE;
/*
 * One request to its end, for control work: none may be under way. As service_call: STATUS_OK for a
 * success and for faults of the request itself, which the caller judges. ERROR_LEASE_SHORT is not
 * waited for.
 */
enum status dynamodb_client_call(struct dynamodb_client *client,
                                 const struct dynamodb_request *request,
                                 struct service_reply **reply, struct error *error) MUST_USE;

#endif
