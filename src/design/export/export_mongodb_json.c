/*
 * Collections of MongoDB with their validators:
 *
 *   {"collections": [{"name": "Invoice",
 *                     "validator": {"$jsonSchema": {"bsonType": "object", "required": ["_id", …],
 *                                   "properties": {"_id": {"bsonType": ["int", "long"]}, …}}},
 *                     "indexes": [{"key": {"CustomerId": 1}, "name": "CustomerId_1"}]}],
 *    "decisions": [{"child": "InvoiceLine", "parent": "Invoice", "decision": "embed",
 *                   "reason": "…", "figures": {…}}]}
 *
 * `validator` and `indexes` are what createCollection and createIndexes take.
 */
#include "design/export/export_parts.h"

#include <string.h>

/* ---------------------------------------------------------------- types */

static json_t *types_of(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return json_pack("[s]", "bool");
    case VALUE_INT64:
        return type->truth ? json_pack("[sss]", "bool", "int", "long")
                           : json_pack("[ss]", "int", "long");
    case VALUE_UINT64:
        return json_pack("[sss]", "int", "long", "decimal");
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return json_pack("[s]", "double");
    case VALUE_DECIMAL:
        return type->dynamic ? json_pack("[ssss]", "decimal", "double", "int", "long")
                             : json_pack("[s]", "decimal");
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return json_pack("[s]", "date");
    case VALUE_UUID:
    case VALUE_BYTES:
        return json_pack("[s]", "binData");
    case VALUE_LIST:
    case VALUE_SET:
        return json_pack("[s]", "array");
    case VALUE_MAP:
        return json_pack("[s]", "object");
    case VALUE_JSON:
        return NULL;
    default:
        return type->dates || type->moments ? json_pack("[ss]", "date", "string")
                                            : json_pack("[s]", "string");
    }
}

static json_t *property(const struct graph_field *field, bool optional)
{
    json_t *object = json_object();
    json_t *types = types_of(&field->type);
    if (types == NULL) {
        return object;
    }
    if (optional) {
        json_array_append_new(types, json_string("null"));
    }
    if (json_array_size(types) == 1) {
        json_object_set(object, "bsonType", json_array_get(types, 0));
        json_decref(types);
    } else {
        json_object_set_new(object, "bsonType", types);
    }
    return object;
}

/* ---------------------------------------------------------------- a document */

static json_t *schema_of(const struct export_mongodb *design,
                         const struct export_document *document);

static void add_own(const struct export_mongodb *design, const struct export_document *document,
                    json_t *properties, json_t *required)
{
    const struct graph_entity *entity = &design->places->graph->entities[document->entity];
    if (document->relation == GRAPH_NONE && document->id == NULL) {
        json_object_set_new(properties, "_id", json_pack("{s:s}", "bsonType", "string"));
        json_array_append_new(required, json_string("_id"));
    }
    for (uint32_t i = 0; i < entity->field_count; i++) {
        const struct graph_field *field = &entity->fields[i];
        bool optional = !field->column->not_null && !graph_fields_hold(entity->key, i);
        const char *name = document->fields[i];
        if (name == NULL) {
            continue;
        }
        json_object_set_new(properties, name, property(field, optional));
        if (!optional) {
            json_array_append_new(required, export_text(name));
        }
    }
}

static void add_lists(const struct export_mongodb *design, const struct export_document *document,
                      json_t *properties, json_t *required)
{
    for (uint32_t i = 0; i < design->places->graph->entity_count; i++) {
        const struct export_document *child = &design->documents[i];
        const struct graph_relation *relation =
            child->relation != GRAPH_NONE ? &design->places->graph->relations[child->relation]
                                          : NULL;
        if (relation == NULL || relation->to != document->entity) {
            continue;
        }
        json_t *list = json_object();
        json_object_set_new(list, "bsonType", json_string("array"));
        json_object_set_new(list, "items", schema_of(design, child));
        json_object_set_new(properties, child->name, list);
        json_array_append_new(required, export_text(child->name));
    }
}

static json_t *schema_of(const struct export_mongodb *design,
                         const struct export_document *document)
{
    json_t *schema = json_object();
    json_t *properties = json_object();
    json_t *required = json_array();
    add_own(design, document, properties, required);
    for (uint32_t i = 0; i < document->copied.count; i++) {
        uint32_t place = document->copied.at[i];
        json_object_set_new(properties, document->copies[i],
                            property(places_field(design->places, place), true));
    }
    add_lists(design, document, properties, required);
    json_object_set_new(schema, "bsonType", json_string("object"));
    if (json_array_size(required) > 0) {
        json_object_set(schema, "required", required);
    }
    json_decref(required);
    json_object_set_new(schema, "properties", properties);
    return schema;
}

/* ---------------------------------------------------------------- collections */

static json_t *indexes_of(const struct export_document *document)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < document->index_count; i++) {
        const struct export_mongo_index *index = &document->indexes[i];
        json_t *object = json_object();
        json_t *key = json_object();
        for (uint32_t j = 0; j < index->count; j++) {
            json_object_set_new(key, index->fields[j], json_integer(index->descending[j] ? -1 : 1));
        }
        json_object_set_new(object, "key", key);
        json_object_set_new(object, "name", export_text(index->name));
        if (index->unique) {
            json_object_set_new(object, "unique", json_true());
        }
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *collection_of(const struct export_mongodb *design,
                             const struct export_document *document)
{
    const struct graph_entity *entity = &design->places->graph->entities[document->entity];
    json_t *object = json_object();
    json_t *validator = json_object();
    json_object_set_new(validator, "$jsonSchema", schema_of(design, document));
    json_object_set_new(object, "name", export_text(document->name));
    json_object_set_new(object, "documents", json_integer((json_int_t)entity->rows));
    json_object_set_new(object, "document_bytes", json_integer((json_int_t)document->bytes));
    json_object_set_new(object, "validator", validator);
    json_object_set_new(object, "indexes", indexes_of(document));
    if (document->unindexed > 0) {
        json_object_set_new(object, "queries_without_index", json_integer(document->unindexed));
    }
    return object;
}

const char *export_joining_name(enum export_joining joining)
{
    static const char *const names[] = {"embed", "list of keys", "reference",
                                        "reference with copied fields"};
    return names[joining];
}

static json_t *decision_of(const struct export_mongodb *design,
                           const struct export_decision *decision)
{
    const struct graph *graph = design->places->graph;
    const struct graph_relation *relation = &graph->relations[decision->relation];
    json_t *object = json_object();
    json_t *figures = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f}", "read_together", decision->together, "read_alone",
        decision->alone, "share_of_parent_lookups", decision->of_parent, "rows_mean",
        relation->fan_out, "rows_max", decision->rows_max, "bytes_max", decision->bytes_max);
    json_object_set_new(object, "child", export_text(graph->entities[relation->from].name));
    json_object_set_new(object, "parent", export_text(graph->entities[relation->to].name));
    json_object_set_new(object, "decision", json_string(export_joining_name(decision->joining)));
    json_object_set_new(object, "reason", export_text(decision->reason));
    json_object_set_new(object, "figures", figures);
    return object;
}

void export_mongodb_append_collections(const struct export_mongodb *design, struct buffer *out)
{
    const struct graph *graph = design->places->graph;
    json_t *root = json_object();
    json_t *collections = json_array();
    json_t *decisions = json_array();
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        if (design->documents[i].relation == GRAPH_NONE) {
            json_array_append_new(collections, collection_of(design, &design->documents[i]));
        }
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        json_array_append_new(decisions, decision_of(design, &design->decisions[i]));
    }
    json_object_set_new(root, "collections", collections);
    json_object_set_new(root, "decisions", decisions);
    export_append_json(root, out);
}
