/* The report of a run. */
#ifndef TRANSHUME_ENGINE_STATE_RUN_REPORT_H
#define TRANSHUME_ENGINE_STATE_RUN_REPORT_H

#include "engine/session/session.h"

/* The report of a run that ended, however; that it could not be written is only said. */
void run_report_end(const struct run *run, struct run_result *result);
/* The same while and after the run of the folder is taken back. */
void run_report_rollback(const char *folder, bool at_work);

#endif
