/* Values as JSON that comes back as the very same values: the records of reject files. */
#ifndef TRANSHUME_ENGINE_FORMATS_TYPED_JSON_H
#define TRANSHUME_ENGINE_FORMATS_TYPED_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/batch.h"
#include "model/json_reader.h"
#include "model/value.h"

/*
 * Plain where JSON says it all, an object with one "$…" member where it would not:
 *   null true false "text"        NULL BOOL TEXT
 *   12  12.0  1e300               INT64 (above it UINT64); with point or exponent FLOAT64
 *   {"$decimal":"1.98"}           DECIMAL; also NaN and Infinity
 *   {"$uint64":"5"}               UINT64 that an INT64 could hold
 *   {"$float64":"NaN"}            FLOAT64 that is no number; {"$float32":"0.1"} any FLOAT32
 *   {"$bytes":"base64"}           BYTES
 *   {"$date":…} {"$time":…} {"$timestamp":…} {"$interval":…}   ISO 8601 text; Z or an offset: zoned
 *   {"$uuid":"8-4-4-4-12"}        UUID
 *   {"$json":"text"}              JSON, as the source wrote it
 *   [ … ]   {"$set":[ … ]}        LIST, SET
 *   { … }                         MAP with text keys of which none begins with $
 *   {"$map":[[key,value], … ]}    any other MAP
 *   {"$escape":[tag,text?,"base64"]}   ESCAPE: bytes that only the engine `tag` understands
 *   {"$omitted":"why"}            a value that could not be made or kept: never read back, refused
 *   {"$omitted":"why","was":…}    the same of a value that its field does not take
 * MISSING is never written. A LARGE value is read and written as the TEXT or BYTES it stands for.
 */
enum status typed_json_append(const struct cell *cell, struct buffer *out,
                              struct error *error) MUST_USE;
/*
 * For large values, which are not to stand whole in memory: called between their slices, to take
 * everything but the last `keep` bytes out of the buffer. NULL: it grows.
 */
struct typed_json_drain {
    enum status (*take)(struct typed_json_drain *drain, struct buffer *out, size_t keep,
                        struct error *error);
};
/* A MAP whose text keys are names of fields, that may begin with $: an object of these names. */
enum status typed_json_append_fields(const struct cell *map, struct typed_json_drain *drain,
                                     struct buffer *out, struct error *error) MUST_USE;
/* The same of a record's cells; MISSING fields are left out. */
enum status typed_json_append_record(const struct shape *shape, const struct cell *cells,
                                     struct typed_json_drain *drain, struct buffer *out,
                                     struct error *error) MUST_USE;

/* The value that begins with `token`; what it points to lives in `arena` or in the reader's text.
 * ERROR_REJECT_UNREADABLE says what is wrong; ERROR_MEMORY is not the text's fault. */
enum status typed_json_read(struct json_reader *reader, enum json_token token, struct arena *arena,
                            struct cell *cell, struct error *error) MUST_USE;

/* Reads what the two above wrote, as a MAP. */
enum status typed_json_read_fields(struct json_reader *reader, enum json_token token,
                                   struct arena *arena, struct cell *cell,
                                   struct error *error) MUST_USE;

#endif
