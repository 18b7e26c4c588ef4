/* Objects of Amazon S3 and of the stores that speak its protocol: lists, reads and writes. */
#ifndef TRANSHUME_NET_S3_H
#define TRANSHUME_NET_S3_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, …/API_GetObject.html,
 * …/API_PutObject.html, …/API_CreateMultipartUpload.html, …/API_ListMultipartUploads.html
 * Requests are signed (aws_sign.h) with the credentials that all AWS programs share
 * (aws_credentials.h), and tried again after faults that pass: 503 SlowDown, 500, a lost
 * connection.
 */
/* May a request that takes up to `request_ms` be sent? `alone`: nothing else of this bucket is
 * under way, so that it may be waited for. */
typedef enum status s3_may_write(void *context, int64_t request_ms, bool alone,
                                 struct error *error);

struct s3_options {
    const char *bucket;
    const char *endpoint;   /* "http://127.0.0.1:9000"; NULL: as the settings say, else AWS's own */
    const char *region;     /* NULL: as the settings say */
    bool plaintext_allowed; /* http:// to a host that is not loopback */
    int64_t timeout_ms;     /* of one try */
    bool writes;            /* errors are those of a target */
    /* Asked before each try of a request with `leased`; NULL: they may. */
    s3_may_write *may_write;
    /* Told of the connection that an answer came over; NULL: nobody is. */
    void (*linked)(void *context, bool loopback, const char *tls_protocol, const char *tls_cipher);
    void *context; /* of both */
};

/* One bucket; on one thread. ERROR_AWS_CONFIG, ERROR_CREDENTIALS; nobody is asked yet. */
struct s3_bucket;
enum status s3_bucket_open(const struct s3_options *options, struct s3_bucket **bucket,
                           struct error *error) MUST_USE;
void s3_bucket_close(struct s3_bucket *bucket); /* NULL is fine */
/* "https://s3.eu-west-1.amazonaws.com/bucket": where it is, however it is addressed. */
const char *s3_bucket_place(const struct s3_bucket *bucket);

struct s3_object {
    const char *key; /* any bytes but NUL */
    const char *etag;
    uint64_t bytes;
    int64_t modified_ms; /* since 1970 */
};

/* A page of a list, or a fault: `text` is the service's answer. Lives in `arena`. */
struct s3_page {
    struct s3_object *objects;
    uint32_t count;
    const char *next; /* the token that the next page is asked with; NULL: this is the last */
};
enum status s3_page_read(const char *text, size_t length, struct arena *arena, struct s3_page *page,
                         struct error *error) MUST_USE;

/* All objects whose keys begin so, by key. ERROR_SOURCE_MISSING: there is no such bucket. */
enum status s3_list(struct s3_bucket *bucket, const char *prefix, struct arena *arena,
                    struct s3_object **objects, uint32_t *count, struct error *error) MUST_USE;
/* Is there any? */
enum status s3_any(struct s3_bucket *bucket, const char *prefix, bool *any,
                   struct error *error) MUST_USE;
/* Writes the object into a file, from its beginning, by some ranges at once.
 * ERROR_SOURCE_CHANGED: it is not the one that was listed any more. `path` is the file's. */
enum status s3_fetch(struct s3_bucket *bucket, const struct s3_object *object, int descriptor,
                     const char *path, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- single objects */

enum { S3_ETAG_BYTES = 128, S3_NOTE_BYTES = 64 };

struct s3_content {
    const char *text; /* with a NUL behind it */
    size_t length;
    const char *etag;
};
/* A small object, whole; in `arena`. STATUS_END: there is none. */
enum status s3_get(struct s3_bucket *bucket, const char *key, struct arena *arena,
                   struct s3_content *content, struct error *error) MUST_USE;
/* Some of them, several at once; `keys` that are not there have text NULL. At most
 * S3_GET_MANY_MAX. */
enum { S3_GET_MANY_MAX = 8 };
enum status s3_get_many(struct s3_bucket *bucket, const char *const *keys, uint32_t count,
                        struct arena *arena, struct s3_content *contents,
                        struct error *error) MUST_USE;

enum s3_condition { S3_ANYHOW, S3_IF_ABSENT, S3_IF_SAME };
struct s3_write {
    const char *key;
    const void *bytes;
    size_t length;
    enum s3_condition condition;
    const char *etag; /* S3_IF_SAME: the object has it still */
    bool leased;
};
/* STATUS_AGAIN: the condition does not hold, or this very write was carried out by a try whose
 * answer was lost: the caller reads and compares. */
enum status s3_put(struct s3_bucket *bucket, const struct s3_write *write,
                   struct error *error) MUST_USE;
/* Only key, condition and lease count. Stores may ignore S3_IF_SAME. Absent: STATUS_OK. */
enum status s3_remove(struct s3_bucket *bucket, const struct s3_write *write,
                      struct error *error) MUST_USE;

/* ---------------------------------------------------------------- files as objects */

/* Blocks of memory that the uploads of several threads share, S3_PART_BYTES each. */
enum { S3_PART_BYTES = 8 << 20, S3_PARTS_MAX = 10000 };
struct s3_blocks;
struct s3_blocks *s3_blocks_create(uint32_t count) __attribute__((returns_nonnull));
void s3_blocks_destroy(struct s3_blocks *blocks); /* NULL is fine */

struct s3_file {
    const char *key;
    int descriptor;
    const char *path; /* for messages */
    uint64_t bytes;
    const char *note; /* kept with the object; shorter than S3_NOTE_BYTES */
    /* The ETag of the object whose place it takes; NULL: there is none */
    const char *replaces;
    struct s3_blocks *blocks;
    /* Optional: between the parts and what makes them an object. */
    enum status (*before_end)(void *context, struct error *error);
    void *context;
};
/*
 * Sends a file in parts, some at once, each with its MD5; the object is there with the last request
 * or not at all, and only if there was none, or the one that it replaces (`leased`). STATUS_AGAIN:
 * there is one with other contents. A failure leaves no parts behind, unless the store can't be
 * reached any more.
 */
enum status s3_send_file(struct s3_bucket *bucket, const struct s3_file *file,
                         char etag[S3_ETAG_BYTES], struct error *error) MUST_USE;

struct s3_upload {
    const char *key;
    const char *id;
};
/* A page of uploads: `next` is the query that the next page is asked with. */
struct s3_uploads {
    struct s3_upload *uploads;
    uint32_t count;
    const char *next;
};
enum status s3_uploads_read(const char *text, size_t length, struct arena *arena,
                            struct s3_uploads *page, struct error *error) MUST_USE;
/* Uploads that were begun and neither completed nor aborted, of keys that begin so. A store that
 * can't list them has none. */
enum status s3_list_uploads(struct s3_bucket *bucket, const char *prefix, struct arena *arena,
                            struct s3_upload **uploads, uint32_t *count,
                            struct error *error) MUST_USE;
/* Already gone: STATUS_OK. */
enum status s3_abort(struct s3_bucket *bucket, const struct s3_upload *upload,
                     struct error *error) MUST_USE;

#endif
