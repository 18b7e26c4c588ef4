/* The source side: spans, requests as SQL, and texts as cells. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SOURCE_H
#define TRANSHUME_CONNECTORS_MYSQL_SOURCE_H

#include "connectors/mysql/catalog.h"
#include "connectors/sql/request.h"
#include "connectors/sql/span.h"
#include "connectors/sql/stream.h"

/* ---------------------------------------------------------------- span.c */

/* A key's column as it is selected for a bound: such that a literal of it compares as the column
 * is ordered. `alias` may be NULL. */
void mysql_append_key(struct buffer *sql, const struct mysql_column *column, const char *alias);
/* (key > …) or, with `at_most`, (key <= …), so written that an index serves it. */
void mysql_append_bound(struct buffer *sql, const struct mysql_table *table, const char *alias,
                        const struct text *values, bool at_most);
/* key = …: the record that has these values, as mysql_append_key selects them. */
void mysql_append_record(struct buffer *sql, const struct mysql_table *table, const char *alias,
                         const struct text *values);
/* " WHERE …" on the root's alias _t0; nothing if the span is everything. */
enum status mysql_span_append(struct buffer *sql, const struct span *span,
                              const struct mysql_table *table, struct error *error) MUST_USE;

/* split.c: struct sql_dialect */
enum status mysql_look_at_stream(struct sql_database *self, const struct read_request *request,
                                 const struct sql_table *table, struct stream_facts *facts,
                                 bool *numbers, struct error *error);
enum status mysql_count_source(struct sql_database *self, const struct sql_table *table, bool stops,
                               int64_t *rows, struct error *error);
/* source_functions */
enum status mysql_split(struct database *self, const struct read_request *request,
                        uint64_t rows_wanted, struct arena *arena, struct span **spans,
                        uint32_t *span_count, struct error *error);

/* snapshot.c */
enum status mysql_snapshot(struct database *self, uint32_t reader_count, struct arena *arena,
                           const char **token, struct error *error);
/* source_functions.leave */
enum status mysql_leave_snapshot(struct database *self, struct error *error);
/* An idle connection within the snapshot, and back: NULL is fine, and one that broke is ended. Any
 * thread. */
enum status mysql_pool_take(struct mysql_database *self, MYSQL **connection,
                            struct error *error) MUST_USE;
void mysql_pool_give(struct mysql_database *self, MYSQL *connection);

/* The same of those that no reader will ask for: false if there is none. */
bool mysql_pool_take_spare(struct mysql_database *self, MYSQL **connection);
void mysql_pool_give_spare(struct mysql_database *self, MYSQL *connection);

/* ---------------------------------------------------------------- hold.c */

/* struct sql_dialect */
enum status mysql_hold_table(struct sql_database *self, const char *name, struct error *error);
enum status mysql_hold_query(struct sql_database *self, const struct read_request *request,
                             struct error *error);
/* The control connection, within the snapshot, touches all of it, which keeps everybody from
 * altering it. SOURCE_CHANGED: somebody did since the catalogue was read. */
enum status mysql_hold_touch(struct mysql_database *self, struct error *error) MUST_USE;
/* Afterwards: the readers' connections touch it likewise, so that none of them queues behind who
 * waits for the control connection. From then on they wait for a table but briefly. */
enum status mysql_hold_join(struct mysql_database *self, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- lacking.c */

/* source_functions.tell_lacking */
enum status mysql_tell_lacking(struct database *self, const struct read_request *const *requests,
                               uint32_t request_count, struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- request.c */

/* A column whose large values come as handles. */
struct mysql_sliced {
    uint32_t column; /* of the result */
    enum value_kind kind;
    const char *name;
};

/* Behind the columns stands for each that is sliced the length of its value, NULL if that is not
 * large, and, if any is, behind these the root's key, NULLs in rows without large values. */
struct mysql_request {
    struct sql_select select;
    struct mysql_type *columns;
    const struct mysql_table *root; /* sliced */
    struct mysql_sliced *sliced;
    uint32_t sliced_count;
};

/* Writes the SELECT: the root is _t0, join n is _t<n+1>. `connection` is the caller's, for queries
 * to be described on. `columns` live in `arena`. */
enum status mysql_request_compile(struct mysql_database *self, MYSQL *connection,
                                  const struct read_request *request, const struct span *span,
                                  struct arena *arena, struct mysql_request *compiled,
                                  struct error *error) MUST_USE;
/* source_functions.accepts: of several partners a key has to tell the first. */
enum status mysql_accepts(struct database *database, const struct read_request *request,
                          struct error *error) MUST_USE;
/* A column as its text is asked for. */
void mysql_append_selected(struct buffer *sql, const struct mysql_type *type, const char *alias,
                           const char *name);

/* Does the table have columns whose large values can be read in slices? */
bool mysql_has_sliced(const struct mysql_table *table);

/* ---------------------------------------------------------------- large.c */

/* The handles of a row that has large values; `extra` are the row's texts behind its columns, with
 * their lengths. */
enum status mysql_large_make(struct mysql_database *self, const struct mysql_request *compiled,
                             char **extra, const unsigned long *lengths, struct batch *batch,
                             struct cell *cells, struct error *error) MUST_USE;

/* "SELECT …" of the digest that the request has. `sql` is the caller's to free. */
enum status mysql_since_query(struct database *self, const struct read_request *request,
                              struct buffer *query, struct error *error) MUST_USE;
enum status mysql_digest_compile(struct mysql_database *self, MYSQL *connection,
                                 const struct read_request *request, const struct span *span,
                                 struct arena *arena, struct buffer *sql,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- digest_words.c */

/* A column's part of a row's text; `selected` is its name with the root's alias. */
void mysql_digest_append_part(struct buffer *sql, const struct mysql_column *column,
                              const char *selected, bool key);
struct digest_type mysql_digest_type(const struct sql_database *self, const struct sql_table *table,
                                     uint32_t column);

/* ---------------------------------------------------------------- digest.c */

/* source_functions.digest */
enum status mysql_digest(struct reader *reader, const struct read_request *request,
                         const struct span *span, struct digest_sum *sums, uint64_t *bytes,
                         struct error *error);
/* reader.c: the database that it reads. */
struct mysql_database *mysql_reader_database(const struct reader *reader);

/* ---------------------------------------------------------------- decode.c */

/* A time of day in a column of times is read as VALUE_TIME, all else of it as an interval. */
bool mysql_is_time_of_day(int64_t nanoseconds);

/* One value's text as a cell; `bytes` live in `arena` already and are borrowed. A value that no
 * kind can hold, or that is not of its format, becomes an ESCAPE. */
void mysql_decode(const struct mysql_type *type, const char *bytes, size_t length,
                  struct arena *arena, struct cell *cell);

/* The same of a date, time, or both, that the library took apart. */
void mysql_decode_moment(const struct mysql_type *type, const MYSQL_TIME *moment,
                         struct arena *arena, struct cell *cell);

/* ---------------------------------------------------------------- binary.c */

/* A SELECT whose rows come in the binary protocol, as they come: the server makes no texts of
 * numbers and times, for which it takes 2.5 times as long. */
struct mysql_rows;
/* Sends it on a connection that is the caller's, and may carry nothing else until it is closed.
 * `*rows` is NULL if the text protocol has to do: for values whose text alone says what they are,
 * and for statements that can't be prepared. `compiled` must outlive it. */
enum status mysql_rows_open(struct mysql_database *self, MYSQL *connection,
                            const struct mysql_request *compiled, struct arena *arena,
                            enum error_code otherwise, struct mysql_rows **rows,
                            struct error *error) MUST_USE;
/* The next row, of so many bytes, not counting fixed ones. STATUS_END: there is none. */
enum status mysql_rows_next(struct mysql_rows *rows, size_t *bytes, struct error *error) MUST_USE;
/* Its values. */
enum status mysql_rows_decode(struct mysql_rows *rows, struct arena *arena, struct cell *cells,
                              struct error *error) MUST_USE;
/* NULL is fine. Rows that are still to come are read off. */
void mysql_rows_close(struct mysql_rows *rows);

#endif
