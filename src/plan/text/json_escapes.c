/* Pairs of surrogates in the texts of a plan in JSON. */
#include "plan/text/json_escapes.h"

#include "base/buffer.h"
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { ESCAPE_LENGTH = 6 };

/* \uXXXX; -1: it is none. */
static int32_t unit_at(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < ESCAPE_LENGTH || at[0] != '\\' || at[1] != 'u') {
        return -1;
    }
    for (int i = 2; i < ESCAPE_LENGTH; i++) {
        char digit = at[i];
        int value = digit >= '0' && digit <= '9'   ? digit - '0'
                    : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                    : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                   : -1;
        if (value < 0) {
            return -1;
        }
        unit = unit * 16 + value;
    }
    return unit;
}

/* One escape within a text; gives what comes behind it. */
static const char *take_escape(const char *at, const char *end, struct buffer *out)
{
    int32_t high = unit_at(at, end);
    int32_t low = high < 0 ? -1 : unit_at(at + ESCAPE_LENGTH, end);
    if (high >= 0xD800 && high <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF) {
        buffer_format(out, "\\U%08" PRIX32,
                      (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)));
        return at + (ptrdiff_t)2 * ESCAPE_LENGTH;
    }
    size_t taken = end - at < 2 ? 1 : 2;
    buffer_append(out, at, taken);
    return at + taken;
}

/* False: it is no JSON. */
static bool plan_json_escapes_join(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    bool within = false;
    for (const char *at = text; at < end;) {
        if (within && *at == '\\') {
            at = take_escape(at, end, out);
            continue;
        }
        if (!within && (*at == '\'' || *at == '#')) {
            return false;
        }
        within = within != (*at == '"');
        buffer_append_byte(out, *at++);
    }
    return true;
}

const char *json_escapes_join(const char *text, size_t *length, struct arena *arena)
{
    size_t blanks = 0;
    while (blanks < *length && strchr(" \t\r\n", text[blanks]) != NULL && text[blanks] != '\0') {
        blanks++;
    }
    if (blanks == *length || text[blanks] != '{' || memmem(text, *length, "\\u", 2) == NULL) {
        return text;
    }
    struct buffer joined = {0};
    if (plan_json_escapes_join(text, *length, &joined)) {
        text = arena_copy(arena, joined.data, joined.length);
        *length = joined.length;
    }
    buffer_free(&joined);
    return text;
}
