/* Names in an expression that differ in case only: to SQLite they are one, in documents and in some
 * servers they are two. */
#ifndef TRANSHUME_PLAN_WORDS_EXPRESSION_NAMES_H
#define TRANSHUME_PLAN_WORDS_EXPRESSION_NAMES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>

/* The name in quotes, as SQLite takes any. */
void expression_append_quoted(struct buffer *out, const char *name);

/*
 * The names that these are called for SQLite, pairwise, in the arena: themselves, or, of those that
 * it would take for equal (it looks past ASCII case), something that nobody else is called. NULL:
 * the name came before.
 */
const char *const *expression_names_make(const char *const *names, uint32_t count,
                                         struct arena *arena);

/*
 * Appends the expression with its names as they are called. One that is written as none of those
 * that it could mean is ERROR_PLAN_INVALID. `spelled`, if not NULL: a name that is written
 * otherwise than the only one, from `first` on, that it equals but for case; in the arena, NULL:
 * there is none.
 */
enum status expression_names_put(const char *text, const char *const *names,
                                 const char *const *called, uint32_t count, uint32_t first,
                                 struct arena *arena, const char **spelled, struct buffer *out,
                                 struct error *error) MUST_USE;

#endif
