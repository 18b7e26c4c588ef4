/* The statements for an account of least rights on both sides: check --rights-for. */
#ifndef TRANSHUME_ENGINE_CHECK_RIGHTS_H
#define TRANSHUME_ENGINE_CHECK_RIGHTS_H

#include "engine/session/session.h"

struct target_table;

/* `tables` are the plan's, as session_list_tables makes them, and `absent` those that the target
 * does not have. The report's lists live in `arena`. */
enum status rights_foresee(struct run_session *session, const struct target_table *tables,
                           const char *const *absent, uint32_t absent_count, struct arena *arena,
                           struct check_rights *rights, struct error *error) MUST_USE;

#endif
