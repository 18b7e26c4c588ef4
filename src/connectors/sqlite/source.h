/* The source side of the SQLite connector: its catalogue, its snapshot and how requests become
 * SQL. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_SOURCE_H
#define TRANSHUME_CONNECTORS_SQLITE_SOURCE_H

#include "connectors/sqlite/sqlite_internal.h"
#include <pthread.h>

/* ---------------------------------------------------------------- types.c */

/* The form that a column's values take; the storage class of each value decides in the end. */
enum read_rule {
    READ_PLAIN,   /* as stored */
    READ_DECIMAL, /* numbers become decimals */
    READ_BOOL,    /* 0 and 1 become booleans */
    READ_PRESENCE /* 0 and 1, made by the request itself */
};

struct column_type {
    struct value_type type;
    enum read_rule rule;
    char affinity; /* SQLite's: 'I' integer, 'R' real, 'N' numeric, 'T' text, 'B' none */
};

/* From the declared type (may be NULL or empty); `native` is borrowed. */
struct column_type sqlite_column_type_of(const char *declared, bool strict);

/* ---------------------------------------------------------------- catalog.c */

struct catalog_column {
    struct column_type read;
    const char *collation; /* never NULL: "BINARY" */
};

struct catalog_index {
    const char **columns; /* NULL: an expression */
    const char **collations;
    uint32_t count;
    bool unique;
    bool partial;
};

struct catalog_key_part {
    uint32_t column;
    bool descending;
    const char *collation; /* the key's, which may be another than the column's */
};

/* The reader's facts of a table beyond struct schema_table; the two lists run in parallel. */
struct catalog_table {
    const struct schema_table *schema;
    const struct catalog_column *columns;
    const struct catalog_index *indexes;
    uint32_t index_count;
    const struct catalog_key_part *key; /* of a WITHOUT ROWID table, in the order of its b-tree;
                                           none if its collation is an application's own */
    uint32_t key_count;
    int32_t rowid_column; /* the INTEGER PRIMARY KEY, -1: none */
    bool sliceable;       /* sqlite3_blob_open works on it */
};

struct catalog {
    struct schema *schema;
    const struct catalog_table *tables;
    int64_t schema_version;
};

/* Reads all of it through `connection` into an arena of its own; free with
 * arena_destroy(schema->arena). */
enum status catalog_read(struct sqlite_database *self, sqlite3 *connection, struct catalog *catalog,
                         struct error *error) MUST_USE;
/* The instance's own copy, read at first use. Control thread. */
enum status catalog_get(struct sqlite_database *self, const struct catalog **catalog,
                        struct error *error) MUST_USE;
/* By exact name, else by SQLite's own case-insensitive comparison. NULL: there is none. */
const struct catalog_table *catalog_find(const struct catalog *catalog, const char *name);
/* Likewise a column's position; -1: there is none. */
int32_t catalog_find_column(const struct catalog_table *table, const char *name);
/* The leading parts of the key that have one direction: what tuples can be compared by. */
uint32_t catalog_key_prefix(const struct catalog_table *table);
/* alias."column" [COLLATE …] of one part of the key. */
void catalog_append_key_part(struct buffer *sql, const struct catalog_table *table, uint32_t part,
                             const char *alias);
/* Is this a name of the row key (a "rowid" that no column hides)? */
bool catalog_is_row_key(const struct catalog_table *table, const char *name);

/* query.c: prepares a user's query alone and refuses all but one SELECT that only reads. `length`
 * is that of the statement, without what follows its semicolon. */
enum status query_check(sqlite3 *connection, const char *query, size_t *length,
                        struct error *error) MUST_USE;
/* "(query\n)" without its closing semicolon. */
void query_append(struct buffer *sql, const char *query, size_t length);
enum status query_describe_on(sqlite3 *connection, const char *query, struct arena *arena,
                              struct schema_table *table, struct error *error) MUST_USE;

/* create_text.c: what only the text of a CREATE TABLE tells. */
struct create_foreign_key {
    const char *name; /* NULL: none */
    bool deferrable;
};
struct create_facts {
    const char **checks;
    uint32_t check_count;
    struct create_foreign_key *foreign_keys; /* in the order of the text */
    uint32_t foreign_key_count;
};
void create_text_read(const char *sql, struct arena *arena, struct create_facts *facts);

/* ---------------------------------------------------------------- the source's state */

/* The content's version, as far as headers tell; see snapshot.c. */
struct wal_version {
    uint32_t frames;
    uint32_t pages;
    uint32_t checksum[2];
    uint32_t salt[2];
};

struct row_count {
    struct row_count *next;
    const char *table;
    int64_t data_version;
    int64_t rows;
    bool guessed;
};

/* Values of a NUMERIC(p,s) column that hold more than s digits after the point. */
struct excess_digits {
    struct excess_digits *next;
    const char *stream;
    const char *column;
    uint64_t count;
    char texts[]; /* both names */
};

/* A sorted list (join columns, row key) of a table whose columns have no usable index. */
struct spill {
    struct spill *next;
    uint32_t number; /* its table is "s<number>" in the attached file */
    const char *table;
    struct column_list columns;
    const char *signature; /* affinities and collations that the keys were made for */
    uint32_t row_key_count;
};

struct sqlite_source {
    bool trusted;   /* its schema can't be read otherwise; see trust.c */
    bool immutable; /* no locks at all */
    bool single;    /* the file can't be written to, so no lock is had: one connection serves all */
    bool wal;
    bool wal_found; /* a -wal file was there before us */
    bool snapshot_taken;
    bool split_here; /* its spans are of that snapshot: those of a ledger are of another one */
    struct sqlite_file_identity file; /* that was opened; its name may go to another one */
    sqlite3 *helper; /* read-write, for the brief lock; NULL if immutable or single */
    sqlite3 **idle;  /* readers of the snapshot, not yet handed out */
    uint32_t idle_count;
    sqlite3 *large; /* for slices; `control` if single */
    pthread_mutex_t
        lock; /* guards `large` and everything reached through it, and the lists below */
    struct catalog catalog;
    bool catalog_read;
    struct row_count *counts;           /* control thread */
    struct excess_digits *excess;       /* under `lock`; malloc */
    const volatile uint32_t *wal_index; /* NULL: can't be seen */
    struct wal_version version;
    char *spill_path; /* NULL: no spill was made */
    bool spill_ready; /* it is complete: readers attach it when they need it */
    struct spill *spills;
    uint32_t spill_count;
    uint32_t spill_builds; /* how often something was sorted: tests look at it */
    bool temporary_folder_set;
};

/* trust.c: decides whether the schema has to be trusted, and makes the control connection do so. */
enum status trust_settle(struct sqlite_database *self, struct error *error) MUST_USE;
/* Any other connection to the source follows. */
enum status trust_follow(const struct sqlite_database *self, sqlite3 *connection,
                         struct error *error) MUST_USE;

/* Likewise one that writes what it reads, and rolls back what others left half written: it looks at
 * CHECKs, too, which one that only reads does not. */
enum status trust_write(const struct sqlite_database *self, sqlite3 *connection,
                        struct error *error) MUST_USE;

/* caveats.c: see connector.h. */
enum status source_caveats(struct database *self, struct buffer *out, struct error *error) MUST_USE;

/* large.c: damage that is found once the copy has begun is no longer a source that was refused. */
void source_read_failed(struct error *error);

/* snapshot.c: called by open and close, the last after `control` is closed. */
enum status sqlite_source_opened(struct sqlite_database *self, bool immutable,
                                 struct error *error) MUST_USE;
void sqlite_source_closing(struct sqlite_database *self);
void sqlite_source_closed(struct sqlite_database *self);

/* wal_index.c */
/* The head of the WAL's shared index, as long as the connection is open; NULL: can't be seen. */
const volatile uint32_t *wal_index_map(sqlite3 *connection);
/* Frames, size and checksum of the WAL as its shared index has them; false: can't be seen. */
bool wal_version_read(const volatile uint32_t *wal_index, struct wal_version *version);

/* ---------------------------------------------------------------- count.c */

/* The one number that a statement gives; `object` is what an error names. Control thread. */
enum status source_ask_number(struct sqlite_database *self, const char *sql, const char *object,
                              int64_t *number, struct error *error) MUST_USE;
/* The size of the whole file. */
enum status source_file_bytes(struct sqlite_database *self, int64_t *bytes,
                              struct error *error) MUST_USE;
/*
 * About how many rows a table has now, asked once per state of the database: counted, but in a
 * large file for one whose rowids leave no gap wherever they are looked at. That has as many rows
 * as rowids from its first to its last one, less what hides in gaps that were not met. Control
 * thread.
 */
enum status source_guess_rows(struct sqlite_database *self, const struct catalog_table *table,
                              int64_t *rows, struct error *error) MUST_USE;
/* source_functions.count */
enum status source_count(struct database *database, const struct read_request *request,
                         int64_t *rows, struct error *error);

/* ---------------------------------------------------------------- holds.c */

/* source_functions.holds, of the tests of texts that are times, and of decimals */
enum status source_holds(struct database *database, const char *table_name, const char *column_name,
                         enum value_test test, bool *holds, struct error *error);
/* Gives columns of a query's result that have no type, as count(*), the kind of all their values,
 * which the query is read through for; those with values of several kinds stay as they are. */
enum status source_learn_query(struct sqlite_database *self, const char *query,
                               struct schema_table *table, struct error *error);

/* ---------------------------------------------------------------- split.c */

enum status source_describe_stream(struct database *self, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error);
enum status source_split(struct database *self, const struct read_request *request,
                         uint64_t rows_wanted, struct arena *arena, struct span **spans,
                         uint32_t *span_count, struct error *error);
const char *source_number_spans(struct database *database, const struct read_request *request,
                                const char **column);

/* ---------------------------------------------------------------- span.c */

enum { SPAN_KEY_PARTS_MAX = 64 };

/* The bounds of a span as its bytes hold them: low < key <= high. */
struct span_bounds {
    bool by_key; /* a primary key's tuple, else a rowid */
    bool has_low;
    bool has_high;
    int64_t low;
    int64_t high;
    uint32_t parts; /* by_key: the leading columns that are compared */
    const uint8_t *low_values;
    const uint8_t *high_values;
    const uint8_t *end;
};

/* An encoded tuple out of the first `parts` columns of a row. */
void span_append_values(struct buffer *out, sqlite3_stmt *row, uint32_t parts);
/* Writes bounds into bytes; `low` and `high` are encoded tuples, NULL for an open end. */
void span_encode_rowid(struct buffer *out, const int64_t *low, const int64_t *high);
void span_encode_key(struct buffer *out, uint32_t parts, const struct buffer *low,
                     const struct buffer *high);
/* Checks every length; LEDGER_INVALID if the bytes are not ours. NULL or empty bounds: all rows. */
enum status span_decode(const struct span *span, struct span_bounds *bounds,
                        struct error *error) MUST_USE;
/* " AND …" conditions on the root's alias with the parameters :low0 … :high0 …. */
void span_append_condition(struct buffer *sql, const struct span_bounds *bounds,
                           const struct catalog_table *table, const char *alias);
/* Binds what span_append_condition named. */
enum status span_bind(const struct span_bounds *bounds, sqlite3_stmt *statement,
                      struct error *error) MUST_USE;
/* "A, 5" for people. */
void span_print_values(const uint8_t *values, const uint8_t *end, uint32_t parts,
                       struct buffer *out);

/* ---------------------------------------------------------------- request.c */

enum read_mode {
    READ_NORMAL,
    READ_CAREFUL, /* texts and BLOBs of sliceable tables are fetched by their row key */
    READ_WHOLE    /* values of any size, each in one piece */
};

/* The SQL function that rows are handed over to, instead of being asked for one by one: reader.c.
 */
#define SOURCE_ROW_FUNCTION "transhume_row"

/* One result column and what it is. */
struct request_column {
    enum read_rule rule;
    int32_t scale;                     /* READ_DECIMAL: as declared, -1: not declared */
    int32_t join;                      /* -1: the root */
    const struct catalog_table *table; /* NULL: a query's */
    int32_t column;                    /* in the table, -1: row key or presence */
    const char *name;
    bool is_rowid;   /* the row key or what stands for it: always an integer */
    bool careful;    /* READ_CAREFUL: its storage class is in the next result column */
    uint32_t result; /* position of the value in the result row, or among what is handed over */
    uint32_t rowid_result; /* careful: position of the row key */
};

struct request_sql {
    struct buffer sql;
    const struct catalog_table *root; /* NULL: a query */
    struct request_column *columns;
    uint32_t column_count;
    uint32_t result_count;  /* of result columns, or of values that are handed over */
    bool documents;         /* no columns were named: all of the root's, a MAP a row */
    bool walks_rowids;      /* of one table, in their order, and without the upper bound: who takes
                             * the rows ends it */
    bool hands_over;        /* so, and its WHERE calls SOURCE_ROW_FUNCTION with :cursor, the row key
                             * and the values; a result row says no more than that it returned true */
    uint32_t walked_result; /* position of the row key, if it walks rowids and hands nothing over */
    bool sliceable;         /* careful mode can tell its rows */
    bool restarts;          /* the order is total, so that reading may go on after n rows */
};

/*
 * Writes the SELECT of a request: the root is _t0, join n is _t<n+1>. Columns live in `arena`. A
 * join whose columns were sorted by `prepare` is read through the sorted list, if `with_spills`.
 */
struct request_options {
    sqlite3 *connection; /* of the calling thread: queries are described on it */
    const char *schema;  /* that holds the tables: "main" */
    enum read_mode mode;
    bool with_spills;
    bool with_offset;   /* adds LIMIT -1 OFFSET :skip */
    bool may_hand_over; /* who steps has SOURCE_ROW_FUNCTION, and binds :cursor */
};
enum status request_compile(struct sqlite_database *self, const struct read_request *request,
                            const struct span *span, struct request_options options,
                            struct arena *arena, struct request_sql *compiled,
                            struct error *error) MUST_USE;
/* The root's table, NULL for a query; PLAN_INVALID if there is none of that name. */
enum status request_root(struct sqlite_database *self, const struct read_request *request,
                         const struct catalog_table **table, struct error *error) MUST_USE;
void request_free(struct request_sql *compiled);
/* As struct source_functions has it. */
enum status source_accepts(struct database *database, const struct read_request *request,
                           struct error *error);

/* ---------------------------------------------------------------- join.c */

/* One pair of equal columns, resolved. */
struct join_part {
    int32_t from_column; /* -1: a row key or a query's column */
    int32_t column;
    char from_affinity; /* SQLite's, 'U': not known, an expression's */
    char affinity;
    bool from_first; /* which side stands left of the "=" and so says the collation */
    const char *collation;
};

struct join_facts {
    const struct catalog_table *from; /* NULL: a query */
    const struct catalog_table *table;
    struct join_part *parts;
    uint32_t part_count;
    bool unique;               /* at most one row of the table can be equal */
    const char *signature;     /* what a spill for it is sorted by */
    const struct spill *spill; /* NULL: there is none */
};

/* Resolves all joins of a request; PLAN_INVALID names what there is not. */
enum status join_resolve(struct sqlite_database *self, const struct read_request *request,
                         sqlite3 *connection, struct arena *arena, struct join_facts **joins,
                         struct error *error) MUST_USE;
/* alias."column", or alias.rowid; `table` NULL: a query's column. */
enum status join_append_column(struct buffer *sql, const char *alias,
                               const struct catalog_table *table, const char *name,
                               struct error *error) MUST_USE;
/* " CROSS JOIN …" or " LEFT JOIN …" of join `index`. */
enum status join_append(struct buffer *sql, const struct read_request *request, uint32_t index,
                        const struct join_facts *joins, const char *schema,
                        struct error *error) MUST_USE;
/* The row key of alias `_<letter><number>`, part by part, after a separator each. False: it has
 * none. */
bool join_append_row_key(struct buffer *sql, const struct catalog_table *table, const char *alias,
                         const char *separator);
uint32_t join_row_key_count(const struct catalog_table *table);
/* The same in the order of the table's b-tree, or (of_list) the order of its sorted list's
 * entries. */
void join_append_order(struct buffer *sql, const struct catalog_table *table, const char *alias,
                       bool of_list, const char *separator);
const char *join_key_direction(const struct catalog_table *table,
                               uint32_t part); /* "" or " DESC" */

/* The spill of the table by those columns; NULL: there is none. */
const struct spill *spill_find(const struct sqlite_source *source, const char *table,
                               struct column_list columns, const char *signature);

/* spill.c */
enum status source_prepare(struct database *self, const struct read_request *const *requests,
                           uint32_t request_count, void (*progress)(const char *what),
                           struct error *error);
/* Makes the finished spill file visible as schema "spill" to a connection. */
enum status spill_attach(struct sqlite_database *self, sqlite3 *connection,
                         struct error *error) MUST_USE;
void spill_remove(struct sqlite_source *source);

/* ---------------------------------------------------------------- reader.c, large.c */

struct reader {
    struct sqlite_database *database;
    sqlite3 *connection;
    bool owned; /* closed with the reader */
    bool spill_attached;
};

/* Lets a connection hand rows over. Once, before it has statements. */
enum status source_register_rows(const struct sqlite_database *self, sqlite3 *connection,
                                 struct error *error) MUST_USE;
enum status source_reader_open(struct database *self, struct reader **reader, struct error *error);
void source_reader_close(struct reader *reader);
enum status source_cursor_open(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor,
                               struct error *error);
enum status source_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error);
void source_cursor_close(struct cursor *cursor);

/* cell.c: one text, its UTF-8 checked on the way: an ESCAPE cell if it is none. */
enum status cell_text_copy(const char *from, size_t length, struct arena *arena,
                           struct cell *cell) MUST_USE;
/*
 * A result row's values, or (`values` not NULL) those, as the columns' rules say; texts and BLOBs
 * are copied into the arena. `bytes` grows by what was copied, excess[i] by one if value i had more
 * digits than declared. STATUS_FAILED: no memory for a value.
 */
enum status cells_read(sqlite3_stmt *row, sqlite3_value *const *values,
                       const struct request_column *columns, uint32_t count, struct arena *arena,
                       struct cell *cells, size_t *bytes, uint64_t *excess) MUST_USE;

/*
 * One text or BLOB of a row: whole in the batch's arena up to the slice limit, else a handle that
 * the batch keeps. `blob` is the column's own handle (NULL at first), used again for the next row.
 */
enum status large_read(struct sqlite_database *self, const struct request_column *column,
                       int64_t row_key, bool is_text, sqlite3_blob **blob, struct batch *batch,
                       struct cell *cell, size_t *bytes, struct error *error) MUST_USE;
void large_close(struct sqlite_database *self, sqlite3_blob *blob); /* NULL is fine */

#endif
