/* Keys as bytes, and records that are compared: what services of the room share. */
#ifndef TRANSHUME_CONNECTORS_KEYED_KEYS_H
#define TRANSHUME_CONNECTORS_KEYED_KEYS_H

#include "base/text.h"
#include "connectors/keyed/keyed.h"

/*
 * The parts of a key for keyed_service.append_key and read_key: of each its length (4 bytes,
 * big-endian) and what the service makes of it, so that no key begins another.
 */
enum { KEYED_PART_HEAD_BYTES = 4 };
/* Where the part begins, for the end, once the service has appended it. */
size_t keyed_part_begin(struct buffer *out);
void keyed_part_end(struct buffer *out, size_t begin);
/* Goes on to the next part. False: these bytes are none. */
bool keyed_part_read(const uint8_t **bytes, size_t *length, struct text *part);

/* Are the values equal, where fields and keys of a MAP may stand in any order? */
bool keyed_values_are_equal(const struct cell *left, const struct cell *right);

/* For check_table: "A, B, the plan says C". */
void keyed_check_append_keys(struct column_list there, struct column_list planned,
                             struct buffer *out);

#endif
