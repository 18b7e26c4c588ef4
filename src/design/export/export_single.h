/*
 * The other way to use DynamoDB: what belongs together in one table, under the partition of the row
 * that owns it (PK and SK), as `transhume init SRC dynamodb://` proposes it, with what the workload
 * would cost there. It has no indexes: what neither the partition nor the whole key finds is a
 * scan.
 */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_SINGLE_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_SINGLE_H

#include "design/workload/score.h"

struct export_single {
    struct places places;
    struct pool pool;
    struct search search;
    struct score score;
    uint32_t owners; /* tables: rows that belong to no other */
    uint32_t owned;  /* kinds of rows that stand with their owner, as items or lists */
};

/* `graph` and `workload` are borrowed. */
void export_single_make(const struct graph *graph, const struct workload *workload,
                        const struct cost_model *model, struct arena *arena,
                        struct export_single *single);

/* The plan that `init` proposes. */
void export_single_append_plan(const struct graph *graph, const char *source, const char *target,
                               struct arena *arena, struct buffer *out);
/* Its score beside that of the tables and indexes. */
void export_single_append_summary(const struct export_single *single, const struct score *other,
                                  struct buffer *out);

#endif
