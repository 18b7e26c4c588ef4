/*
 * A family: a table of the target with one row for each row of an entity (its root), placed by a
 * partition key, ordered by clustering fields, and with fields of the root and of what it refers
 * to. In Cassandra it is a table; in DynamoDB a table or a global secondary index.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_FAMILY_H
#define TRANSHUME_DESIGN_WORKLOAD_FAMILY_H

#include "design/workload/cost.h"
#include "design/workload/query.h"

enum family_bucket {
    FAMILY_PLAIN,
    FAMILY_BUCKET_HASH, /* its partitions are cut by a hash of the root's key */
    FAMILY_BUCKET_TIME  /* by spans of the first clustering field, which is a time */
};

/* Everything that it points to is in the arena of the places. */
struct family {
    uint32_t root;
    struct place_set partition; /* empty: all rows are in one, which `buckets` cut */
    const struct query_order *clustering;
    uint32_t clustering_count;
    bool first_rows;          /* only the first rows of a partition are read, so that none is cut */
    struct place_set key;     /* partition and clustering */
    struct place_set fields;  /* key included */
    struct place_set statics; /* of `fields`: what is the same for all rows of a partition */
    struct place_set optional; /* of `key`: rows with nothing there are not in the family */
    bool whole;                /* it holds the root: all its rows, with all their own fields */
    /* Figures: */
    double rows;
    double partitions;         /* before they are cut */
    double partition_rows;     /* mean */
    double partition_rows_max; /* worst */
    double row_bytes;          /* without what is static */
    double bytes;
    enum family_bucket bucket;
    uint32_t buckets;       /* that the worst partition is cut into; 1: none */
    uint32_t bucket_digits; /* FAMILY_BUCKET_TIME: of "2024-02-29T12": 4 a year, 7 a month … */
    double bucket_rows_max; /* of the fullest bucket; uncut: of the worst partition */
};

/* Completes a family of root, partition, clustering and fields: appends what the key lacks to
 * identify a row, finds what is static, computes the figures. Of a model with bounds for
 * partitions. */
void family_complete(struct places *places, const struct cost_model *model, struct family *family);

/* The same key, order and fields? */
bool family_is_equal(const struct family *left, const struct family *right);

#endif
