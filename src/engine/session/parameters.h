/* URI options that a settings file gives to whichever connector knows them. */
#ifndef TRANSHUME_ENGINE_SESSION_PARAMETERS_H
#define TRANSHUME_ENGINE_SESSION_PARAMETERS_H

#include "engine/run/run.h"

/*
 * `*source` and `*target`, with what of options->parameters their connectors know and they do not
 * say themselves. What nobody can use is told, once. Without parameters the texts are left as they
 * are, whatever is wrong with them.
 */
enum status parameters_add(const struct run_options *options, const char **source,
                           const char **target, struct arena *arena, struct error *error) MUST_USE;

#endif
