/* The section that the path by names adds to the report. */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_NAMES_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_NAMES_H

#include "design/analysis/analysis.h"

/* A section with the picture and the foreign keys that may be missing; nothing where none is. */
void analysis_append_names_html(const struct analysis *analysis,
                                const struct analysis_options *options, struct buffer *out);
void analysis_append_names_markdown(const struct analysis *analysis,
                                    const struct analysis_options *options, struct buffer *out);

#endif
