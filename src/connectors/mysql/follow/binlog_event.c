/* Events of the binary log: headers, the format's description, and what is around the rows. */
#include "base/memory.h"
#include "connectors/mysql/follow/binlog.h"
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { CHECKSUM_BYTES = 4, CHECKSUM_CRC32 = 1, UNPACKED_BYTES_MAX = 1 << 30 };

const uint8_t *binlog_take(struct binlog_bytes *bytes, size_t count)
{
    const uint8_t *at = bytes->at;
    if (bytes->bad || bytes->left < count) {
        bytes->bad = true;
        bytes->left = 0;
        return NULL;
    }
    bytes->at += count;
    bytes->left -= count;
    return at;
}

uint64_t binlog_take_number(struct binlog_bytes *bytes, int count)
{
    const uint8_t *at = binlog_take(bytes, (size_t)count);
    uint64_t number = 0;
    for (int i = count; at != NULL && i > 0; i--) {
        number = number << 8 | at[i - 1];
    }
    return number;
}

uint64_t binlog_take_length(struct binlog_bytes *bytes)
{
    enum { TWO = 0xfc, THREE = 0xfd, EIGHT = 0xfe };
    uint64_t first = binlog_take_number(bytes, 1);
    switch (first) {
    case TWO:
        return binlog_take_number(bytes, 2);
    case THREE:
        return binlog_take_number(bytes, 3);
    case EIGHT:
        return binlog_take_number(bytes, 8);
    default:
        bytes->bad = bytes->bad || first > EIGHT || first == TWO - 1;
        return first;
    }
}

static struct text rest_of(const struct binlog_bytes *bytes)
{
    return (struct text){(const char *)bytes->at, bytes->left};
}

/* ---------------------------------------------------------------- events */

bool binlog_read_event(const struct binlog_format *format, const uint8_t *bytes, size_t length,
                       struct binlog_event *event)
{
    struct binlog_bytes head = {.at = bytes, .left = length};
    event->time = (uint32_t)binlog_take_number(&head, 4);
    event->type = (uint8_t)binlog_take_number(&head, 1);
    event->server = (uint32_t)binlog_take_number(&head, 4);
    event->size = (uint32_t)binlog_take_number(&head, 4);
    event->next = (uint32_t)binlog_take_number(&head, 4);
    event->flags = (uint16_t)binlog_take_number(&head, 2);
    event->body = head;
    if (head.bad || event->size != length) {
        return false;
    }
    /* the description says for itself whether it has one */
    if (!format->checksums || event->type == BINLOG_FORMAT) {
        return true;
    }
    if (head.left < CHECKSUM_BYTES) {
        return false;
    }
    size_t covered = length - CHECKSUM_BYTES;
    struct binlog_bytes tail = {.at = bytes + covered, .left = CHECKSUM_BYTES};
    event->body.left -= CHECKSUM_BYTES;
    return (uint32_t)binlog_take_number(&tail, 4) ==
           (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, covered);
}

/* version (2), server (50), created (4), header's bytes (1), others' by type, the checksums' kind
 * (1), a checksum (4) whatever the kind. */
bool binlog_read_format(const struct binlog_event *event, struct binlog_format *format)
{
    enum { FIXED = 2 + 50 + 4, VERSION = 4 };
    struct binlog_bytes body = event->body;
    uint64_t version = binlog_take_number(&body, 2);
    (void)binlog_take(&body, FIXED - 2);
    uint64_t header = binlog_take_number(&body, 1);
    if (body.bad || version != VERSION || header != BINLOG_HEADER_BYTES ||
        body.left < CHECKSUM_BYTES + 1) {
        return false;
    }
    uint8_t kind = body.at[body.left - CHECKSUM_BYTES - 1];
    format->checksums = kind == CHECKSUM_CRC32;
    return kind <= CHECKSUM_CRC32;
}

bool binlog_read_rotate(struct binlog_bytes body, uint64_t *offset, struct text *file)
{
    *offset = binlog_take_number(&body, 8);
    *file = rest_of(&body);
    return !body.bad && file->length > 0;
}

/* The second form is a list of (type, length, value): 1 is the file, 2 the offset. */
bool binlog_read_heartbeat(const struct binlog_event *event, uint64_t *offset, struct text *file)
{
    struct binlog_bytes body = event->body;
    *offset = event->next;
    *file = rest_of(&body);
    if (event->type == BINLOG_HEARTBEAT) {
        return file->length > 0;
    }
    *file = (struct text){NULL, 0};
    while (body.left > 0 && !body.bad) {
        uint64_t type = binlog_take_length(&body);
        if (type == 0) {
            break;
        }
        size_t length = (size_t)binlog_take_length(&body);
        const uint8_t *value = binlog_take(&body, length);
        struct binlog_bytes inner = {.at = value, .left = value != NULL ? length : 0};
        if (type == 1) {
            *file = rest_of(&inner);
        } else if (type == 2) {
            *offset = binlog_take_length(&inner);
        }
    }
    return !body.bad && file->length > 0;
}

bool binlog_read_query(struct binlog_bytes body, bool compressed, struct arena *arena,
                       struct binlog_query *query)
{
    (void)binlog_take(&body, 4 + 4); /* session, seconds */
    size_t database = (size_t)binlog_take_number(&body, 1);
    (void)binlog_take(&body, 2);
    size_t variables = (size_t)binlog_take_number(&body, 2);
    (void)binlog_take(&body, variables);
    const uint8_t *name = binlog_take(&body, database);
    (void)binlog_take(&body, 1);
    if (body.bad || (compressed && !binlog_inflate(body, arena, &body))) {
        return false;
    }
    query->database = (struct text){(const char *)name, database};
    query->statement = rest_of(&body);
    return true;
}

bool binlog_stands_alone(struct binlog_bytes body)
{
    (void)binlog_take(&body, 8 + 4);
    return (binlog_take_number(&body, 1) & 1) != 0;
}

/* ---------------------------------------------------------------- compressed ones */

/* A byte: the highest bit is set, the lowest three are how many bytes the unpacked size has; that
 * size, most significant first; what zlib made. */
bool binlog_inflate(struct binlog_bytes packed, struct arena *arena, struct binlog_bytes *body)
{
    uint64_t head = binlog_take_number(&packed, 1);
    size_t count = head & 7;
    const uint8_t *digits = binlog_take(&packed, count);
    uint64_t size = 0;
    if (packed.bad || (head & 0x80) == 0 || (head & 0x70) != 0 || count == 0 || count > 4) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size = size << 8 | digits[i];
    }
    uint8_t *made = size <= UNPACKED_BYTES_MAX ? arena_try_allocate(arena, size + 1) : NULL;
    uLongf length = size;
    if (made == NULL || uncompress(made, &length, packed.at, packed.left) != Z_OK ||
        length != size) {
        return false;
    }
    *body = (struct binlog_bytes){.at = made, .left = size};
    return true;
}
