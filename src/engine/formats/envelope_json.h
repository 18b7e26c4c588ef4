/* A record's envelope as members of a reject's line, and back. */
#ifndef TRANSHUME_ENGINE_FORMATS_ENVELOPE_JSON_H
#define TRANSHUME_ENGINE_FORMATS_ENVELOPE_JSON_H

#include "base/buffer.h"
#include "model/batch.h"
#include "model/json_reader.h"

/*
 * Each only where the envelope says it:
 *   "operation":"update"|"delete"
 *   "write_time":n      microseconds since 1970, UTC
 *   "ttl":n             seconds; -1: the one that the target has is kept
 *   "position":"base64"
 *   "cell_times":{FIELD:{"write_time":n,"ttl":n},…}   of fields that differ from the record
 * Appends them with a comma before each. `shape` is of `cell_times`; documents (NULL) have none.
 */
void envelope_json_append(const struct record_envelope *envelope, const struct shape *shape,
                          struct buffer *line);

/* The members' values as a line has them, MISSING (zeroed) where it has not. */
struct envelope_members {
    struct cell operation;
    struct cell write_time;
    struct cell ttl;
    struct cell position;
    struct cell cell_times;
};
/* Where the value of the member goes whose key was just read; NULL: it is none of an envelope's. */
struct cell *envelope_json_member(struct envelope_members *members,
                                  const struct json_reader *reader);
/* Were any members there? */
bool envelope_json_is_set(const struct envelope_members *members);
/* Fills `envelope`, whose bytes and times live in `arena`. ERROR_REJECT_UNREADABLE and
 * ERROR_REJECT_TYPE say which member is wrong. */
enum status envelope_json_make(const struct envelope_members *members, const struct shape *shape,
                               struct arena *arena, struct record_envelope *envelope,
                               struct error *error) MUST_USE;

/* The number of the shape's field that a TEXT cell names. ERROR_REJECT_TYPE: there is none. */
enum status envelope_json_find_field(const struct shape *shape, const struct cell *name,
                                     uint32_t *field, struct error *error) MUST_USE;

#endif
