/*
 * arrow:DIR, tables as files of Apache Arrow's IPC formats (arrow.apache.org, "Serialization and
 * Interprocess Communication"), through nanoarrow.
 *
 * The folder room does all that is not the format: names, renames, done marks, rollback. A file
 * keeps its records by column, so the room's records ("rows" below) have a form of their own, which
 * the encoder makes, the packer puts into arrays, and the raw reading of a file gives again: length
 * (4, with these bytes), then the cells of all columns as cell_bytes_append has them, each fitted
 * to its column (arrow_value_fit).
 */
#ifndef TRANSHUME_CONNECTORS_ARROW_ARROW_H
#define TRANSHUME_CONNECTORS_ARROW_ARROW_H

#include "connectors/columnar/columnar.h"
#include <nanoarrow/nanoarrow_ipc.h>

/* The module's symbol (CONNECTOR_MODULE_SYMBOL). */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;

enum { ARROW_DEPTH_MAX = 64, ARROW_DECIMAL_DIGITS_MAX = 76 };

struct arrow_database {
    struct folder folder;
    uint64_t batch_bytes; /* of rows, as above, in a record batch */
    bool unit_given;      /* else microseconds, or nanoseconds where a column has such */
    enum ArrowTimeUnit unit;
};

/* ---------------------------------------------------------------- layout.c */

enum arrow_form { ARROW_VALUE, ARROW_RECORD, ARROW_LIST, ARROW_MAP };

/* A column, or what is within one: a LIST has one child, its element; a MAP key and value. */
struct arrow_node {
    const char *name;
    enum arrow_form form;
    bool optional;
    bool indexed;           /* its values are in a dictionary */
    struct value_type type; /* of its cells */
    struct arrow_node *children;
    uint32_t child_count;
    enum ArrowType arrow; /* of its values; FIXED_SIZE_LIST and the like of a list */
    enum ArrowTimeUnit unit;
    int32_t width;     /* bytes of FIXED_SIZE_BINARY, elements of FIXED_SIZE_LIST */
    int32_t bits;      /* of a decimal */
    int32_t precision; /* of a decimal */
    int32_t scale;
};

struct arrow_layout {
    struct arrow_node *columns;
    uint32_t column_count;
};

/* The layout of a table to write. `required` has a flag a column: never null. In `arena`. */
void arrow_layout_of_columns(const struct arrow_database *database,
                             const struct schema_column *columns, uint32_t count,
                             const bool *required, struct arena *arena,
                             struct arrow_layout *layout);
/* The layout of a file's schema. `refused`: what of it is not read, or NULL. In `arena`. */
void arrow_layout_of_file(const struct ArrowSchema *schema, struct arena *arena,
                          struct arrow_layout *layout, const char **refused);
/* The schema of a file of that layout, which the caller releases. False: no memory. */
bool arrow_layout_schema(const struct arrow_layout *layout, struct ArrowSchema *schema) MUST_USE;

/* ---------------------------------------------------------------- value_write.c, value_read.c */

/*
 * The cell (NULL: it is not there) as its column holds it, in `arena`; what it points to may be the
 * cell's own. STATUS_FAILED: as folder_format.encoder_append.
 */
enum status arrow_value_fit(const struct arrow_node *node, const struct cell *cell,
                            struct arena *arena, struct cell *fitted, struct error *error) MUST_USE;
/* Appends a fitted cell. False: no memory. */
bool arrow_value_append(const struct arrow_node *node, const struct cell *cell,
                        struct ArrowArray *array) MUST_USE;
/*
 * The cell of a row, whose texts are copied into `arena`. STATUS_FAILED: a reject, or no memory.
 * The view's buffers have been validated.
 */
enum status arrow_value_read(const struct arrow_node *node, const struct ArrowArrayView *view,
                             int64_t row, struct arena *arena, struct cell *cell,
                             struct error *error) MUST_USE;

/* ---------------------------------------------------------------- message.c */

/*
 * Facts that nanoarrow does not tell of a message, or gets wrong, from the FlatBuffers of its head
 * (Message.fbs of the format; flatbuffers.dev, "Encoding"). `message` is its begin, with a head
 * that ArrowIpcDecoderVerifyHeader has found sound.
 */
enum { ARROW_PREFIX_BYTES = 8 };
/* How many rows a record batch has. */
uint64_t arrow_message_rows(const char *message);
/* Whether a dictionary's values come behind those that it has (a delta). */
bool arrow_message_grows(const char *message);
/* Whether it has what its type says that it has; its verification allows that to be left out, and
 * nanoarrow 0.9 relies on it. */
bool arrow_message_is_whole(const char *message, enum ArrowIpcMessageType type);
/* Whether a dictionary has as many arrays and buffers as values of that type need, on which
 * nanoarrow 0.9 relies. */
bool arrow_message_has_values(const char *message, const struct ArrowSchema *values);
/* Columns of nulls alone take no bytes, however many rows they claim. */
#define ARROW_ROWS_MAX (UINT64_C(1) << 48)
/* Whether the arrays of a batch or dictionary have lengths, and its buffers lie within the body. */
bool arrow_message_lies_within(const char *message, bool dictionary, uint64_t body_bytes);
/* How many bytes its packed buffers, which lie within the body, claim to have unpacked; 0: they are
 * not packed. */
uint64_t arrow_message_claims(const char *message, bool dictionary, struct ArrowBufferView body);
/*
 * Unpacks the buffers of a dictionary's body, which nanoarrow 0.9 takes as if they were not packed:
 * `body` becomes one in `unpacked`, and the head's list of buffers is changed to fit it. Anything
 * but NANOARROW_OK: `why` says what is wrong; ENOMEM: no memory.
 */
ArrowErrorCode arrow_message_unpack(char *message, struct ArrowBufferView *body,
                                    struct buffer *unpacked, struct ArrowError *why) MUST_USE;

/* ---------------------------------------------------------------- file.c */

/* A message with rows or with the values of dictionaries. */
struct arrow_block {
    uint64_t offset;
    uint32_t head_bytes;
    uint64_t body_bytes;
    uint64_t rows; /* of a record batch */
};

/* A file opened for reading; one thread. Either format: what follows each other is the same. */
struct arrow_file {
    char *path;
    int descriptor;
    uint64_t bytes;
    struct arena *arena;
    struct ArrowIpcDecoder decoder;
    struct ArrowSchema schema;
    struct ArrowIpcDictionaryEncodings encodings;
    struct ArrowIpcDictionaries dictionaries;
    bool has_dictionaries;
    struct arrow_layout layout;
    struct arrow_block *batches;
    uint32_t batch_count;
    struct arrow_block *dictionary_blocks;
    uint32_t dictionary_count;
    uint32_t dictionaries_read;
    bool whole; /* the file format, whose dictionaries may follow the batches that use them */
    uint64_t rows;
    struct buffer message;  /* of the batch that is read */
    struct buffer unpacked; /* the body of a dictionary's */
    enum error_code code;   /* of files that can't be read: ERROR_SOURCE_READ; else a target's */
};

enum status arrow_file_open(const char *path, enum error_code code, struct arrow_file **file,
                            struct error *error) MUST_USE;
void arrow_file_close(struct arrow_file *file); /* NULL is fine */
/* The file is not what it should be: `why` says what. */
enum status arrow_file_damaged(const struct arrow_file *file, const char *why, struct error *error);
/* Reads a record batch. `view` has the columns as children, until the next call. */
enum status arrow_file_batch(struct arrow_file *file, uint32_t number,
                             const struct ArrowArrayView **view, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- encoder.c, packer.c */

enum status arrow_encoder_create(struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, const struct cell *first,
                                 struct folder_encoder **encoder, struct error *error);
void arrow_encoder_destroy(struct folder_encoder *encoder);
const struct arrow_layout *arrow_encoder_layout(const struct folder_encoder *encoder);

enum status arrow_pack_open(struct folder *folder, const char *path,
                            const struct folder_encoder *encoder,
                            const struct folder_decoder *decoder, struct folder_pack **pack,
                            struct error *error);
enum status arrow_pack_write(struct folder_pack *pack, const void *bytes, size_t length,
                             struct error *error);
enum status arrow_pack_finish(struct folder_pack *pack, struct error *error);
void arrow_pack_abandon(struct folder_pack *pack);

/* ---------------------------------------------------------------- catalog.c */

/* In `arena`. */
void arrow_file_facts(const struct arrow_file *file, struct arena *arena,
                      struct columnar_file *facts);
enum status arrow_describe_table(struct folder *folder, struct folder_table *table,
                                 struct arena *arena, struct schema_table *schema,
                                 struct error *error);
enum status arrow_count(const char *path, uint64_t *records, struct error *error);

/* ---------------------------------------------------------------- decoder.c */

enum status arrow_decoder_open(struct folder *folder, const char *name,
                               const struct folder_table *table, const struct folder_range *range,
                               const struct read_request *request, struct folder_decoder **decoder,
                               struct error *error);
void arrow_decoder_close(struct folder_decoder *decoder);
enum status arrow_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                               uint32_t rows_max, size_t bytes_max, struct error *error);
enum status arrow_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                           struct error *error);
enum status arrow_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                           struct arena *arena, struct cell *record, struct error *error);
const struct arrow_layout *arrow_decoder_layout(const struct folder_decoder *decoder);

#endif
