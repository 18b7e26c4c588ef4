/* --cascades target: the target's foreign keys do what those of the source did without a word of
 * the feed. */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TARGET_CASCADES_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TARGET_CASCADES_H

#include "connectors/contract/lacks.h"
#include "engine/session/session.h"

/*
 * Has the target each foreign key of the source that acts, between the tables that are made of both
 * ends, over the columns that are made of its columns, and with the same actions? Asks the target
 * for the tables that are there; of others what the run makes counts. ERROR_FOLLOW: one is not
 * there alike; noted in `lacks`, if there is a list. Nothing is asked without --cascades target.
 */
enum status target_cascades_check(const struct run_session *session, struct lack_list *lacks,
                                  struct error *error) MUST_USE;

#endif
