/* jansson, with our errors and arenas. */
#include "engine/ledger/json_text.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    size_t length = strlen(text);
    if (text_is_utf8(text, length)) {
        return json_stringn(text, length);
    }
    char printable[1024];
    text_printable(text, length, printable, sizeof(printable));
    return json_string(printable);
}

bool json_is_text(const json_t *value, const char *text)
{
    const char *known = json_string_value(value);
    size_t length = strlen(text);
    if (known == NULL) {
        return false;
    }
    if (text_is_utf8(text, length)) {
        return json_string_length(value) == length && memcmp(known, text, length) == 0;
    }
    char printable[1024];
    text_printable(text, length, printable, sizeof(printable));
    return strcmp(known, printable) == 0;
}

json_t *json_texts(const char *const *texts, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(list, json_text(texts[i]));
    }
    return list;
}

json_t *json_stamp(int64_t utc_us)
{
    if (utc_us == 0) {
        return json_null();
    }
    char stamp[32];
    clock_format_utc(utc_us, stamp, sizeof(stamp));
    return json_string(stamp);
}

enum status json_to_arena(json_t *object, struct arena *arena, const char **text,
                          struct error *error)
{
    struct buffer dumped = {0};
    *text = json_tree_append(object, JSON_COMPACT, &dumped)
                ? arena_copy(arena, dumped.data, dumped.length)
                : NULL;
    buffer_free(&dumped);
    json_decref(object);
    return *text != NULL
               ? STATUS_OK
               : error_set(error, ERROR_STATE_INVALID, NULL,
                           "a control record can't be put as JSON: a name in it is no UTF-8");
}

static void hint_at_damage(struct error *error)
{
    if (error->code == ERROR_LEDGER_INVALID) {
        error_hint(error, "the ledger was edited or its store is damaged: restore the target from "
                          "a backup, or empty it, `transhume reset --confirm`, and migrate again");
    }
}

enum status json_from_text(const char *text, const char *object_name, enum error_code code,
                           json_t **object, struct error *error)
{
    if (json_tree_parse(text, strlen(text), JSON_REJECT_DUPLICATES, object_name, code, object,
                        error) != STATUS_OK) {
        hint_at_damage(error);
        return STATUS_FAILED;
    }
    const json_t *format = json_object_get(*object, "format");
    if (!json_is_integer(format)) {
        error_set(error, code, object_name, "is damaged: there is no \"format\" in it");
        hint_at_damage(error);
    } else if (json_integer_value(format) > CONTROL_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, object_name,
                  "has format %" JSON_INTEGER_FORMAT ", this program knows up to %d",
                  json_integer_value(format), CONTROL_FORMAT);
        error_hint(error, "use the version of transhume that began the run, or a newer one");
    } else {
        return STATUS_OK;
    }
    json_decref(*object);
    *object = NULL;
    return STATUS_FAILED;
}

json_t *json_from_file(const char *folder, const char *name, size_t most)
{
    struct arena *arena = arena_create(0);
    struct error ignored;
    char *text;
    size_t length;
    json_t *object = NULL;
    const char *path = file_join(arena, folder, name);
    if (file_read_all(path, most, arena, &text, &length, &ignored) != STATUS_OK ||
        json_from_text(text, path, ERROR_STATE_INVALID, &object, &ignored) != STATUS_OK) {
        object = NULL;
    }
    arena_destroy(arena);
    return object;
}

const char *json_member_text(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : otherwise;
}

int64_t json_member_integer(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *member = json_object_get(object, name);
    return json_is_integer(member) ? (int64_t)json_integer_value(member) : otherwise;
}

int json_member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
