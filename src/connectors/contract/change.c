#include "connectors/contract/change.h"

#include <string.h>

const struct change_value *change_get(const struct change_value *map, const char *key)
{
    if (map == NULL || map->kind != CHANGE_MAP) {
        return NULL;
    }
    for (uint32_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i], key) == 0) {
            return &map->items[i];
        }
    }
    return NULL;
}

const char *change_text(const struct change_value *map, const char *key)
{
    const struct change_value *value = change_get(map, key);
    return value != NULL && value->kind == CHANGE_TEXT ? value->text : NULL;
}

bool change_is_true(const struct change_value *map, const char *key)
{
    const char *text = change_text(map, key);
    return text != NULL && strcmp(text, "true") == 0;
}
