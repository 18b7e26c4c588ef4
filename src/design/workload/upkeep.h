/*
 * The cost of a write for a family: the rows that are written, and what must be read first to know
 * them (the key of rows that hold a copy, the other fields of a row whose key changes).
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_UPKEEP_H
#define TRANSHUME_DESIGN_WORKLOAD_UPKEEP_H

#include "design/workload/family.h"

enum { UPKEEP_READS_MAX = 8 };

struct upkeep {
    double written; /* rows, for one execution of the statement */
    double removed;
    struct query_part reads[UPKEEP_READS_MAX];
    uint32_t read_count;
};

/* The upkeep for an INSERT, UPDATE or DELETE: all zero if it does not touch the family. */
void upkeep_find(struct places *places, const struct cost_model *model,
                 const struct workload_statement *statement, const struct family *family,
                 struct upkeep *upkeep);

#endif
