/*
 * Preloaded into the program by test_memory.py: the allocation number FAIL_AT, counted from 0, and
 * all after it fail, or all of more than FAIL_ABOVE bytes; only those count that the program itself
 * asks for. With FAIL_REPORT=FILE their number is written there at the end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_long asked;
static long fail_at = -1;
static size_t fail_above = SIZE_MAX;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_AT");
    const char *above = getenv("FAIL_ABOVE");
    fail_at = at != NULL ? strtol(at, NULL, 10) : -1;
    fail_above = above != NULL ? strtoul(above, NULL, 10) : SIZE_MAX;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_REPORT");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL) {
        fprintf(file, "%ld\n", atomic_load(&asked));
        fclose(file);
    }
}

static bool must_fail(void *caller, size_t size)
{
    struct dl_find_object found;
    bool is_of_program =
        _dl_find_object(caller, &found) == 0 && found.dlfo_link_map->l_name[0] == '\0';
    if (!is_of_program) {
        return false;
    }
    long number = atomic_fetch_add(&asked, 1);
    if ((fail_at < 0 || number < fail_at) && size <= fail_above) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0), size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    bool fails = __builtin_mul_overflow(count, size, &bytes);
    return fails || must_fail(__builtin_return_address(0), bytes) ? NULL
                                                                  : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(__builtin_return_address(0), size) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    bool fails = __builtin_mul_overflow(count, size, &bytes);
    return fails || must_fail(__builtin_return_address(0), bytes) ? NULL
                                                                  : __libc_realloc(old, bytes);
}
