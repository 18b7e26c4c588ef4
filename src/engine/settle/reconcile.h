/* Counts of tables, compared with what was written. */
#ifndef TRANSHUME_ENGINE_SETTLE_RECONCILE_H
#define TRANSHUME_ENGINE_SETTLE_RECONCILE_H

#include "engine/session/session.h"

enum status reconcile_run(struct run *run, struct error *error) MUST_USE;

#endif
