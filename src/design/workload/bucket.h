/*
 * Buckets: how partitions that would grow beyond the model's bounds are cut. By spans of time where
 * a time of the root leads the order, of the widest span that keeps the bounds over the time that
 * the data covers; else, and for DynamoDB's shards, by a hash of the root's whole key, so that
 * whoever knows a row knows its bucket. Both are expressions of a plan and have a value for each
 * row.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_BUCKET_H
#define TRANSHUME_DESIGN_WORKLOAD_BUCKET_H

#include "design/workload/family.h"

/* Fills `bucket`, `buckets`, `bucket_digits` and `bucket_rows_max` of a family whose other figures
 * are known. */
void bucket_choose(const struct places *places, const struct cost_model *model,
                   struct family *family);

/* The bucket of a row, as SQL over the root's columns; NULL: the family has none. */
const char *bucket_sql(const struct places *places, const struct family *family,
                       struct arena *arena);

/* Is the fullest bucket (without buckets: the largest partition) beyond the model's bounds? */
bool bucket_is_beyond(const struct cost_model *model, const struct family *family);

/* Buckets of a partition of mean size that hold rows. */
double bucket_mean_count(const struct family *family);

#endif
