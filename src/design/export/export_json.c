/* JSON of exports. */
#include "design/export/export_parts.h"

json_t *export_text(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL) {
        return string;
    }
    struct buffer printable = {0};
    for (const char *at = text; *at != '\0'; at++) {
        buffer_append_byte(&printable, (unsigned char)*at < 0x80 ? *at : '?');
    }
    string = json_string(buffer_string(&printable));
    buffer_free(&printable);
    return string;
}

void export_append_json(json_t *tree, struct buffer *out)
{
    (void)json_tree_append(tree, JSON_INDENT(2), out);
    buffer_append_byte(out, '\n');
    json_decref(tree);
}
