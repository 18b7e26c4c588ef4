/* Declarations that the files of the writer share: batches in hand, the bytes that carry them, what
 * is done when a record is refused. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_COPY_WRITER_INTERNAL_H
#define TRANSHUME_CONNECTORS_MYSQL_COPY_WRITER_INTERNAL_H

#include "base/ring.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/writer.h"
#include <pthread.h>

/* One column of a load: from a field of the batch into a column of the table. */
struct writer_column {
    uint32_t field;
    const struct mysql_column *column;
    bool in_key;
};

/* A prepared INSERT that takes the values of many rows at once: writer_bulk.c. */
struct writer_bulk {
    bool tried;
    MYSQL_STMT *statement; /* NULL: not tried, or the server does not prepare it */
};

/* How batches of one shape go into one table; made at first use. */
struct writer_plan {
    struct writer_plan *next;
    uint32_t table;
    const struct shape *shape;
    const struct mysql_table *facts;
    struct writer_column *columns;
    uint32_t column_count;
    bool staged;   /* by way of a temporary table: of records that are there, or kept for undoing */
    bool distinct; /* of equal records under a key one; staged, then */
    enum existing_policy existing;
    const char *statement;    /* LOAD DATA …, or INSERT … VALUES */
    struct writer_bulk *bulk; /* NULL: they are never sent in bulk */
    const char *stage;        /* staged: makes the temporary table */
    const char *stage_name;
    const char *repeats; /* distinct: makes the temporary table of records whose key is taken */
    const char *repeats_name;
};

/* A table that the writer may fill. */
struct writer_table {
    const struct target_table *plan;
    struct mysql_table facts;
    bool described;
    uint32_t refusals;          /* of the express lane's chunks, one after the other */
    const struct shape *pulled; /* by the express lane: the source's columns; NULL: not yet */
};

/* A record of the segment that is encoded: its bytes begin at `begin` and end where the next one's
 * begin. */
struct sent_row {
    struct sql_held *held;
    uint32_t row;
    size_t begin;
};

/* A large value whose bytes belong at `offset` of the segment's. */
struct large_mark {
    size_t offset;
    struct large_value *large;
};

/* The stream that the server reads when it asks for the file that LOAD DATA names. */
struct writer_stream {
    const struct writer_plan *plan;
    size_t at;
    size_t end;
    size_t mark;           /* the next one in `marks` */
    uint64_t large_offset; /* of that mark's value */
    struct buffer escaped; /* of it, not yet served from `escaped_at` on */
    size_t escaped_at;
    bool open;
    bool failed;
    struct error error;
};

/* Batches of one plan whose records are encoded: what one load takes. */
struct segment {
    const struct writer_plan *plan; /* NULL: none yet */
    enum mysql_form form;
    struct sql_held_list held;
    struct buffer out;
    struct buffer rows;  /* struct sent_row */
    struct buffer marks; /* struct large_mark */
    uint64_t numbered;   /* the writer's, behind its last record */
    uint64_t lines;      /* without batches: records of the express lane */
    struct error error;  /* why its load failed */
    bool failed;
};

/*
 * The engine's thread encodes into one segment while the loader, a thread of the writer's own,
 * sends the other. As long as `loading`, the connection and all that sending uses is the loader's.
 */
struct writer {
    struct sql_writer sql;
    struct mysql_database *database;
    MYSQL *connection;
    uint64_t packet_bytes_max;  /* its max_allowed_packet */
    struct arena *load_scratch; /* the loader's; emptied after each segment */
    struct writer_table *tables;
    uint32_t table_count;
    struct mysql_look look; /* taken when the first table is described */
    bool looked;
    struct writer_plan *plans;
    uint32_t plan_count;
    uint32_t statement_count; /* prepared, of the plans */
    uint64_t numbered;        /* records of the chunk that went by way of a temporary table */
    struct segment segments[2];
    struct segment *filling;
    struct segment *sending;
    struct writer_stream stream;
    struct ring *to_load;
    struct ring *loaded;
    pthread_t loader;
    bool has_loader;
    bool error_values; /* a record with error values is sent, by a session that is not strict: */
    uint32_t error_values_at; /* this one of the segment's */
    bool sees_notes;          /* its max_error_count is the largest */
    bool loading;             /* `sending` is under way */
    _Atomic bool refused; /* by the server: a record of the express lane, and with it the chunk */
};

/* Does the run keep what it takes to undo its writes to the table? */
static inline bool writer_keeps_undo(const struct writer_table *table)
{
    return table->plan->keeps_undo && table->plan->key.count > 0;
}

/* Why a window of records was refused. */
struct refusal {
    unsigned number;
    enum error_code code;
    char reason[768];
};

/* The rows of the segment that is being sent. */
static inline struct sent_row *writer_rows(const struct writer *writer, uint32_t *count)
{
    *count = (uint32_t)(writer->sending->rows.length / sizeof(struct sent_row));
    return (struct sent_row *)(void *)writer->sending->rows.data;
}

/* The table's name as the run has it, of which the names of its helper tables are made; the
 * server's own may differ in case. */
static inline const char *writer_plan_name(const struct writer *writer,
                                           const struct writer_plan *plan)
{
    return writer->tables[plan->table].plan->name;
}

/* writer_plan.c: the table's catalogue, read once. */
enum status writer_plan_get(struct writer *writer, uint32_t table, const struct shape *shape,
                            const struct writer_plan **plan, struct error *error) MUST_USE;

/* The table's part of it: fills `facts`. */
enum status writer_plan_describe(struct writer *writer, uint32_t table,
                                 struct error *error) MUST_USE;

/* Is the segment that is being filled to be sent? */
bool writer_is_ready(const struct writer *writer);

/* ---------------------------------------------------------------- writer_rows.c */

/* Encodes one row into the segment that is being filled; a value that its column can't hold refuses
 * the row. STATUS_AGAIN: the record can't be sent in bulk. */
enum status writer_encode_row(struct writer *writer, const struct writer_plan *plan,
                              struct sql_held *held, uint32_t row, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_load.c */

/* Serves the writer's own stream, and nothing else, to LOAD DATA LOCAL. */
void writer_serve(struct writer *writer);
/*
 * Sends the records from `first` to before `end` of the segment, behind a savepoint. STATUS_AGAIN:
 * the server refuses one of them, or would have bent it: `refusal` says why, and all of them are
 * undone.
 */
enum status writer_send(struct writer *writer, uint32_t first, uint32_t end,
                        struct refusal *refusal, struct error *error) MUST_USE;
/* The same with all lines of a segment without batches. */
enum status writer_send_lines(struct writer *writer, struct refusal *refusal,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_insert.c */

/* The table that the plan's records are sent to: its own, or the temporary one. */
void writer_append_destination(const struct writer *writer, const struct writer_plan *plan,
                               struct buffer *sql);
/* "INSERT INTO table (columns) VALUES ": what goes before the values. */
void writer_plan_append_insert(const struct writer *writer, const struct writer_plan *plan,
                               struct buffer *sql);

/* ---------------------------------------------------------------- writer_statement.c */

/* A statement after which all is well, or goes back to the savepoint: STATUS_AGAIN. */
enum status writer_run_statement(struct writer *writer, struct buffer *sql, MYSQL_RES **result,
                                 struct refusal *refusal, struct error *error) MUST_USE;
/* Back to the savepoint: STATUS_AGAIN. */
enum status writer_savepoint_undo(struct writer *writer, struct error *error) MUST_USE;
/* A statement failed: for the sake of a record (STATUS_AGAIN, with the reason in `refusal`, and all
 * is undone up to the savepoint), or for good. */
enum status writer_judge_failure(struct writer *writer, struct refusal *refusal,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_bulk.c */

/* Can records of the plan be sent in bulk, as far as is known? */
static inline bool writer_bulk_serves(const struct writer *writer, const struct writer_plan *plan)
{
    return plan->bulk != NULL && writer->database->takes_bulk &&
           (!plan->bulk->tried || plan->bulk->statement != NULL);
}
/* No writer of the database sends in bulk any more. `error` says why, and becomes one after which
 * the chunk is tried again. */
void writer_bulk_give_up(struct writer *writer, struct error *error);
/* Bytes of what precedes the first record. */
size_t writer_bulk_head_bytes(const struct writer_plan *plan);
/* Leaves room for them. */
void writer_bulk_begin(struct segment *segment);
/* Sends the bytes of the segment, behind a head that overwrites those before them: windows only go
 * forward, so nobody sends these again. Fails as mysql_send does. */
enum status writer_bulk_send(struct writer *writer, size_t from, size_t to,
                             struct error *error) MUST_USE;
/* When the connection is closed. */
void writer_bulk_close(struct writer *writer);

/* Prepares the plan's statement, anew if it was before. `refused`: the server does not take it. */
enum status writer_bulk_statement_prepare(struct writer *writer, const struct writer_plan *plan,
                                          bool *refused, struct error *error) MUST_USE;
/* Closes it; of no statement, or NULL, nothing. */
void writer_bulk_statement_close(struct writer *writer, struct writer_bulk *bulk);

/* ---------------------------------------------------------------- writer_bulk_choose.c */

/* Prepares the plan's statement, at the first call. Where the server refuses to, or the table may
 * have triggers, records go another way. */
enum status writer_bulk_prepare(struct writer *writer, const struct writer_plan *plan,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_segment.c */

/* The most bytes of the segment's records that the server takes at once. */
uint64_t writer_segment_bytes_max(const struct writer *writer, const struct segment *segment);

/* Sends the segment `sending`, and finds the records that the server refuses. */
enum status writer_segment_send(struct writer *writer, struct error *error) MUST_USE;
/* Empties it; its batches, if any are left, are destroyed. */
void writer_segment_clear(struct segment *segment);

/* ---------------------------------------------------------------- writer_error_value.c */

/* Does a record of the segment hold the error value of an ENUM? */
bool writer_has_error_values(const struct writer *writer, uint32_t at);
/* Is that warning about nothing but such a value? */
bool writer_is_error_value(const struct writer *writer, uint64_t number, const char *words);

/* ---------------------------------------------------------------- writer_loader.c */

enum status writer_loader_start(struct writer *writer, struct error *error) MUST_USE;
/* Waits for what is under way. */
void writer_loader_stop(struct writer *writer);
/* Gives the filled segment, if anything is in it, to the loader, after what that has under way. */
enum status writer_hand_over(struct writer *writer, struct error *error) MUST_USE;
/* The segment handed over is loaded, and its batches among the results: STATUS_OK, or STATUS_END if
 * none was; not yet: STATUS_AGAIN. A negative timeout: none. */
enum status writer_await_load(struct writer *writer, int64_t timeout_ms,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_stage_rows.c and
 * writer_stage.c */

/* Makes the temporary table and that of repeats, if this connection has none; empties them. */
enum status writer_stage_make(struct writer *writer, struct error *error) MUST_USE;

/* The state of a pass over the temporary table. */
struct stage_pass {
    struct writer *writer;
    const struct writer_plan *plan;
    struct column_list key;
    uint32_t first; /* the window, among the segment's rows */
    uint32_t end;
    uint64_t first_number; /* _transhume_row of its first row */
    bool repeats;          /* some lie aside */
    struct refusal *refusal;
    struct error *error;
};

/* "a, b": the plan's columns, each behind `alias` ("s." or ""). */
void writer_stage_append_columns(const struct writer_plan *plan, const char *alias,
                                 struct buffer *sql);
/* Takes the rows that a statement lists by their numbers out of the temporary table of that name,
 * and notes what became of them. Frees `list`. */
enum status writer_stage_take_out(struct stage_pass *pass, const char *from, struct buffer *list,
                                  struct sql_taken one) MUST_USE;
/* From the temporary table into the plan's, by the policy for records that are there. Results as
 * writer_send's. */
enum status writer_stage_apply(struct writer *writer, uint32_t first, uint32_t end,
                               struct refusal *refusal, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_distinct.c */

/* Lays those aside that stand behind a FROM, the temporary table being s. Frees `from`. */
enum status writer_distinct_lay_aside(struct stage_pass *pass, struct buffer *from) MUST_USE;
/* Makes the row that is locked, if it is not there and any table is distinct. */
enum status writer_distinct_note(struct writer *writer, struct error *error) MUST_USE;
/* Until the transaction ends, no other writer of the run fills tables of distinct records. */
enum status writer_distinct_lock(struct stage_pass *pass) MUST_USE;
/* Lays records aside whose key another one has, in the table or before them: where records are only
 * added. */
enum status writer_distinct_part(struct stage_pass *pass) MUST_USE;
/* When the others are in the table: a repeat that is like what is there is skipped, else refused.
 */
enum status writer_distinct_settle(struct stage_pass *pass) MUST_USE;

/* ---------------------------------------------------------------- writer_later.c */

/* Records in the temporary table that refer to one which is not there yet (target_later): their
 * values go aside, NULL stands in their place. */
enum status writer_later_lay_aside(struct stage_pass *pass) MUST_USE;

/* ---------------------------------------------------------------- writer_undo.c */

/* Keeps the records that those in the temporary table are about to overwrite; the ones that they
 * have written. Results as writer_send's. */
enum status writer_undo_before(struct writer *writer, const struct writer_plan *plan,
                               struct refusal *refusal, struct error *error) MUST_USE;
enum status writer_undo_after(struct writer *writer, const struct writer_plan *plan,
                              struct refusal *refusal, struct error *error) MUST_USE;

#endif
