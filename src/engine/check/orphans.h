/* Rows whose foreign key points nowhere, before a run: tables that are there reject them. */
#ifndef TRANSHUME_ENGINE_CHECK_ORPHANS_H
#define TRANSHUME_ENGINE_CHECK_ORPHANS_H

#include "engine/run/session.h"

/* Looks up the first rows of each table in the source along the foreign keys of the target's
 * tables, where the source can join. A line in `out` for each key that finds no partner; `*count`
 * are these rows. */
enum status orphans_foresee(struct run_session *session, struct buffer *out, uint64_t *count,
                            struct error *error) MUST_USE;

#endif
