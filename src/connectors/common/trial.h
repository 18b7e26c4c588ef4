/* Helpers of connectors that try records for check (trial_functions). */
#ifndef TRANSHUME_CONNECTORS_COMMON_TRIAL_H
#define TRANSHUME_CONNECTORS_COMMON_TRIAL_H

#include "connectors/contract/target.h"

/* The record, with what is passed over missing: it is copied into *copy then, which holds
 * *capacity cells, grows, and is the caller's to free. */
const struct cell *trial_cells(const struct shape *shape, const struct cell *cells,
                               const bool *passed, struct cell **copy, uint32_t *capacity);

#endif
