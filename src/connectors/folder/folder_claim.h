/* The claim on a run of a folder: its lock, what it remembers, and what it puts in order. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_CLAIM_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_CLAIM_H

#include "connectors/folder/folder.h"

/* Files of a run's folder: segments may be gone although their marks are not. */
#define FOLDER_ROLLING "rolling" /* of all tables */
#define FOLDER_EMPTIED "emptied" /* a folder, with a file for each table */
/* DIR/_transhume/made: DIR goes with the last run, if all are rolled back. */
#define FOLDER_MADE "made"

/* Makes DIR/_transhume unless it is there, durably. */
enum status folder_make_place(struct folder *folder, struct error *error) MUST_USE;
/* ERROR_RUN_FENCED if another process has the claim by now. */
enum status folder_check_claim(struct folder *folder, struct error *error) MUST_USE;

/* As struct target_functions has them. */
enum status folder_claimed(struct database *self, const struct run_claim *claim,
                           struct error *error);
void folder_released(struct database *self);

/* ---- folder_sweep.c */

/*
 * After a claim: removes the run's segments that no mark names, and what was being written. A
 * segment that a mark names and that is not there, or not as long as it was, is
 * ERROR_LEDGER_INVALID.
 */
enum status folder_sweep(struct folder *folder, struct error *error) MUST_USE;
/* As struct target_functions has it. */
enum status folder_empty(struct database *self, const struct target_table *const *tables,
                         uint32_t table_count, struct error *error);
/* The marks of what was emptied are gone. Any thread. */
enum status folder_end_emptying(struct folder *folder, struct error *error) MUST_USE;

/* ---- folder_forget.c: as struct target_functions has them */

enum status folder_forget_run(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error);
enum status folder_tidy(struct database *self, bool rolled_back, struct error *error);

#endif
