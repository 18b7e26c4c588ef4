/* The words of a shadow's steps, and where its batches stand. */
#include "connectors/sql/shadow.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[SQL_SHADOW_KIND_COUNT] = {"copy", "prove", "drain", "close"};

/* ---------------------------------------------------------------- the words */

static json_t *list_json(const struct sql_shadow_list *list)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < list->count; i++) {
        json_array_append_new(array, json_string(list->items[i]));
    }
    return array;
}

static void shadow_put(json_t *root, const char *name, const char *text)
{
    if (text != NULL) {
        json_object_set_new(root, name, json_string(text));
    }
}

static const char *dump(json_t *root, struct arena *arena)
{
    char *text = json_dumps(root, JSON_COMPACT);
    const char *copy = arena_copy_string(arena, text);
    free(text);
    json_decref(root);
    return copy;
}

const char *sql_shadow_write(const struct sql_shadow *shadow, struct arena *arena)
{
    json_t *root = json_object();
    shadow_put(root, "kind", kinds[shadow->kind]);
    shadow_put(root, "table", shadow->table);
    shadow_put(root, "shadow", shadow->shadow);
    shadow_put(root, "queue", shadow->queue);
    shadow_put(root, "hint", shadow->hint);
    shadow_put(root, "shadow_hint", shadow->shadow_hint);
    shadow_put(root, "lock", shadow->lock);
    shadow_put(root, "skip", shadow->skip);
    shadow_put(root, "into", shadow->into);
    shadow_put(root, "values", shadow->values);
    shadow_put(root, "differs", shadow->differs);
    shadow_put(root, "strict", shadow->strict);
    shadow_put(root, "lenient", shadow->lenient);
    shadow_put(root, "form", shadow->form);
    json_object_set_new(root, "key", list_json(&shadow->key));
    json_object_set_new(root, "literal", list_json(&shadow->literal));
    json_object_set_new(root, "at", list_json(&shadow->at));
    json_object_set_new(root, "shadow_key", list_json(&shadow->shadow_key));
    json_object_set_new(root, "queue_key", list_json(&shadow->queue_key));
    json_object_set_new(root, "tight", json_boolean(shadow->tight));
    return dump(root, arena);
}

static bool take_list(const json_t *array, struct arena *arena, struct sql_shadow_list *list)
{
    size_t index;
    json_t *item;
    *list = (struct sql_shadow_list){0};
    if (!json_is_array(array) || json_array_size(array) > SQL_SHADOW_KEY_MAX) {
        return false;
    }
    json_array_foreach(array, index, item)
    {
        if (!json_is_string(item)) {
            return false;
        }
        list->items[list->count++] = arena_copy_string(arena, json_string_value(item));
    }
    return true;
}

static const char *shadow_take(const json_t *root, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(root, name));
    return arena_copy_string(arena, text != NULL ? text : "");
}

enum status sql_shadow_read(const char *words, struct arena *arena, struct sql_shadow *shadow,
                            struct error *error)
{
    json_t *root = json_loads(words, 0, NULL);
    const char *kind = json_string_value(json_object_get(root, "kind"));
    bool known = false;
    *shadow = (struct sql_shadow){0};
    for (int i = 0; kind != NULL && i < SQL_SHADOW_KIND_COUNT; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            shadow->kind = (enum sql_shadow_kind)i;
            known = true;
        }
    }
    shadow->table = shadow_take(root, "table", arena);
    shadow->shadow = shadow_take(root, "shadow", arena);
    shadow->queue = shadow_take(root, "queue", arena);
    shadow->hint = shadow_take(root, "hint", arena);
    shadow->shadow_hint = shadow_take(root, "shadow_hint", arena);
    shadow->lock = shadow_take(root, "lock", arena);
    shadow->skip = shadow_take(root, "skip", arena);
    shadow->into = shadow_take(root, "into", arena);
    shadow->values = shadow_take(root, "values", arena);
    shadow->differs = shadow_take(root, "differs", arena);
    shadow->strict = shadow_take(root, "strict", arena);
    shadow->lenient = shadow_take(root, "lenient", arena);
    shadow->form = shadow_take(root, "form", arena);
    shadow->tight = json_is_true(json_object_get(root, "tight"));
    known = known && take_list(json_object_get(root, "key"), arena, &shadow->key) &&
            take_list(json_object_get(root, "literal"), arena, &shadow->literal) &&
            take_list(json_object_get(root, "at"), arena, &shadow->at) &&
            take_list(json_object_get(root, "shadow_key"), arena, &shadow->shadow_key) &&
            take_list(json_object_get(root, "queue_key"), arena, &shadow->queue_key);
    json_decref(root);
    if (!known) {
        return error_set(
            error, ERROR_FORMAT_NEWER, NULL,
            "a step of the change is written in words that this program does not know");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- places in the key's order */

void sql_shadow_append_same(struct buffer *sql, const struct sql_shadow_list *left,
                            const struct sql_shadow_list *right)
{
    for (uint32_t i = 0; i < left->count; i++) {
        buffer_format(sql, "%s%s = %s", i > 0 ? " AND " : "", left->items[i], right->items[i]);
    }
}

/* Rows of several columns are spelled out: MySQL looks for no range of (a, b) > (1, 2). The first
 * column's own range stands ahead, which it does look for. */
void sql_shadow_append_beside(struct buffer *sql, const struct sql_shadow_list *names,
                              const char *order, const struct sql_shadow_list *at)
{
    const char strict[2] = {order[0], '\0'};
    if (names->count > 1) {
        buffer_format(sql, "%s %s= %s AND ", names->items[0], strict, at->items[0]);
    }
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; i < names->count; i++) {
        bool last = i + 1 == names->count;
        buffer_append_string(sql, i > 0 ? " OR (" : "(");
        for (uint32_t j = 0; j < i; j++) {
            buffer_format(sql, "%s = %s AND ", names->items[j], at->items[j]);
        }
        buffer_format(sql, "%s %s %s)", names->items[i], last ? order : strict, at->items[i]);
    }
    buffer_append_byte(sql, ')');
}
