/*
 * A followed source whose schema is not what the run keeps of it (engine/ledger/learnt.h): seen
 * while its changes are applied, and adopted by the session that is opened next.
 *
 *   look     the source is described again (source_now.h); a difference ends following
 *            (FOLLOW_OVERTAKEN)
 *   check    the new session's schema against the kept one: may the run go on with it?
 *   note     what can't be followed any more is left (unfollowed.h), what has to be read again is
 * noted (refresh.h), and which tables of the target are to be aligned (intent "align") raise    the
 * schema of today is the kept one from now on, as the next version of the mapping align    the
 * target's tables get the columns that they lack, and types that hold the source's values; then the
 * intent goes
 *
 * A process that is killed before "raise" sees the same differences again; behind it, it aligns
 * what is noted. Each step may be repeated.
 *
 *   TABLE_GONE, _REKEYED               what is made of it is left; a resync takes it as it is
 *   TABLE_REPLACED                     the target's table is emptied and read again
 *   COLUMN_WIDER                       the target's column is altered; the table is read again,
 *                                      since rows may have been refused meanwhile
 *   COLUMN_REWRITTEN, _RETYPED,        likewise; of what keys are made of, the table is left, since
 *   _REPLACED                          records under former keys would stay
 *   COLUMN_GONE                        what is made of it is left, if the plan read it
 *   constraints, indexes               nothing: no value changes, and what is made of them in the
 *                                      target stays as it is
 *   COLUMN_NEW                         the target's table gets it; read again, if rows that nobody
 *                                      changes have a value of it
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_ADOPT_H
#define TRANSHUME_ENGINE_FOLLOW_ADOPT_H

#include "engine/follow/translate/translate.h"
#include "model/schema_compare.h"

/*
 * Sets run->changes of a run that follows, NULL if the session's schema is the kept one.
 * STATUS_END: the plan is another one. ERROR_SOURCE_CHANGED: --on-schema-change stop.
 */
enum status adopt_check(struct run *run, const struct ledger_header *header,
                        struct error *error) MUST_USE;

/* Is the session's plan another one than the run began with for nothing but what has become of the
 * source's tables since? */
bool adopt_is_of_run(const struct run_session *session, const struct ledger_header *header);

/* Notes, raises and aligns, before anything is followed. */
enum status adopt_changes(struct run *run, const struct follow_routes *routes,
                          struct follow_translator *translator, struct error *error) MUST_USE;

/* Reads again what is made of the source's table, but for what is left. */
enum status adopt_read_again(struct run *run, const struct follow_routes *routes,
                             const struct follow_translator *translator, const char *table,
                             struct error *error) MUST_USE;

/* The list of tables of the source (name_list.h) of which what is made is emptied before anything
 * is followed. */
extern const char adopt_empty_intent[];

/* Tables that the source has no more and whose loss was not accepted. */
enum status adopt_list_gone(struct run *run, struct column_list *gone,
                            struct error *error) MUST_USE;
/* After a resync: the tables that are gone by now are not missed any more. */
enum status adopt_accept_gone(struct run *run, struct error *error) MUST_USE;

#endif
