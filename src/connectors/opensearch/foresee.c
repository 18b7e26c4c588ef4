/*
 * Would the index take a document? The server has no way to ask without writing, so its rules are
 * here and in foresee_type.c: those of OpenSearch 2 and Elasticsearch 8.
 */
#include "connectors/opensearch/foresee.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/json_tree.h"
#include <stdlib.h>

enum { DEPTH_MAX = 20, WHY_BYTES = 512 };

struct judging {
    struct arena *arena;
    struct buffer path;
    bool parsing; /* the refusal is one of a parser */
    char why[WHY_BYTES];
};

/* ---------------------------------------------------------------- values */

static bool judge_value(struct judging *judging, const json_t *property, const struct cell *cell,
                        uint32_t depth, bool listed);

static bool judge_fields(struct judging *judging, const json_t *mapping, const struct cell *map,
                         uint32_t depth)
{
    const json_t *properties = json_object_get(mapping, "properties");
    const char *dynamic = json_string_value(json_object_get(mapping, "dynamic"));
    for (uint32_t at = 0; at < map->length; at++) {
        const struct cell *name = &map->items[2 * (size_t)at];
        size_t before = judging->path.length;
        if (name->kind != VALUE_TEXT) {
            continue;
        }
        const char *known = arena_copy(judging->arena, name->text, name->length);
        const json_t *property = json_object_get(properties, known);
        buffer_format(&judging->path, "%s%s", before > 0 ? "." : "", known);
        if (property == NULL && dynamic != NULL && strcmp(dynamic, "strict") == 0) {
            judging->parsing = false;
            snprintf(judging->why, sizeof(judging->why),
                     "strict_dynamic_mapping_exception: mapping set to strict, dynamic "
                     "introduction of [%s] within [_doc] is not allowed",
                     known);
            return false;
        }
        if (property != NULL && !judge_value(judging, property, name + 1, depth + 1, false)) {
            return false;
        }
        judging->path.length = before;
    }
    return true;
}

static bool refuse_concrete(struct judging *judging, bool listed)
{
    const char *path = buffer_string(&judging->path);
    const char *last = strrchr(path, '.');
    judging->parsing = true;
    snprintf(judging->why, sizeof(judging->why),
             "mapper_parsing_exception: object mapping for [%s] tried to parse field [%s] as "
             "object, but found a concrete value",
             path,
             listed         ? "null"
             : last != NULL ? last + 1
                            : path);
    return false;
}

static bool judge_token(struct judging *judging, const json_t *property,
                        const struct opensearch_token *value, uint32_t depth, bool listed)
{
    const char *type = json_string_value(json_object_get(property, "type"));
    type = type != NULL ? type : "object";
    if (value->token == TOKEN_NULL || json_is_false(json_object_get(property, "enabled"))) {
        return true;
    }
    if (strcmp(type, "object") == 0 || strcmp(type, "nested") == 0) {
        return value->token == TOKEN_OBJECT ? judge_fields(judging, property, value->object, depth)
                                            : refuse_concrete(judging, listed);
    }
    judging->parsing = true;
    if (opensearch_type_takes(property, type, value, &judging->parsing) ||
        json_is_true(json_object_get(property, "ignore_malformed"))) {
        return true;
    }
    snprintf(judging->why, sizeof(judging->why),
             judging->parsing
                 ? "mapper_parsing_exception: failed to parse field [%s] of type [%s]"
                 : "illegal_argument_exception: Document contains at least one immense term in "
                   "field=\"%s\"",
             buffer_string(&judging->path), type);
    return false;
}

static struct opensearch_token scalar_token(struct judging *judging, const struct cell *cell)
{
    struct buffer json = {0};
    struct error ignored;
    struct opensearch_token value = {0};
    if (cell->kind <= VALUE_NULL) {
        return value;
    }
    value.token = cell->kind == VALUE_BOOL                            ? TOKEN_BOOL
                  : value_kind_is_number((enum value_kind)cell->kind) ? TOKEN_NUMBER
                                                                      : TOKEN_TEXT;
    if (cell->kind == VALUE_TEXT) {
        value.text = (struct text){cell->text, cell->length};
        return value;
    }
    if (opensearch_value_append(cell, &json, &ignored) == STATUS_OK) {
        size_t quotes = value.token == TOKEN_TEXT && json.length >= 2 ? 1 : 0;
        value.text.length = json.length - 2 * quotes;
        value.text.data = arena_copy(judging->arena, json.data + quotes, value.text.length);
    }
    buffer_free(&json);
    return value;
}

/* A map with other keys is an array of pairs in JSON. */
static bool has_names(const struct cell *map)
{
    bool all = true;
    for (uint32_t at = 0; at < map->length; at++) {
        all = all && map->items[2 * (size_t)at].kind == VALUE_TEXT;
    }
    return all;
}

static bool judge_value(struct judging *judging, const json_t *property, const struct cell *cell,
                        uint32_t depth, bool listed)
{
    struct cell read;
    struct error ignored;
    if (depth > DEPTH_MAX || cell->kind == VALUE_LARGE || cell->kind == VALUE_ESCAPE) {
        return true;
    }
    if (cell->kind == VALUE_JSON) {
        return convert_read_json(cell->text, cell->length, judging->arena, &read, &ignored) !=
                   STATUS_OK ||
               judge_value(judging, property, &read, depth + 1, listed);
    }
    bool pairs = cell->kind == VALUE_MAP && !has_names(cell);
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || pairs) {
        for (uint32_t at = 0; at < (pairs ? 2 * cell->length : cell->length); at++) {
            if (!judge_value(judging, property, &cell->items[at], depth + 1, true)) {
                return false;
            }
        }
        return true;
    }
    const struct opensearch_token value = cell->kind == VALUE_MAP
                                              ? (struct opensearch_token){TOKEN_OBJECT, {0}, cell}
                                              : scalar_token(judging, cell);
    return judge_token(judging, property, &value, depth, listed);
}

/* ---------------------------------------------------------------- names that repeat */

static bool has_repeated(struct judging *judging, const struct cell *cell, uint32_t depth);

static bool repeats(struct judging *judging, const struct cell *map)
{
    struct name_index names = {.arena = judging->arena};
    for (uint32_t at = 0; at < map->length; at++) {
        const struct cell *name = &map->items[2 * (size_t)at];
        if (name->kind != VALUE_TEXT) {
            return false;
        }
        if (name_index_add(&names, name->text, name->length, at) != NAME_INDEX_NONE) {
            snprintf(judging->why, sizeof(judging->why),
                     "mapper_parsing_exception: failed to parse: Duplicate field '%.*s'",
                     (int)(name->length < 100 ? name->length : 100), name->text);
            return true;
        }
    }
    return false;
}

/* The server's parser takes no name twice in one object, wherever it is. */
static bool has_repeated(struct judging *judging, const struct cell *cell, uint32_t depth)
{
    struct cell read;
    struct error ignored;
    if (cell->kind == VALUE_JSON) {
        return convert_read_json(cell->text, cell->length, judging->arena, &read, &ignored) ==
                   STATUS_OK &&
               has_repeated(judging, &read, depth);
    }
    if (depth > DEPTH_MAX || cell->kind < VALUE_LIST || cell->kind > VALUE_MAP) {
        return false;
    }
    bool map = cell->kind == VALUE_MAP;
    bool found = map && repeats(judging, cell);
    size_t count = map ? 2 * (size_t)cell->length : cell->length;
    for (size_t at = 0; at < count && !found; at++) {
        found = has_repeated(judging, &cell->items[at], depth + 1);
    }
    return found;
}

/* ---------------------------------------------------------------- documents */

static enum status field_refuse(const struct judging *judging, const struct keyed_record *record,
                                struct text name, struct error *error)
{
    struct buffer id = {0};
    struct error ignored;
    char shown[80];
    bool named = judging->parsing && strstr(judging->why, "failed to parse field") != NULL &&
                 opensearch_id_append(record->table, record->key, &id, &ignored) == STATUS_OK;
    error_set(error, judging->parsing ? ERROR_REJECT_TYPE : ERROR_REJECT_CONSTRAINT, NULL,
              named ? "%s in document with id '%.*s'" : "%s", judging->why, (int)id.length,
              id.data);
    text_printable(name.data, name.length, shown, sizeof(shown));
    buffer_free(&id);
    return error_name_object(error, shown);
}

enum status opensearch_foresee(const json_t *mapping, const struct keyed_record *record,
                               struct error *error)
{
    uint32_t count = record->shape != NULL ? record->shape->field_count : record->cells->length;
    struct judging judging = {.arena = arena_create(0)};
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct cell *pair =
            record->shape != NULL ? NULL : &record->cells->items[2 * (size_t)at];
        const struct shape_field *field = record->shape != NULL ? &record->shape->fields[at] : NULL;
        const struct text name = field != NULL ? (struct text){field->name, field->name_length}
                                               : (struct text){pair != NULL ? pair->text : "",
                                                               pair != NULL ? pair->length : 0};
        struct cell items[2] = {cell_text(name.data, name.length),
                                field != NULL ? record->cells[at] : pair[1]};
        const struct cell one = {.kind = VALUE_MAP, .length = 1, .items = items};
        buffer_clear(&judging.path);
        judging.parsing = true;
        bool is_id = name.length == sizeof(OPENSEARCH_ID) - 1 &&
                     memcmp(name.data, OPENSEARCH_ID, name.length) == 0;
        if (items[1].kind > VALUE_NULL && !is_id &&
            (has_repeated(&judging, &items[1], 0) || !judge_fields(&judging, mapping, &one, 0))) {
            status = field_refuse(&judging, record, name, error);
        }
    }
    buffer_free(&judging.path);
    arena_destroy(judging.arena);
    return status;
}

enum status opensearch_foresee_mapping(struct opensearch_database *self,
                                       const struct target_table *table, json_t **mapping,
                                       struct error *error)
{
    struct buffer body = {0};
    json_error_t ignored;
    struct opensearch_index *index = NULL;
    json_t *root = NULL;
    *mapping = NULL;
    if (table->created) {
        opensearch_create_append(self, table, "", &body);
        root = json_tree_load(body.data, body.length, JSON_ALLOW_NUL, &ignored);
        *mapping = json_incref(json_object_get(root, "mappings"));
        json_decref(root);
        buffer_free(&body);
        return *mapping != NULL ? STATUS_OK : STATUS_END;
    }
    struct arena *arena = arena_create(0);
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status == STATUS_OK && index->mapping != NULL) {
        *mapping = json_tree_load(index->mapping, strlen(index->mapping), JSON_ALLOW_NUL, &ignored);
    }
    arena_destroy(arena);
    return status;
}
