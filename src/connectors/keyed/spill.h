/* The keys that chunks wrote, kept in a store until duplicates are settled. */
#ifndef TRANSHUME_CONNECTORS_KEYED_SPILL_H
#define TRANSHUME_CONNECTORS_KEYED_SPILL_H

#include "connectors/contract/store.h"
#include <stddef.h>
#include <stdint.h>

/* In this order among equal places: what says that a record was refused comes first. */
enum keyed_spill_state {
    SPILL_REFUSED, /* after all */
    SPILL_SKIPPED, /* likewise, since a record with its key was there */
    SPILL_SENT,
    SPILL_UNSENT,     /* another record with its key was under way: it is sent if it stays */
    SPILL_CONTRADICTS /* never kept: settling found that its claims are not those of its place */
};

struct keyed_key {
    const char *table;
    size_t table_length;
    uint32_t entity;
    uint64_t ordinal;
    enum keyed_spill_state state;
    uint8_t hash[16]; /* of the record, where equal ones are told from unequal ones */
    const uint8_t *bytes;
    size_t length;
    /* what the record says of what many share (claims.h); empty: nothing */
    const uint8_t *place;
    size_t place_length;
    const uint8_t *claims;
    size_t claims_length;
};

/* The keys of one chunk. */
struct keyed_spill;
void keyed_spill_add(struct keyed_spill **spill, const struct keyed_key *key);
void keyed_spill_free(struct keyed_spill *spill); /* NULL is fine */
/* Puts them in place of what an earlier attempt at the chunk may have put; `spill` NULL: none. */
enum status keyed_spill_store(struct keyed_spill *spill, const struct store_functions *functions,
                              struct store *store, const char *run_id, uint64_t chunk,
                              struct error *error) MUST_USE;

typedef enum status keyed_spill_visit(void *context, uint64_t chunk, const struct keyed_key *key,
                                      struct error *error);
/* Calls `visit` for each key of the run, in no order. ERROR_LEDGER_INVALID: they are damaged. */
enum status keyed_spill_read(const struct store_functions *functions, struct store *store,
                             const char *run_id, keyed_spill_visit *visit, void *context,
                             struct error *error) MUST_USE;
/* The same of one block's bytes. */
enum status keyed_spill_unpack(const void *bytes, size_t length, uint64_t chunk,
                               keyed_spill_visit *visit, void *context,
                               struct error *error) MUST_USE;

#endif
