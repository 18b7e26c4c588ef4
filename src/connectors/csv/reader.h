/* Records of a piece of one file: windows of bytes, unpacked and turned into UTF-8. */
#ifndef TRANSHUME_CONNECTORS_CSV_READER_H
#define TRANSHUME_CONNECTORS_CSV_READER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/csv/scan.h"

enum { CSV_FIELDS_MAX = 65535 };

struct csv_reading {
    const struct csv_dialect *dialect;
    const char *path;
    uint64_t begin; /* where a record begins; 0 where csv_reader_can_seek says no */
    uint64_t end;   /* where one begins or the file ends; UINT64_MAX: to the end of the file */
    uint32_t field_capacity;
    size_t record_bytes_max;
    size_t window_bytes; /* read at once */
};

struct csv_reader;

enum status csv_reader_open(const struct csv_reading *reading, struct csv_reader **reader,
                            struct error *error) MUST_USE;
void csv_reader_close(struct csv_reader *reader); /* NULL is fine */

/*
 * Reads on into a new window, which lives in `arena` (NULL: the reader's own, until the next call).
 * What was not taken of the last window comes first in it. STATUS_END: nothing is left.
 */
enum status csv_reader_fill(struct csv_reader *reader, struct arena *arena,
                            struct error *error) MUST_USE;
/* The next record of the window. STATUS_END: fill it first (or nothing is left). A line beyond the
 * largest record comes as one field, its first bytes, with CSV_TOO_LONG. */
enum status csv_reader_next(struct csv_reader *reader, struct csv_record *record) MUST_USE;
/* Keeps what the window still has, since its arena is about to go. */
enum status csv_reader_keep(struct csv_reader *reader, struct error *error) MUST_USE;

/* The place of the record given last: its first byte in the file, the byte behind it, and its first
 * line (from 0: lines of this piece). */
uint64_t csv_reader_byte(const struct csv_reader *reader);
uint64_t csv_reader_byte_end(const struct csv_reader *reader);
uint64_t csv_reader_line(const struct csv_reader *reader);
/* How the record stands there, with its line end. */
const char *csv_reader_raw(const struct csv_reader *reader, size_t *length);
/* The window is the reader's own, not in the arena that fill was given: a record that is larger
 * than a window. */
bool csv_reader_lends(const struct csv_reader *reader);
/* All of the window is UTF-8. */
bool csv_reader_is_utf8(const struct csv_reader *reader);

/* Whether records may be read from other places than the begin: a plain file in UTF-8. */
enum status csv_reader_can_seek(const struct csv_dialect *dialect, const char *path, bool *can,
                                struct error *error) MUST_USE;

/* recognise.c: "sep=;" with or without its line end. */
bool csv_is_sep_line(const char *line, size_t length, char *delimiter);

/* encoding.c */
struct csv_decoder; /* bytes of another encoding to UTF-8 */
/* `name` NULL: UTF-8, and a BOM of UTF-16 or UTF-32 wins. */
enum status csv_decoder_open(const char *name, const char *path, struct csv_decoder **decoder,
                             struct error *error) MUST_USE;
void csv_decoder_close(struct csv_decoder *decoder);
/* The BOM's encoding, NULL: none (or UTF-8's). `length` in: bytes there; out: the BOM's. */
const char *csv_encoding_of_bom(const char *bytes, size_t *length);
/*
 * Takes from `*from` and gives to `*to`, as far as both have room. Bytes that mean nothing become
 * 0xFF, which no UTF-8 text has. `last`: nothing follows.
 */
enum status csv_decoder_convert(struct csv_decoder *decoder, const char **from, size_t *from_length,
                                char **to, size_t *to_length, bool last,
                                struct error *error) MUST_USE;
/* The other way, for a whole text: appends to `out`. STATUS_FAILED: ERROR_REJECT_TEXT where the
 * encoding has no such character. `name` as csv_encoding_written gives it. */
enum status csv_encode(const char *name, const char *text, size_t length, struct buffer *out,
                       struct error *error) MUST_USE;
/* The encoding that is written for a named one: "UTF-16" as UTF-16LE behind a BOM. */
const char *csv_encoding_written(const char *name);
/* U+FEFF as UTF-8 where a BOM is wanted or the encoding needs one. */
bool csv_encoding_wants_bom(const struct csv_dialect *dialect);

#endif
