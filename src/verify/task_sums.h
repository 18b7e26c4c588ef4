/* Sums that one thread makes of the task in hand. They become the validation's once all of the task
 * is read, at one instant: so the validation's sums are at any moment those of whole tasks. */
#ifndef TRANSHUME_VERIFY_TASK_SUMS_H
#define TRANSHUME_VERIFY_TASK_SUMS_H

#include "verify/verify_internal.h"

/* A thread's own sums of one table's buckets, of which `touched` has a bit for every 64. */
struct own_buckets {
    uint64_t *touched;
    struct canonical_hash *sums;
};
struct own_counts {
    uint64_t made; /* modulo 2^64: some are taken off again */
    uint64_t rejected;
};

struct task_sums {
    struct verify *verify;
    struct own_buckets *buckets; /* a table each; without memory until something is added */
    struct own_buckets *spare;   /* all zero */
    uint32_t spare_count;
    uint32_t capacity;                                   /* buckets, of each of them */
    struct canonical_hash parts[VERIFY_RANGE_PARTS_MAX]; /* of the task's range */
    struct verify_column_sum *columns[2]; /* as verify->columns; NULL: none are summed */
    struct own_counts *entities;          /* an entity each */
    uint64_t target_rows;                 /* of the task's table */
    uint64_t unreadable;
    struct buffer named; /* of these, as unreadable.h has them */
    uint64_t named_count;
    bool named_full;
    uint64_t rows;
    struct arena *arena;
};

/* `columns`: they are summed as well. */
void task_sums_init(struct task_sums *sums, struct verify *verify, bool columns);
void task_sums_free(struct task_sums *sums);
/* All of it goes to the validation; nothing is left of it. With verify->sums_mutex held. */
enum status task_sums_give(struct task_sums *sums, const struct verify_task *task,
                           struct error *error) MUST_USE;

/* Makes room for the table's buckets and returns their sums. */
struct canonical_hash *task_sums_open(struct task_sums *sums, const struct verify_table *table);
static inline void task_sums_add(struct task_sums *sums, const struct verify_table *table,
                                 uint32_t bucket, const struct canonical_hash *hash)
{
    struct own_buckets *own = &sums->buckets[table->number];
    struct canonical_hash *buckets = own->sums != NULL ? own->sums : task_sums_open(sums, table);
    own->touched[bucket >> 12] |= UINT64_C(1) << (bucket >> 6 & 63);
    buckets[bucket].low += hash->low;
    buckets[bucket].high += hash->high;
}

#endif
