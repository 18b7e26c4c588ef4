/*
 * What connectors of files that keep records by column (Parquet, Arrow) have in common, beside the
 * folder room: the columns of all files of a table as one, places in files, the normal form.
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

/* What a file says of itself, in the arena of who asks. */
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

/* ---------------------------------------------------------------- normal.c */

/* folder_format.normal_form: what a value is once it was written, whatever its column's type. */
enum status columnar_normal_form(struct folder *folder, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error);

#endif
