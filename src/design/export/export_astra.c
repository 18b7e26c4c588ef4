/* Exports for Astra. */
#include "design/export/export_astra.h"

#include "design/export/export_parts.h"
#include <ctype.h>
#include <string.h>

void export_astra_append_cql(const struct layout *layout, struct buffer *out)
{
    if (layout->count > EXPORT_ASTRA_TABLES_MAX) {
        buffer_format(out,
                      "-- %u tables: a serverless database of Astra holds about %d, so that some "
                      "must go into another one\n",
                      layout->count, EXPORT_ASTRA_TABLES_MAX);
    }
    buffer_append_string(out,
                         "-- run it in a keyspace made in the console or by the DevOps API\n\n");
    layout_append_cql(layout, NULL, out);
}

/* ---------------------------------------------------------------- the Data API */

/* "text", or of "map<text, int>" {"type": "map", "keyType": "text", "valueType": "int"}. */
static json_t *column_type(const char *cql)
{
    static const char frozen[] = "frozen<";
    const char *end = cql + strlen(cql);
    if (strncmp(cql, frozen, strlen(frozen)) == 0) {
        cql += strlen(frozen);
        end--;
    }
    const char *open = memchr(cql, '<', (size_t)(end - cql));
    if (open == NULL) {
        return json_stringn(cql, (size_t)(end - cql));
    }
    json_t *type = json_object();
    const char *comma = memchr(open, ',', (size_t)(end - open));
    bool is_map = strncmp(cql, "map<", 4) == 0 && comma != NULL;
    json_object_set_new(type, "type", json_stringn(cql, (size_t)(open - cql)));
    if (is_map) {
        json_object_set_new(type, "keyType", json_stringn(open + 1, (size_t)(comma - open - 1)));
        open = comma;
        while (isspace((unsigned char)open[1]) != 0) {
            open++;
        }
    }
    json_object_set_new(type, "valueType", json_stringn(open + 1, (size_t)(end - open - 2)));
    return type;
}

static json_t *columns_of(const struct layout *layout, const struct layout_table *table)
{
    json_t *columns = json_object();
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct buffer type = {0};
        layout_append_type(layout, table, &table->columns[i], &type);
        json_object_set_new(columns, table->columns[i].name, column_type(buffer_string(&type)));
        buffer_free(&type);
    }
    return columns;
}

static json_t *key_of(const struct layout_table *table)
{
    json_t *key = json_object();
    json_t *partition = json_array();
    json_t *sort = json_object();
    for (uint32_t i = 0; i < table->partition_count; i++) {
        json_array_append_new(partition, export_text(table->columns[i].name));
    }
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[table->partition_count + i];
        json_object_set_new(sort, column->name, json_integer(column->descending ? -1 : 1));
    }
    json_object_set_new(key, "partitionBy", partition);
    json_object_set_new(key, "partitionSort", sort);
    return key;
}

void export_astra_append_tables(const struct layout *layout, struct buffer *out)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_table *table = &layout->tables[i];
        json_t *command = json_object();
        json_t *body = json_object();
        json_t *definition = json_object();
        json_object_set_new(definition, "columns", columns_of(layout, table));
        json_object_set_new(definition, "primaryKey", key_of(table));
        json_object_set_new(body, "name", export_text(table->name));
        json_object_set_new(body, "definition", definition);
        json_object_set_new(command, "createTable", body);
        json_array_append_new(list, command);
    }
    export_append_json(list, out);
}
