/*
 * Values that are fitted to a column of a file, and a file's numbers as values: they are the same
 * in all formats that have days, times of a day and timestamps as numbers of a unit.
 * `format` is what people call the format, for reasons of rejects.
 */
#ifndef TRANSHUME_CONNECTORS_COLUMNAR_FITTING_H
#define TRANSHUME_CONNECTORS_COLUMNAR_FITTING_H

#include "model/schema.h"
#include "model/value.h"

enum { COLUMNAR_VALUE_BYTES_MAX = 1 << 30 };

/* STATUS_FAILED: the column holds another kind of value. */
enum status columnar_refuse_kind(const struct value_type *type, const struct cell *cell,
                                 struct error *error);
/* The cell as one of the column's kind, whole, in `arena`; `as_json`: the column holds JSON, also
 * of what is nested. */
enum status columnar_fit_kind(const struct value_type *type, bool as_json, const struct cell *cell,
                              struct arena *arena, struct cell *fitted,
                              struct error *error) MUST_USE;
enum status columnar_fit_integer(int bits, const struct cell *cell, struct error *error) MUST_USE;
enum status columnar_fit_decimal(const char *format, int32_t precision, int32_t scale,
                                 const struct cell *cell, struct arena *arena, struct cell *fitted,
                                 struct error *error) MUST_USE;
enum status columnar_fit_date(const char *format, const struct cell *cell,
                              struct error *error) MUST_USE;
/* `unit_ns`: what a unit of the column counts. `*number`: the value in it. */
enum status columnar_fit_time(const char *format, int64_t unit_ns, const struct cell *cell,
                              int64_t *number, struct error *error) MUST_USE;
enum status columnar_fit_timestamp(const char *format, int64_t unit_ns, const struct cell *cell,
                                   int64_t *number, struct error *error) MUST_USE;

enum status columnar_read_time(int64_t number, int64_t unit_ns, struct cell *cell,
                               struct error *error) MUST_USE;
enum status columnar_read_timestamp(int64_t number, int64_t unit_ns, bool zoned, struct cell *cell,
                                    struct error *error) MUST_USE;
/* Texts are UTF-8; the bytes are copied. `bytes` may be NULL where there are none. */
enum status columnar_read_bytes(enum value_kind kind, const void *bytes, size_t length,
                                struct arena *arena, struct cell *cell,
                                struct error *error) MUST_USE;

#endif
