/* Escaping for HTML, Markdown and JSON, a character at a time. */
#include "observe/report_parts.h"

#include "base/text.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The next character's bytes; 0 at the end. `*harmless` false: it must not be shown. */
static size_t next_character(const char *text, bool *harmless)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] == 0) {
        return 0;
    }
    if (bytes[0] < 0x80) {
        *harmless = (bytes[0] >= 0x20 && bytes[0] != 0x7f) || bytes[0] == '\n' || bytes[0] == '\t';
        return 1;
    }
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            *harmless = false;
            return i;
        }
    }
    if (!text_is_utf8(text, length)) {
        *harmless = false;
        return length;
    }
    unsigned code = length == 2 ? (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU)
                    : length == 3
                        ? (bytes[0] & 0x0fU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU)
                        : 0x10000U;
    /* C1 controls, direction marks, line and paragraph separators, the byte order mark */
    *harmless =
        !((code >= 0x80 && code <= 0x9f) || code == 0x061c || (code >= 0x200e && code <= 0x200f) ||
          (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
          code == 0xfeff || code == 0xfffe || code == 0xffff);
    return length;
}

/* Calls back for each character that may be shown. */
static void each_character(const char *text, struct buffer *out,
                           void (*append)(struct buffer *out, const char *character, size_t length))
{
    size_t length;
    bool harmless;
    while (text != NULL && (length = next_character(text, &harmless)) > 0) {
        if (harmless) {
            append(out, text, length);
        } else {
            buffer_append_string(out, replacement);
        }
        text += length;
    }
}

static void append_html(struct buffer *out, const char *character, size_t length)
{
    switch (character[0]) {
    case '&':
        buffer_append_string(out, "&amp;");
        break;
    case '<':
        buffer_append_string(out, "&lt;");
        break;
    case '>':
        buffer_append_string(out, "&gt;");
        break;
    case '"':
        buffer_append_string(out, "&quot;");
        break;
    case '\'':
        buffer_append_string(out, "&#39;");
        break;
    default:
        buffer_append(out, character, length);
    }
}

void report_html(struct buffer *out, const char *text)
{
    each_character(text, out, append_html);
}

/* The text ends with the scheme of an address that renderers make a link of by itself. */
static bool ends_with_scheme(const struct buffer *out)
{
    static const char *const schemes[] = {"http", "https", "ftp", "mailto", "xmpp"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i]);
        if (out->length >= length &&
            strncasecmp((const char *)out->data + out->length - length, schemes[i], length) == 0) {
            return true;
        }
    }
    return false;
}

static void append_markdown(struct buffer *out, const char *character, size_t length)
{
    switch (character[0]) {
    case '\n':
    case '\t':
        buffer_append_byte(out, ' ');
        break;
    case '&':
    case '<':
    case '>':
        append_html(out, character, length);
        break;
    case ':':
        buffer_append_string(out, ends_with_scheme(out) ? "&#58;" : ":");
        break;
    case '@': /* an address would become a link */
        buffer_append_string(out, "&#64;");
        break;
    case '.': /* likewise www. */
        buffer_append_string(
            out, out->length > 0 && (out->data[out->length - 1] | 0x20) == 'w' ? "&#46;" : ".");
        break;
    case '\\':
    case '`':
    case '*':
    case '_':
    case '[':
    case ']':
    case '|':
    case '~':
    case '$':
        buffer_append_byte(out, '\\');
        buffer_append(out, character, length);
        break;
    default:
        buffer_append(out, character, length);
    }
}

void report_markdown(struct buffer *out, const char *text)
{
    each_character(text, out, append_markdown);
}

static void append_plain(struct buffer *out, const char *character, size_t length)
{
    buffer_append(out, character, length);
}

void report_markdown_block(struct buffer *out, const char *language, const char *text)
{
    size_t longest = 2;
    for (const char *place = strchr(text, '`'); place != NULL; place = strchr(place, '`')) {
        size_t run = strspn(place, "`");
        longest = run > longest ? run : longest;
        place += run;
    }
    for (int end = 0; end < 2; end++) {
        for (size_t i = 0; i <= longest; i++) {
            buffer_append_byte(out, '`');
        }
        if (end == 0) {
            buffer_format(out, "%s\n", language);
            each_character(text, out, append_plain);
            size_t length = strlen(text);
            buffer_append_string(out, length > 0 && text[length - 1] == '\n' ? "" : "\n");
        }
    }
    buffer_append_byte(out, '\n');
}

static void append_json(struct buffer *out, const char *character, size_t length)
{
    switch (character[0]) {
    case '\n':
        buffer_append_string(out, "\\n");
        break;
    case '"':
    case '\\':
        buffer_append_byte(out, '\\');
        buffer_append_byte(out, character[0]);
        break;
    case '\t':
    case '<':
    case '>':
    case '&':
        buffer_format(out, "\\u%04x", character[0]);
        break;
    default:
        buffer_append(out, character, length);
    }
}

void report_json(struct buffer *out, const char *text)
{
    if (text == NULL) {
        buffer_append_string(out, "null");
        return;
    }
    buffer_append_byte(out, '"');
    each_character(text, out, append_json);
    buffer_append_byte(out, '"');
}
