/* Arrays as PostgreSQL writes them: {1,NULL,"a b",{…}}, with bounds before them or not
 * (PostgreSQL documentation, 8.15.6 "Array Input and Output Syntax"). */
#ifndef TRANSHUME_MODEL_ARRAY_TEXT_H
#define TRANSHUME_MODEL_ARRAY_TEXT_H

#include "base/buffer.h"
#include "model/schema.h"

/* Does the text begin like one? */
bool array_text_is_one(const char *text, size_t length);

/* Reads a whole array into a LIST, those within it too. Elements become what `element` says (NULL:
 * TEXT); one that can't stays the TEXT that it is. Bounds are left out. STATUS_FAILED with
 * ERROR_REJECT_UNREADABLE or ERROR_REJECT_TOO_DEEP. */
enum status array_text_read(const char *text, size_t length, const struct value_type *element,
                            struct arena *arena, struct cell *list, struct error *error) MUST_USE;

/* Appends a LIST or SET. Maps are JSON texts, and so is what is nested in an element of JSON,
 * unless there are cells of JSON in it: then it is a dimension. A TEXT for an element of BYTES is
 * base64, as JSON has them, or \x with hex. */
enum status array_text_append(const struct cell *list, const struct value_type *element,
                              struct buffer *out, struct error *error) MUST_USE;

#endif
