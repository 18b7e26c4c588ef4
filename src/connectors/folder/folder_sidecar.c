/* Reading and writing the files that keep a table's column types. */
#include "connectors/folder/folder_sidecar.h"

#include "base/file.h"
#include "base/name_index.h"
#include "base/text.h"
#include "connectors/folder/folder.h"
#include "model/json_tree.h"
#include <jansson.h>
#include <string.h>

enum { SIDECAR_FORMAT = 1, SIDECAR_BYTES_MAX = 64 * 1024 * 1024 };
enum { PRECISION_MAX = 1000000 };

/* ---------------------------------------------------------------- writing */

static json_t *json_of_names(const struct column_list *names)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < names->count; at++) {
        if (json_array_append_new(list, json_string(names->names[at])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool folder_sidecar_set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

static json_t *json_of_column(const struct schema_column *column)
{
    const struct value_type *type = &column->type;
    json_t *object = json_object();
    bool done = folder_sidecar_set(object, "name", json_string(column->name)) &&
                folder_sidecar_set(object, "type", json_string(value_kind_name(type->kind))) &&
                (type->precision == 0 ||
                 folder_sidecar_set(object, "precision", json_integer(type->precision))) &&
                (type->kind != VALUE_DECIMAL || type->precision == 0 ||
                 folder_sidecar_set(object, "scale", json_integer(type->scale))) &&
                (!type->zoned || folder_sidecar_set(object, "zoned", json_true())) &&
                (!type->dynamic || folder_sidecar_set(object, "dynamic", json_true())) &&
                (!column->not_null || folder_sidecar_set(object, "null", json_false())) &&
                (type->native == NULL || !text_is_utf8(type->native, strlen(type->native)) ||
                 folder_sidecar_set(object, "native", json_string(type->native)));
    if (!done) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *json_of_index(const struct target_index *index)
{
    json_t *object = json_object();
    bool done = folder_sidecar_set(object, "name", json_string(index->name)) &&
                folder_sidecar_set(object, "columns", json_of_names(&index->columns)) &&
                (!index->unique || folder_sidecar_set(object, "unique", json_true()));
    if (!done) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *json_of_reference(const struct target_reference *reference)
{
    json_t *object = json_object();
    bool done = folder_sidecar_set(object, "columns", json_of_names(&reference->columns)) &&
                folder_sidecar_set(object, "table", json_string(reference->table)) &&
                folder_sidecar_set(object, "to", json_of_names(&reference->referenced_columns)) &&
                (reference->on_delete == NULL ||
                 folder_sidecar_set(object, "on_delete", json_string(reference->on_delete))) &&
                (reference->on_update == NULL ||
                 folder_sidecar_set(object, "on_update", json_string(reference->on_update)));
    if (!done) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* The key's own index, which every database makes by itself. */
static bool is_of_key(const struct target_table *table, const struct target_index *index)
{
    bool same = index->unique && index->columns.count == table->key.count;
    for (uint32_t at = 0; same && at < table->key.count; at++) {
        same = strcmp(index->columns.names[at], table->key.names[at]) == 0;
    }
    return same;
}

static json_t *json_of_table(const struct target_table *table, bool tags, bool documents)
{
    json_t *root = json_object();
    json_t *columns = json_array();
    json_t *indexes = json_array();
    json_t *references = json_array();
    bool done = folder_sidecar_set(root, "format", json_integer(SIDECAR_FORMAT)) &&
                folder_sidecar_set(root, "table", json_string(table->name)) &&
                folder_sidecar_set(root, "tags", json_boolean(tags)) &&
                folder_sidecar_set(root, "documents", json_boolean(documents)) &&
                folder_sidecar_set(root, "key", json_of_names(&table->key));
    for (uint32_t at = 0; done && at < table->column_count; at++) {
        done = json_array_append_new(columns, json_of_column(&table->columns[at])) == 0;
    }
    for (uint32_t at = 0; done && at < table->index_count; at++) {
        done = is_of_key(table, &table->indexes[at]) ||
               json_array_append_new(indexes, json_of_index(&table->indexes[at])) == 0;
    }
    for (uint32_t at = 0; done && at < table->reference_count; at++) {
        const struct target_reference *reference = &table->references[at];
        /* SQLite keeps ones that no database could hold to */
        bool pairs = reference->columns.count == reference->referenced_columns.count;
        done = !pairs || json_array_append_new(references, json_of_reference(reference)) == 0;
    }
    done = folder_sidecar_set(root, "columns", columns) && done;
    done = folder_sidecar_set(root, "indexes", indexes) && done;
    done = folder_sidecar_set(root, "references", references) && done;
    if (!done) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static bool set_options(json_t *root, const struct folder_sidecar_option *options, uint32_t count)
{
    json_t *object = json_object();
    bool done = true;
    for (uint32_t at = 0; done && at < count; at++) {
        done = folder_sidecar_set(object, options[at].name, json_string(options[at].text));
    }
    if (!done) {
        json_decref(object);
        return false;
    }
    return folder_sidecar_set(root, "dialect", object);
}

enum status folder_sidecar_write(const char *path, const struct target_table *table, bool tags,
                                 bool documents, const struct folder_sidecar_option *options,
                                 uint32_t option_count, struct error *error)
{
    json_t *root = json_of_table(table, tags, documents);
    if (root != NULL && option_count > 0 && !set_options(root, options, option_count)) {
        json_decref(root);
        root = NULL;
    }
    struct buffer text = {0};
    enum status status = STATUS_FAILED;
    if (!json_tree_append(root, JSON_INDENT(1), &text)) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name,
                  "its definition can't be written: a name is not UTF-8");
    } else {
        status = file_write_atomic(path, text.data, text.length, "files.before_definition", error);
    }
    buffer_free(&text);
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    const char *path;
    struct arena *arena;
    struct error *error;
};

static enum status wrong(const struct reading *reading, const char *what)
{
    enum status status = error_set(reading->error, ERROR_SOURCE_INVALID, reading->path, "%s", what);
    error_hint(reading->error, "mend the file, or remove it: then types are learnt from the rows");
    return status;
}

/* A text member: NULL where there is none. False: it is no text. */
static bool read_text(const struct reading *reading, const json_t *object, const char *name,
                      const char **text)
{
    const json_t *member = json_object_get(object, name);
    *text = NULL;
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    if (!json_is_string(member)) {
        return false;
    }
    *text = arena_copy(reading->arena, json_string_value(member), json_string_length(member));
    return true;
}

static enum status read_names(const struct reading *reading, const json_t *list,
                              struct column_list *names)
{
    size_t count = json_array_size(list);
    const char **texts = arena_allocate_zeroed(reading->arena, count + 1, sizeof(*texts));
    if (list != NULL && !json_is_array(list)) {
        return wrong(reading, "a list of names is no list");
    }
    for (size_t at = 0; at < count; at++) {
        const json_t *name = json_array_get(list, at);
        if (!json_is_string(name)) {
            return wrong(reading, "a list of names holds something else");
        }
        texts[at] = arena_copy(reading->arena, json_string_value(name), json_string_length(name));
    }
    *names = (struct column_list){texts, (uint32_t)count};
    return STATUS_OK;
}

static bool read_number(const json_t *object, const char *name, int32_t *number)
{
    const json_t *member = json_object_get(object, name);
    json_int_t value = json_integer_value(member);
    *number = (int32_t)value;
    return member == NULL || (json_is_integer(member) && value >= 0 && value <= PRECISION_MAX);
}

static bool read_flag(const json_t *object, const char *name, bool otherwise, bool *flag)
{
    const json_t *member = json_object_get(object, name);
    *flag = member != NULL ? json_is_true(member) : otherwise;
    return member == NULL || json_is_boolean(member);
}

static bool is_declarable(enum value_kind kind)
{
    return kind != VALUE_KIND_COUNT && kind != VALUE_MISSING && kind != VALUE_NULL &&
           kind != VALUE_LARGE && kind != VALUE_ESCAPE;
}

static enum status read_column(const struct reading *reading, const json_t *object,
                               struct schema_column *column)
{
    const char *type = NULL;
    bool null = true;
    if (!json_is_object(object) || !read_text(reading, object, "name", &column->name) ||
        column->name == NULL) {
        return wrong(reading, "a column has no \"name\"");
    }
    if (!read_text(reading, object, "type", &type) || type == NULL) {
        return wrong(reading,
                     arena_format(reading->arena, "column \"%s\" has no \"type\"", column->name));
    }
    column->type.kind = value_kind_by_name(type);
    if (!is_declarable(column->type.kind)) {
        return wrong(reading, arena_format(reading->arena, "column \"%s\": \"%s\" is no type",
                                           column->name, type));
    }
    if (!read_number(object, "precision", &column->type.precision) ||
        !read_number(object, "scale", &column->type.scale) ||
        !read_flag(object, "zoned", false, &column->type.zoned) ||
        !read_flag(object, "dynamic", false, &column->type.dynamic) ||
        !read_flag(object, "null", true, &null) ||
        !read_text(reading, object, "native", &column->type.native)) {
        return wrong(reading,
                     arena_format(reading->arena, "column \"%s\": a member has a wrong value",
                                  column->name));
    }
    column->not_null = !null;
    return STATUS_OK;
}

static enum status read_columns(const struct reading *reading, const json_t *list,
                                struct folder_sidecar *sidecar)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > FOLDER_COLUMNS_MAX) {
        return wrong(reading, "there is no list \"columns\"");
    }
    struct schema_column *columns =
        arena_allocate_zeroed(reading->arena, count + 1, sizeof(*columns));
    struct name_index names = {.arena = reading->arena};
    for (size_t at = 0; at < count; at++) {
        if (read_column(reading, json_array_get(list, at), &columns[at]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        const char *name = columns[at].name;
        if (name_index_add(&names, name, strlen(name), (uint32_t)at) != NAME_INDEX_NONE) {
            return wrong(reading,
                         arena_format(reading->arena, "two columns are named \"%s\"", name));
        }
    }
    sidecar->columns = columns;
    sidecar->column_count = (uint32_t)count;
    return STATUS_OK;
}

static enum status read_indexes(const struct reading *reading, const json_t *list,
                                struct folder_sidecar *sidecar)
{
    size_t count = json_array_size(list);
    struct schema_index *indexes =
        arena_allocate_zeroed(reading->arena, count + 1, sizeof(*indexes));
    for (size_t at = 0; at < count; at++) {
        const json_t *object = json_array_get(list, at);
        if (!json_is_object(object) || !read_text(reading, object, "name", &indexes[at].name) ||
            indexes[at].name == NULL || !read_flag(object, "unique", false, &indexes[at].unique)) {
            return wrong(reading, "an index is not as it should be");
        }
        if (read_names(reading, json_object_get(object, "columns"), &indexes[at].columns) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    sidecar->indexes = indexes;
    sidecar->index_count = (uint32_t)count;
    return STATUS_OK;
}

static enum status read_references(const struct reading *reading, const json_t *list,
                                   struct folder_sidecar *sidecar)
{
    size_t count = json_array_size(list);
    struct schema_foreign_key *keys =
        arena_allocate_zeroed(reading->arena, count + 1, sizeof(*keys));
    for (size_t at = 0; at < count; at++) {
        const json_t *object = json_array_get(list, at);
        if (!json_is_object(object) || !read_text(reading, object, "table", &keys[at].references) ||
            keys[at].references == NULL ||
            !read_text(reading, object, "on_delete", &keys[at].on_delete) ||
            !read_text(reading, object, "on_update", &keys[at].on_update)) {
            return wrong(reading, "a reference is not as it should be");
        }
        if (read_names(reading, json_object_get(object, "columns"), &keys[at].columns) !=
                STATUS_OK ||
            read_names(reading, json_object_get(object, "to"), &keys[at].referenced_columns) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    sidecar->foreign_keys = keys;
    sidecar->foreign_key_count = (uint32_t)count;
    return STATUS_OK;
}

static enum status read_options(const struct reading *reading, json_t *object,
                                struct folder_sidecar *sidecar)
{
    const char *name = NULL;
    json_t *member = NULL;
    if (object == NULL) {
        return STATUS_OK;
    }
    if (!json_is_object(object)) {
        return wrong(reading, "\"dialect\" is no object");
    }
    struct folder_sidecar_option *options =
        arena_allocate_zeroed(reading->arena, json_object_size(object) + 1, sizeof(*options));
    json_object_foreach(object, name, member)
    {
        struct folder_sidecar_option *option = &options[sidecar->option_count++];
        option->name = arena_copy_string(reading->arena, name);
        if (!read_text(reading, object, name, &option->text) || option->text == NULL) {
            return wrong(reading, "an option of the dialect is no text");
        }
    }
    sidecar->options = options;
    return STATUS_OK;
}

static bool has_column(const struct folder_sidecar *sidecar, const char *name)
{
    for (uint32_t at = 0; at < sidecar->column_count; at++) {
        if (strcmp(sidecar->columns[at].name, name) == 0) {
            return true;
        }
    }
    return sidecar->documents;
}

static enum status read_root(const struct reading *reading, json_t *root,
                             struct folder_sidecar *sidecar)
{
    const json_t *format = json_object_get(root, "format");
    if (!json_is_object(root) || !json_is_integer(format)) {
        return wrong(reading, "it is no object with a number \"format\"");
    }
    if (json_integer_value(format) != SIDECAR_FORMAT) {
        return error_set(reading->error, ERROR_FORMAT_NEWER, reading->path,
                         "format %lld was written by a newer transhume; this one knows format %d",
                         (long long)json_integer_value(format), SIDECAR_FORMAT);
    }
    if (!read_flag(root, "tags", false, &sidecar->tags) ||
        !read_flag(root, "documents", false, &sidecar->documents)) {
        return wrong(reading, "\"tags\" and \"documents\" are true or false");
    }
    if (read_columns(reading, json_object_get(root, "columns"), sidecar) != STATUS_OK ||
        read_names(reading, json_object_get(root, "key"), &sidecar->key) != STATUS_OK ||
        read_indexes(reading, json_object_get(root, "indexes"), sidecar) != STATUS_OK ||
        read_references(reading, json_object_get(root, "references"), sidecar) != STATUS_OK ||
        read_options(reading, json_object_get(root, "dialect"), sidecar) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < sidecar->key.count; at++) {
        if (!has_column(sidecar, sidecar->key.names[at])) {
            return wrong(reading, arena_format(reading->arena, "the key \"%s\" is no column",
                                               sidecar->key.names[at]));
        }
    }
    return STATUS_OK;
}

enum status folder_sidecar_read(const char *path, struct arena *arena,
                                struct folder_sidecar *sidecar, struct error *error)
{
    const struct reading reading = {path, arena, error};
    char *text = NULL;
    size_t length = 0;
    *sidecar = (struct folder_sidecar){0};
    enum status status = file_read_all(path, SIDECAR_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    json_t *root = NULL;
    status = json_tree_parse(text, length, JSON_REJECT_DUPLICATES, path, ERROR_SOURCE_INVALID,
                             &root, error);
    if (status == STATUS_OK) {
        status = read_root(&reading, root, sidecar);
    } else {
        error_hint(error, "mend the file, or remove it: then types are learnt from the rows");
    }
    json_decref(root);
    return status;
}

void folder_sidecar_describe(const struct folder_sidecar *sidecar, struct schema_table *schema)
{
    schema->columns = sidecar->columns;
    schema->column_count = sidecar->column_count;
    schema->primary_key = sidecar->key;
    schema->primary_key_not_null = sidecar->key.count > 0;
    schema->indexes = sidecar->indexes;
    schema->index_count = sidecar->index_count;
    schema->foreign_keys = sidecar->foreign_keys;
    schema->foreign_key_count = sidecar->foreign_key_count;
}
