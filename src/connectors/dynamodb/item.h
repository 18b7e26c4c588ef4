/*
 * The item codec: cells to and from DynamoDB's typed attributes, shared by all that speaks DynamoDB
 * JSON.
 *
 *   {"Id":{"N":"7"},"Name":{"S":"a"},"Raw":{"B":"AAE="},"On":{"BOOL":true},"No":{"NULL":true},
 *    "Tags":{"SS":["a","b"]},"List":{"L":[{"N":"1"}]},"Map":{"M":{"k":{"S":"v"}}}}
 *
 * (AWS: "DynamoDB low-level API", AttributeValue; API version 2012-08-10.)
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_ITEM_H
#define TRANSHUME_CONNECTORS_DYNAMODB_ITEM_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "model/json_reader.h"

/* The types of DynamoDB, over the network and in files. */
enum { DYNAMODB_TYPE_COUNT = 18 };
extern const struct type_mapping dynamodb_types[DYNAMODB_TYPE_COUNT];

/* An attribute in the key of the table or of one of its indexes. */
struct dynamodb_key {
    const char *name;
    uint32_t name_length;
    uint32_t bytes_max;
    char letter;   /* 'S', 'N' or 'B': what every record must bring */
    bool required; /* in the table's own key; else only in an index: may be MISSING */
    bool known;    /* the letter was declared by a column or a shape; else 'S' by default */
};

/* 'S', 'N' or 'B' for kinds that can be keys, else 0. */
char dynamodb_item_letter(enum value_kind kind);
/* The type that a key attribute of that letter has for others. */
struct value_type dynamodb_item_key_type(char letter);

/*
 * The key attributes of a table and its indexes, each once, the table's own first (partition,
 * sort). Letters come from the declared columns, else from the first shape that has the field.
 * `keys` lives in `arena`.
 */
void dynamodb_item_keys(const struct target_table *table, const struct shape *const *shapes,
                        uint32_t shape_count, struct arena *arena, struct dynamodb_key **keys,
                        uint32_t *key_count);

/* Writes the items of one shape (NULL: documents). One thread. */
struct dynamodb_encoder;

/* `shape` and `keys` are borrowed and must outlive the encoder. */
struct dynamodb_encoder *dynamodb_encoder_create(const struct shape *shape,
                                                 const struct dynamodb_key *keys,
                                                 uint32_t key_count);
void dynamodb_encoder_destroy(struct dynamodb_encoder *encoder); /* NULL is fine */
/*
 * Appends one item as {"Name":{"S":"…"},…}. STATUS_FAILED: `out` is as it was, and `error` has
 * class REJECT (what DynamoDB would refuse, naming the attribute) or STOP (memory, reading a LARGE
 * value).
 */
enum status dynamodb_encoder_append(struct dynamodb_encoder *encoder, const struct cell *cells,
                                    struct buffer *out, struct error *error) MUST_USE;

/* Appends one value as {"S":"…"}; `attribute` names it in errors. MISSING gives REJECT_TYPE. */
enum status dynamodb_item_append_value(const struct cell *cell, const char *attribute,
                                       struct buffer *out, struct error *error) MUST_USE;

/*
 * Appends the digits that DynamoDB keeps of a number: no sign of zero, no trailing zeros after the
 * point, plain digits unless more than 40 places are needed, then d.dddE+n. STATUS_FAILED
 * (REJECT_NUMBER): NaN, infinite, above 38 digits or out of range.
 */
enum status dynamodb_number_append(const struct cell *cell, const char *attribute,
                                   struct buffer *out, struct error *error) MUST_USE;
/* Significant digits of an INT64, UINT64, FLOAT or DECIMAL cell, trailing zeros not counted. */
uint32_t dynamodb_number_digits(const struct cell *cell);
/* The digits of an N attribute as INT64 if it is whole and fits, else DECIMAL without trailing
 * zeros. */
enum status dynamodb_number_read(const char *text, size_t length, struct arena *arena,
                                 struct cell *cell, struct error *error) MUST_USE;

/* JSON levels that an item of DYNAMODB_NESTING_MAX levels takes, and some. */
enum { DYNAMODB_JSON_DEPTH_MAX = 96 };

/*
 * Reads one item: the reader stands before its '{' (`begun` false) or just after it. The result is
 * a MAP with TEXT keys; texts point into the reader's text or live in `arena`. STATUS_FAILED:
 * REJECT_UNREADABLE or REJECT_TOO_DEEP.
 */
enum status dynamodb_item_read(struct json_reader *reader, bool begun, struct arena *arena,
                               struct cell *map, struct error *error) MUST_USE;
/* The same for a single value. */
enum status dynamodb_item_read_value(struct json_reader *reader, struct arena *arena,
                                     struct cell *value, struct error *error) MUST_USE;

/* The value that reading it back would give, in `arena` or borrowed from `cell`. Idempotent. */
enum status dynamodb_item_normal_form(const struct cell *cell, struct arena *arena,
                                      struct cell *normal, struct error *error) MUST_USE;

#endif
