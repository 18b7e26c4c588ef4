/* Findings as SARIF 2.1.0: one run of one tool, with the rules that have findings. */
#include "evolve/lint/form_internal.h"
#include "model/json_writer.h"
#include <string.h>

static void write_rules(const struct lint_report *report, struct buffer *out)
{
    uint32_t count;
    const struct lint_rule *rules = lint_rules(&count);
    bool written = false;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < report->count && !found; k++) {
            found = report->findings[k].rule == &rules[i];
        }
        if (!found) {
            continue;
        }
        buffer_append_string(out, written ? ",\n        {" : "\n        {");
        lint_append_member(out, "id", rules[i].id);
        buffer_append_string(out, ", \"shortDescription\": {");
        lint_append_member(out, "text", rules[i].message);
        buffer_append_byte(out, '}');
        if (rules[i].help != NULL) {
            buffer_append_string(out, ", \"help\": {");
            lint_append_member(out, "text", rules[i].help);
            buffer_append_byte(out, '}');
        }
        buffer_append_string(out, ", \"defaultConfiguration\": {");
        lint_append_member(out, "level", lint_level_name(rules[i].level));
        buffer_append_string(out, "}}");
        written = true;
    }
}

/* A file's name as a URI reference: bytes that such may not have are escaped. */
static void append_uri(struct buffer *out, const char *file)
{
    struct buffer uri = {0};
    for (; *file != '\0'; file++) {
        unsigned char byte = (unsigned char)*file;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-._~/", byte) != NULL;
        if (plain) {
            buffer_append_byte(&uri, *file);
        } else {
            buffer_format(&uri, "%%%02X", byte);
        }
    }
    json_append_string(out, buffer_string(&uri), uri.length);
    buffer_free(&uri);
}

static void write_result(const struct lint_finding *finding, struct buffer *out)
{
    lint_append_member(out, "ruleId", finding->rule->id);
    buffer_append_string(out, ", ");
    lint_append_member(out, "level", lint_level_name(finding->level));
    buffer_append_string(out, ", \"message\": {");
    lint_append_member(out, "text", finding->message);
    buffer_append_string(out, "}, \"locations\": [{\"physicalLocation\": {\"artifactLocation\": "
                              "{\"uri\": ");
    append_uri(out, finding->file);
    buffer_format(out,
                  "}, \"region\": {\"startLine\": %u, \"startColumn\": %u, \"endLine\": %u, "
                  "\"endColumn\": %u}}}]",
                  finding->place.line, finding->place.column, finding->end.line,
                  finding->end.column);
}

void lint_write_sarif(const struct lint_report *report, struct buffer *out)
{
    buffer_append_string(out,
                         "{\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                         "  \"version\": \"2.1.0\",\n  \"runs\": [{\n    \"tool\": {\"driver\": {");
    lint_append_member(out, "name", "transhume");
    buffer_append_string(out, ", ");
    lint_append_member(out, "version", TRANSHUME_VERSION);
    buffer_append_string(out, ", \"rules\": [");
    write_rules(report, out);
    buffer_append_string(out,
                         "]}},\n    \"columnKind\": \"unicodeCodePoints\",\n    \"results\": [");
    for (uint32_t i = 0; i < report->count; i++) {
        buffer_append_string(out, i > 0 ? ",\n      {" : "\n      {");
        write_result(&report->findings[i], out);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]\n  }]\n}\n");
}
