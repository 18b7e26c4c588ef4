/*
 * Which lane applies which changes (lanes.h). All changes of one record go to one lane, in their
 * order; what else the target's tables say bounds what may go beside each other:
 *
 *   by key     the lane is drawn from a hash of the table's name and the record's key; entities
 *              that share a table share its keys
 *   as one     all changes of the table go to one lane. A table whose records refer to each other
 *              (a foreign key to itself), or that has another unique key beside the plan's: a
 *              record can go in only behind the one that gives its value up. A table whose key the
 *              target compares loosely (letter case, accents), since one record then has several
 *              spellings. A table that its catalogue does not tell of
 *   as one     likewise all tables that foreign keys join, together
 *   alone      a transaction that empties a table, or that gives a record another key without
 *              telling all of it, where the two keys are of different lanes
 *
 * Foreign keys and unique keys are those that the target has when following begins.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_LANE_PLAN_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_LANE_PLAN_H

#include "engine/follow/followed_set.h"
#include "engine/session/session.h"

enum { LANES_MAX = 64 };
#define LANE_ALONE UINT32_MAX

struct lane_plan;

/* For so many lanes, by what the target's catalogue says now. */
enum status lane_plan_make(struct run_session *session, const struct followed_form *form,
                           uint32_t lanes, struct lane_plan **made, struct error *error) MUST_USE;
/* The same that wrote the text. ERROR_LEDGER_INVALID: none did. */
enum status lane_plan_read(const struct run_session *session, const struct followed_form *form,
                           const char *text, struct lane_plan **made, struct error *error) MUST_USE;
void lane_plan_free(struct lane_plan *plan); /* takes NULL */

uint32_t lane_plan_count(const struct lane_plan *plan);
/* Enough of it to make it again from; a JSON object, in the plan's own memory. */
const char *lane_plan_text(const struct lane_plan *plan);

/* LANE_ALONE: it goes with its whole transaction, while no lane does anything else. */
uint32_t lane_plan_lane(struct lane_plan *plan, const struct record_change *change);

#endif
