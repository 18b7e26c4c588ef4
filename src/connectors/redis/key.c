/* Keys: a table's name and the parts of a record's key, as one Redis key, and as bytes for the
 * room. */
#include "connectors/keyed/keys.h"
#include "connectors/redis/redis.h"

#include "base/text.h"

void redis_key_prefix(const char *table, struct buffer *out)
{
    buffer_append_string(out, table);
    buffer_append_byte(out, ':');
}

static enum status refuse_part(const struct target_table *table, uint32_t at, struct error *error)
{
    char shown[80];
    text_printable(table->key.names[at], strlen(table->key.names[at]), shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_KEY_NULL, shown, "%s is null, and a part of the key",
                     shown);
}

/* Colons would be taken for the end of a part. */
static void escape_from(struct buffer *out, size_t begin)
{
    struct buffer part = {0};
    if (memchr(out->data + begin, ':', out->length - begin) == NULL &&
        memchr(out->data + begin, '%', out->length - begin) == NULL) {
        return;
    }
    buffer_append(&part, out->data + begin, out->length - begin);
    out->length = begin;
    for (size_t at = 0; at < part.length; at++) {
        char byte = part.data[at];
        if (byte == ':' || byte == '%') {
            buffer_append_string(out, byte == ':' ? "%3A" : "%25");
        } else {
            buffer_append_byte(out, byte);
        }
    }
    buffer_free(&part);
}

enum status redis_key_append(const struct target_table *table, const struct cell *key,
                             struct buffer *out, struct error *error)
{
    size_t start = out->length;
    redis_key_prefix(table->name, out);
    for (uint32_t at = 0; at < table->key.count; at++) {
        bool last = at + 1 == table->key.count;
        size_t begin = out->length;
        enum status status = redis_value_append(&key[at], out, error);
        if (status != STATUS_OK) {
            return status == STATUS_END ? refuse_part(table, at, error) : status;
        }
        if (!last) {
            escape_from(out, begin);
            buffer_append_byte(out, ':');
        }
    }
    if (out->length - start > REDIS_KEY_BYTES_MAX) {
        return error_set(error, ERROR_REJECT_KEY_TOO_LONG, NULL,
                         "the key has %zu bytes, more than %d", out->length - start,
                         (int)REDIS_KEY_BYTES_MAX);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- for the room */

enum status redis_key_bytes(struct database *database, const struct target_table *table,
                            const struct cell *key, struct buffer *out, struct error *error)
{
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        size_t begin = keyed_part_begin(out);
        enum status status = redis_value_append(&key[at], out, error);
        if (status != STATUS_OK) {
            return status == STATUS_END ? refuse_part(table, at, error) : status;
        }
        keyed_part_end(out, begin);
    }
    return STATUS_OK;
}

bool redis_key_read(struct database *database, const struct target_table *table,
                    const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key)
{
    struct text part;
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (!keyed_part_read(&bytes, &length, &part)) {
            return false;
        }
        redis_value_read(arena_copy(arena, part.data, part.length), part.length, arena, &key[at]);
    }
    return length == 0;
}
