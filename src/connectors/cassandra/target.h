/* Cassandra as a target: what its files share. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_TARGET_H
#define TRANSHUME_CONNECTORS_CASSANDRA_TARGET_H

#include "connectors/cassandra/schema.h"

#define CASSANDRA_LEDGER "_transhume_ledger"

/* store.c: a store in a table of that name, which outlives it. */
enum status cassandra_store_open_in(struct database *self, const char *name,
                                    struct store **store) MUST_USE;

/* ---------------------------------------------------------------- run.c */

/* As struct target_functions has it; finds or notes when the run began. */
enum status cassandra_claimed(struct database *self, const struct run_claim *claim,
                              struct error *error);
/* The later one of this machine's clock and of a node's, which is noted. */
enum status cassandra_read_clock(struct cassandra *self, int64_t *now_us,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- tables.c, create.c */

/* As struct target_functions has them. */
enum status cassandra_names(struct database *self, struct arena *arena, struct column_list *names,
                            struct error *error);
enum status cassandra_inspect(struct database *self, const struct target_table *tables,
                              uint32_t table_count, bool *table_exists, bool *record_exists,
                              struct error *error);
enum status cassandra_check_table(struct database *self, const struct check_request *request,
                                  struct buffer *out, struct error *error);
enum status cassandra_script(struct database *self, const struct script_request *request,
                             struct script *script, struct error *error);
enum status cassandra_column_type(struct database *self, const struct target_table *table,
                                  const struct schema_column *column, struct buffer *out,
                                  struct error *error);
enum status cassandra_prepare(struct database *self, const struct prepare_request *request,
                              struct error *error);
enum status cassandra_make_again(struct database *self, const struct target_table *table,
                                 struct error *error);
enum status cassandra_add_columns(struct database *self, const struct target_table *table,
                                  struct column_list columns, struct error *error);
enum status cassandra_after_load(struct database *self, struct after_load_request *request,
                                 struct error *error);
enum status cassandra_target_fetch(struct database *self, const struct target_table *table,
                                   const struct cell *keys, uint32_t key_count,
                                   struct batch **batch, struct error *error);
enum status cassandra_target_count(struct database *self, const struct target_table *table,
                                   uint64_t *count, struct error *error);

/* ---------------------------------------------------------------- counters.c */

/* The faults of counters in a table that is to be made, one line each in `out`. */
void cassandra_counters_check_new(const struct cassandra *self, const struct target_table *table,
                                  struct arena *arena, struct buffer *out);
/* The same of a table of counters that is there. False: nothing else of it matters. */
bool cassandra_counters_check_there(const struct cassandra *self,
                                    const struct check_request *request,
                                    const struct cassandra_table *there, struct buffer *out);
/* How long an addition may still be made of which nobody knows. */
int64_t cassandra_counters_quiet_ms(const struct cassandra *self);
/* There may be such from now on. Any thread. */
void cassandra_counters_unsure(struct cassandra *self);
/* Waits until there is none, before what it may have been added to is read. Any thread. */
enum status cassandra_counters_wait(struct cassandra *self, struct error *error) MUST_USE;
/* The reject of a record whose row is there with another value; returns STATUS_FAILED. */
enum status cassandra_counters_refuse(const struct keyed_record *record, const char *column,
                                      const struct cell *own, const struct cell *there,
                                      struct error *error);

/* ---------------------------------------------------------------- record_types.c */

/* The faults of the types that a table which is to be made needs, one line each in `out`. */
enum status cassandra_types_check(struct cassandra *self, const struct target_table *table,
                                  struct arena *arena, struct buffer *out,
                                  struct error *error) MUST_USE;
/* Makes those that are not there; the store notes them. Repeatable. */
enum status cassandra_types_make(struct cassandra *self, const struct target_table *table,
                                 struct arena *arena, struct error *error) MUST_USE;
/* Adds to the script the types that the table needs and that are not in it yet. */
void cassandra_types_show(struct cassandra *self, const struct target_table *table,
                          struct script *script);
/* Drops those that the claimed run made, but for what tables still use: those that the run made
 * itself are waited for, of others the log tells. */
enum status cassandra_types_drop(struct cassandra *self, struct arena *arena,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- tables.c, create.c */

/* Does after_load make that index? */
bool cassandra_makes_index(const struct target_table *table, const struct target_index *index);
/* As struct keyed_tables has it. */
enum status cassandra_truncate(struct database *self, const struct target_table *table,
                               struct error *error) MUST_USE;
extern const struct keyed_tables cassandra_tables; /* create.c */
/* The type that a column of a new table gets. NULL: no type of Cassandra holds it. */
const struct cql_type *cassandra_new_type(const struct target_table *table,
                                          const struct schema_column *column, struct arena *arena);

/* ---------------------------------------------------------------- normal.c */

/* cql_value_encode, but a value of another kind that goes into a column of texts is the text that
 * it has in other databases' such columns, and a text that goes into another column is what it
 * says.
 */
enum status cassandra_value_encode(const struct cql_type *type, const struct cell *cell,
                                   struct buffer *out, struct error *error) MUST_USE;

/* Puts in place of a value as it is read back from a column of that type the one that stands for
 * all that equal it to the server's order: decimals have no scale there, and all NaNs are one. What
 * is made lives in the arena. */
void cassandra_choose_equal(const struct cql_type *type, struct cell *cell, struct arena *arena);

/* The value that reading it back from a column of that type gives. */
enum status cassandra_normal_in(const struct cql_type *type, const struct cell *cell,
                                struct arena *arena, struct cell *normal,
                                struct error *error) MUST_USE;

/* As struct target_functions has them. */
enum status cassandra_normal_form(struct database *self, const struct cell *cell,
                                  struct arena *arena, struct cell *normal, struct error *error);
uint32_t cassandra_column_class(struct database *self, const struct schema_table *table,
                                const struct schema_column *column);
enum status cassandra_normal_form_in_column(struct database *self, uint32_t column_class,
                                            const struct cell *cell, struct arena *arena,
                                            struct cell *normal, struct error *error);

/* ---------------------------------------------------------------- statement.c, encode.c, send.c */

/* A table as it is written: its columns' types and the places of its key. */
struct cassandra_layout {
    struct cassandra_layout *next;
    const char *name;
    const struct cassandra_table *table;
    uint32_t key_count;
    int32_t *key;      /* of each of the target table's key columns: its place in table->columns */
    bool shares_lists; /* one of its columns is a shared list (statics.c) */
};

/* Read at first use; lives as long as the database. Any thread. */
enum status cassandra_layout_find(struct cassandra *self, const struct target_table *table,
                                  const struct cassandra_layout **layout,
                                  struct error *error) MUST_USE;
/* Tables were made or dropped: the next call reads them again. */
void cassandra_layouts_forget(struct cassandra *self);

/* The forms of a statement: several may hold. */
enum cassandra_form {
    CASSANDRA_PLAIN = 0,
    CASSANDRA_TIMED = 1, /* with a timestamp and a time to live of its own: two more values */
    CASSANDRA_ALONE = 2, /* a partition's static columns, and no row */
    CASSANDRA_ROW = 4,   /* a row, and no static columns */
    CASSANDRA_CELLS = 8  /* an UPDATE: its cells alone, which keep no row alive without them */
};

/* A statement for records of one shape. Its values are in the order of `places`, each the place of
 * a column in the table: the key's come first. */
struct cassandra_statement {
    struct cassandra_statement *next;
    uint32_t number;
    const struct keyed_connection *connection;
    enum keyed_kind kind;
    uint32_t table;
    const struct cassandra_layout *layout;
    const struct shape *shape; /* NULL: each record has its own fields */
    const char *text;
    const struct cql_prepared *prepared; /* NULL: not yet */
    uint32_t *places;
    int32_t *fields; /* in the record, of each place; -1: none */
    uint32_t count;
    struct text unknown; /* a field of the shape that there is no column for; `data` NULL: none */
    unsigned form;       /* enum cassandra_form */
    uint32_t key_count;  /* of the places */
    bool expires;        /* one more value: TTL; not if it is timed */
    int32_t ttl_field;
};

struct keyed_connection {
    struct cassandra *cassandra;
    const struct target_table *tables;
    const struct cassandra_layout **layouts; /* a table each */
    uint32_t layout_count;
    struct cql_session *session; /* NULL: only encodes */
    struct arena *arena;         /* of statements */
    struct cassandra_statement *statements;
    uint32_t statement_count;
    struct buffer key;           /* scratch */
    struct buffer place;         /* likewise */
    struct buffer lists;         /* the place whose shared lists were written last */
    bool leaves_lists;           /* what is being encoded is of that place, too */
    bool leaves_rows;            /* of all records only the static columns are encoded */
    int64_t time_us;             /* keyed_service.set_time; 0: the run's own */
    struct cql_statement *calls; /* scratch, of one request */
    uint32_t call_room;
    /* of the last answer */
    struct error reason;
};

/* One that encodes, and sends nothing. `tables` stay as long as it. */
enum status cassandra_connection_make(struct cassandra *self, const struct target_table *tables,
                                      uint32_t table_count, struct keyed_connection **connection,
                                      struct error *error) MUST_USE;
void cassandra_connection_free(struct keyed_connection *connection); /* NULL is fine */

/* trial.c: struct keyed_service */
enum status cassandra_try_connect(struct database *self, const struct target_table *table,
                                  struct keyed_connection **connection, struct error *error);

/* The time of control work: above what any attempt of the run wrote, and above what was written
 * before. */
int64_t cassandra_now_us(struct cassandra *self);
/* Is that value what a column of the type keeps of the cell? NULL: of none, which is null. */
bool cassandra_is_same(const struct cql_type *type, const struct cell *own, struct cql_value there,
                       struct arena *arena);

/* The statement for records of that shape; made at first use. */
struct cassandra_statement *cassandra_statement_of(struct keyed_connection *connection,
                                                   enum keyed_kind kind, uint32_t table,
                                                   const struct shape *shape, unsigned form);
struct cassandra_statement *cassandra_statement_at(const struct keyed_connection *connection,
                                                   uint32_t number);
/*
 * An encoded record is the token of its partition and one statement or more, since cells of
 * different ages are written by statements of their own:
 *
 *   int64 token | part …      part: uint32 statement | uint32 values | uint32 bytes | [value] …
 *
 * in the machine's own byte order: it never leaves the process.
 */
struct cassandra_record {
    int64_t token;
    const char *at; /* its next part */
    const char *end;
};
struct cassandra_record_part {
    uint32_t statement;
    uint32_t value_count;
    uint32_t length;
    const char *values;
};
struct cassandra_record cassandra_record_read(const char *bytes, size_t length);
/* False: there is no further one. */
bool cassandra_record_next(struct cassandra_record *record, struct cassandra_record_part *part);

/* The record's cell for the column at a place; NULL: it does not fill it. */
const struct cell *cassandra_cell_of(const struct cassandra_statement *statement,
                                     const struct keyed_record *record, uint32_t at);

/* Appends its [value] of the column at a place. */
enum status cassandra_append_value(const struct cassandra_statement *statement,
                                   const struct keyed_record *record, uint32_t at,
                                   struct buffer *out, struct error *error) MUST_USE;

/* Appends [value] of each column of the key, in the order of the table there. */
enum status cassandra_append_table_key(const struct cassandra_layout *layout,
                                       const struct target_table *table, const struct cell *key,
                                       struct buffer *out, struct error *error) MUST_USE;

/* A write of control work, at a timestamp of its own: it may be tried again. */
struct cassandra_write {
    const char *text;
    const void *values;
    size_t length;
    uint16_t count;
    int64_t token;
    int64_t timestamp_us;
};
/* The statements of an encoded record as one, which is done wholly or not at all; all but the
 * timestamp is filled in, and lives in `arena`. */
void cassandra_write_join(const struct keyed_connection *connection, const char *bytes,
                          size_t length, struct arena *arena, struct cassandra_write *write);
/* As struct keyed_service has `write` and `erase`. */
enum { CASSANDRA_ERASE_MAX = 64 };
enum status cassandra_write_record(struct database *self, enum keyed_kind kind,
                                   const struct keyed_record *record, struct error *error);
/* Likewise its static columns, and no row. */
enum status cassandra_write_statics(struct database *self, enum keyed_kind kind,
                                    const struct keyed_record *record,
                                    struct error *error) MUST_USE;
enum status cassandra_erase(struct database *self, const struct target_table *table,
                            const struct cell *keys, uint32_t count, struct error *error);
/* All of them to their end, on the control session and while the lease lasts; what may be tried
 * again is until patience ends. Any thread. */
enum status cassandra_write_all(struct cassandra *self, const struct cassandra_write *writes,
                                uint32_t count, struct error *error) MUST_USE;

/* Parts of a record that is inserted into a table whose static columns it fills: each is a request,
 * but for the last two, which are one where the partition has no static values yet. */
enum cassandra_insert_part {
    CASSANDRA_LOOKS_FOR_ROW,
    CASSANDRA_LOOKS_FOR_STATICS,
    CASSANDRA_INSERTS_ROW,
    CASSANDRA_SETS_STATICS
};
/* Have records of that shape static columns beside their rows? Then they are inserted in these
 * parts. */
bool cassandra_fills_statics(struct keyed_connection *connection, uint32_t table,
                             const struct shape *shape);

/* The part that an insert is at; and its next one, which is sent (STATUS_AGAIN) if somebody still
 * waits for it. */
enum cassandra_insert_part cassandra_part_of(const struct keyed_request *request);
enum status cassandra_go_on(struct keyed_connection *connection, struct keyed_answer *answer,
                            enum cassandra_insert_part part, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- statics.c */

/* As struct target_functions has it. */
enum status cassandra_ask_place(struct database *self, const struct target_table *table,
                                const struct cell *fields, bool counts, struct arena *arena,
                                uint64_t *records, const char **why, struct error *error);
/* Judges what was read of an insert's row, or of its partition. */
enum status cassandra_judge_statics(struct keyed_connection *connection, struct cql_reply *reply,
                                    struct keyed_answer *answer, struct error *error) MUST_USE;

/*
 * A static list that is not frozen. Elements of a list that is written twice at one time add up,
 * and each record of a partition has the list. So where records are known to agree, and come one
 * after the other, the first one of them writes it; else settling writes it once more.
 */
bool cassandra_is_shared_list(const struct cassandra_column *column);
/* Before and after a record is encoded that writes its shared lists, unless the one before it did.
 */
enum status cassandra_lists_begin(struct keyed_connection *connection, enum keyed_kind kind,
                                  const struct keyed_record *record, struct error *error) MUST_USE;
void cassandra_lists_end(struct keyed_connection *connection, bool encoded);
/* The request was refused: other records of its partition may count on its lists. */
enum status cassandra_lists_keep(struct keyed_connection *connection,
                                 const struct keyed_request *request, struct error *error) MUST_USE;

/* As struct keyed_service has it: what the record says of its partition's static columns. */
enum status cassandra_append_claims(struct database *self, const struct keyed_record *record,
                                    struct buffer *place, struct buffer *claims,
                                    struct error *error);

/* ---------------------------------------------------------------- prove.c */

/* keyed_service.prove, and keyed_delete, after which a repair's records are looked for. */
enum status cassandra_prove(struct database *database, const struct target_table *table,
                            struct batch_result *result, struct error *error);
enum status cassandra_delete(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                             struct error *error);

/* As struct keyed_service has them. */
enum status cassandra_encode(struct keyed_connection *connection, enum keyed_kind kind,
                             const struct keyed_record *record, struct buffer *out,
                             struct error *error);
enum status cassandra_append_key(struct database *self, const struct target_table *table,
                                 const struct cell *key, struct buffer *out, struct error *error);
bool cassandra_read_key(struct database *self, const struct target_table *table,
                        const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key);
/* Records of one partition go together. */
uint64_t cassandra_group(const char *bytes, size_t length);

#endif
