/* The inside of joining: which tables are kept, with which columns and keys; see joining.h. */
#ifndef TRANSHUME_ENGINE_JOINING_PARTS_H
#define TRANSHUME_ENGINE_JOINING_PARTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "engine/join/joining.h"
#include <sqlite3.h>

/*
 * In the file, table number n with its keys 0, 1 …:
 *
 *   t<n>(seq INTEGER PRIMARY KEY,   order of reading
 *        p BLOB,                    the columns' cells (model/cell_bytes.h)
 *        r BLOB,                    the declared primary key (model/order_bytes.h), NULL if none
 *        k0 BLOB, k1 BLOB …)        likewise; a matched key that equals nothing is NULL
 *   x<n>_<key>(k<key>, r)           an index for each key that is searched
 */
struct joining_key {
    struct column_list columns;
    bool is_order;    /* nulls are values, too */
    bool is_searched; /* has an index */
    bool one_partner; /* a look-up searches it: warn when it is not unique */
};

struct joining_table {
    const char *name;
    uint32_t number;
    const struct schema_table *schema; /* NULL: not described */
    const char **columns;              /* kept; "": the document itself */
    uint32_t column_count;
    uint32_t column_capacity;
    struct joining_key *keys;
    uint32_t key_count;
    uint32_t key_capacity;
};

/* A join of a request, and where its columns are. */
struct joining_step {
    uint32_t table;
    uint32_t key;               /* of `table`: that is searched */
    uint32_t from_key;          /* of the table it hangs from; of the root: */
    uint32_t parameter;         /* number of the bound value, from 1 */
    const uint32_t *root_parts; /* the cells that are its key; of documents found by name */
    bool needs_cells;
};

/* One request: what it reads, and from what. */
struct joining_request {
    const struct read_request *request;
    const struct read_request *root; /* whose cells joining_begin gets */
    struct joining_step *steps;      /* one a join */
    uint32_t *positions;             /* of each column: within its table's; of the root: its cell */
    uint32_t *order_keys;            /* of each order */
    uint32_t parameter_count;
    const char *sql;
};

struct joining {
    struct arena *arena;
    struct joining_options options;
    bool documents; /* the source's records are MAPs */
    struct joining_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct joining_request *requests;
    uint32_t request_count;
    char *path;
    bool made_file;
    bool temporary_folder_set;
    bool prepared;
};

enum { JOINING_NONE = UINT32_MAX };

/* joining_plan.c: tables, columns, keys and statements for all requests. */
void joining_plan(struct joining *joining);

/* joining_load.c: reads one table of the source into the file. */
enum status joining_load(struct joining *joining, const struct joining_table *table,
                         sqlite3 *output, void (*progress)(const char *what),
                         struct error *error) MUST_USE;
/* A failure of the file as an error: a full disk says so. */
enum status joining_error(const struct joining *joining, sqlite3 *connection, int result,
                          const char *what, struct error *error) MUST_USE;

#endif
