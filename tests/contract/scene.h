/* Scenes: something that changes a target, done, killed at each failpoint on its way, and done
 * again. */
#ifndef TESTS_CONTRACT_SCENE_H
#define TESTS_CONTRACT_SCENE_H

#include "contract.h"

struct scene {
    const char *name;
    /* What is there before; ends with all runs given back and no writer open, and leaves in
     * fixture->run_id the run that `act` is done with. False: the target lacks the function. */
    bool (*prepare)(struct fixture *fixture);
    /* The run is claimed, no writer is open. Repeatable. */
    void (*act)(struct fixture *fixture);
    /* After `act`, perhaps killed and repeated; the run may be gone. */
    void (*check)(struct fixture *fixture);
    /* NULL, or after a kill, before `act` is repeated: what a crash may leave. The run is claimed.
     */
    void (*look)(struct fixture *fixture);
    bool ends_run; /* `act` takes the run out of the ledger */
};

/* Once whole and three times in a row, then once for the first, a middle and the last hit of each
 * of the connector's failpoints that it comes by: in a process that dies there, and again after it.
 * Fails where `act` comes by none. */
void scene_play(const struct contract_entry *entry, const struct scene *scene);

/* ---- what scenes are made of */

/* A run with CONTRACT_CHUNKS chunks: made, claimed, table prepared, writer open. */
void scene_begin_run(struct fixture *fixture, const char *run_id, enum existing_policy existing);
/* Chunks of one batch: records `first` to `first + count - 1`. All are written. */
void scene_write(struct fixture *fixture, uint64_t chunk, int64_t first, uint32_t count,
                 const char *value);
/* Writer closed, status "completed", claim given back. */
void scene_end_run(struct fixture *fixture);
/* Loads the run and claims it; false: there is no such run. */
bool scene_claim(struct fixture *fixture, const char *run_id);
/* Does the target take this policy for the fixture's table? */
bool scene_policy_fits(struct fixture *fixture, enum existing_policy existing);
/* "0=old 1=old 5=new": the table's records by id; equal to `expected`. */
void scene_check_records(struct fixture *fixture, const char *expected);
/* The ids of the ledger's runs, with blanks between them. */
void scene_check_runs(struct fixture *fixture, const char *expected);
bool scene_table_exists(struct fixture *fixture);

#endif
