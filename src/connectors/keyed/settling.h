/* Settling duplicates, from the inside: places with their claims first, then keys. */
#ifndef TRANSHUME_CONNECTORS_KEYED_SETTLING_H
#define TRANSHUME_CONNECTORS_KEYED_SETTLING_H

#include "connectors/common/spill_sort.h"
#include "connectors/keyed/keyed_internal.h"

/* Behind a key or a place in what is sorted, big-endian, so that the lowest record comes first, and
 * of one record what says that it was refused:
 *
 *   uint32 entity | uint64 chunk | uint64 ordinal | uint8 state | 16 bytes hash
 */
enum { SETTLING_PLACE_BYTES = 37, SETTLING_RECORD_BYTES = 20, SETTLING_SORT_BYTES = 16 << 20 };

typedef enum status keyed_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                                const struct cell *key, uint32_t key_count,
                                const struct cell *record, enum duplicate_kind kind,
                                struct error *error);

struct settling {
    struct database *database;
    struct keyed_room *room;
    const struct target_table *table;
    struct spill_sorter *sorter; /* of keys */
    struct spill_sorter *claims; /* of places; NULL: the table's records share nothing */
    struct buffer scratch;
    keyed_found *found;
    void *context;
};

void settling_put_record(uint8_t record[SETTLING_PLACE_BYTES], uint64_t chunk,
                         const struct keyed_key *key);
/* Into the sorter of keys. */
enum status settling_add_key(struct settling *settling, const uint8_t *key, size_t length,
                             const uint8_t record[SETTLING_PLACE_BYTES],
                             struct error *error) MUST_USE;
/* Calls `found`. */
enum status settling_tell(const struct settling *settling, const uint8_t *key, size_t length,
                          const uint8_t *record, enum duplicate_kind kind, const struct buffer *why,
                          struct error *error) MUST_USE;

/* ---------------------------------------------------------------- settle_claims.c */

enum status settling_add_claims(struct settling *settling, uint64_t chunk,
                                const struct keyed_key *key, struct error *error) MUST_USE;
/* Tells of records that contradict an earlier one of their place, takes them out of the target, and
 * hands all records on to the sorter of keys. */
enum status settling_walk_claims(struct settling *settling, struct error *error) MUST_USE;

#endif
