/*
 * Memory from the system. Running out of it ends the program: exit code 3, one line on stderr, and
 * the run can be resumed as after `kill -9`. So these functions do not fail, and their callers
 * check nothing.
 *
 * Only a size that comes from data (a value, a row, a reply, a file) and may be above
 * MEMORY_DATA_BYTES is tried instead: with malloc and realloc themselves, arena_try_allocate or
 * buffer_try_reserve. Its failure becomes a reject or an error with ERROR_MEMORY.
 */
#ifndef TRANSHUME_BASE_MEMORY_H
#define TRANSHUME_BASE_MEMORY_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_DATA_BYTES = 1 << 20 };

/* Ends the program; `wanted_bytes` 0: not known. For wrappers of libraries that report running out
 * of memory in a way of their own. Any thread. */
_Noreturn void memory_exhausted(size_t wanted_bytes);

/* All of these are freed with free(). Sizes that overflow count as memory that ran out. */
void *memory_allocate(size_t size) __attribute__((malloc, returns_nonnull));
void *memory_allocate_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* As reallocarray(): `old` may be NULL. */
void *memory_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
/* The list itself, if it has room for one more element of `size`, else a larger one; grows
 * `*capacity`. */
void *memory_make_room(void *list, uint32_t count, uint32_t *capacity, size_t size)
    __attribute__((returns_nonnull));
char *memory_copy_string(const char *string) __attribute__((malloc, returns_nonnull));
/* `length` bytes with a NUL after them. */
char *memory_copy_bytes(const void *bytes, size_t length) __attribute__((malloc, returns_nonnull));
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2)
    __attribute__((malloc, returns_nonnull));

#endif
