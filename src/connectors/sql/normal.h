/* The normal form of values in SQL databases: what a value is once it was written, whatever its
 * column's type. */
#ifndef TRANSHUME_CONNECTORS_SQL_NORMAL_H
#define TRANSHUME_CONNECTORS_SQL_NORMAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/value.h"
#include <stdbool.h>

struct field_hasher; /* model/field_hash.h */

/* What one database does otherwise than another. */
struct sql_rules {
    bool truth_is_number; /* it has no boolean: true is 1 */
    bool zone_dropped;    /* it keeps instants as UTC without a zone */
    bool zero_unsigned;   /* its floats have no -0.0 */
};

/* Idempotent; texts live in `arena`. Any thread. */
enum status sql_normal_form(const struct sql_rules *rules, const struct cell *cell,
                            struct arena *arena, struct cell *normal, struct error *error) MUST_USE;
/* What target_functions.hash_normal does, without making a normal form first where the kind is a
 * common one. */
enum status sql_hash_normal(const struct sql_rules *rules, const uint64_t *seeds,
                            const struct cell *cells, uint32_t count, struct field_hasher *hasher,
                            uint32_t *hashed, struct error *error) MUST_USE;
/* The text that a value is in a column of texts: such that the normal forms of both are equal.
 * FAILED with a REJECT code where it has none. */
enum status sql_append_value_text(const struct sql_rules *rules, const struct cell *cell,
                                  struct buffer *out, struct error *error) MUST_USE;
/* Likewise in a column of texts that was there, where json is its own text. */
enum status sql_append_column_text(const struct sql_rules *rules, const struct cell *cell,
                                   struct buffer *out, struct error *error) MUST_USE;
/* One text for all that jsonb takes for equal; what is no JSON stays as it is. `repeats`: of equal
 * keys in one object all count, in their order, not the last alone. */
enum status sql_append_canonical_json(const char *text, size_t length, bool repeats,
                                      struct buffer *out, struct error *error) MUST_USE;

#endif
