/*
 * Tables that the advisor suggests, checked against the schema.
 *
 *   {"tables": [{"name": "invoices_by_customer", "rows_of": "Invoice",
 *                "partition_key": ["Invoice.CustomerId"],
 *                "clustering": [{"column": "Invoice.InvoiceDate", "order": "DESC"}],
 *                "columns": ["Invoice.Total", "Customer.LastName"],
 *                "queries": ["Q1"], "reason": "…"}]}
 *
 * A column is "Table.column", of rows_of or of what that refers to; where several foreign keys lead
 * there, the referring column comes first: "manager_id>employee.name".
 */
#ifndef TRANSHUME_DESIGN_ADVISOR_ADVISOR_REPLY_H
#define TRANSHUME_DESIGN_ADVISOR_ADVISOR_REPLY_H

#include "base/error.h"
#include "design/workload/pool.h"

enum {
    ADVISOR_TABLES_MAX = 200,
    ADVISOR_COLUMNS_MAX = 1000, /* of a table */
    ADVISOR_HOPS_MAX = 4        /* relations from the root to a column's entity */
};

struct advisor_column {
    uint32_t relations[ADVISOR_HOPS_MAX]; /* that lead from the root to the entity */
    uint32_t relation_count;
    uint32_t entity;
    uint32_t field;
    bool descending; /* of a clustering column */
};

struct advisor_columns {
    const struct advisor_column *at;
    uint32_t count;
};

struct advisor_table {
    const char *name;
    uint32_t root;                    /* entity: one row for each of its rows */
    struct advisor_columns partition; /* at least one */
    struct advisor_columns clustering;
    struct advisor_columns others;
    const char *const *queries;
    uint32_t query_count;
    const char *reason; /* NULL: none */
    uint32_t family;    /* advisor_propose's; GRAPH_NONE: not in the pool */
};

/* Something that was not taken as it was said. */
struct advisor_dropped {
    const char *table; /* as the model calls it */
    const char *what;
    const char *why;
};

struct advisor_reply {
    struct arena *arena;
    const struct graph *graph;
    struct advisor_table *tables;
    uint32_t table_count;
    const struct advisor_dropped *dropped;
    uint32_t dropped_count;
};

/* Reads the text of an answer, in a code fence or not. What the schema does not have is dropped and
 * listed; so is a table without a usable key. STATUS_FAILED: ERROR_ADVISOR, it is not JSON of that
 * form. */
enum status advisor_reply_read(const char *text, size_t length, const struct graph *graph,
                               struct arena *arena, struct advisor_reply *reply,
                               struct error *error) MUST_USE;

/* Adds the tables to the pool, as families, and notes their numbers. `places` is of a graph with
 * the same entities, fields and relations. Before search_prepare. */
void advisor_propose(struct advisor_reply *reply, struct places *places, struct pool *pool);

/* "manager_id>employee.name" */
void advisor_append_column(const struct advisor_reply *reply, const struct advisor_column *column,
                           struct buffer *out);

#endif
