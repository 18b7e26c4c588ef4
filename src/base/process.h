/* Other programs. */
#ifndef TRANSHUME_BASE_PROCESS_H
#define TRANSHUME_BASE_PROCESS_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_request {
    const char *const *arguments; /* NULL ends the list; the first is found by PATH */
    const void *input;            /* its stdin */
    size_t input_length;
    const char *const *environment; /* "NAME=value", NULL-terminated, besides that of this process
                                       and in place of it; NULL: no more */
    /* The program gets only those of this process's variables that any may want (PATH, HOME, LANG,
     * TZ …), and those of the names in `passed` (NULL-terminated; NULL: none); false: all. For
     * programs that a file names, and not the user. */
    bool guarded;
    const char *const *passed;
    int64_t timeout_ms;
    /* Gets each line that it prints on stdout or stderr, without its end, clipped at 1,000 bytes;
     * NULL: what it prints goes nowhere. On the calling thread. */
    void (*line)(void *context, const char *line);
    void *context;
};

/*
 * Runs a program and waits for its end. It is in a process group of its own, which a Ctrl-C does
 * not reach. When the time is over, and at a second Ctrl-C, it is killed with all that it started.
 * Any thread. STATUS_FAILED (ERROR_USAGE; ERROR_INTERRUPTED of that Ctrl-C): it can't be started,
 * does not end in time, or not with 0.
 */
enum status process_run_request(const struct process_request *request,
                                struct error *error) MUST_USE;
/* The same without more than these, whose output goes nowhere, with all variables. */
enum status process_run(const char *const *arguments, const void *input, size_t input_length,
                        int64_t timeout_ms, struct error *error) MUST_USE;

#endif
