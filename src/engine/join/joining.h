/*
 * Joins made here, for sources that can't (no CAPABILITY_JOINS: files, key-value stores). What the
 * plan looks up, embeds or aggregates is read once, each table as a plain scan, and kept in one
 * private SQLite file in the spill folder: memory is bounded by SQLite's caches, the disk holds the
 * columns that are needed, with their keys. The tables that records are made from are not in it:
 * their rows still come span by span from the source, and each is joined as it passes.
 *
 *   - Keys compare by value as model/order_bytes.h says: 1 equals 1.0, and never the text '1'. Null
 *     equals nothing. A key above the source's limit for large values ends the run, on either side.
 *   - Rows of a list come by its `order`, then by their table's primary key; a table that declares
 *     none goes by the order in which its records are read.
 *   - A presence is the number of the row that was found, by which it can be told from the table's
 *     other rows; 0: none was.
 *   - A look-up takes one partner; of several, the first in that same order.
 *
 * The file is made once an attempt at a run, after the source's snapshot, and is gone with the
 * session; a resume makes it anew. A record of these tables that can't be read ends the run: a list
 * without it would look whole.
 */
#ifndef TRANSHUME_ENGINE_JOINING_H
#define TRANSHUME_ENGINE_JOINING_H

#include "connectors/contract/connector.h"
#include "plan/plan.h"

struct joining;        /* of a session; all but joining_reader_open: control thread */
struct joining_reader; /* one thread's */
struct joining_search; /* one request's rows for one root row after the other; its reader's */

struct joining_options {
    struct database *source;
    const struct schema *schema;
    const struct plan *plan;
    const char *spill_folder; /* NULL: none could be made */
    uint64_t memory_bytes;    /* for the caches of all readers together */
    uint32_t reader_count;
    int64_t patience_ms; /* how long a failing read is tried again */
};

/* `*joining` NULL: the source joins itself, or nothing is joined. Reads nothing yet. */
void joining_create(const struct joining_options *options, struct joining **joining);
/* NULL is fine. The file is removed. */
void joining_destroy(struct joining *joining);
/* The tables that will be read for it, "Album, Artist", and how large they are, -1 where one does
 * not say. */
void joining_tell(const struct joining *joining, struct buffer *tables, int64_t *bytes);
/*
 * Reads the tables; nothing if that was done. `progress` (may be NULL) gets a word on what is being
 * read. ERROR_INTERRUPTED: a stop was asked for. After a failure it may be called again.
 */
enum status joining_prepare(struct joining *joining, void (*progress)(const char *what),
                            struct error *error) MUST_USE;

/* After joining_prepare; any thread. */
enum status joining_reader_open(struct joining *joining, struct joining_reader **reader,
                                struct error *error) MUST_USE;
void joining_reader_close(struct joining_reader *reader); /* NULL is fine */
/*
 * The search for a stream's `joined` request or for that of one of its children; made once, kept
 * with the reader.
 */
enum status joining_search_of(struct joining_reader *reader, const struct read_request *request,
                              struct joining_search **search, struct error *error) MUST_USE;
/* Rows for this row of the root: of a child, as the mapper's parent is read, before documents are
 * taken apart; of `joined`, as the source's request brings it. */
enum status joining_begin(struct joining_search *search, const struct cell *root,
                          struct error *error) MUST_USE;
/* The next row, request->column_count cells that live until the next call. STATUS_END: no more. */
enum status joining_next(struct joining_search *search, const struct cell **row,
                         struct error *error) MUST_USE;
/*
 * Rows of stream->request become rows of stream->joined. Takes the batch over; `*wide` shares its
 * arena and has its envelopes, its refused records and its large values.
 */
enum status joining_widen(struct joining_search *search, struct batch *batch, struct batch **wide,
                          struct error *error) MUST_USE;

#endif
