/* Memory that does not fail, and the end of the program when there is none. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FAILED = 3 };

#ifdef TRANSHUME_COVERAGE
void __gcov_dump(void);
#endif

/* One of several threads that run out together reports it; the others wait for its end. */
static atomic_flag is_ending = ATOMIC_FLAG_INIT;

_Noreturn void memory_exhausted(size_t wanted_bytes)
{
    while (atomic_flag_test_and_set(&is_ending)) {
        (void)pause();
    }
    char line[200];
    char wanted[40] = "";
    if (wanted_bytes > 0) {
        snprintf(wanted, sizeof(wanted), " (%zu bytes)", wanted_bytes);
    }
    int length = snprintf(line, sizeof(line),
                          "transhume: error: memory: no memory is left%s; what was committed is "
                          "safe, and `transhume resume` continues the run\n",
                          wanted);
    if (write(STDERR_FILENO, line, (size_t)length) != length) {
        /* There is nobody left to report to. */
    }
#ifdef TRANSHUME_COVERAGE
    __gcov_dump();
#endif
    _exit(EXIT_FAILED);
}

void *memory_allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL) {
        memory_exhausted(size);
    }
    return memory;
}

/* 0: more than can be told. */
static size_t product(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? 0 : bytes;
}

void *memory_allocate_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL) {
        memory_exhausted(product(count, size));
    }
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL) {
        memory_exhausted(product(count, size));
    }
    return memory;
}

void *memory_make_room(void *list, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return list;
    }
    if (*capacity > UINT32_MAX / 2) {
        memory_exhausted(0);
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    return memory_resize(list, *capacity, size);
}

char *memory_copy_string(const char *string)
{
    return memory_copy_bytes(string, strlen(string));
}

char *memory_copy_bytes(const void *bytes, size_t length)
{
    char *copy = memory_allocate(length + 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    copy[length] = '\0';
    return copy;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        memory_exhausted(0);
    }
    return text;
}
