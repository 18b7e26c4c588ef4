/* Small helpers over jansson for the control files: ledger header, status, marks, state. */
#ifndef TRANSHUME_ENGINE_JSON_TEXT_H
#define TRANSHUME_ENGINE_JSON_TEXT_H

#include "base/arena.h"
#include "base/error.h"
#include "engine/ledger/format.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A JSON string of any text: invalid UTF-8 is made printable. NULL text: JSON null. */
json_t *json_text(const char *text);
/* Is that what json_text makes of the text? */
bool json_is_text(const json_t *value, const char *text);
/* An array of them. */
json_t *json_texts(const char *const *texts, uint32_t count);
/* A time stamp of `utc_us` as "2026-01-31T23:59:59.123Z"; 0: null. */
json_t *json_stamp(int64_t utc_us);
/* The object as compact text in the arena; takes the reference over. STATUS_FAILED: it is NULL, as
 * objects are that hold what jansson refuses. */
enum status json_to_arena(json_t *object, struct arena *arena, const char **text,
                          struct error *error) MUST_USE;
/* Parses an object with a `format`: a fault is `code` on `object_name`, a newer one
 * FORMAT_NEWER. */
enum status json_from_text(const char *text, const char *object_name, enum error_code code,
                           json_t **object, struct error *error) MUST_USE;
/* That of a file; NULL: there is none that is of use. */
json_t *json_from_file(const char *folder, const char *name, size_t most);
/* Members by name, with a value for what is missing or of another type. */
const char *json_member_text(const json_t *object, const char *name, const char *otherwise);
int64_t json_member_integer(const json_t *object, const char *name, int64_t otherwise);
int json_member_true(const json_t *object, const char *name);

#endif
