/* Everything that a copy leaves behind in the source, as state.json and the ledger's status keep
 * it. */
#ifndef TRANSHUME_OBSERVE_NOT_CARRIED_H
#define TRANSHUME_OBSERVE_NOT_CARRIED_H

#include "base/buffer.h"
#include <jansson.h>

/*
 * [{"kind":"view","object":NAME,"text":WHY,"count":N}…]; count 0: the source does not let them be
 * seen, so nobody knows how many there are. Read without trust: what is no such thing is passed
 * over.
 */

/* "2 views, 1 trigger; not seen: routines", in the order of the list; nothing for an empty one (or
 * NULL). Not escaped. */
void not_carried_append_sum(const json_t *list, struct buffer *out);
#endif
