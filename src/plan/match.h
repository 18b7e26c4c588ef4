/* Does a record belong to an entity? And what the parts of its texts are. */
#ifndef TRANSHUME_PLAN_MATCH_H
#define TRANSHUME_PLAN_MATCH_H

#include "plan/mapping.h"

/* Is the value the constant? Numbers by value; NULL also stands for MISSING. */
bool match_constant_equals(const struct cell *constant, const struct cell *value);

#endif
