/* The form in which people are shown two values that differ: as much of them that the difference is
 * seen. */
#ifndef TRANSHUME_VERIFY_SHOW_H
#define TRANSHUME_VERIFY_SHOW_H

#include "verify/spill.h"

enum { SHOW_BYTES_MAX = 120 };

/* The beginning of one value, for a field that the other side has not. */
void show_one(const struct spill_field *field, struct buffer *out);
/*
 * Both values from a little before their first difference, "..." for what is left out. What looks
 * alike all the same gets its kind, or the hash of its bytes, behind it.
 */
void show_both(const struct spill_field *source, const struct spill_field *target,
               struct buffer *source_out, struct buffer *target_out);

/* As a JSON string, also what is no UTF-8. */
void show_text(struct buffer *out, const char *text, size_t length);
/*
 * The name of a record, as typed JSON: its key, or all of a record without one, of which long
 * values are only shown as those of fields are.
 */
enum status show_key(const struct spill_head *head, struct buffer *out,
                     struct error *error) MUST_USE;

#endif
