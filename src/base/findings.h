/* Parts of a file that its reader could not read and passed over: the first of them with their
 * places. */
#ifndef TRANSHUME_BASE_FINDINGS_H
#define TRANSHUME_BASE_FINDINGS_H

#include "base/arena.h"
#include "base/status.h"
#include <stdint.h>

enum { FINDINGS_MAX = 100 };

/* Lines and columns count from 1. */
struct finding {
    uint32_t line;
    uint32_t column;
    const char *what; /* one clean line; lives in the arena */
};

/* Zeroed but for `arena`, it is empty. */
struct findings {
    struct arena *arena;
    uint64_t count; /* all of them */
    uint32_t kept;  /* in `first` */
    struct finding first[FINDINGS_MAX];
};

void findings_add(struct findings *findings, uint32_t line, uint32_t column, const char *format,
                  ...) PRINTF_LIKE(4, 5);

#endif
