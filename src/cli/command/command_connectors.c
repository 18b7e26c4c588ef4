/* transhume connectors: which databases there are, and what each can do. */
#include "cli/cli.h"

#include "base/text.h"
#include "connectors/common/registry.h"
#include "observe/table.h"
#include <string.h>
#include <unistd.h>

struct capability_name {
    uint32_t bit;
    const char *name;
    const char *meaning;
};

static const struct capability_name capabilities[] = {
    {CAPABILITY_TRANSACTIONS, "transactions", "a chunk and its done mark are one commit"},
    {CAPABILITY_NESTED, "nested", "lists and maps are values"},
    {CAPABILITY_FREE_FIELDS, "free_fields", "records of one table may have different fields"},
    {CAPABILITY_MISSING, "missing", "a missing field differs from a null one"},
    {CAPABILITY_JOINS, "joins", "it joins tables while reading"},
    {CAPABILITY_SNAPSHOT, "snapshot", "all readers see one moment"},
    {CAPABILITY_PROVES_UNCHANGED, "proves_unchanged", "a resume can tell that nothing changed"},
    {CAPABILITY_KEY_REQUIRED, "key_required", "target tables need a key"},
    {CAPABILITY_KEY_ENFORCED, "key_enforced", "a second record under a key is seen at once"},
    {CAPABILITY_ASYNCHRONOUS, "asynchronous", "acknowledgements come later than writes"},
    {CAPABILITY_SQL_SCHEMA, "sql_schema", "columns, types and references are declared"},
    {CAPABILITY_COUNTS_EXACT, "counts_exact", "its counts are exact at once"},
    {CAPABILITY_ORDERED_WRITE, "ordered_write", "one writer; chunks commit in their order"},
    {CAPABILITY_REFERENCES, "references", "foreign keys are checked with each write"},
    {CAPABILITY_STREAMS, "streams", "the path - is standard input and output"},
};
enum { CAPABILITY_COUNT = sizeof(capabilities) / sizeof(capabilities[0]), MEANING_COLUMN = 20 };

static const char *directions(const struct connector *connector)
{
    return connector->source != NULL && connector->target != NULL ? "source, target"
           : connector->source != NULL                            ? "source"
           : connector->target != NULL                            ? "target"
                                                                  : "";
}

static const char *option_type_name(enum option_type type)
{
    static const char *const names[] = {[OPTION_TEXT] = "text",     [OPTION_INTEGER] = "number",
                                        [OPTION_BYTES] = "bytes",   [OPTION_BOOLEAN] = "true|false",
                                        [OPTION_CHOICE] = "choice", [OPTION_CODE] = "text",
                                        [OPTION_KEY] = "text"};
    return names[type];
}

/* The connectors that only another build of the program has. */
static void append_lacking(struct buffer *out)
{
    const char *how = NULL;
    const char *name = registry_lacking(0, &how);
    for (uint32_t i = 0; name != NULL; i++) {
        buffer_format(out, "%snot in this build: %s (%s)\n", i == 0 ? "\n" : "", name, how);
        name = registry_lacking(i + 1, &how);
    }
}

static void append_overview(bool color, struct buffer *out)
{
    static const char *const titles[] = {"connector", "database", "URI", "guarantee", NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < registry_count(); i++) {
        const struct connector *connector = registry_at(i);
        table_add_text(table, connector->name);
        bool both = connector->source != NULL && connector->target != NULL;
        table_format(table, "%s%s%s%s", connector->title, both ? "" : " (as ",
                     both ? "" : directions(connector), both ? "" : ")");
        table_add_text(table, connector->uri_help);
        table_add_text(table,
                       connector->target == NULL ? "" : run_guarantee_name(connector->guarantee));
    }
    table_fit(table, cli_prose_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
    append_lacking(out);
    buffer_append_byte(out, '\n');
    cli_append_wrapped(out, "`transhume connectors NAME` shows one with its options and types.", 0,
                       cli_prose_columns(STDOUT_FILENO));
}

static void append_capabilities(const struct connector *connector, struct buffer *out)
{
    buffer_append_string(out, "\ncapabilities:\n");
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if ((connector->capabilities & capabilities[i].bit) != 0) {
            struct buffer folded = {0};
            cli_append_wrapped(&folded, capabilities[i].meaning, MEANING_COLUMN,
                               cli_prose_columns(STDOUT_FILENO));
            buffer_format(out, "  %-17s %s", capabilities[i].name,
                          buffer_string(&folded) + MEANING_COLUMN);
            buffer_free(&folded);
        }
    }
}

static void append_options(const struct connector *connector, bool color, struct buffer *out)
{
    static const char *const titles[] = {"option", "type", "default", "what it does", NULL};
    if (connector->option_count == 0) {
        return;
    }
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < connector->option_count; i++) {
        const struct connector_option *option = &connector->options[i];
        table_add_text(table, option->name);
        table_format(table, "%s%s%s",
                     option->range != NULL && option->type == OPTION_CHOICE
                         ? ""
                         : option_type_name(option->type),
                     option->range != NULL && option->type != OPTION_CHOICE ? " " : "",
                     option->range == NULL ? "" : option->range);
        table_add_text(table, option->default_text == NULL ? "" : option->default_text);
        table_format(table, "%s%s", option->help, option->secret ? " (secret)" : "");
    }
    buffer_append_string(out, "\noptions, as in URI?name=value:\n\n");
    table_fit(table, cli_prose_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}

static void append_types(const struct connector *connector, bool color, struct buffer *out)
{
    static const char *const titles[] = {"type", "kind", "loss", "reading", "writing", NULL};
    if (connector->type_count == 0) {
        return;
    }
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < connector->type_count; i++) {
        const struct type_mapping *type = &connector->types[i];
        table_add_text(table, type->native);
        table_add_text(table, value_kind_name(type->kind));
        table_add_text(table, type->loss == NULL ? "" : type->loss);
        table_add_text(table, type->reading == NULL ? "" : type->reading);
        table_add_text(table, type->writing == NULL ? "not written" : type->writing);
    }
    buffer_append_string(out, "\ntypes:\n\n");
    table_fit(table, cli_prose_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}

static void append_connector(const struct connector *connector, bool color, struct buffer *out)
{
    buffer_format(out, "%s: %s, as %s\n\nURI        %s", connector->name, connector->title,
                  directions(connector), connector->uri_help);
    for (const char *const *suffix = connector->suffixes; suffix != NULL && *suffix != NULL;
         suffix++) {
        buffer_format(out, "%s*%s", suffix == connector->suffixes ? ", or just " : ", ", *suffix);
    }
    buffer_append_byte(out, '\n');
    if (connector->target != NULL) {
        buffer_format(out, "guarantee  %s\n", run_guarantee_name(connector->guarantee));
    }
    append_capabilities(connector, out);
    append_options(connector, color, out);
    append_types(connector, color, out);
}

static void append_json_member(const char *name, const char *text, struct buffer *out)
{
    buffer_format(out, ",\"%s\":", name);
    cli_append_json_text(out, text);
}

static void append_json_lists(const struct connector *connector, struct buffer *out)
{
    const char *separator = "";
    buffer_append_string(out, ",\"capabilities\":[");
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if ((connector->capabilities & capabilities[i].bit) != 0) {
            buffer_format(out, "%s\"%s\"", separator, capabilities[i].name);
            separator = ",";
        }
    }
    buffer_append_string(out, "],\"options\":[");
    for (uint32_t i = 0; i < connector->option_count; i++) {
        const struct connector_option *option = &connector->options[i];
        buffer_append_string(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        cli_append_json_text(out, option->name);
        append_json_member("type", option_type_name(option->type), out);
        append_json_member("default", option->default_text, out);
        append_json_member("range", option->range, out);
        append_json_member("help", option->help, out);
        buffer_append_string(out, option->secret ? ",\"secret\":true}" : ",\"secret\":false}");
    }
    buffer_append_string(out, "],\"types\":[");
    for (uint32_t i = 0; i < connector->type_count; i++) {
        const struct type_mapping *type = &connector->types[i];
        buffer_append_string(out, i == 0 ? "{\"native\":" : ",{\"native\":");
        cli_append_json_text(out, type->native);
        append_json_member("kind", value_kind_name(type->kind), out);
        append_json_member("reading", type->reading, out);
        append_json_member("writing", type->writing, out);
        append_json_member("loss", type->loss, out);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static void append_json(const struct connector *connector, struct buffer *out)
{
    buffer_append_string(out, "{\"name\":");
    cli_append_json_text(out, connector->name);
    append_json_member("title", connector->title, out);
    append_json_member("uri", connector->uri_help, out);
    buffer_format(out, ",\"source\":%s,\"target\":%s", connector->source != NULL ? "true" : "false",
                  connector->target != NULL ? "true" : "false");
    append_json_member("guarantee", run_guarantee_name(connector->guarantee), out);
    append_json_lists(connector, out);
    buffer_append_byte(out, '}');
}

static int unknown_connector(const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (uint32_t i = 0; i < registry_count() && count < 64; i++) {
        names[count++] = registry_at(i)->name;
    }
    struct error error = {0};
    char shown[80];
    text_printable(name, strlen(name), shown, sizeof(shown));
    error_set(&error, ERROR_UNKNOWN_SCHEME, NULL, "there is no connector %s", shown);
    const char *nearest = text_nearest(name, names, count);
    if (nearest != NULL) {
        error_hint(&error, "Did you mean %s?", nearest);
    } else {
        error_hint(&error, "`transhume connectors` lists them.");
    }
    return cli_fail(NULL, &error);
}

int command_connectors(struct cli_call *call)
{
    struct buffer out = {0};
    bool color = cli_color(call, STDOUT_FILENO);
    bool json = cli_switch(call, CLI_JSON);
    registry_load_all();
    if (call->argument_count == 1) {
        const struct connector *connector = registry_find(call->arguments[0]);
        if (connector == NULL) {
            return unknown_connector(call->arguments[0]);
        }
        if (json) {
            append_json(connector, &out);
            buffer_append_byte(&out, '\n');
        } else {
            append_connector(connector, color, &out);
        }
        return cli_finish(&out, EXIT_DONE);
    }
    if (!json) {
        append_overview(color, &out);
        return cli_finish(&out, EXIT_DONE);
    }
    buffer_append_string(&out, "{\"format\":1,\"connectors\":[");
    for (uint32_t i = 0; i < registry_count(); i++) {
        buffer_append_string(&out, i == 0 ? "" : ",");
        append_json(registry_at(i), &out);
    }
    buffer_append_string(&out, "]}\n");
    return cli_finish(&out, EXIT_DONE);
}
