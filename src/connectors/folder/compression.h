/* Files of lines, plain or compressed by gzip or zstd, streamed both ways in bounded memory. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_COMPRESSION_H
#define TRANSHUME_CONNECTORS_FOLDER_COMPRESSION_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum folder_compression { FOLDER_PLAIN, FOLDER_GZIP, FOLDER_ZSTD };

/* "", ".gz" or ".zst". */
const char *folder_compression_suffix(enum folder_compression compression);
/* By the end of a file's name. */
enum folder_compression folder_compression_of(const char *name);
/* By the first bytes of an open file. */
enum folder_compression folder_compression_within(int descriptor);

/* ---------------------------------------------------------------- writing */

struct folder_output;

/* Creates the file (0600; it must not exist). Errors are ERROR_TARGET_WRITE or more exact. */
enum status folder_output_open(const char *path, enum folder_compression compression,
                               struct folder_output **output, struct error *error) MUST_USE;
enum status folder_output_write(struct folder_output *output, const void *bytes, size_t length,
                                struct error *error) MUST_USE;
/* A state of XXH3; XXH3_freeState frees it. */
struct XXH3_state_s *folder_hash_create(void);
/* Tells a file from others: its size, and XXH3-64 of its bytes as they lie on disk. */
struct folder_print {
    uint64_t bytes;
    uint64_t checksum;
};
/* Ends the stream, makes the file durable and closes it, also when it fails. `print` is the file's
 * (may be NULL). */
enum status folder_output_finish(struct folder_output *output, struct folder_print *print,
                                 struct error *error) MUST_USE;
/* The print of a file as it is; STATUS_END: there is none. */
enum status folder_print_file(const char *path, struct folder_print *print,
                              struct error *error) MUST_USE;
/* Closes without more ado; NULL is fine. The file stays. */
void folder_output_abandon(struct folder_output *output);

/* ---------------------------------------------------------------- reading */

/* The bytes of one file, unpacked. */
struct folder_input;

/* From byte `begin` of a plain file; 0 for compressed ones. Errors are `code` or more exact. A
 * source's file that is packed though its name does not say so is refused at its beginning. */
enum status folder_input_open(const char *path, uint64_t begin, enum error_code code,
                              struct folder_input **input, struct error *error) MUST_USE;
/* The same from the beginning, packed as said whatever the file's name. */
enum status folder_input_open_packed(const char *path, enum folder_compression compression,
                                     enum error_code code, struct folder_input **input,
                                     struct error *error) MUST_USE;
void folder_input_close(struct folder_input *input); /* NULL is fine */
/* Between 1 and `capacity` bytes; STATUS_END at the end of a whole file. A file that ends in the
 * middle of a compressed stream is an error. */
enum status folder_input_read(struct folder_input *input, void *bytes, size_t capacity,
                              size_t *length, struct error *error) MUST_USE;

/* The lines of one file. A file that ends in the middle of a compressed stream is an error. */
struct folder_lines;

/* `begin` must be 0 for compressed files. Lines that begin at or after `end` (0: no bound) are not
 * given; a line that began before `begin` is left out. Longer ones than `line_bytes_max` are told
 * as such. Errors are `code` or more exact. */
enum status folder_lines_open(const char *path, uint64_t begin, uint64_t end, size_t line_bytes_max,
                              enum error_code code, struct folder_lines **lines,
                              struct error *error) MUST_USE;
void folder_lines_close(struct folder_lines *lines);
/*
 * The next line without its line break (\n or \r\n), valid until the next call; the last one may
 * lack the break. STATUS_END: no more. `too_long`: the line exceeds line_bytes_max, `line` is its
 * first 1,024 bytes. The caller may change the line's bytes.
 */
enum status folder_lines_next(struct folder_lines *lines, char **line, size_t *length,
                              bool *too_long, struct error *error) MUST_USE;
/* For raw_next of formats of one record a line: the next one with its break; empty lines are none.
 * A line too long is ERROR_TARGET_INVALID on `file_name`. */
enum status folder_lines_raw(struct folder_lines *lines, const char *file_name, const char **bytes,
                             size_t *length, struct error *error) MUST_USE;
/* Takes a file's first line: leaves UTF-8's mark out. A failure with `code`: the file is UTF-16 or
 * UTF-32, by its mark or by the zeros around a first bracket. */
enum status folder_lines_first(char **line, size_t *length, const char *path, enum error_code code,
                               struct error *error) MUST_USE;
/* Where the line given last begins, in bytes of the uncompressed contents. */
uint64_t folder_lines_offset(const struct folder_lines *lines);
/* The same of the line given first. */
uint64_t folder_lines_first_offset(const struct folder_lines *lines);
/* Its number among the lines from `begin` on, from 0. */
uint64_t folder_lines_number(const struct folder_lines *lines);

#endif
