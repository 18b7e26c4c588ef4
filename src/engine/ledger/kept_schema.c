/* A schema as JSON lines, and back. */
#include "engine/ledger/kept_schema.h"

#include "base/memory.h"
#include "engine/ledger/json_members.h"
#include "engine/ledger/json_text.h"
#include "model/batch.h"
#include "model/json_tree.h"
#include "model/time_zone.h"
#include <stdlib.h>
#include <string.h>

enum { TYPE_DEPTH_MAX = 32, COLUMNS_MAX = 1 << 20 };

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

/* ---------------------------------------------------------------- what is kept */

#define FLAG(structure, member)                                        \
    {                                                                  \
#member, JSON_FORM_FLAG, offsetof(struct structure, member), 1 \
    }
#define TEXT(structure, member)                                        \
    {                                                                  \
#member, JSON_FORM_TEXT, offsetof(struct structure, member), 0 \
    }
#define NAMES(structure, member)                                        \
    {                                                                   \
#member, JSON_FORM_NAMES, offsetof(struct structure, member), 0 \
    }
#define CHOICE(structure, member, last)                                     \
    {                                                                       \
#member, JSON_FORM_CHOICE, offsetof(struct structure, member), last \
    }

_Static_assert(sizeof(enum schema_table_kind) == sizeof(uint32_t), "enums are read as numbers");

/* Besides: kind, zone, element, key, fields. */
static const struct json_member type_members[] = {
    {"precision", JSON_FORM_NUMBER, offsetof(struct value_type, precision), INT32_MAX},
    {"scale", JSON_FORM_NUMBER, offsetof(struct value_type, scale), INT32_MAX},
    {"bits", JSON_FORM_BYTE, offsetof(struct value_type, bits), UINT8_MAX},
    {"fraction", JSON_FORM_BYTE, offsetof(struct value_type, fraction), UINT8_MAX},
    FLAG(value_type, zoned),
    FLAG(value_type, utc),
    FLAG(value_type, dynamic),
    FLAG(value_type, untyped),
    FLAG(value_type, truth),
    FLAG(value_type, length),
    FLAG(value_type, dates),
    FLAG(value_type, moments),
    FLAG(value_type, spellings),
    FLAG(value_type, zero_days),
    FLAG(value_type, no_nul),
    FLAG(value_type, plain_strings),
    CHOICE(value_type, layout, TEXT_BARE),
    CHOICE(value_type, epoch, EPOCH_NANOSECONDS),
    TEXT(value_type, native),
};

/* Besides: name, type. */
static const struct json_member column_members[] = {
    FLAG(schema_column, not_null),
    FLAG(schema_column, hidden),
    FLAG(schema_column, derived),
    FLAG(schema_column, identity),
    FLAG(schema_column, type_made),
    CHOICE(schema_column, generated, GENERATED_VIRTUAL),
    CHOICE(schema_column, default_kind, SCHEMA_DEFAULT_COUNTER),
    TEXT(schema_column, default_text),
    TEXT(schema_column, default_value),
    TEXT(schema_column, collation),
    TEXT(schema_column, loose),
    TEXT(schema_column, extra),
    TEXT(schema_column, base),
    {"number", JSON_FORM_COUNT, offsetof(struct schema_column, number), UINT32_MAX},
    {"place", JSON_FORM_COUNT, offsetof(struct schema_column, place), UINT32_MAX},
    TEXT(schema_column, stamp),
};

/* Besides: name. */
static const struct json_member index_members[] = {
    NAMES(schema_index, columns),    FLAG(schema_index, unique),  FLAG(schema_index, partial),
    NAMES(schema_index, beginnings), FLAG(schema_index, implied), FLAG(schema_index, local),
    FLAG(schema_index, deferrable),  TEXT(schema_index, method),  TEXT(schema_index, details),
    FLAG(schema_index, identity),
};

/* Besides: name. */
static const struct json_member foreign_key_members[] = {
    NAMES(schema_foreign_key, columns),          TEXT(schema_foreign_key, references),
    TEXT(schema_foreign_key, references_schema), NAMES(schema_foreign_key, referenced_columns),
    TEXT(schema_foreign_key, on_delete),         TEXT(schema_foreign_key, on_update),
    FLAG(schema_foreign_key, deferrable),        TEXT(schema_foreign_key, details),
};

/* Besides: name, key_shape.descending. */
static const struct json_member table_members[] = {
    CHOICE(schema_table, kind, SCHEMA_QUERY),
    {"key", JSON_FORM_NAMES, offsetof(struct schema_table, primary_key), 0},
    {"partition_count", JSON_FORM_COUNT, offsetof(struct schema_table, key_shape.partition_count),
     UINT32_MAX},
    {"static_columns", JSON_FORM_NAMES, offsetof(struct schema_table, key_shape.static_columns), 0},
    FLAG(schema_table, primary_key_not_null),
    FLAG(schema_table, has_heirs),
    TEXT(schema_table, row_key),
    FLAG(schema_table, row_key_stable),
    TEXT(schema_table, details),
    TEXT(schema_table, belongs_to),
    TEXT(schema_table, mark),
    TEXT(schema_table, stamp),
    TEXT(schema_table, form),
};

/* ---------------------------------------------------------------- writing */

static json_t *type_make(const struct value_type *type, uint32_t depth)
{
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(value_kind_name(type->kind)));
    json_members_add(object, type, type_members, COUNT_OF(type_members));
    if (type->zone != NULL) {
        json_object_set_new(object, "zone", json_text(time_zone_name(type->zone)));
    }
    if (depth == TYPE_DEPTH_MAX) {
        return object; /* nothing that is nested so deep is told apart */
    }
    if (type->element != NULL) {
        json_object_set_new(object, "element", type_make(type->element, depth + 1));
    }
    if (type->key != NULL) {
        json_object_set_new(object, "map_key", type_make(type->key, depth + 1));
    }
    if (type->fields != NULL) {
        json_t *fields = json_array();
        for (uint32_t i = 0; i < type->fields->field_count; i++) {
            const struct shape_field *field = &type->fields->fields[i];
            json_t *made = json_object();
            json_object_set_new(made, "name", json_text(field->name));
            json_object_set_new(made, "type", type_make(&field->type, depth + 1));
            json_array_append_new(fields, made);
        }
        json_object_set_new(object, "record", json_text(type->fields->name));
        json_object_set_new(object, "fields", fields);
    }
    return object;
}

static void append_column(const struct schema_column *column, struct buffer *out)
{
    json_t *line = json_object();
    json_object_set_new(line, "column", json_text(column->name));
    json_object_set_new(line, "type", type_make(&column->type, 0));
    json_members_add(line, column, column_members, COUNT_OF(column_members));
    json_tree_append_line(line, out);
}

static void append_named(const char *what, const char *name, const void *from,
                         const struct json_member *members, size_t count, struct buffer *out)
{
    json_t *line = json_object();
    json_object_set_new(line, what, json_text(name));
    json_members_add(line, from, members, count);
    json_tree_append_line(line, out);
}

/* A letter for each column of the key: d of those that descend. */
static json_t *descending_make(const struct schema_table *table)
{
    struct buffer letters = {0};
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        buffer_append_byte(&letters, table->key_shape.descending[i] ? 'd' : 'a');
    }
    json_t *made = json_string(buffer_string(&letters));
    buffer_free(&letters);
    return made;
}

void kept_table_append(const struct schema_table *table, struct buffer *out)
{
    json_t *line = json_object();
    json_object_set_new(line, "table", json_text(table->name));
    json_members_add(line, table, table_members, COUNT_OF(table_members));
    if (table->key_shape.descending != NULL) {
        json_object_set_new(line, "descending", descending_make(table));
    }
    json_tree_append_line(line, out);
    for (uint32_t i = 0; i < table->column_count; i++) {
        append_column(&table->columns[i], out);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        append_named("index", index->name, index, index_members, COUNT_OF(index_members), out);
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        append_named("foreign_key", key->name, key, foreign_key_members,
                     COUNT_OF(foreign_key_members), out);
    }
}

void kept_schema_append(const struct schema *schema, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        kept_table_append(&schema->tables[i], out);
    }
}

/* ---------------------------------------------------------------- reading */

/* A list that grows by one, copied to the arena once it is complete. */
struct kept_list {
    struct buffer items;
    uint32_t count;
};

struct kept_schema_reader {
    struct arena *arena;
    struct kept_list tables;
    struct schema_table table; /* the last one of `tables`, while its parts come */
    bool has_table;
    struct kept_list columns;
    struct kept_list indexes;
    struct kept_list foreign_keys;
};

struct kept_schema_reader *kept_schema_reader_create(struct arena *arena)
{
    struct kept_schema_reader *reader = memory_allocate_zeroed(1, sizeof *reader);
    reader->arena = arena;
    return reader;
}

void kept_schema_reader_destroy(struct kept_schema_reader *reader)
{
    if (reader != NULL) {
        buffer_free(&reader->tables.items);
        buffer_free(&reader->columns.items);
        buffer_free(&reader->indexes.items);
        buffer_free(&reader->foreign_keys.items);
        free(reader);
    }
}

static void list_add(struct kept_list *list, const void *item, size_t size)
{
    buffer_append(&list->items, item, size);
    list->count++;
}

static const void *list_end(struct kept_list *list, struct arena *arena)
{
    const void *copy = arena_copy(arena, list->items.data, list->items.length);
    buffer_clear(&list->items);
    list->count = 0;
    return copy;
}

static enum status is_damaged(const char *what, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, "ledger", "what it keeps of a schema is damaged: %s",
              what);
    return error_hint(error, "the ledger was edited or its store is damaged: restore the target "
                             "from a backup, or empty it, `transhume reset --confirm`, and migrate "
                             "again");
}

static enum status type_take(const json_t *object, struct value_type *type, uint32_t depth,
                             struct arena *arena, struct error *error);

static enum status type_take_inner(const json_t *object, const struct value_type **type,
                                   uint32_t depth, struct arena *arena, struct error *error)
{
    *type = NULL;
    if (object == NULL) {
        return STATUS_OK;
    }
    struct value_type *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    *type = made;
    return type_take(object, made, depth + 1, arena, error);
}

static enum status fields_take(const json_t *object, const struct shape **shape, uint32_t depth,
                               struct arena *arena, struct error *error)
{
    const json_t *list = json_object_get(object, "fields");
    size_t count = json_array_size(list);
    const char *record = json_member_text(object, "record", NULL);
    if (list == NULL) {
        return STATUS_OK;
    }
    if (!json_is_array(list) || count > COLUMNS_MAX) {
        return is_damaged("the fields of a type", error);
    }
    struct shape *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    struct shape_field *fields = arena_allocate_zeroed(arena, count + 1, sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_member_text(item, "name", NULL);
        if (name == NULL) {
            return is_damaged("a field has no name", error);
        }
        fields[i].name = arena_copy_string(arena, name);
        fields[i].name_length = (uint32_t)strlen(name);
        if (type_take(json_object_get(item, "type"), &fields[i].type, depth + 1, arena, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    made->name = record != NULL ? arena_copy_string(arena, record) : NULL;
    made->fields = fields;
    made->field_count = (uint32_t)count;
    *shape = made;
    return STATUS_OK;
}

static enum status type_take(const json_t *object, struct value_type *type, uint32_t depth,
                             struct arena *arena, struct error *error)
{
    enum value_kind kind = value_kind_by_name(json_member_text(object, "kind", ""));
    const char *zone = json_member_text(object, "zone", NULL);
    *type = (struct value_type){.kind = kind};
    if (kind == VALUE_KIND_COUNT || depth > TYPE_DEPTH_MAX ||
        !json_members_take(object, type, type_members, COUNT_OF(type_members), arena)) {
        return is_damaged("a type", error);
    }
    if (zone != NULL && time_zone_make(zone, arena, &type->zone, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return type_take_inner(json_object_get(object, "element"), &type->element, depth, arena,
                           error) == STATUS_OK &&
                   type_take_inner(json_object_get(object, "map_key"), &type->key, depth, arena,
                                   error) == STATUS_OK
               ? fields_take(object, &type->fields, depth, arena, error)
               : STATUS_FAILED;
}

/* The parts that were read since the last table are its own. */
static void finish_table(struct kept_schema_reader *reader)
{
    struct schema_table *table = &reader->table;
    if (!reader->has_table) {
        return;
    }
    table->column_count = reader->columns.count;
    table->index_count = reader->indexes.count;
    table->foreign_key_count = reader->foreign_keys.count;
    table->columns = list_end(&reader->columns, reader->arena);
    table->indexes = list_end(&reader->indexes, reader->arena);
    table->foreign_keys = list_end(&reader->foreign_keys, reader->arena);
    list_add(&reader->tables, table, sizeof *table);
    reader->has_table = false;
}

static enum status take_table(struct kept_schema_reader *reader, const json_t *line,
                              const char *name, struct error *error)
{
    finish_table(reader);
    struct schema_table *table = &reader->table;
    const char *letters = json_member_text(line, "descending", NULL);
    *table =
        (struct schema_table){.name = name, .row_count = -1, .size_bytes = -1, .long_bytes = -1};
    if (!json_members_take(line, table, table_members, COUNT_OF(table_members), reader->arena) ||
        (name == NULL && table->kind != SCHEMA_QUERY) ||
        table->key_shape.partition_count > table->primary_key.count ||
        (letters != NULL && strlen(letters) != table->primary_key.count)) {
        return is_damaged("a table", error);
    }
    if (letters != NULL) {
        bool *descending =
            arena_allocate_zeroed(reader->arena, table->primary_key.count + 1u, sizeof *descending);
        for (uint32_t i = 0; i < table->primary_key.count; i++) {
            descending[i] = letters[i] == 'd';
        }
        table->key_shape.descending = descending;
    }
    reader->has_table = true;
    return STATUS_OK;
}

static enum status take_column(struct kept_schema_reader *reader, const json_t *line,
                               const char *name, struct error *error)
{
    struct schema_column column = {0};
    if (reader->columns.count == COLUMNS_MAX ||
        !json_members_take(line, &column, column_members, COUNT_OF(column_members),
                           reader->arena)) {
        return is_damaged("a column", error);
    }
    column.name = name;
    if (type_take(json_object_get(line, "type"), &column.type, 0, reader->arena, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    list_add(&reader->columns, &column, sizeof column);
    return STATUS_OK;
}

static enum status take_index(struct kept_schema_reader *reader, const json_t *line,
                              const char *name, struct error *error)
{
    struct schema_index index = {0};
    if (!json_members_take(line, &index, index_members, COUNT_OF(index_members), reader->arena)) {
        return is_damaged("an index", error);
    }
    index.name = name;
    list_add(&reader->indexes, &index, sizeof index);
    return STATUS_OK;
}

static enum status take_foreign_key(struct kept_schema_reader *reader, const json_t *line,
                                    const char *name, struct error *error)
{
    struct schema_foreign_key key = {0};
    if (!json_members_take(line, &key, foreign_key_members, COUNT_OF(foreign_key_members),
                           reader->arena) ||
        key.references == NULL) {
        return is_damaged("a foreign key", error);
    }
    key.name = name;
    list_add(&reader->foreign_keys, &key, sizeof key);
    return STATUS_OK;
}

enum status kept_schema_reader_take(struct kept_schema_reader *reader, const json_t *line,
                                    struct error *error)
{
    static const struct {
        const char *what;
        bool is_named;
        enum status (*take)(struct kept_schema_reader *reader, const json_t *line, const char *name,
                            struct error *error);
    } kinds[] = {{"table", false, take_table},
                 {"column", true, take_column},
                 {"index", false, take_index},
                 {"foreign_key", false, take_foreign_key}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const json_t *value = json_object_get(line, kinds[i].what);
        const char *name = json_string_value(value);
        if (value == NULL) {
            continue;
        }
        if ((name == NULL && (kinds[i].is_named || !json_is_null(value))) ||
            (i > 0 && !reader->has_table)) {
            return is_damaged("a line that has no name, or no table", error);
        }
        name = name != NULL ? arena_copy_string(reader->arena, name) : NULL;
        return kinds[i].take(reader, line, name, error);
    }
    return STATUS_END;
}

struct schema *kept_schema_reader_end(struct kept_schema_reader *reader)
{
    finish_table(reader);
    struct schema *schema = arena_allocate_zeroed(reader->arena, 1, sizeof *schema);
    schema->arena = reader->arena;
    schema->table_count = reader->tables.count;
    schema->tables = list_end(&reader->tables, reader->arena);
    return schema;
}
