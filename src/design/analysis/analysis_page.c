/* The pieces of a report. */
#include "design/analysis/analysis_page.h"

#include "observe/report_parts.h"

static void analysis_page_append(struct analysis_page *page, const char *text)
{
    if (page->is_html) {
        report_html(page->out, text);
    } else {
        report_markdown(page->out, text);
    }
}

/* Text that only one of the two forms has. */
static void append_html(struct analysis_page *page, const char *text)
{
    buffer_append_string(page->out, page->is_html ? text : "");
}

static void append_markdown(struct analysis_page *page, const char *text)
{
    buffer_append_string(page->out, page->is_html ? "" : text);
}

void analysis_page_section(struct analysis_page *page, const char *id, const char *title)
{
    if (page->is_html) {
        buffer_format(page->out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id,
                      id, title);
    } else {
        buffer_format(page->out, "\n## %s\n", title);
    }
}

void analysis_page_end_section(struct analysis_page *page)
{
    append_html(page, "</section>\n");
}

void analysis_page_paragraph(struct analysis_page *page, const char *text)
{
    buffer_append_string(page->out, page->is_html ? "<p>" : "\n");
    analysis_page_append(page, text);
    buffer_append_string(page->out, page->is_html ? "</p>\n" : "\n");
}

void analysis_page_figures(struct analysis_page *page, const struct analysis_figure *figures,
                           uint32_t count)
{
    buffer_append_string(page->out, page->is_html ? "<dl class=\"tiles\">\n"
                                                  : "\n| figure | value | |\n|---|---|---|\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(page->out,
                      page->is_html ? "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n"
                                    : "| %s | %s | %s |\n",
                      figures[i].name, figures[i].value, figures[i].explanation);
    }
    append_html(page, "</dl>\n");
}

/* ---------------------------------------------------------------- lists */

void analysis_page_part(struct analysis_page *page, const char *name, const char *key)
{
    buffer_append_string(page->out, page->is_html ? "<h3>" : "\n### ");
    analysis_page_append(page, name);
    buffer_append_string(page->out, page->is_html ? " <code>" : "\n\nKey: ");
    analysis_page_append(page, key);
    buffer_append_string(page->out, page->is_html ? "</code></h3>\n<ul>\n" : "\n\n");
}

void analysis_page_item(struct analysis_page *page, const char *sentence)
{
    buffer_append_string(page->out, page->is_html ? "<li>" : "- ");
    analysis_page_append(page, sentence);
    buffer_append_string(page->out, page->is_html ? "</li>\n" : "\n");
}

void analysis_page_end_part(struct analysis_page *page)
{
    append_html(page, "</ul>\n");
}

void analysis_page_list(struct analysis_page *page)
{
    buffer_append_string(page->out, page->is_html ? "<ul>\n" : "\n");
}

void analysis_page_end_list(struct analysis_page *page)
{
    append_html(page, "</ul>\n");
}

/* ---------------------------------------------------------------- queries */

void analysis_page_query(struct analysis_page *page, const char *name, const char *note,
                         const char *language, const char *code)
{
    buffer_append_string(page->out, page->is_html ? "<details><summary>" : "\n");
    analysis_page_append(page, name);
    buffer_append_string(page->out, page->is_html ? "</summary>\n<p class=\"quiet\">" : "\n\n");
    analysis_page_append(page, note);
    buffer_append_string(page->out, page->is_html ? "</p>\n" : "\n\n");
    if (page->is_html) {
        buffer_append_string(page->out, "<pre>");
        report_html(page->out, code);
        buffer_append_string(page->out, "</pre>\n</details>\n");
    } else {
        report_markdown_block(page->out, language, code);
    }
}

/* ---------------------------------------------------------------- tables */

void analysis_page_table(struct analysis_page *page, const char *const *heads, uint32_t count,
                         uint32_t texts)
{
    append_html(page, "<div class=\"wide\"><table><thead><tr>");
    append_markdown(page, "\n|");
    for (uint32_t i = 0; i < count; i++) {
        append_html(page, i > 0 && i < texts ? "<th class=\"text\">" : "<th>");
        append_markdown(page, " ");
        analysis_page_append(page, heads[i]);
        buffer_append_string(page->out, page->is_html ? "</th>" : " |");
    }
    append_html(page, "</tr></thead><tbody>\n");
    append_markdown(page, "\n|");
    for (uint32_t i = 0; i < count; i++) {
        append_markdown(page, "---|");
    }
    append_markdown(page, "\n");
}

void analysis_page_row(struct analysis_page *page, const char *const *cells, uint32_t count,
                       uint32_t texts)
{
    buffer_append_string(page->out, page->is_html ? "<tr>" : "|");
    for (uint32_t i = 0; i < count; i++) {
        append_html(page, i == 0 ? "<th>" : i < texts ? "<td class=\"text\">" : "<td>");
        append_markdown(page, " ");
        analysis_page_append(page, cells[i]);
        buffer_append_string(page->out, !page->is_html ? " |" : i == 0 ? "</th>" : "</td>");
    }
    buffer_append_string(page->out, page->is_html ? "</tr>\n" : "\n");
}

void analysis_page_end_table(struct analysis_page *page)
{
    append_html(page, "</tbody></table></div>\n");
}
