/* Naming rejects. */
#include "engine/rejects/reject_name.h"

void reject_find_key(const struct run *run, const struct plan_stream *stream,
                     const struct batch *batch, uint32_t row, struct reject *reject)
{
    const struct cell *cells = batch_row(batch, row);
    reject->envelope = batch->envelopes != NULL ? &batch->envelopes[row] : NULL;
    if (run->loads_rejects) {
        const struct cell *extra = cells + batch_shape_width(batch->shape);
        reject->key = extra;
        reject->key_count = extra[0].kind == VALUE_MAP;
        reject->source = extra[1].length > 0 ? extra[1].text : NULL;
    } else if (batch->envelopes != NULL && batch->envelopes[row].source_key_count > 0) {
        reject->key = batch->envelopes[row].source_key;
        reject->key_count = batch->envelopes[row].source_key_count;
    } else {
        uint32_t fields = batch_shape_width(batch->shape);
        uint32_t behind = batch->width > fields ? batch->width - fields : 0;
        /* a mapped record has all of its key behind the fields; one passed on as it was read has
         * what is no field there, if anything */
        bool passed = stream->key_columns != NULL && behind < stream->key_count;
        reject->key = passed ? cells : cells + fields;
        reject->key_positions = passed ? stream->key_columns : NULL;
        reject->key_count = passed ? stream->key_count : behind;
    }
}

void reject_name(const struct run *run, const struct plan_stream *stream, uint64_t chunk,
                 uint32_t entity_number, struct reject *reject)
{
    const struct plan *plan = run->session->plan;
    const struct plan_entity *entity = &plan->entities[entity_number];
    reject->run_id = run->id;
    reject->chunk = chunk;
    reject->entity = entity->name;
    reject->table = plan->tables[entity->table].target.name;
    reject->envelope_shape = plan_entity_batch_shape(entity);
    reject->source = reject->source != NULL ? reject->source : stream->name;
    if (reject->key_names == NULL && reject->key_count == stream->key_count) {
        reject->key_names = stream->key_names;
    }
}
