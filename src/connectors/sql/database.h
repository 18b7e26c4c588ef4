/* The head of the instances of SQL databases, and how the code of this folder reaches what each
 * of them has in its own way. */
#ifndef TRANSHUME_CONNECTORS_SQL_DATABASE_H
#define TRANSHUME_CONNECTORS_SQL_DATABASE_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "connectors/sql/template.h"

struct sql_dialect;
struct sql_facts;
struct sql_finding;
struct sql_undo_dialect;
struct sql_later_dialect;

/* The head of a connector's own instance. */
struct sql_database {
    struct database base;
    const struct sql_dialect *dialect;
    const char *shown;   /* for messages */
    bool snapshot_taken; /* of a source */
    const char *schema;  /* the server's: the name of what holds the tables that are meant */
    char *run_id;        /* the claimed run; NULL: none */
    uint64_t epoch;
    char *guard_key; /* of the claim (struct run_claim); NULL: none, or the ledger is elsewhere */
    uint64_t guard_version;
    /* of the tables _transhume_…, of a target; NULL: `schema` */
    const char *ledger_schema;
};

static inline struct sql_database *sql_database_of(struct database *self)
{
    return (struct sql_database *)self;
}

/* A table of a source or a target. */
struct sql_table {
    const struct schema_table *schema;
    struct column_list key; /* not of a SQLite file: primary, or unique and never NULL; or empty */
    int64_t row_estimate;   /* likewise; -1: the statistics do not say */
    const struct sql_facts *facts; /* what else the connector knows: a struct of its own */
};

struct sql_checks; /* the connector's own: find_checks */

/* The purpose of a transaction: to look only, to write records, or to alter tables, which waits for
 * locks that shut others out. */
enum sql_access { SQL_LOOKS, SQL_WRITES, SQL_ALTERS };

/* Who refuses a NULL in a NOT NULL column, and how its reject reads. */
enum sql_null_words {
    SQL_NULL_TOLD,     /* the encoder: "v: the value is null, the column is NOT NULL" */
    SQL_NULL_VIOLATES, /* the server: null value in column "v" of relation "t" violates … */
    SQL_NULL_FAILED    /* the library: NOT NULL constraint failed: t.v */
};

/*
 * Facts and functions that each database has in its own way, for the control thread; the source's
 * catalogue any thread may ask once it is read. Statements go over the control connection; from
 * `begin` to `end` they are one transaction.
 */
struct sql_dialect {
    const char *name;      /* of its failpoints: "mysql" */
    const char *container; /* what `schema` is called there: "database" */
    int (*compare_names)(const char *left, const char *right); /* of columns; 0: one and the same */
    const struct sql_quoting *quoting;

    /* ---- the source: the catalogue, read at first use and kept */

    enum status (*catalog)(struct sql_database *self, const struct schema **schema,
                           struct error *error);
    /* STATUS_END: there is no table of that name. */
    enum status (*find)(struct sql_database *self, const char *name, struct sql_table *table);
    /* Fills `keyed` and `key` of a table's stream. `*numbers`: its spans are of whole numbers. */
    enum status (*look_at_stream)(struct sql_database *self, const struct read_request *request,
                                  const struct sql_table *table, struct stream_facts *facts,
                                  bool *numbers, struct error *error);
    /* Counts a table; `stops`: no longer than until the first request to stop. */
    enum status (*count)(struct sql_database *self, const struct sql_table *table, bool stops,
                         int64_t *rows, struct error *error);
    /* Notes that a table, if it is there, or a query is read: before the snapshot. */
    enum status (*hold_table)(struct sql_database *self, const char *name, struct error *error);
    enum status (*hold_query)(struct sql_database *self, const struct read_request *request,
                              struct error *error);
    /* The type of a column's values in a digest. */
    struct digest_type (*digest_type)(const struct sql_database *self,
                                      const struct sql_table *table, uint32_t column);

    /* A condition that a value of the column meets which does not pass the test. False: it does not
     * say. NULL: it says of none. */
    bool (*append_exception)(struct buffer *sql, const char *column, enum value_test test);

    /* ---- the target */

    enum status (*begin)(struct sql_database *self, enum sql_access access, struct error *error);
    /* Commits if `status` is STATUS_OK, else rolls back; passes `status` through. */
    enum status (*end)(struct sql_database *self, enum status status, struct error *error);
    /* Runs a statement, which it frees; `*changed` (may be NULL): how many rows it changed. */
    enum status (*run)(struct sql_database *self, struct buffer *sql, uint64_t *changed,
                       struct error *error);
    /* The first value of a query, which it frees, in `arena`; NULL: it is NULL, or there is no
     * row. */
    enum status (*ask)(struct sql_database *self, struct buffer *sql, struct arena *arena,
                       const char **text, struct error *error);
    /* The first column of a query, which it frees, in `arena`; none of it is NULL. */
    enum status (*list)(struct sql_database *self, struct buffer *sql, struct arena *arena,
                        struct column_list *texts, struct error *error);
    /* The names of tables and views; the ledger's may be among them. */
    void (*append_names_query)(struct buffer *sql, struct sql_database *self);
    /* STATUS_END: there is no table of that name. */
    enum status (*describe)(struct sql_database *self, const char *name, struct arena *arena,
                            struct sql_table *table, struct error *error);

    /* The table as prepare would make it, in the arena; nothing is made. STATUS_END: it can't be
     * known before. NULL: likewise, of any table. */
    enum status (*imagine)(struct sql_database *self, const struct target_table *table,
                           struct arena *arena, struct sql_table *made, struct error *error);
    enum sql_null_words null_words;
    bool names_null_keys; /* a NULL in the key is ERROR_REJECT_KEY_NULL */
    /* Would the column take the value, which is not NULL? STATUS_END: as NULL, which JSON's null
     * is to a column of another type. Fails of class REJECT. NULL: it takes any that it can be
     * given. */
    enum status (*try_value)(struct sql_database *self, const struct sql_table *table,
                             uint32_t column, const struct cell *cell, struct arena *scratch,
                             struct error *error);
    /* Optional, both or none. The CHECKs of a table that try_value's columns are of, in the arena;
     * STATUS_END: it has none, or they can't be tried. */
    enum status (*find_checks)(struct sql_database *self, const struct sql_table *table,
                               struct arena *arena, struct sql_checks **checks,
                               struct error *error);
    /* Would they take the record, each value of which its column takes? Fails of class REJECT. */
    enum status (*try_checks)(struct sql_database *self, const struct sql_table *table,
                              const struct sql_checks *checks, const struct shape *shape,
                              const struct cell *cells, struct arena *scratch, struct error *error);

    /* ---- the claim */

    /* The effect of a claim on the database's sessions; NULL: none. */
    enum status (*enter_run)(struct sql_database *self, bool took_over, struct error *error);
    /* Within a transaction: makes the store's table, unless it is there; NULL: enter_run does. */
    enum status (*make_place)(struct sql_database *self, struct error *error);
    /* ERROR_RUN_FENCED: the guard does not stand any more. */
    enum status (*check_claim)(struct sql_database *self, struct error *error);

    /* ---- records by key: finding.h */

    /* Whether triggers, or what else answers to a write, are silent in this session. */
    enum status (*silence)(struct sql_database *self, bool off, struct error *error);
    enum status (*delete_all)(struct sql_finding *finding, const struct cell *keys,
                              uint32_t key_count);
    enum status (*fetch_all)(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count);
    /* Rows of a table like this one, each a MAP of all columns; `from` stands behind FROM. */
    enum status (*read_records)(struct sql_database *self, const struct sql_table *table,
                                const char *from, struct batch *batch, struct error *error);

    /* ---- taking a run back: rollback.h */

    /* Does the run know that it made the table, or began to? */
    enum status (*is_made)(struct sql_database *self, const char *table, bool *made,
                           struct error *error);
    enum status (*forget_made)(struct sql_database *self, const char *table, struct error *error);
    /* Drops a table that the run made, or takes all records out of another one. */
    enum status (*remove)(struct sql_database *self, const struct sql_table *table, bool made,
                          struct error *error);
    /* Does the undo table keep the column? */
    bool (*keeps)(const struct sql_table *undo, const struct sql_table *table, uint32_t column);
    /* A condition: the record `alias` holds something in the column that the table did not put
     * there. */
    void (*append_held)(struct buffer *sql, const struct sql_table *table, uint32_t column,
                        const char *alias);
    /* A sum of what all records hold in so many columns, given by their numbers. */
    enum status (*sum)(struct sql_database *self, const struct sql_table *table,
                       const uint32_t *columns, uint32_t count, struct arena *arena,
                       const char **sum, struct error *error);
    const struct sql_undo_dialect *undo;   /* undo_keys.h */
    const struct sql_later_dialect *later; /* later.h; NULL: a record never waits for another one */
};

/* The failpoint "mysql.before_undo" of `place` "before_undo". */
enum status sql_failpoint(const struct sql_database *self, const char *place, struct error *error);
/* Is the name among them, as the database compares names of columns? */
bool sql_is_listed(const struct sql_database *self, struct column_list columns, const char *name);
/* Ends a transaction that was begun, with the failpoints `before` and `after` (NULL: none) around
 * the commit. */
enum status sql_end_between(struct sql_database *self, const char *before, const char *after,
                            enum status status, struct error *error) MUST_USE;

/* ---- target_functions and lock_functions that are alike in all of them */

/* source_functions.holds */
enum status sql_holds(struct database *self, const char *table, const char *column,
                      enum value_test test, bool *holds, struct error *error);
enum status sql_highest_key(struct database *self, const char *table, const char *column,
                            int64_t *highest, bool *any, struct error *error);
enum status sql_names(struct database *self, struct arena *arena, struct column_list *names,
                      struct error *error);
enum status sql_claimed(struct database *self, const struct run_claim *claim, struct error *error);
void sql_released(struct database *self);
enum status sql_empty(struct database *self, const struct target_table *const *tables,
                      uint32_t table_count, struct error *error);
/* STATUS_FAILED, ERROR_RUN_FENCED: another attempt took the run over. */
enum status sql_run_fenced(const char *shown, struct error *error);

#endif
