#include "design/input/tree.h"
#include <string.h>

const char *tree_text(json_t *body, const char *member)
{
    const char *text = json_string_value(json_object_get(body, member));
    return text != NULL ? text : "";
}

bool tree_flag(json_t *body, const char *member)
{
    return json_is_true(json_object_get(body, member));
}

const char *tree_string(json_t *node)
{
    return tree_text(tree_is(node, "String"), "sval");
}

const char *tree_last_name(json_t *list)
{
    size_t count = json_array_size(list);
    return count > 0 ? tree_string(json_array_get(list, count - 1)) : "";
}

size_t tree_location(json_t *body)
{
    json_int_t location = json_integer_value(json_object_get(body, "location"));
    return location > 0 ? (size_t)location : 0;
}

bool tree_whole_number(json_t *node, int64_t *number)
{
    json_t *whole = json_object_get(tree_is(node, "A_Const"), "ival");
    if (whole == NULL) {
        return false;
    }
    *number = json_integer_value(json_object_get(whole, "ival")); /* 0 is left out */
    return true;
}

json_t *tree_plain(json_t *node)
{
    for (;;) {
        json_t *around = tree_is(node, "CollateClause");
        around = around != NULL ? around : tree_is(node, "TypeCast");
        if (around == NULL) {
            return node;
        }
        node = json_object_get(around, "arg");
    }
}
