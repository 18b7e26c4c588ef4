/* Names of a source as YAML: whatever they hold, they stay scalars. */
#include "base/text.h"
#include "plan/propose/propose.h"
#include <ctype.h>
#include <string.h>

void propose_append_quoted(struct buffer *out, const char *text)
{
    buffer_append_byte(out, '"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, (char)*at);
        } else if (*at == '\n') {
            buffer_append_string(out, "\\n");
        } else if (*at == '\t') {
            buffer_append_string(out, "\\t");
        } else if (*at < 0x20 || *at == 0x7f) {
            buffer_format(out, "\\x%02X", *at);
        } else {
            buffer_append_byte(out, (char)*at);
        }
    }
    buffer_append_byte(out, '"');
}

/* Words that YAML 1.1 or 1.2 readers take for something else than a text. */
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"y",    "n",     "yes",  "no",   "on", "off",
                                        "true", "false", "null", "copy", "~"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

void propose_append_scalar(struct buffer *out, const char *text)
{
    bool plain = isalpha((unsigned char)text[0]) && !is_reserved(text);
    for (const char *at = text; *at && plain; at++) {
        plain = isalnum((unsigned char)*at) || strchr("_.-", *at);
    }
    if (plain) {
        buffer_append_string(out, text);
    } else {
        propose_append_quoted(out, text);
    }
}

void propose_append_comment(struct buffer *out, const char *text)
{
    char shown[160];
    text_printable(text, strlen(text), shown, sizeof shown);
    buffer_append_string(out, shown);
}
