#include "connectors/cassandra/split.h"

#include "base/bytes.h"
#include "connectors/contract/source.h"
#include <inttypes.h>
#include <math.h>

#define RING_WIDTH 18446744073709551616.0 /* 2^64 */

struct cutting {
    double rows_a_token;
    double rows_wanted;
    struct cql_range *pieces; /* NULL: they are only counted */
    size_t count;
    struct cql_range open; /* not finished yet: more may join it */
    double open_rows;
    bool is_open;
};

static void split_add(struct cutting *cutting, struct cql_range piece)
{
    if (cutting->pieces != NULL) {
        cutting->pieces[cutting->count] = piece;
    }
    cutting->count++;
}

static void split_finish(struct cutting *cutting)
{
    if (cutting->is_open) {
        split_add(cutting, cutting->open);
    }
    cutting->is_open = false;
}

static void take_large(struct cutting *cutting, const struct cql_range *range, double rows)
{
    uint64_t width = cql_range_width(range);
    double wanted = ceil(rows / cutting->rows_wanted);
    uint64_t pieces = wanted < (double)width ? (uint64_t)wanted : width;
    split_finish(cutting);
    for (uint64_t at = 0; at < pieces; at++) {
        split_add(cutting, cql_range_piece(range, at, pieces));
    }
}

static void split_take(struct cutting *cutting, const struct cql_range *range)
{
    double rows = (double)cql_range_width(range) * cutting->rows_a_token;
    if (rows > cutting->rows_wanted) {
        take_large(cutting, range, rows);
        return;
    }
    if (cutting->is_open && cutting->open.to == range->after &&
        cutting->open_rows + rows <= cutting->rows_wanted) {
        cutting->open.to = range->to;
        cutting->open_rows += rows;
        return;
    }
    split_finish(cutting);
    cutting->is_open = true;
    cutting->open = *range;
    cutting->open_rows = rows;
}

static size_t split_cut(const struct cql_range *ranges, size_t range_count, double rows,
                        double rows_wanted, struct cql_range *pieces)
{
    struct cutting cutting = {
        .rows_a_token = rows / RING_WIDTH, .rows_wanted = rows_wanted, .pieces = pieces};
    for (size_t at = 0; at < range_count; at++) {
        split_take(&cutting, &ranges[at]);
    }
    split_finish(&cutting);
    return cutting.count;
}

struct cql_range *cassandra_split(const struct cql_range *ranges, size_t range_count, double rows,
                                  double rows_wanted, struct arena *arena, size_t *piece_count)
{
    /* one piece more for each end of a range, at most */
    double least = rows / (CASSANDRA_SPANS_MAX / 2);
    rows = rows > 0 ? rows : 0;
    rows_wanted = rows_wanted > 1 ? rows_wanted : 1;
    rows_wanted = rows_wanted > least ? rows_wanted : least;
    size_t count = split_cut(ranges, range_count, rows, rows_wanted, NULL);
    while (count > CASSANDRA_SPANS_MAX) { /* a ring of many small ranges */
        rows_wanted *= 2;
        count = split_cut(ranges, range_count, rows, rows_wanted, NULL);
    }
    struct cql_range *pieces = arena_allocate_zeroed(arena, count + 1, sizeof(*pieces));
    *piece_count = split_cut(ranges, range_count, rows, rows_wanted, pieces);
    return pieces;
}

/* ---------------------------------------------------------------- spans */

struct span cassandra_span_of(const struct cql_range *piece, double rows, struct arena *arena)
{
    bool whole = piece->after == CQL_TOKEN_MIN && piece->to == CQL_TOKEN_MAX;
    uint8_t *bounds = arena_allocate(arena, CASSANDRA_SPAN_BYTES);
    double share = rows * ((double)cql_range_width(piece) / RING_WIDTH);
    bytes_put_le(bounds, (uint64_t)piece->after, 8);
    bytes_put_le(bounds + 8, (uint64_t)piece->to, 8);
    return (struct span){.printable =
                             whole ? "all tokens"
                                   : arena_format(arena, "tokens above %" PRId64 " to %" PRId64,
                                                  piece->after, piece->to),
                         .bounds = bounds,
                         .bounds_length = CASSANDRA_SPAN_BYTES,
                         .row_estimate = rows >= 0 ? (int64_t)(share + 0.5) : -1};
}

enum status cassandra_span_read(const struct span *span, struct cql_range *piece,
                                struct error *error)
{
    *piece = (struct cql_range){CQL_TOKEN_MIN, CQL_TOKEN_MAX};
    if (span == NULL) {
        return STATUS_OK;
    }
    if (span->bounds_length == CASSANDRA_SPAN_BYTES) {
        piece->after = (int64_t)bytes_get_le(span->bounds, 8);
        piece->to = (int64_t)bytes_get_le(span->bounds + 8, 8);
    }
    return span->bounds_length == CASSANDRA_SPAN_BYTES && piece->after < piece->to
               ? STATUS_OK
               : error_set(error, ERROR_LEDGER_INVALID, span->printable, "the span has no bounds");
}
