/* The limits beyond which DynamoDB refuses: of tables, keys, items and numbers, checked before
 * anything is written. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_LIMITS_H
#define TRANSHUME_CONNECTORS_DYNAMODB_LIMITS_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"

enum {
    DYNAMODB_ITEM_BYTES_MAX = 400 * 1024,
    DYNAMODB_PARTITION_KEY_BYTES_MAX = 2048,
    DYNAMODB_SORT_KEY_BYTES_MAX = 1024,
    DYNAMODB_NUMBER_DIGITS_MAX = 38,
    DYNAMODB_NUMBER_EXPONENT_MIN = -130, /* of the first significant digit */
    DYNAMODB_NUMBER_EXPONENT_MAX = 125,
    DYNAMODB_NESTING_MAX = 32,
    DYNAMODB_NAME_BYTES_MAX = 65535,   /* of an attribute */
    DYNAMODB_KEY_NAME_BYTES_MAX = 255, /* of an attribute in a table's or index's key */
    DYNAMODB_TABLE_NAME_BYTES_MIN = 3, /* tables and indexes alike */
    DYNAMODB_TABLE_NAME_BYTES_MAX = 255,
    DYNAMODB_INDEXES_MAX = 20,      /* global secondary indexes, the service's default quota */
    DYNAMODB_LOCAL_INDEXES_MAX = 5, /* local ones, for ever */
};

/* True for 3 to 255 of [a-zA-Z0-9_.-]. */
bool dynamodb_limits_name_valid(const char *name);

/*
 * The bytes that DynamoDB counts for a value: texts and bytes their length; numbers a byte for two
 * significant digits, one more, and one for a minus; BOOL and NULL 1; LIST and MAP 3 and 1 an
 * element; SET its elements; attribute names are counted inside maps. MISSING: 0. (AWS: "DynamoDB
 * item sizes and formats".) An estimate: for capacity and cost, not for refusing.
 */
uint64_t dynamodb_limits_value_size(const struct cell *cell);
/* The same for a whole item: names and values of a shape's fields, or of a MAP when `shape` is
 * NULL. */
uint64_t dynamodb_limits_item_size(const struct shape *shape, const struct cell *cells);
/*
 * The size that an item has at the very least: names, texts, bytes, a byte for two digits (one for
 * 0), 1 for BOOL and NULL, and nothing for what holds them together. AWS says "approximately" of
 * numbers, and servers of this protocol differ in the rest, so only an item whose least size is
 * beyond the limit is refused without asking the server.
 */
uint64_t dynamodb_limits_item_size_least(const struct shape *shape, const struct cell *cells);

/* Appends one line to `out` for each thing of the table that DynamoDB would refuse. */
void dynamodb_limits_check_table(const struct target_table *table,
                                 const struct shape *const *shapes, uint32_t shape_count,
                                 struct buffer *out);

/* A plan's billing as units a second. False: its words are not understood. Both 0: on demand. */
bool dynamodb_limits_billing(const char *billing, uint64_t *read, uint64_t *write);

#endif
