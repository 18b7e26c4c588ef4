/*
 * Rows: the form that records have between an encoder and a packer, and where files are read raw.
 * A row is its length (4 bytes, with these) and what the format makes of its columns.
 */
#ifndef TRANSHUME_CONNECTORS_COLUMNAR_ROWS_H
#define TRANSHUME_CONNECTORS_COLUMNAR_ROWS_H

#include "connectors/folder/folder.h"
#include <stdio.h>

/* ---------------------------------------------------------------- encoding */

/* The head of a format's struct folder_encoder: its first member. */
struct columnar_encoding {
    struct arena *arena;   /* lives as long as the encoder */
    struct arena *scratch; /* of one record */
    const char **names;    /* of the columns */
    bool *required;        /* of each column: the table says so, and these records have it */
    int32_t *fields;       /* of each column, that of the shape; -1: none has it */
    uint32_t column_count;
    /* Appends a column's cell (NULL: it is not there) in the format's form; what is appended is cut
     * off if it fails. */
    enum status (*append)(struct folder_encoder *encoder, uint32_t column, const struct cell *cell,
                          struct buffer *out, struct error *error);
};

/* A zeroed encoder of so many bytes, whose head is filled in but for `append`. */
enum status columnar_encoder_create(const struct target_table *table, const struct shape *shape,
                                    size_t bytes, struct folder_encoder **encoder,
                                    struct error *error) MUST_USE;
void columnar_encoder_free(struct folder_encoder *encoder); /* what is the head's, and itself */
/* folder_format.encoder_append. */
enum status columnar_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                    struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- reading */

/* Appends the next record to the batch. STATUS_END: there was the last. */
typedef enum status columnar_add_next(struct folder_decoder *decoder, struct batch *batch,
                                      struct error *error);
/* folder_format.decoder_fill. */
enum status columnar_decoder_fill(struct folder_decoder *decoder, columnar_add_next *add_next,
                                  struct batch *batch, uint32_t rows_max, size_t bytes_max,
                                  struct error *error) MUST_USE;
/* A row that is made in `raw`: its head, and once all of it is there its length. */
void columnar_row_begin(struct buffer *raw);
void columnar_row_end(struct buffer *raw, const char **bytes, size_t *length);

/* ---------------------------------------------------------------- packing */

/* A new file that is written. */
FILE *columnar_stream_create(const char *path, struct error *error);
/* ERROR_TARGET_WRITE: what the system says of the stream, else `what` and why. */
enum status columnar_stream_failed(FILE *stream, const char *path, const char *what,
                                   const char *why, struct error *error);
/* All that was written is durable. */
enum status columnar_stream_sync(FILE *stream, const char *path, struct error *error) MUST_USE;
/* Calls `add` for each of the rows, one after the other in `bytes`. */
enum status columnar_rows_each(struct folder_pack *pack, const char *path, const void *bytes,
                               size_t length,
                               enum status (*add)(struct folder_pack *pack, const char *row,
                                                  uint32_t length, struct error *error),
                               struct error *error) MUST_USE;

#endif
