/* Objects of Amazon S3 and of the stores that speak its protocol: lists and ranges of bytes. */
#ifndef TRANSHUME_NET_S3_H
#define TRANSHUME_NET_S3_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, …/API_GetObject.html
 * Requests are signed (aws_sign.h) with the credentials that all AWS programs share
 * (aws_credentials.h), and tried again after faults that pass: 503 SlowDown, 500, a lost
 * connection.
 */
struct s3_options {
    const char *bucket;
    const char *endpoint; /* "http://127.0.0.1:9000"; NULL: as the settings say, else AWS's own */
    const char *region;   /* NULL: as the settings say */
    int64_t timeout_ms;   /* of one try */
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

/* Of a page of a list, or of a fault: `text` is the service's answer. Lives in `arena`. */
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
/* Writes the object into a file, from its beginning, by some ranges at once.
 * ERROR_SOURCE_CHANGED: it is not the one that was listed any more. `path` is the file's. */
enum status s3_fetch(struct s3_bucket *bucket, const struct s3_object *object, int descriptor,
                     const char *path, struct error *error) MUST_USE;

#endif
