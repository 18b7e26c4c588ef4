/* The picture of names, and foreign keys that may be missing. */
#include "design/analysis/analysis_names.h"

#include "model/json_writer.h"
#include "observe/report_parts.h"

static const char intro[] = "The source does not declare these foreign keys. Names alone speak for "
                            "them, so the design does without; declare them if they are right:";

/* "orders.client_ref → customers.id (similar names, 38 % sure)" */
static void append_relation(const struct graph *graph, const struct graph_relation *relation,
                            struct buffer *out)
{
    const struct graph_entity *from = &graph->entities[relation->from];
    const struct graph_entity *to = &graph->entities[relation->to];
    buffer_format(out, "%s.%s → %s.%s (%s, %.0f %% sure)", from->name,
                  from->fields[relation->fields.at[0]].name, to->name,
                  to->fields[relation->referenced.at[0]].name, graph_origin_name(relation->origin),
                  relation->confidence * 100);
}

static void append_picture(const struct analysis_picture *picture, struct buffer *out)
{
    buffer_append_string(out, "<figure>\n<div class=\"wide\"><img class=\"names\" alt=\"");
    report_html(out, picture->shows);
    buffer_append_string(out, "\" src=\"data:image/png;base64,");
    json_append_base64_part(out, picture->png, picture->length);
    buffer_append_string(out, "\"></div>\n<figcaption>");
    report_html(out, picture->caption);
    buffer_append_string(out, "</figcaption>\n</figure>\n");
}

void analysis_append_names_html(const struct analysis *analysis,
                                const struct analysis_options *options, struct buffer *out)
{
    if (options->picture == NULL && options->similar_count == 0) {
        return;
    }
    buffer_append_string(
        out, "<section aria-labelledby=\"names\">\n<h2 id=\"names\">Names of the columns</h2>\n");
    if (options->picture != NULL) {
        append_picture(options->picture, out);
    }
    for (uint32_t i = 0; i < options->similar_count; i++) {
        struct buffer text = {0};
        append_relation(&analysis->graph, &options->similar[i], &text);
        if (i == 0) {
            buffer_format(out, "<p>%s</p>\n<ul>\n", intro);
        }
        buffer_append_string(out, "<li>");
        report_html(out, buffer_string(&text));
        buffer_append_string(out, "</li>\n");
        buffer_free(&text);
    }
    buffer_append_string(out, options->similar_count > 0 ? "</ul>\n</section>\n" : "</section>\n");
}

void analysis_append_names_markdown(const struct analysis *analysis,
                                    const struct analysis_options *options, struct buffer *out)
{
    if (options->picture == NULL && options->similar_count == 0) {
        return;
    }
    buffer_append_string(out, "\n## Names of the columns\n");
    if (options->picture != NULL) {
        buffer_append_string(out, "\n![");
        report_markdown(out, options->picture->shows);
        buffer_append_string(out, "](cassandra_migration_visualization.png)\n\n");
        report_markdown(out, options->picture->caption);
        buffer_append_byte(out, '\n');
    }
    for (uint32_t i = 0; i < options->similar_count; i++) {
        struct buffer text = {0};
        append_relation(&analysis->graph, &options->similar[i], &text);
        if (i == 0) {
            buffer_format(out, "\n%s\n\n", intro);
        }
        buffer_append_string(out, "- ");
        report_markdown(out, buffer_string(&text));
        buffer_append_byte(out, '\n');
        buffer_free(&text);
    }
}
