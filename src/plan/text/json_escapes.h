/* Escapes that JSON can write in a text and libyaml can't read. */
#ifndef TRANSHUME_PLAN_TEXT_JSON_ESCAPES_H
#define TRANSHUME_PLAN_TEXT_JSON_ESCAPES_H

#include "base/arena.h"
#include "base/error.h"

/*
 * Escapes of a plan in JSON: `\ud83d\ude00`, a character above U+FFFF as a pair of surrogates,
 * becomes YAML's `\U0001F600`, so that lines stay as they are. A surrogate alone is left for
 * libyaml to refuse. The result is `text` itself where there is nothing to do, or lives in the
 * arena. A text that is not JSON by its first character, its quotes and its comments is left alone:
 * there a backslash may be one.
 */
const char *json_escapes_join(const char *text, size_t *length, struct arena *arena);

#endif
