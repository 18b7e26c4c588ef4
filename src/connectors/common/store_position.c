/* The text of a feed's position in a store. */
#include "connectors/common/store_position.h"

#include "connectors/common/store_key.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void store_position_key(char key[STORE_KEY_BYTES], const char *feed, uint32_t lane)
{
    store_name_key(key, "position/", feed);
    size_t used = strlen(key);
    snprintf(key + used, STORE_KEY_BYTES - used, "/%06" PRIu32, lane);
}

void store_position_append(const struct position *position, struct buffer *text)
{
    buffer_format(text, "{\"format\":%d,\"epoch\":0,\"position\":", STORE_TEXT_FORMAT);
    json_append_base64(text, position->bytes, position->length);
    buffer_append_byte(text, '}');
}

/* The position is the base64 between the quotes of the member. */
static enum status decode(const char *text, size_t length, struct arena *arena,
                          struct position *position, struct error *error)
{
    static const char member[] = "\"position\":\"";
    const char *found = memmem(text, length, member, sizeof member - 1);
    const char *start = found != NULL ? found + sizeof member - 1 : NULL;
    const char *end = start != NULL ? memchr(start, '"', length - (size_t)(start - text)) : NULL;
    uint8_t *bytes = NULL;
    size_t bytes_length = 0;
    if (end == NULL || json_decode_base64(start, (size_t)(end - start), arena, &bytes,
                                          &bytes_length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *position = (struct position){.bytes = bytes, .length = (uint32_t)bytes_length};
    return STATUS_OK;
}

enum status store_position_read(const char *key, const char *text, size_t length,
                                struct arena *arena, struct position *position, struct error *error)
{
    *position = (struct position){0};
    if (decode(text, length, arena, position, error) == STATUS_OK) {
        return STATUS_OK;
    }
    error_set(error, ERROR_LEDGER_INVALID, key, "there is no position in it");
    return error_hint(error, "it was edited; restore it from a backup, or empty the target and "
                             "migrate again");
}

enum status store_position_fenced(const char *key, const char *object, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, object, "another process applies the changes of %s", key);
    return error_hint(error, "let it go on, or end it before this one is started again");
}
