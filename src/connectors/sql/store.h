/*
 * The store of SQL databases: one table, `_transhume_ledger`, with a row a key
 * (connectors/contract/store.h says what a store is). What each database brings is how it runs a
 * statement.
 *
 *   name     the key, compared by its bytes; primary key
 *   version  counts the puts
 *   value    the text
 */
#ifndef TRANSHUME_CONNECTORS_SQL_STORE_H
#define TRANSHUME_CONNECTORS_SQL_STORE_H

#include "base/buffer.h"
#include "connectors/contract/store.h"

#define SQL_STORE_TABLE "_transhume_ledger"
/* The hint on a table of ours that is another's or carries what would run (ERROR_NOT_OURS). */
#define SQL_STORE_NOT_OURS_HINT "drop that; nothing but transhume has anything to do there"

enum { SQL_STORE_FIELDS_MAX = 64 };
/* The fields of a result's row, in their order, NULL for null; `lengths` in bytes. Borrowed for the
 * call. */
typedef enum status sql_store_row(void *context, const char *const *fields, const size_t *lengths,
                                  struct error *error);

struct sql_store_dialect {
    const char *insert; /* "INSERT INTO ", or the words by which a key that is there is no error */
    const char *insert_end; /* the same behind VALUES (…) */
    const char *parameter;  /* the one parameter of a statement: "$1", "?" */
    uint32_t value_bytes_max;
    void (*append_table)(const struct store *store, struct buffer *sql);
    /* STATUS_OK: the table is there. STATUS_END: it is not. STATUS_FAILED also for tables of an
     * older format. */
    enum status (*exists)(struct store *store, struct error *error);
    enum status (*create)(struct store *store, struct error *error);
    /*
     * Runs one statement with up to one parameter (NULL: none). `row` (may be NULL) is called for
     * each row of the result; `changed` (may be NULL) gets how many rows it changed. Outside
     * `begin` and `end` it is durable when it returns.
     */
    enum status (*run)(struct store *store, const char *sql, const struct store_value *parameter,
                       sql_store_row *row, void *context, uint64_t *changed, struct error *error);
    /* A transaction around several statements: `end` commits if `status` is OK, else takes all
     * back, and returns what became of it. */
    enum status (*begin)(struct store *store, struct error *error);
    enum status (*end)(struct store *store, enum status status, struct error *error);
};

/* The head of a connector's own handle, its first member. */
struct store {
    const struct sql_store_dialect *dialect;
    bool seen; /* the table is there */
};

/* For store_functions. */
enum status sql_store_create(struct store *store, struct error *error);
enum status sql_store_get(struct store *store, const char *key, struct arena *arena,
                          struct store_value *value, struct error *error);
enum status sql_store_put_if(struct store *store, const char *key, const char *text, size_t length,
                             uint64_t expected, uint64_t *version, struct error *error);
enum status sql_store_delete_if(struct store *store, const char *key, uint64_t expected,
                                struct error *error);
enum status sql_store_scan(struct store *store, const char *prefix, store_visit *visit,
                           void *context, struct error *error);
enum status sql_store_put_many(struct store *store, const struct store_pair *pairs, uint32_t count,
                               struct error *error);

/* ---- for what a connector writes in transactions of its own */

/* "INSERT … (name, version, value) VALUES ('KEY', 1, PARAMETER)…" for a key that has to be absent:
 * one row is changed, or the key is there. */
void sql_store_append_insert(const struct store *store, const char *key, struct buffer *sql);
/* " FROM TABLE WHERE name = 'KEY' AND version = N": for a SELECT that locks the row. */
void sql_store_append_guard(const struct store *store, const char *key, uint64_t version,
                            struct buffer *sql);

/* A table with a name of ours, by its catalogue: ERROR_NOT_OURS, if it carries a generated column
 * or a check (NULL: it has none), or has other columns than the `wanted` ones, "name,version,value"
 * (NULL: they are not compared). `found` NULL: it has none. */
enum status sql_store_check_form(const char *name, const char *generated, const char *check,
                                 const char *wanted, const char *found,
                                 struct error *error) MUST_USE;

#endif
