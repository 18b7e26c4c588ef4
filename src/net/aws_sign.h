/* Signature Version 4 of AWS: the headers that prove who sends a request. */
#ifndef TRANSHUME_NET_AWS_SIGN_H
#define TRANSHUME_NET_AWS_SIGN_H

#include "base/buffer.h"
#include "base/error.h"
#include "net/aws_credentials.h"
#include "net/http.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 *   canonical request = method \n path \n query \n headers \n\n signed names \n payload hash
 *   string to sign    = AWS4-HMAC-SHA256 \n time \n day/region/service/aws4_request \n hash of it
 *   signature         = HMAC(key of (secret, day, region, service), string to sign)
 */

/* The caller's scratch memory, digest contexts and derived key: one per thread. The key is derived
 * anew only when credentials, day, region or service change. */
struct aws_signer;
struct aws_signer *aws_signer_create(void) __attribute__((returns_nonnull));
void aws_signer_destroy(struct aws_signer *signer); /* wipes; NULL is fine */

struct aws_sign_request {
    const char *method;
    const char *host;  /* the Host header: aws_endpoint.host_header */
    const char *path;  /* percent-encoded as it goes over the wire; NULL: "/" */
    const char *query; /* without '?', encoded as it goes over the wire; NULL: none */
    const struct http_header *headers; /* all of these are signed, besides the ones added */
    uint32_t header_count;
    const void *payload;
    size_t payload_length;
    const char *payload_sha256; /* its hash in hexadecimal if known; NULL: computed from payload */
    const char *region;
    const char *service;
    int64_t time_ms; /* since 1970: now + aws_clock_offset_ms */
    const struct aws_credentials *credentials;
    bool keep_path;      /* no "." ".." "//" taken out before signing (S3 wants that) */
    bool content_sha256; /* adds X-Amz-Content-Sha256 (S3, OpenSearch Serverless) */
    bool token_unsigned; /* adds the session token after signing */
};

enum { AWS_SIGNED_HEADERS_MAX = 4 };

/* The headers to add to the request's; the texts live in the signer until its next use. */
struct aws_signed {
    struct http_header headers[AWS_SIGNED_HEADERS_MAX]; /* Authorization, X-Amz-Date … */
    uint32_t header_count;
};

/* STATUS_FAILED: ERROR_CREDENTIALS (keys with characters that no header may hold),
 * ERROR_INTERNAL. */
enum status aws_sign(struct aws_signer *signer, const struct aws_sign_request *request,
                     struct aws_signed *signed_headers, struct error *error) MUST_USE;

/* The two texts behind the last signature, for tests and for finding out why a server disagrees. No
 * secret is in them but the session token. */
const char *aws_signer_canonical_request(struct aws_signer *signer);
const char *aws_signer_string_to_sign(struct aws_signer *signer);

/* ---------------------------------------------------------------- clocks that differ */

/*
 * How far the server's clock is ahead of ours, learned from its Date headers; shared by all threads
 * that talk to one service. Zeroed: no difference known.
 */
struct aws_clock {
    _Atomic int64_t offset_ms;
};

enum { AWS_CLOCK_SKEW_MS_MAX = 5 * 60 * 1000 };

/* Ours plus the offset: what to sign with. Milliseconds since 1970. */
int64_t aws_clock_now_ms(const struct aws_clock *clock);
/*
 * Called with an answer that refuses a signature or its time (RequestTimeTooSkewed, RequestExpired,
 * InvalidSignatureException, SignatureDoesNotMatch, AuthFailure …). True: its Date is more than 5
 * minutes away from the time signed with; the offset is corrected, the log says by how much, and
 * the request is worth one more try with a new signature.
 */
bool aws_clock_learn(struct aws_clock *clock, const struct http_response *response);
/* If this machine's clock is off by more than 5 minutes according to the answer's Date:
 * ERROR_CLOCK_SKEW, said by how much, returned as STATUS_FAILED. Else STATUS_OK, `error`
 * untouched. */
enum status aws_clock_check(const struct http_response *response, const char *object,
                            struct error *error) MUST_USE;

#endif
