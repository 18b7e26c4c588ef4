/*
 * The contract: the store, where a ledger lives. A place for small named values that survive
 * kill -9, with conditional writes. What the values mean is the ledger's alone
 * (engine/ledger/ledger.h); a database brings these few functions and gets runs, claims, fencing,
 * chunk lists, done marks, scopes and positions from there.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_STORE_H
#define TRANSHUME_CONNECTORS_CONTRACT_STORE_H

#include "connectors/contract/database.h"

/* A connection of its own to the place; one thread. */
struct store;

/* Keys are paths of printable ASCII without blanks, quotes, '%' at their end or NUL:
 * "run/0b6c…/done/0000000012". They are compared byte by byte. */
enum { STORE_KEY_BYTES = 256 /* with the NUL */ };

/* A key's version is 1 when it is put where it was absent, and one more with each further put. Of a
 * key that was deleted and put again it begins anew. */
enum { STORE_ABSENT = 0 };

/* "format" in the ledger's texts (engine/ledger/ledger.h), of which connectors write a few. */
enum { STORE_TEXT_FORMAT = 3 };
#define STORE_ANY_VERSION UINT64_MAX /* for delete_if alone */

/* "guest/ID": the target keeps something of a run beside its store, and the run's ledger is
 * elsewhere: as long as there is one, the place stays. */
#define STORE_GUEST_PREFIX "guest/"

struct store_value {
    const char *text; /* `length` bytes and a NUL, in the caller's arena */
    size_t length;
    uint64_t version;
};

struct store_pair {
    const char *key;
    const char *text;
    size_t length;
};

/* `text` is borrowed for the call. Anything but STATUS_OK ends the scan with that status. */
typedef enum status store_visit(void *context, const char *key, const struct store_value *value,
                                struct error *error);

/*
 * Values are UTF-8 texts of up to `value_bytes_max` bytes. Every acknowledged write is durable, and
 * is seen by every later get and scan of any process. An error of class RETRY changes nothing that
 * a repetition would not; whether a put or delete of unknown outcome was carried out, the caller
 * finds out by reading.
 *
 * Where no place has been made yet, `get` and `scan` find nothing. A place of an older format is
 * ERROR_LEDGER_INVALID with a hint, of a newer one ERROR_FORMAT_NEWER.
 */
struct store_functions {
    uint32_t value_bytes_max;
    bool in_schema; /* open_options.ledger_schema is obeyed; else it is never given */

    enum status (*open)(struct database *self, struct store **store, struct error *error);
    void (*close)(struct store *store); /* takes NULL */

    /* Makes the place, unless it is there; also beside another process that does. */
    enum status (*create)(struct store *store, struct error *error);
    /* Removes the place with everything in it; absent: STATUS_OK. */
    enum status (*drop)(struct store *store, struct error *error);

    /* STATUS_END: there is no such key. */
    enum status (*get)(struct store *store, const char *key, struct arena *arena,
                       struct store_value *value, struct error *error);
    /* Replaces the value if the key still has that version (STORE_ABSENT: if it is absent), as one
     * act. STATUS_AGAIN: it has another one. */
    enum status (*put_if)(struct store *store, const char *key, const char *text, size_t length,
                          uint64_t expected, uint64_t *version, struct error *error);
    /* Deletes the key if it still has that version. STATUS_AGAIN: it has another one. Absent:
     * STATUS_OK. */
    enum status (*delete_if)(struct store *store, const char *key, uint64_t expected,
                             struct error *error);
    /* Visits the keys that begin with `prefix`, in their order. What is put or deleted meanwhile
     * may or may not be visited. A prefix holds at least the first part of its keys with the '/'
     * behind it, of keys under "run/" the first two: a store may keep such keys in places of their
     * own (DynamoDB: in one partition). */
    enum status (*scan)(struct store *store, const char *prefix, store_visit *visit, void *context,
                        struct error *error);

    /* Optional: puts keys that are absent, all or nothing. STATUS_AGAIN: one of them was there.
     * NULL: the ledger puts them one by one. */
    enum status (*put_many)(struct store *store, const struct store_pair *pairs, uint32_t count,
                            struct error *error);
    /* Optional: as `get`, of a key that a session which lost its connection may be about to commit:
     * the answer is final. NULL: `get` is. */
    enum status (*get_settled)(struct store *store, const char *key, struct arena *arena,
                               struct store_value *value, struct error *error);
};

/*
 * A claim on a run, as the target that the run is written into needs it. All borrowed for the call.
 * Where the ledger is in the target itself and has CAPABILITY_TRANSACTIONS, anything that the
 * target commits for the run fails with ERROR_RUN_FENCED unless `guard_key` still has
 * `guard_version`, checked last in the same transaction.
 */
struct run_claim;

/* `extra` is what commit appended to struct done_mark.extra, borrowed for the call; NULL: nothing.
 * Anything but STATUS_OK ends the visit with that status. */
typedef enum status run_mark_visit(void *context, uint64_t chunk, const char *extra, size_t length,
                                   struct error *error);

struct run_claim {
    const char *run_id;
    uint64_t epoch;
    const char *guard_key; /* NULL: the ledger is elsewhere */
    uint64_t guard_version;
    /* Where the ledger is, for what the target notes of the run by its store: another database than
     * the target, or the target itself. It outlives the target. */
    struct database *home;
    bool took_over; /* somebody held it, who may not know yet that it is over */
    /* Visits the run's done marks, in the order of their chunks. */
    enum status (*visit_marks)(const struct run_claim *claim, run_mark_visit *visit, void *context,
                               struct error *error);
    void *marks; /* the engine's, for visit_marks */
};

/* Who works on a run, as far as a database knows it; see connectors/contract/ledger.h. */
struct ledger_holder;

/*
 * For databases where a process can hold a lock that goes with it, however it ends; NULL: claims
 * are leases (database.lease_ms > 0). Control thread.
 */
struct lock_functions {
    /*
     * Takes the lock of the run for this process; again: STATUS_OK. STATUS_AGAIN: another process
     * has it, and `found` says who as far as is known (`run`, where it works on another one and
     * the lock is of the whole database); left empty, it is read from the ledger.
     *
     * `take_over`: what works on the run under `epoch` is ended first, so that nothing of it is
     * committed any more; where the database can't, STATUS_AGAIN as before.
     */
    enum status (*take)(struct database *self, const char *run_id, uint64_t epoch, bool take_over,
                        struct ledger_holder *found, struct error *error);
    void (*give_back)(struct database *self, const char *run_id);
};

#endif
