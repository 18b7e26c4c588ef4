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

/* Points in which one database differs from another. */
struct sql_rules {
    bool truth_is_number; /* it has no boolean: true is 1 */
    bool zone_dropped;    /* it keeps instants as UTC without a zone */
    bool zero_unsigned;   /* its floats have no -0.0 */
};

/* A text or JSON with more bytes has the normal form of these bytes, whole or as a handle: the
 * least that `?slice=` of SQLite may be. */
enum { SQL_LONG_BYTES = 64 << 10 };

/* Idempotent; texts live in `arena`. Any thread. */
enum status sql_normal_form(const struct sql_rules *rules, const struct cell *cell,
                            struct arena *arena, struct cell *normal, struct error *error) MUST_USE;
/* target_functions.hash_normal, without making a normal form first where the kind is a
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
/* Differences that are told in a column of JSON: those that jsonb tells, keys that are there again
 * as well, or also the blanks between the parts and their order; or numbers by their value alone,
 * but whole ones apart from those with a point or an exponent. */
enum sql_json_told { SQL_JSON_VALUES, SQL_JSON_REPEATS, SQL_JSON_BYTES, SQL_JSON_NUMBERS };
/* One text for all that is taken for equal; what is no JSON stays as it is. */
enum status sql_append_canonical_json(const char *text, size_t length, enum sql_json_told told,
                                      struct buffer *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- in columns that are there */

/* In a column of texts: 1 and 1.0 are two. `padded`: blanks at the end are none. FAILED with a
 * REJECT code where a value has no text. Texts live in `arena`. Any thread, as the next. */
enum status sql_text_in_column(const struct sql_rules *rules, const struct cell *cell, bool padded,
                               struct arena *arena, struct cell *normal,
                               struct error *error) MUST_USE;
/* Makes of a text what a column of addresses shows: small letters, zeros left out, and no mask of a
 * single address. What is no address stays as it is. */
enum status sql_address_in_column(struct cell *text, struct arena *arena,
                                  struct error *error) MUST_USE;
/* In a column of JSON, as a text: what is no JSON yet becomes some. */
enum status sql_json_in_column(const struct cell *cell, enum sql_json_told told,
                               struct arena *arena, struct cell *normal,
                               struct error *error) MUST_USE;
/* The value again of a normal form in a column of JSON: a text that is JSON is no string of it.
 * What is none stays as it is. */
enum status sql_json_of_normal(const struct cell *normal, struct arena *scratch, struct cell *value,
                               struct error *error) MUST_USE;

#endif
