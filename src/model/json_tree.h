/* JSON texts as jansson's trees and back, with memory that is out told from all else. */
#ifndef TRANSHUME_MODEL_JSON_TREE_H
#define TRANSHUME_MODEL_JSON_TREE_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>

/*
 * Parses an object or array; `flags` are jansson's. STATUS_FAILED: `code` on `object_name`, "is
 * damaged: why, at byte N", or ERROR_MEMORY: jansson itself tells them apart only sometimes.
 */
enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error) MUST_USE;

/*
 * json_loadb, NULL where it is; but where memory is out it has an end at once, and nothing is kept:
 * jansson (2.14) itself would go on without a byte of a long text, or read beyond its end. `fault`
 * may be NULL.
 */
json_t *json_tree_load(const char *text, size_t length, size_t flags, json_error_t *fault);

/* Appends the tree's text; `flags` are jansson's. False: memory is out, or the tree is NULL.
 * (jansson's own json_dumps may leave out what it had no memory for, and not say so.) */
int json_tree_append(const json_t *tree, size_t flags, struct buffer *out);

#endif
