/*
 * Streams that are not followed any more, since one of their changes can't be: a column that is
 * gone, a row before its change that the source does not tell, a table that was emptied whole. The
 * rest goes on. They stand in the ledger (intent "left") until a resync puts them right.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_UNFOLLOWED_H
#define TRANSHUME_ENGINE_FOLLOW_UNFOLLOWED_H

#include "engine/follow/reread.h"

/* Reads which tables earlier attempts left. */
enum status unfollowed_take(struct run *run, struct follow_translator *translator,
                            struct error *error) MUST_USE;
/* The ledger's list into run->left, for who only asks. */
enum status unfollowed_look(struct run *run, struct error *error) MUST_USE;
/* Leaves what is made of the table, one of whose columns is gone. `touched` (may be NULL) has
 * nothing of it any more. */
enum status unfollowed_by_table(struct run *run, const struct follow_routes *routes,
                                struct follow_translator *translator, struct touched_roots *touched,
                                const char *table, const char *column,
                                struct error *error) MUST_USE;
/* The same for another reason, with what helps. */
enum status unfollowed_for(struct run *run, const struct follow_routes *routes,
                           struct follow_translator *translator, struct touched_roots *touched,
                           const char *table, const char *reason, struct error *error) MUST_USE;
/* Before what was translated is applied: notes and tells those that are new. */
enum status unfollowed_note(struct run *run, struct follow_translator *translator,
                            struct error *error) MUST_USE;
/* Leaves the streams that the routes refuse. */
enum status unfollowed_refused(struct run *run, const struct follow_routes *routes,
                               struct follow_translator *translator, struct error *error) MUST_USE;
/* Both sides are the same again. */
enum status unfollowed_forget(struct run *run, struct follow_translator *translator,
                              struct error *error) MUST_USE;

#endif
