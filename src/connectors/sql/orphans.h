/* Records that a foreign key finds no partner for: the question, and the answer in words. */
#ifndef TRANSHUME_CONNECTORS_SQL_ORPHANS_H
#define TRANSHUME_CONNECTORS_SQL_ORPHANS_H

#include "base/buffer.h"
#include "model/schema.h"

struct sql_orphans {
    const char *table;
    struct column_list columns;
    const char *partner; /* the table that they refer to */
    struct column_list referenced;
    struct column_list key; /* that names a record; empty: `columns` do */
    const void *self;       /* of append_table */
    void (*append_table)(struct buffer *out, const void *self, const char *name);
    void (*append_name)(struct buffer *out, const char *name);
};

/* " FROM table AS t WHERE …": those without a partner, but for rows with a NULL, which need none.
 */
void sql_orphans_append_from(struct buffer *sql, const struct sql_orphans *orphans);
/* "SELECT count(*) OVER (), t.key … FROM … ORDER BY … LIMIT few": how many there are, and the first
 * of them. */
void sql_orphans_append_query(struct buffer *sql, const struct sql_orphans *orphans);
/* "; 2 rows have no partner, the first of them: id 7; id 9", of that query's rows. `cell` gives the
 * text of row and column; NULL becomes nothing. */
void sql_orphans_append_words(struct buffer *out, const struct sql_orphans *orphans,
                              uint32_t row_count,
                              const char *(*cell)(void *rows, uint32_t row, uint32_t column),
                              void *rows);

#endif
