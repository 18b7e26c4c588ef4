/* `check --rights-for` prints the statements side by side and use by use. */
#include "cli/check_rights.h"

#include "connectors/contract/rights.h"

static const char *const uses[RIGHTS_USE_COUNT] = {[RIGHTS_COPY] = "copy",
                                                   [RIGHTS_ROLLBACK] = "rollback",
                                                   [RIGHTS_FOLLOW] = "follow",
                                                   [RIGHTS_CUT_OVER] = "cut-over"};
static const char *const titles[RIGHTS_USE_COUNT] = {[RIGHTS_COPY] = "to copy, resume and validate",
                                                     [RIGHTS_ROLLBACK] = "to roll back",
                                                     [RIGHTS_FOLLOW] = "to follow",
                                                     [RIGHTS_CUT_OVER] = "to cut over"};

static void append_side(const char *side, bool told, const struct rights_statement *statements,
                        uint32_t count, struct buffer *out)
{
    if (!told) {
        buffer_format(out, "\nrights in the %s: docs/security.md lists them\n", side);
    } else if (count == 0) {
        buffer_format(out, "\nrights in the %s: the account needs none\n", side);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || statements[i].use != statements[i - 1].use) {
            buffer_format(out, "\nrights in the %s %s\n", side, titles[statements[i].use]);
        }
        cli_append_whole(statements[i].text, 0, out);
    }
}

void cli_append_rights(const struct check_rights *rights, struct buffer *out)
{
    if (rights->asked) {
        append_side("source", rights->source_told, rights->source, rights->source_count, out);
        append_side("target", rights->target_told, rights->target, rights->target_count, out);
    }
}

static void append_json_side(const char *side, bool told, const struct rights_statement *statements,
                             uint32_t count, struct buffer *out)
{
    buffer_format(out, "%s\"%s\":%s", buffer_last(out) == '{' ? "" : ",", side,
                  told ? "[" : "null");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "%s{\"for\":\"%s\",\"text\":", i > 0 ? "," : "",
                      uses[statements[i].use]);
        cli_append_json_text(out, statements[i].text);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, told ? "]" : "");
}

void cli_append_rights_json(const struct check_rights *rights, struct buffer *out)
{
    if (!rights->asked) {
        return;
    }
    buffer_append_string(out, ",\"rights_for\":{");
    append_json_side("source", rights->source_told, rights->source, rights->source_count, out);
    append_json_side("target", rights->target_told, rights->target, rights->target_count, out);
    buffer_append_byte(out, '}');
}
