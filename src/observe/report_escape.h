/* Foreign text made harmless in each form of a report. */
#ifndef TRANSHUME_OBSERVE_REPORT_ESCAPE_H
#define TRANSHUME_OBSERVE_REPORT_ESCAPE_H

#include "base/buffer.h"

/*
 * All take any bytes up to the NUL (NULL: nothing). What is no character, controls but newline and
 * tab, and marks that turn the writing direction become U+FFFD.
 */

/* As text or attribute of HTML and of SVG in it: & < > " ' become references. */
void report_html(struct buffer *out, const char *text);
/* As running text or a cell of Markdown, not at the beginning of a line: what means something there
 * is escaped, line breaks become blanks. */
void report_markdown(struct buffer *out, const char *text);
/* As a block of code, with fences longer than any in it. */
void report_markdown_block(struct buffer *out, const char *language, const char *text);
/* As a JSON string with quotes; < > & are written \u003c …, so that it may stand in a page too. */
void report_json(struct buffer *out, const char *text);

#endif
