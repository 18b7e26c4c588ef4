/* How sure a foreign key is that no schema declares. */
#include "design/graph/graph_evidence.h"

#include <math.h>

static const double chance_min = 0.1; /* of what a name is for */
static const double unnamed_max = 0.9;
enum { SHORT_BYTES = 3, PRIOR = 5, ENDS = 4 };

static double chance_of_ends(const struct graph_evidence *evidence)
{
    return evidence->ends_match && !evidence->numbers_rows ? ENDS / (evidence->distinct + 1) : 1;
}

static double chance_of_numbers(const struct graph_evidence *evidence)
{
    double other = (evidence->others_found + 1.0) / (evidence->others + 1.0);
    double by_values = pow(other, evidence->found);
    double by_ends = chance_of_ends(evidence);
    return by_values < by_ends ? by_values : by_ends;
}

double graph_evidence_chance(const struct graph_evidence *evidence)
{
    switch (evidence->kind) {
    case VALUE_INT64:
        return fmin(chance_of_numbers(evidence), 1);
    case VALUE_UUID:
        return pow(1e-3, evidence->found);
    default:
        return pow(evidence->bytes < SHORT_BYTES ? 0.75 : 0.5, evidence->found);
    }
}

static double of_unnamed(const struct graph_evidence *evidence, double chance)
{
    double confidence = 1 - PRIOR * chance * evidence->rivals;
    return evidence->values < GRAPH_VALUES_MIN ? 0 : fmin(fmax(confidence, 0), unnamed_max);
}

double graph_evidence_confidence(const struct graph_evidence *evidence)
{
    double chance = graph_evidence_chance(evidence);
    double share = evidence->values > 0 ? (double)evidence->found / evidence->values : 0;
    double all = evidence->named > 0 ? 1 - (1 - evidence->named) * fmax(chance, chance_min)
                                     : of_unnamed(evidence, chance);
    return all * share;
}

bool graph_evidence_ends_could_tell(const struct graph_evidence *evidence)
{
    struct graph_evidence best = *evidence;
    best.ends_match = true;
    return of_unnamed(&best, chance_of_ends(&best)) >= GRAPH_CONFIDENCE_MIN;
}
