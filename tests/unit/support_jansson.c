/* jansson as a second opinion, in a file of its own: its names are those of our own JSON tokens. */
#include "support_jansson.h"

#include <jansson.h>
#include <stdio.h>

enum jansson_verdict jansson_judge(const char *text, size_t length, char *reason, size_t capacity)
{
    json_error_t failure;
    json_t *value = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &failure);
    if (value != NULL) {
        json_decref(value);
        return JANSSON_ACCEPTS;
    }
    snprintf(reason, capacity, "%s", failure.text);
    switch (json_error_code(&failure)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return JANSSON_CANNOT;
    default:
        return JANSSON_REFUSES;
    }
}
