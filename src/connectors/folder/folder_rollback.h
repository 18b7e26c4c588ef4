/* Taking runs into a folder back, and forgetting them. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_ROLLBACK_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_ROLLBACK_H

#include "connectors/folder/folder.h"

/* Files of a run's folder: segments may be gone already; the run made the database's folder. */
#define FOLDER_ROLLING "rolling"
#define FOLDER_MADE "made"

/* As struct ledger_functions has them. */
enum status folder_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                               uint32_t *count, struct error *error) MUST_USE;
enum status folder_ledger_forget_run(struct database *self, const char *run_id, uint64_t epoch,
                                     bool rolled_back, struct error *error) MUST_USE;
enum status folder_ledger_tidy(struct database *self, bool rolled_back,
                               struct error *error) MUST_USE;

#endif
