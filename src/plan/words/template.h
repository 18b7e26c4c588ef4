/* Key templates: "CUSTOMER#{CustomerId}" taken apart. */
#ifndef TRANSHUME_PLAN_WORDS_TEMPLATE_H
#define TRANSHUME_PLAN_WORDS_TEMPLATE_H

#include "base/arena.h"
#include "plan/mapping.h"
#include "plan/text/faults.h"

enum { TEMPLATE_PAD_MAX = 40 };

/*
 * Takes a text apart: {{ and }} are literal braces, {Name} a value, {Name:010} the same padded with
 * zeros to 10 digits, {"odd } name"} a name in quotes ("" is one quote). Values are not resolved:
 * `name` holds what was written, `pad` what follows a colon. Faults have their place inside the
 * text. `*template` has count 0 after a fault.
 */
void template_parse(const struct plan_node *node, struct arena *arena, struct plan_faults *faults,
                    struct plan_template *template);

/* `name` as it must be written between braces (quoted where needed), in the arena. */
const char *template_quote_name(struct arena *arena, const char *name);
void template_append_name(struct buffer *out, const char *name);

/* True for text of printable ASCII without " and \. */
bool template_is_plain(const char *text, size_t length);

#endif
