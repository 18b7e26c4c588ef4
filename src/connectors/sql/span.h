/* Spans of SQL tables: ranges of a key or of blocks, as bytes, and lists of them. */
#ifndef TRANSHUME_CONNECTORS_SQL_SPAN_H
#define TRANSHUME_CONNECTORS_SQL_SPAN_H

#include "base/buffer.h"
#include "base/text.h"
#include "connectors/connector.h"

enum { SQL_KEY_PARTS_MAX = 32 };

/*
 * The bounds of a span as its bytes hold them: a byte each of version (1), kind ('k' key, 'c'
 * blocks), which bounds there are (1 low, 2 high) and the number of key parts; then for 'k' each
 * bound's parts, uint32 LE length and text; for 'c' two uint32 LE, the first block and the one
 * after the last. low < key <= high, in the server's own order; low <= block < high.
 */
struct sql_bounds {
    bool by_key;
    bool has_low;
    bool has_high;
    uint32_t parts;
    struct text low[SQL_KEY_PARTS_MAX];
    struct text high[SQL_KEY_PARTS_MAX];
    uint32_t low_block;
    uint32_t high_block;
};

void sql_span_encode(const struct sql_bounds *bounds, struct buffer *out);
/* All zero if the span is everything (NULL or without bytes). Texts are borrowed from the span.
 * Checks every length; LEDGER_INVALID if the bytes are not ours. */
enum status sql_span_decode(const struct span *span, struct sql_bounds *bounds,
                            struct error *error) MUST_USE;
/* What the bytes are called, of those that are ranges of a key of whole numbers (number_spans). */
extern const char *const sql_number_spans;
/* What decode says of bytes that are not ours. */
enum status sql_span_malformed(const struct span *span, struct error *error);
/* The same of a span whose bounds are not of the table's key; `table` NULL: of a query. */
enum status sql_span_of_another_key(const struct span *span, const char *table,
                                    struct error *error);

/* Spans in the making. */
struct sql_spans {
    struct arena *arena; /* what they point to lives there */
    const char *shown;   /* the database, for messages */
    struct error *error;
    struct buffer list; /* of struct span */
};

/* Adds one; `row_estimate` -1: not known. */
enum status sql_span_add(struct sql_spans *spans, const struct sql_bounds *bounds,
                         int64_t row_estimate) MUST_USE;
/* Hands them over if `status` is OK, else none, and frees the list in any case. */
enum status sql_spans_end(struct sql_spans *spans, enum status status, struct span **made,
                          uint32_t *count) MUST_USE;

#endif
