/* Spans of SQL tables: ranges of a key or of blocks, as bytes, and lists of them. */
#ifndef TRANSHUME_CONNECTORS_SQL_SPAN_H
#define TRANSHUME_CONNECTORS_SQL_SPAN_H

#include "base/buffer.h"
#include "base/text.h"
#include "connectors/sql/database.h"

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
/* The name of the bytes that are ranges of a key of whole numbers (number_spans). */
extern const char *const sql_number_spans;
/* The error of decode for bytes that are not ours. */
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

/* ---------------------------------------------------------------- cutting a table */

enum { SQL_SPANS_MAX = 1000000 };

/* A table that is being cut. Spans tile: the first and the last are open, and each begins where the
 * one before ends. */
struct sql_splitter {
    struct sql_database *self;
    const struct read_request *request;
    struct sql_table root; /* all NULL: a query */
    struct sql_spans spans;
    int64_t rows;             /* of the table; -1: not known */
    int64_t wanted;           /* rows a span */
    int64_t rows_each;        /* of the span that is next; -1: not known */
    struct sql_bounds bounds; /* likewise */
};

enum status sql_split_begin(struct sql_splitter *splitter, struct database *database,
                            const struct read_request *request, uint64_t rows_wanted,
                            struct arena *arena, struct error *error) MUST_USE;
/* Counts the table, of which there are SQL_SPANS_MAX spans at most. */
enum status sql_split_count(struct sql_splitter *splitter) MUST_USE;
/* Adds the span that is next. */
enum status sql_split_add(struct sql_splitter *splitter) MUST_USE;
/* Ends a span at the key; the next one begins there. `values` live in the arena. */
enum status sql_split_at(struct sql_splitter *splitter, const struct text *values) MUST_USE;
/* Cuts a key of whole numbers from `low` to `high`. STATUS_END: it has gaps. */
enum status sql_split_evenly(struct sql_splitter *splitter, int64_t low, int64_t high) MUST_USE;

#endif
