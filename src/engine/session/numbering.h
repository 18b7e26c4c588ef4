/* Streams and entities go by numbers in the ledger, which are those of the plan as the run began. A
 * run that follows its source gets more of them, in between. */
#ifndef TRANSHUME_ENGINE_SESSION_NUMBERING_H
#define TRANSHUME_ENGINE_SESSION_NUMBERING_H

#include "engine/session/session.h"

enum { NUMBERING_NONE = UINT32_MAX };

/* In run->arena: the number in the plan of each stream and entity that the header names, and of
 * each of the plan's entities its number there. NUMBERING_NONE: there is none. */
struct run_numbering {
    uint32_t *streams;
    uint32_t stream_count;
    uint32_t *entities;
    uint32_t entity_count;
    uint32_t *former; /* an entity of the plan each */
};

/* NULL: the numbers are the same. */
const struct run_numbering *numbering_make(const struct run *run,
                                           const struct ledger_header *header);
/* Is the plan's table one that the run had not when it began? */
bool numbering_is_new(const struct run *run, uint32_t table);

#endif
