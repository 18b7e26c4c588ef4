/*
 * The layout: the families chosen, as tables with names. What is written to files (CQL, plans,
 * reports) is made of it.
 */
#ifndef TRANSHUME_DESIGN_LAYOUT_LAYOUT_H
#define TRANSHUME_DESIGN_LAYOUT_LAYOUT_H

#include "design/workload/search.h"

enum layout_naming {
    LAYOUT_PLAIN,  /* orders_by_customer_id; customer_name */
    LAYOUT_CLASSIC /* orders_customer_data; orders_CustomerId: as a well-known analyzer has them */
};

enum layout_role { LAYOUT_PARTITION, LAYOUT_CLUSTERING, LAYOUT_STATIC, LAYOUT_VALUE };

struct layout_column {
    const char *name;
    uint32_t place; /* GRAPH_NONE: the bucket */
    enum layout_role role;
    bool descending;
};

struct layout_table {
    const char *name;
    uint32_t family;                     /* its number in the pool */
    const struct layout_column *columns; /* partition key, clustering, static, values */
    uint32_t column_count;
    uint32_t partition_count;
    uint32_t clustering_count;
    const char *bucket_sql; /* an expression over the root's columns; NULL: no bucket */
};

struct layout {
    struct arena *arena;
    const struct search *search;
    const struct search_result *result;
    const struct layout_table *tables; /* by name */
    uint32_t count;
};

void layout_make(const struct search *search, const struct search_result *result,
                 enum layout_naming naming, struct arena *arena, struct layout *layout);

/* The table of a family of the pool; NULL: it is not chosen. */
const struct layout_table *layout_table_of(const struct layout *layout, uint32_t family);
const struct family *layout_family(const struct layout *layout, const struct layout_table *table);
const char *layout_column_of(const struct layout_table *table, uint32_t place);

/* Appends CREATE TABLE statements, each below what it serves and why it is as it is. `keyspace`
 * NULL: names without one. */
void layout_append_cql(const struct layout *layout, const char *keyspace, struct buffer *out);

/* A name as CQL has it: plain where CQL keeps it as it is, else in double quotes. */
void layout_append_name(const char *name, struct buffer *out);
/* "frozen<list<int>>" of a column, as CREATE TABLE has it. */
void layout_append_type(const struct layout *layout, const struct layout_table *table,
                        const struct layout_column *column, struct buffer *out);

/* Appends the SELECT that a step of a plan is, with ? for what is given. */
void layout_append_select(const struct layout *layout, const struct query *query,
                          const struct access_step *step, struct buffer *out);

/* Appends a plan that fills these tables. `source` and `target` are URIs as they are shown;
 * `target` NULL: to be filled in. */
void layout_append_plan(const struct layout *layout, const char *source, const char *target,
                        struct buffer *out);

/* ---------------------------------------------------------------- what other plans share */

/* The head of a plan, with the relations that the source does not declare. */
void layout_append_head(const struct graph *graph, const char *source, const char *target,
                        struct buffer *out);
/* "lookup: Album.Artist, " for a path that is not the root's own, with `match` where more than one
 * relation leads there. */
void layout_append_lookup(const struct places *places, uint32_t path, struct buffer *out);
/* "column: Name", with a cast where the values are of another type than is declared. */
void layout_append_column(const struct graph_field *field, struct buffer *out);

#endif
