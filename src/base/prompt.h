/* A question on the terminal whose answer nobody sees. */
#ifndef TRANSHUME_BASE_PROMPT_H
#define TRANSHUME_BASE_PROMPT_H

#include "base/status.h"
#include <stddef.h>

/*
 * Writes `question` to standard error and reads a line without echo. STATUS_END: standard input or
 * error is no terminal, or nothing was answered (an empty line, Ctrl-C, Ctrl-D), or more than `size`
 * holds, which it says. The caller wipes
 * `answer`.
 */
enum status prompt_secret(const char *question, char *answer, size_t size) MUST_USE;

#endif
