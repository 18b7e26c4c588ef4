/* Declarations that the files of SQLite's writer share: its statements, and the batch as a table
 * that feeds them. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_WRITER_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_WRITER_INTERNAL_H

#include "connectors/sqlite/target_internal.h"

/* One column of an INSERT: from a field of the batch into a column of the table. */
struct writer_column {
    uint32_t field;
    enum sqlite_affinity affinity;
    bool row_key;
    const struct sqlite_target_column *column;
};

/* Why the value of a column can't be stored: set by the batch table while its row is being read. */
struct writer_refusal {
    bool set;
    enum error_code code;
    char reason[512];
};

/*
 * A batch as a virtual table of SQLite: rows first..end of it are what a scan gives. After a failed
 * statement `current` is the row that it was at, or `end` if it had read all of them before.
 */
struct writer_view {
    const struct batch *batch;
    uint32_t first;
    uint32_t end;
    uint32_t current;
    bool started; /* the scan began: what fails from here on is a matter of a row */
    const struct writer_column *columns;
    uint32_t column_count;
    uint64_t bytes;        /* of the values that this scan has given */
    struct arena *scratch; /* of values made on the way; emptied after each batch */
    struct writer_refusal refusal;
    bool utf16;               /* the database's encoding: bytes that are not UTF-8 can't be kept */
    bool stream_large;        /* LARGE bytes arrive as zeros, filled in after the row is there */
    struct error large_error; /* a value that could not be read or had no room */
};

/* Registers `view` as a table called `name` on the connection; the view has to outlive it. */
int writer_table_register(sqlite3 *connection, const char *name, struct writer_view *view);

/*
 * Gives one value of the current row to SQLite so that the column keeps it: SQLite's affinities
 * would round, re-type or drop some without a word, and these are refused. SQLITE_OK, or an error
 * after the view's refusal is set.
 */
int writer_value_give(struct writer_view *view, const struct writer_column *column,
                      const struct cell *cell, sqlite3_context *context);

/* One INSERT: for a table and the shape of its batches. */
struct writer_insert {
    struct writer_insert *next;
    uint32_t table;
    const struct shape *shape;
    const struct writer_column *columns;
    struct writer_view view;
    sqlite3_stmt *statement;
    uint32_t row_key_field; /* for the next two, which go together; else NULL */
    sqlite3_stmt *append;   /* leaves the row key out: SQLite gives each row the next one */
    sqlite3_stmt *last_key; /* after which number? */
    sqlite3_stmt
        *track; /* notes the keys written, where one may be there before the run; else NULL */
    sqlite3_stmt *repeat;      /* does the table hold the record as it is? NULL: nobody asks */
    sqlite3_stmt *undo_before; /* keeps what is overwritten; NULL: nothing is, or nobody asks */
    sqlite3_stmt *undo_after;  /* keeps keys and hashes of what was written; NULL: nobody asks */
};

/* A statement of the express lane. */
struct writer_express {
    struct writer_express *next;
    uint32_t table;
    const char *sql;
    sqlite3_stmt *statement;
    uint64_t row_operations; /* of one row, about; 0: not known */
};

/* A table that the writer may fill. */
struct writer_table {
    const struct target_table *plan;
    struct sqlite_target_table facts;
    bool described;
    bool has_index;                /* besides the table itself */
    bool express_ready;            /* asked already: */
    bool express_allowed;          /* do the source's values arrive as they are? */
    enum existing_policy existing; /* APPEND in a table that this run made */
};

struct writer {
    struct sqlite_database *database;
    sqlite3 *connection;
    struct arena *arena; /* statements and descriptions: as long as the writer */
    struct arena *scratch;
    struct writer_table *tables;
    uint32_t table_count;
    struct writer_insert *inserts;
    struct writer_express *expresses;
    uint32_t insert_count;
    const char *guard_key; /* NULL: the ledger is elsewhere */
    uint64_t guard_version;
    uint64_t chunk;     /* open one, 0: none */
    uint64_t committed; /* the last one: its commit may be called again */
    bool mark_written;
    bool has_result;
    bool utf16;
    struct batch_result result;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *savepoint;
    sqlite3_stmt *release;
    sqlite3_stmt *undo;
    sqlite3_stmt *mark;
    sqlite3_stmt *guard;
    struct database *attached; /* the express lane's source; NULL: none yet */
};

enum status sqlite_writer_open(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error) MUST_USE;
void sqlite_writer_close(struct writer *writer);
enum status sqlite_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                      struct error *error) MUST_USE;
enum status sqlite_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                 struct batch *batch, struct error *error) MUST_USE;
enum status sqlite_writer_poll(struct writer *writer, int64_t timeout_ms,
                               struct batch_result *result, struct error *error) MUST_USE;
enum status sqlite_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                              struct error *error) MUST_USE;
enum status sqlite_writer_commit(struct writer *writer, uint64_t chunk,
                                 const struct done_mark *mark, struct error *error) MUST_USE;
void sqlite_writer_chunk_abandon(struct writer *writer, uint64_t chunk);

/* The table's catalogue, read once. */
enum status writer_describe(struct writer *writer, uint32_t table, struct error *error) MUST_USE;

/* writer_statement.c: the INSERT for a table and shape, made at first use. */
enum status writer_insert_get(struct writer *writer, uint32_t table, const struct shape *shape,
                              struct writer_insert **insert, struct error *error) MUST_USE;

/* writer_statement.c: the column of the view that fills a column of the table; NULL: none. */
const struct writer_column *writer_filled_column(const struct writer_insert *insert,
                                                 const char *name, uint32_t *position);
/* writer_undo.c: the statements that keep undo records of a batch. */
enum status writer_undo_prepare(struct writer *writer, struct writer_insert *insert,
                                const char *view_name, struct error *error) MUST_USE;

/* writer_statement.c: frees its statements. */
void writer_insert_finalize(struct writer_insert *insert);

/* writer_batch.c: writes all records of a batch that can be written and says what became of the
 * others. */
enum status writer_batch_write(struct writer *writer, struct writer_insert *insert,
                               struct batch *batch, struct batch_result *result,
                               struct error *error) MUST_USE;

/* SQLite's words on a failed statement, kept while its work is undone. */
struct writer_failure {
    int result;    /* the extended code */
    bool tracking; /* it was the key that failed, in the list of the run's own keys */
    struct writer_refusal refusal;
    char message[512];
};
/* writer_reason.c: is the failure one record's own matter? */
bool writer_failure_is_of_record(const struct writer_failure *failure,
                                 const struct writer_view *view);
/* The failure as the reject of `row`: constraint, columns and values. The reason lives in
 * `arena`. */
void writer_failure_describe(const struct writer_failure *failure,
                             const struct writer_insert *insert, const struct writer_table *table,
                             uint32_t row, struct arena *arena, struct record_outcome *outcome);

/* writer_large.c: may LARGE values go in by slices, and doing so for the row just inserted. */
bool writer_large_can_stream(const struct writer *writer, const struct writer_insert *insert,
                             const struct batch *batch, uint32_t row);
enum status writer_large_fill(struct writer *writer, const struct writer_insert *insert,
                              const struct batch *batch, uint32_t row,
                              struct error *error) MUST_USE;

bool sqlite_express_accepts(struct database *self, struct database *source);
enum status sqlite_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                 const struct read_request *request, const struct span *span,
                                 uint32_t table, uint64_t *rows, struct error *error) MUST_USE;

/* target_check.c */
enum status sqlite_target_check_table(struct database *self, const struct check_request *request,
                                      struct buffer *out, struct error *error) MUST_USE;
enum status sqlite_target_check_objects(struct database *self, const struct schema *objects,
                                        struct buffer *out, struct error *error);
#endif
