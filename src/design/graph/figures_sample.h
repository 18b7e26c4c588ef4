/*
 * A sample of the different values of one column: those with the least hashes, so that each value
 * has the same chance, every read picks the same, and the samples of two columns can be compared.
 * Only of values that keys have: whole numbers, short texts and bytes, UUIDs, all of one kind.
 */
#ifndef TRANSHUME_DESIGN_GRAPH_FIGURES_SAMPLE_H
#define TRANSHUME_DESIGN_GRAPH_FIGURES_SAMPLE_H

#include "base/arena.h"
#include "model/value.h"

enum { FIGURES_SAMPLE_MAX = 100, FIGURES_SAMPLE_BYTES_MAX = 64 };

struct figures_sample {
    const struct cell *cells; /* INT64, TEXT, BYTES or UUID */
    const uint64_t *hashes;   /* one each, ascending */
    uint32_t count;
    uint32_t distinct; /* different values that were read; the sample is of these */
    int64_t least;     /* INT64: of all that were read */
    int64_t greatest;
    uint64_t step;  /* INT64: the greatest that divides all their differences; at least 1 */
    uint32_t bytes; /* TEXT, BYTES: mean size of a value of the sample */
};

struct figures_pick {
    uint64_t hash;
    struct cell cell; /* owns its bytes */
};

/* Zeroed, it is empty. */
struct figures_picks {
    struct figures_pick *heap; /* the greatest hash first */
    uint32_t count;
    uint32_t distinct;
    bool refused; /* some value is of no kind that keys have, or of another than the others */
    enum value_kind kind;
    int64_t first;
    int64_t least;
    int64_t greatest;
    uint64_t step;
};

/* A value that was not added before; no null. An empty text refers to nothing and is left out. */
void figures_picks_add(struct figures_picks *picks, uint64_t hash, const struct cell *cell);
/* In `arena`; NULL: there is none. */
const struct figures_sample *figures_picks_sample(struct figures_picks *picks, struct arena *arena);
void figures_picks_free(struct figures_picks *picks);

#endif
