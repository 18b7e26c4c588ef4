/* Declarations that the ledger's files share: keys, and writes that know their own outcome. */
#ifndef TRANSHUME_ENGINE_LEDGER_LEDGER_INTERNAL_H
#define TRANSHUME_ENGINE_LEDGER_LEDGER_INTERNAL_H

#include "engine/ledger/ledger.h"
#include <jansson.h>
#include <pthread.h>

struct ledger {
    struct database *target;
    struct database *home;
    const struct store_functions *functions;
    const struct lock_functions *lock; /* NULL: claims are leases */
    struct store *store;               /* the control thread's */
    struct store *memory;              /* the store of a target that keeps nothing; else NULL */
    struct store *renewing;            /* the renewing thread's; NULL: not opened yet */
    char target_hash[33];              /* of the target's identity; "": the ledger is in it */
    /* The claim that this process has; `run_id` NULL: none. */
    char *run_id;
    uint64_t epoch;
    char *leader_text;
    uint64_t status_version;
    pthread_mutex_t mutex; /* of the next one, which two threads use */
    uint64_t leader_version;
};

/* ---- ledger_store.c */

/* "run/ID" and then `rest` with its arguments; parts that come from outside are escaped with
 * store_name_key before. */
void ledger_key(char key[STORE_KEY_BYTES], const char *run_id, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* {"format":3} to add to; json_decref when done. */
json_t *ledger_object(void);
/* The text of an object in the arena; takes the reference. */
const char *ledger_text(json_t *object, struct arena *arena);
/* Who leads a run, or works in it, and since which epoch; `holder` NULL: nobody. */
const char *ledger_holder_text(uint64_t epoch, const char *holder, struct arena *arena);
/* Parses a value that ledger_object began; another format is ERROR_FORMAT_NEWER or
 * ERROR_FORMAT_OLDER, damage ERROR_LEDGER_INVALID. */
enum status ledger_parse(const struct ledger *ledger, const char *key, const char *text,
                         size_t length, json_t **object, struct error *error) MUST_USE;
enum status ledger_damaged(const struct ledger *ledger, const char *what, struct error *error);
enum status ledger_fenced(const char *run_id, struct error *error);

/* STATUS_END: absent. */
enum status ledger_get(struct ledger *ledger, const char *key, struct arena *arena,
                       struct store_value *value, struct error *error) MUST_USE;
/* As put_if, but a write whose answer got lost is known again by its text; STATUS_AGAIN means that
 * another text stands there. */
enum status ledger_put(struct ledger *ledger, struct store *store, const char *key,
                       const char *text, uint64_t expected, uint64_t *version,
                       struct error *error) MUST_USE;
/* Deletes every key with the prefix. */
enum status ledger_delete_prefix(struct ledger *ledger, const char *prefix,
                                 struct error *error) MUST_USE;

/* The beginning of keys of watermarks. */
#define LEDGER_WATERMARKS "watermark/"

/* ---- ledger_load.c */

struct ledger_runs {
    struct ledger_run_number {
        uint64_t number;
        const char *id;
        bool is_ours; /* into this ledger's target */
    } * items;        /* ascending, in the arena */
    uint32_t count;
};
enum status ledger_read_runs(struct ledger *ledger, struct arena *arena, struct ledger_runs *runs,
                             struct error *error) MUST_USE;
/* Is the run there? */
enum status ledger_exists(struct ledger *ledger, const char *run_id, bool *there,
                          struct error *error) MUST_USE;
/* Is the run there and not completed? */
enum status ledger_is_open(struct ledger *ledger, const char *run_id, bool *open,
                           struct error *error) MUST_USE;
/* The checksum over pages and header, as 32 hexadecimal digits. */
struct ledger_sum;
struct ledger_sum *ledger_sum_begin(void);
void ledger_sum_add(struct ledger_sum *sum, const char *text, size_t length);
void ledger_sum_end(struct ledger_sum *sum, char hex[33]);

/* ---- ledger_claim.c */

/* The claim is given back or gone; nothing is written. */
void ledger_end_claim(struct ledger *ledger, const char *run_id);

/* ---- ledger_scope.c */

/* Takes the scope of each table for the run. STATUS_AGAIN: an unfinished run has one. */
enum status ledger_take_scopes(struct ledger *ledger, const char *run_id, const char *const *tables,
                               uint32_t table_count, struct arena *arena, const char **other,
                               const char **table, struct error *error) MUST_USE;
/* Gives those back that the run has. */
enum status ledger_leave_scopes(struct ledger *ledger, const char *run_id,
                                struct error *error) MUST_USE;
/* The tables that the run's head names. STATUS_END: there is no such run. */
enum status ledger_read_tables(struct ledger *ledger, const char *run_id, struct arena *arena,
                               const char ***tables, uint32_t *count, struct error *error) MUST_USE;

/* ---- ledger_learnt.c */

enum { LEDGER_PIECE_BYTES = 48 * 1024 };
/* The key of a piece of that version of what the run learnt. */
void ledger_learnt_key(char key[STORE_KEY_BYTES], const char *run_id, uint32_t version,
                       uint32_t piece);
/* The value of run/ID/mapping. */
json_t *ledger_learnt_head(uint32_t version, uint32_t pieces, const char *hash);
/* Removes all versions. Repeatable. */
enum status ledger_learnt_forget(struct ledger *ledger, const char *run_id,
                                 struct error *error) MUST_USE;

/* ---- ledger_forget.c */

/* Removes what is left of runs that were being removed. */
enum status ledger_sweep_gone(struct ledger *ledger, struct error *error) MUST_USE;
/* Removes all parts of a run that does not exist any more, or never did. */
enum status ledger_remove_parts(struct ledger *ledger, const char *run_id,
                                struct error *error) MUST_USE;

#endif
