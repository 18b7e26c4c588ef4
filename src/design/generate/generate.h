/*
 * Rows for a schema that has none: a SQLite database with its tables, and in each a few hundred
 * rows whose keys are unique and whose foreign keys refer to rows that are there. Of columns that
 * are no keys few values differ, so that conditions find several rows. The same schema gives the
 * same rows.
 */
#ifndef TRANSHUME_DESIGN_GENERATE_GENERATE_H
#define TRANSHUME_DESIGN_GENERATE_GENERATE_H

#include "base/error.h"
#include "design/graph/graph.h"

enum { GENERATE_ROWS = 60, GENERATE_ROWS_OF_CHILDREN = 300 };

/* Makes the file anew. */
enum status generate_source(const struct graph *graph, const char *path,
                            struct error *error) MUST_USE;

#endif
