/*
 * The designer: a library of its own, which proposes a target for a schema and a workload. It
 * reads, and writes the files of an analysis; it changes no database. Whoever uses it includes this
 * header and none of the rooms' own, and links libtranshume_design.a before libtranshume.a. The
 * program is built without it by `make WITHOUT=design`.
 *
 * In the order of use:
 *
 *   input/     a schema from a file of DDL or of names (input_source_read), the workload from files
 *              of SQL, query logs or the server's own counts (input_workload_read)
 *   graph/     tables and their relations, with figures from the data (figures_read, graph_…)
 *   names/     the meaning of names: tables that say the same (names_group), foreign keys that may
 *              be missing (names_propose_relations), the picture of both
 *   advisor/   candidates of a language model, checked before they count (advisor_consult)
 *   analysis/  the search for the design, its figures, and the files that say it
 *              (analysis_start, analysis_run, analysis_write)
 *   prove/     the design's queries beside the source's, on real servers (prove_run)
 *   generate/  rows for a schema that has none (generate_source)
 *
 * All that a call makes lives in the arena that it is given. Errors are values (base/error.h).
 */
#ifndef TRANSHUME_DESIGN_DESIGN_H
#define TRANSHUME_DESIGN_DESIGN_H

#include "design/advisor/advisor.h"
#include "design/analysis/analysis.h"
#include "design/generate/generate.h"
#include "design/graph/figures.h"
#include "design/graph/graph.h"
#include "design/input/source.h"
#include "design/names/names.h"
#include "design/prove/prove.h"

#endif
