/* The inventory of a source in `check`. */
#ifndef TRANSHUME_ENGINE_CHECK_CHECK_INVENTORY_H
#define TRANSHUME_ENGINE_CHECK_CHECK_INVENTORY_H

#include "engine/check/preflight.h"

/* A line for each catalogue of the source: what a plain copy does with its objects. */
void check_append_inventory(const struct run_session *session, const struct preflight *preflight,
                            struct buffer *out);

#endif
