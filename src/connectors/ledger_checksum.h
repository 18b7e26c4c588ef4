/* What tells a ledger that was edited or cut from one that is as it was written. */
#ifndef TRANSHUME_CONNECTORS_LEDGER_CHECKSUM_H
#define TRANSHUME_CONNECTORS_LEDGER_CHECKSUM_H

#include "connectors/connector.h"

/* 32 hexadecimal digits over the header and all chunks, in their order. */
enum status ledger_checksum(const char *header, const struct ledger_chunk *chunks, uint64_t count,
                            char hex[33], struct error *error) MUST_USE;

#endif
