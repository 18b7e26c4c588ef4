/* Keys that chunks kept in the ledger, read back. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SPILL_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_SPILL_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dynamodb_spilled {
    const char *table;
    size_t table_length;
    uint32_t entity;
    uint64_t ordinal;
    bool written;     /* false: the record was refused after all */
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
