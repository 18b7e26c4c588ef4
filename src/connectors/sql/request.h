/* A read request as one SELECT: what SQL databases write alike, and what each writes in its own
 * way. */
#ifndef TRANSHUME_CONNECTORS_SQL_REQUEST_H
#define TRANSHUME_CONNECTORS_SQL_REQUEST_H

#include "base/buffer.h"
#include "connectors/sql/by_key.h"
#include "connectors/sql/database.h"

struct sql_request_dialect;
struct sql_digest_words;
struct sql_rules;

struct sql_select {
    struct buffer sql;
    const char **names; /* of its columns */
    uint32_t column_count;
    bool documents; /* no columns were named: all of the root's, a MAP a row */
};

/* One that is being written; a connector's own begins with it. The root's alias is _t0, that of
 * join n _t<n+1>; as a `join`, -1 stands for the root. */
struct sql_request {
    const struct sql_request_dialect *dialect;
    struct sql_database *database;
    const struct read_request *asked;
    struct sql_table *tables; /* that were found: the root or the query, then the joins' */
    struct arena *arena;      /* what is handed out lives there */
    struct sql_select *out;
    struct error *error;
    bool sums; /* not the rows are asked for, but their digest: digest.h */
};

/* The parts of a request that a database writes in its own way, to out->sql. A function that fails
 * fills `error`. */
struct sql_request_dialect {
    const char *truth;   /* a literal */
    const char *present; /* behind a value: it is not NULL; in PostgreSQL IS NOT NULL is of what is
                            in a row, too */
    const struct sql_digest_words *digest_words;
    /* Literals of keys: by_key.h. */
    const struct sql_rules *rules;
    void (*name_time)(struct buffer *text);
    const char *is_null;
    bool quotes_numbers;
    const char *bytes_before;
    const char *bytes_behind;
    /* The columns of a root that is a query. */
    enum status (*describe_query)(struct sql_request *request, struct sql_table *query);
    /* Room for the types of the columns. */
    void (*make_types)(struct sql_request *request, uint32_t count);
    /* A column by its alias and name; false: there is none of that name. */
    bool (*append_column)(struct sql_request *request, int32_t join, const char *name);
    /* A column of the result, and its type: number out->column_count. */
    enum status (*append_result)(struct sql_request *request, const struct read_column *wanted);
    /* The text behind the columns. */
    void (*append_extra)(struct sql_request *request);
    /* The condition that pair `part` of a join's columns is equal by value; `alias` stands for the
     * join's own. */
    enum status (*append_equal)(struct sql_request *request, uint32_t join, uint32_t part,
                                const char *alias);
    /* A join with at most one partner, the first by its own key, where several may be equal. */
    enum status (*append_first_partner)(struct sql_request *request, uint32_t join);
    /* Optional: how a column of the root is compared (by_key.h), the request being `comparing`. */
    void (*compared)(void *comparing, const char *name, struct sql_compared *compared);
    /* The key that tells two rows of a table apart and repeats within the snapshot. */
    void (*append_row_key)(struct sql_request *request, int32_t join);
    /* NULLs first and texts by their bytes, as everywhere else. */
    enum status (*append_order)(struct sql_request *request, const struct read_order *order);
    /* " WHERE …" of the span; nothing if that is everything. */
    enum status (*append_span)(struct sql_request *request, const struct span *span);
};

/* Its literals, as by_key.h wants them. */
struct sql_by_key_words sql_request_words(const struct sql_database *database,
                                          const struct sql_request_dialect *dialect);
/* Finds the tables and writes the SELECT; out->sql is freed if that fails. */
enum status sql_request_write(struct sql_request *request, const struct span *span) MUST_USE;

/* ---------------------------------------------------------------- pieces for dialects */

enum { SQL_ALIAS_BYTES = 16 };
void sql_name_alias(char alias[SQL_ALIAS_BYTES], int32_t join);
/* A column by its alias and name, or no_such_column. */
enum status sql_request_column(struct sql_request *request, int32_t join,
                               const char *name) MUST_USE;
enum status sql_request_no_such_column(struct sql_request *request, int32_t join, const char *name);
/* Whether there is a row, of the root or a join. */
enum status sql_request_presence(struct sql_request *request,
                                 const struct read_column *wanted) MUST_USE;
/* Is one row looked up, of perhaps several partners? Then a dialect's append_first_partner. */
bool sql_join_takes_first(const struct schema_table *table, const struct read_join *join);
/* " JOIN table AS alias ON ", or " LEFT JOIN …" without `many`. */
void sql_request_begin_join(struct sql_request *request, uint32_t join, bool many);
/* All pairs of a join's columns. */
enum status sql_request_equals(struct sql_request *request, uint32_t join,
                               const char *alias) MUST_USE;
/* "(query)" without its closing semicolon. */
void sql_append_query(struct buffer *sql, const char *query);

static inline const struct sql_table *sql_request_table(const struct sql_request *request,
                                                        int32_t join)
{
    return &request->tables[join + 1];
}
/* The number of a column, of a table as the database compares names; -1: there is none. */
int32_t sql_request_find(const struct sql_request *request, int32_t join, const char *name);
/* OK if the request without a table is one of a query. */
enum status sql_request_is_query(const struct read_request *asked, struct error *error) MUST_USE;
/* The nearest name, if one is near. */
void sql_hint_at_table(const struct schema *schema, const char *name, struct error *error);
/* PLAN_INVALID with that hint if there is none of that name. */
enum status sql_find_table(struct sql_database *self, const char *name, struct sql_table *table,
                           struct error *error) MUST_USE;
/* The root's table; all NULL for a query. */
enum status sql_request_root(struct sql_database *self, const struct read_request *request,
                             struct sql_table *table, struct error *error) MUST_USE;
enum status sql_no_such_column(const struct schema_table *table, const char *name,
                               const char *object, struct error *error);

#endif
