/*
 * A plain copy of records without fixed fields into tables with columns: what all records of a
 * table showed, and the plan that is made of it. Field by field, without keeping any record.
 */
#ifndef TRANSHUME_PLAN_RESOLVE_LEARN_H
#define TRANSHUME_PLAN_RESOLVE_LEARN_H

#include "model/learnt_type.h"
#include "plan/plan.h"

/* Does a plain copy by this plan (NULL: without one) have to learn? With `child_tables` also lists
 * in columns of the source make it. */
bool plan_needs_learning(const struct plan_document *document, const struct database *source,
                         const struct database *target, bool child_tables);
/* Is the table one that a plain copy carries? */
bool plan_copies_table(const struct plan_document *document, const struct plan_settings *settings,
                       const struct schema_table *table);

/* Everything that was seen of one table, which is borrowed; one thread at a time. `documents`: its
 * records are maps, else the cells of its columns; `child_tables`: lists of maps are to become
 * tables. */
struct learnt_table;
struct learnt_table *learnt_table_create(const struct schema_table *table, bool documents,
                                         bool child_tables) __attribute__((returns_nonnull));
void learnt_table_destroy(struct learnt_table *learnt); /* NULL is fine */
/* The request that reads all of its records; it lives as long as `learnt`. */
struct read_request learnt_table_request(const struct learnt_table *learnt);
/* Records that follow are of this span: fields come in the order of spans, and within one in that
 * of records. Each thread takes its spans in ascending order. */
void learnt_table_begin(struct learnt_table *learnt, uint32_t span);
/* The same records may be added again: after a failure a span is read from its beginning. */
enum status learnt_table_add(struct learnt_table *learnt, const struct batch *batch,
                             struct error *error) MUST_USE;
/* So many records were read for it. */
void learnt_table_count(struct learnt_table *learnt, uint64_t records);
/* For another thread; merged when both are read, and in the end its fields put into order. */
struct learnt_table *learnt_table_create_like(const struct learnt_table *learnt)
    __attribute__((returns_nonnull));
enum status learnt_table_merge(struct learnt_table *into, const struct learnt_table *from,
                               struct error *error) MUST_USE;
void learnt_table_sort(struct learnt_table *learnt);

/* The line before `tables:`, by which such a plan is known. */
extern const char learnt_plan_mark[];

struct learnt_plan {
    struct buffer yaml; /* `tables:` with all that is below it */
    struct arena *arena;
    struct plan_note *notes; /* in the arena */
    uint32_t note_count;
};
/* The plan of all tables, for that source and target. `there`: those that are in it, whose columns
 * decide for themselves what they hold; NULL: none. Free it also after a failure. */
enum status learnt_plan_make(struct learnt_table *const *tables, uint32_t count,
                             const struct database *source, const struct database *target,
                             const struct schema *there, struct learnt_plan *plan,
                             struct error *error) MUST_USE;
void learnt_plan_free(struct learnt_plan *plan);

#endif
