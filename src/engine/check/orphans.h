/* Rows whose foreign key points nowhere, before a run: tables that are there reject them. */
#ifndef TRANSHUME_ENGINE_CHECK_ORPHANS_H
#define TRANSHUME_ENGINE_CHECK_ORPHANS_H

#include "engine/session/session.h"

struct orphans {
    uint64_t *rejected;  /* an entity each: at least so many, what is there before included */
    bool emptied;        /* others are written, with NULL for the reference */
    struct buffer notes; /* a line for each key that others are written in spite of */
};

/* Looks up the first rows of each table in the source along the foreign keys of the target's
 * tables, where the source can join. A line in `out` for each other key that finds no partner. */
enum status orphans_foresee(struct run_session *session, struct buffer *out, struct orphans *told,
                            struct error *error) MUST_USE;

#endif
