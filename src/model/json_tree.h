/* JSON texts as jansson's trees and back. */
#ifndef TRANSHUME_MODEL_JSON_TREE_H
#define TRANSHUME_MODEL_JSON_TREE_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>

/* Parses an object or array; `flags` are jansson's. STATUS_FAILED: `code` on `object_name`, "is
 * damaged: why, at byte N". */
enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error) MUST_USE;

/* json_loadb; `fault` may be NULL. */
json_t *json_tree_load(const char *text, size_t length, size_t flags, json_error_t *fault);

/* Appends the tree's text; `flags` are jansson's. False: the tree is NULL, or none that jansson
 * writes (too deep). */
int json_tree_append(const json_t *tree, size_t flags, struct buffer *out);
/* In one line with its end; the reference goes. */
void json_tree_append_line(json_t *object, struct buffer *out);

#endif
