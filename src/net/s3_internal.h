/* Declarations that the files of s3.h share. */
#ifndef TRANSHUME_NET_S3_INTERNAL_H
#define TRANSHUME_NET_S3_INTERNAL_H

#include "base/buffer.h"
#include "net/aws_config.h"
#include "net/aws_provider.h"
#include "net/aws_sign.h"
#include "net/s3.h"
#include "net/service.h"

enum { S3_REQUESTS_AT_ONCE = 8, S3_TIMEOUT_MS = 60000 };

struct s3_bucket {
    struct arena *arena;
    const char *name;
    const char *place;
    const char *region;
    const char *host_header;
    const char *root; /* what comes before a key in a path: "/bucket/" or "/" */
    bool writes;
    s3_may_write *may_write;
    void (*linked)(void *context, bool loopback, const char *tls_protocol, const char *tls_cipher);
    void *context; /* of both */
    struct aws_config *config;
    struct aws_credential_chain *chain;
    struct aws_clock clock;
    struct service *service;
    struct service_client *client;
    struct aws_signer *signer;
    struct aws_credentials credentials;
    struct buffer path; /* of the last request, without its query */
};

/* ---------------------------------------------------------------- s3_request.c */

/* service_reply.fault, with the verdict REJECT. */
enum s3_fault {
    S3_FAULT_NONE,
    S3_FAULT_MISSING,   /* no such object, or no such upload */
    S3_FAULT_CONDITION, /* If-Match or If-None-Match does not hold */
    S3_FAULT_LACKING    /* the store has no such function */
};

/* The facts that an answer's headers give of an object. */
struct s3_facts {
    char etag[S3_ETAG_BYTES];
    char note[S3_NOTE_BYTES];
    uint64_t bytes;
};

/* service_request.detail. */
struct s3_call {
    struct s3_facts *facts; /* where to put them; NULL: nowhere */
    bool leased;            /* may_write is asked before each try */
    bool late_faults;       /* an answer with status 200 may hold a fault */
};

extern const struct service_functions s3_functions; /* `self` is the bucket */

/* One request to its end. STATUS_OK, or as its fault says: STATUS_END (MISSING), STATUS_AGAIN
 * (CONDITION); else STATUS_FAILED. `*reply` is there with the first three, and may be NULL then. */
enum status s3_request(struct s3_bucket *bucket, const struct service_request *request,
                       struct service_reply **reply, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- s3_text.c */

#define S3_NOTE_HEADER "x-amz-meta-transhume-print"

/* Percent-encoded as signatures want it. */
void s3_append_encoded(struct buffer *out, const char *text, bool keeps_slashes);
/* The path of an object, and of the bucket itself, which has no slash behind its name. */
void s3_append_object(const struct s3_bucket *bucket, const char *key, struct buffer *out);
void s3_append_bucket(const struct s3_bucket *bucket, struct buffer *out);
/* The text between <name> and </name>, from `*at` on, which moves behind it. False: no such. */
bool s3_take_element(const char **at, const char *end, const char *name, const char **text,
                     size_t *length);
/* "&quot;" as XML has it. */
const char *s3_without_entities(const char *text, size_t length, struct arena *arena);
/* Does a list say that its keys are as encoding-type=url writes them? Some stores don't know it. */
bool s3_has_encoded_keys(const char *text, size_t length);
/* A key of such a list. NULL: it holds a zero byte, which no key does. */
const char *s3_key_of(const char *text, size_t length, bool encoded, struct arena *arena);

#endif
