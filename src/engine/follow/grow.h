/* Columns that the source got while its changes were followed. */
#ifndef TRANSHUME_ENGINE_FOLLOW_GROW_H
#define TRANSHUME_ENGINE_FOLLOW_GROW_H

#include "engine/follow/translate.h"

/*
 * Has the plan, since the run began, got nothing but fields? Then run->lost are the columns that
 * the followed tables had, or got since, and have not now (intent "grown": lines of schema_lines.h,
 * "columns" that came, and those "lost" that were accepted). STATUS_END: it is another plan.
 */
enum status grow_check(struct run *run, const struct ledger_header *header,
                       struct error *error) MUST_USE;
/* Columns that are gone by now are not missed any more. */
enum status grow_accept(const struct run *run, struct error *error) MUST_USE;

/*
 * Of a run whose plan has grown (run->has_grown): adds to the target's tables what they lack.
 * Records that are there get what the source's rows have in the new columns by what changes them,
 * or, where a column came with a default, by reading the table again, which is noted (refresh.h).
 * A table whose new column can't be made is left (left.h). ERROR_FOLLOW: the target can't add
 * columns.
 */
enum status grow_target(struct run *run, const struct follow_routes *routes,
                        struct follow_translator *translator, struct error *error) MUST_USE;

/* Does the source's table have that column by now? Asked on a connection of its own. */
enum status grow_is_there(const struct run_session *session, const char *table, const char *column,
                          bool *is_there, struct error *error) MUST_USE;

#endif
