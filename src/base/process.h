/* Other programs. */
#ifndef TRANSHUME_BASE_PROCESS_H
#define TRANSHUME_BASE_PROCESS_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/*
 * Runs arguments[0] (NULL ends the list; found by PATH) with `input` as its stdin, and waits for
 * its end. It is in a process group of its own, which a Ctrl-C does not reach; what it prints goes
 * nowhere. When `timeout_ms` is over, it is killed with all that it started. Any thread.
 * STATUS_FAILED (ERROR_USAGE): it can't be started, does not end in time, or not with 0.
 */
enum status process_run(const char *const *arguments, const void *input, size_t input_length,
                        int64_t timeout_ms, struct error *error) MUST_USE;

#endif
