/*
 * Transactions that the server sends while they are in progress, each in a file of its own until
 * its commit or abort comes. The file is gone with the process: what is not committed the server
 * sends again to who opens the feed anew.
 *
 * A file is records of uint32 length and uint32 xid of the subtransaction, both in the machine's
 * own order, and the message as it came.
 */
#include "base/file.h"
#include "base/memory.h"
#include "connectors/postgres/follow/feed.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 << 10, MESSAGE_BYTES_MAX = 1 << 30 };

struct record_head {
    uint32_t length;
    uint32_t xid;
};

struct aborted {
    UT_hash_handle hh;
    uint32_t xid;
};

struct feed_spool {
    struct feed_spool *next;
    struct arena *arena;
    uint32_t xid;
    int descriptor;
    struct aborted *aborted; /* subtransactions of it that were rolled back */
    struct buffer buffer;    /* what is not written yet; while it is replayed, what was read */
    size_t used;             /* of the buffer, while it is replayed */
    off_t offset;            /* to be read next */
    bool begun;
    struct pgoutput_message commit;
};

static void free_one(struct feed_spool *spool)
{
    struct aborted *one;
    struct aborted *next;
    if (spool == NULL) {
        return;
    }
    HASH_ITER (hh, spool->aborted, one, next) {
        HASH_DEL(spool->aborted, one);
    }
    if (spool->descriptor >= 0) {
        (void)file_close(spool->descriptor);
    }
    buffer_free(&spool->buffer);
    arena_destroy(spool->arena);
    free(spool);
}

void postgres_spool_free(struct feed_spool **spools)
{
    while (*spools != NULL) {
        struct feed_spool *spool = *spools;
        *spools = spool->next;
        free_one(spool);
    }
}

/* Takes it out of the list; NULL: there is none. */
static struct feed_spool *take_out(struct feed *feed, uint32_t xid)
{
    for (struct feed_spool **at = &feed->spools; *at != NULL; at = &(*at)->next) {
        if ((*at)->xid == xid) {
            struct feed_spool *spool = *at;
            *at = spool->next;
            spool->next = NULL;
            return spool;
        }
    }
    return NULL;
}

static struct feed_spool *feed_spool_add(struct feed *feed, uint32_t xid)
{
    struct feed_spool *spool = memory_allocate_zeroed(1, sizeof *spool);
    spool->arena = arena_create(4096);
    spool->xid = xid;
    spool->descriptor = -1;
    spool->next = feed->spools;
    feed->spools = spool;
    return spool;
}

static struct feed_spool *find_or_add(struct feed *feed, uint32_t xid)
{
    struct feed_spool *spool = feed->spools;
    while (spool != NULL && spool->xid != xid) {
        spool = spool->next;
    }
    return spool != NULL ? spool : feed_spool_add(feed, xid);
}

/* ---------------------------------------------------------------- writing */

static enum status open_file(const struct feed *feed, struct feed_spool *spool, struct error *error)
{
    char *path = arena_format(spool->arena, "%s/feed-%s-%u", feed->self->spill_folder, feed->name,
                              spool->xid);
    spool->descriptor = file_open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (spool->descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "cannot be made");
    }
    (void)unlink(path);
    return STATUS_OK;
}

static enum status write_bytes(const struct feed *feed, const struct feed_spool *spool,
                               const void *bytes, size_t length, struct error *error)
{
    if (file_write_all(spool->descriptor, bytes, length, feed->self->spill_folder, error) !=
        STATUS_OK) {
        error_hint(error, "make room there, or follow with ?streaming=off");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status write_out(const struct feed *feed, struct feed_spool *spool, struct error *error)
{
    if ((spool->descriptor < 0 && open_file(feed, spool, error) != STATUS_OK) ||
        write_bytes(feed, spool, spool->buffer.data, spool->buffer.length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_clear(&spool->buffer);
    return STATUS_OK;
}

enum status postgres_spool_add(struct feed *feed, const struct pgoutput_message *message,
                               const uint8_t *bytes, size_t length, struct error *error)
{
    struct feed_spool *spool = find_or_add(feed, feed->stream_xid);
    struct record_head head = {.length = (uint32_t)length,
                               .xid = message->xid != 0 ? message->xid : feed->stream_xid};
    if (length > MESSAGE_BYTES_MAX) {
        return error_set(error, ERROR_MEMORY, feed->name, "no memory for a row");
    }
    buffer_append(&spool->buffer, &head, sizeof head);
    if (length >= ARENA_SHARED_BYTES) { /* not copied once more */
        return write_out(feed, spool, error) == STATUS_OK
                   ? write_bytes(feed, spool, bytes, length, error)
                   : STATUS_FAILED;
    }
    buffer_append(&spool->buffer, bytes, length);
    return spool->buffer.length < BUFFER_BYTES ? STATUS_OK : write_out(feed, spool, error);
}

enum status postgres_spool_abort(struct feed *feed, const struct pgoutput_message *message,
                                 struct error *error)
{
    struct aborted *one = NULL;
    (void)error;
    if (message->xid == message->subxid) {
        free_one(take_out(feed, message->xid));
        return STATUS_OK;
    }
    struct feed_spool *spool = find_or_add(feed, message->xid);
    HASH_FIND(hh, spool->aborted, &message->subxid, sizeof message->subxid, one);
    if (one == NULL) {
        one = arena_allocate_zeroed(spool->arena, 1, sizeof *one);
        one->xid = message->subxid;
        HASH_ADD(hh, spool->aborted, xid, sizeof one->xid, one);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- reading */

/* A transaction that never came to the file is read from the buffer. */
enum status postgres_spool_commit(struct feed *feed, const struct pgoutput_message *message,
                                  struct error *error)
{
    struct feed_spool *spool = take_out(feed, message->xid);
    if (spool == NULL) {
        spool = feed_spool_add(feed, message->xid);
        (void)take_out(feed, message->xid);
    }
    if (feed->making.in_transaction || feed->replay != NULL) {
        free_one(spool);
        return postgres_feed_malformed(feed, error);
    }
    feed->replay = spool;
    spool->commit = *message;
    return spool->descriptor < 0 ? STATUS_OK : write_out(feed, spool, error);
}

/* Makes `size` bytes available from `used` on. STATUS_END: there are no more. */
static enum status feed_spool_need(struct feed_spool *spool, size_t size, struct error *error)
{
    struct buffer *buffer = &spool->buffer;
    if (buffer->length - spool->used >= size) {
        return STATUS_OK;
    }
    memmove(buffer->data, buffer->data + spool->used, buffer->length - spool->used);
    buffer->length -= spool->used;
    spool->used = 0;
    size_t room = size > BUFFER_BYTES ? size : BUFFER_BYTES;
    if (!buffer_try_reserve(buffer, room)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a row");
    }
    while (spool->descriptor >= 0 && buffer->length < size) {
        ssize_t got = file_read_at(spool->descriptor, buffer->data + buffer->length,
                                   room - buffer->length, spool->offset);
        if (got < 0) {
            return error_set_errno(error, ERROR_FILE_READ, errno, NULL,
                                   "what was kept of a transaction can't be read");
        }
        if (got == 0) {
            break;
        }
        buffer->length += (size_t)got;
        spool->offset += got;
    }
    return buffer->length >= size ? STATUS_OK : STATUS_END;
}

static bool was_aborted(const struct feed_spool *spool, uint32_t xid)
{
    struct aborted *one = NULL;
    HASH_FIND(hh, spool->aborted, &xid, sizeof xid, one);
    return one != NULL;
}

/* The buffer, which holds one large record and nothing behind it: values stay where they are. */
static struct arena *take_buffer(struct feed_spool *spool)
{
    struct arena *message = arena_create(64);
    arena_take_over(message, spool->buffer.data, spool->buffer.length, free);
    buffer_init(&spool->buffer);
    spool->used = 0;
    return message;
}

/* Tables that a subtransaction told of are told for all, even if it was rolled back. */
static enum status replay_one(struct feed *feed, struct change_set **set, struct error *error)
{
    struct feed_spool *spool = feed->replay;
    struct record_head head;
    enum status status = feed_spool_need(spool, sizeof head, error);
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(&head, spool->buffer.data + spool->used, sizeof head);
    status = feed_spool_need(spool, sizeof head + head.length, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? postgres_feed_malformed(feed, error) : status;
    }
    const uint8_t *bytes = (const uint8_t *)spool->buffer.data + spool->used + sizeof head;
    struct arena *message = head.length >= ARENA_SHARED_BYTES ? take_buffer(spool) : NULL;
    spool->used += message != NULL ? 0 : sizeof head + head.length;
    if (!was_aborted(spool, head.xid) || (head.length > 0 && bytes[0] == PGOUTPUT_RELATION)) {
        status = postgres_feed_take(feed, bytes, head.length, true, set, error);
    }
    arena_destroy(message);
    return status;
}

enum status postgres_spool_replay(struct feed *feed, struct change_set **set, struct error *error)
{
    struct feed_spool *spool = feed->replay;
    enum status status = STATUS_OK;
    if (!spool->begun) {
        postgres_feed_begin(feed, &spool->commit);
        spool->begun = true;
    }
    while (status == STATUS_OK && *set == NULL) {
        status = replay_one(feed, set, error);
    }
    if (status == STATUS_END) {
        status = postgres_feed_finish(feed, &spool->commit, set, error);
        feed->replay = NULL;
        free_one(spool);
    }
    return status;
}
