/*
 * A design for DynamoDB: the search's choice by DynamoDB's own costs, as tables and global
 * secondary indexes. The families chosen of one root are one table and its indexes: the table is
 * the one keyed by the entity's own key where there is one, and its items hold all that the indexes
 * need, fields copied from other entities too. A key of one field is that attribute; one of several
 * is an attribute made of them, such as "7#2024-02-29".
 */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_DYNAMODB_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_DYNAMODB_H

#include "design/layout/layout.h"
#include "design/workload/score.h"

enum {
    EXPORT_FAMILIES_MAX = 8,     /* in one index */
    EXPORT_INDEXES_MAX = 20,     /* global secondary indexes of a table, the default quota */
    EXPORT_PROJECTED_MAX = 20,   /* attributes that one index names */
    EXPORT_PROJECTED_TOTAL = 100 /* that all indexes of a table name */
};

/* An attribute of a table's items. */
struct export_attribute {
    const char *name;
    uint32_t place;        /* of the root; GRAPH_NONE: made of `parts` and `bucket_sql` */
    const uint32_t *parts; /* attributes that are plain, in the order of the key */
    uint32_t part_count;
    bool ordered;           /* as a sort key: whole numbers are padded with zeros */
    const char *bucket_sql; /* the number of its shard, over the root's columns; NULL: none */
    const char *type;       /* S, N, B, BOOL, L or M */
};

enum export_projection { EXPORT_ALL, EXPORT_KEYS_ONLY, EXPORT_INCLUDE };

/* The key of a table or an index: numbers of the table's attributes. */
struct export_key {
    uint32_t partition;
    uint32_t sort; /* GRAPH_NONE: none */
};

struct export_index {
    const char *name;
    struct export_key key;
    uint32_t families[EXPORT_FAMILIES_MAX]; /* that it is: more than one if their keys became one */
    uint32_t family_count;
    struct place_set fields; /* of all of them */
    enum export_projection projection;
    const uint32_t *projected; /* EXPORT_INCLUDE: attributes beside the keys */
    uint32_t projected_count;
    bool sparse; /* items without a part of its key are not in it */
};

struct export_table {
    const char *name;
    uint32_t root;
    uint32_t family; /* that it is; GRAPH_NONE: no family is keyed by all that identifies a row */
    const struct export_attribute *attributes; /* the table's key first */
    uint32_t attribute_count;
    struct export_key key;
    const struct export_index *indexes;
    uint32_t index_count;
    bool is_copy; /* a family for which the table of its root has no index left */
    double item_bytes;
};

struct export_dynamodb {
    struct arena *arena;
    struct places places;
    struct pool pool;
    struct search search;
    struct search_result result;
    struct score score;
    const struct export_table *tables; /* by name */
    uint32_t count;
    const char *const *notes; /* what a reader must know: bounds that are near or broken */
    uint32_t note_count;
};

/* Searches and lays out. `graph` and `workload` are borrowed; `model` is cost_dynamodb or one made
 * of it. */
void export_dynamodb_make(const struct graph *graph, const struct workload *workload,
                          const struct cost_model *model, struct arena *arena,
                          struct export_dynamodb *design);

const struct family *export_family(const struct export_dynamodb *design, uint32_t family);
/* Where rows of a family are found; `*index` NULL: the table itself. NULL: it is not chosen. */
const struct export_table *export_table_of(const struct export_dynamodb *design, uint32_t family,
                                           const struct export_index **index);

/* An array of inputs of CreateTable. */
void export_dynamodb_append_tables(const struct export_dynamodb *design, struct buffer *out);
/* A template of CloudFormation with the same tables. */
void export_dynamodb_append_cloudformation(const struct export_dynamodb *design,
                                           struct buffer *out);
/* A model of NoSQL Workbench: tables with their indexes, and each query as a facet. */
void export_dynamodb_append_workbench(const struct export_dynamodb *design, const char *name,
                                      struct buffer *out);
/* The plan that fills these tables. `target` NULL: to be filled in. */
void export_dynamodb_append_plan(const struct export_dynamodb *design, const char *source,
                                 const char *target, struct buffer *out);
/* Tables, indexes, queries and the score, for a terminal. */
void export_dynamodb_append_summary(const struct export_dynamodb *design, struct buffer *out);

/* Digits that a whole number has within an attribute that is made of parts, zeros before it; 0: as
 * it is. */
uint32_t export_key_digits(const struct export_dynamodb *design,
                           const struct export_attribute *attribute,
                           const struct export_attribute *part);
/* Is that part of a made attribute written as export_key.h escapes it? */
bool export_part_is_escaped(const struct export_dynamodb *design, const struct export_table *table,
                            const struct export_attribute *attribute, uint32_t part);

/* "{InvoiceDate}#{InvoiceId:019}" of an attribute that is made of others. */
void export_append_template(const struct export_dynamodb *design, const struct export_table *table,
                            const struct export_attribute *attribute, struct buffer *out);

#endif
