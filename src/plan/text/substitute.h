/* ${NAME} and ${file:PATH} in a plan: what the environment and files say. */
#ifndef TRANSHUME_PLAN_TEXT_SUBSTITUTE_H
#define TRANSHUME_PLAN_TEXT_SUBSTITUTE_H

#include "plan/text/document.h"
#include "plan/text/faults.h"

/*
 * Puts into each text of the plan but those under `tables`, whose templates have braces of their
 * own (of these only into hooks), what it asks for:
 *
 *   ${NAME}          the environment variable; a fault if there is none
 *   ${NAME:-TEXT}    the same, and TEXT where there is none or it is empty
 *   ${file:PATH}     the file's text, at most 64 KiB, without the line break at its end. Refused
 *                    (ERROR_COMMANDS_REFUSED) where nobody allowed it, since the plan sends it to
 *                    wherever it likes; but for the key of masks, which goes nowhere
 *   $${              ${ itself
 *
 * In `source` and `target`, where it is a part of a URI, it is percent-encoded. What comes from
 * files, and all under `alerts`, is registered as secret; passwords of URIs are the caller's to
 * register.
 */
void plan_substitute(const struct plan_node *root, struct arena *arena, struct plan_faults *faults);

/* The text of `node` became this URI: unless it is a variable's value as a whole, the file says it,
 * and not the user. */
void plan_substitute_note(const struct plan_node *node, const char *uri);

/* The URI of `node` with the same done to it, in the arena; files are relative to `folder`. */
const char *plan_substitute_uri(const struct plan_node *node, const char *folder,
                                struct arena *arena, struct plan_faults *faults);

#endif
