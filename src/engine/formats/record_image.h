/* A record as its fields in one order, in the target's normal form: its key, its hash. */
#ifndef TRANSHUME_ENGINE_FORMATS_RECORD_IMAGE_H
#define TRANSHUME_ENGINE_FORMATS_RECORD_IMAGE_H

#include "connectors/contract/connector.h"
#include "engine/formats/stored_form.h"
#include "model/canonical.h"

/* Pairs of name and value, by name, missing ones left out; in an arena. Where the target takes null
 * for missing, as of a column that nothing fills, nulls are not in the hash. */
struct record_image {
    struct cell *pairs;
    uint32_t count;
    bool null_is_missing;
    struct canonical_hash hash;
};

/* The image of a batch's record, with or without a shape. `forms`: what columns make of its values,
 * by batch->entity; NULL: the target gave the record, or none converts. */
enum status record_image_make(struct database *target, const struct stored_form *forms,
                              const struct batch *batch, uint32_t row, struct arena *arena,
                              struct record_image *image, struct error *error) MUST_USE;
/* Fields that `over` has not, from `under`: what an upsert leaves. */
enum status record_image_merge(const struct record_image *under, const struct record_image *over,
                               struct arena *arena, struct record_image *merged,
                               struct error *error) MUST_USE;
/* The key's cells (in the arena) and their hash. `*whole` false: a part of it is missing or null.
 */
enum status record_image_key(const struct record_image *image, const struct target_table *table,
                             struct arena *arena, struct cell **key, struct canonical_hash *hash,
                             bool *whole, struct error *error) MUST_USE;

#endif
