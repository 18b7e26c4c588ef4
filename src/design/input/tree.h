/* The parse tree of libpg_query, as JSON: {"Kind": {"member": …}} and lists of such. */
#ifndef TRANSHUME_DESIGN_INPUT_TREE_H
#define TRANSHUME_DESIGN_INPUT_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The inside of a node if it is of that kind, else NULL. A NULL node is of none. */
static inline json_t *tree_is(json_t *node, const char *kind)
{
    return json_object_get(node, kind);
}

static inline json_t *tree_list_at(json_t *list, size_t at)
{
    return json_array_get(list, at);
}

/* A text member; "" if it is not there. */
const char *tree_text(json_t *body, const char *member);
bool tree_flag(json_t *body, const char *member);
/* The text of a String node; "" of another. */
const char *tree_string(json_t *node);
/* The last of a list of String nodes: an operator or a function without its schema. */
const char *tree_last_name(json_t *list);
/* Where a node's text begins in the SQL; 0 if that is not known. */
size_t tree_location(json_t *body);
/* A constant whole number; false: the node is another thing. */
bool tree_whole_number(json_t *node, int64_t *number);
/* Without casts, COLLATE and the like around it. */
json_t *tree_plain(json_t *node);

#endif
