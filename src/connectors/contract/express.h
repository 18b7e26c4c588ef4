/* The contract: the express lane, by which a target pulls from a source itself. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_EXPRESS_H
#define TRANSHUME_CONNECTORS_CONTRACT_EXPRESS_H

#include "connectors/contract/target.h"

/* All of them or no group. */
struct express_functions {
    /* Can this target pull from that source? */
    bool (*accepts)(struct database *self, struct database *source);
    /* Copies a span of request->table into table within the open chunk, and says in
     * report.pulled_rows how far it is. STATUS_AGAIN: not possible now (the source moved on or
     * failed, a record is refused): the engine takes the general path for this chunk. */
    enum status (*chunk)(struct writer *writer, struct database *source, uint64_t chunk,
                         const struct read_request *request, const struct span *span,
                         uint32_t table, uint64_t *rows, struct error *error);
};

#endif
