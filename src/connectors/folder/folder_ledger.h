/* What the ledger's files share: finding a run, and removing segments that no done mark names. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_LEDGER_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_LEDGER_H

#include "connectors/folder/folder.h"

/* DIR/_transhume/run-<id>; NULL: memory is out. */
char *folder_ledger_run_folder(struct arena *arena, const struct folder *folder,
                               const char *run_id);
enum status folder_ledger_no_memory(struct error *error);

/* Makes the ledger's folder and takes its lock. STATUS_AGAIN: process `*holder` has it. */
enum status folder_ledger_lock(struct folder *folder, struct arena *arena, int64_t *holder,
                               struct error *error) MUST_USE;

/* Calls `visit` for each run of the ledger, in any order; `id` lives in the arena. */
typedef enum status folder_ledger_visit(void *context, uint64_t number, const char *id,
                                        struct error *error);
enum status folder_ledger_each_run(struct folder *folder, struct arena *arena,
                                   folder_ledger_visit *visit, void *context,
                                   struct error *error) MUST_USE;

/*
 * After a claim: removes the run's segments that no mark names, and what was being written. A
 * segment that a mark names and that is not there, or not as long as it was, is
 * ERROR_LEDGER_INVALID.
 */
enum status folder_ledger_sweep(struct folder *folder, const struct folder_done_list *list,
                                struct arena *arena, struct error *error) MUST_USE;

enum status folder_ledger_reopen(struct database *self, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables_to_empty,
                                 uint32_t table_count, struct error *error);

#endif
