/* The type that holds every value of a column exactly, learnt value by value. */
#ifndef TRANSHUME_MODEL_LEARNT_TYPE_H
#define TRANSHUME_MODEL_LEARNT_TYPE_H

#include "base/arena.h"
#include "model/schema.h"

/* Everything that was seen of one column. Zeroed: nothing yet. */
struct learnt_type {
    uint32_t kinds; /* 1 << enum value_kind of each value that is not null */
    bool negative;
    bool beyond_float; /* a number that no float holds exactly */
    bool zoned;        /* a timestamp that is an instant */
    bool bare;         /* a timestamp that names no zone */
    int64_t whole_digits;
    int64_t scale;
};

/* NULL and MISSING teach nothing. `scratch` is used for the while. */
void learnt_type_add(struct learnt_type *learnt, const struct cell *cell, struct arena *scratch);
void learnt_type_merge(struct learnt_type *into, const struct learnt_type *from);

/*
 *   all whole numbers       int64; uint64 if one is above it and none is negative; else decimal
 *   numbers with a point    decimal(p,s) of the most digits before and after it
 *   one with an exponent    float64, if a float holds every number of the column exactly
 *   one other kind          that kind
 *   nothing, or several     text, dynamic
 */
struct value_type learnt_type_decide(const struct learnt_type *learnt);

#endif
