/* Why a table of the design is as it is, in sentences; what the page and the Markdown share. */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_REASONS_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_REASONS_H

#include "design/analysis/analysis.h"

/* Calls `tell` for each reason, plain text. */
void analysis_reasons(const struct analysis *analysis, const struct layout_table *table,
                      void (*tell)(const char *sentence, struct buffer *out), struct buffer *out);

/* "((AlbumId), TrackId desc)" */
void analysis_append_key(const struct layout_table *table, struct buffer *out);

struct analysis_figure {
    const char *name;
    const char *value;
    const char *explanation;
};
enum { ANALYSIS_FIGURES = 12 };
/* The scorecard as texts, in the analysis' arena. */
void analysis_figures(const struct analysis *analysis,
                      struct analysis_figure figures[ANALYSIS_FIGURES]);

#endif
