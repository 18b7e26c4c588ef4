/* Hash sums of records as the target will give them back. */
#ifndef TRANSHUME_ENGINE_FORMATS_RECORD_HASH_H
#define TRANSHUME_ENGINE_FORMATS_RECORD_HASH_H

#include "connectors/contract/connector.h"
#include "engine/copy/tally.h"
#include "engine/formats/stored_form.h"
#include "model/field_hash.h"

/* Belongs to one thread. */
struct record_hasher {
    struct database *target;
    const struct stored_form *forms; /* by batch->entity; NULL: none converts */
    struct field_hasher fields;      /* its arena is emptied often */
    uint64_t *seeds;                 /* of the fields of the batch in hand */
    uint32_t seed_capacity;
};
/* Borrows the forms. */
void record_hasher_init(struct record_hasher *hasher, struct database *target,
                        const struct stored_form *forms);
void record_hasher_free(struct record_hasher *hasher);

/* The hash of one record as the target keeps it. */
enum status record_hash(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                        struct canonical_hash *hash, struct error *error) MUST_USE;
/* Adds the hashes of all of a batch's records to `sum`. */
enum status record_hash_batch(struct record_hasher *hasher, const struct batch *batch,
                              struct canonical_hash *sum, struct error *error) MUST_USE;

/* The fields of a MAP in the shape's order; MISSING where it has none.
 * How many it has. */
uint32_t record_lay_out(const struct cell *record, const struct shape *shape, struct cell *cells);
/* Counts a record of an entity, a MAP, that was written and went out of the target, and adds its
 * hash while all of them have one. The arena is for a moment. */
enum status record_hash_gone(struct record_hasher *hasher, uint32_t entity,
                             const struct cell *record, const struct shape *shape,
                             struct arena *arena, struct tally *gone, struct error *error) MUST_USE;

#endif
