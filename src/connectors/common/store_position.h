/* How far a feed is in a target, as a store keeps it for those that apply changes: the key and the
 * text that the ledger has for it (engine/ledger/ledger_positions.h). */
#ifndef TRANSHUME_CONNECTORS_COMMON_STORE_POSITION_H
#define TRANSHUME_CONNECTORS_COMMON_STORE_POSITION_H

#include "base/buffer.h"
#include "connectors/contract/store.h"
#include "model/batch.h"

/* "position/FEED/LANE" */
void store_position_key(char key[STORE_KEY_BYTES], const char *feed, uint32_t lane);
void store_position_append(const struct position *position, struct buffer *text);
/* ERROR_LEDGER_INVALID: there is none in it. */
enum status store_position_read(const char *key, const char *text, size_t length,
                                struct arena *arena, struct position *position,
                                struct error *error) MUST_USE;
/* ERROR_RUN_FENCED: somebody else moved it. */
enum status store_position_fenced(const char *key, const char *object,
                                  struct error *error) MUST_USE;

#endif
