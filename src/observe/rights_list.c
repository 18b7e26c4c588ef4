/* The list of what is left to do about rights. */
#include "observe/rights_list.h"
#include <string.h>

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text == NULL ? "" : text;
}

/* The number of rights that the item stands for without listing them. */
static uint32_t count_more(const json_t *item, const char *name)
{
    json_int_t count = strcmp(text_of(item, "kind"), "more") == 0
                           ? json_integer_value(json_object_get(item, name))
                           : 0;
    return count > 0 && count < INT32_MAX ? (uint32_t)count : 0;
}

uint32_t rights_list_count(const json_t *list, bool opens)
{
    uint32_t count = 0;
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        bool listed = strcmp(text_of(item, "kind"), "more") != 0;
        count += count_more(item, opens ? "opening" : "statements");
        count += json_is_object(item) && listed &&
                 json_is_true(json_object_get(item, "opens")) == opens &&
                 (opens || json_is_string(json_object_get(item, "statement")));
    }
    return count;
}

uint32_t rights_list_count_kept(const json_t *list)
{
    uint32_t count = 0;
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        count += count_more(item, "definers");
        count += strcmp(text_of(item, "kind"), "definer") == 0 &&
                 !json_is_true(json_object_get(item, "opens"));
    }
    return count;
}

bool rights_list_is_role(const json_t *item)
{
    return strcmp(text_of(item, "kind"), "role") == 0;
}

void rights_list_append_head(const json_t *item, struct buffer *out)
{
    buffer_format(out, "%s: %s", text_of(item, "object"), text_of(item, "text"));
}

const char *rights_list_statement(const json_t *item)
{
    return text_of(item, "statement");
}
