/* getline, with nothing left unlooked at. */
#include "base/file_lines.h"

#include <errno.h>
#include <stdlib.h>

enum status file_lines_fail(const struct file_lines *lines, struct error *error)
{
    return error_set_errno(error, lines->code, errno, lines->path, "can't be read");
}

enum status file_lines_open(struct file_lines *lines, const char *path, enum error_code code,
                            struct error *error)
{
    *lines = (struct file_lines){.stream = fopen(path, "re"), .path = path, .code = code};
    if (lines->stream != NULL) {
        return STATUS_OK;
    }
    return errno == ENOENT ? STATUS_END : file_lines_fail(lines, error);
}

enum status file_lines_next(struct file_lines *lines, struct error *error)
{
    ssize_t length = getline(&lines->line, &lines->capacity, lines->stream);
    if (length < 0) { /* without memory for the line it is neither end nor error to the stream */
        return feof(lines->stream) ? STATUS_END : file_lines_fail(lines, error);
    }
    lines->length = (size_t)length;
    return STATUS_OK;
}

enum status file_lines_rewind(struct file_lines *lines, struct error *error)
{
    return fseek(lines->stream, 0, SEEK_SET) == 0 ? STATUS_OK : file_lines_fail(lines, error);
}

void file_lines_close(struct file_lines *lines)
{
    free(lines->line);
    fclose(lines->stream);
}
