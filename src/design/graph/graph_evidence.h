/*
 * How sure a foreign key is that no schema declares: what its name says, and what was found when
 * some of its values were looked up in the key that it may refer to.
 *
 *   chance      that values which have nothing to do with the key are all in it:
 *     numbers   q to the power of the values found, where q is the share of *other* numbers between
 *               them that are in the key as well, (found + 1) / (others + 1): in 1, 2, 3 …
 *               everything is. There only the ends count: 4 / (different values + 1) if the key
 * ends where the values do, at both ends; else 1 texts     1/2 a value, 3/4 where they have fewer
 * than three bytes UUIDs     1/1000 a value confidence  without a name 1 - 5 × chance × keys of
 * that type, 0.9 at most; with one 1 - (1 - the name's) × chance, the chance being 0.1 at least;
 * each times the share of the values that were found
 */
#ifndef TRANSHUME_DESIGN_GRAPH_GRAPH_EVIDENCE_H
#define TRANSHUME_DESIGN_GRAPH_GRAPH_EVIDENCE_H

#include "model/value.h"

/* Below it no foreign key is believed whose values were looked up. */
#define GRAPH_CONFIDENCE_MIN 0.5

enum {
    GRAPH_VALUES_MIN = 5,  /* different values, without a name */
    GRAPH_REFUTING_MIN = 3 /* different values that a name's guess can be refuted by */
};

struct graph_evidence {
    double named;         /* the confidence that the names give: 0 if they give none */
    enum value_kind kind; /* INT64, TEXT, BYTES, UUID */
    uint32_t bytes;       /* TEXT, BYTES: mean size of a value */
    uint32_t values;      /* different values that were looked up */
    uint32_t found;       /* of these */
    uint32_t others;      /* INT64: numbers beside the values that were looked up */
    uint32_t others_found;
    bool ends_match;   /* INT64: hardly a number a little beyond the ends is in the key */
    bool numbers_rows; /* INT64: its values are all different and leave hardly any out, so that it
                          numbers its rows */
    double distinct;   /* different values of the column that were read */
    uint32_t rivals;   /* keys of that type in the schema */
};

double graph_evidence_chance(const struct graph_evidence *evidence);
/* From 0 to 1. */
double graph_evidence_confidence(const struct graph_evidence *evidence);
/* The chance that is left if all else goes well: is it worth asking the source? */
bool graph_evidence_ends_could_tell(const struct graph_evidence *evidence);

#endif
