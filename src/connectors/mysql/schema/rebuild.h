/* Indexes of tables that are there: dropped for the load, and put back after it. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_REBUILD_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_REBUILD_H

#include "connectors/mysql/target.h"

/*
 * _transhume_rebuild  what a run drops, noted before that: `name` of an index of the table `owner`,
 *                     in backquotes, and `clause`, that makes it
 *
 * The rows stay until all of them are put back.
 */

/* Notes and drops what `rebuilds_indexes` asks for. Repeatable. */
enum status mysql_rebuild_drop(struct mysql_database *self, const struct prepare_request *request,
                               struct error *error) MUST_USE;
/* Makes again what the run dropped. Repeatable. */
enum status mysql_put_back(struct mysql_database *self, const char *run_id,
                           void (*progress)(const char *what), struct error *error) MUST_USE;
/* sql_target_functions.rebuilds */
enum status mysql_foretell(struct database *self, const struct prepare_request *request,
                           struct buffer *out, struct error *error);
/* A line for triggers that can't be told not to fire. */
enum status mysql_check_triggers(struct mysql_database *self, MYSQL *connection,
                                 const struct check_request *request, struct buffer *out,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- quiet.c */

/* By which an account makes triggers again that belong to others. */
const char *mysql_right_to_define(const struct mysql_database *self);
/* apply_functions.foresee, silence and restore */
struct apply_silence;
enum status mysql_quiet_foresee(struct database *self, const struct apply_silence *silence,
                                struct buffer *out, struct lack_list *lacks, struct error *error);
enum status mysql_quiet_silence(struct database *self, const struct apply_silence *silence,
                                struct error *error);
enum status mysql_quiet_taken_out(struct database *self, const char *run_id, uint32_t *count,
                                  struct error *error);
enum status mysql_quiet_restore(struct database *self, uint32_t *count, struct error *error);
/* The same for any run. */
enum status mysql_quiet_put_back(struct mysql_database *self, const char *run_id, uint32_t *count,
                                 struct error *error) MUST_USE;

#endif
