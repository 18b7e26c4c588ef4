/* Columns of the target's tables that came, or hold more, since the run began. */
#ifndef TRANSHUME_ENGINE_FOLLOW_GROW_H
#define TRANSHUME_ENGINE_FOLLOW_GROW_H

#include "engine/follow/translate/translate.h"

/* Notes that what is made of the source's table is to be aligned in the target. */
enum status align_note(struct run *run, const char *table, struct error *error) MUST_USE;

/*
 * Aligns what is noted: the target's tables get the columns that they lack, and columns that do not
 * hold what the plan fills them with by now are altered. A table where that can't be done is left
 * (unfollowed.h). ERROR_FOLLOW: the target can't add columns.
 */
enum status grow_target(struct run *run, const struct follow_routes *routes,
                        struct follow_translator *translator, struct error *error) MUST_USE;
/* Once a resync is noted, which fills them: of the tables that are left, those are made again of
 * which the target alters no column. */
enum status grow_left(struct run *run, const struct follow_routes *routes,
                      struct follow_translator *translator, struct error *error) MUST_USE;

#endif
