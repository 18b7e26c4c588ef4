/* The source side: spans, requests as SQL, and COPY's bytes as cells. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SOURCE_H
#define TRANSHUME_CONNECTORS_POSTGRES_SOURCE_H

#include "base/text.h"
#include "connectors/postgres/catalog.h"
#include "connectors/sql/request.h"
#include "connectors/sql/span.h"
#include "connectors/sql/stream.h"

/* ---------------------------------------------------------------- span.c */

/* " WHERE …" on the root's alias _t0; nothing if the span is everything. */
enum status postgres_span_append(struct buffer *sql, const struct span *span,
                                 const struct postgres_table *table, struct error *error) MUST_USE;

/* As which type a bound is compared: its column's base, since a domain's own collation would
 * conflict with that of the column, as would the one that the type name has. */
const char *postgres_span_type(const struct postgres_table *table, int32_t column);
/* How a column is compared with values of its type; left as it is for what is no column. */
void postgres_compared(const struct postgres_table *table, const char *name,
                       struct sql_compared *compared);

/* split.c: struct sql_dialect */
enum status postgres_look_at_stream(struct sql_database *self, const struct read_request *request,
                                    const struct sql_table *table, struct stream_facts *facts,
                                    bool *numbers, struct error *error);
enum status postgres_count_source(struct sql_database *self, const struct sql_table *table,
                                  bool stops, int64_t *rows, struct error *error);
/* source_functions */
enum status postgres_split(struct database *self, const struct read_request *request,
                           uint64_t rows_wanted, struct arena *arena, struct span **spans,
                           uint32_t *span_count, struct error *error);

/* ---------------------------------------------------------------- lacking.c */

/* source_functions.tell_lacking */
enum status postgres_tell_lacking(struct database *self, const struct read_request *const *requests,
                                  uint32_t request_count, struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- hold.c */

/* struct sql_dialect */
enum status postgres_hold_table(struct sql_database *self, const char *name, struct error *error);
enum status postgres_hold_query(struct sql_database *self, const struct read_request *request,
                                struct error *error);
/* Within the transaction that will export the snapshot, and before it has one. */
enum status postgres_hold_lock(struct postgres_database *self, struct error *error) MUST_USE;
/* The statement by which a reader locks them as well, from its beginning on: a session that has a
 * lock on a table does not queue behind who waits for ours, as TRUNCATE does. False: it is not to.
 */
bool postgres_hold_append(const struct postgres_database *self, struct buffer *sql);
/* Is all of it locked, so that who is in the way of a reader can only be waiting for us? */
bool postgres_hold_has_all(const struct postgres_database *self);
/* Afterwards: is all that is held what the catalogue said? */
enum status postgres_hold_check(struct postgres_database *self, struct error *error) MUST_USE;
/* Fails if the session is gone that holds tables and snapshot; asked once a reader has a lock of
 * its own, so that no table was emptied before that. Any thread. */
enum status postgres_hold_lasts(const struct postgres_database *self, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- request.c */

/* A column whose large values come as handles: at the end of a row stands, for each such column,
 * "LENGTH TABLE CTID" or NULL. */
struct postgres_sliced {
    uint32_t column; /* of the result */
    enum value_kind kind;
    const char *name;
    const char *select; /* its bytes from $1 on, $2 of them, in the row $4 of $3 */
};

struct postgres_request {
    struct sql_select select;
    struct postgres_type *columns;
    struct postgres_sliced *sliced;
    uint32_t sliced_count;
};

/* Writes the SELECT: the root is _t0, join n is _t<n+1>. `connection` is the caller's, for queries
 * to be described on. `columns` live in `arena`. */
enum status postgres_request_compile(struct postgres_database *self, PGconn *connection,
                                     const struct read_request *request, const struct span *span,
                                     struct arena *arena, struct postgres_request *compiled,
                                     struct error *error) MUST_USE;

/* "SELECT …" of the digest that the request has. `sql` is the caller's to free. */
/* ---- row_hash.c */
enum status postgres_hashes(struct database *database, const struct read_request *request,
                            const struct column_list *columns, struct buffer *out,
                            struct error *error) MUST_USE;
void postgres_append_row_hash(struct sql_request *request);
enum status postgres_since_query(struct database *self, const struct read_request *request,
                                 struct buffer *query, struct error *error) MUST_USE;
/* The condition of read_request.since_bound, where the root alone is read. */
enum status postgres_append_since(struct postgres_database *self,
                                  const struct read_request *request, struct buffer *sql,
                                  struct error *error) MUST_USE;
enum status postgres_digest_compile(struct postgres_database *self, PGconn *connection,
                                    const struct read_request *request, const struct span *span,
                                    struct arena *arena, struct buffer *sql,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- request.c: what equals what */

/* A column that has to equal another one; NULL: none of the catalogue's or a query's. */
struct postgres_equality_side {
    uint32_t table_oid; /* 0: a query */
    const struct postgres_column *column;
};
/* "LEFT::type operation RIGHT::type"; `operation` NULL: by =, or as texts. */
struct postgres_equality {
    const char *operation;
    const char *types[2]; /* of the left side, of the right one */
    bool turned;          /* the second column stands on the left */
    bool of_key;          /* a foreign key's: the left column is the one that is referred to */
};
/* The equality by the server's own word, where = would not say it. `connection` is the caller's. */
enum status postgres_equality_find(struct postgres_database *self, PGconn *connection,
                                   const struct postgres_equality_side *from,
                                   const struct postgres_equality_side *to, struct arena *arena,
                                   struct postgres_equality *equality,
                                   struct error *error) MUST_USE;

/* ---------------------------------------------------------------- digest_words.c */

/* A column's part of a row's text; `selected` is its name with the root's alias. */
void postgres_digest_append_part(struct buffer *sql, const struct postgres_column *column,
                                 const char *selected, bool key);
struct digest_type postgres_digest_type(const struct sql_database *self,
                                        const struct sql_table *table, uint32_t column);

/* ---------------------------------------------------------------- digest.c */

/* source_functions.digest */
enum status postgres_digest(struct reader *reader, const struct read_request *request,
                            const struct span *span, struct digest_sum *sums, uint64_t *bytes,
                            struct error *error);

/* ---------------------------------------------------------------- large.c */

/* A handle on a value, from what the row tells of it. */
enum status postgres_large_make(struct postgres_database *self,
                                const struct postgres_sliced *column, const char *told,
                                size_t length, struct batch *batch, struct cell *cell,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- copy_read.c */

/* One COPY of a request's rows, as it comes in; zeros but for the first three. */
struct postgres_copy {
    struct postgres_database *database;
    const struct postgres_request *compiled;
    const char *name; /* of the request, for messages */
    bool header_seen;
};
/* Takes one message, which holds perhaps the header, and a row, which goes into the batch, or the
 * end. */
enum status postgres_copy_take(struct postgres_copy *copy, struct batch *batch, const char *data,
                               size_t length, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- decode.c */

/* One value of binary COPY as a cell; `bytes` live in `arena` already and are borrowed. A value
 * that no kind can hold, or that is not of its format, becomes an ESCAPE. STATUS_FAILED: no memory
 * for that. */
enum status postgres_decode(const struct postgres_type *type, bool utf8, const uint8_t *bytes,
                            uint32_t length, struct arena *arena, struct cell *cell) MUST_USE;

/* ---------------------------------------------------------------- reader_session.c */

/* A connection within the snapshot. */
enum status postgres_reader_connect(struct postgres_database *self, PGconn **connection,
                                    struct error *error) MUST_USE;
/* The meaning for the snapshot of a reading that failed. */
enum status postgres_reading_failed(struct postgres_database *self, struct error *error);

/* ---------------------------------------------------------------- reader.c */

/* One that no cursor has, and back: NULL is fine, and one that broke is ended. */
enum status postgres_reader_take(struct reader *reader, PGconn **connection,
                                 struct error *error) MUST_USE;
void postgres_reader_give(struct reader *reader, PGconn *connection);
struct postgres_database *postgres_reader_database(const struct reader *reader);

#endif
