/* Declarations that the files of the search share. */
#ifndef TRANSHUME_DESIGN_WORKLOAD_SEARCH_PARTS_H
#define TRANSHUME_DESIGN_WORKLOAD_SEARCH_PARTS_H

#include "design/workload/search.h"

/* Branch and bound from the result of the local search, which it makes better where it can. Exact,
 * unless SEARCH_EXACT_STEPS do not suffice. */
void search_exact(const struct search *search, struct search_result *result);

#endif
