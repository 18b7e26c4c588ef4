/* What the databases in memory share with each other. */
#ifndef TRANSHUME_UNIT_SUPPORT_ENGINE_INTERNAL_H
#define TRANSHUME_UNIT_SUPPORT_ENGINE_INTERNAL_H

#include "support_engine.h"

struct fake_database {
    struct database head;
    struct fake_store *store;
};

static inline struct fake_store *fake_store_of(struct database *database)
{
    return ((struct fake_database *)database)->store;
}

/* Counts down; true at the event. */
bool fake_strikes(_Atomic int64_t *counter);
/* An error of class RETRY. */
enum status fake_passing(struct error *error, const char *what);
/* Whether the moods strike every so many ids; 0: never. */
bool fake_is_multiple(int64_t id, int64_t every);
/* The number of the table that is read. */
uint32_t fake_table_of(const struct read_request *request);

extern const struct source_functions fake_source_functions;
extern const struct target_functions fake_target_functions;
extern const struct express_functions fake_express_functions;
extern const struct lock_functions fake_lock_functions;

struct database *fake_target_open(struct fake_store *store);
void fake_ledger_make(struct fake_store *store);
enum status fake_claimed(struct database *self, const struct run_claim *claim, struct error *error);
/* Another attempt takes the claim over. */
void fake_fence(struct fake_store *store);
bool fake_is_fenced(struct fake_store *store);

#endif
