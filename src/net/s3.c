/* Buckets of S3: their addresses, lists of objects, and objects fetched by ranges. */
#include "net/s3_internal.h"

#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGE_BYTES = 4 << 20, RANGES_AT_ONCE = 4 };

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
                                  struct error *error)
{
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
        .plaintext_allowed = options->plaintext_allowed,
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : S3_TIMEOUT_MS};
    if (aws_credential_chain_create(&credentials, &bucket->chain, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bucket->service = service_create(&requests);
    return service_client_create(bucket->service, S3_REQUESTS_AT_ONCE, &s3_functions, bucket,
                                 &bucket->client, error);
}

enum status s3_bucket_open(const struct s3_options *options, struct s3_bucket **bucket,
                           struct error *error)
{
    struct s3_bucket *made = memory_allocate_zeroed(1, sizeof *made);
    *bucket = NULL;
    made->arena = arena_create(1024);
    made->name = arena_copy_string(made->arena, options->bucket);
    made->signer = aws_signer_create();
    made->writes = options->writes;
    made->may_write = options->may_write;
    made->linked = options->linked;
    made->context = options->context;
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

/* ---------------------------------------------------------------- lists */

enum { PAGE_OBJECTS = 1000 };

static void append_list_path(const struct s3_bucket *bucket, const char *prefix, const char *token,
                             uint32_t most, struct buffer *path)
{
    s3_append_bucket(bucket, path);
    buffer_append_string(path, "?");
    if (token != NULL) {
        buffer_append_string(path, "continuation-token=");
        s3_append_encoded(path, token, false);
        buffer_append_string(path, "&");
    }
    buffer_format(path, "encoding-type=url&list-type=2&max-keys=%u&prefix=", most);
    s3_append_encoded(path, prefix, false);
}

static enum status list_page(struct s3_bucket *bucket, const char *prefix, const char *token,
                             uint32_t most, struct arena *arena, struct s3_page *page,
                             struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    append_list_path(bucket, prefix, token, most, &path);
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
        status = list_page(bucket, prefix, page.next, PAGE_OBJECTS, arena, &page, error);
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

enum status s3_any(struct s3_bucket *bucket, const char *prefix, bool *any, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct s3_page page = {0};
    enum status status = list_page(bucket, prefix, NULL, 1, arena, &page, error);
    *any = page.count > 0;
    arena_destroy(arena);
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

static enum status s3_ask(struct fetching *fetching, struct range *range, struct error *error)
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

static enum status s3_keep(const struct fetching *fetching, const struct range *range,
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
        status = s3_keep(fetching, range, reply, error);
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
    s3_append_object(bucket, object->key, &fetching.path);
    while (status == STATUS_OK) {
        for (size_t i = 0; i < RANGES_AT_ONCE && status == STATUS_OK; i++) {
            if (!fetching.ranges[i].busy && fetching.next < object->bytes) {
                status = s3_ask(&fetching, &fetching.ranges[i], error);
            }
        }
        status = status == STATUS_OK ? take_reply(&fetching, error) : status;
    }
    /* what is still under way borrows from here */
    while (service_under_way(bucket->client) > 0) {
        struct error ignored = {0};
        struct service_reply *reply = NULL;
        if (service_poll(bucket->client, S3_TIMEOUT_MS, &reply, &ignored) == STATUS_FAILED) {
            break;
        }
        service_reply_destroy(reply);
    }
    buffer_free(&fetching.path);
    return status == STATUS_END ? STATUS_OK : status;
}
