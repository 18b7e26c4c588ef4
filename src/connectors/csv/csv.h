/*
 * The csv connector's insides: a format of the folder room.
 *
 *   DIR/<table>/part-<tag>-<chunk>-<entity>-<part>.csv[.gz|.zst]   written and read, each with a
 *                                                                  header line
 *   DIR/_transhume/tables/<table>.json                             types, key and dialect
 */
#ifndef TRANSHUME_CONNECTORS_CSV_CSV_H
#define TRANSHUME_CONNECTORS_CSV_CSV_H

#include "connectors/csv/infer.h"
#include "connectors/csv/reader.h"
#include "connectors/folder/folder.h"
#include "connectors/folder/folder_sidecar.h"

extern const struct connector connector_csv;

enum { CSV_WINDOW_BYTES = 256 * 1024 };

/* A declared type of the URI (`types=`). */
struct csv_declared {
    const char *name; /* of the column */
    struct value_type type;
};

/* Which columns of a target table hold other kinds of values than they declare. */
struct csv_noted {
    struct csv_noted *next;
    const char *table;
    bool *dynamic; /* a flag a column, guarded by the folder's mutex */
};

enum { CSV_RECORD_BYTES_MOST = 1 << 30 }; /* that record_bytes can be: of segments too */

enum { CSV_GIVEN_DELIMITER = 1, CSV_GIVEN_HEADER = 2, CSV_GIVEN_ENCODING = 4 };

struct csv_database {
    struct folder folder; /* first */
    struct csv_dialect dialect;
    bool dialect_given; /* the URI names one of its options: they win over a table's own */
    uint32_t given;     /* which of CSV_GIVEN_… the URI names: those are not recognised */
    bool infer;
    size_t record_bytes_max;
    struct csv_declared *declared; /* by the URI */
    uint32_t declared_count;
    struct csv_noted *noted; /* guarded by the folder's mutex */
};

/* ---------------------------------------------------------------- definition.c */

/* The contents of DIR/_transhume/tables/<table>.json: types, key and the dialect of the files. */
struct csv_definition {
    struct csv_dialect dialect;
    struct folder_sidecar sidecar;
};
/* The same backwards: what `native` says of the type. */
const char *csv_type_text(const struct value_type *type, struct arena *arena);
/* "name:type,name:type"; a comma in a name can't be written so. */
enum status csv_types_read(const char *text, struct arena *arena, struct csv_declared **declared,
                           uint32_t *count, struct error *error) MUST_USE;
/* Missing: STATUS_END. */
enum status csv_definition_read(const char *path, struct arena *arena,
                                struct csv_definition *definition, struct error *error) MUST_USE;
/* The definition that prepare writes; a resume keeps the flags that are there. */
enum status csv_definition_prepare(struct csv_database *database, const struct target_table *table,
                                   const char *path, struct arena *scratch,
                                   struct error *error) MUST_USE;
/*
 * A column whose type is dynamic is declared as such only once it holds a value of another kind:
 * this writes it down, durably, before the chunk with the first such value is done. Any thread.
 */
enum status csv_definition_note(struct csv_database *database, const struct target_table *table,
                                uint32_t column, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- recognise.c */

/* Facts that were recognised, beside the dialect itself. */
struct csv_recognised {
    bool done;
    uint32_t file;        /* that it was recognised in: the first one with contents */
    const char *encoding; /* that a byte order mark says; NULL: UTF-8 */
};
/*
 * Fills in what the URI does not say of a table without a definition: delimiter (by a first line
 * "sep=;" or by trying), whether the first line is a header, whether the text is UTF-8. What is in
 * doubt is refused (ERROR_SOURCE_INVALID), naming the option that decides it.
 */
enum status csv_recognise(const struct csv_database *database, const struct folder_table *table,
                          struct arena *arena, struct csv_dialect *dialect,
                          struct csv_recognised *recognised, struct error *error) MUST_USE;
/* "delimiter=semicolon, header=yes, encoding=utf-8": those that the URI does not name. */
void csv_tell_recognised(const struct csv_database *database, const struct csv_dialect *dialect,
                         const struct csv_recognised *recognised, struct buffer *out);
/* The word that stands for it, or the mark itself in `shown`. */
const char *csv_delimiter_word(char mark, char shown[2]);

/* ---------------------------------------------------------------- catalog.c */

/* Where records begin in a file, some of them. */
struct csv_mark {
    uint64_t byte;
    uint64_t line; /* lines before it */
};

struct csv_file_data {
    bool can_seek;
    bool is_empty;
    uint32_t *field_of_column; /* where each column of the table stands in this file */
    struct csv_mark *marks;    /* rising; all of them once `marked` */
    uint32_t mark_count;
    bool marked;
};

/* Facts that are known of a source table. */
struct folder_table_data {
    struct csv_dialect dialect;
    const char *recognised; /* what was recognised of it, for people; NULL: nothing */
    struct csv_file_data *files;
    struct csv_column_facts *facts; /* of inferred columns; NULL: no pass was made */
    const bool *learned;            /* a flag a column: its type comes from the pass */
    uint64_t faults;                /* records that the pass could not read */
    struct csv_first first_fault;
};

enum status csv_describe_table(struct folder *folder, struct folder_table *table,
                               struct arena *arena, struct schema_table *schema,
                               struct error *error);
/* Every name of `types` is a column's. */
enum status csv_check_tables(struct folder *folder, const struct folder_snapshot *snapshot,
                             struct error *error);
enum status csv_align(struct folder *folder, struct folder_table *table, uint32_t file,
                      uint64_t *byte, struct error *error);
void csv_caveats(const struct folder_table *table, struct buffer *out);
/* The last place at or before a byte where a record is known to begin. Any thread. */
enum status csv_mark_before(struct folder *folder, const struct folder_table *table, uint32_t file,
                            uint64_t byte, struct csv_mark *mark, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- pass.c */

/* Reading all records of a table once, in parallel, for their types and where they begin. */
struct csv_pass {
    const struct csv_database *database;
    const struct folder_table *table;
    struct folder_table_data *data;
    struct arena *arena;
    uint32_t column_count;
    const bool *wanted;  /* which columns to learn; NULL: none, only marks */
    uint32_t file_begin; /* files to read */
    uint32_t file_end;
    uint64_t segment_bytes;         /* 0: as fits the file; tests give small ones */
    uint64_t mark_bytes;            /* least distance of marks, 0: as fits */
    uint32_t threads;               /* 0: as many as there are processors */
    struct csv_column_facts *facts; /* out: column_count of them, zeroed by the caller */
    uint64_t record_count;          /* out */
};
enum status csv_pass_run(struct csv_pass *pass, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- decoder.c, encoder.c */

/* Is the field the dialect's null? */
static inline bool csv_field_is_null(const struct csv_dialect *dialect,
                                     const struct csv_field *field)
{
    return (field->flags & CSV_FIELD_QUOTED) == 0 && field->length == dialect->null_length &&
           (field->length == 0 ||
            __builtin_memcmp(field->text, dialect->null_text, field->length) == 0);
}

enum status csv_decoder_open_range(struct folder *folder, const char *name,
                                   const struct folder_table *table,
                                   const struct folder_range *range,
                                   const struct read_request *request,
                                   struct folder_decoder **decoder, struct error *error);
void csv_decoder_close_range(struct folder_decoder *decoder);
enum status csv_decoder_fill(struct folder_decoder *decoder, struct batch *batch, uint32_t rows_max,
                             size_t bytes_max, struct error *error);
enum status csv_raw_next(struct folder_decoder *decoder, const char **bytes, size_t *length,
                         struct error *error);
enum status csv_raw_read(struct folder_decoder *decoder, const char *bytes, size_t length,
                         struct arena *arena, struct cell *record, struct error *error);
enum status csv_raw_head(struct folder_decoder *decoder, struct buffer *out, struct error *error);

enum status csv_encoder_create(struct folder *folder, const struct target_table *table,
                               const struct shape *shape, const struct cell *first,
                               struct folder_encoder **encoder, struct error *error);
void csv_encoder_destroy(struct folder_encoder *encoder);
enum status csv_encoder_head(struct folder_encoder *encoder, struct buffer *out,
                             struct error *error);
enum status csv_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                               struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- normal.c */

enum status csv_normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                            struct cell *normal, struct error *error);

#endif
