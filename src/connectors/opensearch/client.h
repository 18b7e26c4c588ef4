/*
 * The REST API of OpenSearch and Elasticsearch: requests of JSON over HTTP, with whatever proves
 * who sends them; answers judged by their status and by the type of the error in them.
 *
 *   POST /album/_bulk HTTP/1.1                 200 {"took":3,"errors":false,"items":[…]}
 *   Content-Type: application/x-ndjson         404 {"error":{"type":"index_not_found_exception",
 *   Authorization: Basic …                               "reason":"no such index [album]"},…}
 *
 * (OpenSearch: "REST API reference"; Elasticsearch 7.10: "REST APIs".)
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_CLIENT_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_CLIENT_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "net/service.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An endpoint with its credentials, shared by all of its clients and any thread; outlives them. */
struct opensearch_service;

struct opensearch_service_options {
    enum open_mode mode; /* which side errors speak of */
    const char *url;     /* "https://host:9200" */
    const char *user;    /* with `password`: basic authentication; NULL: none */
    const char *password;
    const char *api_key;       /* as the server gave it, encoded; NULL: none */
    const char *aws_service;   /* "es": requests are signed; NULL: they are not */
    const char *region;        /* NULL: environment, then profile */
    const char *profile;       /* NULL: AWS_PROFILE, then "default" */
    const char *ca_file;       /* NULL: the system's */
    bool plaintext_allowed;    /* http:// to a host that is not loopback */
    int64_t timeout_ms;        /* of one request */
    struct database *database; /* whose report tells how answers came */
};

/* Nothing is sent. The texts of the options are copied. */
enum status opensearch_service_create(const struct opensearch_service_options *options,
                                      struct opensearch_service **service,
                                      struct error *error) MUST_USE;
void opensearch_service_destroy(struct opensearch_service *service); /* NULL is fine */

/* The meaning of an answer that is no success: `fault` of a service_reply. */
enum opensearch_fault {
    OPENSEARCH_FAULT_NONE = 0,
    OPENSEARCH_FAULT_THROTTLED, /* 429: slow down, send again */
    OPENSEARCH_FAULT_SERVER,    /* 5xx, 408: send again */
    OPENSEARCH_FAULT_NETWORK,   /* no whole answer: send again */
    OPENSEARCH_FAULT_REFUSED,   /* 401, 403: stop */
    OPENSEARCH_FAULT_OTHER,     /* something else answers here: stop */
    /* the request's own: the caller judges */
    OPENSEARCH_FAULT_MISSING,    /* 404: no such index, no such document */
    OPENSEARCH_FAULT_CONFLICT,   /* 409: another version is there */
    OPENSEARCH_FAULT_EXISTS,     /* 400 resource_already_exists_exception */
    OPENSEARCH_FAULT_TOO_LARGE,  /* 413 */
    OPENSEARCH_FAULT_INVALID,    /* other 4xx */
    OPENSEARCH_FAULT_LONG_ANSWER /* the answer is above what is held of one */
};

/* The type of error of what is blocked, as on a disk that is nearly full (flood stage). */
#define OPENSEARCH_BLOCK "cluster_block_exception"
#define OPENSEARCH_BLOCK_HINT \
    "free disk space or lift the block (PUT INDEX/_settings), then `transhume resume`"

struct opensearch_request {
    const char *operation; /* what errors call it: "_bulk"; a literal */
    const char *object;    /* what errors speak of; NULL: the endpoint */
    const char *method;
    const char *path; /* with its query, both percent-encoded as SigV4 wants it */
    const void *body; /* borrowed, with `object` and `path`, until its answer is taken */
    size_t body_length;
    bool repeatable; /* sending it twice does no harm */
    /* NULL, or sent only while its lease outlasts the timeout (ERROR_LEASE_SHORT, class RETRY) */
    const struct database *lease;
    void *context;
};

/* Connections of one thread. */
struct opensearch_client;
enum status opensearch_client_create(struct opensearch_service *service, uint32_t connections_max,
                                     struct opensearch_client **client,
                                     struct error *error) MUST_USE;
/* Drops what is under way: it may be carried out or not. NULL is fine. */
void opensearch_client_destroy(struct opensearch_client *client);
/* Sends once; never waits for an answer. STATUS_AGAIN: connections_max requests are under way. */
enum status opensearch_client_submit(struct opensearch_client *client,
                                     const struct opensearch_request *request,
                                     struct error *error) MUST_USE;
/* service_poll */
enum status opensearch_client_poll(struct opensearch_client *client, int64_t timeout_ms,
                                   struct service_reply **reply, struct error *error) MUST_USE;
/* One request to its end, for control work. STATUS_OK for a success and for faults of the request
 * itself (from _MISSING on). */
enum status opensearch_client_call(struct opensearch_client *client,
                                   const struct opensearch_request *request,
                                   struct service_reply **reply, struct error *error) MUST_USE;

/* The answer as a tree; NULL, with an error: it is no JSON object. Numbers beyond what a tree holds
 * exactly are no matter in what is read so. */
json_t *opensearch_reply_parse(const struct service_reply *reply, const char *object,
                               struct error *error);
/* Does the answer say that there is no such index? A 404 may mean other things. */
bool opensearch_reply_no_index(const struct service_reply *reply);
/* Did the server refuse the request before it looked at it, since its memory is short for a moment?
 * Then it may be sent again, whatever it asks for. */
bool opensearch_reply_unheard(const struct service_reply *reply);
/* Percent-encodes what a path or query may not hold as it is (RFC 3986: all but unreserved). */
void opensearch_append_encoded(struct buffer *out, const char *text, size_t length);

#endif
