/* The pieces of a report, as HTML or as Markdown. All texts are plain and are escaped here. */
#ifndef TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_PAGE_H
#define TRANSHUME_DESIGN_ANALYSIS_ANALYSIS_PAGE_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

struct analysis_page {
    struct buffer *out;
    bool is_html;
};

struct analysis_figure {
    const char *name;
    const char *value;
    const char *explanation;
};

/* `id` is a name within the page; a section ends before the next one begins. */
void analysis_page_section(struct analysis_page *page, const char *id, const char *title);
void analysis_page_end_section(struct analysis_page *page);
void analysis_page_paragraph(struct analysis_page *page, const char *text);
void analysis_page_figures(struct analysis_page *page, const struct analysis_figure *figures,
                           uint32_t count);

/* A table of the design, with its key and a list of sentences. */
void analysis_page_part(struct analysis_page *page, const char *name, const char *key);
void analysis_page_item(struct analysis_page *page, const char *sentence);
void analysis_page_end_part(struct analysis_page *page);
/* A list of sentences without a title. */
void analysis_page_list(struct analysis_page *page);
void analysis_page_end_list(struct analysis_page *page);

/* A query, and how it is answered: `code` in `language`. */
void analysis_page_query(struct analysis_page *page, const char *name, const char *note,
                         const char *language, const char *code);

/* Rows of as many texts as there are heads; the first `texts` columns are no numbers. A text of a
 * row may be NULL. */
void analysis_page_table(struct analysis_page *page, const char *const *heads, uint32_t count,
                         uint32_t texts);
void analysis_page_row(struct analysis_page *page, const char *const *cells, uint32_t count,
                       uint32_t texts);
void analysis_page_end_table(struct analysis_page *page);

#endif
