/*
 * Requests.
 *
 *   Gemini   POST {base}/models/{model}:generateContent, x-goog-api-key
 *            {"systemInstruction": {"parts": [{"text"}]}, "contents": [{"role", "parts"}],
 *             "generationConfig": {"temperature", "responseMimeType", "responseSchema"}}
 *   OpenAI   POST {base}/chat/completions, Authorization: Bearer
 *            {"model", "messages": [{"role", "content"}], "temperature", "seed",
 *             "response_format": {"type": "json_schema", "json_schema": {"name", "schema"}}}
 */
#include "design/advisor/advisor_parts.h"

#include "base/text.h"
#include <string.h>

static const char gemini_base[] = "https://generativelanguage.googleapis.com/v1beta";
static const char openai_base[] = "https://api.openai.com/v1";

enum { SEED = 42 };

/* ---------------------------------------------------------------- URLs */

static void append_percent(const char *text, struct buffer *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL) {
            buffer_append_byte(out, *text);
        } else {
            buffer_format(out, "%%%02X", (unsigned char)*text);
        }
    }
}

const char *advisor_url(const struct advisor_options *options, struct arena *arena)
{
    static const char models[] = "models/";
    bool gemini = options->api == ADVISOR_GEMINI;
    const char *base = options->url != NULL ? options->url : gemini ? gemini_base : openai_base;
    struct buffer url = {0};
    buffer_append_string(&url, base);
    while (buffer_last(&url) == '/') {
        url.length--;
    }
    if (gemini) {
        const char *model = options->model;
        model += strncmp(model, models, strlen(models)) == 0 ? strlen(models) : 0;
        buffer_append_string(&url, "/models/");
        append_percent(model, &url);
        buffer_append_string(&url, ":generateContent");
    } else if (!text_ends_with(buffer_string(&url), "/chat/completions")) {
        buffer_append_string(&url, "/chat/completions");
    }
    const char *kept = arena_copy(arena, url.data, url.length);
    buffer_free(&url);
    return kept;
}

enum status advisor_check_options(const struct advisor_options *options, struct arena *arena,
                                  struct error *error)
{
    struct http_url url;
    if (options->model == NULL || options->model[0] == '\0') {
        error_set(error, ERROR_USAGE, "--advisor", "needs the name of a model");
        return error_hint(error, "add --advisor-model NAME; the server lists its names at /models");
    }
    if (!text_is_utf8(options->model, strlen(options->model))) {
        return error_set(error, ERROR_BAD_VALUE, "--advisor-model", "is not UTF-8");
    }
    if (options->url == NULL) {
        return STATUS_OK;
    }
    if (http_url_parse(options->url, "--advisor-url", arena, &url, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (url.query != NULL) {
        error_set(error, ERROR_BAD_VALUE, "--advisor-url", "is a base URL, without a query");
        return error_hint(error, "a key belongs into the environment or --advisor-key-file");
    }
    if (!url.tls && !http_host_is_loopback(url.host)) {
        error_set(error, ERROR_BAD_VALUE, "--advisor-url",
                  "http:// is for servers on this machine; %s is another", url.host);
        return error_hint(error, "use https://, or a tunnel to a port of this machine");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the schema of an answer */

/* Gemini writes types in upper case. */
static json_t *type_of(enum advisor_api api, const char *lower, const char *upper)
{
    return json_string(api == ADVISOR_GEMINI ? upper : lower);
}

static json_t *text_schema(enum advisor_api api)
{
    return json_pack("{s:o}", "type", type_of(api, "string", "STRING"));
}

static json_t *list_schema(enum advisor_api api, json_t *items)
{
    return json_pack("{s:o,s:o}", "type", type_of(api, "array", "ARRAY"), "items", items);
}

/* All members are required, as OpenAI's strict schemas want it. */
static json_t *object_schema(enum advisor_api api, json_t *properties)
{
    const char *name;
    json_t *value;
    json_t *required = json_array();
    json_object_foreach(properties, name, value)
    {
        json_array_append_new(required, json_string(name));
    }
    json_t *schema = json_pack("{s:o,s:o,s:o}", "type", type_of(api, "object", "OBJECT"),
                               "properties", properties, "required", required);
    if (api == ADVISOR_OPENAI) {
        json_object_set_new(schema, "additionalProperties", json_false());
    }
    return schema;
}

static json_t *clustering_schema(enum advisor_api api)
{
    json_t *order = text_schema(api);
    json_object_set_new(order, "enum", json_pack("[ss]", "ASC", "DESC"));
    return list_schema(api, object_schema(api, json_pack("{s:o,s:o}", "column", text_schema(api),
                                                         "order", order)));
}

json_t *advisor_schema(enum advisor_api api)
{
    json_t *table = json_object();
    json_object_set_new(table, "name", text_schema(api));
    json_object_set_new(table, "rows_of", text_schema(api));
    json_object_set_new(table, "partition_key", list_schema(api, text_schema(api)));
    json_object_set_new(table, "clustering", clustering_schema(api));
    json_object_set_new(table, "columns", list_schema(api, text_schema(api)));
    json_object_set_new(table, "queries", list_schema(api, text_schema(api)));
    json_object_set_new(table, "reason", text_schema(api));
    json_t *tables = list_schema(api, object_schema(api, table));
    return object_schema(api, json_pack("{s:o}", "tables", tables));
}

/* ---------------------------------------------------------------- bodies */

static json_t *gemini_body(const char *instruction, const char *prompt, struct advisor_form form)
{
    json_t *config = json_object();
    if (form.temperature) {
        json_object_set_new(config, "temperature", json_integer(0));
    }
    if (form.is_json && form.schema) {
        json_object_set_new(config, "responseMimeType", json_string("application/json"));
        json_object_set_new(config, "responseSchema", advisor_schema(ADVISOR_GEMINI));
    }
    return json_pack("{s:{s:[{s:s}]},s:[{s:s,s:[{s:s}]}],s:o}", "systemInstruction", "parts",
                     "text", instruction, "contents", "role", "user", "parts", "text", prompt,
                     "generationConfig", config);
}

static json_t *openai_body(const char *model, const char *instruction, const char *prompt,
                           struct advisor_form form)
{
    json_t *body = json_pack("{s:s,s:[{s:s,s:s},{s:s,s:s}]}", "model", model, "messages", "role",
                             "system", "content", instruction, "role", "user", "content", prompt);
    if (form.temperature) {
        json_object_set_new(body, "temperature", json_integer(0));
        json_object_set_new(body, "seed", json_integer(SEED));
    }
    if (form.is_json && form.schema) {
        json_object_set_new(body, "response_format",
                            json_pack("{s:s,s:{s:s,s:b,s:o}}", "type", "json_schema", "json_schema",
                                      "name", "tables", "strict", 1, "schema",
                                      advisor_schema(ADVISOR_OPENAI)));
    }
    return body;
}

static int append_piece(const char *bytes, size_t length, void *out)
{
    buffer_append(out, bytes, length);
    return 0;
}

void advisor_append_body(const struct advisor_options *options, const char *instruction,
                         const char *prompt, struct advisor_form form, struct buffer *out)
{
    json_t *body = options->api == ADVISOR_GEMINI
                       ? gemini_body(instruction, prompt, form)
                       : openai_body(options->model, instruction, prompt, form);
    (void)json_dump_callback(body, append_piece, out, JSON_COMPACT);
    json_decref(body);
}

/* ---------------------------------------------------------------- for --show-prompt */

static void append_shown(const char *title, const char *prompt, struct buffer *out)
{
    buffer_format(out, "\n--- %s\n%s", title, prompt);
}

void advisor_append_prompts(const struct advisor_options *options,
                            const struct advisor_prompts *prompts, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    json_t *schema = advisor_schema(options->api);
    buffer_format(out, "POST %s\nmodel %s, temperature 0\n", advisor_url(options, arena),
                  options->model);
    buffer_format(out, "\n--- system instruction, with both prompts\n%s\n", prompts->instruction);
    append_shown("prompt 1: tables", prompts->tables, out);
    buffer_append_string(out, "\n--- schema of the answer to prompt 1\n");
    (void)json_dump_callback(schema, append_piece, out, JSON_COMPACT);
    buffer_append_byte(out, '\n');
    append_shown("prompt 2: strategy", prompts->strategy, out);
    json_decref(schema);
    arena_destroy(arena);
}
