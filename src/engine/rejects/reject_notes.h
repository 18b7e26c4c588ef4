/* Entries of the book that change: records that are rejected, arrive, or go. */
#ifndef TRANSHUME_ENGINE_REJECT_NOTES_H
#define TRANSHUME_ENGINE_REJECT_NOTES_H

#include "connectors/apply.h"
#include "engine/rejects/reject_book.h"

/* Which record is meant: 's' or 't', and a hash of the entity and the key. */
struct reject_id {
    uint64_t kind; /* a character; 0: its key tells nothing apart */
    uint64_t low;
    uint64_t high;
};

/* Of the source's key: `positions` NULL: the cells are one after the other. */
struct reject_id reject_id_of_source(uint32_t entity, const struct cell *key,
                                     const uint32_t *positions, uint32_t count);
/* Of the target's key. */
struct reject_id reject_id_of_target(uint32_t entity, const struct cell *key, uint32_t count);
/* Of one whose key is not known or tells nothing apart, by other text of it. */
struct reject_id reject_id_of_text(uint32_t entity, const char *text, size_t length);

#endif
