/* YAML (and so JSON) text as a tree of plan_nodes, every node with its line and column. */
#ifndef TRANSHUME_PLAN_TEXT_TREE_H
#define TRANSHUME_PLAN_TEXT_TREE_H

#include "base/arena.h"
#include "plan/text/document.h"
#include "plan/text/faults.h"

enum { PLAN_TEXT_BYTES_MAX = 4 << 20, PLAN_DEPTH_MAX = 64 };

/*
 * Reads one document. Faults of syntax, duplicate keys, anchors, aliases, tags and unquoted scalars
 * with braces go to `faults`; NULL when nothing can be made of the text.
 */
const struct plan_node *plan_tree_read(const char *text, size_t length, struct arena *arena,
                                       struct plan_faults *faults) MUST_USE;

/* The value under `key` of a map; NULL if it is not there, or `map` is NULL or no map. */
const struct plan_node *plan_node_get(const struct plan_node *map, const char *key);
/* The same; `*key_node` is the key itself, for its place. */
const struct plan_node *plan_node_find(const struct plan_node *map, const char *key,
                                       const struct plan_node **key_node);
/* The text of a scalar; NULL for NULL and others. */
const char *plan_node_text(const struct plan_node *node);
/* True for an unquoted scalar that is null in YAML 1.2's core schema: "", ~, null. */
bool plan_node_is_null(const struct plan_node *node);
/* `copy`, quoted or not: a plan in JSON can't but quote it. The text is { const: copy }. */
bool plan_node_is_copy(const struct plan_node *node);
/* Unquoted `word`. */
bool plan_node_is_word(const struct plan_node *node, const char *word);

#endif
