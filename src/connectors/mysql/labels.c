/* Labels of ENUM and SET, as information_schema writes them: 'a','it''s','back\\slash'. Four-byte
 * letters come as question marks, since its texts have three bytes a letter at most. */
#include "connectors/mysql/mysql_internal.h"
#include <string.h>

enum { WIDE_BYTES = 4 };

/* The byte that stands at `*at`, which goes to the last byte of its spelling. */
static char take_byte(const char **at)
{
    static const char escapes[] = "\\\\n\nr\r0";
    const char *found = **at == '\\' && (*at)[1] != '\0' ? strchr(escapes, (*at)[1]) : NULL;
    if (found != NULL && (found - escapes) % 2 == 0) {
        (*at)++;
        return found[1];
    }
    if (**at == '\'') {
        (*at)++;
    }
    return **at;
}

static bool is_wide(const char *text, size_t length)
{
    return length >= WIDE_BYTES && ((unsigned char)text[0] & 0xf8) == 0xf0;
}

/* Is the text the label whose quote is at `*at`? That goes to the next label's, or to what ends
 * them. */
static bool take_label(const char **at, const char *text, size_t length)
{
    const char *byte = *at + 1;
    bool same = true;
    for (; *byte != '\0' && (byte[0] != '\'' || byte[1] == '\''); byte++) {
        char letter = take_byte(&byte);
        size_t step = letter == '?' && is_wide(text, length) ? WIDE_BYTES : 1;
        same = same && length >= step && (step > 1 || text[0] == letter);
        if (same) {
            text += step;
            length -= step;
        }
    }
    byte += *byte == '\'';
    *at = byte + (*byte == ',');
    return same && length == 0;
}

static bool is_enum_label(const char *label, const char *text, size_t length)
{
    while (*label == '\'') {
        if (take_label(&label, text, length)) {
            return true;
        }
    }
    return false;
}

/* Some of the labels, each once, in their order. */
static bool is_set_of_labels(const char *label, const char *text, size_t length)
{
    bool more = length > 0;
    while (more && *label == '\'') {
        const char *comma = memchr(text, ',', length);
        size_t element = comma != NULL ? (size_t)(comma - text) : length;
        if (take_label(&label, text, element)) {
            more = comma != NULL;
            text += element + more;
            length -= element + more;
        }
    }
    return !more;
}

bool mysql_has_labels(const char *words)
{
    return words != NULL && (strncmp(words, "enum(", 5) == 0 || strncmp(words, "set(", 4) == 0);
}

bool mysql_holds_label(const char *words, const char *text, size_t length)
{
    if (!mysql_has_labels(words)) {
        return true;
    }
    const char *label = words + strcspn(words, "'");
    return words[0] == 'e' ? is_enum_label(label, text, length)
                           : is_set_of_labels(label, text, length);
}
