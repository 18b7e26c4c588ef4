/* Lines cut from a file in one growing buffer. */
#include "base/memory.h"
#include "connectors/folder/compression.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES_FIRST = 128 * 1024, LINE_KEPT = 1024, LINE_ROOM = 64 };

struct folder_lines {
    struct folder_input *input;
    char *path;
    char *bytes;
    size_t capacity;
    size_t start; /* of what was not given yet */
    size_t end;
    uint64_t offset; /* of bytes[start] in the contents */
    uint64_t first;  /* of the line given first */
    uint64_t given;  /* of the line given last */
    uint64_t number; /* of the next line */
    uint64_t bound;
    size_t line_bytes_max;
    bool at_end;
};

void folder_lines_close(struct folder_lines *lines)
{
    if (lines != NULL) {
        folder_input_close(lines->input);
        free(lines->bytes);
        free(lines->path);
        free(lines);
    }
}

enum status folder_lines_open(const char *path, uint64_t begin, uint64_t end, size_t line_bytes_max,
                              enum error_code code, struct folder_lines **lines,
                              struct error *error)
{
    struct folder_lines *made = memory_allocate_zeroed(1, sizeof(*made));
    char *line = NULL;
    size_t length = 0;
    bool too_long = false;
    *lines = NULL;
    made->path = memory_copy_string(path);
    made->capacity = BUFFER_BYTES_FIRST;
    made->bytes = memory_allocate(made->capacity);
    made->bound = end == 0 ? UINT64_MAX : end;
    made->line_bytes_max = line_bytes_max;
    made->offset = begin > 0 ? begin - 1 : 0;
    enum status status = folder_input_open(path, made->offset, code, &made->input, error);
    /* From the byte before: if that is a line break, the first line begins at `begin`. */
    if (status == STATUS_OK && begin > 0) {
        uint64_t bound = made->bound;
        made->bound = UINT64_MAX;
        made->line_bytes_max = LINE_KEPT; /* it is passed over, so none of it need be kept */
        status = folder_lines_next(made, &line, &length, &too_long, error);
        status = status == STATUS_END ? STATUS_OK : status;
        made->bound = bound;
        made->line_bytes_max = line_bytes_max;
        made->number = 0;
    }
    if (status != STATUS_OK) {
        folder_lines_close(made);
        return status;
    }
    *lines = made;
    return STATUS_OK;
}

static enum status lines_fill(struct folder_lines *lines, struct error *error)
{
    if (lines->start > 0) {
        memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end == lines->capacity) {
        /* a byte more than the longest line and its end tells that a line is longer */
        size_t most = lines->line_bytes_max + LINE_ROOM;
        size_t capacity = lines->capacity * 2 < most ? lines->capacity * 2 : most;
        capacity = capacity > lines->capacity ? capacity : lines->capacity * 2;
        char *grown = realloc(lines->bytes, capacity);
        if (grown == NULL) {
            return error_set(error, ERROR_MEMORY, lines->path, "no memory for a line");
        }
        lines->bytes = grown;
        lines->capacity = capacity;
    }
    size_t got = 0;
    enum status status = folder_input_read(lines->input, lines->bytes + lines->end,
                                           lines->capacity - lines->end, &got, error);
    if (status == STATUS_END) {
        lines->at_end = true;
        return STATUS_OK;
    }
    lines->end += got;
    return status;
}

/* Reads on to the end of a line whose beginning is all that is kept. */
static enum status skip_rest(struct folder_lines *lines, struct error *error)
{
    const size_t kept = LINE_KEPT;
    lines->end = kept;
    char *rest = lines->bytes + kept;
    size_t room = lines->capacity - kept;
    for (;;) {
        size_t got = 0;
        enum status status = folder_input_read(lines->input, rest, room, &got, error);
        if (status == STATUS_END) {
            lines->at_end = true;
            lines->start = lines->end = kept;
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            return status;
        }
        const char *mark = (const char *)memchr(rest, '\n', got);
        lines->offset += mark != NULL ? (uint64_t)(mark + 1 - rest) : got;
        if (mark != NULL) {
            lines->start = (size_t)(mark + 1 - lines->bytes);
            lines->end = kept + got;
            return STATUS_OK;
        }
    }
}

static void note_given(struct folder_lines *lines)
{
    lines->given = lines->offset;
    lines->first = lines->number == 0 ? lines->offset : lines->first;
}

enum status folder_lines_next(struct folder_lines *lines, char **line, size_t *length,
                              bool *too_long, struct error *error)
{
    size_t searched = 0;
    *too_long = false;
    if (lines->offset >= lines->bound) {
        return STATUS_END;
    }
    for (;;) {
        char *begin = lines->bytes + lines->start;
        size_t available = lines->end - lines->start;
        char *mark = (char *)memchr(begin + searched, '\n', available - searched);
        if (mark != NULL || (lines->at_end && available > 0)) {
            size_t taken = mark != NULL ? (size_t)(mark - begin) : available;
            *line = begin;
            *length = taken > 0 && mark != NULL && begin[taken - 1] == '\r' ? taken - 1 : taken;
            *too_long = *length > lines->line_bytes_max;
            *length = *too_long && *length > LINE_KEPT ? LINE_KEPT : *length;
            note_given(lines);
            taken += mark != NULL ? 1 : 0;
            lines->start += taken;
            lines->offset += taken;
            lines->number++;
            return STATUS_OK;
        }
        if (lines->at_end) {
            return STATUS_END;
        }
        searched = available;
        /* One byte too much may be the first of \r\n. */
        if (available > lines->line_bytes_max + 1 && available > LINE_KEPT) {
            note_given(lines);
            memmove(lines->bytes, begin, available);
            lines->offset += available;
            lines->number++;
            *too_long = true;
            *line = lines->bytes;
            *length = LINE_KEPT;
            return skip_rest(lines, error);
        }
        if (lines_fill(lines, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

static bool is_wide(const char *bytes, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
    } beginnings[] = {{"\xFF\xFE", 2}, {"\xFE\xFF", 2},     {"{\0", 2}, {"\0{", 2},
                      {"\0\0\0{", 4},  {"\0\0\xFE\xFF", 4}, {"[\0", 2}, {"\0[", 2}};
    for (size_t at = 0; at < sizeof(beginnings) / sizeof(*beginnings); at++) {
        if (length >= beginnings[at].length &&
            memcmp(bytes, beginnings[at].bytes, beginnings[at].length) == 0) {
            return true;
        }
    }
    return false;
}

enum status folder_lines_first(char **line, size_t *length, const char *path, enum error_code code,
                               struct error *error)
{
    if (is_wide(*line, *length)) {
        error_set(error, code, path, "it is in UTF-16 or UTF-32, and JSON lines are UTF-8");
        return error_hint(error, "convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW");
    }
    if (*length >= 3 && memcmp(*line, "\xEF\xBB\xBF", 3) == 0) {
        *line += 3;
        *length -= 3;
    }
    return STATUS_OK;
}

/* The line given last with its break as it stands in the file; at the file's end it gets one. */
static enum status take_raw(struct folder_lines *lines, const char *line, const char **bytes,
                            size_t *length, struct error *error)
{
    size_t at = (size_t)(line - lines->bytes);
    *length = lines->start - at;
    if (lines->bytes[lines->start - 1] != '\n') {
        if (lines->start == lines->capacity) {
            char *grown = realloc(lines->bytes, lines->capacity + LINE_ROOM);
            if (grown == NULL) {
                return error_set(error, ERROR_MEMORY, lines->path, "no memory for a line");
            }
            lines->bytes = grown;
            lines->capacity += LINE_ROOM;
        }
        lines->bytes[lines->start] = '\n';
        *length += 1;
    }
    *bytes = lines->bytes + at;
    return STATUS_OK;
}

enum status folder_lines_raw(struct folder_lines *lines, const char *file_name, const char **bytes,
                             size_t *length, struct error *error)
{
    char *line = NULL;
    bool too_long = false;
    enum status status = STATUS_OK;
    do {
        status = folder_lines_next(lines, &line, length, &too_long, error);
    } while (status == STATUS_OK && *length == 0);
    if (status == STATUS_OK && too_long) {
        return error_set(error, ERROR_TARGET_INVALID, file_name,
                         "a record in a segment is not as it was written");
    }
    return status == STATUS_OK ? take_raw(lines, line, bytes, length, error) : status;
}

uint64_t folder_lines_offset(const struct folder_lines *lines)
{
    return lines->given;
}

uint64_t folder_lines_first_offset(const struct folder_lines *lines)
{
    return lines->first;
}

uint64_t folder_lines_number(const struct folder_lines *lines)
{
    return lines->number - 1;
}
