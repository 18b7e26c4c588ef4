/* The ledger's insides: what network_ledger.c gives to network_ledger_run.c. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_LEDGER_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_LEDGER_H

#include "connectors/dynamodb/network_target.h"

enum status dynamodb_ledger_no_room(struct error *error);
/*
 * UpdateItem of a run's part (its head) or of `*`, `newest`, if `condition` holds. Both expressions
 * may use #epoch, #holder, #renewals, #status, #published, #run, #id, #sequence and #closing;
 * `values` are `":name":{…},…` without braces.
 */
enum status dynamodb_ledger_update(struct dynamodb_network *network, struct dynamodb_client *client,
                                   const char *run_id, const char *part, const char *expression,
                                   const char *condition, const struct buffer *values,
                                   bool *refused, bool *unknown, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_ledger_make.c */

enum status dynamodb_ledger_create(struct database *self, const char *run_id, const char *header,
                                   const char *status_text, const struct ledger_chunk *chunks,
                                   uint64_t chunk_count, struct error *error);
/* ---------------------------------------------------------------- network_ledger_load.c */

enum status dynamodb_ledger_load(struct database *self, const char *run_id, struct arena *arena,
                                 struct ledger_run **run, struct error *error);
/* What the item `newest` says; texts live in the arena. */
struct dynamodb_newest {
    const char *id; /* of the run that was made last; NULL: there is none */
    uint64_t sequence;
    const char *closing; /* the run with which the ledger itself goes; NULL: it stays */
};
enum status dynamodb_ledger_newest(struct dynamodb_network *network, struct arena *arena,
                                   struct dynamodb_newest *newest, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_ledger_forget.c */

/* As struct ledger_functions has them. */
enum status dynamodb_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                                 uint32_t *count, struct error *error) MUST_USE;
enum status dynamodb_ledger_forget(struct database *self, const char *run_id, uint64_t epoch,
                                   bool rolled_back, struct error *error) MUST_USE;

/* Where a run's head is noted, so that heads are found without reading all of the ledger. */
#define DYNAMODB_LEDGER_ALL "*"
void dynamodb_ledger_head_part(char part[DYNAMODB_PART_BYTES], const char *run_id);

enum { DYNAMODB_LEDGER_FORMAT = 1, DYNAMODB_LEDGER_PIECE_BYTES = 96 * 1024 };

#endif
