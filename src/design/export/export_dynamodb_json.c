/*
 * CreateTable (API version 2012-08-10) and AWS::DynamoDB::Table, which has the same properties:
 *
 *   {"TableName": "Album", "BillingMode": "PAY_PER_REQUEST",
 *    "AttributeDefinitions": [{"AttributeName": "AlbumId", "AttributeType": "N"}, …],
 *    "KeySchema": [{"AttributeName": "AlbumId", "KeyType": "HASH"}],
 *    "GlobalSecondaryIndexes": [{"IndexName": "by_ArtistId", "KeySchema": […],
 *                                "Projection": {"ProjectionType": "ALL"}}]}
 */
#include "design/export/export_parts.h"

#include <ctype.h>

static json_t *pair(const char *first, const char *value, const char *second, const char *other)
{
    json_t *object = json_object();
    json_object_set_new(object, first, export_text(value));
    json_object_set_new(object, second, export_text(other));
    return object;
}

static json_t *key_schema(const struct export_table *table, struct export_key key)
{
    json_t *list = json_array();
    json_array_append_new(
        list, pair("AttributeName", table->attributes[key.partition].name, "KeyType", "HASH"));
    if (key.sort != GRAPH_NONE) {
        json_array_append_new(
            list, pair("AttributeName", table->attributes[key.sort].name, "KeyType", "RANGE"));
    }
    return list;
}

static bool has(struct export_key key, uint32_t attribute)
{
    return key.partition == attribute || key.sort == attribute;
}

/* Definitions of the attributes in a key; DynamoDB refuses others. */
static json_t *definitions(const struct export_table *table)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        bool wanted = has(table->key, i);
        for (uint32_t j = 0; j < table->index_count; j++) {
            wanted = wanted || has(table->indexes[j].key, i);
        }
        if (wanted) {
            json_array_append_new(list, pair("AttributeName", table->attributes[i].name,
                                             "AttributeType", table->attributes[i].type));
        }
    }
    return list;
}

static json_t *projection_of(const struct export_table *table, const struct export_index *index)
{
    static const char *const types[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    json_t *object = json_object();
    json_object_set_new(object, "ProjectionType", json_string(types[index->projection]));
    if (index->projection == EXPORT_INCLUDE) {
        json_t *names = json_array();
        for (uint32_t i = 0; i < index->projected_count; i++) {
            json_array_append_new(names, export_text(table->attributes[index->projected[i]].name));
        }
        json_object_set_new(object, "NonKeyAttributes", names);
    }
    return object;
}

static json_t *indexes(const struct export_table *table)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct export_index *index = &table->indexes[i];
        json_t *object = json_object();
        json_object_set_new(object, "IndexName", export_text(index->name));
        json_object_set_new(object, "KeySchema", key_schema(table, index->key));
        json_object_set_new(object, "Projection", projection_of(table, index));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *create_table(const struct export_table *table)
{
    json_t *object = json_object();
    json_object_set_new(object, "TableName", export_text(table->name));
    json_object_set_new(object, "BillingMode", json_string("PAY_PER_REQUEST"));
    json_object_set_new(object, "AttributeDefinitions", definitions(table));
    json_object_set_new(object, "KeySchema", key_schema(table, table->key));
    if (table->index_count > 0) {
        json_object_set_new(object, "GlobalSecondaryIndexes", indexes(table));
    }
    return object;
}

void export_dynamodb_append_tables(const struct export_dynamodb *design, struct buffer *out)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < design->count; i++) {
        json_array_append_new(list, create_table(&design->tables[i]));
    }
    export_append_json(list, out);
}

/* ---------------------------------------------------------------- CloudFormation */

/* A logical id: letters and digits alone. */
static const char *logical_id(const struct export_table *table, struct name_index *taken)
{
    struct buffer id = {0};
    for (const char *at = table->name; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) != 0) {
            buffer_append_byte(&id, *at);
        }
    }
    buffer_append_string(&id, "Table");
    const char *kept = arena_copy_string(taken->arena, buffer_string(&id));
    buffer_free(&id);
    const char *unique = kept;
    for (uint32_t i = 2; name_index_add(taken, unique, strlen(unique), 0) != NAME_INDEX_NONE; i++) {
        unique = arena_format(taken->arena, "%s%u", kept, i);
    }
    return unique;
}

void export_dynamodb_append_cloudformation(const struct export_dynamodb *design, struct buffer *out)
{
    struct name_index taken = {.arena = design->arena, .folded = true};
    json_t *template = json_object();
    json_t *resources = json_object();
    json_object_set_new(template, "AWSTemplateFormatVersion", json_string("2010-09-09"));
    json_object_set_new(template, "Description",
                        json_string("DynamoDB tables designed by transhume analyze"));
    for (uint32_t i = 0; i < design->count; i++) {
        json_t *resource = json_object();
        json_object_set_new(resource, "Type", json_string("AWS::DynamoDB::Table"));
        json_object_set_new(resource, "DeletionPolicy", json_string("Retain"));
        json_object_set_new(resource, "UpdateReplacePolicy", json_string("Retain"));
        json_object_set_new(resource, "Properties", create_table(&design->tables[i]));
        json_object_set_new(resources, logical_id(&design->tables[i], &taken), resource);
    }
    json_object_set_new(template, "Resources", resources);
    export_append_json(template, out);
}

/* ---------------------------------------------------------------- NoSQL Workbench */

static json_t *typed(const struct export_attribute *attribute)
{
    return pair("AttributeName", attribute->name, "AttributeType", attribute->type);
}

static json_t *key_attributes(const struct export_table *table, struct export_key key)
{
    json_t *object = json_object();
    json_object_set_new(object, "PartitionKey", typed(&table->attributes[key.partition]));
    if (key.sort != GRAPH_NONE) {
        json_object_set_new(object, "SortKey", typed(&table->attributes[key.sort]));
    }
    return object;
}

/* The content of a key's attribute, as people write it: "{InvoiceDate}#{InvoiceId:019}". */
static json_t *alias(const struct export_dynamodb *design, const struct export_table *table,
                     uint32_t attribute)
{
    struct buffer text = {0};
    if (table->attributes[attribute].place != GRAPH_NONE) {
        buffer_append_string(&text, table->attributes[attribute].name);
    } else {
        export_append_template(design, table, &table->attributes[attribute], &text);
    }
    json_t *string = export_text(buffer_string(&text));
    buffer_free(&text);
    return string;
}

static json_t *data_access(void)
{
    json_t *object = json_object();
    json_object_set_new(object, "MySql", json_object());
    return object;
}

static json_t *facet(const struct export_dynamodb *design, const struct export_table *table,
                     const struct export_index *index, const struct family *family,
                     const char *name)
{
    json_t *object = json_object();
    json_t *keys = json_object();
    json_t *fields = json_array();
    struct export_key key = index != NULL ? index->key : table->key;
    json_object_set_new(object, "FacetName", export_text(name));
    json_object_set_new(keys, "PartitionKeyAlias", alias(design, table, key.partition));
    if (key.sort != GRAPH_NONE) {
        json_object_set_new(keys, "SortKeyAlias", alias(design, table, key.sort));
    }
    json_object_set_new(object, "KeyAttributeAlias", keys);
    json_object_set_new(object, "TableData", json_array());
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        if (attribute->place != GRAPH_NONE && !has(table->key, i) &&
            place_set_holds(family->fields, attribute->place)) {
            json_array_append_new(fields, export_text(attribute->name));
        }
    }
    json_object_set_new(object, "NonKeyAttributes", fields);
    json_object_set_new(object, "DataAccess", data_access());
    return object;
}

/* Each query that a table or one of its indexes answers. */
static void add_facets(const struct export_dynamodb *design, uint32_t number, json_t *const *lists)
{
    const struct search_query *query = &design->search.queries[number];
    const struct workload_statement *statement =
        &design->search.workload->statements[query->statement];
    struct access_plan plan;
    if (!access_explain(&design->pool, &query->query, design->result.chosen, &plan)) {
        return;
    }
    for (uint32_t i = 0; i < plan.step_count; i++) {
        const struct export_index *index;
        const struct export_table *table = export_table_of(design, plan.steps[i].family, &index);
        struct buffer name = {0};
        buffer_format(&name, "%s%s", statement->name != NULL ? statement->name : statement->text,
                      i > 0 ? ", then" : "");
        if (plan.steps[i].scans) {
            buffer_append_string(&name, " (a scan)");
        } else if (index != NULL) {
            buffer_format(&name, " (index %s)", index->name);
        }
        json_array_append_new(lists[table - design->tables],
                              facet(design, table, index,
                                    export_family(design, plan.steps[i].family),
                                    buffer_string(&name)));
        buffer_free(&name);
    }
}

static json_t *workbench_indexes(const struct export_table *table)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct export_index *index = &table->indexes[i];
        json_t *object = json_object();
        json_object_set_new(object, "IndexName", export_text(index->name));
        json_object_set_new(object, "KeyAttributes", key_attributes(table, index->key));
        json_object_set_new(object, "Projection", projection_of(table, index));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *workbench_table(const struct export_table *table, json_t *facets)
{
    json_t *object = json_object();
    json_t *others = json_array();
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        if (!has(table->key, i)) {
            json_array_append_new(others, typed(&table->attributes[i]));
        }
    }
    json_object_set_new(object, "TableName", export_text(table->name));
    json_object_set_new(object, "KeyAttributes", key_attributes(table, table->key));
    json_object_set_new(object, "NonKeyAttributes", others);
    json_object_set_new(object, "TableFacets", facets);
    json_object_set_new(object, "GlobalSecondaryIndexes", workbench_indexes(table));
    json_object_set_new(object, "TableData", json_array());
    json_object_set_new(object, "DataAccess", data_access());
    json_object_set_new(object, "BillingMode", json_string("PAY_PER_REQUEST"));
    return object;
}

static json_t *metadata(void)
{
    json_t *object = json_object();
    json_object_set_new(object, "Author", json_string("transhume analyze"));
    json_object_set_new(object, "Description",
                        json_string("Tables and indexes; each facet is an access pattern"));
    json_object_set_new(object, "AWSService", json_string("Amazon DynamoDB"));
    json_object_set_new(object, "Version", json_string("3.0"));
    return object;
}

void export_dynamodb_append_workbench(const struct export_dynamodb *design, const char *name,
                                      struct buffer *out)
{
    json_t *model = json_object();
    json_t *tables = json_array();
    json_t **facets = arena_allocate_zeroed(design->arena, design->count + 1u, sizeof(*facets));
    for (uint32_t i = 0; i < design->count; i++) {
        facets[i] = json_array();
    }
    for (uint32_t i = 0; i < design->search.query_count; i++) {
        if (design->search.queries[i].statement != GRAPH_NONE) {
            add_facets(design, i, facets);
        }
    }
    for (uint32_t i = 0; i < design->count; i++) {
        json_array_append_new(tables, workbench_table(&design->tables[i], facets[i]));
    }
    json_object_set_new(model, "ModelName", export_text(name));
    json_object_set_new(model, "ModelMetadata", metadata());
    json_object_set_new(model, "DataModel", tables);
    export_append_json(model, out);
}
