/* Single objects of S3: read whole, put under a condition, removed. */
#include "net/s3_internal.h"

#include <string.h>

enum { LOOK_MS = 1000 };

/* ---------------------------------------------------------------- reading */

struct getting {
    struct buffer path;
    struct s3_facts facts;
    struct s3_call call;
    struct s3_content *content;
    struct error error; /* of a reply that is no object and not "there is none" */
};

static enum status begin_get(struct s3_bucket *bucket, const char *key, struct getting *getting,
                             struct error *error)
{
    getting->call = (struct s3_call){.facts = &getting->facts};
    s3_append_object(bucket, key, &getting->path);
    const struct service_request request = {.operation = "GetObject",
                                            .object = bucket->place,
                                            .method = "GET",
                                            .path = buffer_string(&getting->path),
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true,
                                            .detail = &getting->call,
                                            .context = getting};
    return service_submit(bucket->client, &request, error);
}

static void take_content(const struct service_reply *reply, struct arena *arena)
{
    struct getting *getting = reply->context;
    struct s3_content *content = getting->content;
    if (reply->verdict == SERVICE_DONE) {
        content->length = reply->body.length;
        content->text =
            arena_copy(arena, reply->body.data != NULL ? reply->body.data : "", content->length);
        content->etag = arena_copy_string(arena, getting->facts.etag);
    } else if (reply->fault != S3_FAULT_MISSING) {
        getting->error = reply->error;
    }
}

enum status s3_get_many(struct s3_bucket *bucket, const char *const *keys, uint32_t count,
                        struct arena *arena, struct s3_content *contents, struct error *error)
{
    struct getting gettings[S3_GET_MANY_MAX] = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        contents[i] = (struct s3_content){0};
        gettings[i].content = &contents[i];
        if (status == STATUS_OK) {
            status = begin_get(bucket, keys[i], &gettings[i], error);
        }
    }
    while (service_under_way(bucket->client) > 0) {
        struct service_reply *reply = NULL;
        struct error failure;
        enum status polled = service_poll(bucket->client, LOOK_MS, &reply, &failure);
        if (polled == STATUS_OK) {
            take_content(reply, arena);
            service_reply_destroy(reply);
        } else if (polled == STATUS_FAILED) {
            status = error_copy(error, &failure);
            break;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (status == STATUS_OK && gettings[i].error.code != ERROR_NONE) {
            status = error_copy(error, &gettings[i].error);
        }
        buffer_free(&gettings[i].path);
    }
    return status;
}

enum status s3_get(struct s3_bucket *bucket, const char *key, struct arena *arena,
                   struct s3_content *content, struct error *error)
{
    enum status status = s3_get_many(bucket, &key, 1, arena, content, error);
    return status == STATUS_OK && content->text == NULL ? STATUS_END : status;
}

/* ---------------------------------------------------------------- writing */

/* Into `headers`, which has room for one. */
static uint32_t add_condition(const struct s3_write *write, struct http_header *headers)
{
    switch (write->condition) {
    case S3_IF_ABSENT:
        *headers = (struct http_header){"If-None-Match", "*"};
        return 1;
    case S3_IF_SAME:
        *headers = (struct http_header){"If-Match", write->etag};
        return 1;
    case S3_ANYHOW:
        break;
    }
    return 0;
}

static enum status send_write(struct s3_bucket *bucket, const struct s3_write *write,
                              const char *operation, const char *method, struct error *error)
{
    const struct s3_call call = {.leased = write->leased};
    struct http_header headers[2] = {{"Content-Type", "application/octet-stream"}};
    uint32_t count = write->bytes != NULL ? 1 : 0;
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    count += add_condition(write, &headers[count]);
    s3_append_object(bucket, write->key, &path);
    const struct service_request request = {.operation = operation,
                                            .object = write->key,
                                            .method = method,
                                            .path = buffer_string(&path),
                                            .headers = headers,
                                            .header_count = count,
                                            .body = write->bytes,
                                            .body_length = write->length,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .detail = &call};
    enum status status = s3_request(bucket, &request, &reply, error);
    if (status == STATUS_END) {
        error_copy(error, &reply->error);
    }
    service_reply_destroy(reply);
    buffer_free(&path);
    return status;
}

enum status s3_put(struct s3_bucket *bucket, const struct s3_write *write, struct error *error)
{
    enum status status = send_write(bucket, write, "PutObject", "PUT", error);
    if (status != STATUS_END) {
        return status;
    }
    /* an object that is to be the same and is not there is another one */
    return write->condition == S3_IF_SAME ? STATUS_AGAIN : STATUS_FAILED;
}

enum status s3_remove(struct s3_bucket *bucket, const struct s3_write *write, struct error *error)
{
    const struct s3_write bare = {.key = write->key,
                                  .condition = write->condition,
                                  .etag = write->etag,
                                  .leased = write->leased};
    enum status status = send_write(bucket, &bare, "DeleteObject", "DELETE", error);
    if (status == STATUS_END) {
        error_clear(error);
        return STATUS_OK;
    }
    return status;
}
