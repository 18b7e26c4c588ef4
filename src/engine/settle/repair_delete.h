/* The records that a repair takes out of the target before it writes: the keys that a validation
 * listed. */
#ifndef TRANSHUME_ENGINE_SETTLE_REPAIR_DELETE_H
#define TRANSHUME_ENGINE_SETTLE_REPAIR_DELETE_H

#include "engine/session/session.h"

/*
 * The list is `delete.jsonl` in the state folder, a line each: {"table":"NAME","key":{…}}, the key
 * in the target's normal form as typed_json.h has it; of a table without a key all of the record.
 * After a crash among them they are taken out again, which does no harm where there is a key, since
 * nothing is written before all are out; records without one are taken out by the run's first
 * attempt only, so that none goes for which another went already: what may have gone in a call that
 * failed is not tried again either. Once all are out the ledger's status says so, and none is taken
 * out any more: their keys may be of what the run wrote. It counts what went and left images, call
 * by call, so that a rollback misses those that are lost.
 */
enum { REPAIR_DELETE_KEYS_MAX = 500 };
/* One line of it: the table's name, and the key as a MAP. */
enum status repair_delete_parse(const struct run *run, const char *line, size_t length,
                                struct arena *arena, struct cell *name, struct cell *fields,
                                struct error *error) MUST_USE;
/* Before the run's header is written: it vouches for the list, which has to be the one that was
 * made (options.delete_hash). */
enum status repair_delete_bind(struct run *run, struct error *error) MUST_USE;
/* Durable on return. Also of a run that empties tables (emptying.h), which has its own list. */
enum status repair_delete_listed(struct run *run, struct error *error) MUST_USE;
/*
 * Once all is out and written, in each attempt that comes so far: asks the target which records
 * refer to a table of the list and have no partner, since no foreign key may have answered, and
 * warns of them. They change no exit status: the target holds what the plan makes. STATUS_END:
 * stopped on request.
 */
enum status repair_delete_tell_partnerless(struct run *run, struct error *error) MUST_USE;

/* Does the target take a record in the place of one with its key? */
bool repair_replaces(const struct run *run, const struct target_table *table);

#endif
