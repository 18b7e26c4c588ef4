/* The list of things that a run does not carry, and of rights that are left to do. */
#ifndef TRANSHUME_ENGINE_RUN_LEFT_BEHIND_H
#define TRANSHUME_ENGINE_RUN_LEFT_BEHIND_H

#include "engine/check/preflight.h"

/* left_behind.c: what the run does not carry, as observe/not_carried.h has it; the caller owns it.
 */
struct json_t *left_behind_make(const struct run_session *session,
                                const struct preflight *preflight);
/* The work that is left about rights, as observe/rights_list.h has it, for a status of so many
 * bytes at most; the caller owns it. */
struct json_t *left_behind_rights(const struct rights_left *left, uint32_t status_bytes_max);
/* Sets what the result has of it, in the session's arena. */
void left_behind_sum(const struct run *run, struct run_result *result);

#endif
