/* Values of a report as people read them. */
#include "base/memory.h"
#include "base/text.h"
#include "observe/report_parts.h"
#include <string.h>

const char *report_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

char *report_shown(const json_t *value)
{
    const char *text = json_string_value(value);
    if (value == NULL) {
        return NULL;
    }
    return text != NULL && strlen(text) == json_string_length(value)
               ? memory_copy_string(text)
               : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

uint64_t report_count(const json_t *object, const char *name)
{
    json_int_t count = json_integer_value(json_object_get(object, name));
    return count < 0 ? 0 : (uint64_t)count;
}
