/* The collector of a plan's faults: all of them, each with its place, and the first one as the
 * error. */
#ifndef TRANSHUME_PLAN_TEXT_FAULTS_H
#define TRANSHUME_PLAN_TEXT_FAULTS_H

#include "base/buffer.h"
#include "base/error.h"
#include "plan/text/document.h"

enum { PLAN_FAULT_LINES_MAX = 200 };

struct plan_faults {
    const char *file;     /* how the plan is named in messages */
    const char *what;     /* "plan", or what else the file is */
    struct buffer *lines; /* one line a fault; may be NULL */
    struct error first;
    uint32_t count;
    uint32_t unknown_keys; /* of them: the plan can be read without these */
};

void plan_faults_init(struct plan_faults *faults, const char *file, struct buffer *lines);

/* `node` (may be NULL) says the place; `hint` (may be NULL) what to do. */
void plan_fault(struct plan_faults *faults, enum error_code code, const struct plan_node *node,
                const char *hint, const char *format, ...) PRINTF_LIKE(5, 6);
void plan_fault_at(struct plan_faults *faults, enum error_code code, uint32_t line, uint32_t column,
                   const char *hint, const char *format, ...) PRINTF_LIKE(6, 7);

/* STATUS_OK without faults; else fills `error` with the first one and their number. */
enum status plan_faults_result(const struct plan_faults *faults, struct error *error) MUST_USE;

/* "did you mean 'X'?" or, with few names, "known are: …" into `hint`; returns it. */
const char *plan_nearest_hint(const char *name, const char *const *names, size_t count, char *hint,
                              size_t capacity);

#endif
