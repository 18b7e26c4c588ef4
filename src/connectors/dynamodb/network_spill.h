/* Keys that chunks kept in the ledger, read back. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SPILL_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SPILL_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* In this order among equal places: what says that a record was refused comes first. */
enum dynamodb_spill_state {
    SPILL_REFUSED = 0, /* after all */
    SPILL_SENT = 1,
    SPILL_UNSENT = 2 /* another record with its key was under way: it is sent if it stays */
};

struct dynamodb_spilled {
    const char *table;
    size_t table_length;
    uint32_t entity;
    uint64_t ordinal;
    enum dynamodb_spill_state state;
    uint8_t hash[16]; /* of the record, where equal ones are told from unequal ones */
    const uint8_t *bytes;
    size_t length;
};
typedef enum status dynamodb_spill_visit(void *context, const struct dynamodb_spilled *key,
                                         struct error *error);
/* Calls `visit` for each key of one item's bytes. ERROR_LEDGER_INVALID: they are damaged. */
enum status dynamodb_spill_read(const void *bytes, size_t length, dynamodb_spill_visit *visit,
                                void *context, struct error *error) MUST_USE;

#endif
