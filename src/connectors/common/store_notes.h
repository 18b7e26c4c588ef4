/* Notes that are kept with a position (apply.h), put into a store one by one. */
#ifndef TRANSHUME_CONNECTORS_COMMON_STORE_NOTES_H
#define TRANSHUME_CONNECTORS_COMMON_STORE_NOTES_H

#include "connectors/contract/apply.h"

/* Puts them, whatever stands there. Repeating it is safe; after a failure some of them are put. */
enum status store_notes_put(const struct store_functions *functions, struct store *store,
                            const struct apply_note *notes, uint32_t count,
                            struct error *error) MUST_USE;
/* The notes that the engine wants to be kept of the sets [first, end) of a call and of their
 * refusals. `*count` is 0 where nobody asks for notes. */
enum status store_notes_of(const struct apply_request *request, const struct apply_call *call,
                           struct arena *arena, const struct apply_note **notes, uint32_t *count,
                           struct error *error) MUST_USE;
/* Both, for targets without transactions. */
enum status store_notes_keep(const struct apply_request *request, const struct apply_call *call,
                             const struct store_functions *functions, struct store *store,
                             struct arena *arena, struct error *error) MUST_USE;

#endif
