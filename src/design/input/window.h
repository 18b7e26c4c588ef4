/* A file read through a window that grows to a bound: for lines, records and statements of any
 * length. */
#ifndef TRANSHUME_DESIGN_INPUT_WINDOW_H
#define TRANSHUME_DESIGN_INPUT_WINDOW_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>

enum { WINDOW_BYTES = 64 << 10, WINDOW_BYTES_MAX = 2 << 20 };

struct window {
    int descriptor;
    const char *path; /* borrowed */
    struct buffer bytes;
    size_t begin;  /* what is before was read */
    bool last;     /* the file's end is in it */
    uint64_t line; /* of the byte at `begin`, from 1 */
};

/* STATUS_FAILED: there is no such file, or it cannot be read. */
enum status window_open(struct window *window, const char *path, struct error *error) MUST_USE;
void window_close(struct window *window);
static inline const char *window_text(const struct window *window)
{
    return window->bytes.data != NULL ? window->bytes.data + window->begin : "";
}
static inline size_t window_length(const struct window *window)
{
    return window->bytes.length - window->begin;
}
/* More bytes behind those that are there. STATUS_END: the file has no more; STATUS_AGAIN: it is as
 * large as it may be. */
enum status window_grow(struct window *window, struct error *error) MUST_USE;
/* Steps over bytes and counts their lines. */
void window_take(struct window *window, size_t length);
/* Steps over bytes that were changed, and had so many lines. */
void window_take_lines(struct window *window, size_t length, uint64_t lines);
/* A line without its end, and the bytes that it takes with it. A longer one than the window may be
 * comes in several pieces, all but the last with `cut`. STATUS_END: there is none. */
struct window_line {
    const char *text;
    size_t length;
    size_t taken;
    bool cut;
};
enum status window_line(struct window *window, struct window_line *line,
                        struct error *error) MUST_USE;

#endif
