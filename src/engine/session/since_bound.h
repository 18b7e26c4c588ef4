/* The arithmetic of `since`: a value moved back by an overlap. */
#ifndef TRANSHUME_ENGINE_SESSION_SINCE_BOUND_H
#define TRANSHUME_ENGINE_SESSION_SINCE_BOUND_H

#include "base/error.h"
#include "model/value.h"
#include "plan/plan.h"

/*
 * `value` less the overlap. Texts are moved where they begin as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS
 * (T or a space): these digits change, what follows them stays. Specials and what is near the end
 * of the range stay as they are. ERROR_PLAN_INVALID: the overlap is none for such a value.
 */
enum status since_bound_of(const struct plan_since *since, const struct cell *value,
                           struct arena *arena, struct cell *bound, struct error *error) MUST_USE;

#endif
