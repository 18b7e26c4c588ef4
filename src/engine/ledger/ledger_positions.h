/* Further contents of a ledger: positions of feeds, intents, and watermarks. */
#ifndef TRANSHUME_ENGINE_LEDGER_LEDGER_POSITIONS_H
#define TRANSHUME_ENGINE_LEDGER_LEDGER_POSITIONS_H

#include "engine/ledger/ledger.h"

/* How far a lane of a feed is in the target. `bytes` are opaque: only the feed orders them. */
struct ledger_position {
    const uint8_t *bytes; /* in the caller's arena */
    uint32_t length;
    uint64_t epoch;   /* of the follow that put it */
    uint64_t version; /* for the next put */
};
/* The functions of the stores that ledger_open_store gives. */
const struct store_functions *ledger_store_functions(const struct ledger *ledger);
/* `store`: the calling thread's own. STATUS_END: none was put yet; `position->version` is then what
 * a first put expects. */
enum status ledger_get_position(struct ledger *ledger, struct store *store, const char *feed,
                                uint32_t lane, struct arena *arena,
                                struct ledger_position *position, struct error *error) MUST_USE;
/* Puts it if the version still stands, and moves the version on. STATUS_AGAIN: another process put
 * one. */
enum status ledger_put_position(struct ledger *ledger, struct store *store, const char *feed,
                                uint32_t lane, struct ledger_position *position,
                                struct error *error) MUST_USE;

/* Removes what an earlier feed of the name left; absent: STATUS_OK. */
enum status ledger_delete_position(struct ledger *ledger, const char *feed, uint32_t lane,
                                   struct error *error) MUST_USE;

/*
 * An intent is put before a step that cannot be part of a transaction (DDL of MySQL, a table of
 * DynamoDB), and deleted after it, so that whoever comes after a crash knows what may be half
 * done. The text is a JSON object of whoever takes the step.
 */
enum status ledger_put_intent(struct ledger *ledger, const char *run_id, const char *name,
                              const char *text, struct error *error) MUST_USE;
/* STATUS_END: there is none of that name. */
enum status ledger_get_intent(struct ledger *ledger, const char *run_id, const char *name,
                              struct arena *arena, const char **text, struct error *error) MUST_USE;
enum status ledger_delete_intent(struct ledger *ledger, const char *run_id, const char *name,
                                 struct error *error) MUST_USE;

/*
 * A watermark says up to where an entity with `since` was read: a JSON object of the engine's
 * (engine/session/since.h). It is of a table and entity of the target, outlives its runs, and keeps
 * the ledger's place when the last run is gone.
 */
/* STATUS_END: there is none; `*text` is then NULL. */
enum status ledger_get_watermark(struct ledger *ledger, const char *table, const char *entity,
                                 struct arena *arena, const char **text,
                                 struct error *error) MUST_USE;
/* In the place of the former one; NULL: removes it. */
enum status ledger_put_watermark(struct ledger *ledger, const char *table, const char *entity,
                                 const char *text, struct error *error) MUST_USE;

#endif
