/* Values too large to hold: handles that a server serves block by block. */
#ifndef TRANSHUME_CONNECTORS_SQL_LARGE_H
#define TRANSHUME_CONNECTORS_SQL_LARGE_H

#include "model/batch.h"
#include <pthread.h>

/* A connector's own handle begins with it. It keeps one block while it is read, none before the
 * first read and behind the last byte: batches may hold many handles. */
struct sql_large {
    struct large_value base;
    const char *shown;     /* the database, for messages */
    pthread_mutex_t *lock; /* of the connection that all handles of a source share */
    /* Reads so many bytes from there on. Called under the lock. */
    enum status (*fetch)(struct sql_large *self, uint64_t offset, void *bytes, size_t size,
                         struct error *error);
    size_t block_bytes;
    uint8_t *block;
    uint64_t block_offset;
    size_t block_length;
};

/* Makes its `base` (kind, length and the reading), puts it into the cell and lists it in the batch,
 * which releases it: it was allocated with malloc. The rest is the caller's to set. */
void sql_large_keep(struct sql_large *large, enum value_kind kind, uint64_t length,
                    struct batch *batch, struct cell *cell);

#endif
