/* A store that lives and dies with the process: for targets that keep nothing (a pipe), and for
 * tests. */
#ifndef TRANSHUME_ENGINE_LEDGER_LEDGER_MEMORY_H
#define TRANSHUME_ENGINE_LEDGER_LEDGER_MEMORY_H

#include "connectors/contract/store.h"

/* One store for all who are given it, from any thread. */
struct store *memory_store_create(void);
void memory_store_destroy(struct store *store); /* takes NULL */

/* All but open and close, which do nothing: the store is made and freed by the two above. */
extern const struct store_functions memory_store_functions;

#endif
