/* A file's lines, one by one. What can't be read is an error, never the file's end. */
#ifndef TRANSHUME_BASE_FILE_LINES_H
#define TRANSHUME_BASE_FILE_LINES_H

#include "base/error.h"
#include <stddef.h>
#include <stdio.h>

struct file_lines {
    FILE *stream;
    const char *path; /* borrowed */
    enum error_code code;
    char *line; /* as it was read last, with its end; NUL behind it */
    size_t length;
    size_t capacity;
};

/* What fails, here and later, is `code`, or what error_set_errno makes of it. STATUS_END: there is
 * no such file. Only after STATUS_OK is there anything to be closed. */
enum status file_lines_open(struct file_lines *lines, const char *path, enum error_code code,
                            struct error *error) MUST_USE;
/* The next one, in `line`; the last may lack its end. STATUS_END: there is none. */
enum status file_lines_next(struct file_lines *lines, struct error *error) MUST_USE;
/* To the first line again. */
enum status file_lines_rewind(struct file_lines *lines, struct error *error) MUST_USE;
enum status file_lines_fail(const struct file_lines *lines, struct error *error) MUST_USE;
void file_lines_close(struct file_lines *lines);

#endif
