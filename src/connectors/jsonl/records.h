/* The records of one file, one after the other: lines, or the elements of one JSON array. */
#ifndef TRANSHUME_CONNECTORS_JSONL_RECORDS_H
#define TRANSHUME_CONNECTORS_JSONL_RECORDS_H

#include "base/error.h"
#include "connectors/folder/compression.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- array.c */

/*
 * A file that is one JSON array, read element by element in the memory of the largest one; how the
 * file is broken into lines does not matter. Elements end where their brackets and quotes do, so a
 * malformed one costs itself alone. What can't be read on is ERROR_SOURCE_INVALID: a missing comma,
 * an array that does not end, anything but blanks behind it.
 */
struct jsonl_array;

enum status jsonl_array_open(const char *path, size_t element_bytes_max, enum error_code code,
                             struct jsonl_array **array, struct error *error) MUST_USE;
void jsonl_array_close(struct jsonl_array *array); /* NULL is fine */
/* The next element, valid until the next call. STATUS_END: the array and the file end. `too_long`:
 * it exceeds element_bytes_max, `text` is its first 1,024 bytes. */
enum status jsonl_array_next(struct jsonl_array *array, char **text, size_t *length, bool *too_long,
                             struct error *error) MUST_USE;
/* The place of the element given last: its number and its line, from 1, and its first byte. */
uint64_t jsonl_array_number(const struct jsonl_array *array);
uint64_t jsonl_array_line(const struct jsonl_array *array);
uint64_t jsonl_array_byte(const struct jsonl_array *array);

enum jsonl_contents {
    JSONL_NOTHING, /* blanks alone */
    JSONL_LINES,
    JSONL_ARRAY,         /* begins with [ */
    JSONL_RECORDS_ARRAY, /* begins with [ and then { or ] */
    JSONL_ONE_VALUE      /* an object over several lines */
};
/* The contents of a file, as its beginning tells them. A packed one is unpacked for that. */
enum status jsonl_look_at(const char *path, enum error_code code, enum jsonl_contents *contents,
                          struct error *error) MUST_USE;

/* ---------------------------------------------------------------- records.c */

struct jsonl_records;

/* Bounds are those of lines (folder_lines_open); an array is read whole. */
struct jsonl_records_request {
    const char *path;
    bool array;
    uint64_t begin;
    uint64_t end;
    size_t record_bytes_max;
    enum error_code code;      /* of a file that can't be read */
    enum error_code wide_code; /* of one in UTF-16 or UTF-32 */
};
enum status jsonl_records_open(const struct jsonl_records_request *request,
                               struct jsonl_records **records, struct error *error) MUST_USE;
void jsonl_records_close(struct jsonl_records *records); /* NULL is fine */
/* The next record without the blanks around it; blank lines are none. As jsonl_array_next. */
enum status jsonl_records_next(struct jsonl_records *records, char **text, size_t *length,
                               bool *too_long, struct error *error) MUST_USE;
/* Where the record given last begins. */
uint64_t jsonl_records_byte(const struct jsonl_records *records);
/* NULL: the other one is. */
struct folder_lines *jsonl_records_lines(const struct jsonl_records *records);
const struct jsonl_array *jsonl_records_array(const struct jsonl_records *records);

#endif
