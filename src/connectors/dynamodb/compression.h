/* Files of lines, plain or compressed by gzip or zstd, streamed both ways in bounded memory. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_COMPRESSION_H
#define TRANSHUME_CONNECTORS_DYNAMODB_COMPRESSION_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dynamodb_compression { DYNAMODB_PLAIN, DYNAMODB_GZIP, DYNAMODB_ZSTD };

/* "", ".gz" or ".zst". */
const char *dynamodb_compression_suffix(enum dynamodb_compression compression);
/* By the end of a file's name. */
enum dynamodb_compression dynamodb_compression_of(const char *name);

/* ---------------------------------------------------------------- writing */

struct dynamodb_output;

/* Creates the file (0600; it must not exist). Errors are ERROR_TARGET_WRITE or more exact. */
enum status dynamodb_output_open(const char *path, enum dynamodb_compression compression,
                                 struct dynamodb_output **output, struct error *error) MUST_USE;
enum status dynamodb_output_write(struct dynamodb_output *output, const void *bytes, size_t length,
                                  struct error *error) MUST_USE;
/* Ends the stream, makes the file durable and closes it, also when it fails. `file_bytes` is the
 * file's size (may be NULL). */
enum status dynamodb_output_finish(struct dynamodb_output *output, uint64_t *file_bytes,
                                   struct error *error) MUST_USE;
/* Closes without more ado; NULL is fine. The file stays. */
void dynamodb_output_abandon(struct dynamodb_output *output);

/* ---------------------------------------------------------------- reading */

/* The lines of one file. A file that ends in the middle of a compressed stream is an error. */
struct dynamodb_lines;

/* `begin` must be 0 for compressed files. Lines that begin at or after `end` (0: no bound) are not
 * given; a line that began before `begin` is left out. Errors are `code` or more exact. */
enum status dynamodb_lines_open(const char *path, uint64_t begin, uint64_t end,
                                enum error_code code, struct dynamodb_lines **lines,
                                struct error *error) MUST_USE;
void dynamodb_lines_close(struct dynamodb_lines *lines);
/*
 * The next line without its line break (\n or \r\n), valid until the next call; the last one may
 * lack the break. STATUS_END: no more. `too_long`: the line exceeds DYNAMODB_LINE_BYTES_MAX, `line`
 * is its beginning.
 */
enum { DYNAMODB_LINE_BYTES_MAX = 8 * 1024 * 1024 + 64 };
enum status dynamodb_lines_next(struct dynamodb_lines *lines, const char **line, size_t *length,
                                bool *too_long, struct error *error) MUST_USE;
/* Where the line given last begins, in bytes of the uncompressed contents. */
uint64_t dynamodb_lines_offset(const struct dynamodb_lines *lines);

#endif
