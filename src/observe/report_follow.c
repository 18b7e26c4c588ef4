/* The changes that were followed, for the report; nothing for runs that follow nothing. */
#include "observe/follow_words.h"
#include "observe/report_parts.h"

static const json_t *follow_of(const struct report *report)
{
    return json_object_get(report->state, "follow");
}

static void add_fact(void *context, const char *label, const char *text)
{
    struct buffer *out = context;
    buffer_format(out, "<div><dt>%s</dt><dd>", label);
    report_html(out, text);
    buffer_append_string(out, "</dd></div>\n");
}

void report_append_follow(const struct report *report, struct buffer *out)
{
    const char *name;
    json_t *entity;
    const json_t *follow = follow_of(report);
    if (follow == NULL) {
        return;
    }
    buffer_append_string(out, "<section aria-labelledby=\"followed\">\n<h2 id=\"followed\">What "
                              "was followed</h2>\n<dl class=\"promises\">\n");
    follow_words_each(follow, add_fact, out);
    buffer_append_string(out,
                         "</dl>\n<div class=\"wide\"><table class=\"entities\">\n<thead><tr><th "
                         "scope=\"col\">Entity<th scope=\"col\">Inserts<th "
                         "scope=\"col\">Updates<th scope=\"col\">Deletes<th "
                         "scope=\"col\">Truncates\n</thead>\n<tbody>\n");
    json_object_foreach(json_object_get(follow, "operations"), name, entity)
    {
        uint64_t counts[FOLLOW_OPERATIONS];
        follow_words_operations(entity, counts);
        buffer_append_string(out, "<tr><th scope=\"row\">");
        report_html(out, name);
        for (int i = 0; i < FOLLOW_OPERATIONS; i++) {
            buffer_append_string(out, counts[i] == 0 ? "<td class=\"nil\">" : "<td>");
            report_append_count(out, counts[i]);
        }
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(out, "</tbody></table></div>\n</section>\n");
}

static void add_item(void *context, const char *label, const char *text)
{
    struct buffer *out = context;
    buffer_format(out, "- %s: ", label);
    report_markdown(out, text);
    buffer_append_byte(out, '\n');
}

void report_append_follow_markdown(const struct report *report, struct buffer *out)
{
    const char *name;
    json_t *entity;
    const json_t *follow = follow_of(report);
    if (follow == NULL) {
        return;
    }
    buffer_append_string(out, "## What was followed\n\n");
    follow_words_each(follow, add_item, out);
    buffer_append_string(out, "\n| entity | inserts | updates | deletes | truncates "
                              "|\n|---|--:|--:|--:|--:|\n");
    json_object_foreach(json_object_get(follow, "operations"), name, entity)
    {
        uint64_t counts[FOLLOW_OPERATIONS];
        follow_words_operations(entity, counts);
        buffer_append_string(out, "| ");
        report_markdown(out, name);
        for (int i = 0; i < FOLLOW_OPERATIONS; i++) {
            buffer_append_string(out, " | ");
            report_append_count(out, counts[i]);
        }
        buffer_append_string(out, " |\n");
    }
    buffer_append_byte(out, '\n');
}
