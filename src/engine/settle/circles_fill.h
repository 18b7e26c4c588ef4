/* References to records that came later, filled in. */
#ifndef TRANSHUME_ENGINE_SETTLE_CIRCLES_FILL_H
#define TRANSHUME_ENGINE_SETTLE_CIRCLES_FILL_H

#include "engine/session/session.h"

/* After the last chunk: fills in what was left out, and says so. */
enum status circles_fill(struct run *run, struct error *error) MUST_USE;

#endif
