/* Heads of messages: what is read of them beside nanoarrow. */
#include "connectors/arrow/arrow.h"

#include <errno.h>
#include <string.h>

/* Fields by their numbers in Message.fbs. */
enum {
    MESSAGE_HEADER = 2,
    BATCH_LENGTH = 0,
    BATCH_NODES = 1,
    BATCH_BUFFERS = 2,
    BATCH_COMPRESSION = 3
};
enum { SCHEMA_FIELDS = 1, SCHEMA_METADATA = 2, PAIR_KEY = 0, PAIR_VALUE = 1 };
enum {
    FIELD_TYPE = 3,
    FIELD_DICTIONARY = 4,
    ENCODING_INDEX = 1,
    FIELD_CHILDREN = 5,
    FIELD_METADATA = 6
};
enum {
    DICTIONARY_DATA = 1,
    DICTIONARY_IS_DELTA = 2,
    COMPRESSION_CODEC = 0,
    CODEC_LZ4 = 0,
    CODEC_ZSTD = 1
};
enum { BUFFER_BYTES = 16, NODE_BYTES = 16, SIZE_BYTES = 8, ALIGNMENT = 8 };

/* Numbers are little-endian, as the machine's. */
static uint64_t number_at(const char *head, size_t place, size_t bytes)
{
    uint64_t number = 0;
    memcpy(&number, head + place, bytes);
    return number;
}

/* Where a field of the table at a place is. 0: it is not there. */
static size_t field_at(const char *head, size_t table, uint32_t field)
{
    size_t list = table - (size_t)(int64_t)(int32_t)number_at(head, table, 4);
    size_t entry = 4 + 2 * (size_t)field;
    if (entry + 2 > number_at(head, list, 2)) {
        return 0;
    }
    size_t offset = number_at(head, list + entry, 2);
    return offset == 0 ? 0 : table + offset;
}

/* The table or vector that a field refers to. 0: it is not there. */
static size_t referred_by(const char *head, size_t table, uint32_t field)
{
    size_t place = table != 0 ? field_at(head, table, field) : 0;
    return place == 0 ? 0 : place + number_at(head, place, 4);
}

uint64_t arrow_message_rows(const char *message)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    size_t batch = referred_by(head, number_at(head, 0, 4), MESSAGE_HEADER);
    size_t length = batch != 0 ? field_at(head, batch, BATCH_LENGTH) : 0;
    return length != 0 ? number_at(head, length, SIZE_BYTES) : 0;
}

bool arrow_message_grows(const char *message)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    size_t dictionary = referred_by(head, number_at(head, 0, 4), MESSAGE_HEADER);
    size_t delta = dictionary != 0 ? field_at(head, dictionary, DICTIONARY_IS_DELTA) : 0;
    return delta != 0 && number_at(head, delta, 1) != 0;
}

/* The table of a record batch, or of the one that is within a dictionary. 0: it is not there. */
static size_t batch_of(const char *head, bool dictionary)
{
    size_t header = referred_by(head, number_at(head, 0, 4), MESSAGE_HEADER);
    return dictionary ? referred_by(head, header, DICTIONARY_DATA) : header;
}

/* The table that an element of a vector of tables refers to. */
static size_t element_of(const char *head, size_t vector, uint64_t at)
{
    size_t place = vector + 4 + 4 * (size_t)at;
    return place + number_at(head, place, 4);
}

static bool has_whole_metadata(const char *head, size_t vector)
{
    uint64_t count = vector != 0 ? number_at(head, vector, 4) : 0;
    for (uint64_t at = 0; at < count; at++) {
        size_t pair = element_of(head, vector, at);
        if (referred_by(head, pair, PAIR_KEY) == 0 || referred_by(head, pair, PAIR_VALUE) == 0) {
            return false;
        }
    }
    return true;
}

static bool has_whole_fields(const char *head, size_t vector, uint32_t depth)
{
    uint64_t count = vector != 0 ? number_at(head, vector, 4) : 0;
    for (uint64_t at = 0; at < count; at++) {
        size_t field = element_of(head, vector, at);
        size_t encoding = referred_by(head, field, FIELD_DICTIONARY);
        if (depth > ARROW_DEPTH_MAX || referred_by(head, field, FIELD_TYPE) == 0 ||
            (encoding != 0 && referred_by(head, encoding, ENCODING_INDEX) == 0) ||
            !has_whole_metadata(head, referred_by(head, field, FIELD_METADATA)) ||
            !has_whole_fields(head, referred_by(head, field, FIELD_CHILDREN), depth + 1)) {
            return false;
        }
    }
    return true;
}

bool arrow_message_is_whole(const char *message, enum ArrowIpcMessageType type)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    bool dictionary = type == NANOARROW_IPC_MESSAGE_TYPE_DICTIONARY_BATCH;
    size_t header = batch_of(head, dictionary);
    if (type != NANOARROW_IPC_MESSAGE_TYPE_SCHEMA || header == 0) {
        return header != 0;
    }
    size_t fields = referred_by(head, header, SCHEMA_FIELDS);
    return fields != 0 && has_whole_fields(head, fields, 0) &&
           has_whole_metadata(head, referred_by(head, header, SCHEMA_METADATA));
}

bool arrow_message_lies_within(const char *message, bool dictionary, uint64_t body_bytes)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    size_t batch = batch_of(head, dictionary);
    size_t nodes = referred_by(head, batch, BATCH_NODES);
    size_t buffers = referred_by(head, batch, BATCH_BUFFERS);
    uint64_t node_count = nodes != 0 ? number_at(head, nodes, 4) : 0;
    uint64_t buffer_count = buffers != 0 ? number_at(head, buffers, 4) : 0;
    for (uint64_t at = 0; at < node_count; at++) {
        if (number_at(head, nodes + 4 + (size_t)at * NODE_BYTES, SIZE_BYTES) > ARROW_ROWS_MAX) {
            return false;
        }
    }
    for (uint64_t at = 0; at < buffer_count; at++) {
        size_t place = buffers + 4 + (size_t)at * BUFFER_BYTES;
        uint64_t offset = number_at(head, place, SIZE_BYTES);
        uint64_t length = number_at(head, place + SIZE_BYTES, SIZE_BYTES);
        if (offset > body_bytes || length > body_bytes - offset) {
            return false;
        }
    }
    return true;
}

uint64_t arrow_message_claims(const char *message, bool dictionary, struct ArrowBufferView body)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    size_t batch = batch_of(head, dictionary);
    size_t buffers = referred_by(head, batch, BATCH_BUFFERS);
    uint64_t count = buffers != 0 ? number_at(head, buffers, 4) : 0;
    uint64_t claims = 0;
    if (referred_by(head, batch, BATCH_COMPRESSION) == 0) {
        return 0;
    }
    for (uint64_t at = 0; at < count; at++) {
        size_t place = buffers + 4 + (size_t)at * BUFFER_BYTES;
        uint64_t offset = number_at(head, place, SIZE_BYTES);
        uint64_t length = number_at(head, place + SIZE_BYTES, SIZE_BYTES);
        if (length < SIZE_BYTES) {
            continue; /* an empty one; any other is refused when it is unpacked */
        }
        uint64_t claim = number_at(body.data.as_char + offset, 0, SIZE_BYTES);
        claim = claim == UINT64_MAX ? length : claim;
        claims = claim > UINT64_MAX - claims ? UINT64_MAX : claims + claim;
    }
    return claims;
}

static void count_parts(const struct ArrowSchema *schema, uint64_t *nodes, uint64_t *buffers)
{
    struct ArrowSchemaView view;
    (*nodes)++;
    if (ArrowSchemaViewInit(&view, schema, NULL) == NANOARROW_OK) {
        for (int at = 0; at < NANOARROW_MAX_FIXED_BUFFERS; at++) {
            *buffers += view.layout.buffer_type[at] != NANOARROW_BUFFER_TYPE_NONE ? 1 : 0;
        }
    }
    for (int64_t at = 0; at < schema->n_children; at++) {
        count_parts(schema->children[at], nodes, buffers);
    }
}

bool arrow_message_has_values(const char *message, const struct ArrowSchema *values)
{
    const char *head = message + ARROW_PREFIX_BYTES;
    size_t batch = batch_of(head, true);
    size_t nodes = referred_by(head, batch, BATCH_NODES);
    size_t buffers = referred_by(head, batch, BATCH_BUFFERS);
    uint64_t nodes_needed = 0;
    uint64_t buffers_needed = 0;
    count_parts(values, &nodes_needed, &buffers_needed);
    return nodes != 0 && number_at(head, nodes, 4) == nodes_needed &&
           (buffers != 0 ? number_at(head, buffers, 4) : 0) == buffers_needed;
}

/* One buffer, with the size that it has unpacked before it (-1: it is not packed). */
static ArrowErrorCode unpack(uint64_t codec, struct ArrowBufferView packed, struct buffer *out,
                             struct ArrowError *why)
{
    int64_t size = 0;
    if (packed.size_bytes == 0) {
        return NANOARROW_OK;
    }
    if (packed.size_bytes < SIZE_BYTES) {
        ArrowErrorSet(why, "a packed buffer is too short");
        return EINVAL;
    }
    memcpy(&size, packed.data.data, sizeof(size));
    packed.data.as_uint8 += SIZE_BYTES;
    packed.size_bytes -= SIZE_BYTES;
    bool plain = size == -1;
    size = plain ? packed.size_bytes : size;
    ArrowIpcDecompressFunction function =
        codec == CODEC_ZSTD  ? ArrowIpcGetZstdDecompressionFunction()
        : codec == CODEC_LZ4 ? ArrowIpcGetLZ4DecompressionFunction()
                             : NULL;
    if (size < 0 || function == NULL) {
        ArrowErrorSet(why, "a buffer is packed in a way that is not known");
        return EINVAL;
    }
    if (!buffer_try_reserve(out, (size_t)size + ALIGNMENT)) {
        return ENOMEM;
    }
    uint8_t *end = (uint8_t *)out->data + out->length;
    out->length += (size_t)size;
    if (plain) {
        memcpy(end, packed.data.data, (size_t)size);
        return NANOARROW_OK;
    }
    return size == 0 ? NANOARROW_OK : function(packed, end, size, why);
}

ArrowErrorCode arrow_message_unpack(char *message, struct ArrowBufferView *body,
                                    struct buffer *unpacked, struct ArrowError *why)
{
    static const char zeros[ALIGNMENT];
    char *head = message + ARROW_PREFIX_BYTES;
    size_t batch = batch_of(head, true);
    size_t buffers = referred_by(head, batch, BATCH_BUFFERS);
    uint64_t count = buffers != 0 ? number_at(head, buffers, 4) : 0;
    size_t compression = referred_by(head, batch, BATCH_COMPRESSION);
    if (compression == 0) {
        return NANOARROW_OK;
    }
    size_t codec_at = field_at(head, compression, COMPRESSION_CODEC);
    uint64_t codec = codec_at != 0 ? number_at(head, codec_at, 1) : CODEC_LZ4;
    buffer_clear(unpacked);
    for (uint64_t at = 0; at < count; at++) {
        size_t place = buffers + 4 + (size_t)at * BUFFER_BYTES;
        uint64_t offset = number_at(head, place, SIZE_BYTES);
        uint64_t length = number_at(head, place + SIZE_BYTES, SIZE_BYTES);
        if (offset > (uint64_t)body->size_bytes || length > (uint64_t)body->size_bytes - offset) {
            ArrowErrorSet(why, "a buffer lies outside of its message");
            return EINVAL;
        }
        struct ArrowBufferView packed = {{.as_uint8 = body->data.as_uint8 + offset},
                                         (int64_t)length};
        uint64_t begin = unpacked->length;
        ArrowErrorCode code = unpack(codec, packed, unpacked, why);
        if (code != NANOARROW_OK) {
            return code;
        }
        uint64_t size = unpacked->length - begin;
        memcpy(head + place, &begin, sizeof(begin));
        memcpy(head + place + SIZE_BYTES, &size, sizeof(size));
        buffer_append(unpacked, zeros, (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT);
    }
    *body = (struct ArrowBufferView){{.data = unpacked->data}, (int64_t)unpacked->length};
    return NANOARROW_OK;
}
