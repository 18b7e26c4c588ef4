/* Opening a bucket as a target: its connections, its local folder, its keys. */
#include "connectors/folder/bucket/bucket.h"
#include "connectors/folder/folder_record.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/contract/report.h"
#include "connectors/folder/folder_claim.h"
#include <stdlib.h>
#include <string.h>

/* Memory that uploads share. */
enum { BLOCKS = 4, LEASE_SECONDS_MAX = 3600 };

const struct target_functions bucket_target = {
    .claimed = bucket_claimed,
    .released = folder_released,
    .forget_run = bucket_forget_run,
    .tidy = bucket_tidy,
    .empty = bucket_empty,
    .inspect = bucket_inspect,
    .check_table = folder_check_table,
    .prepare = bucket_prepare,
    .writer_open = folder_writer_open,
    .writer_close = folder_writer_close,
    .chunk_begin = folder_chunk_begin,
    .submit = folder_submit,
    .poll = folder_poll,
    .commit = folder_commit,
    .chunk_abandon = folder_chunk_abandon,
    .after_load = bucket_after_load,
    .count = bucket_count,
    .settle_duplicates = bucket_settle,
    .normal_form = folder_normal_form,
};

/* ---------------------------------------------------------------- open and close */

/* Is the bucket there, and may it be listed? What is only looked at has to hold something. */
static enum status bucket_open_look(const struct folder_bucket *bucket,
                                    const struct open_options *open, struct error *error)
{
    struct arena *arena = arena_create(0);
    bool any = false;
    enum status status = s3_any(bucket->control, bucket_key(bucket, arena, ""), &any, error);
    if (status == STATUS_OK && !any && open->read_only) {
        error_set(error, ERROR_TARGET_MISSING, open->uri->shown, "the bucket has no objects there");
        status = error_hint(error, "check the prefix; aws s3 ls s3://%s/%s shows what is there",
                            bucket->address.bucket, bucket->address.prefix);
    }
    arena_destroy(arena);
    return status;
}

static void set_connector(struct folder *folder)
{
    struct connector *connector = &folder->bucket->connector;
    *connector = *folder->format->connector;
    connector->title = arena_format(folder->bucket->arena, "%s in a bucket", connector->title);
    connector->target = &bucket_target;
    connector->store = &bucket_store;
    connector->rollback = &bucket_rollback;
    connector->lock = NULL;
    connector->apply = NULL;
    folder->base.connector = connector;
}

static enum status check_file_bytes(const struct folder *folder, const struct uri *uri,
                                    struct error *error)
{
    uint64_t most = (uint64_t)S3_PART_BYTES * S3_PARTS_MAX;
    if (folder->file_bytes_max <= most) {
        return STATUS_OK;
    }
    error_set(error, ERROR_BAD_VALUE, uri->shown,
              "file_bytes is at most 78GiB where files go into a bucket");
    return error_hint(error, "an object is sent in at most %d parts of 8 MiB", S3_PARTS_MAX);
}

static enum status read_lease(struct folder *folder, const struct open_options *open,
                              struct error *error)
{
    const char *text = uri_parameter(open->uri, folder->format->connector, "lease");
    int64_t least_ms = 2 * open->timeout_ms;
    int64_t seconds = 0;
    if (text_to_int64(text, strlen(text), &seconds) != STATUS_OK || seconds < 1 ||
        seconds > LEASE_SECONDS_MAX) {
        return error_set(error, ERROR_BAD_VALUE, open->uri->shown,
                         "lease is a number of seconds from 1 to 3600");
    }
    folder->base.lease_ms = seconds * 1000 > least_ms ? seconds * 1000 : least_ms;
    return STATUS_OK;
}

enum status bucket_open(struct folder *folder, const struct open_options *open, struct error *error)
{
    struct folder_bucket *bucket = memory_allocate_zeroed(1, sizeof *bucket);
    folder->bucket = bucket;
    bucket->folder = folder;
    bucket->arena = arena_create(0);
    bucket->timeout_ms = open->timeout_ms;
    pthread_mutex_init(&bucket->mutex, NULL);
    if (check_file_bytes(folder, open->uri, error) != STATUS_OK ||
        read_lease(folder, open, error) != STATUS_OK ||
        folder_stage_read_address(open->uri, folder->format->connector, bucket->arena,
                                  &bucket->address, error) != STATUS_OK ||
        bucket_connect(bucket, &bucket->control, error) != STATUS_OK ||
        bucket_open_look(bucket, open, error) != STATUS_OK ||
        folder_stage_place(open->spill_folder, &bucket->work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bucket->identity = arena_format(bucket->arena, "s3 %s/%s", s3_bucket_place(bucket->control),
                                    bucket->address.prefix);
    bucket->blocks = s3_blocks_create(BLOCKS);
    set_connector(folder);
    free(folder->path);
    folder->path = memory_copy_string(bucket->work);
    folder->root = folder->path;
    return STATUS_OK;
}

void bucket_close(struct folder_bucket *bucket)
{
    struct error ignored;
    if (bucket == NULL) {
        return;
    }
    if (bucket->work != NULL && file_remove_tree(bucket->work, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "%s: what was to be sent to S3 can't be removed: %s", bucket->work,
                  ignored.message);
    }
    bucket_forget_definitions(bucket);
    s3_bucket_close(bucket->control);
    s3_blocks_destroy(bucket->blocks);
    pthread_mutex_destroy(&bucket->mutex);
    free(bucket->work);
    arena_destroy(bucket->arena);
    free(bucket);
}
