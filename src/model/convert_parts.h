/* For convert*.c only: what the converters share. */
#ifndef TRANSHUME_MODEL_CONVERT_PARTS_H
#define TRANSHUME_MODEL_CONVERT_PARTS_H

#include "model/convert.h"

struct conversion {
    const struct value_type *to;
    bool allow_loss;
    struct arena *arena;
    struct error *error;
};

/* Fails with a message that shows the value; why: "it is ..." */
enum status convert_refuse(const struct conversion *conversion, const struct cell *from,
                           enum error_code code, const char *why);
enum status convert_refuse_kind(const struct conversion *conversion, const struct cell *from);

/* Each takes a cell that is neither MISSING, NULL, JSON nor LARGE. */
enum status convert_to_bool(const struct conversion *conversion, const struct cell *from,
                            struct cell *result);
enum status convert_to_whole(const struct conversion *conversion, const struct cell *from,
                             struct cell *result);
enum status convert_to_float(const struct conversion *conversion, const struct cell *from,
                             struct cell *result);
enum status convert_to_decimal(const struct conversion *conversion, const struct cell *from,
                               struct cell *result);

/* Takes U+0000 out of a TEXT or JSON that was made, where the type can't hold it and that is
 * allowed. */
enum status convert_strip_nul(const struct conversion *conversion, struct cell *result);

/* Does the type's epoch_unit say how values of the kind become those of the type? */
bool convert_counts(enum value_kind from, const struct value_type *to);
/* Converts one then. */
enum status convert_count(const struct conversion *conversion, const struct cell *from,
                          struct cell *result);

#endif
