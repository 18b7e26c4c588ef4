/*
 * Tables without a key, where changes are of whole records that may not be applied twice: such a
 * table has to be read at a moment of which the feed's position is known, and only changes of later
 * transactions are applied. The copy reads it so at the feed's beginning. Where that can't be told
 * of it any more (a copy that was resumed, a resync), or it is to be read again, it is noted here:
 *
 *   noted    before anything is followed, the target's table is emptied, and a feed of its own is
 *            made for the moment that this gives; at that moment the table is read, and put
 *   read     changes of it up to that position are passed over
 *
 * Both stand in the ledger (intent "whole"), by tables of the source. A process that was stopped
 * between them begins with the table again.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_WHOLE_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_WHOLE_H

#include "engine/follow/resync.h"
#include "engine/follow/translate/translate.h"

/* Notes all of these tables of the plan. */
enum status whole_note_all(struct run *run, struct error *error) MUST_USE;
/* These tables of the source are to be read again, in this way or as refresh.h does. */
enum status whole_or_refresh_note(struct run *run, const char *const *tables, uint32_t count,
                                  struct error *error) MUST_USE;

/*
 * Reads what is noted, puts it into the target by `take`, in sets that bring no other position than
 * `at`, and has the translator pass over what it is behind. Between transactions.
 */
enum status whole_read(struct run *run, struct follow_translator *translator, struct position at,
                       resync_take *take, void *context, struct error *error) MUST_USE;

/* Before the feed goes for good: a kill may have left the one that was made for a moment. */
enum status whole_forget(struct run *run, struct error *error) MUST_USE;

#endif
