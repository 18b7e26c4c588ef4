#include "design/input/window.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum status window_open(struct window *window, const char *path, struct error *error)
{
    *window = (struct window){.path = path, .line = 1};
    window->descriptor = file_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (window->descriptor < 0) {
        return error_set_errno(error, ERROR_SOURCE_MISSING, errno, path, "cannot be opened");
    }
    return STATUS_OK;
}

void window_close(struct window *window)
{
    if (window->descriptor >= 0) {
        file_close(window->descriptor);
    }
    buffer_free(&window->bytes);
}

enum status window_grow(struct window *window, struct error *error)
{
    struct buffer *bytes = &window->bytes;
    if (window->last) {
        return STATUS_END;
    }
    if (window->begin > 0) {
        memmove(bytes->data, bytes->data + window->begin, window_length(window));
        bytes->length -= window->begin;
        window->begin = 0;
    }
    if (bytes->length >= WINDOW_BYTES_MAX) {
        return STATUS_AGAIN;
    }
    /* doubling: what is looked through again stays in proportion */
    size_t wanted = bytes->length > WINDOW_BYTES ? bytes->length : WINDOW_BYTES;
    buffer_reserve(bytes, wanted);
    ssize_t got = file_read(window->descriptor, bytes->data + bytes->length, wanted);
    if (got < 0) {
        return error_set_errno(error, ERROR_FILE_READ, errno, window->path, "cannot be read");
    }
    bytes->length += (size_t)got;
    window->last = got == 0;
    return window->last ? STATUS_END : STATUS_OK;
}

void window_take_lines(struct window *window, size_t length, uint64_t lines)
{
    window->begin += length;
    window->line += lines;
}

void window_take(struct window *window, size_t length)
{
    const char *at = window_text(window);
    const char *end = at + length;
    while (length > 0 && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        window->line++;
        at++;
    }
    window->begin += length;
}

enum status window_line(struct window *window, struct window_line *line, struct error *error)
{
    size_t looked = 0;
    for (;;) {
        size_t length = window_length(window);
        const char *text = window_text(window);
        const char *end = length > looked ? memchr(text + looked, '\n', length - looked) : NULL;
        if (end != NULL) {
            size_t size = (size_t)(end - text);
            bool carriage = size > 0 && text[size - 1] == '\r';
            *line = (struct window_line){text, size - (carriage ? 1 : 0), size + 1, false};
            return STATUS_OK;
        }
        looked = length;
        enum status status = window_grow(window, error);
        if (status == STATUS_FAILED || (status == STATUS_END && length == 0)) {
            return status;
        }
        if (status != STATUS_OK) {
            *line = (struct window_line){window_text(window), window_length(window),
                                         window_length(window), status == STATUS_AGAIN};
            return STATUS_OK;
        }
    }
}
