/* Lists of names that a run keeps in its ledger, as intents. */
#ifndef TRANSHUME_ENGINE_FOLLOW_NAME_LIST_H
#define TRANSHUME_ENGINE_FOLLOW_NAME_LIST_H

#include "engine/session/session.h"

/* In run->arena; none is kept: empty. */
enum status name_list_get(const struct run *run, const char *intent, struct column_list *names,
                          struct error *error) MUST_USE;
/* In place of what is kept; an empty list is kept no more. */
enum status name_list_put(const struct run *run, const char *intent, struct column_list names,
                          struct error *error) MUST_USE;

/* Adds one, unless it is kept already. */
enum status name_list_add(const struct run *run, const char *intent, const char *name,
                          struct error *error) MUST_USE;

#endif
