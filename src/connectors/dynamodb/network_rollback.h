/* Taking runs into DynamoDB back. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ROLLBACK_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ROLLBACK_H

#include "connectors/dynamodb/network_target.h"

extern const struct rollback_functions dynamodb_network_rollback;

/* `id`: of the very table; one with another id is somebody else's, made since, and stays. */
enum status dynamodb_delete_table(struct dynamodb_network *network, const char *table,
                                  const char *id, struct error *error) MUST_USE;
/* Until that table is gone. */
enum status dynamodb_wait_gone(struct dynamodb_network *network, const char *table, const char *id,
                               struct error *error) MUST_USE;

#endif
