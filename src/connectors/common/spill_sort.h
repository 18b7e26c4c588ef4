/* Sorting more byte strings than fit into memory: sorted runs on disk, merged when read. */
#ifndef TRANSHUME_CONNECTORS_COMMON_SPILL_SORT_H
#define TRANSHUME_CONNECTORS_COMMON_SPILL_SORT_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct spill_sorter;

/* `prefix` is the beginning of the run files' paths; they are removed by destroy. `memory_bytes`
 * bounds what is held; one string at most a quarter of it. */
struct spill_sorter *spill_sorter_create(const char *prefix, size_t memory_bytes);
void spill_sorter_destroy(struct spill_sorter *sorter); /* NULL is fine */
enum status spill_sorter_add(struct spill_sorter *sorter, const void *bytes, size_t length,
                             struct error *error) MUST_USE;
/* After the last add, before the first next. */
enum status spill_sorter_finish(struct spill_sorter *sorter, struct error *error) MUST_USE;
/* In the order of memcmp, shorter first; valid until the next call. STATUS_END: no more. */
enum status spill_sorter_next(struct spill_sorter *sorter, const uint8_t **bytes, size_t *length,
                              struct error *error) MUST_USE;

#endif
