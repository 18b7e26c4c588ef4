/* Segments on their way from the local folder into the bucket. */
#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "connectors/folder/folder_claim.h"
#include "connectors/folder/folder_segment.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static enum status before_object(void *context, struct error *error)
{
    (void)context;
    return failpoint_hit("s3.before_object", error);
}

/* An object that is there under a segment's name is of an attempt that no mark tells of: one that
 * was fenced may have ended its upload late. */
static enum status bucket_send_replace(struct folder_stream *stream, const struct s3_file *file,
                                       char etag[S3_ETAG_BYTES], struct error *error)
{
    const struct s3_write write = {.key = file->key, .leased = true};
    enum status status = folder_check_claim(stream->folder, error);
    status = status == STATUS_OK ? s3_remove(stream->connection, &write, error) : status;
    status = status == STATUS_OK ? s3_send_file(stream->connection, file, etag, error) : status;
    if (status == STATUS_AGAIN) {
        error_set(error, ERROR_TARGET_WRITE, file->key,
                  "somebody writes an object under this segment's name");
        status = error_hint(error, "does another process work on this run? `transhume status`");
    }
    return status;
}

static enum status send_part(struct folder_stream *stream, struct folder_part *part,
                             struct error *error)
{
    char etag[S3_ETAG_BYTES];
    char note[S3_NOTE_BYTES];
    int descriptor = file_open(part->writing_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, part->writing_path,
                               "can't read the segment that is to be sent");
    }
    snprintf(note, sizeof note, "%" PRIu64 "-%016" PRIx64, part->print.bytes, part->print.checksum);
    const struct s3_file file = {
        .key = bucket_table_key(stream->folder, stream->arena, stream->table, part->name),
        .descriptor = descriptor,
        .path = part->writing_path,
        .bytes = part->print.bytes,
        .note = note,
        .blocks = stream->folder->bucket->blocks,
        .before_end = before_object};
    part->published = true; /* whatever becomes of it, the object may be there */
    enum status status = s3_send_file(stream->connection, &file, etag, error);
    if (status == STATUS_AGAIN) {
        status = bucket_send_replace(stream, &file, etag, error);
    }
    close(descriptor);
    if (status == STATUS_OK) {
        part->etag = arena_copy_string(stream->arena, etag);
        unlink(part->writing_path);
    }
    return status;
}

enum status bucket_publish(struct folder_stream *stream, struct error *error)
{
    enum status status = STATUS_OK;
    if (stream->parts != NULL) {
        status = bucket_send_definition(stream->folder, stream->table, error);
    }
    for (struct folder_part *part = stream->parts; part != NULL && status == STATUS_OK;
         part = part->next) {
        if (part->etag == NULL) {
            status = send_part(stream, part, error);
        }
    }
    return status;
}

void bucket_unpublish(struct folder_stream *stream, const struct folder_part *part)
{
    struct error error;
    struct arena *arena = arena_create(1024);
    const char *key = bucket_table_key(stream->folder, arena, stream->table, part->name);
    const struct s3_write write = {.key = key, .leased = true};
    unlink(part->writing_path);
    if (s3_remove(stream->connection, &write, &error) != STATUS_OK) {
        log_write(LOG_INFO, "s3: %s was not removed, and the next attempt does it: %s", key,
                  error.message);
    }
    arena_destroy(arena);
}
