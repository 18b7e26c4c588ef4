/* A spill that a validation leaves when it is broken off, and the next one takes up. */
#include "verify/spill_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 256 << 10 };

static struct canonical_hash digest(const struct spill_part *part)
{
    XXH128_hash_t hash = XXH3_128bits_digest(part->hash);
    return (struct canonical_hash){.low = hash.low64, .high = hash.high64};
}

void spill_set_attempts(struct spill *spill, const uint32_t *attempts, uint32_t task_count)
{
    spill->options.attempts = attempts;
    spill->options.task_count = task_count;
}

/* ---------------------------------------------------------------- leaving */

static enum status sync_part(struct spill *spill, struct spill_part *part, struct spill_mark *mark,
                             struct error *error)
{
    char path[SPILL_PATH_BYTES];
    enum status status = STATUS_OK;
    pthread_mutex_lock(&part->mutex);
    if (part->pending.length > 0 || part->broken) {
        status = spill_flush(spill, part, error);
    }
    *mark = (struct spill_mark){.bytes = part->bytes, .hash = digest(part)};
    int file = part->file;
    pthread_mutex_unlock(&part->mutex);
    spill_part_path(spill, part, path);
    if (status == STATUS_OK && file >= 0 && file_sync(file) != 0) { /* others write on meanwhile */
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't be synced");
    }
    return status;
}

enum status spill_sync(struct spill *spill, struct spill_mark **marks, uint32_t *count,
                       struct error *error)
{
    *count = spill->part_count;
    *marks = memory_allocate_zeroed(spill->part_count, sizeof(**marks));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < spill->part_count && status == STATUS_OK; i++) {
        status = sync_part(spill, &spill->parts[i], &(*marks)[i], error);
    }
    return status == STATUS_OK ? file_sync_folder(spill->folder, error) : status;
}

void spill_leave(struct spill *spill)
{
    if (spill != NULL) {
        spill_free(spill);
    }
}

/* ---------------------------------------------------------------- taking up */

static enum status cant_read(const char *path, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't be read");
}

/* Reads as much as the mark says; STATUS_END: there is less of it, or something else. */
static enum status check_part(struct spill_part *part, const struct spill_mark *mark,
                              const char *path, char *block, struct error *error)
{
    uint64_t left = mark->bytes;
    while (left > 0) {
        ssize_t got = file_read(part->file, block, left < READ_BYTES ? (size_t)left : READ_BYTES);
        if (got < 0) {
            return cant_read(path, error);
        }
        if (got == 0) {
            return STATUS_END;
        }
        if (signals_stop_level() > 0) {
            return STATUS_AGAIN;
        }
        XXH3_128bits_update(part->hash, block, (size_t)got);
        left -= (uint64_t)got;
    }
    const struct canonical_hash hash = digest(part);
    return memcmp(&hash, &mark->hash, sizeof(hash)) == 0 ? STATUS_OK : STATUS_END;
}

/* Entries behind the mark are of tasks that are not done. */
static enum status reopen_part(const struct spill *spill, struct spill_part *part,
                               const struct spill_mark *mark, char *block, struct error *error)
{
    char path[SPILL_PATH_BYTES];
    spill_part_path(spill, part, path);
    if (mark->bytes == 0) {
        return unlink(path) == 0 || errno == ENOENT ? STATUS_OK : cant_read(path, error);
    }
    part->file = file_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
    if (part->file < 0) {
        bool other = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EISDIR;
        return other ? STATUS_END : cant_read(path, error);
    }
    enum status status = check_part(part, mark, path, block, error);
    if (status == STATUS_OK && ftruncate(part->file, (off_t)mark->bytes) != 0) {
        return cant_read(path, error);
    }
    part->bytes = mark->bytes;
    return status;
}

enum status spill_reopen(const char *folder, const struct spill_mark *marks, uint32_t count,
                         struct spill_options options, struct spill **made, struct error *error)
{
    struct spill *spill = NULL;
    char *block = memory_allocate(READ_BYTES);
    enum status status = STATUS_END;
    *made = NULL;
    if (count > 0 && count <= SPILL_PARTS_MAX) {
        spill = spill_make(folder, count, options);
        status = STATUS_OK;
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = reopen_part(spill, &spill->parts[i], &marks[i], block, error);
    }
    free(block);
    if (status != STATUS_OK) {
        spill_leave(spill);
        return status;
    }
    *made = spill;
    return STATUS_OK;
}
