/*
 * Foreign keys whose partners come later (target_table.later): their values are kept beside the
 * table, in a table of ours with
 *   the table's key; the `emptied` columns of all its foreign keys, those of one of them filled
 *   _transhume_reference   which one
 *   _transhume_refused     why the table does not take it, by the last filling; NULL: it may
 * and are filled in once the partners are there.
 *
 * Texts of the dialect are SQL with holes:
 *   $T  the table as `t`                   $L  the table with the values as `l`
 *   $M  l and t are of one key             $U  the table's undo records as `u`
 *   $V  u and t are of one key             $H  the hash of the record t
 *   $P  the partners' table as `p`         $N  p is what the reference of l and t refers to
 *   $W  l is of the foreign key in hand, and nothing is known to refuse it
 */
#ifndef TRANSHUME_CONNECTORS_SQL_LATER_H
#define TRANSHUME_CONNECTORS_SQL_LATER_H

#include "connectors/contract/target.h"
#include "connectors/sql/database.h"

#define SQL_LATER_REFERENCE "_transhume_reference"
#define SQL_LATER_REFUSED "_transhume_refused"

/* A table whose values are filled in, or emptied again. */
struct sql_filling {
    struct sql_database *self;
    const struct sql_later_dialect *dialect;
    const struct target_table *table;
    struct sql_table facts;
    const struct target_later *later; /* the one in hand */
    struct arena *arena;
    const char *values; /* the name of the table with the values */
    const char *undo;   /* of that with the undo records */
    struct error *error;
};

struct sql_later_dialect {
    /* ---- texts */

    const char *concat; /* "concat(": texts, one after the other */
    const char *join;   /* "concat_ws(', '": the same, NULLs left out */
    const char *left;   /* "left(" */
    const char *note_undo;
    const char *forget_filled;
    const char *forget_gone; /* records that others took out have nothing to fill in */
    bool drops_within;       /* a table can be dropped within a transaction */

    /* ---- functions */

    const char *(*values_name)(const struct sql_database *self, const char *table,
                               struct arena *arena);
    /* The SQL text that stands for the foreign key in SQL_LATER_REFERENCE. */
    void (*append_reference)(struct buffer *sql, const struct target_later *later);
    /* "left = right", both as SQL, as the server compares the values of the table's column. */
    void (*append_equal)(const struct sql_filling *filling, struct buffer *sql, const char *column,
                         const char *left, const char *right);
    /* The column of the undo table that has the image of the table's. */
    void (*append_image)(const struct sql_filling *filling, struct buffer *sql, const char *column);
    void (*append_hash)(const struct sql_filling *filling, struct buffer *sql);
    /* Makes the table with the values, unless it is there. */
    enum status (*make)(struct sql_filling *filling);
    /* Runs a statement, which it frees; `changed` may be NULL. */
    enum status (*run)(struct sql_filling *filling, struct buffer *sql, uint64_t *changed);
    /* The first row of a query, which it frees: so many texts in the arena; NULL: it is NULL, or
     * there is no row. */
    enum status (*ask)(struct sql_filling *filling, struct buffer *sql, const char **texts,
                       uint32_t count);
    /* Optional: before the first foreign key. */
    enum status (*begin)(struct sql_filling *filling);
    /* Fills in what the table takes of the foreign key in hand, and notes what it refuses. */
    enum status (*update)(struct sql_filling *filling);
    /* Empties the foreign key in hand in records that the run added and nobody changed since, and
     * notes what they are then: it is what the run leaves. */
    enum status (*loosen)(struct sql_filling *filling);
};

void sql_later_append(const struct sql_filling *filling, struct buffer *sql, const char *text);
/* ", a, b": the columns that are left NULL by one of the table's foreign keys; `alias` is "l." or
 * empty. */
void sql_later_append_emptied(const struct sql_filling *filling, struct buffer *sql,
                              const char *alias);
/* The pairs of the foreign key in hand: "`prefix`a = l.a, …", or "= NULL". */
void sql_later_append_pairs(const struct sql_filling *filling, struct buffer *sql,
                            const char *prefix, bool to_null);
/* "(t.a IS NOT NULL OR …)" of the same. */
void sql_later_append_held(const struct sql_filling *filling, struct buffer *sql);
/* "a,b": the foreign key's columns. */
void sql_later_append_columns(struct buffer *out, const struct target_later *later);
/* Runs a statement of the filling. */
enum status sql_later_run(struct sql_filling *filling, struct buffer *sql,
                          uint64_t *changed) MUST_USE;

/* target_functions, by sql_dialect.later */
enum status sql_later_prepare(struct database *self, const struct target_table *tables,
                              uint32_t table_count, struct error *error);
enum status sql_later_fill(struct database *self, const struct target_table *tables,
                           uint32_t table_count, struct target_filled *filled, struct error *error);
/* rollback_functions */
enum status sql_later_loosen(struct database *self, const struct target_table *table,
                             struct error *error);

#endif
