/* Entries that the target's connector could not read: where each stands, and why. */
#ifndef TRANSHUME_VERIFY_UNREADABLE_H
#define TRANSHUME_VERIFY_UNREADABLE_H

#include "verify/task_sums.h"

/* So much is kept of a table's; of what is beyond it only the number is told. */
enum { UNREADABLE_BYTES_MAX = 256 << 10 };

/* Counts what a batch of the target lacks for that, and names it. */
enum status unreadable_take(struct task_sums *sums, const struct verify_table *table,
                            const struct batch *batch, struct error *error) MUST_USE;
/* A record that is no document. */
enum status unreadable_take_record(struct task_sums *sums, const struct verify_table *table,
                                   const struct batch *batch, uint32_t row,
                                   struct error *error) MUST_USE;
/* The entries that a task named become the table's. With verify->sums_mutex held. */
void unreadable_give(struct task_sums *sums, struct verify_table *table);

#endif
