/* The plan that a change was compiled to, as a text of the history, and back: whoever goes on
 * follows it. */
#ifndef TRANSHUME_EVOLVE_CHANGE_STORED_H
#define TRANSHUME_EVOLVE_CHANGE_STORED_H

#include "base/buffer.h"
#include "connectors/contract/change.h"

/* Appends one JSON object. */
void change_plan_write(const struct change_plan *plan, struct buffer *out);
/* ERROR_LEDGER_INVALID: it is none; ERROR_FORMAT_NEWER. All in the arena. */
enum status change_plan_read(const char *text, struct arena *arena, struct change_plan *plan,
                             struct error *error) MUST_USE;

const char *change_phase_name(enum change_phase phase);

#endif
