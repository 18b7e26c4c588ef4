/* jansson's trees from texts. */
#include "model/json_tree.h"
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where memory for a longer token is out, jansson (2.14) goes on: a byte is missing in the text
 * then, or it reads beyond its end. So an allocation that fails amid a parse leaves it at once, and
 * what the parse had taken is given back here. The blocks are malloc's own; outside of a parse
 * nothing differs.
 */
struct parse {
    jmp_buf away;
    void **blocks; /* what is taken and not given back, the newest last */
    size_t count;
    size_t capacity;
};

static _Thread_local struct parse *under_way;

static bool note_block(struct parse *parse, void *block)
{
    if (parse->count == parse->capacity) {
        size_t capacity = parse->capacity > 0 ? 2 * parse->capacity : 64;
        void **blocks = reallocarray(parse->blocks, capacity, sizeof *blocks);
        if (blocks == NULL) {
            return false;
        }
        parse->blocks = blocks;
        parse->capacity = capacity;
    }
    parse->blocks[parse->count++] = block;
    return true;
}

static void *take_block(size_t size)
{
    struct parse *parse = under_way;
    void *block = malloc(size);
    if (parse != NULL && (block == NULL || !note_block(parse, block))) {
        free(block);
        longjmp(parse->away, 1);
    }
    return block;
}

static void give_block(void *block)
{
    struct parse *parse = under_way;
    for (size_t i = parse != NULL ? parse->count : 0; i > 0; i--) {
        if (parse->blocks[i - 1] == block) {
            parse->blocks[i - 1] = parse->blocks[--parse->count];
            break;
        }
    }
    free(block);
}

__attribute__((constructor)) static void watch_allocations(void)
{
    json_set_alloc_funcs(take_block, give_block);
}

/* False: memory was out. */
static bool parse_guarded(struct parse *parse, const char *text, size_t length, size_t flags,
                          json_t **tree, json_error_t *fault)
{
    bool whole = setjmp(parse->away) == 0;
    if (whole) {
        under_way = parse;
        *tree = json_loadb(text, length, flags, fault);
    }
    under_way = NULL;
    return whole;
}

static json_t *load(const char *text, size_t length, size_t flags, json_error_t *fault,
                    bool *no_memory)
{
    struct parse parse = {.count = 0};
    json_t *tree = NULL;
    bool whole = parse_guarded(&parse, text, length, flags, &tree, fault);
    for (size_t i = 0; !whole && i < parse.count; i++) {
        free(parse.blocks[i]);
    }
    free(parse.blocks);
    *no_memory = !whole;
    return whole ? tree : NULL;
}

json_t *json_tree_load(const char *text, size_t length, size_t flags, json_error_t *fault)
{
    bool no_memory;
    return load(text, length, flags, fault, &no_memory);
}

enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error)
{
    json_error_t fault = {.line = 0};
    bool no_memory;
    *tree = load(text, length, flags, &fault, &no_memory);
    if (*tree != NULL) {
        return STATUS_OK;
    }
    return no_memory || json_error_code(&fault) == json_error_out_of_memory
               ? error_set(error, ERROR_MEMORY, object_name, "no memory to read it")
               : error_set(error, code, object_name, "is damaged: %s at byte %d", fault.text,
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
