/* jansson's trees from texts. */
#include "model/json_tree.h"

json_t *json_tree_load(const char *text, size_t length, size_t flags, json_error_t *fault)
{
    return json_loadb(text, length, flags, fault);
}

enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error)
{
    json_error_t fault = {.line = 0};
    *tree = json_loadb(text, length, flags, &fault);
    return *tree != NULL ? STATUS_OK
                         : error_set(error, code, object_name, "is damaged: %s at byte %d",
                                     fault.text, fault.position);
}

static int append_dumped(const char *bytes, size_t length, void *context)
{
    struct buffer *out = context;
    buffer_append(out, bytes, length);
    return 0;
}

int json_tree_append(const json_t *tree, size_t flags, struct buffer *out)
{
    return tree != NULL && json_dump_callback(tree, append_dumped, out, flags) == 0;
}

void json_tree_append_line(json_t *object, struct buffer *out)
{
    (void)json_tree_append(object, JSON_COMPACT, out);
    json_decref(object);
    buffer_append_byte(out, '\n');
}
