/* U+0000 in texts and JSON, where a type can't hold it. */
#include "base/buffer.h"
#include "model/convert_parts.h"
#include "model/json_reader.h"
#include <string.h>

static const char *convert_nul_find(bool json, const char *text, const char *end)
{
    size_t length = (size_t)(end - text);
    return json ? json_find_nul(text, length) : memchr(text, 0, length);
}

enum status convert_strip_nul(const struct conversion *conversion, struct cell *result)
{
    const char *rest = result->text;
    const char *end = rest + result->length;
    bool json = result->kind == VALUE_JSON;
    if (!conversion->to->no_nul || !conversion->allow_loss ||
        convert_nul_find(json, rest, end) == NULL) {
        return STATUS_OK;
    }
    struct buffer kept = {0};
    for (const char *at; (at = convert_nul_find(json, rest, end)) != NULL;) {
        buffer_append(&kept, rest, (size_t)(at - rest));
        rest = at + (json ? JSON_NUL_BYTES : 1);
    }
    buffer_append(&kept, rest, (size_t)(end - rest));
    const char *copy = arena_try_copy(conversion->arena, buffer_string(&kept), kept.length);
    result->text = copy;
    result->length = (uint32_t)kept.length;
    buffer_free(&kept);
    return copy != NULL
               ? STATUS_OK
               : error_set(conversion->error, ERROR_MEMORY, NULL, "no memory to convert a value");
}
