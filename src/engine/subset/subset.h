/*
 * --sample-rows N: a part of the source, with all that its records refer to.
 *
 * Of each table that the plan reads, N rows are chosen: those with the lowest hashes of their keys,
 * by --sample-seed. Of a table with foreign keys to others of the plan, first of the rows whose
 * partners are all chosen, then of those with one that is. After that the partners of all chosen
 * rows are chosen, and theirs, until none is missing, in circles and within a table, too. So a
 * table has N rows and those that others need, and each foreign key of the target finds its partner
 * if it did in the source. Rows without a key, rows of a query and documents are told apart by all
 * that is read of them, and have no partners; nothing can refer to rows without a key. Lists that a
 * record embeds come with it, whole.
 *
 * The keys of all rows and what they refer to are read once into a private SQLite file in the spill
 * folder, and the chosen ones end up as sorted hashes in a file of each table, which is mapped into
 * memory: a row's look-up takes no lock, and the bound on memory is that of SQLite's cache. Equal
 * source, seed and N: equal rows. Made once an attempt, after the source's snapshot; a resume makes
 * it again.
 */
#ifndef TRANSHUME_ENGINE_SUBSET_H
#define TRANSHUME_ENGINE_SUBSET_H

#include "connectors/contract/connector.h"
#include "plan/plan.h"

struct subset;         /* of a session; subset_keeps: any thread, all else: control thread */
struct subset_scratch; /* one thread's */

struct subset_options {
    struct database *source;
    const struct schema *schema;
    const struct plan *plan;
    const char *spill_folder; /* NULL: none could be made */
    uint64_t memory_bytes;
    uint64_t rows; /* N */
    uint64_t seed;
};

/* Counts of the rows that were chosen of a stream's table. */
struct subset_count {
    uint64_t rows;     /* that there are */
    uint64_t chosen;   /* of these, at first */
    uint64_t partners; /* and besides, since others refer to them */
};

struct subset *subset_create(const struct subset_options *options);
/* NULL is fine. The files are removed. */
void subset_destroy(struct subset *subset);
bool subset_is_prepared(const struct subset *subset);
/* Reads with this reader, and chooses. `progress` (may be NULL) gets a word on it.
 * ERROR_INTERRUPTED: a stop was asked for. */
enum status subset_prepare(struct subset *subset, struct reader *reader,
                           void (*progress)(const char *what), struct error *error) MUST_USE;
/* After subset_prepare. */
struct subset_count subset_count_of(const struct subset *subset, uint32_t stream);

struct subset_scratch *subset_scratch_create(void);
void subset_scratch_destroy(struct subset_scratch *scratch); /* NULL is fine */
/* Sets whether a row, as the stream's request brings it, was chosen. */
enum status subset_keeps(const struct subset *subset, uint32_t stream, const struct cell *row,
                         struct subset_scratch *scratch, bool *keeps, struct error *error) MUST_USE;
/* Takes the other rows out of a batch of the stream's request. */
enum status subset_filter(const struct subset *subset, uint32_t stream, struct batch *batch,
                          struct subset_scratch *scratch, struct error *error) MUST_USE;

#endif
