/*
 * Keys that are one text made of several values, "7#2024-02-29":
 *
 *   - in each part but the last a "%" is written "%25" and a "#" "%23", so that the first "#" ends
 *     the part and no two rows have the same key;
 *   - whole numbers of a sort key have zeros between their sign and their digits, so that texts
 *     order as numbers do from 0 on (negative ones come first, the greatest of them foremost).
 */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_KEY_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_KEY_H

#include "design/graph/graph.h"

/* Digits of the type's largest number; 0: not a whole number. */
uint32_t export_key_pad(const struct value_type *type);

/* May a value hold what separates the parts? */
bool export_key_needs_escapes(const struct graph_field *field);
/* Has the value the same text in an expression? Floats and decimals may lose digits there. */
bool export_key_is_plain(const struct graph_field *field);

/* The part as an expression over a column of that name: with zeros before it up to `pad` digits (0:
 * none), or escaped. */
void export_key_append_sql(const char *name, const struct graph_field *field, uint32_t pad,
                           bool escaped, struct buffer *sql);
/* The same of a value's text, for those who ask by the key. */
void export_key_append_text(const char *text, size_t length, uint32_t pad, bool escaped,
                            struct buffer *out);

#endif
