/* The part of the ledger's header that tells of the run's tables, as JSON and back. */
#ifndef TRANSHUME_ENGINE_LEDGER_TABLES_H
#define TRANSHUME_ENGINE_LEDGER_TABLES_H

#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_texts.h"

/* NULL: memory is out. */
json_t *ledger_tables_make(const struct ledger_header *header);
/* Fills `tables`; a header without them leaves none. Everything lives in the arena. */
enum status ledger_tables_read(const json_t *header_object, struct arena *arena,
                               struct ledger_header *header, struct error *error) MUST_USE;

/* The same of `since`. */
json_t *ledger_since_make(const struct ledger_header *header);
enum status ledger_since_read(const json_t *header_object, struct arena *arena,
                              struct ledger_header *header, struct error *error) MUST_USE;

/* Above the number of each entity of the header. */
uint32_t ledger_entity_limit(const struct ledger_header *header);

/* "append" and the like. */
const char *ledger_existing_name(enum existing_policy policy);

#endif
