/* Members of a struct as those of a JSON object. */
#include "engine/ledger/json_members.h"

#include "engine/ledger/json_text.h"
#include "model/schema.h"
#include <string.h>

static const void *member_at(const void *from, const struct json_member *member)
{
    return (const char *)from + member->offset;
}

/* ---------------------------------------------------------------- writing */

static int64_t number_of(const void *from, const struct json_member *member)
{
    const void *at = member_at(from, member);
    switch (member->form) {
    case JSON_FORM_FLAG:
        return *(const bool *)at;
    case JSON_FORM_NUMBER:
        return *(const int32_t *)at;
    case JSON_FORM_BYTE:
        return *(const uint8_t *)at;
    default:
        return *(const uint32_t *)at; /* enums have that size, too */
    }
}

static json_t *value_of(const void *from, const struct json_member *member)
{
    if (member->form == JSON_FORM_TEXT) {
        const char *text = *(const char *const *)member_at(from, member);
        return text != NULL ? json_text(text) : NULL;
    }
    if (member->form == JSON_FORM_NAMES) {
        const struct column_list *list = member_at(from, member);
        return list->count > 0 ? json_texts(list->names, list->count) : NULL;
    }
    int64_t number = number_of(from, member);
    if (number == 0) {
        return NULL;
    }
    return member->form == JSON_FORM_FLAG ? json_true() : json_integer(number);
}

void json_members_add(json_t *object, const void *from, const struct json_member *members,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *value = value_of(from, &members[i]);
        if (value != NULL) {
            json_object_set_new(object, members[i].name, value);
        }
    }
}

/* ---------------------------------------------------------------- reading */

static bool json_names_take(const json_t *array, struct column_list *names, struct arena *arena)
{
    size_t count = json_array_size(array);
    *names = (struct column_list){0};
    if ((array != NULL && !json_is_array(array)) || count > UINT32_MAX) {
        return false;
    }
    const char **list = arena_allocate_zeroed(arena, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text == NULL) {
            return false;
        }
        list[i] = arena_copy_string(arena, text);
    }
    *names = (struct column_list){list, (uint32_t)count};
    return true;
}

static bool take_number(const json_t *value, void *at, const struct json_member *member)
{
    int64_t number = json_is_true(value) ? 1 : json_integer_value(value);
    int64_t least = member->form == JSON_FORM_NUMBER ? INT32_MIN : 0;
    bool flag = member->form == JSON_FORM_FLAG;
    if (value != NULL &&
        (flag ? !json_is_boolean(value)
              : !json_is_integer(value) || number < least || number > member->most)) {
        return false;
    }
    if (flag) {
        *(bool *)at = number != 0;
    } else if (member->form == JSON_FORM_NUMBER) {
        *(int32_t *)at = (int32_t)number;
    } else if (member->form == JSON_FORM_BYTE) {
        *(uint8_t *)at = (uint8_t)number;
    } else {
        *(uint32_t *)at = (uint32_t)number;
    }
    return true;
}

bool json_members_take(const json_t *object, void *to, const struct json_member *members,
                       size_t count, struct arena *arena)
{
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        const json_t *value = json_object_get(object, members[i].name);
        void *at = (char *)to + members[i].offset;
        if (members[i].form == JSON_FORM_TEXT) {
            const char *text = json_string_value(value);
            fine = value == NULL || text != NULL;
            *(const char **)at = text != NULL ? arena_copy_string(arena, text) : NULL;
        } else if (members[i].form == JSON_FORM_NAMES) {
            fine = json_names_take(value, at, arena);
        } else {
            fine = take_number(value, at, &members[i]);
        }
    }
    return fine;
}
