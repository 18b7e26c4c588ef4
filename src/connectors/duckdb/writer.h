/* The writer: a connection, a transaction a chunk, and how the records of each table go into it. */
#ifndef TRANSHUME_CONNECTORS_DUCKDB_WRITER_H
#define TRANSHUME_CONNECTORS_DUCKDB_WRITER_H

#include "connectors/duckdb/target.h"
#include "connectors/sql/undo.h"
#include "connectors/sql/writer.h"

/* A batch whose records lie in the staging table, from the number `first` on. */
struct duckdb_staged {
    struct sql_held *held;
    uint64_t first;
};

/* How records of one shape go into one table. */
struct duckdb_plan {
    struct duckdb_plan *next;
    const struct target_table *table;
    const struct shape *shape;
    struct duckdb_table facts;
    uint32_t count;            /* of columns that are filled */
    uint32_t *columns;         /* their numbers in the table */
    uint32_t *fields;          /* and in the shape */
    struct duckdb_form *forms; /* of the appender's columns: staged, a number stands before them */
    bool staged;
    char stage[64];                 /* the staging table; "": not made yet */
    char keys[SQL_OWN_NAME_BYTES];  /* where keys of the run are kept; "": they are not */
    struct duckdb_handle *appender; /* NULL: none in this transaction */
    struct duckdb_handle *chunk;
    uint64_t chunk_rows;
    struct duckdb_column *vectors;
};

struct writer {
    struct sql_writer base;
    struct duckdb_database *database;
    struct duckdb_handle *connection;
    const struct target_table *tables;
    uint32_t table_count;
    bool *careful; /* a table each: a plain load was refused */
    struct duckdb_plan *plans;
    struct sql_held_list waiting; /* batches that lie in the staging table of: */
    struct duckdb_plan *staging;  /* NULL: none */
    struct buffer staged;         /* struct duckdb_staged */
    uint64_t staged_rows;
    uint32_t stages; /* that were made, for their names */
};

/* ---- plan.c */

enum status duckdb_plan_find(struct writer *writer, uint32_t table, const struct shape *shape,
                             struct duckdb_plan **plan, struct error *error) MUST_USE;
/* Ends its appender: what it holds is written if `keeps`. */
enum status duckdb_plan_end(struct writer *writer, struct duckdb_plan *plan, bool keeps,
                            struct error *error) MUST_USE;
void duckdb_plans_free(struct writer *writer);
/* Puts the batch's records into the appender, those that can be; `number`: of the first. */
enum status duckdb_plan_append(struct writer *writer, struct duckdb_plan *plan,
                               struct sql_held *held, uint64_t number,
                               struct error *error) MUST_USE;

/* ---- stage.c */

/* Makes the plan's staging table, unless it is there. */
enum status duckdb_stage_make(struct writer *writer, struct duckdb_plan *plan,
                              struct error *error) MUST_USE;
/* Moves all records from there into their table; their batches are done. */
enum status duckdb_stage_empty(struct writer *writer, struct error *error) MUST_USE;

#endif
