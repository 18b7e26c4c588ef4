/*
 * The part of applying change sets that SQL targets share: which statements a change takes, in
 * which order they go, what becomes of a change that is refused, and the position that is committed
 * with them. A connector brings how a statement runs.
 *
 * One transaction takes all sets of a call. First all changes go as they come, in one stream that a
 * connector may pipeline. If one of them is refused, the transaction starts over: then each of the
 * source's transactions goes under a savepoint, and in the one that holds the refused change each
 * change alone (apply_careful.c):
 *
 *   a change that a constraint refuses waits until the others of its transaction are in, as the
 *   source may have checked it at its end. So does what follows it under the same key. Those that
 *   still wait are tried again as long as one of them goes in; then their old records make way for
 *   all of them at once, which lets unique values and keys be exchanged. What is refused after that
 *   is told; of one that moved to another key the old record goes all the same.
 *
 * A record whose key changes is updated, never deleted and inserted, so that what refers to it
 * stays as it is. Only where another record is under its new key at the end of its transaction does
 * it make way: a copy that was resumed read that record later.
 *
 * Where the target's key takes for equal what the source's keeps apart (target_table.apart), a
 * record is found by the bytes of its key as well, and no other one is written over: a change that
 * comes to one is refused.
 *
 * A table without a key is changed by whole records, one of those that equal the former one.
 * Nothing is sent ahead behind an update of such a record before it is known whether there was one,
 * since the record is added where there was none.
 *
 * An update of a part of a record that found none is noted. Before the commit, or the end of a
 * piece, the engine reads these records again, and they are put whole (apply_absent.c).
 *
 * The position is the store's key "position/NAME/LANE", with the text that the ledger gives it
 * (engine/ledger/ledger_positions.h); its version is the fence.
 */
#ifndef TRANSHUME_CONNECTORS_SQL_APPLY_H
#define TRANSHUME_CONNECTORS_SQL_APPLY_H

#include "connectors/sql/by_key.h"
#include "connectors/sql/database.h"
#include "connectors/sql/store.h"

struct sql_apply_shape;

struct sql_apply_column {
    const char *name;
    bool made;  /* by the database itself, as generated ones are: never written */
    bool fixed; /* written with a new record alone (GENERATED ALWAYS AS IDENTITY) */
    /* The expression, in a column that an index keeps unique, for a value that no record has: with
     * it a record makes way for others. NULL: none is known. */
    const char *aside;
};

/* A table of the request as the target has it. */
struct sql_apply_table {
    const struct target_table *plan;
    const char *name; /* as the catalogue spells it */
    const struct sql_apply_column *columns;
    uint32_t column_count;
    /* A table without a key: this tells one of its rows from all others, as the list of a SELECT
     * ("ctid"). NULL: a statement may be bounded to one row by LIMIT 1. */
    const char *row_name;
    const void *facts; /* the connector's own */
};

enum sql_apply_kind {
    SQL_APPLY_PUT,    /* the record of `after`, new or over what is there */
    SQL_APPLY_ADD,    /* the same, unless one is under its key */
    SQL_APPLY_ASIDE,  /* unique fields of the record under the key of `after`, to no one's values */
    SQL_APPLY_PATCH,  /* fields of the record under the key of `after` */
    SQL_APPLY_REMOVE, /* the record under `key` */
    SQL_APPLY_MAKE_WAY, /* the same, if another one is under the key of `after` */
    SQL_APPLY_MOVE,     /* fields of the record under `key`, its key with them */
    SQL_APPLY_EMPTY     /* all records */
};

/* A parameter: of the change's `key`, or a field of its `after`. */
struct sql_apply_parameter {
    uint32_t column; /* of the table */
    bool of_key;
    uint32_t at;
};

/* Made once, kept for the next change of its kind, forgotten when there are too many. */
struct sql_apply_statement {
    struct sql_apply_statement *next; /* of its shape, the last used first */
    struct arena *arena;              /* of itself and its texts */
    enum sql_apply_kind kind;
    const struct sql_apply_table *table;
    const char *sql;
    size_t conflict_at; /* of a PUT or ADD: the place in it behind the values, a ')' */
    const struct sql_apply_parameter *parameters; /* the first has the number 0 */
    uint32_t parameter_count;
    const uint64_t *present; /* a bit a field of `after` that the statement writes */
    bool
        finds; /* it changes a part of a record, which has to be there: sql_apply_changed is told */
    void *prepared; /* the connector's own; NULL: it was never run */
};

/* Why a change is refused: a code of class REJECT, and a text in `arena`. */
struct sql_apply_refused {
    struct arena *arena;
    enum error_code code;
    const char *reason;
};

enum sql_apply_savepoint { SQL_APPLY_SET, SQL_APPLY_BACK, SQL_APPLY_RELEASE };

struct sql_apply_dialect {
    const char *insert;  /* "INSERT INTO " */
    const char *between; /* the names of an INSERT and its values: " VALUES " */
    const char *update;  /* "UPDATE " */
    /*
     * MySQL's words: ON DUPLICATE KEY UPDATE, which a conflict of any unique key comes to, so that
     * one of another key than the record's is made an error (a subquery of two rows); and the
     * record that a DELETE takes is named before its FROM, and may be joined to itself.
     */
    bool on_duplicate_key;
    bool quotes_numbers;      /* a literal of texts takes the type of what it is compared with */
    const char *bytes_before; /* of a literal of bytes, before its hexadecimal digits and a quote */
    const char *hex_before;   /* around a column of bytes: its hexadecimal digits */
    const char *hex_behind;
    /* An expression that fails when it is evaluated: another record is under the key. */
    const char *no_key;
    /* `run` tells at once that a statement is refused, and leaves the transaction as it was */
    bool refuses_alone;

    /* Fills a table's columns, of its own arena (apply->arena). STATUS_END: there is none. */
    enum status (*describe)(struct apply *apply, struct sql_apply_table *table,
                            struct error *error);
    /* Parameter `number` (from 0) of a statement, for a column of the table. */
    void (*append_parameter)(const struct sql_apply_table *table, uint32_t column, uint32_t number,
                             struct buffer *sql);
    /* Optional: appends that the column is what the parameter makes of it as the key's index has
     * it. `name` is the column, quoted. NULL: "NAME = PARAMETER". */
    void (*append_equal)(const struct sql_apply_table *table, uint32_t column, const char *name,
                         uint32_t number, struct buffer *sql);
    /* Optional: how a column of a table is compared (by_key.h). NULL: by bare names. */
    enum status (*compared)(struct apply *apply, const struct target_table *table, const char *name,
                            struct sql_compared *compared, struct error *error);
    /* Appends, for a table without a key, that the column is what the parameter makes of it, with
     * the same bytes where it is a text, or both are NULL. `name` is the column, quoted. */
    void (*append_is)(const struct sql_apply_table *table, uint32_t column, const char *name,
                      uint32_t number, struct buffer *sql);
    /* Appends that two values of the column, which holds texts, have the same bytes. */
    void (*append_same)(const struct sql_apply_table *table, uint32_t column, const char *left,
                        const char *right, struct buffer *sql);
    enum status (*begin)(struct apply *apply, struct error *error);
    /* Also after a failure, whatever is under way. */
    enum status (*end)(struct apply *apply, bool commit, struct error *error);
    enum status (*savepoint)(struct apply *apply, enum sql_apply_savepoint act,
                             struct error *error);
    /* Runs a statement for a change, or sends it; where apply->counts, what it changes is added to
     * apply->changed once it is settled. STATUS_AGAIN: it is refused. The change lives
     * until the next `settle`. */
    enum status (*run)(struct apply *apply, struct sql_apply_statement *statement,
                       const struct record_change *change, struct sql_apply_refused *refused,
                       struct error *error);
    /* The result of all statements that were sent. STATUS_AGAIN: one of them is refused. NULL:
     * `run` tells. */
    enum status (*settle)(struct apply *apply, struct sql_apply_refused *refused,
                          struct error *error);
    /* One statement on the store's table, as sql_store_dialect.run does it, over the connection of
     * `apply`. */
    enum status (*ask)(struct apply *apply, const char *sql, const struct store_value *parameter,
                       sql_store_row *row, void *context, uint64_t *changed, struct error *error);
    /* Frees `prepared`, which is not NULL. */
    void (*forget)(struct apply *apply, struct sql_apply_statement *statement);
};

/* A change of a part of a record, one of whose statements did not find it. */
struct sql_apply_sought {
    const struct record_change *change;
    bool found; /* by another of its statements */
};

/* The head of a connector's own handle, its first member. */
struct apply {
    const struct sql_apply_dialect *dialect;
    struct sql_database *database;
    struct store *store; /* for the texts of its statements alone */
    struct arena *arena;
    struct apply_request request;
    const struct target_table *tables;
    uint32_t table_count;
    char key[STORE_KEY_BYTES];
    uint64_t version; /* of the position, as it was put or read last */
    bool open;        /* a transaction of which pieces are still to come */
    bool counts;      /* `changed` is wanted */
    uint64_t changed; /* records that the statements since then have changed */
    bool cascades;    /* a record that is deleted may take others along: none makes way */
    struct sql_apply_shape *shapes;
    struct apply_absent absent;
    struct sql_apply_sought *sought; /* in the order of the changes */
    uint32_t sought_count;
    uint32_t sought_capacity;
    uint32_t sought_before; /* the last savepoint */
};

/* Makes the head, and the store's place if there is none. The connector has filled `dialect` and
 * its own members, and frees them after sql_apply_free. */
enum status sql_apply_open(struct apply *apply, struct database *database,
                           const struct apply_request *request, struct error *error) MUST_USE;
void sql_apply_free(struct apply *apply);
/* A connector tells how many records a statement that `finds` has changed for this change, in the
 * order of the statements, by the end of `settle`. */
void sql_apply_changed(struct apply *apply, const struct record_change *change, uint64_t rows);

/* For apply_functions. */
enum status sql_apply_position(struct apply *apply, struct arena *arena, struct position *position,
                               struct error *error);
enum status sql_apply_sets(struct apply *apply, const struct change_set *const *sets,
                           uint32_t set_count, struct arena *arena, struct apply_result *result,
                           struct error *error);
/* apply_list.c; of keys whose known fields are numbers, truths, texts and uuids */
enum status sql_apply_list(struct database *database, struct apply *apply,
                           const struct apply_listing *listing, apply_found *found, void *context,
                           struct error *error);
enum status sql_apply_find(struct database *database, struct apply *apply,
                           const struct apply_search *search, apply_record *take, void *context,
                           struct error *error);

#endif
