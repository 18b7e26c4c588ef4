/* Why a table of the design is as it is, in sentences; what the page and the Markdown share. */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_REASONS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_REASONS_H

#include "design/analysis/analysis.h"
#include "design/analysis/analysis_page.h"

/* Each reason is an item of the page. */
void analysis_reasons(const struct analysis *analysis, const struct layout_table *table,
                      struct analysis_page *page);

/* "((AlbumId), TrackId desc)" */
void analysis_append_key(const struct layout_table *table, struct buffer *out);

enum { ANALYSIS_FIGURES = 12 };
/* The scorecard as texts, in the analysis' arena. */
void analysis_figures(const struct analysis *analysis,
                      struct analysis_figure figures[ANALYSIS_FIGURES]);

#endif
