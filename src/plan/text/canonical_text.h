/* The resolved mapping as text: what makes two plans the same. */
#ifndef TRANSHUME_PLAN_TEXT_CANONICAL_TEXT_H
#define TRANSHUME_PLAN_TEXT_CANONICAL_TEXT_H

#include "plan/plan.h"

/* Fills plan->mapping_text and mapping_hash. */
void canonical_text_make(struct plan *plan, struct arena *arena);

/* Is the one a text of some of the other's tables, in the same order? */
bool canonical_text_is_part(const char *whole, const char *part);

/* The time zone that the text was made with; "": none. */
enum { CANONICAL_ZONE_BYTES = 80 };
void canonical_text_time_zone(const char *text, char zone[CANONICAL_ZONE_BYTES]);

#endif
