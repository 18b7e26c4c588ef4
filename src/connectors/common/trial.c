/* Helpers of connectors that try records for check. */
#include "connectors/common/trial.h"

#include "base/memory.h"

const struct cell *trial_cells(const struct shape *shape, const struct cell *cells,
                               const bool *passed, struct cell **copy, uint32_t *capacity)
{
    bool any = false;
    uint32_t count = shape != NULL ? shape->field_count : 0;
    for (uint32_t at = 0; at < count && passed != NULL; at++) {
        any = any || passed[at];
    }
    if (!any) {
        return cells;
    }
    if (*capacity < count) {
        *copy = memory_resize(*copy, count, sizeof(**copy));
        *capacity = count;
    }
    for (uint32_t at = 0; at < count; at++) {
        (*copy)[at] = passed[at] ? (struct cell){.kind = VALUE_MISSING} : cells[at];
    }
    return *copy;
}
