/* Looking up values of one column in the key of another table, with bounded work. */
#ifndef TRANSHUME_DESIGN_GRAPH_GRAPH_LOOKUP_H
#define TRANSHUME_DESIGN_GRAPH_GRAPH_LOOKUP_H

#include "design/graph/graph.h"
#include "design/graph/graph_evidence.h"

/* An end matches if the key goes on by no more than so many mean distances between its values. */
enum { GRAPH_LOOKUP_ENDS = 4 };

struct graph_lookup {
    struct database *source;
    struct reader **reader;
    int64_t end_ms;
    uint32_t requests;
    uint32_t skipped; /* candidates that came after the limits */
};

struct graph_column {
    const struct graph_entity *entity;
    uint32_t field;
};

void graph_lookup_begin(struct graph_lookup *lookup, struct database *source,
                        struct reader **reader);
/* Fills in what was found of `sample` in `key`. STATUS_END: the limits are reached, or the source
 * could not look it up. STATUS_FAILED: no reader could be opened again. */
enum status graph_lookup_values(struct graph_lookup *lookup, const struct graph_column *key,
                                const struct figures_sample *sample,
                                struct graph_evidence *evidence, struct error *error) MUST_USE;

#endif
