/* One request to S3: its signature, and what its answer means. */
#include "net/s3_internal.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, HTTP_NO_CONTENT = 204, HTTP_PARTIAL = 206 };
enum { HTTP_MOVED = 301, HTTP_MOVED_FOR_NOW = 307 };
enum { HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404, HTTP_TIMEOUT = 408 };
enum { HTTP_CONFLICT = 409, HTTP_PRECONDITION = 412, HTTP_TOO_MANY = 429 };
enum { HTTP_SERVER_FAULT = 500, HTTP_NOT_IMPLEMENTED = 501, HTTP_UNAVAILABLE = 503 };

/* ---------------------------------------------------------------- a request's headers */

static enum status sign(struct s3_bucket *bucket, const struct service_request *request,
                        struct service_outgoing *outgoing, struct error *error)
{
    struct aws_signed added;
    const char *query = strchr(request->path, '?');
    int64_t now_ms = aws_clock_now_ms(&bucket->clock);
    if (aws_credentials_get(bucket->chain, now_ms, &bucket->credentials, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_clear(&bucket->path);
    buffer_append(&bucket->path, request->path,
                  query != NULL ? (size_t)(query - request->path) : strlen(request->path));
    const struct aws_sign_request what = {.method = request->method,
                                          .host = bucket->host_header,
                                          .path = buffer_string(&bucket->path),
                                          .query = query != NULL ? query + 1 : NULL,
                                          .headers = outgoing->headers,
                                          .header_count = outgoing->header_count,
                                          .payload = request->body,
                                          .payload_length = request->body_length,
                                          .region = bucket->region,
                                          .service = "s3",
                                          .time_ms = aws_clock_now_ms(&bucket->clock),
                                          .credentials = &bucket->credentials,
                                          .keep_path = true,
                                          .content_sha256 = true};
    if (aws_sign(bucket->signer, &what, &added, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    memcpy(outgoing->headers + outgoing->header_count, added.headers,
           added.header_count * sizeof *added.headers);
    outgoing->header_count += added.header_count;
    outgoing->mark = bucket->credentials.generation;
    return STATUS_OK;
}

static enum status s3_request_prepare(void *self, const struct service_request *request,
                                      struct service_outgoing *outgoing, struct error *error)
{
    struct s3_bucket *bucket = self;
    const struct s3_call *call = request->detail;
    if (sign(bucket, request, outgoing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (call == NULL || !call->leased || bucket->may_write == NULL) {
        return STATUS_OK;
    }
    /* not before signing, which may wait for credentials while the lease runs on */
    enum status status =
        bucket->may_write(bucket->context, outgoing->timeout_ms, outgoing->alone, error);
    outgoing->since_ms = clock_boottime_ms();
    outgoing->is_final = status != STATUS_OK;
    return status;
}

/* ---------------------------------------------------------------- what answers mean */

struct fault {
    const char *code; /* "SlowDown"; "": the answer has none */
    enum service_verdict verdict;
    enum s3_fault fault;
    enum error_code source; /* where objects are read */
    enum error_code target; /* where they are written */
    const char *hint;
};

#define REGION_HINT "the bucket is in another region: ?region="
#define READS_HINT "grant s3:ListBucket on the bucket and s3:GetObject on its objects"
#define WRITES_HINT                                                                           \
    "grant s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and s3:GetObject, " \
    "s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects"

static const struct fault faults[] = {
    {"NoSuchBucket", SERVICE_STOP, S3_FAULT_NONE, ERROR_SOURCE_MISSING, ERROR_TARGET_MISSING,
     "check the bucket's name and its region"},
    {"NoSuchKey", SERVICE_REJECT, S3_FAULT_MISSING, ERROR_SOURCE_CHANGED, ERROR_TARGET_INVALID,
     "list the bucket again"},
    {"NoSuchUpload", SERVICE_REJECT, S3_FAULT_MISSING, ERROR_SOURCE_CHANGED, ERROR_TARGET_WRITE,
     "somebody aborted the upload; `transhume resume` writes the file again"},
    {"PreconditionFailed", SERVICE_REJECT, S3_FAULT_CONDITION, ERROR_SOURCE_CHANGED,
     ERROR_TARGET_INVALID, "somebody wrote the object meanwhile; begin again"},
    {"NotImplemented", SERVICE_REJECT, S3_FAULT_LACKING, ERROR_SOURCE_READ, ERROR_TARGET_INVALID,
     "the store lacks a function of S3; docs/s3.md says which are needed"},
    {"AccessDenied", SERVICE_STOP, S3_FAULT_NONE, ERROR_PERMISSION, ERROR_PERMISSION, NULL},
    {"AllAccessDisabled", SERVICE_STOP, S3_FAULT_NONE, ERROR_PERMISSION, ERROR_PERMISSION,
     "the bucket is closed"},
    {"InvalidAccessKeyId", SERVICE_STOP, S3_FAULT_NONE, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "docs/aws.md says which are taken"},
    {"SignatureDoesNotMatch", SERVICE_STOP, S3_FAULT_NONE, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "the secret does not belong to the key; docs/aws.md"},
    {"ExpiredToken", SERVICE_STOP, S3_FAULT_NONE, ERROR_CREDENTIALS, ERROR_CREDENTIALS,
     "get new credentials"},
    {"RequestTimeTooSkewed", SERVICE_STOP, S3_FAULT_NONE, ERROR_CLOCK_SKEW, ERROR_CLOCK_SKEW,
     "set the clock right (timedatectl set-ntp true), then run it again"},
    {"PermanentRedirect", SERVICE_STOP, S3_FAULT_NONE, ERROR_AWS_CONFIG, ERROR_AWS_CONFIG,
     REGION_HINT},
    {"AuthorizationHeaderMalformed", SERVICE_STOP, S3_FAULT_NONE, ERROR_AWS_CONFIG,
     ERROR_AWS_CONFIG, REGION_HINT},
    {"SlowDown", SERVICE_THROTTLE, S3_FAULT_NONE, ERROR_SOURCE_THROTTLED, ERROR_TARGET_THROTTLED,
     "try again later"},
    {"InternalError", SERVICE_RETRY, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "try again later"},
    /* a body that was damaged on its way */
    {"BadDigest", SERVICE_RETRY, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "something between here and the store changes what is sent"},
    {"IncompleteBody", SERVICE_RETRY, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "try again later"},
    {"RequestTimeout", SERVICE_RETRY, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "try again later"},
};

static const struct fault by_status[] = {
    {"", SERVICE_THROTTLE, S3_FAULT_NONE, ERROR_SOURCE_THROTTLED, ERROR_TARGET_THROTTLED,
     "try again later"},
    {"", SERVICE_RETRY, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE, "try again later"},
    {"", SERVICE_REJECT, S3_FAULT_MISSING, ERROR_SOURCE_CHANGED, ERROR_TARGET_INVALID,
     "list the bucket again"},
    {"", SERVICE_REJECT, S3_FAULT_CONDITION, ERROR_SOURCE_CHANGED, ERROR_TARGET_INVALID,
     "somebody wrote the object meanwhile; begin again"},
    {"", SERVICE_REJECT, S3_FAULT_LACKING, ERROR_SOURCE_READ, ERROR_TARGET_INVALID,
     "the store lacks a function of S3; docs/s3.md says which are needed"},
    {"", SERVICE_STOP, S3_FAULT_NONE, ERROR_AWS_CONFIG, ERROR_AWS_CONFIG, REGION_HINT},
    {"", SERVICE_STOP, S3_FAULT_NONE, ERROR_PERMISSION, ERROR_PERMISSION, NULL},
    {"", SERVICE_STOP, S3_FAULT_NONE, ERROR_SOURCE_READ, ERROR_TARGET_WRITE,
     "docs/s3.md says what is needed"},
};

static const struct fault *fault_of_status(uint32_t status)
{
    switch (status) {
    case HTTP_TOO_MANY:
    case HTTP_UNAVAILABLE:
        return &by_status[0];
    case HTTP_TIMEOUT:
    case HTTP_CONFLICT: /* another request for the same key is under way */
        return &by_status[1];
    case HTTP_NOT_FOUND:
        return &by_status[2];
    case HTTP_PRECONDITION:
        return &by_status[3];
    case HTTP_NOT_IMPLEMENTED:
        return &by_status[4];
    case HTTP_MOVED:
    case HTTP_MOVED_FOR_NOW:
        return &by_status[5];
    case HTTP_UNAUTHORIZED:
    case HTTP_FORBIDDEN:
        return &by_status[6];
    default:
        return status >= HTTP_SERVER_FAULT ? &by_status[1] : &by_status[7];
    }
}

static const struct fault *fault_of(uint32_t status, const char *code, size_t length)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strlen(faults[i].code) == length && memcmp(faults[i].code, code, length) == 0) {
            return &faults[i];
        }
    }
    return fault_of_status(status);
}

static void take_header(const struct http_response *from, const char *name, char *out, size_t size)
{
    const char *value = NULL;
    size_t length = 0;
    out[0] = '\0';
    if (http_response_header(from, name, &value, &length) && length < size) {
        memcpy(out, value, length);
        out[length] = '\0';
    }
}

static void take_facts(const struct http_response *from, const struct s3_call *call)
{
    char length[24];
    if (call == NULL || call->facts == NULL) {
        return;
    }
    take_header(from, "ETag", call->facts->etag, sizeof call->facts->etag);
    take_header(from, S3_NOTE_HEADER, call->facts->note, sizeof call->facts->note);
    take_header(from, "Content-Length", length, sizeof length);
    call->facts->bytes = strtoull(length, NULL, 10);
}

/* In the answer's text or in its headers. */
static void hint_region(const struct http_response *from, struct error *error)
{
    char region[64];
    const char *at = from->body.data;
    const char *text = NULL;
    size_t length = 0;
    take_header(from, "x-amz-bucket-region", region, sizeof region);
    if (region[0] == '\0' && at != NULL &&
        s3_take_element(&at, at + from->body.length, "Region", &text, &length) &&
        length < sizeof region) {
        snprintf(region, sizeof region, "%.*s", (int)length, text);
    }
    if (region[0] != '\0') {
        error_hint(error, "the bucket is in another region: ?region=%s", region);
    }
}

static void set_error(const struct s3_bucket *bucket, const struct service_request *request,
                      const struct http_response *from, const struct fault *fault,
                      struct error *error)
{
    const char *code = "";
    const char *message = "";
    size_t code_length = 0;
    size_t message_length = 0;
    const char *at = from->body.data;
    if (at != NULL) {
        const char *end = at + from->body.length;
        (void)s3_take_element(&at, end, "Code", &code, &code_length);
        at = from->body.data;
        (void)s3_take_element(&at, end, "Message", &message, &message_length);
    }
    error_set(error, bucket->writes ? fault->target : fault->source, request->object,
              "S3 answers %s with status %u%s%.*s%s%.*s", request->operation,
              (unsigned)from->status, code_length > 0 ? " " : "", (int)code_length, code,
              message_length > 0 ? ": " : "", (int)message_length, message);
    error_hint(error, "%s",
               fault->hint != NULL ? fault->hint
               : bucket->writes    ? WRITES_HINT
                                   : READS_HINT);
    if (error->code == ERROR_AWS_CONFIG) {
        hint_region(from, error);
    }
}

static bool is_success(const struct http_response *from, const struct s3_call *call)
{
    bool late = call != NULL && call->late_faults && from->body.data != NULL &&
                memmem(from->body.data, from->body.length, "<Error>", 7) != NULL;
    return (from->status == HTTP_OK && !late) || from->status == HTTP_NO_CONTENT ||
           from->status == HTTP_PARTIAL;
}

static void s3_request_judge(void *self, const struct service_request *request, uint64_t mark,
                             struct http_response *from, struct service_reply *reply)
{
    struct s3_bucket *bucket = self;
    const struct s3_call *call = request->detail;
    const char *at = from->body.data;
    const char *code = "";
    size_t length = 0;
    if (service_judge_no_answer(from, reply)) {
        return;
    }
    if (bucket->linked != NULL) {
        bucket->linked(bucket->context, from->loopback, from->tls_protocol, from->tls_cipher);
    }
    if (is_success(from, call)) {
        reply->verdict = SERVICE_DONE;
        take_facts(from, call);
        service_take_body(reply, from);
        return;
    }
    if (at != NULL) {
        (void)s3_take_element(&at, at + from->body.length, "Code", &code, &length);
    }
    const struct fault *fault = fault_of(from->status, code, length);
    reply->verdict = fault->verdict;
    reply->fault = (int)fault->fault;
    reply->unknown_outcome = from->status >= HTTP_SERVER_FAULT || from->status == HTTP_TIMEOUT;
    set_error(bucket, request, from, fault, &reply->error);
    bool expired = strcmp(fault->code, "ExpiredToken") == 0;
    if (fault->verdict == SERVICE_STOP &&
        (aws_clock_learn(&bucket->clock, from) ||
         (expired && aws_credentials_expired(bucket->chain, mark)))) {
        reply->verdict = SERVICE_RETRY;
    }
    reply->error.class = reply->verdict == SERVICE_RETRY || reply->verdict == SERVICE_THROTTLE
                             ? ERROR_CLASS_RETRY
                             : ERROR_CLASS_STOP;
}

const struct service_functions s3_functions = {.prepare = s3_request_prepare,
                                               .judge = s3_request_judge};

/* ---------------------------------------------------------------- one request */

enum status s3_request(struct s3_bucket *bucket, const struct service_request *request,
                       struct service_reply **reply, struct error *error)
{
    enum status status = service_call(bucket->client, request, reply, error);
    if (status != STATUS_OK || (*reply)->verdict == SERVICE_DONE) {
        return status;
    }
    if ((*reply)->fault == S3_FAULT_MISSING) {
        return STATUS_END;
    }
    return (*reply)->fault == S3_FAULT_CONDITION ? STATUS_AGAIN
                                                 : error_copy(error, &(*reply)->error);
}
