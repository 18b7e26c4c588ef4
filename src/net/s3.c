/* Requests to S3: addresses, signatures, what answers mean, lists and ranges. */
#include "net/s3.h"
#include "base/file.h"
#include "base/memory.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "net/aws_provider.h"
#include "net/aws_sign.h"
#include "net/http.h"
#include "net/service.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_BYTES = 4 << 20, RANGES_AT_ONCE = 4, TIMEOUT_MS = 60000 };
enum { STATUS_PRECONDITION = 412, STATUS_NOT_FOUND = 404 };

struct s3_bucket {
    struct arena *arena;
    const char *name;
    const char *place;
    const char *region;
    const char *host_header;
    const char *root; /* what comes before a key in a path: "/bucket/" or "/" */
    struct aws_config *config;
    struct aws_credential_chain *chain;
    struct aws_clock clock;
    struct service *service;
    struct service_client *client;
    struct aws_signer *signer;
    struct aws_credentials credentials;
    struct buffer path; /* of the last request, without its query */
};

/* ---------------------------------------------------------------- texts */

static void append_encoded(struct buffer *out, const char *text, bool keeps_slashes)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL || (keeps_slashes && *text == '/')) {
            buffer_append_byte(out, *text);
        } else {
            buffer_format(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

/* What stands between <name> and </name>, from `*at` on, which moves behind it. False: no such. */
static bool take_element(const char **at, const char *end, const char *name, const char **text,
                         size_t *length)
{
    char open[40];
    char close[40];
    int open_length = snprintf(open, sizeof open, "<%s>", name);
    int close_length = snprintf(close, sizeof close, "</%s>", name);
    const char *begin = memmem(*at, (size_t)(end - *at), open, (size_t)open_length);
    if (begin == NULL) {
        return false;
    }
    begin += open_length;
    const char *stop = memmem(begin, (size_t)(end - begin), close, (size_t)close_length);
    if (stop == NULL) {
        return false;
    }
    *text = begin;
    *length = (size_t)(stop - begin);
    *at = stop + close_length;
    return true;
}

/* "&quot;" as XML has it. */
static const char *without_entities(const char *text, size_t length, struct arena *arena)
{
    static const char *const entities[][2] = {{"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
                                              {"&quot;", "\""}, {"&apos;", "'"}, {"&#34;", "\""},
                                              {"&#39;", "'"}};
    char *made = arena_copy(arena, text, length);
    size_t kept = 0;
    for (size_t at = 0; at < length;) {
        size_t skipped = 1;
        made[kept] = text[at];
        for (size_t i = 0; text[at] == '&' && i < sizeof entities / sizeof entities[0]; i++) {
            size_t size = strlen(entities[i][0]);
            if (length - at >= size && memcmp(text + at, entities[i][0], size) == 0) {
                made[kept] = entities[i][1][0];
                skipped = size;
                break;
            }
        }
        kept++;
        at += skipped;
    }
    made[kept] = '\0';
    return made;
}

static int hex_digit(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

/* A key as encoding-type=url writes it. NULL: it holds a zero byte, which no key does. */
static const char *decoded(const char *text, size_t length, struct arena *arena)
{
    char *made = arena_copy(arena, text, length);
    size_t kept = 0;
    for (size_t at = 0; at < length; at++) {
        int high = text[at] == '%' && length - at > 2 ? hex_digit(text[at + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
        made[kept] = low >= 0 ? (char)(high << 4 | low) : text[at] == '+' ? ' ' : text[at];
        at += low >= 0 ? 2 : 0;
        if (made[kept++] == '\0') {
            return NULL;
        }
    }
    made[kept] = '\0';
    return made;
}

/* ---------------------------------------------------------------- pages of a list */

static bool read_object(const char *text, size_t length, struct arena *arena,
                        struct s3_object *object)
{
    const char *end = text + length;
    const char *part = NULL;
    const char *at = text;
    size_t size = 0;
    char digits[24] = "";
    *object = (struct s3_object){.etag = ""};
    if (!take_element(&at, end, "Key", &part, &size)) {
        return false;
    }
    object->key = decoded(part, size, arena);
    at = text;
    if (take_element(&at, end, "ETag", &part, &size)) {
        object->etag = without_entities(part, size, arena);
    }
    at = text;
    if (take_element(&at, end, "LastModified", &part, &size)) {
        (void)aws_parse_time(arena_copy(arena, part, size), &object->modified_ms);
    }
    at = text;
    if (!take_element(&at, end, "Size", &part, &size) || size == 0 || size >= sizeof digits) {
        return false;
    }
    memcpy(digits, part, size);
    char *stop = NULL;
    object->bytes = strtoull(digits, &stop, 10);
    return object->key != NULL && *stop == '\0' && object->bytes <= INT64_MAX;
}

enum status s3_page_read(const char *text, size_t length, struct arena *arena, struct s3_page *page,
                         struct error *error)
{
    const char *end = text + length;
    const char *at = text;
    const char *part = NULL;
    size_t size = 0;
    uint32_t capacity = 0;
    *page = (struct s3_page){0};
    if (memmem(text, length, "<ListBucketResult", 17) == NULL) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL, "what answers is no list of S3");
    }
    while (take_element(&at, end, "Contents", &part, &size)) {
        page->objects =
            arena_make_room(arena, page->objects, page->count, &capacity, sizeof *page->objects);
        if (!read_object(part, size, arena, &page->objects[page->count++])) {
            return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                             "an object of the list has no key or no size");
        }
    }
    at = text;
    bool cut = take_element(&at, end, "IsTruncated", &part, &size) && size == 4 &&
               memcmp(part, "true", 4) == 0;
    at = text;
    if (cut && take_element(&at, end, "NextContinuationToken", &part, &size)) {
        page->next = without_entities(part, size, arena);
    }
    return cut && page->next == NULL ? error_set(error, ERROR_NETWORK_ANSWER, NULL,
                                                 "the list goes on, and does not say where")
                                     : STATUS_OK;
}

/* ---------------------------------------------------------------- opening */

/* Names that can't be a part of a host's name, or of its certificate's, go into the path. */
static bool fits_host(const char *bucket)
{
    size_t length = strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length >= 3 && length <= 63 && bucket[length] == '\0';
}

/* Other stores than AWS's own have no regions, and go by the name of the oldest. */
static enum status find_region(const struct s3_bucket *bucket, const struct s3_options *options,
                               const char **region, struct error *error)
{
    if (aws_config_region(bucket->config, options->region, region, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (options->endpoint != NULL && options->region == NULL) {
        *region = "us-east-1";
        error_clear(error);
        return STATUS_OK;
    }
    return error_hint(error, "say the bucket's region: ?region=eu-west-1, or AWS_REGION");
}

static enum status set_address(struct s3_bucket *bucket, const struct s3_options *options,
                               const char **url, struct error *error)
{
    struct aws_endpoint endpoint;
    const char *region = NULL;
    if (find_region(bucket, options, &region, error) != STATUS_OK ||
        aws_config_endpoint(bucket->config, "s3", options->endpoint, region, bucket->arena,
                            &endpoint, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bucket->region = arena_copy_string(bucket->arena, region);
    bucket->place = arena_format(bucket->arena, "%s/%s", endpoint.url, bucket->name);
    const char *host = strstr(endpoint.url, "://");
    if (endpoint.overridden || !fits_host(bucket->name) || host == NULL) {
        *url = endpoint.url;
        bucket->host_header = endpoint.host_header;
        bucket->root = arena_format(bucket->arena, "/%s/", bucket->name);
        return STATUS_OK;
    }
    *url = arena_format(bucket->arena, "%.*s://%s.%s", (int)(host - endpoint.url), endpoint.url,
                        bucket->name, host + 3);
    bucket->host_header = arena_format(bucket->arena, "%s.%s", bucket->name, endpoint.host_header);
    bucket->root = "/";
    return STATUS_OK;
}

static enum status connect_bucket(struct s3_bucket *bucket, const struct s3_options *options,
                                  struct error *error);

enum status s3_bucket_open(const struct s3_options *options, struct s3_bucket **bucket,
                           struct error *error)
{
    struct s3_bucket *made = memory_allocate_zeroed(1, sizeof *made);
    *bucket = NULL;
    made->arena = arena_create(1024);
    made->name = arena_copy_string(made->arena, options->bucket);
    made->signer = aws_signer_create();
    if (aws_config_load(NULL, &made->config, error) != STATUS_OK ||
        connect_bucket(made, options, error) != STATUS_OK) {
        s3_bucket_close(made);
        return STATUS_FAILED;
    }
    *bucket = made;
    return STATUS_OK;
}

void s3_bucket_close(struct s3_bucket *bucket)
{
    if (bucket != NULL) {
        service_client_destroy(bucket->client);
        service_destroy(bucket->service);
        aws_signer_destroy(bucket->signer);
        aws_credentials_clear(&bucket->credentials);
        aws_credential_chain_destroy(bucket->chain);
        aws_config_destroy(bucket->config);
        buffer_free(&bucket->path);
        arena_destroy(bucket->arena);
        free(bucket);
    }
}

const char *s3_bucket_place(const struct s3_bucket *bucket)
{
    return bucket->place;
}

/* ---------------------------------------------------------------- a request's headers */

static enum status prepare(void *self, const struct service_request *request,
                           struct service_outgoing *outgoing, struct error *error)
{
    struct s3_bucket *bucket = self;
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

/* ---------------------------------------------------------------- what answers mean */

struct fault {
    const char *code; /* "SlowDown"; "": the answer has none */
    enum service_verdict verdict;
    enum error_code error;
    const char *hint;
};

static const struct fault faults[] = {
    {"NoSuchBucket", SERVICE_STOP, ERROR_SOURCE_MISSING, "check the bucket's name and its region"},
    {"NoSuchKey", SERVICE_REJECT, ERROR_SOURCE_CHANGED, "list the bucket again"},
    {"PreconditionFailed", SERVICE_REJECT, ERROR_SOURCE_CHANGED,
     "somebody wrote the object meanwhile; begin again"},
    {"AccessDenied", SERVICE_STOP, ERROR_PERMISSION,
     "grant s3:ListBucket on the bucket and s3:GetObject on its objects"},
    {"AllAccessDisabled", SERVICE_STOP, ERROR_PERMISSION, "the bucket is closed"},
    {"InvalidAccessKeyId", SERVICE_STOP, ERROR_CREDENTIALS, "docs/aws.md says which are taken"},
    {"SignatureDoesNotMatch", SERVICE_STOP, ERROR_CREDENTIALS,
     "the secret does not belong to the key; docs/aws.md"},
    {"ExpiredToken", SERVICE_STOP, ERROR_CREDENTIALS, "get new credentials"},
    {"PermanentRedirect", SERVICE_STOP, ERROR_AWS_CONFIG,
     "the bucket is in another region: ?region="},
    {"AuthorizationHeaderMalformed", SERVICE_STOP, ERROR_AWS_CONFIG,
     "the bucket is in another region: ?region="},
    {"SlowDown", SERVICE_THROTTLE, ERROR_SOURCE_THROTTLED, "try again later"},
};

static struct fault fault_of(uint32_t status, const char *code, size_t length)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strlen(faults[i].code) == length && memcmp(faults[i].code, code, length) == 0) {
            return faults[i];
        }
    }
    if (status == 429 || status == 503) {
        return (struct fault){"", SERVICE_THROTTLE, ERROR_SOURCE_THROTTLED, "try again later"};
    }
    if (status >= 500 || status == 408) {
        return (struct fault){"", SERVICE_RETRY, ERROR_SOURCE_READ, "try again later"};
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_PRECONDITION) {
        return (struct fault){"", SERVICE_REJECT, ERROR_SOURCE_CHANGED, "list the bucket again"};
    }
    return (struct fault){"", SERVICE_STOP,
                          status == 401 || status == 403 ? ERROR_PERMISSION : ERROR_SOURCE_READ,
                          "docs/s3.md says what is needed"};
}

static void judge(void *self, const struct service_request *request, uint64_t mark,
                  struct http_response *from, struct service_reply *reply)
{
    struct s3_bucket *bucket = self;
    const char *at = from->body.data;
    const char *code = "";
    const char *message = "";
    size_t code_length = 0;
    size_t message_length = 0;
    if (service_judge_no_answer(from, reply)) {
        return;
    }
    if (from->status == 200 || from->status == 206) {
        reply->verdict = SERVICE_DONE;
        service_take_body(reply, from);
        return;
    }
    const char *end = at + from->body.length;
    if (at != NULL && take_element(&at, end, "Code", &code, &code_length)) {
        at = from->body.data;
        (void)take_element(&at, end, "Message", &message, &message_length);
    }
    struct fault fault = fault_of(from->status, code, code_length);
    reply->verdict = fault.verdict;
    error_set(&reply->error, fault.error, request->object,
              "S3 answers %s with status %u %.*s%s%.*s", request->operation, (unsigned)from->status,
              (int)code_length, code, message_length > 0 ? ": " : "", (int)message_length, message);
    error_hint(&reply->error, "%s", fault.hint);
    bool expired = strcmp(fault.code, "ExpiredToken") == 0;
    if (fault.verdict == SERVICE_STOP &&
        (aws_clock_learn(&bucket->clock, from) ||
         (expired && aws_credentials_expired(bucket->chain, mark)))) {
        reply->verdict = SERVICE_RETRY;
    }
    reply->error.class = reply->verdict == SERVICE_RETRY || reply->verdict == SERVICE_THROTTLE
                             ? ERROR_CLASS_RETRY
                             : ERROR_CLASS_STOP;
}

static enum status connect_bucket(struct s3_bucket *bucket, const struct s3_options *options,
                                  struct error *error)
{
    static const struct service_functions functions = {.prepare = prepare, .judge = judge};
    const char *url = NULL;
    if (set_address(bucket, options, &url, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct aws_credential_options credentials = {.config = bucket->config,
                                                       .region = bucket->region,
                                                       .timeout_ms = options->timeout_ms,
                                                       .clock = &bucket->clock};
    const struct service_options requests = {
        .name = "S3",
        .contact = "the endpoint and the region",
        .url = url,
        .ca_file = aws_config_ca_file(bucket->config),
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS};
    if (aws_credential_chain_create(&credentials, &bucket->chain, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bucket->service = service_create(&requests);
    return service_client_create(bucket->service, RANGES_AT_ONCE, &functions, bucket,
                                 &bucket->client, error);
}

/* ---------------------------------------------------------------- lists */

static void append_list_path(const struct s3_bucket *bucket, const char *prefix, const char *token,
                             struct buffer *path)
{
    /* the bucket itself has no slash behind its name */
    buffer_append(path, bucket->root, strlen(bucket->root) - (bucket->root[1] != '\0' ? 1 : 0));
    buffer_append_string(path, "?");
    if (token != NULL) {
        buffer_append_string(path, "continuation-token=");
        append_encoded(path, token, false);
        buffer_append_string(path, "&");
    }
    buffer_append_string(path, "encoding-type=url&list-type=2&prefix=");
    append_encoded(path, prefix, false);
}

static enum status list_page(struct s3_bucket *bucket, const char *prefix, const char *token,
                             struct arena *arena, struct s3_page *page, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    append_list_path(bucket, prefix, token, &path);
    const struct service_request request = {.operation = "ListObjectsV2",
                                            .object = bucket->place,
                                            .method = "GET",
                                            .path = buffer_string(&path),
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true};
    enum status status = service_call(bucket->client, &request, &reply, error);
    if (status == STATUS_OK && reply->verdict != SERVICE_DONE) {
        status = error_copy(error, &reply->error);
    }
    if (status == STATUS_OK) {
        status = s3_page_read(reply->body.data != NULL ? reply->body.data : "", reply->body.length,
                              arena, page, error);
    }
    service_reply_destroy(reply);
    buffer_free(&path);
    return status;
}

enum status s3_list(struct s3_bucket *bucket, const char *prefix, struct arena *arena,
                    struct s3_object **objects, uint32_t *count, struct error *error)
{
    struct s3_page page = {0};
    struct buffer all = {0};
    enum status status = STATUS_OK;
    do {
        status = list_page(bucket, prefix, page.next, arena, &page, error);
        if (status == STATUS_OK && page.count > 0) {
            buffer_append(&all, page.objects, page.count * sizeof *page.objects);
        }
    } while (status == STATUS_OK && page.next != NULL);
    *count = (uint32_t)(all.length / sizeof **objects);
    *objects =
        (struct s3_object *)(void *)arena_copy(arena, all.length > 0 ? all.data : "", all.length);
    buffer_free(&all);
    return status;
}

/* ---------------------------------------------------------------- ranges */

struct range {
    bool busy;
    uint64_t begin;
    size_t length;
    char bytes[48]; /* the header's value */
    struct http_header headers[2];
};

struct fetching {
    struct s3_bucket *bucket;
    const struct s3_object *object;
    struct buffer path;
    struct range ranges[RANGES_AT_ONCE];
    uint64_t next; /* the first byte that nobody was asked for */
    int descriptor;
    const char *file;
};

static enum status ask(struct fetching *fetching, struct range *range, struct error *error)
{
    uint64_t left = fetching->object->bytes - fetching->next;
    range->begin = fetching->next;
    range->length = left < RANGE_BYTES ? (size_t)left : RANGE_BYTES;
    snprintf(range->bytes, sizeof range->bytes, "bytes=%" PRIu64 "-%" PRIu64, range->begin,
             range->begin + range->length - 1);
    range->headers[0] = (struct http_header){"Range", range->bytes};
    range->headers[1] = (struct http_header){"If-Match", fetching->object->etag};
    const struct service_request request = {.operation = "GetObject",
                                            .object = fetching->object->key,
                                            .method = "GET",
                                            .path = buffer_string(&fetching->path),
                                            .headers = range->headers,
                                            .header_count =
                                                fetching->object->etag[0] != '\0' ? 2 : 1,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true,
                                            .context = range};
    enum status status = service_submit(fetching->bucket->client, &request, error);
    range->busy = status == STATUS_OK;
    fetching->next += range->busy ? range->length : 0;
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

static enum status keep(const struct fetching *fetching, const struct range *range,
                        const struct service_reply *reply, struct error *error)
{
    if (reply->verdict != SERVICE_DONE) {
        return error_copy(error, &reply->error);
    }
    if (reply->body.length != range->length) {
        return error_set(error, ERROR_NETWORK_ANSWER, fetching->object->key,
                         "S3 gave %zu bytes where %zu were asked for", reply->body.length,
                         range->length);
    }
    for (size_t at = 0; at < range->length;) {
        ssize_t written = file_write_at(fetching->descriptor, reply->body.data + at,
                                        range->length - at, (off_t)(range->begin + at));
        if (written <= 0) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, fetching->file,
                                   "can't keep what S3 gave");
        }
        at += (size_t)written;
    }
    return STATUS_OK;
}

static enum status take_reply(struct fetching *fetching, struct error *error)
{
    enum { LOOK_MS = 1000 };
    struct service_reply *reply = NULL;
    enum status status = service_poll(fetching->bucket->client, LOOK_MS, &reply, error);
    if (status == STATUS_OK) {
        struct range *range = reply->context;
        range->busy = false;
        status = keep(fetching, range, reply, error);
        service_reply_destroy(reply);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

enum status s3_fetch(struct s3_bucket *bucket, const struct s3_object *object, int descriptor,
                     const char *path, struct error *error)
{
    struct fetching fetching = {
        .bucket = bucket, .object = object, .descriptor = descriptor, .file = path};
    enum status status = STATUS_OK;
    buffer_append_string(&fetching.path, bucket->root);
    append_encoded(&fetching.path, object->key, true);
    while (status == STATUS_OK) {
        for (size_t i = 0; i < RANGES_AT_ONCE && status == STATUS_OK; i++) {
            if (!fetching.ranges[i].busy && fetching.next < object->bytes) {
                status = ask(&fetching, &fetching.ranges[i], error);
            }
        }
        status = status == STATUS_OK ? take_reply(&fetching, error) : status;
    }
    /* what is still under way borrows from here */
    while (service_under_way(bucket->client) > 0) {
        struct error ignored = {0};
        struct service_reply *reply = NULL;
        if (service_poll(bucket->client, TIMEOUT_MS, &reply, &ignored) == STATUS_FAILED) {
            break;
        }
        service_reply_destroy(reply);
    }
    buffer_free(&fetching.path);
    return status == STATUS_END ? STATUS_OK : status;
}
