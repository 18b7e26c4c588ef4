/*
 * The scorecard of a design: figures by which two designs compare, all of them computed. Shares
 * and means are weighted by how often a statement runs; a statement that is asked in several parts
 * counts once, with the requests of all of them.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_SCORE_H
#define TRANSHUME_DESIGN_WORKLOAD_SCORE_H

#include "design/workload/search.h"

struct score {
    double coverage;    /* share of queries that one request by key answers: without a scan, a
                           filter, a client's join or sort; what is unserved counts as not covered */
    double requests;    /* a query */
    double efficiency;  /* rows returned of rows read; at most 1 */
    uint32_t unbounded; /* families with a partition beyond the bounds, buckets counted */
    double partition_rows_max;
    double skew;          /* largest partition over the mean, of the worst family */
    double duplication;   /* bytes stored of bytes in the source */
    double amplification; /* rows written and deleted a write */
    double reads_a_write; /* requests that a write needs first */
    double cost;          /* of the model, for one unit of weight that is served */
    uint32_t queries;
    uint32_t writes;
    uint32_t unserved;
};

void score_find(const struct search *search, const bool *chosen, struct score *score);

#endif
