/* What a command left, and how its parts are asked for. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

bool client_text_append(struct client_text *text, const char *bytes, size_t length,
                        size_t length_max)
{
    if (length > length_max || text->length > length_max - length) {
        return false;
    }
    size_t needed = text->length + length + 1;
    if (needed > text->capacity) {
        size_t capacity = needed < 4096 ? 4096 : needed + needed / 2;
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            return false;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return true;
}

void client_fail(struct transhume_result *result, enum transhume_status status, const char *code,
                 const char *object, const char *message, const char *hint)
{
    json_decref(result->json);
    result->status = status;
    result->json = json_pack("{s:{s:s,s:s?,s:s,s:s,s:i}}", "error", "code", code, "object", object,
                             "message", message, "hint", hint, "exit", (int)status);
}

void transhume_result_destroy(struct transhume_result *result)
{
    if (result != NULL) {
        json_decref(result->json);
        free(result->out.bytes);
        free(result);
    }
}

enum transhume_status transhume_result_status(const struct transhume_result *result)
{
    return result == NULL ? TRANSHUME_FAILED : result->status;
}

const char *transhume_result_json(const struct transhume_result *result)
{
    return result == NULL || result->out.bytes == NULL ? "" : result->out.bytes;
}

static const json_t *member(const struct transhume_result *result, const char *name)
{
    return result == NULL ? NULL : json_object_get(result->json, name);
}

const char *transhume_result_run(const struct transhume_result *result)
{
    return json_string_value(member(result, "run"));
}

/* -1: no entity has such a number. */
static int64_t sum_of_entities(const json_t *entities, const char *name)
{
    int64_t sum = -1;
    size_t i;
    const json_t *entity;
    json_array_foreach(entities, i, entity)
    {
        const json_t *value = json_object_get(entity, name);
        if (json_is_integer(value)) {
            sum = (sum < 0 ? 0 : sum) + (int64_t)json_integer_value(value);
        }
    }
    return sum;
}

int64_t transhume_result_count(const struct transhume_result *result, const char *name)
{
    int64_t sum = sum_of_entities(member(result, "entities"), name);
    const json_t *value = member(result, name);
    return sum < 0 && json_is_integer(value) ? (int64_t)json_integer_value(value) : sum;
}

static const char *of_error(const struct transhume_result *result, const char *name)
{
    return json_string_value(json_object_get(member(result, "error"), name));
}

const char *transhume_result_error_code(const struct transhume_result *result)
{
    return of_error(result, "code");
}

const char *transhume_result_error_message(const struct transhume_result *result)
{
    return of_error(result, "message");
}

const char *transhume_result_error_object(const struct transhume_result *result)
{
    return of_error(result, "object");
}

const char *transhume_result_error_hint(const struct transhume_result *result)
{
    return of_error(result, "hint");
}

const char *transhume_library_version(void)
{
    return TRANSHUME_VERSION;
}
