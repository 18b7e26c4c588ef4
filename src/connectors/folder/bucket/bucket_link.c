/* Connections to a bucket, and the keys of its objects. */
#include "base/file.h"
#include "connectors/common/lease.h"
#include "connectors/contract/report.h"
#include "connectors/folder/bucket/bucket.h"
#include <string.h>

char *bucket_key(const struct folder_bucket *bucket, struct arena *arena, const char *below)
{
    const char *prefix = bucket->address.prefix;
    return arena_format(arena, "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "", below);
}

char *bucket_run_key(const struct folder *folder, struct arena *arena, const char *below)
{
    const char *run = file_safe_name(arena, folder->run.id, strlen(folder->run.id));
    return bucket_key(folder->bucket, arena,
                      arena_format(arena, BUCKET_OWN "run-%s/%s", run, below));
}

char *bucket_table_key(const struct folder *folder, struct arena *arena, const char *table,
                       const char *file)
{
    return bucket_key(folder->bucket, arena,
                      arena_format(arena, "%s/%s", folder_entry_name(arena, table), file));
}

/* Objects of a claimed run are written only while the lease lasts. */
static enum status may_write(void *context, int64_t request_ms, bool alone, struct error *error)
{
    const struct folder *folder = context;
    enum status status = STATUS_OK;
    if (folder->run.id == NULL) {
        return STATUS_OK;
    }
    if (alone) {
        status = lease_wait(&folder->base, request_ms, error);
    }
    return status == STATUS_OK ? lease_check(&folder->base, request_ms, error) : status;
}

static void linked(void *context, bool loopback, const char *tls_protocol, const char *tls_cipher)
{
    struct folder *folder = context;
    report_link(&folder->base,
                tls_protocol != NULL ? LINK_PEER_VERIFIED
                : loopback           ? LINK_PLAINTEXT_LOOPBACK
                                     : LINK_PLAINTEXT,
                tls_protocol, tls_cipher);
}

enum status bucket_connect(const struct folder_bucket *bucket, struct s3_bucket **connection,
                           struct error *error)
{
    const struct s3_options options = {.bucket = bucket->address.bucket,
                                       .plaintext_allowed = bucket->address.plaintext_allowed,
                                       .endpoint = bucket->address.endpoint,
                                       .region = bucket->address.region,
                                       .timeout_ms = bucket->timeout_ms,
                                       .writes = true,
                                       .may_write = may_write,
                                       .linked = linked,
                                       .context = bucket->folder};
    return s3_bucket_open(&options, connection, error);
}

struct s3_bucket *bucket_borrow(struct folder_bucket *bucket)
{
    pthread_mutex_lock(&bucket->mutex);
    return bucket->control;
}

void bucket_give_back(struct folder_bucket *bucket)
{
    pthread_mutex_unlock(&bucket->mutex);
}
