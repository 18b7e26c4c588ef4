/* Tables that the source got while its changes were followed: made in the target as a copy makes
 * them, empty, told of by the feed, and then read as tables are that are read again (refresh.h). */
#ifndef TRANSHUME_ENGINE_FOLLOW_NEW_TABLES_H
#define TRANSHUME_ENGINE_FOLLOW_NEW_TABLES_H

#include "engine/follow/translate/translate.h"

/*
 * Makes those tables of the target, with keys, indexes and references, that the plan fills from
 * `tables` of the source and that the run had not when it began; and has the feed tell of all
 * tables. Repeatable. Where the target or the feed refuses, or the target has a table of the name,
 * what is made of the table is left (unfollowed.h).
 */
enum status new_tables_make(struct run *run, const struct follow_routes *routes,
                            struct follow_translator *translator, struct column_list tables,
                            struct error *error) MUST_USE;

#endif
