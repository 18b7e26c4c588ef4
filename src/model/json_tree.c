/* jansson's trees from texts. */
#include "model/json_tree.h"
#include "model/json_reader.h"
#include <stdbool.h>
#include <string.h>

/* Could the text be what jansson says, or had it no memory? Decided by a reader that builds
 * nothing. */
static bool is_well_formed(const char *text, size_t length, bool *no_memory)
{
    struct json_reader reader;
    struct error error;
    enum json_token token;
    struct arena *arena = arena_create(0);

    *no_memory = arena == NULL;
    if (arena == NULL) {
        return false;
    }
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, &error);
    bool composed = status == STATUS_OK &&
                    (token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_ARRAY_BEGIN);
    while (composed && status == STATUS_OK && token != JSON_TOKEN_END) {
        status = json_reader_next(&reader, &token, &error);
    }
    *no_memory = status == STATUS_FAILED && error.code == ERROR_MEMORY;
    arena_destroy(arena);
    return composed && status == STATUS_OK;
}

static bool memory_was_out(const char *text, size_t length, const json_error_t *fault)
{
    bool no_memory = false;

    switch (json_error_code(fault)) {
    case json_error_out_of_memory:
        return true;
    case json_error_duplicate_key:
    case json_error_null_character:
    case json_error_null_byte_in_key:
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
    case json_error_invalid_utf8:
        return false;
    default:
        return is_well_formed(text, length, &no_memory) || no_memory;
    }
}

enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error)
{
    json_error_t fault;

    memset(&fault, 0, sizeof fault);
    *tree = json_loadb(text, length, flags, &fault);
    if (*tree != NULL) {
        return STATUS_OK;
    }
    if (memory_was_out(text, length, &fault)) {
        return error_set(error, ERROR_MEMORY, object_name, "no memory to read it");
    }
    return error_set(error, code, object_name, "is damaged: %s at byte %d", fault.text,
                     fault.position);
}

static int append_dumped(const char *bytes, size_t length, void *context)
{
    struct buffer *out = context;
    buffer_append(out, bytes, length);
    return out->failed ? -1 : 0;
}

int json_tree_append(const json_t *tree, size_t flags, struct buffer *out)
{
    return tree != NULL && json_dump_callback(tree, append_dumped, out, flags) == 0 && !out->failed;
}
