/*
 * Validators of collections that a run makes, from the types of the columns that a plan declares to
 * a target without fixed fields, those of its key and indexes:
 *
 *   {$jsonSchema: {bsonType: "object", required: [KEY, …],
 *                  properties: {COLUMN: {bsonType: [TYPE, …]}, …}}}
 *
 * A column whose values may be of other kinds than its type says is left out, and so is a name that
 * a schema would take for a path.
 */
#include "connectors/mongodb/mongodb.h"

enum { TYPES_MAX = 4 };

/* As write.c writes values of the kind. */
static const struct {
    enum value_kind kind;
    const char *types[TYPES_MAX];
} written[] = {
    {VALUE_BOOL, {"bool"}},
    {VALUE_INT64, {"int", "long"}},
    {VALUE_UINT64, {"int", "long", "decimal"}},
    {VALUE_FLOAT32, {"double"}},
    {VALUE_FLOAT64, {"double"}},
    {VALUE_DECIMAL, {"decimal"}},
    {VALUE_TEXT, {"string"}},
    {VALUE_BYTES, {"binData"}},
    {VALUE_UUID, {"binData"}},
    {VALUE_DATE, {"date"}},
    {VALUE_TIMESTAMP, {"date"}},
    {VALUE_TIME, {"string"}},
    {VALUE_INTERVAL, {"string"}},
    {VALUE_LIST, {"array"}},
    {VALUE_SET, {"array"}},
    {VALUE_MAP, {"object"}},
};

static const char *const *types_of(enum value_kind kind)
{
    for (size_t at = 0; at < sizeof(written) / sizeof(*written); at++) {
        if (written[at].kind == kind) {
            return written[at].types;
        }
    }
    return NULL;
}

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '$' && strchr(name, '.') == NULL;
}

static void append_texts(bson_t *out, const char *name, const char *const *texts, uint32_t count,
                         const char *more)
{
    bson_t list;
    char digits[12];
    uint32_t place = 0;
    (void)bson_append_array_begin(out, name, -1, &list);
    for (uint32_t at = 0; at < count && texts[at] != NULL; at++) {
        (void)mongodb_write_index(place++, digits);
        (void)bson_append_utf8(&list, digits, -1, texts[at], -1);
    }
    if (more != NULL) {
        (void)mongodb_write_index(place, digits);
        (void)bson_append_utf8(&list, digits, -1, more, -1);
    }
    (void)bson_append_array_end(out, &list);
}

static void append_properties(const struct target_table *table, bson_t *schema)
{
    bson_t properties;
    (void)bson_append_document_begin(schema, "properties", -1, &properties);
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *column = &table->columns[at];
        const char *const *types = types_of(column->type.kind);
        bson_t property;
        if (types != NULL && !column->type.dynamic && is_plain_name(column->name)) {
            (void)bson_append_document_begin(&properties, column->name, -1, &property);
            append_texts(&property, "bsonType", types, TYPES_MAX, column->not_null ? NULL : "null");
            (void)bson_append_document_end(&properties, &property);
        }
    }
    (void)bson_append_document_end(schema, &properties);
}

void mongodb_validator_append(const struct mongodb_database *self, const struct target_table *table,
                              bson_t *command)
{
    bson_t validator;
    bson_t schema;
    const char *action = mongodb_option(self, "validator");
    if ((strcmp(action, "warn") != 0 && strcmp(action, "error") != 0) ||
        table->same_engine != NULL) {
        return;
    }
    (void)bson_append_document_begin(command, "validator", -1, &validator);
    (void)bson_append_document_begin(&validator, "$jsonSchema", -1, &schema);
    (void)bson_append_utf8(&schema, "bsonType", -1, "object", -1);
    append_texts(&schema, "required", table->key.names, table->key.count, NULL);
    append_properties(table, &schema);
    (void)bson_append_document_end(&validator, &schema);
    (void)bson_append_document_end(command, &validator);
    (void)bson_append_utf8(command, "validationAction", -1, action, -1);
}
