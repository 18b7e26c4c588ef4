/*
 * Included by clang-tidy before each file, never by a build: what the analyzer has to know of
 * functions that it sees from the outside only. Without it, every `return error_set(...)` looks as
 * if it could return STATUS_OK and leave the caller's out-pointers unset.
 */
#ifndef TOOLS_LINT_MODEL_H
#define TOOLS_LINT_MODEL_H

#include "base/error.h"

#define error_set(...) (error_set(__VA_ARGS__), STATUS_FAILED)
#define error_set_errno(...) (error_set_errno(__VA_ARGS__), STATUS_FAILED)

#endif
