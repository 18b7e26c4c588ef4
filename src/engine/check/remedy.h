/* Words of a plan by which a column of a table that is there takes a value. */
#ifndef TRANSHUME_ENGINE_CHECK_REMEDY_H
#define TRANSHUME_ENGINE_CHECK_REMEDY_H

#include "engine/session/session.h"
#include "plan/mapping.h"

/* A value that is not taken, and whose. */
struct remedy_case {
    const struct run_session *session;
    uint32_t entity;
    const struct mapping_field *field; /* that makes it; NULL: none of the entity's */
    const struct cell *value;
    struct target_trial *trial; /* of the table; NULL: the target has none */
    const struct shape *shape;  /* with it: the record that the value is in */
    const struct cell *cells;
    struct arena *scratch;
};

/* A sentence with the line of a plan that helps; in `scratch`. NULL: none is known. */
const char *remedy_find(const struct remedy_case *of);

#endif
