/*
 * parquet:DIR, tables as files of Apache Parquet (format 2.x, parquet.apache.org), through carquet.
 *
 * The folder room does all that is not the format: names, renames, done marks, rollback. A file
 * keeps its records by column, so the room's records ("rows" below) have a form of their own, which
 * the encoder makes, the packer puts into columns, and the raw reading of a file gives again:
 *
 *   length (4), with these four bytes
 *   for each leaf of the file's columns, in the file's order:
 *     if nothing repeats above it:  one entry:  definition level (1), value if that is the highest
 *     else:                         count (4), and so many:  definition level (1), repetition
 *                                   level (1), value if the definition level is the highest
 *   a value: BOOLEAN 1 byte, INT32 and FLOAT 4, INT64 and DOUBLE 8, INT96 12, FIXED_LEN_BYTE_ARRAY
 *   as many as the column has, BYTE_ARRAY length (4) and bytes
 *
 * in the machine's own order. Definition levels count the optional and repeated fields that are
 * there, repetition levels tell which list goes on, both as Parquet has them.
 */
#ifndef TRANSHUME_CONNECTORS_PARQUET_PARQUET_H
#define TRANSHUME_CONNECTORS_PARQUET_PARQUET_H

#include "connectors/columnar/columnar.h"
#include <carquet/carquet.h>
#include <stdio.h>

/* The module's symbol (CONNECTOR_MODULE_SYMBOL). */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;

enum {
    PARQUET_DEPTH_MAX = 64,
    PARQUET_DECIMAL_DIGITS_MAX = 76,
    PARQUET_ROW_CELLS_MAX = 4 << 20,
    PARQUET_ROW_BYTES_MAX = 1 << 30
};

struct parquet_database {
    struct folder folder;
    carquet_compression_t codec;
    uint64_t row_group_bytes; /* of rows, as above */
    bool unit_given;          /* else microseconds, or nanoseconds where a column has such */
    carquet_time_unit_t unit; /* of timestamps and times that are written */
};

/* ---------------------------------------------------------------- layout.c */

enum parquet_form { PARQUET_VALUE, PARQUET_RECORD, PARQUET_LIST, PARQUET_MAP };

/* A column, or what is within one: a LIST has one child, its element; a MAP key and value. */
struct parquet_node {
    const char *name;
    enum parquet_form form;
    bool optional;
    int16_t present; /* the definition level from which on it is not null */
    int16_t repeats; /* LIST, MAP: the repetition level of each element but the first */
    uint32_t leaf;   /* the first of its leaves */
    uint32_t leaf_count;
    struct parquet_node *children;
    uint32_t child_count;
    struct value_type type; /* of its cells */
    /* PARQUET_VALUE: */
    carquet_physical_type_t physical;
    carquet_logical_type_t logical; /* CARQUET_LOGICAL_UNKNOWN: none */
    int32_t width;                  /* bytes of a FIXED_LEN_BYTE_ARRAY */
};

struct parquet_leaf {
    const struct parquet_node *node;
    int16_t definition_max;
    int16_t repetition_max;
};

/* The columns of a file. */
struct parquet_layout {
    struct parquet_node *columns;
    uint32_t column_count;
    struct parquet_leaf *leaves;
    uint32_t leaf_count;
};

/* The layout of a table to write. `required` has a flag a column: never null. In `arena`. */
void parquet_layout_of_columns(const struct parquet_database *database,
                               const struct schema_column *columns, uint32_t count,
                               const bool *required, struct arena *arena,
                               struct parquet_layout *layout);
/* The layout of a file's schema. `refused`: why it can't be read, or NULL. In `arena`. */
void parquet_layout_of_file(const carquet_schema_t *schema, struct arena *arena,
                            struct parquet_layout *layout, const char **refused);
/* NULL: carquet refuses it. The caller frees it. */
carquet_schema_t *parquet_layout_schema(const struct parquet_layout *layout);
/* Bytes of a value in memory as carquet hands it over. */
size_t parquet_value_size(const struct parquet_node *node);

/* ---------------------------------------------------------------- value_write.c, value_read.c */

/* Appends the value of a cell that is not null, in a row's form. STATUS_FAILED: as
 * folder_format.encoder_append, with `out` undefined. */
enum status parquet_value_append(const struct parquet_node *node, const struct cell *cell,
                                 struct arena *scratch, struct buffer *out,
                                 struct error *error) MUST_USE;
/* `value` as carquet hands it over. STATUS_FAILED: a reject, or no memory. */
enum status parquet_value_read(const struct parquet_node *node, const void *value,
                               struct arena *arena, struct cell *cell,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- memory.c */

/*
 * The memory that may be allocated for a file that is read, so that one whose headers claim too
 * much is refused before it takes the machine's memory: so much and so many times the file's own
 * bytes, and half of the machine's memory at most.
 */
enum { PARQUET_MEMORY_BASE = 256 << 20, PARQUET_MEMORY_PER_BYTE = 64 };
struct parquet_memory {
    uint64_t taken;
    uint64_t most;
    uint64_t refused; /* bytes of the first piece that would have been too much; 0: none */
};
/* carquet allocates by what is below from now on. Before the first use of it, on any thread. */
void parquet_memory_prepare(void);
void parquet_memory_begin(struct parquet_memory *memory, uint64_t file_bytes);
/* Memory that carquet allocates and frees on this thread between these two is the file's. */
void parquet_memory_enter(struct parquet_memory *memory);
void parquet_memory_leave(void);
/* Counts what is allocated for the file elsewhere. False: too much. */
bool parquet_memory_take(struct parquet_memory *memory, size_t bytes);

/* ---------------------------------------------------------------- file.c */

/* A file opened for reading; one thread. */
struct parquet_file {
    char *path;
    FILE *stream;
    carquet_reader_t *reader;
    struct parquet_memory memory;
    struct arena *arena;
    struct parquet_layout layout;
    uint64_t rows;
    uint32_t group_count;
    uint64_t *group_rows; /* of each row group */
    enum error_code code; /* of files that can't be read: ERROR_SOURCE_READ; else a target's */
};

enum status parquet_file_open(const char *path, enum error_code code, struct parquet_file **file,
                              struct error *error) MUST_USE;
void parquet_file_close(struct parquet_file *file); /* NULL is fine */
/* The file is not what it should be: `why` says what. */
enum status parquet_file_damaged(const struct parquet_file *file, const char *why,
                                 struct error *error);
/* The same of a failure of carquet's. */
enum status parquet_file_failed(const struct parquet_file *file, const carquet_error_t *why,
                                struct error *error);
/* ---------------------------------------------------------------- leaf.c */

/* The entries of one leaf, one after the other: of a row group, or of one row. */
struct parquet_cursor {
    const struct parquet_leaf *leaf;
    struct parquet_file *file;       /* NULL: of one row, all of it in the arrays */
    carquet_column_reader_t *column; /* NULL: not opened yet */
    uint32_t number;                 /* of the leaf */
    uint32_t group;
    int16_t *definitions;
    int16_t *repetitions;
    uint8_t *values; /* those that are there, one after the other */
    size_t value_size;
    uint32_t capacity; /* entries that the arrays have room for */
    uint32_t count;
    uint32_t at;
    uint32_t value_at;
    uint64_t taken;      /* entries of the row group that were read into the arrays */
    uint64_t kept_bytes; /* of texts that the column reader may hold on to */
};

struct parquet_cursor *parquet_cursors_create(struct parquet_file *file,
                                              const struct parquet_layout *layout,
                                              uint32_t used_count, struct arena *arena);
/* Goes to the begin of a row group. */
void parquet_cursor_place(struct parquet_cursor *cursor, uint32_t group);
void parquet_cursor_close(struct parquet_cursor *cursor);
/* STATUS_OK: cursor->at is an entry; STATUS_END: there are no more. */
enum status parquet_cursor_fill(struct parquet_cursor *cursor, struct error *error) MUST_USE;
static inline enum status parquet_cursor_look(struct parquet_cursor *cursor, struct error *error)
{
    return cursor->at < cursor->count ? STATUS_OK : parquet_cursor_fill(cursor, error);
}
static inline int16_t parquet_cursor_definition(const struct parquet_cursor *cursor)
{
    return cursor->definitions[cursor->at];
}
static inline int16_t parquet_cursor_repetition(const struct parquet_cursor *cursor)
{
    return cursor->repetitions[cursor->at];
}
/* The value of an entry whose definition level is the highest. */
static inline const void *parquet_cursor_value(const struct parquet_cursor *cursor)
{
    return cursor->values + cursor->value_at * cursor->value_size;
}
static inline void parquet_cursor_next(struct parquet_cursor *cursor)
{
    cursor->value_at += cursor->definitions[cursor->at] == cursor->leaf->definition_max;
    cursor->at++;
}

/* ---------------------------------------------------------------- row.c */

/* Puts a value's entries together, from the cursors of all leaves of the layout. */
struct parquet_assembly {
    struct parquet_file *file; /* for messages; NULL: rows of our own */
    struct parquet_cursor *cursors;
    struct arena *arena;
    uint64_t cells;   /* of the row's lists and records so far: at most PARQUET_ROW_CELLS_MAX */
    struct error why; /* the first value that can't be read: a reject; code NONE: none */
};
/* One row's cell of a column. STATUS_FAILED: the file can't be read on. */
enum status parquet_assemble(struct parquet_assembly *assembly, const struct parquet_node *node,
                             struct cell *cell, struct error *error) MUST_USE;
/* Appends what the leaf has of one row, in a row's form. */
enum status parquet_row_append(struct parquet_assembly *assembly, struct parquet_cursor *cursor,
                               struct buffer *out, struct error *error) MUST_USE;
/* Takes a row apart: cursors of all leaves, in `arena`. STATUS_FAILED: it is none. */
enum status parquet_row_parse(const struct parquet_layout *layout, const char *bytes, size_t length,
                              struct arena *arena, struct parquet_cursor **cursors,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- encoder.c, packer.c */

enum status parquet_encoder_create(struct folder *folder, const struct target_table *table,
                                   const struct shape *shape, const struct cell *first,
                                   struct folder_encoder **encoder, struct error *error);
void parquet_encoder_destroy(struct folder_encoder *encoder);
const struct parquet_layout *parquet_encoder_layout(const struct folder_encoder *encoder);

enum status parquet_pack_open(struct folder *folder, const char *path,
                              const struct folder_encoder *encoder,
                              const struct folder_decoder *decoder, struct folder_pack **pack,
                              struct error *error);
enum status parquet_pack_write(struct folder_pack *pack, const void *bytes, size_t length,
                               struct error *error);
enum status parquet_pack_finish(struct folder_pack *pack, struct error *error);
void parquet_pack_abandon(struct folder_pack *pack);

/* ---------------------------------------------------------------- catalog.c */

/* In `arena`. */
void parquet_file_facts(const struct parquet_file *file, struct arena *arena,
                        struct columnar_file *facts);
enum status parquet_describe_table(struct folder *folder, struct folder_table *table,
                                   struct arena *arena, struct schema_table *schema,
                                   struct error *error);
enum status parquet_count(const char *path, uint64_t *records, struct error *error);

/* ---------------------------------------------------------------- decoder.c */

enum status parquet_decoder_open(struct folder *folder, const char *name,
                                 const struct folder_table *table, const struct folder_range *range,
                                 const struct read_request *request,
                                 struct folder_decoder **decoder, struct error *error);
void parquet_decoder_close(struct folder_decoder *decoder);
enum status parquet_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                                 uint32_t rows_max, size_t bytes_max, struct error *error);
enum status parquet_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                             struct error *error);
enum status parquet_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                             struct arena *arena, struct cell *record, struct error *error);
const struct parquet_layout *parquet_decoder_layout(const struct folder_decoder *decoder);

#endif
