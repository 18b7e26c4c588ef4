/* Declarations that the files of the writer share: batches in hand, the COPY that carries them,
 * what is done when a record is refused. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_COPY_WRITER_INTERNAL_H
#define TRANSHUME_CONNECTORS_POSTGRES_COPY_WRITER_INTERNAL_H

#include "connectors/postgres/target.h"
#include "connectors/sql/writer.h"

/* One column of a COPY: from a field of the batch into a column of the table. */
struct writer_column {
    uint32_t field;
    const struct postgres_column *column;
};

/* How batches of one shape go into one table; made at first use. */
struct writer_plan {
    struct writer_plan *next;
    uint32_t table;
    const struct shape *shape;
    const struct postgres_table *facts;
    struct writer_column *columns;
    uint32_t column_count;
    const char *relation; /* what COPY's errors call the table */
    bool staged;          /* by way of a temporary table: conflicts, or types without an encoder */
    bool distinct;        /* of equal records under a key one; staged, then */
    enum existing_policy existing;
    const char *copy;  /* COPY … FROM STDIN */
    const char *stage; /* staged: makes the temporary table, and that of repeats */
    const char *stage_name;
    const char *repeats_name; /* distinct: the temporary table of records whose key is taken */
};

/* A table that the writer may fill. */
struct writer_table {
    const struct target_table *plan;
    struct postgres_table facts;
    bool described;
};

struct writer {
    struct sql_writer sql;
    struct postgres_database *database;
    PGconn *connection;
    PGconn *source; /* the express lane's, within the source's snapshot; NULL: none yet */
    struct writer_table *tables;
    uint32_t table_count;
    struct writer_plan *plans;
    uint32_t plan_count;
    bool savepoint; /* "transhume_segment" is set */
    bool copying;
    /* the segment: batches that one COPY carries, until they are known to be good */
    const struct writer_plan *plan;
    struct sql_held_list held;
    uint64_t sent_rows;
    uint64_t sent_bytes; /* of all COPYs; more lie in `out` */
    bool defers;    /* the database has constraints that are checked at the end of transactions */
    bool checks;    /* those are checked at the end of this segment */
    bool unchecked; /* rows of this transaction were not */
    uint32_t grain; /* as many rows that they refuse may be taken after others; 0: none */
    bool early;     /* batches of the open COPY were handed back as written, before it has ended */
    struct buffer out;
};

/* writer_plan.c: the table's catalogue, read once. */
enum status postgres_writer_describe(struct writer *writer, uint32_t table,
                                     struct error *error) MUST_USE;
enum status writer_plan_get(struct writer *writer, uint32_t table, const struct shape *shape,
                            const struct writer_plan **plan, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_copy.c */

/* Begins the transaction if there is none, sets the savepoint and starts the COPY. */
enum status writer_copy_start(struct writer *writer, const struct writer_plan *plan,
                              struct error *error) MUST_USE;
/* Sends one row; a value that its column can't hold refuses the row (`held` says so). */
enum status writer_copy_row(struct writer *writer, const struct writer_plan *plan,
                            struct sql_held *held, uint32_t row, struct error *error) MUST_USE;
/*
 * Ends the COPY. STATUS_AGAIN: the server refused it for the sake of some record: `failure` (the
 * caller's to clear) says why, or is NULL: it left some out; all since the savepoint is undone.
 */
enum status writer_copy_end(struct writer *writer, PGresult **failure,
                            struct error *error) MUST_USE;
/* Sends what is in `out`; waits until the server takes it. */
enum status writer_send_out(struct writer *writer, struct error *error) MUST_USE;
/* Waits for the server to want a COPY's data, after the statement was sent. */
enum status writer_wait_for_copy(struct writer *writer, struct error *error) MUST_USE;
/* Back to the savepoint where a record was refused (STATUS_AGAIN); `status`, or FAILED. */
enum status writer_undo_refused(struct writer *writer, enum status status,
                                struct error *error) MUST_USE;
/*
 * The server took `sent` records for the table and wrote `written`. STATUS_AGAIN: some were left
 * out without an error, by a BEFORE trigger or a rule. Not so where the table has children: the
 * triggers of partitioning by inheritance leave a record out after they wrote it to one.
 */
enum status writer_look_for_left_out(struct writer *writer, const struct postgres_table *table,
                                     uint64_t sent, uint64_t written, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_segment.c */

/* Ends the COPY of the segment, the chunk's last one or not, finds the records that the server
 * refuses, and moves its batches to the results. If others of this COPY were handed back before:
 * TARGET_REFUSED, to be tried again. */
enum status writer_segment_finish(struct writer *writer, bool last, struct error *error) MUST_USE;
/* Before the commit: what no segment has checked. TARGET_REFUSED: the chunk goes again. */
enum status writer_check_chunk(struct writer *writer, struct error *error) MUST_USE;
/* Checks deferred constraints now. STATUS_AGAIN: some record is refused, `failure` says why, and
 * the transaction has failed. */
enum status writer_check_deferred(struct writer *writer, PGresult **failure,
                                  struct error *error) MUST_USE;
/* Moves the batches to the results while their COPY goes on. */
void writer_segment_hand_back(struct writer *writer);

/* ---------------------------------------------------------------- writer_stage.c */

/* A record of the rows that were copied, in their order. */
struct row_ref {
    struct sql_held *held;
    uint32_t row;
};

/* Does the run keep what it takes to undo its writes to the table? */
static inline bool writer_keeps_undo(const struct writer_table *table)
{
    return table->plan->keeps_undo && table->plan->key.count > 0;
}
/* writer_statement.c */
/* Runs a statement. STATUS_AGAIN: it was refused for the sake of some record, `failure` says why,
 * and the transaction has failed. Frees the buffer. */
enum status writer_try(struct writer *writer, struct buffer *sql, PGresult **result,
                       PGresult **failure, struct error *error) MUST_USE;
/* The same, and back to the savepoint then. */
enum status writer_ask(struct writer *writer, struct buffer *sql, PGresult **result,
                       PGresult **failure, struct error *error) MUST_USE;
/* "alias.key = s.key AND …", the temporary table being s; NULLs are never equal. */
void writer_stage_append_match(struct buffer *sql, const struct writer_plan *plan,
                               struct column_list key, const char *alias);
/* A column of the temporary table, behind "alias.", as the type that it has in the table. */
void writer_stage_append_value(struct buffer *sql, const struct writer_plan *plan, const char *name,
                               const char *alias);
/* "a, b": the same of each column of a key, without an alias. */
void writer_stage_append_key(struct buffer *sql, const struct writer_plan *plan,
                             struct column_list key);
/* Says of a record in the temporary table that one before it has its key. */
void writer_stage_append_later(struct buffer *sql, const struct writer_plan *plan,
                               struct column_list key);

/* The state of a pass over the temporary table. */
struct stage_pass {
    struct writer *writer;
    const struct writer_plan *plan;
    struct column_list key;
    uint32_t count;
    uint64_t first; /* number of the first row in the temporary table */
    bool repeats;   /* some lie aside */
    PGresult **failure;
    struct error *error;
};

/* "EXISTS (SELECT 1 FROM table AS t WHERE its key is s's", for more conditions and a parenthesis.
 */
void writer_stage_append_present(struct buffer *sql, const struct stage_pass *pass);
/* Deletes what the condition holds for from the temporary table of that name, called s, and notes
 * what became of it. `with` may be NULL: "WITH …", of one expression. The reason lasts as the pass.
 */
enum status writer_stage_take_out(struct stage_pass *pass, const char *from,
                                  const struct buffer *with, const struct buffer *condition,
                                  struct sql_taken one) MUST_USE;
/*
 * From the temporary table into the plan's, by the policy for records that are there: `count`
 * were copied. What is not written is in `taken`, for good once the pass has succeeded. Results as
 * writer_copy_end's.
 */
enum status writer_stage_apply(struct writer *writer, uint32_t count, PGresult **failure,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer_distinct.c */

/* Lays aside what the condition holds for. As writer_stage_take_out. */
enum status writer_distinct_lay_aside(struct stage_pass *pass, const struct buffer *with,
                                      const struct buffer *condition) MUST_USE;
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

/* The records that stand under the keys in the temporary table; keys and hashes of what stands
 * there after it was applied. Results as writer_ask's. */
enum status writer_undo_before(struct writer *writer, const struct writer_plan *plan,
                               PGresult **failure, struct error *error) MUST_USE;
enum status writer_undo_after(struct writer *writer, const struct writer_plan *plan,
                              PGresult **failure, struct error *error) MUST_USE;

#endif
