/* The answers of the target about its tables. */
#ifndef TRANSHUME_ENGINE_COPY_TARGET_LOOK_H
#define TRANSHUME_ENGINE_COPY_TARGET_LOOK_H

#include "engine/session/session.h"

/* Sets run->turns and run->forms by what the target tells of its tables, which are prepared; once.
 * Control thread. */
enum status run_look_at_target(struct run *run, struct error *error) MUST_USE;

#endif
