/* Foreign keys from data. */
#ifndef TRANSHUME_DESIGN_GRAPH_GRAPH_DATA_H
#define TRANSHUME_DESIGN_GRAPH_GRAPH_DATA_H

#include "design/graph/graph.h"

/*
 * Looks up values of the figures' samples in the keys that they may refer to, and changes the
 * graph's relations accordingly. `reader` is of a snapshot of `source`; it is opened again after a
 * look-up that fails, which only leaves that candidate as it is. What is asked is the same for the
 * same data, unless time runs out. STATUS_FAILED: the source is lost.
 */
enum status graph_infer_from_data(struct graph *graph, struct database *source,
                                  struct reader **reader, struct error *error) MUST_USE;

#endif
