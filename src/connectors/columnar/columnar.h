/*
 * Code that connectors of files that keep records by column (Parquet, Arrow) have in common, beside
 * the folder room: what a table of a target may be, the columns of all files of a source's table as
 * one, places in files, records out of rows, the normal form.
 *
 * Such a file has groups of rows (row groups, record batches), each read as a whole. Places in it,
 * for folder_range, are where a row would begin were all rows of one length in the file's bytes.
 */
#ifndef TRANSHUME_CONNECTORS_COLUMNAR_COLUMNAR_H
#define TRANSHUME_CONNECTORS_COLUMNAR_COLUMNAR_H

#include "connectors/folder/folder.h"

struct columnar_column {
    const char *name;
    struct value_type type; /* of its cells */
    bool not_null;
};

/* The facts that a file tells of itself, in the arena of who asks. */
struct columnar_file {
    const struct columnar_column *columns;
    uint32_t column_count;
    uint64_t rows;
    const uint64_t *group_rows;
    uint32_t group_count;
};
/* A type and what is within it, in `arena`. */
struct value_type columnar_keep_type(const struct value_type *type, struct arena *arena);
typedef enum status columnar_look(const char *path, struct arena *arena, struct columnar_file *file,
                                  struct error *error);

/* ---------------------------------------------------------------- catalog.c */

/*
 * folder_format.describe_table, by what `look` tells of each of the files: columns of one name are
 * one column, of the type that holds the values of all; a file that lacks one is told of as a
 * caveat. ERROR_SOURCE_INVALID: two files have types that no type holds, or a name twice.
 */
enum status columnar_describe_table(struct folder *folder, struct folder_table *table,
                                    columnar_look *look, struct arena *arena,
                                    struct schema_table *schema, struct error *error) MUST_USE;
/* folder_format.caveats and .align, folder_packing.row_bytes of tables described so. */
void columnar_caveats(const struct folder_table *table, struct buffer *out);
enum status columnar_align(struct folder *folder, struct folder_table *table, uint32_t file,
                           uint64_t *byte, struct error *error);
enum status columnar_row_bytes(struct folder *folder, const struct folder_table *table,
                               uint64_t *bytes, struct error *error);
/* The place of a row of a file of so many bytes and rows. */
uint64_t columnar_place_of_row(uint64_t bytes, uint64_t rows, uint64_t row);

/* ---------------------------------------------------------------- table.c */

/* folder_format.check_table; `format` is what people call it. */
void columnar_check_table(const char *format, const struct target_table *table,
                          const struct shape *const *shapes, uint32_t shape_count,
                          struct buffer *out);
/* folder_format.write_definition. */
enum status columnar_write_definition(struct folder *folder, const struct target_table *table,
                                      const char *path, bool finish, struct arena *scratch,
                                      struct error *error);

/* ---------------------------------------------------------------- reading.c */

/* A column of a file that is read. */
struct columnar_wanted {
    uint32_t column; /* of the file */
    const char *name;
    const struct value_type *type; /* of the table, where it is another one; else NULL */
    struct cell cell;              /* of the row in hand */
};

/* A decoder's state within a range; the format fills the cells of `wanted` row by row. */
struct columnar_reading {
    const struct folder_table *table; /* NULL: a target's file, raw */
    const struct read_request *request;
    const char *file_name;
    struct columnar_wanted *wanted; /* of a request those that it names; else all of the file */
    uint32_t wanted_count;
    int32_t *cells; /* of each of the request's columns: its number in `wanted`, or below 0 */
    uint64_t begin; /* places of the groups of rows of the range */
    uint64_t end;
    uint64_t bytes;   /* of the file as the snapshot has it, for places */
    uint64_t row;     /* rows of the file before the one in hand */
    struct error why; /* the first value of the row that can't be read: a reject; code NONE */
};

/* Begins to read a range of a file with such columns. All in `arena`, which the columns' names
 * outlive. The range's names are copied. */
enum status columnar_reading_begin(struct columnar_reading *reading, struct folder *folder,
                                   const char *name, const struct folder_table *table,
                                   const struct folder_range *range,
                                   const struct read_request *request,
                                   const struct columnar_file *file, struct arena *arena,
                                   struct error *error) MUST_USE;
/* Whether the group that begins with `row` is the range's. */
bool columnar_reading_holds(const struct columnar_reading *reading, uint64_t file_rows);
/* Turns a cell to what the table's column has, if that is another type. Sets `why`. */
void columnar_reading_convert(struct columnar_reading *reading, struct columnar_wanted *wanted,
                              struct arena *arena);
/* The wanted cells as a MAP. */
struct cell columnar_reading_document(const struct columnar_reading *reading, struct arena *arena);
/* Appends the row in hand to the batch, or tells that it is refused for `why`, and goes on to the
 * next. STATUS_FAILED: `why` is no reject. */
enum status columnar_reading_take(struct columnar_reading *reading, struct batch *batch,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- normal.c */

/* folder_format.normal_form: what a value is once it was written, whatever its column's type. */
enum status columnar_normal_form(struct folder *folder, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error);

#endif
