/* Whose record a reject is: run, entity, table, stream, and the source record's key. */
#ifndef TRANSHUME_ENGINE_REJECT_NAME_H
#define TRANSHUME_ENGINE_REJECT_NAME_H

#include "engine/rejects/rejects.h"
#include "engine/session/session.h"

/* The envelope of a record that the stream made, and its source key: from the envelope, its own
 * cells, or those behind. */
void reject_find_key(const struct run *run, const struct plan_stream *stream,
                     const struct batch *batch, uint32_t row, struct reject *reject);
/* Everything else; what `reject` has of key and source stays. */
void reject_name(const struct run *run, const struct plan_stream *stream, uint64_t chunk,
                 uint32_t entity, struct reject *reject);

#endif
