/*
 * JSON lines: one JSON object a line. What jsonl.c, encoder.c, decoder.c, value_read.c and infer.c
 * share. A source's file may be one JSON array of objects instead (records.h).
 *
 * What JSON lacks is written so that a reader of the column's type gets the same value back:
 *   int64, uint64      digits
 *   decimal            digits, the scale kept, never an exponent
 *   float32, float64   shortest digits with a point or an exponent; outside of a float column
 *                      always with an exponent: a number with an exponent is a float
 *   bytes              base64;  date, time, timestamp, interval: ISO 8601;  uuid: 36 characters
 *   json               the JSON itself, if it stands on one line;  set: a list
 * and where the column's type does not tell (another kind in a dynamic column, inside of lists and
 * maps, documents), as an object with one member, a tag:
 *   {"$bytes":"base64"} {"$date":…} {"$time":…} {"$timestamp":…} {"$interval":…} {"$uuid":…}
 *   {"$json":"text"} {"$decimal":"1.50"} {"$float64":"NaN"} {"$text":…} {"$list":[…]} {"$set":[…]}
 *   {"$map":[[key,value],…]} {"$value":…}: a number or bool, in a column of JSON texts
 * Tags are read only from tables whose definition (folder_sidecar.h) says that they are there.
 */
#ifndef TRANSHUME_CONNECTORS_JSONL_JSONL_H
#define TRANSHUME_CONNECTORS_JSONL_JSONL_H

#include "connectors/folder/folder.h"
#include "connectors/folder/folder_sidecar.h"
#include "model/json_reader.h"

/* Levels of an object that are written; a reader takes JSON_DEPTH_MAX. */
enum {
    JSONL_DEPTH_MAX = 500,
    JSONL_COLUMNS_MAX = FOLDER_COLUMNS_MAX,
    JSONL_RECORD_BYTES_MOST = 1 << 30 /* that record_bytes can be: of segments too */
};

struct jsonl_database {
    struct folder folder; /* first */
    uint64_t record_bytes_max;
    bool documents;                     /* source: records have no columns */
    bool rejects_non_finite;            /* target */
    bool writes_tags;                   /* target */
    struct jsonl_name *document_tables; /* target: tables whose records have fields of their own */
};

/* ---------------------------------------------------------------- encoder.c */

enum status jsonl_encoder_create(struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, const struct cell *first,
                                 struct folder_encoder **encoder, struct error *error);
void jsonl_encoder_destroy(struct folder_encoder *encoder);
enum status jsonl_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                 struct buffer *out, struct error *error);
enum status jsonl_normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                              struct cell *normal, struct error *error);

/* ---------------------------------------------------------------- value_read.c */

struct jsonl_reading {
    struct json_reader *json;
    struct arena *arena;
    bool tags;
};

/*
 * The value that begins with `token`, which was just read, as a column of `type` (NULL: none) has
 * it. `begin` is where the token begins in the text. Texts point into the text or live in the
 * arena. STATUS_FAILED: class REJECT, or memory is out.
 */
enum status jsonl_read_value(struct jsonl_reading *reading, enum json_token token,
                             const char *begin, const struct value_type *type, struct cell *cell,
                             struct error *error) MUST_USE;
/* The next token, and where it begins if it is the value of a member. */
enum status jsonl_next(struct jsonl_reading *reading, enum json_token *token, const char **begin,
                       struct error *error) MUST_USE;
/* A whole line as a MAP; `types` (may be NULL) are those of known columns. */
enum status jsonl_read_document(const char *line, size_t length, bool tags,
                                const struct schema_column *columns, uint32_t column_count,
                                struct arena *arena, struct cell *map,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- decoder.c */

/* Facts that the format keeps of a source's table. */
struct folder_table_data {
    bool tags;
    bool inferred;
    const bool *arrays; /* a flag a file: it is a JSON array, else lines */
    const struct schema_column *columns;
    uint32_t column_count;
    uint64_t rows;   /* that the types were learnt from */
    uint64_t broken; /* records that were not understood then */
};

enum status jsonl_decoder_open(struct folder *folder, const char *name,
                               const struct folder_table *table, const struct folder_range *range,
                               const struct read_request *request, struct folder_decoder **decoder,
                               struct error *error);
void jsonl_decoder_close(struct folder_decoder *decoder);
enum status jsonl_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                               uint32_t rows_max, size_t bytes_max, struct error *error);
enum status jsonl_decoder_raw_next(struct folder_decoder *decoder, const char **bytes,
                                   size_t *length, struct error *error);
enum status jsonl_decoder_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                                   struct arena *arena, struct cell *record, struct error *error);

/* ---------------------------------------------------------------- infer_pass.c */

/* Learns the columns of a table from all of its rows. */
enum status jsonl_infer(const struct jsonl_database *database, const struct folder_table *table,
                        struct arena *arena, struct folder_table_data *data,
                        struct error *error) MUST_USE;

#endif
