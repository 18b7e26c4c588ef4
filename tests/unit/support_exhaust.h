/* An allocator that fails when it is told to, in place of the system's, and what repeats a scenario
 * until it gets through. For one file of a test program; under sanitizers, which bring allocators
 * of their own, the tests are skipped. */
#ifndef TRANSHUME_UNIT_SUPPORT_EXHAUST_H
#define TRANSHUME_UNIT_SUPPORT_EXHAUST_H

#include "base/error.h"
#include "support.h"
#include <errno.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_ARMED_AT_ALL = 0 };
static _Thread_local long allocations_left = -1;
static _Thread_local int fails_once;
static _Thread_local int has_failed;
#else
enum { IS_ARMED_AT_ALL = 1 };
static _Thread_local long allocations_left = -1; /* negative: never fail */
static _Thread_local int fails_once;             /* and not all that follow, too */
static _Thread_local int has_failed;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static int must_fail(void)
{
    if (allocations_left < 0) {
        return 0;
    }
    if (allocations_left == 0) {
        errno = ENOMEM;
        has_failed = 1;
        allocations_left = fails_once ? -1 : 0;
        return 1;
    }
    allocations_left--;
    return 0;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail() ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : realloc(old, bytes);
}
#endif

/* To be called before a test has anything that a skip would leave behind. */
static inline void skip_unless_armed(void)
{
    if (!IS_ARMED_AT_ALL) {
        print_message("allocations can't be made to fail under a sanitizer\n");
        skip();
    }
}

/* True if the scenario got through; a failure is to be MEMORY where there is an error at all. */
typedef int scenario(struct error *error);

static void exhaust(scenario *run, int must_fail_once)
{
    struct error error;
    int failures = 0;
    skip_unless_armed();
    for (long limit = 0; limit < 100000; limit++) {
        error_clear(&error);
        allocations_left = limit;
        int is_through = run(&error);
        allocations_left = -1;
        if (is_through) {
            assert_true(failures > 0 || !must_fail_once);
            return;
        }
        failures++;
        assert_true(error.code == ERROR_MEMORY || error.code == ERROR_NONE);
    }
    fail_msg("never got through");
}

/* Each allocation fails alone, all others are there: whatever the scenario makes of it, it does not
 * crash, and tells of nothing but memory. */
static inline void exhaust_each(scenario *run)
{
    struct error error;
    skip_unless_armed();
    fails_once = 1;
    has_failed = 1;
    for (long limit = 0; has_failed; limit++) {
        error_clear(&error);
        has_failed = 0;
        allocations_left = limit;
        int is_through = run(&error);
        allocations_left = -1;
        assert_true(is_through || has_failed);
        assert_true(error.code == ERROR_MEMORY || error.code == ERROR_NONE);
    }
    fails_once = 0;
}

#endif
