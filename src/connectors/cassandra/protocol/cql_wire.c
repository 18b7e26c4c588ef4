#include "connectors/cassandra/protocol/cql_wire.h"

#include <assert.h>

/* ---------------------------------------------------------------- reading */

size_t cql_read_count(struct cql_reader *reader, size_t each_bytes)
{
    int32_t count = cql_read_int(reader);
    if (count < 0 || (size_t)count > cql_reader_left(reader) / each_bytes) {
        cql_reader_fail(reader);
        return 0;
    }
    return (size_t)count;
}

static struct text read_text(struct cql_reader *reader, size_t length)
{
    const uint8_t *bytes = cql_read_raw(reader, length);
    return bytes != NULL ? (struct text){(const char *)bytes, length} : (struct text){"", 0};
}

struct text cql_read_string(struct cql_reader *reader)
{
    return read_text(reader, cql_read_short(reader));
}

struct text cql_read_long_string(struct cql_reader *reader)
{
    return read_text(reader, cql_read_count(reader, 1));
}

struct text cql_read_short_bytes(struct cql_reader *reader)
{
    return read_text(reader, cql_read_short(reader));
}

const uint8_t *cql_read_uuid(struct cql_reader *reader)
{
    return cql_read_raw(reader, 16);
}

struct cql_inet cql_read_inetaddr(struct cql_reader *reader)
{
    struct cql_inet inet = {.length = cql_read_byte(reader)};
    if (inet.length != 4 && inet.length != 16) {
        cql_reader_fail(reader);
    }
    const uint8_t *bytes = cql_read_raw(reader, inet.length);
    if (bytes == NULL) {
        return (struct cql_inet){.length = 4};
    }
    memcpy(inet.bytes, bytes, inet.length);
    return inet;
}

struct cql_inet cql_read_inet(struct cql_reader *reader)
{
    struct cql_inet inet = cql_read_inetaddr(reader);
    int32_t port = cql_read_int(reader);
    if (port < 0 || port > UINT16_MAX) {
        cql_reader_fail(reader);
        port = 0;
    }
    inet.port = (uint16_t)port;
    return inet;
}

void cql_skip_string_list(struct cql_reader *reader)
{
    for (uint16_t left = cql_read_short(reader); left > 0 && !reader->failed; left--) {
        (void)cql_read_string(reader);
    }
}

void cql_skip_bytes_map(struct cql_reader *reader)
{
    for (uint16_t left = cql_read_short(reader); left > 0 && !reader->failed; left--) {
        (void)cql_read_string(reader);
        (void)cql_read_value(reader);
    }
}

/* ---------------------------------------------------------------- writing */

void cql_write_string(struct buffer *to, struct text text)
{
    assert(text.length <= UINT16_MAX);
    cql_write_short(to, (uint16_t)text.length);
    buffer_append(to, text.data, text.length);
}

void cql_write_long_string(struct buffer *to, struct text text)
{
    assert(text.length <= INT32_MAX);
    cql_write_int(to, (int32_t)text.length);
    buffer_append(to, text.data, text.length);
}

void cql_write_short_bytes(struct buffer *to, struct text bytes)
{
    cql_write_string(to, bytes);
}

void cql_write_uuid(struct buffer *to, const uint8_t uuid[16])
{
    buffer_append(to, uuid, 16);
}

void cql_write_inet(struct buffer *to, const struct cql_inet *inet)
{
    cql_write_byte(to, inet->length);
    buffer_append(to, inet->bytes, inet->length);
    cql_write_int(to, inet->port);
}

void cql_write_string_map(struct buffer *to, const char *const *pairs, size_t count)
{
    cql_write_short(to, (uint16_t)count);
    for (size_t at = 0; at < 2 * count; at++) {
        cql_write_string(to, (struct text){pairs[at], strlen(pairs[at])});
    }
}

void cql_write_string_list(struct buffer *to, const char *const *texts, size_t count)
{
    cql_write_short(to, (uint16_t)count);
    for (size_t at = 0; at < count; at++) {
        cql_write_string(to, (struct text){texts[at], strlen(texts[at])});
    }
}
