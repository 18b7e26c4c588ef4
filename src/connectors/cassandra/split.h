/* A ring of tokens cut into the spans of a table. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_SPLIT_H
#define TRANSHUME_CONNECTORS_CASSANDRA_SPLIT_H

#include "connectors/cassandra/cassandra.h"

enum { CASSANDRA_SPANS_MAX = 1 << 16, CASSANDRA_SPAN_BYTES = 16 };

/*
 * Pieces of about `rows_wanted` rows of a table with `rows` of them, which lie as evenly on the
 * ring as hashes do: large ranges are cut, and small ones that follow one another make one piece.
 * `ranges` tile the ring in the order of their tokens (cql_session_ranges), and so do the pieces,
 * of which there is one at least and CASSANDRA_SPANS_MAX at most.
 */
struct cql_range *cassandra_split(const struct cql_range *ranges, size_t range_count, double rows,
                                  double rows_wanted, struct arena *arena, size_t *piece_count);

/* A piece as a span, with its own share of `rows` (below 0: not known); and back.
 * ERROR_LEDGER_INVALID: the span has no such bounds. */
struct span cassandra_span_of(const struct cql_range *piece, double rows, struct arena *arena);
enum status cassandra_span_read(const struct span *span, struct cql_range *piece,
                                struct error *error) MUST_USE;

#endif
