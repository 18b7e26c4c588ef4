/*
 * Duplicates: columns that several tables of a Cassandra design hold, and what keeps them equal.
 *
 *   materialised view  the server derives the table from its root's own one. Only for a table of
 *                      one entity's fields whose key is that of the base and at most one column
 *                      more; two a base table; experimental, off by default, and a divergence is
 *                      only repaired by making the view again. So only where the key changes, which
 *                      without a view costs a read before each write
 *   logged batch       the application writes all copies in one batch, which is atomic; where a
 *                      write touches few partitions and stays below 5 KiB
 *   application        the copy is written once, with its row: no statement changes it later
 *   change stream      a consumer of changes rewrites the copies in pages: where one write would
 *                      have to change many
 */
#ifndef TRANSHUME_DESIGN_DUPLICATES_DUPLICATES_H
#define TRANSHUME_DESIGN_DUPLICATES_DUPLICATES_H

#include "design/layout/layout.h"

enum {
    DUPLICATES_BATCH_BYTES_MAX = 5 * 1024, /* batch_size_warn_threshold */
    DUPLICATES_BATCH_PARTITIONS_MAX = 10,
    DUPLICATES_VIEWS_MAX = 2 /* of a base table */
};

enum duplicate_strategy {
    DUPLICATE_BATCH,
    DUPLICATE_VIEW,
    DUPLICATE_APPLICATION,
    DUPLICATE_STREAM
};

/* A column that a table of the design has from elsewhere. */
struct duplicate {
    const struct layout_table *table;
    const struct layout_column *column;
    const struct layout_table *origin; /* that has it first; NULL: no table is keyed by its row */
    enum duplicate_strategy strategy;
    const char *why;
    double copies; /* rows that a change of it must write, mean */
};

struct duplicates {
    struct arena *arena;
    const struct layout *layout;
    const struct duplicate *list; /* table by table */
    uint32_t count;
};

void duplicates_find(const struct layout *layout, struct arena *arena,
                     struct duplicates *duplicates);

/* "logged batch" */
const char *duplicate_strategy_name(enum duplicate_strategy strategy);

/* All of them with the statements to use, as Markdown. */
void duplicates_append(const struct duplicates *duplicates, struct buffer *out);

/* CREATE MATERIALIZED VIEW of `table` over `origin`; false: CQL allows none. */
bool duplicates_append_view(const struct layout *layout, const struct layout_table *origin,
                            const struct layout_table *table, struct buffer *out);

#endif
