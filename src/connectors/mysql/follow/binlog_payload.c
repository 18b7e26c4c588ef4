/* A transaction that MySQL compressed, unpacked event by event: it may be far larger than what it
 * is sent as, and that may be large, too. */
#include "connectors/mysql/follow/binlog.h"
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

enum { EVENT_BYTES_MAX = 1 << 30, BLOCK_BYTES = 1 << 16 };

void binlog_payload_free(struct binlog_payload *payload)
{
    ZSTD_freeDStream(payload->unpacker);
    if (payload->file != NULL) {
        (void)fclose(payload->file);
    }
    buffer_free(&payload->event);
    buffer_free(&payload->block);
    *payload = (struct binlog_payload){0};
}

/* Fields of (type, length, value): 1 the payload's size, 2 the kind (0: zstd, 255: none), 3 its
 * size unpacked; 0 ends them. */
bool binlog_payload_begin(struct binlog_payload *payload, struct binlog_bytes body)
{
    enum { END, SIZE, KIND, UNPACKED, ZSTD = 0, NONE = 255 };
    uint64_t kind = NONE;
    uint64_t packed = 0;
    uint64_t unpacked = 0;
    for (;;) {
        uint64_t type = binlog_take_length(&body);
        if (body.bad || type == END) {
            break;
        }
        size_t length = (size_t)binlog_take_length(&body);
        const uint8_t *value = binlog_take(&body, length);
        struct binlog_bytes inner = {.at = value, .left = value != NULL ? length : 0};
        uint64_t number = binlog_take_length(&inner);
        packed = type == SIZE ? number : packed;
        kind = type == KIND ? number : kind;
        unpacked = type == UNPACKED ? number : unpacked;
    }
    if (body.bad || packed > body.left || (kind != ZSTD && kind != NONE) ||
        (kind == ZSTD && packed > 0 && unpacked == 0)) {
        return false;
    }
    binlog_payload_free(payload);
    payload->unpacker = kind == ZSTD ? ZSTD_createDStream() : NULL;
    payload->packed = (struct binlog_bytes){.at = body.at, .left = (size_t)packed};
    payload->left = kind == ZSTD ? unpacked : packed;
    return kind == NONE || payload->unpacker != NULL;
}

bool binlog_payload_spool(struct binlog_payload *payload, const char *folder)
{
    int descriptor = payload->unpacker != NULL
                         ? open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, S_IRUSR | S_IWUSR)
                         : -1;
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w+b") : NULL;
    if (file == NULL) {
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return false;
    }
    (void)setvbuf(file, NULL, _IONBF, 0); /* it is written at once, and read in blocks */
    if (fwrite(payload->packed.at, 1, payload->packed.left, file) != payload->packed.left ||
        fseek(file, 0, SEEK_SET) != 0) {
        (void)fclose(file);
        return false;
    }
    payload->file = file;
    payload->packed = (struct binlog_bytes){0};
    return true;
}

/* False: there is no more of what is packed. */
static bool refill(struct binlog_payload *payload)
{
    if (payload->file == NULL) {
        return false;
    }
    buffer_clear(&payload->block);
    buffer_reserve(&payload->block, BLOCK_BYTES);
    size_t got = fread(payload->block.data, 1, BLOCK_BYTES, payload->file);
    payload->packed =
        (struct binlog_bytes){.at = (const uint8_t *)payload->block.data, .left = got};
    return got > 0;
}

/* So many bytes of the events behind those that `event` has. */
static bool unpack(struct binlog_payload *payload, size_t count)
{
    struct buffer *event = &payload->event;
    if (payload->left < count || !buffer_try_reserve(event, count)) {
        return false;
    }
    payload->left -= count;
    if (payload->unpacker == NULL) {
        const uint8_t *bytes = binlog_take(&payload->packed, count);
        buffer_append(event, bytes, bytes != NULL ? count : 0);
        return bytes != NULL;
    }
    ZSTD_outBuffer to = {.dst = event->data, .size = event->length + count, .pos = event->length};
    while (to.pos < to.size) {
        ZSTD_inBuffer from = {.src = payload->packed.at, .size = payload->packed.left};
        size_t made = to.pos;
        if (ZSTD_isError(ZSTD_decompressStream(payload->unpacker, &to, &from)) ||
            (from.size > 0 && binlog_take(&payload->packed, from.pos) == NULL) ||
            (from.pos == 0 && to.pos == made && !refill(payload))) {
            return false;
        }
    }
    event->length = to.pos;
    return true;
}

bool binlog_payload_next(struct binlog_payload *payload, struct binlog_event *event)
{
    enum { SIZE_AT = 9 };
    static const struct binlog_format unchecked = {0};
    buffer_clear(&payload->event);
    if (!unpack(payload, BINLOG_HEADER_BYTES)) {
        return false;
    }
    struct binlog_bytes head = {.at = (const uint8_t *)payload->event.data + SIZE_AT, .left = 4};
    size_t length = (size_t)binlog_take_number(&head, 4);
    if (length < BINLOG_HEADER_BYTES || length > EVENT_BYTES_MAX ||
        !unpack(payload, length - BINLOG_HEADER_BYTES)) {
        return false;
    }
    return binlog_read_event(&unchecked, (const uint8_t *)payload->event.data, length, event) &&
           event->type != BINLOG_PAYLOAD;
}
