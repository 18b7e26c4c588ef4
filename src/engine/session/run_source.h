/* The source of a run, made ready to be read. */
#ifndef TRANSHUME_ENGINE_SESSION_RUN_SOURCE_H
#define TRANSHUME_ENGINE_SESSION_RUN_SOURCE_H

#include "engine/session/session.h"

/* Makes the source ready, once: it is told of all requests, so that it sorts what it has no index
 * for, and it is found out whether it is as the chunks were read. All that reads the source calls
 * it first. */
enum status run_prepare_source(struct run *run, struct error *error) MUST_USE;

#endif
