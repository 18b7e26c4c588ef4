/* Schemas: looking things up by name, and the fingerprint. */
#include "model/schema.h"

#include "base/buffer.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

const struct schema_table *schema_find_table(const struct schema *schema, const char *name)
{
    uint32_t low = 0;
    uint32_t high = schema->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(schema->tables[middle].name, name);
        if (order == 0) {
            return &schema->tables[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct schema_column *schema_column_named(const struct schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

int schema_find_column(const struct schema_table *table, const char *name)
{
    int found = -1;
    int similar = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return (int)i;
        }
        if (strcasecmp(table->columns[i].name, name) == 0) {
            found = (int)i;
            similar++;
        }
    }
    return similar == 1 ? found : -1;
}

/* --- the fingerprint: XXH3-128 of all that counts, each part with its length before it --- */

static void put_number(struct buffer *out, int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
    }
    buffer_append(out, bytes, sizeof(bytes));
}

static void put_string(struct buffer *out, const char *string)
{
    put_number(out, string == NULL ? -1 : (int64_t)strlen(string));
    if (string != NULL) {
        buffer_append_string(out, string);
    }
}

static void put_list(struct buffer *out, struct column_list list)
{
    put_number(out, list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        put_string(out, list.names[i]);
    }
}

static void put_column(struct buffer *out, const struct schema_column *column)
{
    put_string(out, column->name);
    put_number(out, column->type.kind);
    put_number(out, column->type.precision);
    put_number(out, column->type.scale);
    put_number(out, column->type.zoned | column->type.dynamic << 1);
    put_string(out, column->type.native);
    put_number(out, column->not_null | column->hidden << 1 | column->identity << 2);
    put_number(out, column->generated);
    put_string(out, column->default_text);
    put_string(out, column->collation);
}

static void put_table(struct buffer *out, const struct schema_table *table)
{
    put_number(out, table->kind);
    put_string(out, table->name);
    put_number(out, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        put_column(out, &table->columns[i]);
    }
    put_list(out, table->primary_key);
    put_number(out, table->primary_key_not_null | table->row_key_stable << 1);
    put_string(out, table->row_key);
    put_number(out, table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        put_string(out, index->name);
        put_list(out, index->columns);
        put_number(out, index->unique | index->partial << 1 | index->implied << 2);
        put_string(out, index->native_sql);
    }
    put_number(out, table->foreign_key_count);
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        put_string(out, key->name);
        put_list(out, key->columns);
        put_string(out, key->references);
        put_list(out, key->referenced_columns);
        put_string(out, key->on_delete);
        put_string(out, key->on_update);
        put_number(out, key->deferrable);
    }
    put_number(out, table->check_count);
    for (uint32_t i = 0; i < table->check_count; i++) {
        put_string(out, table->checks[i]);
    }
    /* not native_sql: columns in another order are the same table */
}

const char *schema_object_word(const struct schema_object *object)
{
    if (object->what != NULL) {
        return object->what;
    }
    switch (object->kind) {
    case SCHEMA_OBJECT_VIEW:
        return "view";
    case SCHEMA_OBJECT_TRIGGER:
        return "trigger";
    case SCHEMA_OBJECT_SEQUENCE:
        return "sequence";
    default:
        return "object";
    }
}

bool schema_object_is_code(const struct schema_object *object)
{
    static const char *const kinds[] = {
        "function", "procedure",     "window function",   "aggregate", "materialized view", "rule",
        "event",    "event trigger", "default of a view", "package",   "package body"};
    bool code = object->kind == SCHEMA_OBJECT_VIEW || object->kind == SCHEMA_OBJECT_TRIGGER;
    for (size_t i = 0; !code && i < sizeof kinds / sizeof kinds[0]; i++) {
        code = object->what != NULL && strcmp(object->what, kinds[i]) == 0;
    }
    return code;
}

bool schema_object_makes_records(const struct schema_object *object)
{
    return object->kind == SCHEMA_OBJECT_VIEW ||
           (object->kind == SCHEMA_OBJECT_OTHER && object->stage == SCHEMA_BEFORE_TABLES);
}

void schema_fingerprint(const struct schema *schema, bool views, char hex[33])
{
    struct buffer text = {0};
    uint32_t counted = 0;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (views || schema->tables[i].kind == SCHEMA_TABLE) {
            put_table(&text, &schema->tables[i]);
            counted++;
        }
    }
    put_number(&text, counted);
    for (uint32_t i = 0; views && i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        if (schema_object_makes_records(object)) {
            put_number(&text, object->kind);
            put_string(&text, object->name);
            put_string(&text, object->table);
            put_string(&text, object->native_sql);
        }
    }
    XXH128_hash_t hash = XXH3_128bits(text.data, text.length);
    text_from_hash(hash.high64, hash.low64, hex);
    buffer_free(&text);
}

/* --- inventory --- */

static bool find_role(const char *word, enum schema_inventory_role *role)
{
    static const char *const words[INVENTORY_ROLES] = {
        [INVENTORY_NONE] = "",
        [INVENTORY_ALWAYS] = "always",
        [INVENTORY_PRIMARY_KEY] = "primary key",
        [INVENTORY_INDEX] = "index",
        [INVENTORY_UNIQUE_INDEX] = "unique index",
        [INVENTORY_UNIQUE_CONSTRAINT] = "unique constraint",
        [INVENTORY_FOREIGN_KEY] = "foreign key",
        [INVENTORY_FOREIGN_KEY_TRIGGER] = "foreign key trigger",
    };
    uint32_t found = 0;
    while (found < INVENTORY_ROLES && strcmp(words[found], word) != 0) {
        found++;
    }
    *role = (enum schema_inventory_role)found;
    return found < INVENTORY_ROLES;
}

enum status schema_count_objects(const struct schema *schema, const char *catalog, const char *what,
                                 const char *digits, const char *role, struct schema_inventory *row)
{
    *row = (struct schema_inventory){.catalog = catalog, .what = what};
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        row->left_out += object->native_sql == NULL && object->native_query == NULL &&
                         object->what != NULL && strcmp(object->what, what) == 0;
    }
    return find_role(role, &row->role) ? text_to_uint64(digits, strlen(digits), &row->total)
                                       : STATUS_FAILED;
}

/* --- keys --- */

bool column_list_is_equal(struct column_list left, struct column_list right)
{
    bool equal = left.count == right.count;
    for (uint32_t i = 0; equal && i < left.count; i++) {
        equal = strcmp(left.names[i], right.names[i]) == 0;
    }
    return equal;
}

bool column_list_holds(struct column_list columns, const char *name)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (strcmp(columns.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool schema_is_primary_index(const struct schema_table *table, const struct schema_index *index)
{
    return index->implied && index->unique && table->primary_key.count > 0 &&
           column_list_is_equal(index->columns, table->primary_key);
}

const struct schema_foreign_key *schema_find_foreign_key(const struct schema_table *from,
                                                         const char *to, bool *ambiguous)
{
    const struct schema_foreign_key *found = NULL;
    *ambiguous = false;
    for (uint32_t i = 0; i < from->foreign_key_count; i++) {
        if (strcmp(from->foreign_keys[i].references, to) == 0) {
            if (found != NULL) {
                *ambiguous = true;
                return NULL;
            }
            found = &from->foreign_keys[i];
        }
    }
    return found;
}

static bool is_same_set(struct column_list left, struct column_list right)
{
    for (uint32_t i = 0; i < left.count; i++) {
        if (!column_list_holds(right, left.names[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < right.count; i++) {
        if (!column_list_holds(left, right.names[i])) {
            return false;
        }
    }
    return left.count > 0 && right.count > 0;
}

bool schema_columns_not_null(const struct schema_table *table, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        int column = schema_find_column(table, columns.names[i]);
        if (column < 0 || !table->columns[column].not_null) {
            return false;
        }
    }
    return true;
}

bool schema_is_unique(const struct schema_table *table, struct column_list columns)
{
    bool unique = is_same_set(table->primary_key, columns);
    for (uint32_t i = 0; !unique && i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        unique = index->unique && !index->partial && is_same_set(index->columns, columns);
    }
    return unique;
}

static bool tells_rows_apart(const struct schema_table *table, const struct schema_index *index)
{
    return index->unique && !index->partial && !index->deferrable && index->method == NULL &&
           index->columns.count > 0 && schema_columns_not_null(table, index->columns);
}

struct column_list schema_row_key(const struct schema_table *table)
{
    struct column_list found = table->primary_key;
    bool identity = false;
    for (uint32_t i = 0; table->primary_key.count == 0 && i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        if (tells_rows_apart(table, index) &&
            (found.count == 0 || (index->identity && !identity))) {
            found = index->columns;
            identity = index->identity;
        }
    }
    return table->has_heirs ? table->primary_key : found;
}

bool schema_is_unique_key(const struct schema_table *table, struct column_list columns)
{
    return schema_is_unique(table, columns) &&
           (schema_columns_not_null(table, columns) ||
            (table->primary_key_not_null && is_same_set(table->primary_key, columns)));
}
