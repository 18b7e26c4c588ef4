/* A whole JSON text as jansson's tree, with a fault of the text told from memory that is out. */
#ifndef TRANSHUME_MODEL_JSON_TREE_H
#define TRANSHUME_MODEL_JSON_TREE_H

#include "base/error.h"
#include <jansson.h>

/*
 * Parses an object or array; `flags` are jansson's. STATUS_FAILED: `code` on `object_name`, "is
 * damaged: why, at byte N", or ERROR_MEMORY: jansson itself tells them apart only sometimes.
 */
enum status json_tree_parse(const char *text, size_t length, size_t flags, const char *object_name,
                            enum error_code code, json_t **tree, struct error *error) MUST_USE;

#endif
