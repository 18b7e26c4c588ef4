/*
 * The history of a schema in databases without transactions: JSON texts in a store (store.h) that
 * is a place of its own, so that the end of a run does not take it along; and the lock as a lease.
 *
 *   schema/act/NUMBER          an act (struct history_row)
 *   schema/step/NUMBER/STEP    a step of it (struct history_step)
 *   schema/claim               the epoch that may write, and who claimed it
 *   schema/lease               who works now: the holder's text and a number of renewals
 *
 * Times are this program's: such a database has no clock to ask.
 */
#ifndef TRANSHUME_CONNECTORS_COMMON_HISTORY_STORE_H
#define TRANSHUME_CONNECTORS_COMMON_HISTORY_STORE_H

#include "connectors/contract/alter.h"
#include "connectors/contract/store.h"

/* The head of a connector's own session, its first member. */
struct alter_session {
    struct database *database;
    const struct store_functions *functions;
    struct store *store;          /* of that place; closed by history_store_close */
    const char *before_failpoint; /* "toy.before_history" */
    const char *after_failpoint;
    uint64_t epoch;         /* that it claimed; 0: none */
    bool held;              /* the lease */
    uint64_t lease_version; /* of its key, as this session put it */
    uint64_t seen_version;  /* of another one's lease, and when it was first seen */
    int64_t seen_ms;
    char name[64]; /* of the session */
};

/* Fills the head; the store is open. */
void history_store_open(struct alter_session *session, struct database *database,
                        struct store *store, const struct store_functions *functions);
/* Gives the lease back and closes the store. */
void history_store_close(struct alter_session *session);

/* For alter_functions. */
enum status history_store_lock(struct alter_session *session, const struct ledger_holder *self,
                               struct ledger_holder *found, struct error *error);
enum status history_store_make(struct alter_session *session, struct error *error);
enum status history_store_read(struct alter_session *session, history_visit *visit, void *context,
                               struct error *error);
enum status history_store_read_steps(struct alter_session *session, uint64_t number,
                                     history_step_visit *visit, void *context, struct error *error);
enum status history_store_down_text(struct alter_session *session, uint64_t number,
                                    struct arena *arena, const char **text, struct error *error);
enum status history_store_claim_read(struct alter_session *session, struct arena *arena,
                                     struct history_claim *claim, struct error *error);
enum status history_store_claim(struct alter_session *session, uint64_t seen,
                                const struct ledger_holder *self, struct error *error);
enum status history_store_put(struct alter_session *session, const struct history_row *row,
                              struct error *error);
enum status history_store_put_step(struct alter_session *session, const struct history_step *step,
                                   struct error *error);
/* Such a session has no settings: nothing to put back. */
enum status history_store_settle_session(struct alter_session *session, struct error *error);
/* While a request of this process's waits for the server: renews the lease once a third of it is
 * over. */
enum status history_store_keep(struct alter_session *session, struct error *error) MUST_USE;

/* The members that each alter_functions of such a database has. */
#define HISTORY_STORE_FUNCTIONS                                                                   \
    .lock = history_store_lock, .settle_session = history_store_settle_session,                   \
    .history_make = history_store_make, .history_read = history_store_read,                       \
    .history_read_steps = history_store_read_steps, .history_down_text = history_store_down_text, \
    .history_claim_read = history_store_claim_read, .history_claim = history_store_claim,         \
    .history_put = history_store_put, .history_put_step = history_store_put_step

#endif
