/* Records that a foreign key finds no partner for: the question, the answer in words, and taking
 * them out until none is left. */
#ifndef TRANSHUME_CONNECTORS_SQL_ORPHANS_H
#define TRANSHUME_CONNECTORS_SQL_ORPHANS_H

#include "base/buffer.h"
#include "connectors/contract/target.h"
#include "connectors/sql/database.h"
#include "connectors/sql/undo.h"

enum { SQL_ORPHANS_NAMED_MAX = 3 };

struct sql_orphans {
    const char *table;
    struct column_list columns;
    const char *partner; /* the table that they refer to */
    struct column_list referenced;
    const char *const *collations; /* of `referenced`, as SQL; NULL, all or one: it needs none */
    const char *const *operators;  /* likewise, in place of = */
    struct column_list key;        /* that names a record; empty: `columns` do */
    const char *name;              /* of the foreign key */
    uint64_t records_written;      /* to `table`; UINT64_MAX: not known */
    bool full; /* MATCH FULL: NULL beside other values has no partner either, all NULL needs none */
    bool plain; /* SQLite: a partner's column says what is equal, by its affinity and collation */
    bool windowless;  /* the server knows no OVER () */
    const void *self; /* of append_table and append_literal */
    void (*append_table)(struct buffer *out, const void *self, const char *name);
    void (*append_name)(struct buffer *out, const char *name);
    /* for sql_orphans_append_reason: a text, and a column of `t` as a text of bounded length */
    void (*append_literal)(struct buffer *out, const void *self, const char *text);
    void (*append_shown)(struct buffer *out, const char *name);
    const char *joined_by; /* texts: " || " */
};

/* " FROM table AS t WHERE …": those without a partner, but for rows with a NULL, which need none.
 */
void sql_orphans_append_from(struct buffer *sql, const struct sql_orphans *orphans);
/* A text expression over `t`, one reason a record: "foreign key K: no row of P has id = 7". */
void sql_orphans_append_reason(struct buffer *sql, const struct sql_orphans *orphans);
/* "SELECT count(*) OVER (), t.key … FROM … ORDER BY … LIMIT few": how many there are, and the first
 * of them. */
void sql_orphans_append_query(struct buffer *sql, const struct sql_orphans *orphans);
/* "; 2 orphaned rows, the first of them: id 7; id 9", of that query's rows. `cell` gives the
 * text of row and column; NULL becomes nothing. */
void sql_orphans_append_words(struct buffer *out, const struct sql_orphans *orphans,
                              uint32_t row_count,
                              const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                              void *rows);

/* For sql_target_functions.partnerless, of the same rows: "child: the foreign key K refers to P;
 * 2 rows have no partner, …", if there are any. */
void sql_orphans_append_line(struct buffer *out, const struct sql_orphans *orphans,
                             uint32_t row_count,
                             const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                             void *rows);
/* Instead, after a failure of the query: says so in `unasked`, and clears it. STATUS_FAILED: it is
 * of more than this key, as where the connection is `lost`. */
enum status sql_orphans_pass_over(struct buffer *unasked, const struct sql_orphans *orphans,
                                  bool lost, struct error *error) MUST_USE;

/* A foreign key of a run's tables, while records that break some of them are taken out. */
struct sql_reference {
    struct sql_orphans orphans;
    bool broken;  /* not every record obeys it */
    bool unasked; /* by which columns is not known: what breaks it stays */
    bool touched; /* set by sql_references_reach: records of its table may go */
    bool due;
    uint64_t taken; /* how many records went by it */
};
/* From which tables records may go: those that have none, and what refers to them, and so on. */
void sql_references_reach(struct sql_reference *references, uint32_t count);
/* May records go that this one refers to? Its key must not act on that, or be in the way. */
bool sql_reference_is_reached(const struct sql_reference *references, uint32_t count,
                              const struct sql_reference *reference);
/* The first of its table's: so that each table is done once. */
bool sql_reference_is_first(const struct sql_reference *references, uint32_t count,
                            const struct sql_reference *reference);
/*
 * Calls `take` for those that are broken, and then for those whose partners went, until nothing
 * goes any more. `take` moves all records away that have no partner by this key, and says how many.
 * Then `ask` answers a query of one number, which it frees, for each touched table: were there more
 * records in it than the run wrote, it fails, and all is to be undone.
 */
typedef enum status sql_take_orphans(void *context, const struct sql_orphans *orphans,
                                     uint64_t *taken, struct error *error);
typedef enum status sql_ask_number(void *context, struct buffer *sql, uint64_t *number,
                                   struct error *error);
enum status sql_references_mend(struct sql_reference *references, uint32_t count,
                                const char *run_id, sql_take_orphans *take, sql_ask_number *ask,
                                void *context, struct error *error) MUST_USE;

/* The tables that keep what was taken out: the reason, the table's columns, and a number that says
 * in which order. Their names are among the run's tables of undo records, and they go with these.
 */
void sql_orphans_name(const char *run_id, const char *table, char name[SQL_OWN_NAME_BYTES]);
#define SQL_ORPHANS_REASON "_transhume_reason"
#define SQL_ORPHANS_NUMBER "_transhume_number"
/* sql_target_functions.orphans: tells all of them, by their numbers. */
enum status sql_orphans_tell(struct database *self, const struct target_table *table,
                             target_orphan_found *found, void *context, struct error *error);

#endif
