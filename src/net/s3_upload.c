/* Files sent to S3 in parts, and uploads that nobody ended. */
#include "net/s3_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_AT_ONCE = 2, MD5_BYTES = 16, MD5_TEXT_BYTES = 32, LOOK_MS = 1000 };

/* ---------------------------------------------------------------- blocks */

struct s3_blocks {
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    char **free;
    uint32_t free_count;
    uint32_t made;
    uint32_t count;
};

struct s3_blocks *s3_blocks_create(uint32_t count)
{
    struct s3_blocks *blocks = memory_allocate_zeroed(1, sizeof *blocks);
    pthread_mutex_init(&blocks->mutex, NULL);
    pthread_cond_init(&blocks->returned, NULL);
    blocks->free = memory_allocate_zeroed(count, sizeof *blocks->free);
    blocks->count = count;
    return blocks;
}

void s3_blocks_destroy(struct s3_blocks *blocks)
{
    if (blocks == NULL) {
        return;
    }
    for (uint32_t i = 0; i < blocks->free_count; i++) {
        free(blocks->free[i]);
    }
    free(blocks->free);
    pthread_cond_destroy(&blocks->returned);
    pthread_mutex_destroy(&blocks->mutex);
    free(blocks);
}

/* NULL: none is free, and it is not waited for. Who waits has none, so that those who have some
 * give them back. */
static char *take_block(struct s3_blocks *blocks, bool waits)
{
    char *block = NULL;
    pthread_mutex_lock(&blocks->mutex);
    while (waits && blocks->free_count == 0 && blocks->made == blocks->count) {
        pthread_cond_wait(&blocks->returned, &blocks->mutex);
    }
    if (blocks->free_count > 0) {
        block = blocks->free[--blocks->free_count];
    } else if (blocks->made < blocks->count) {
        block = memory_allocate(S3_PART_BYTES);
        blocks->made++;
    }
    pthread_mutex_unlock(&blocks->mutex);
    return block;
}

static void give_block(struct s3_blocks *blocks, char *block)
{
    if (block != NULL) {
        pthread_mutex_lock(&blocks->mutex);
        blocks->free[blocks->free_count++] = block;
        pthread_cond_signal(&blocks->returned);
        pthread_mutex_unlock(&blocks->mutex);
    }
}

/* ---------------------------------------------------------------- a part */

struct part {
    bool busy;
    uint32_t number; /* from 1 */
    char *block;
    size_t length;
    char md5[MD5_TEXT_BYTES];
    struct http_header header;
    struct buffer path;
    struct s3_facts facts;
    struct s3_call call;
};

struct sending {
    struct s3_bucket *bucket;
    const struct s3_file *file;
    char *id;
    struct part parts[PARTS_AT_ONCE];
    char (*etags)[S3_ETAG_BYTES]; /* of each part */
    uint32_t count;               /* of parts */
    uint32_t next;                /* the first part that is not sent, from 0 */
};

static enum status read_block(const struct s3_file *file, uint64_t begin, struct part *part,
                              struct error *error)
{
    for (size_t at = 0; at < part->length;) {
        ssize_t got = file_read_at(file->descriptor, part->block + at, part->length - at,
                                   (off_t)(begin + at));
        if (got <= 0) {
            return got == 0 ? error_set(error, ERROR_STATE_WRITE, file->path,
                                        "the file became shorter while it was sent")
                            : error_set_errno(error, ERROR_STATE_WRITE, errno, file->path,
                                              "can't read what is to be sent");
        }
        at += (size_t)got;
    }
    return STATUS_OK;
}

/* In base64, as Content-MD5 has it. */
static enum status take_md5(struct part *part, struct error *error)
{
    uint8_t digest[MD5_BYTES];
    if (EVP_Digest(part->block, part->length, digest, NULL, EVP_md5(), NULL) != 1) {
        return error_set(error, ERROR_INTERNAL, NULL, "OpenSSL has no MD5 here");
    }
    EVP_EncodeBlock((uint8_t *)part->md5, digest, sizeof digest);
    part->header = (struct http_header){"Content-MD5", part->md5};
    return STATUS_OK;
}

static enum status fill_part(const struct s3_file *file, uint32_t number, struct part *part,
                             struct error *error)
{
    uint64_t begin = (uint64_t)(number - 1) * S3_PART_BYTES;
    uint64_t left = file->bytes - begin;
    part->number = number;
    part->length = left < S3_PART_BYTES ? (size_t)left : S3_PART_BYTES;
    part->facts = (struct s3_facts){0};
    part->call = (struct s3_call){.facts = &part->facts};
    return read_block(file, begin, part, error) == STATUS_OK ? take_md5(part, error)
                                                             : STATUS_FAILED;
}

static enum status send_part(struct sending *sending, struct part *part, struct error *error)
{
    if (fill_part(sending->file, sending->next + 1, part, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_clear(&part->path);
    s3_append_object(sending->bucket, sending->file->key, &part->path);
    buffer_format(&part->path, "?partNumber=%u&uploadId=", part->number);
    s3_append_encoded(&part->path, sending->id, false);
    const struct service_request request = {.operation = "UploadPart",
                                            .object = sending->file->key,
                                            .method = "PUT",
                                            .path = buffer_string(&part->path),
                                            .headers = &part->header,
                                            .header_count = 1,
                                            .body = part->block,
                                            .body_length = part->length,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true,
                                            .detail = &part->call,
                                            .context = part};
    enum status status = service_submit(sending->bucket->client, &request, error);
    part->busy = status == STATUS_OK;
    sending->next += part->busy ? 1 : 0;
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

static enum status take_reply(struct sending *sending, struct error *error)
{
    struct service_reply *reply = NULL;
    enum status status = service_poll(sending->bucket->client, LOOK_MS, &reply, error);
    if (status != STATUS_OK) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    struct part *part = reply->context;
    part->busy = false;
    if (reply->verdict != SERVICE_DONE) {
        status = error_copy(error, &reply->error);
    } else if (part->facts.etag[0] == '\0') {
        status = error_set(error, ERROR_NETWORK_ANSWER, sending->file->key,
                           "S3 took a part and gave no ETag for it");
    } else {
        memcpy(sending->etags[part->number - 1], part->facts.etag, S3_ETAG_BYTES);
    }
    service_reply_destroy(reply);
    return status;
}

static bool is_busy(const struct sending *sending)
{
    bool busy = false;
    for (size_t i = 0; i < PARTS_AT_ONCE; i++) {
        busy = busy || sending->parts[i].busy;
    }
    return busy;
}

/* A block for the part, if there is one; the first part of a sending waits for it. */
static bool has_block(struct sending *sending, size_t number)
{
    struct part *part = &sending->parts[number];
    if (part->block == NULL) {
        part->block = take_block(sending->file->blocks, number == 0);
    }
    return part->block != NULL;
}

static enum status send_parts(struct sending *sending, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (sending->next < sending->count || is_busy(sending))) {
        for (size_t i = 0; i < PARTS_AT_ONCE && status == STATUS_OK; i++) {
            if (!sending->parts[i].busy && sending->next < sending->count &&
                has_block(sending, i)) {
                status = send_part(sending, &sending->parts[i], error);
            }
        }
        status = status == STATUS_OK ? take_reply(sending, error) : status;
    }
    while (service_under_way(sending->bucket->client) > 0) { /* it borrows from here */
        struct error ignored;
        struct service_reply *reply = NULL;
        if (service_poll(sending->bucket->client, LOOK_MS, &reply, &ignored) == STATUS_FAILED) {
            break;
        }
        service_reply_destroy(reply);
    }
    return status;
}

/* ---------------------------------------------------------------- the object */

/* With a range of one byte, since a HEAD of a large object is an answer beyond all bounds. */
static enum status look_at(struct s3_bucket *bucket, const char *key, struct s3_facts *facts,
                           struct error *error)
{
    static const struct http_header range = {"Range", "bytes=0-0"};
    const struct s3_call call = {.facts = facts};
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    s3_append_object(bucket, key, &path);
    const struct service_request request = {.operation = "GetObject",
                                            .object = key,
                                            .method = "GET",
                                            .path = buffer_string(&path),
                                            .headers = &range,
                                            .header_count = 1,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true,
                                            .detail = &call};
    enum status status = s3_request(bucket, &request, &reply, error);
    service_reply_destroy(reply);
    buffer_free(&path);
    return status;
}

/* An object is there already, or the upload is gone: both may be this file's own doing, by a try
 * whose answer was lost. */
static enum status judge_end(struct sending *sending, enum status status, const struct error *gone,
                             char etag[S3_ETAG_BYTES], struct error *error)
{
    struct s3_facts facts = {0};
    enum status found = look_at(sending->bucket, sending->file->key, &facts, error);
    if (found == STATUS_OK && strcmp(facts.note, sending->file->note) == 0) {
        memcpy(etag, facts.etag, S3_ETAG_BYTES);
        return STATUS_OK;
    }
    if (found == STATUS_OK || found == STATUS_END) {
        return status == STATUS_AGAIN ? STATUS_AGAIN : error_copy(error, gone);
    }
    return STATUS_FAILED;
}

/* STATUS_AGAIN and STATUS_END as s3_request has them, settled by what is there. */
static enum status end_request(struct sending *sending, const struct service_request *request,
                               struct arena *arena, const char **body, char etag[S3_ETAG_BYTES],
                               struct error *error)
{
    struct service_reply *reply = NULL;
    struct error gone = {0};
    enum status status = s3_request(sending->bucket, request, &reply, error);
    if (reply != NULL && status != STATUS_OK) {
        gone = reply->error;
    }
    if (reply != NULL && status == STATUS_OK) {
        *body =
            arena_copy(arena, reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    }
    service_reply_destroy(reply);
    return status == STATUS_AGAIN || status == STATUS_END
               ? judge_end(sending, status, &gone, etag, error)
               : status;
}

static struct http_header condition_of(const struct s3_file *file)
{
    return file->replaces != NULL ? (struct http_header){"If-Match", file->replaces}
                                  : (struct http_header){"If-None-Match", "*"};
}

static enum status put_whole(struct sending *sending, char etag[S3_ETAG_BYTES], struct error *error)
{
    const struct s3_file *file = sending->file;
    struct part *part = &sending->parts[0];
    struct arena *arena = arena_create(0);
    const char *body = NULL;
    part->block = take_block(file->blocks, true);
    enum status status = fill_part(file, 1, part, error);
    part->call.leased = true;
    s3_append_object(sending->bucket, file->key, &part->path);
    const struct http_header headers[] = {part->header,
                                          {"Content-Type", "application/octet-stream"},
                                          condition_of(file),
                                          {S3_NOTE_HEADER, file->note}};
    const struct service_request request = {.operation = "PutObject",
                                            .object = file->key,
                                            .method = "PUT",
                                            .path = buffer_string(&part->path),
                                            .headers = headers,
                                            .header_count = sizeof headers / sizeof headers[0],
                                            .body = part->block,
                                            .body_length = part->length,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .detail = &part->call};
    if (status == STATUS_OK && file->before_end != NULL) {
        status = file->before_end(file->context, error);
    }
    if (status == STATUS_OK) {
        status = end_request(sending, &request, arena, &body, etag, error);
        if (body != NULL) {
            memcpy(etag, part->facts.etag, S3_ETAG_BYTES);
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- uploads */

static enum status take_id(struct sending *sending, const struct service_reply *reply,
                           struct error *error)
{
    const char *at = reply->body.data;
    const char *text = NULL;
    size_t length = 0;
    struct arena *arena = arena_create(1024);
    if (at != NULL && s3_take_element(&at, at + reply->body.length, "UploadId", &text, &length)) {
        sending->id = memory_copy_string(s3_without_entities(text, length, arena));
    }
    arena_destroy(arena);
    return sending->id != NULL ? STATUS_OK
                               : error_set(error, ERROR_NETWORK_ANSWER, sending->file->key,
                                           "what answers begins no upload of S3");
}

static enum status begin_upload(struct sending *sending, struct error *error)
{
    const struct http_header headers[] = {{"Content-Type", "application/octet-stream"},
                                          {S3_NOTE_HEADER, sending->file->note}};
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    s3_append_object(sending->bucket, sending->file->key, &path);
    buffer_append_string(&path, "?uploads=");
    const struct service_request request = {.operation = "CreateMultipartUpload",
                                            .object = sending->file->key,
                                            .method = "POST",
                                            .path = buffer_string(&path),
                                            .headers = headers,
                                            .header_count = sizeof headers / sizeof headers[0],
                                            .patience_ms = SERVICE_PATIENCE};
    enum status status = s3_request(sending->bucket, &request, &reply, error);
    if (status == STATUS_OK) {
        status = take_id(sending, reply, error);
    } else if (status != STATUS_FAILED) {
        status = error_copy(error, &reply->error);
    }
    service_reply_destroy(reply);
    buffer_free(&path);
    return status;
}

static void append_upload_path(const struct s3_bucket *bucket, const char *key, const char *id,
                               struct buffer *path)
{
    s3_append_object(bucket, key, path);
    buffer_append_string(path, "?uploadId=");
    s3_append_encoded(path, id, false);
}

static void append_parts(const struct sending *sending, struct buffer *body)
{
    buffer_append_string(body, "<CompleteMultipartUpload>");
    for (uint32_t i = 0; i < sending->count; i++) {
        buffer_format(body, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        for (const char *at = sending->etags[i]; *at != '\0'; at++) {
            buffer_append_string(body, *at == '"'   ? "&quot;"
                                       : *at == '&' ? "&amp;"
                                       : *at == '<' ? "&lt;"
                                                    : (const char[]){*at, '\0'});
        }
        buffer_append_string(body, "</ETag></Part>");
    }
    buffer_append_string(body, "</CompleteMultipartUpload>");
}

static enum status complete(struct sending *sending, char etag[S3_ETAG_BYTES], struct error *error)
{
    const struct http_header headers[] = {{"Content-Type", "application/xml"},
                                          condition_of(sending->file)};
    const struct s3_call call = {.leased = true, .late_faults = true};
    struct arena *arena = arena_create(0);
    struct buffer path = {0};
    struct buffer body = {0};
    const char *answer = NULL;
    const char *text = NULL;
    size_t length = 0;
    append_upload_path(sending->bucket, sending->file->key, sending->id, &path);
    append_parts(sending, &body);
    const struct service_request request = {.operation = "CompleteMultipartUpload",
                                            .object = sending->file->key,
                                            .method = "POST",
                                            .path = buffer_string(&path),
                                            .headers = headers,
                                            .header_count = sizeof headers / sizeof headers[0],
                                            .body = body.data,
                                            .body_length = body.length,
                                            .patience_ms = SERVICE_PATIENCE,
                                            .detail = &call};
    enum status status = end_request(sending, &request, arena, &answer, etag, error);
    if (status == STATUS_OK && answer != NULL) {
        const char *at = answer;
        if (s3_take_element(&at, answer + strlen(answer), "ETag", &text, &length)) {
            snprintf(etag, S3_ETAG_BYTES, "%s", s3_without_entities(text, length, arena));
        }
    }
    buffer_free(&body);
    buffer_free(&path);
    arena_destroy(arena);
    return status;
}

enum status s3_abort(struct s3_bucket *bucket, const struct s3_upload *upload, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    append_upload_path(bucket, upload->key, upload->id, &path);
    const struct service_request request = {.operation = "AbortMultipartUpload",
                                            .object = upload->key,
                                            .method = "DELETE",
                                            .path = buffer_string(&path),
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true};
    enum status status = s3_request(bucket, &request, &reply, error);
    service_reply_destroy(reply);
    buffer_free(&path);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status send_in_parts(struct sending *sending, char etag[S3_ETAG_BYTES],
                                 struct error *error)
{
    const struct s3_file *file = sending->file;
    sending->count = (uint32_t)((file->bytes + S3_PART_BYTES - 1) / S3_PART_BYTES);
    sending->etags = memory_allocate_zeroed(sending->count, sizeof *sending->etags);
    enum status status = begin_upload(sending, error);
    status = status == STATUS_OK ? send_parts(sending, error) : status;
    if (status == STATUS_OK && file->before_end != NULL) {
        status = file->before_end(file->context, error);
    }
    status = status == STATUS_OK ? complete(sending, etag, error) : status;
    if (status != STATUS_OK && sending->id != NULL) {
        struct error ignored;
        const struct s3_upload upload = {file->key, sending->id};
        (void)!s3_abort(sending->bucket, &upload, &ignored); /* the next claim does it, too */
    }
    return status;
}

enum status s3_send_file(struct s3_bucket *bucket, const struct s3_file *file,
                         char etag[S3_ETAG_BYTES], struct error *error)
{
    struct sending sending = {.bucket = bucket, .file = file};
    enum status status = STATUS_FAILED;
    etag[0] = '\0';
    if (file->bytes > (uint64_t)S3_PART_BYTES * S3_PARTS_MAX) {
        return error_set(error, ERROR_BAD_VALUE, file->path,
                         "a file of %" PRIu64 " bytes has more than %d parts", file->bytes,
                         S3_PARTS_MAX);
    }
    status = file->bytes <= S3_PART_BYTES ? put_whole(&sending, etag, error)
                                          : send_in_parts(&sending, etag, error);
    for (size_t i = 0; i < PARTS_AT_ONCE; i++) {
        give_block(file->blocks, sending.parts[i].block);
        buffer_free(&sending.parts[i].path);
    }
    free(sending.etags);
    free(sending.id);
    return status;
}

/* ---------------------------------------------------------------- uploads that were left */

static const char *take_text(const char *text, size_t size, const char *name, struct arena *arena)
{
    const char *at = text;
    const char *part = NULL;
    size_t length = 0;
    return s3_take_element(&at, text + size, name, &part, &length)
               ? s3_without_entities(part, length, arena)
               : NULL;
}

static const char *take_key(const char *text, size_t size, const char *name, bool encoded,
                            struct arena *arena)
{
    const char *at = text;
    const char *part = NULL;
    size_t length = 0;
    return s3_take_element(&at, text + size, name, &part, &length)
               ? s3_key_of(part, length, encoded, arena)
               : NULL;
}

/* The markers of the next page, as a query has them. */
static const char *next_query(const char *text, size_t length, bool encoded, struct arena *arena)
{
    struct buffer query = {0};
    const char *cut = take_text(text, length, "IsTruncated", arena);
    const char *key = take_key(text, length, "NextKeyMarker", encoded, arena);
    const char *id = take_text(text, length, "NextUploadIdMarker", arena);
    if (cut == NULL || strcmp(cut, "true") != 0 || key == NULL) {
        return NULL;
    }
    buffer_append_string(&query, "&key-marker=");
    s3_append_encoded(&query, key, false);
    buffer_append_string(&query, "&upload-id-marker=");
    s3_append_encoded(&query, id != NULL ? id : "", false);
    const char *copy = arena_copy_string(arena, buffer_string(&query));
    buffer_free(&query);
    return copy;
}

enum status s3_uploads_read(const char *text, size_t length, struct arena *arena,
                            struct s3_uploads *page, struct error *error)
{
    const char *end = text + length;
    const char *at = text;
    const char *part = NULL;
    size_t size = 0;
    uint32_t capacity = 0;
    bool encoded = s3_has_encoded_keys(text, length);
    *page = (struct s3_uploads){0};
    if (memmem(text, length, "<ListMultipartUploadsResult", 27) == NULL) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL, "what answers is no list of uploads");
    }
    while (s3_take_element(&at, end, "Upload", &part, &size)) {
        const char *key = take_key(part, size, "Key", encoded, arena);
        const char *id = take_text(part, size, "UploadId", arena);
        if (key == NULL || id == NULL) {
            return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                             "an upload of the list has no key or no id");
        }
        page->uploads =
            arena_make_room(arena, page->uploads, page->count, &capacity, sizeof *page->uploads);
        page->uploads[page->count++] = (struct s3_upload){key, id};
    }
    page->next = next_query(text, length, encoded, arena);
    return STATUS_OK;
}

/* STATUS_END: the store can't. */
static enum status uploads_page(struct s3_bucket *bucket, const char *prefix, const char *next,
                                struct arena *arena, struct s3_uploads *page, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    s3_append_bucket(bucket, &path);
    buffer_append_string(&path, "?encoding-type=url");
    buffer_append_string(&path, next != NULL ? next : "");
    buffer_append_string(&path, "&prefix=");
    s3_append_encoded(&path, prefix, false);
    buffer_append_string(&path, "&uploads=");
    const struct service_request request = {.operation = "ListMultipartUploads",
                                            .object = bucket->place,
                                            .method = "GET",
                                            .path = buffer_string(&path),
                                            .patience_ms = SERVICE_PATIENCE,
                                            .repeatable = true};
    enum status status = s3_request(bucket, &request, &reply, error);
    if (reply != NULL && reply->fault == S3_FAULT_LACKING) {
        log_write(LOG_INFO, "s3: the store can't list uploads that were not ended");
        status = STATUS_END;
    }
    if (status == STATUS_OK) {
        status = s3_uploads_read(reply->body.data != NULL ? reply->body.data : "",
                                 reply->body.length, arena, page, error);
    }
    service_reply_destroy(reply);
    buffer_free(&path);
    return status;
}

enum status s3_list_uploads(struct s3_bucket *bucket, const char *prefix, struct arena *arena,
                            struct s3_upload **uploads, uint32_t *count, struct error *error)
{
    struct s3_uploads page = {0};
    struct buffer all = {0};
    enum status status = STATUS_OK;
    do {
        status = uploads_page(bucket, prefix, page.next, arena, &page, error);
        if (status == STATUS_OK && page.count > 0) {
            buffer_append(&all, page.uploads, page.count * sizeof *page.uploads);
        }
    } while (status == STATUS_OK && page.next != NULL);
    *count = (uint32_t)(all.length / sizeof **uploads);
    *uploads =
        (struct s3_upload *)(void *)arena_copy(arena, all.length > 0 ? all.data : "", all.length);
    buffer_free(&all);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
