/*
 * `mask: shuffle`: the values of a column change places among the rows of its table.
 *
 * All rows of such a table are read once, its key and the column. Two keyed hashes of the key put
 * them into two orders, and the row that is the nth in the one gets the value of the nth in the
 * other. So each value stays as often as it was, null included; which row gets which depends on the
 * keys of all rows and on the mask's key alone, whatever the chunks are, and is the same in a
 * resume, a comparison and a repair as long as the rows are.
 *
 * They are sorted in a private SQLite file in the spill folder. What is left of a column are three
 * files that are mapped into memory: the first order's hashes, where the nth value is, and the
 * values. A row's look-up takes no lock.
 */
#ifndef TRANSHUME_ENGINE_SHUFFLE_H
#define TRANSHUME_ENGINE_SHUFFLE_H

#include "connectors/contract/connector.h"
#include "plan/plan.h"

struct shuffle; /* of a session; control thread, but for what plan_shuffle.take calls */

/* NULL: the plan shuffles nothing. `spill_folder` may be NULL: then it fails when it is prepared.
 */
struct shuffle *shuffle_create(struct database *source, struct plan *plan, const char *spill_folder,
                               uint64_t memory_bytes);
/* NULL is fine. The plan's columns can't be taken any more. */
void shuffle_destroy(struct shuffle *shuffle);
bool shuffle_is_prepared(const struct shuffle *shuffle);
/* Reads with this reader, and makes plan_shuffle.take work. ERROR_INTERRUPTED: a stop was asked
 * for. */
enum status shuffle_prepare(struct shuffle *shuffle, struct reader *reader,
                            void (*progress)(const char *what), struct error *error) MUST_USE;

#endif
