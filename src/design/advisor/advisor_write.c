/* The advisor's answer, as files and for a terminal. */
#include "design/advisor/advisor_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/secret.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 400, LINE_BYTES_MAX = 600, LISTED_MAX = 20 };

static const char *prefix_of(const struct advisor_options *options)
{
    return options->api == ADVISOR_GEMINI ? "gemini" : "advisor";
}

static enum status write_text(const char *folder, const char *prefix, const char *name,
                              struct buffer *text, struct error *error)
{
    char *path = memory_format("%s/%s_%s", folder, prefix, name);
    char *shown = secret_redact_copy(buffer_string(text)); /* a server may tell back the key */
    enum status status = file_write_atomic(path, shown, strlen(shown), NULL, error);
    free(shown);
    free(path);
    buffer_free(text);
    return status;
}

/* ---------------------------------------------------------------- tables */

static json_t *text_json(const char *text)
{
    struct buffer line = {0};
    advisor_append_clean(&line, text, strlen(text));
    json_t *value = json_string(buffer_string(&line));
    buffer_free(&line);
    return value;
}

static json_t *column_json(const struct advisor_reply *reply, const struct advisor_column *column)
{
    struct buffer name = {0};
    advisor_append_column(reply, column, &name);
    json_t *value = text_json(buffer_string(&name));
    buffer_free(&name);
    return value;
}

static json_t *columns_json(const struct advisor_reply *reply, struct advisor_columns columns,
                            bool ordered)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < columns.count; i++) {
        json_t *value = column_json(reply, &columns.at[i]);
        if (ordered) {
            value = json_pack("{s:o,s:s}", "column", value, "order",
                              columns.at[i].descending ? "DESC" : "ASC");
        }
        json_array_append_new(list, value);
    }
    return list;
}

static bool is_chosen(const struct advisor_table *table, const bool *chosen)
{
    return chosen != NULL && table->family != GRAPH_NONE && chosen[table->family];
}

static json_t *table_json(const struct advisor_reply *reply, const struct advisor_table *table,
                          const bool *chosen)
{
    json_t *queries = json_array();
    for (uint32_t i = 0; i < table->query_count; i++) {
        json_array_append_new(queries, text_json(table->queries[i]));
    }
    json_t *object = json_object();
    json_object_set_new(object, "name", text_json(table->name));
    json_object_set_new(object, "rows_of", text_json(reply->graph->entities[table->root].name));
    json_object_set_new(object, "partition_key", columns_json(reply, table->partition, false));
    json_object_set_new(object, "clustering", columns_json(reply, table->clustering, true));
    json_object_set_new(object, "columns", columns_json(reply, table->others, false));
    json_object_set_new(object, "queries", queries);
    if (table->reason != NULL) {
        json_object_set_new(object, "reason", text_json(table->reason));
    }
    json_object_set_new(object, "chosen", json_boolean(is_chosen(table, chosen)));
    return object;
}

static json_t *dropped_json(const struct advisor_reply *reply)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < reply->dropped_count; i++) {
        const struct advisor_dropped *dropped = &reply->dropped[i];
        json_array_append_new(list,
                              json_pack("{s:o,s:o,s:o}", "table", text_json(dropped->table), "what",
                                        text_json(dropped->what), "why", text_json(dropped->why)));
    }
    return list;
}

static int append_piece(const char *bytes, size_t length, void *out)
{
    buffer_append(out, bytes, length);
    return 0;
}

static void append_tables(const struct advisor_options *options, const struct advisor_reply *reply,
                          const bool *chosen, struct buffer *out)
{
    json_t *tables = json_array();
    for (uint32_t i = 0; i < reply->table_count; i++) {
        json_array_append_new(tables, table_json(reply, &reply->tables[i], chosen));
    }
    json_t *root = json_pack("{s:o,s:o,s:o}", "model", text_json(options->model), "tables", tables,
                             "dropped", dropped_json(reply));
    (void)json_dump_callback(root, append_piece, out, JSON_INDENT(2));
    buffer_append_byte(out, '\n');
    json_decref(root);
}

/* ---------------------------------------------------------------- the strategy */

/* Line by line, so that nothing in it can play with a terminal. */
static void append_strategy(const char *text, struct buffer *out)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = memory_copy_bytes(text, length);
        for (char *at = line; *at != '\0'; at++) {
            *at = *at == '\t' ? ' ' : *at;
        }
        if (length > 0 && line[length - 1] == '\r') {
            line[length - 1] = '\0';
        }
        advisor_append_clean(out, line, length);
        buffer_append_byte(out, '\n');
        free(line);
        text += length + (text[length] == '\n');
    }
}

enum status advisor_write(const struct advisor_options *options,
                          const struct advisor_result *result, const bool *chosen,
                          const char *folder, struct error *error)
{
    struct buffer text = {0};
    const char *prefix = prefix_of(options);
    if (file_make_folder(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (result->has_tables) {
        append_tables(options, &result->reply, chosen, &text);
        if (write_text(folder, prefix, "suggested_tables.json", &text, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (result->strategy != NULL) {
        append_strategy(result->strategy, &text);
        return write_text(folder, prefix, "migration_suggestions.txt", &text, error);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- a summary */

void advisor_append_summary(const struct advisor_options *options,
                            const struct advisor_result *result, const bool *chosen,
                            struct buffer *out)
{
    const struct advisor_reply *reply = &result->reply;
    uint32_t count = 0;
    if (!result->has_tables) {
        return;
    }
    for (uint32_t i = 0; i < reply->table_count; i++) {
        count += is_chosen(&reply->tables[i], chosen);
    }
    buffer_append_string(out, "advisor ");
    advisor_append_clean(out, options->model, NAME_BYTES_MAX);
    buffer_format(out,
                  "\n  %u tables suggested, %u of them chosen by their cost, %u things dropped\n",
                  reply->table_count, count, reply->dropped_count);
    for (uint32_t i = 0; i < reply->dropped_count && i < LISTED_MAX; i++) {
        const struct advisor_dropped *dropped = &reply->dropped[i];
        char *line = memory_format("  %s: %s: %s", dropped->table, dropped->what, dropped->why);
        advisor_append_clean(out, line, LINE_BYTES_MAX);
        buffer_append_byte(out, '\n');
        free(line);
    }
    if (reply->dropped_count > LISTED_MAX) {
        buffer_format(out, "  … the others are in %s_suggested_tables.json\n", prefix_of(options));
    }
}
