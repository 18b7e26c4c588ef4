/* The output of a run when it ends, and the log level while it goes on. */
#ifndef TRANSHUME_CLI_RUN_END_H
#define TRANSHUME_CLI_RUN_END_H

#include "cli/cli.h"

/* Progress as log lines needs the level that shows them. */
void run_end_set_log_level(const struct cli_call *call);

/* Prints the end table or JSON to stdout and what to do next to stderr; returns the exit status. */
int run_end(struct cli_call *call, const struct run_session *session, enum status status,
            const struct run_result *result, const struct error *error);
/* A failure, where the run began: it can be resumed, and that is said once. Returns the exit
 * status. */
int run_end_failed(const struct cli_call *call, const struct run_session *session,
                   const struct run_result *result, const struct error *error);

/* One attempt at a run that several of a command make, which opens its own session; returns the
 * exit status, 0: on to the next. The last one tells how the run ended, as a failure does anywhere.
 */
int run_end_step(struct cli_call *call, const char *plan_path, bool is_last);

#endif
