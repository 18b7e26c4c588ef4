/* The ledger's insides: what network_ledger.c gives to network_ledger_run.c. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_LEDGER_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_LEDGER_H

#include "connectors/dynamodb/network_target.h"

enum status dynamodb_ledger_no_room(struct error *error);
/*
 * UpdateItem of a run's head, if `condition` holds. Both expressions may use #epoch, #holder,
 * #renewals, #status, #published and #run; `values` are `":name":{…},…` without braces.
 */
enum status dynamodb_ledger_update(struct dynamodb_network *network, struct dynamodb_client *client,
                                   const char *run_id, const char *expression,
                                   const char *condition, const struct buffer *values,
                                   bool *refused, bool *unknown, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_ledger_make.c */

enum status dynamodb_ledger_create(struct database *self, const char *run_id, const char *header,
                                   const char *status_text, const struct ledger_chunk *chunks,
                                   uint64_t chunk_count, struct error *error);
/* ---------------------------------------------------------------- network_ledger_load.c */

enum status dynamodb_ledger_load(struct database *self, const char *run_id, struct arena *arena,
                                 struct ledger_run **run, struct error *error);
/* The run that was made last: its id (in the arena) and sequence. STATUS_END: there is none. */
enum status dynamodb_ledger_newest(struct dynamodb_network *network, struct arena *arena,
                                   const char **run_id, uint64_t *sequence,
                                   struct error *error) MUST_USE;

enum { DYNAMODB_LEDGER_FORMAT = 1, DYNAMODB_LEDGER_PIECE_BYTES = 96 * 1024 };

#endif
