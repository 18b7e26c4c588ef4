/* Taking runs into DynamoDB back, and forgetting them. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ROLLBACK_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ROLLBACK_H

#include "connectors/dynamodb/network_ledger.h"

extern const struct rollback_functions dynamodb_network_rollback;

/* As struct ledger_functions has them. */
enum status dynamodb_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                                 uint32_t *count, struct error *error) MUST_USE;
enum status dynamodb_ledger_forget(struct database *self, const char *run_id, uint64_t epoch,
                                   bool rolled_back, struct error *error) MUST_USE;

#endif
