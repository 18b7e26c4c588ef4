/* Declarations that the files of the duplicates share. */
#ifndef TRANSHUME_DESIGN_DUPLICATES_DUPLICATES_PARTS_H
#define TRANSHUME_DESIGN_DUPLICATES_DUPLICATES_PARTS_H

#include "design/duplicates/duplicates.h"

/* The table that is the entity itself; NULL: none is whole. */
const struct layout_table *duplicates_home(const struct layout *layout, uint32_t entity);

#endif
